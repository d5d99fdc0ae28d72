"""
How long the paper's convolutional nets for CIFAR-10 take, beside their bare matrix products and PyTorch; their memory.

D forward, D forward and backward (parameters, and inputs of the samples), and the whole simultaneous step, in float32,
on data rows and as many samples.  Then the cross-correlation of each convolutional layer, forward, in other ways: all
patches unfolded for one product, a product for each place of the kernel, `scipy.fft`.  Rounds run every way once, so
that all meet the same load.  Threads: OPENBLAS_NUM_THREADS of matrix products, --threads of PyTorch and scipy.fft;
npgan works, besides, on as many parts of a minibatch at once as there are cores.

    python tests/benchmarks/bench_conv.py [--rows 128] [--rounds 5] [--threads 2] [--skip_step] [--json]
"""
import argparse
import importlib
import json
import os
import platform
import time
import tracemalloc
from functools import partial

import numpy as np
import scipy
import scipy.fft

from npgan.adversarial import AdversaryPair, Generator, simultaneous_step
from npgan.backend import RandomStream, blocks
from npgan.conv import EXAMPLES, Deconv, MaxoutConv
from npgan.kernels.patches import Correlation
from npgan.kernels.spectra import FourierCorrelation
from npgan.kernels.threads import in_parallel
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.transpose import Transpose

PRODUCTS, OURS, TORCH = "direct products alone", "npgan", "torch"
PATCHES, SPECTRA = "npgan, by patches", "npgan, by spectra"
ALL_PATCHES, PLACES, FFT = "all patches, one product", "a product for each place", "scipy.fft"


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def discriminator(rng):
    """The authors' D, with tied biases."""
    first = MaxoutConv((32, 32, 3), 32, 2, (8, 8), (4, 4), (2, 2), .005, rng, pad=4, tied_b=True)
    second = MaxoutConv(first.output_shape, 32, 2, (8, 8), (4, 4), (2, 2), .005, rng, pad=3, tied_b=True)
    third = MaxoutConv(second.output_shape, 192, 2, (5, 5), (2, 2), (2, 2), .005, rng, pad=3, tied_b=True)
    return MLP([Transpose((3, 32, 32), (1, 2, 0)), Dropout(.8, rng=rng), first, Dropout(.5, rng=rng), second,
                Dropout(.5, rng=rng), third, Dropout(.5, rng=rng), Maxout(third.dim, 500, 5, .005, rng),
                Dropout(.5, rng=rng), Linear(500, 1, .005, rng)])


def generator(rng):
    """The authors' G."""
    return Generator(MLP([RectifiedLinear(100, 8000, .05, rng), Sigmoid(8000, 8000, .05, rng),
                          Deconv((10, 10, 80), 3, (5, 5), .05, rng, output_stride=(3, 3)),
                          Transpose((32, 32, 3), (2, 0, 1))]), "gaussian", rng)


# The products alone

def products(net, m, backward=False, inputs=0):
    """Shapes (rows, inner, columns) of a net's matrix products on m rows, `inputs` of which have a gradient below."""
    found, lowest = [], net.with_params[0]
    for i, layer in enumerate(net.layers):
        if not layer.params:
            continue
        (inner, n), times, widths, taps = layer.W.shape, 1, [m], 1
        if isinstance(layer, (MaxoutConv, Deconv)):                     # patches of one row of places at a time
            times, columns = layer.correlation.out_shape
            widths, taps = [columns * len(range(m)[part]) for part in blocks(m, EXAMPLES)], layer.kernel_shape[0]
        share = 1 if i > lowest else inputs / m
        for width in widths * times:
            found.append((n, inner, width))
            if backward:
                found.append((inner, width, n))
            if backward and share:
                found.append((inner // taps, n * taps, int(share * width)))
    return found


def multiply(shapes, pool):
    """Each of the products, of numbers from a `pool`."""
    for rows, inner, columns in shapes:
        a, b, c = (pool[i, :r * s].reshape(r, s) for i, (r, s) in enumerate(((rows, inner), (inner, columns),
                                                                             (rows, columns))))
        np.matmul(a, b, out=c)


# PyTorch

class Torch:
    """The same nets and steps in PyTorch."""

    def __init__(self, torch, pair, m):
        self.torch, self.F, self.m = torch, torch.nn.functional, m
        self.D, self.G = self.parameters(pair.discriminator), self.parameters(pair.generator.mlp)
        self.rules = [torch.optim.SGD([p for both in net for p in both], lr=.004, momentum=.5)
                      for net in (self.D, self.G)]

    def parameters(self, net):
        """W and b of each layer, as PyTorch has them."""
        found = []
        for _, layer in net.named_layers:
            W, b = layer.W.T, layer.b
            if isinstance(layer, (MaxoutConv, Deconv)):
                W = W.reshape(-1, *layer.kernel_shape, W.shape[1] // np.prod(layer.kernel_shape)).transpose(0, 3, 1, 2)
                b = b if b.ndim == 1 else b.transpose(2, 0, 1)
            found.append([self.torch.tensor(np.ascontiguousarray(a), requires_grad=True) for a in (W, b)])
        return found

    def discriminate(self, x):
        F, torch = self.F, self.torch
        x, keep = x.view(-1, 3, 32, 32), .8
        for (W, b), pad, pool in zip(self.D, (4, 3, 3), (4, 4, 2)):
            z = F.conv2d(F.dropout(x, 1 - keep), W, b, padding=pad)
            x = F.max_pool2d(torch.maximum(z[:, ::2], z[:, 1::2]), pool, 2, ceil_mode=True)
            keep = .5
        (W, b), (w, c) = self.D[3:]
        x = F.linear(F.dropout(x.flatten(1), .5), W, b).view(-1, 500, 5).max(2).values
        return F.linear(F.dropout(x, .5), w, c)

    def generate(self, z):
        F, ((W, b), (V, c), (K, d)) = self.F, self.G
        h = self.torch.sigmoid(F.linear(F.linear(z, W, b).relu(), V, c))
        return (F.conv_transpose2d(h.view(-1, 10, 10, 80).permute(0, 3, 1, 2), K, stride=3) + d).flatten(1)

    def forward(self, x):
        with self.torch.no_grad():
            self.discriminate(x)

    def backward(self, data, samples):
        """The gradients of C_D, those of the samples included."""
        samples = samples.detach().requires_grad_()
        a = self.discriminate(self.torch.cat([data, samples]))
        y = self.torch.zeros_like(a)
        y[:self.m] = 1
        self.F.binary_cross_entropy_with_logits(a, y).backward()
        return samples.grad, a.detach()[self.m:]

    def step(self, x):
        """The simultaneous step, by the one backward pass that `simultaneous_step` makes."""
        for rule in self.rules:
            rule.zero_grad()
        samples = self.generate(self.torch.randn(self.m, 100))
        dx, a = self.backward(x, samples)
        samples.backward(dx * (-2 * self.torch.sigmoid(-a) / self.torch.sigmoid(a)))
        for rule in self.rules:
            rule.step()


def whole(chosen, torch):
    """Tasks on whole nets: for each its ways, functions by name."""
    m, rng = chosen.rows, RandomStream(2014)
    data, samples = rng.normal((m, 3072)), rng.normal((m, 3072))
    x, da = np.concatenate([data, samples]), rng.normal((2 * m, 1))
    G, D = generator(rng), discriminator(rng)
    pair, rules = AdversaryPair(G, D), (Momentum(.004, .5), Momentum(.004, .5))
    forward, both = products(D, 2 * m), products(D, 2 * m, True, m)
    step = both + products(G.mlp, m, True)
    pool = rng.normal((3, max(max(r * k, k * c, r * c) for r, k, c in step)))

    def there_and_back():
        D.dropout_fprop(x)
        D.bprop(da, inputs=slice(m, None))

    tasks = {"D forward": {PRODUCTS: lambda: multiply(forward, pool), OURS: lambda: D.dropout_fprop(x)},
             "D forward and backward": {PRODUCTS: lambda: multiply(both, pool), OURS: there_and_back}}
    if not chosen.skip_step:
        tasks["simultaneous step"] = {PRODUCTS: lambda: multiply(step, pool),
                                      OURS: lambda: simultaneous_step(pair, *rules, data)}
    if torch:
        other = Torch(torch, pair, m)
        of_data, of_samples, of_both = map(torch.from_numpy, (data, samples, x))
        tasks["D forward"][TORCH] = lambda: other.forward(of_both)
        tasks["D forward and backward"][TORCH] = lambda: other.backward(of_data, of_samples)
        if not chosen.skip_step:
            tasks["simultaneous step"][TORCH] = lambda: other.step(of_data)
    return tasks


# Ways to correlate pictures x (m, row, column, channel) with kernels W (row * column * channel, n)

def by_correlation(way, x, W):
    """As the layers do."""
    V, state = way.prepare_kernels(W), x.reshape(len(x), -1)
    return np.concatenate(in_parallel(lambda part: way.to_rows(way.correlate(way.prepare_pictures(state[part]), V)),
                                      blocks(len(x), EXAMPLES)))


def padded(x, pad):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def by_all_patches(x, W, K, pad):
    patches = np.lib.stride_tricks.sliding_window_view(padded(x, pad), (K, K), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    return patches.reshape(-1, len(W)) @ W


def by_places(x, W, K, pad):
    x = padded(x, pad)
    side, z = x.shape[1] - K + 1, 0
    for k, V in enumerate(W.reshape(K * K, x.shape[3], -1)):
        z = z + x[:, k // K:k // K + side, k % K:k % K + side] @ V
    return z


def by_fft(x, W, K, pad, threads):
    x, V = padded(x, pad), W.reshape(K, K, x.shape[3], -1)
    side, size = x.shape[1] - K + 1, [scipy.fft.next_fast_len(x.shape[1], True)] * 2
    X, V = (scipy.fft.rfft2(a, size, axes, workers=threads) for a, axes in ((x, (1, 2)), (V, (0, 1))))
    Z = np.matmul(X.transpose(1, 2, 0, 3), V.conj()).transpose(2, 0, 1, 3)
    return scipy.fft.irfft2(Z, size, (1, 2), workers=threads)[:, :side, :side]


def correlations(chosen, torch):
    """A task for each convolutional layer of D: its cross-correlation, forward, in several ways."""
    tasks, rng = {}, RandomStream(2014)
    for number, (_, layer) in enumerate(discriminator(rng).named_layers[:3], 1):
        x, W, K, pad = rng.normal((2 * chosen.rows, *layer.input_shape)), layer.W, layer.kernel_shape[0], layer.pad
        patches, spectra = (Correlation(layer.input_shape, (K, K), (1, 1), pad),
                            FourierCorrelation(layer.input_shape, (K, K), pad))
        direct = type(layer.correlation) is Correlation
        ways = {OURS: partial(by_correlation, patches if direct else spectra, x, W),
                SPECTRA if direct else PATCHES: partial(by_correlation, spectra if direct else patches, x, W),
                ALL_PATCHES: partial(by_all_patches, x, W, K, pad), PLACES: partial(by_places, x, W, K, pad),
                FFT: partial(by_fft, x, W, K, pad, chosen.threads)}
        expected = ways[OURS]()
        for way, function in ways.items():
            np.testing.assert_allclose(function().reshape(expected.shape), expected, atol=1e-4, err_msg=way)
        if torch:
            planes, V = (torch.from_numpy(np.ascontiguousarray(a)) for a in (
                x.transpose(0, 3, 1, 2), W.reshape(K, K, x.shape[3], -1).transpose(3, 2, 0, 1)))
            ways[TORCH] = partial(torch.nn.functional.conv2d, planes, V, padding=pad)
        tasks[f"layer {number}, forward"] = ways
    return tasks


# Measuring

def times(tasks, rounds):
    """Seconds of each way of each task in each round, after one that is not counted."""
    seconds = {task: {way: [] for way in ways} for task, ways in tasks.items()}
    for _ in range(rounds + 1):
        for task, ways in tasks.items():
            for way, function in ways.items():
                start = time.perf_counter()
                function()
                seconds[task][way].append(time.perf_counter() - start)
    return {task: {way: values[1:] for way, values in ways.items()} for task, ways in seconds.items()}


def spread(values):
    return {"min": float(np.min(values)), "median": float(np.median(values)), "max": float(np.max(values))}


def summary(seconds):
    """Of each way's seconds, and of how many times those of each other way ours took, min, median and max."""
    return {task: {way: {"seconds": spread(values), "npgan / this": spread(np.divide(ways[OURS], values))}
                   for way, values in ways.items()} for task, ways in seconds.items()}


def peak_bytes(m):
    """What NumPy holds at most at once in two simultaneous steps, the nets and their velocities included."""
    tracemalloc.start()
    rng = RandomStream(2014)
    pair, rules = AdversaryPair(generator(rng), discriminator(rng)), (Momentum(.004, .5), Momentum(.004, .5))
    for _ in range(2):
        simultaneous_step(pair, *rules, rng.normal((m, 3072)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def machine(torch, threads):
    pools = optional("threadpoolctl")
    counts = [pool["num_threads"] for pool in pools.threadpool_info() if pool["user_api"] == "blas"] if pools else None
    return {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
            "torch": torch and torch.__version__, "cores": os.cpu_count(), "BLAS threads": counts,
            "torch and scipy.fft threads": threads}


def report(found):
    print(f"The convolutional nets on {found['rows']} data rows and as many samples, {found['rounds']} rounds\n")
    print(f"{'':28}{'seconds':>27}    {'npgan / this':>27}")
    print(f"{'':28}{'median':>9}{'min':>9}{'max':>9}    {'median':>9}{'min':>9}{'max':>9}")
    for task, ways in found["times"].items():
        print(task)
        for way, columns in ways.items():
            values = [columns[table][k] for table in columns for k in ("median", "min", "max")]
            print(f"  {way:26}" + "{:9.3f}{:9.3f}{:9.3f}    {:9.2f}{:9.2f}{:9.2f}".format(*values))
    if found["peak bytes"]:
        print(f"\nmemory of two simultaneous steps, nets and velocities included: {found['peak bytes'] / 1e6:.0f} MB")
    print(", ".join(f"{name} {value}" for name, value in found["machine"].items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=128, help="data rows of a minibatch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of PyTorch and scipy.fft")
    parser.add_argument("--skip_step", action="store_true", help="leave out G and the memory")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    chosen = parser.parse_args()

    torch = optional("torch")
    if torch:
        torch.set_num_threads(chosen.threads)
    seconds = {**times(whole(chosen, torch), chosen.rounds), **times(correlations(chosen, torch), chosen.rounds)}
    found = {"rows": chosen.rows, "rounds": chosen.rounds, "times": summary(seconds),
             "peak bytes": None if chosen.skip_step else peak_bytes(chosen.rows),
             "machine": machine(torch, chosen.threads)}
    if chosen.json:
        print(json.dumps(found))
    else:
        report(found)
