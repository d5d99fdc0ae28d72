"""
A GPU through CuPy: whether it computes what NumPy computes, and how long steps, an epoch and the Parzen protocol take.

Equality comes first.  Nets of the same parameters play on both, noise and masks drawn on the host and carried over:
gradients in float64, 100 updates in float32, Parzen log-likelihoods.  Then times, each way in a process of its own, in
turns: npgan's steps as they are and captured in a CUDA graph, and PyTorch's, eager and in CUDA graphs, of the same
mathematics; kernels of a step; an epoch of 500 updates; the Parzen protocol; TFD's and CIFAR-10's nets at full size.

A graph replays what was captured, numbers included.  So for it the learning rates are arrays of the device, which
schedules fill between updates; another momentum needs another capture.  And cuBLAS is called directly, as CuPy refuses
to while a stream is captured.

    python tests/benchmarks/bench_gpu.py [--nets mnist,tfd-limits,cifar10,cifar10-conv] [--rounds 7] [--json]

``--stand-in`` runs equality and a short timing on the tests' stand-in for CuPy: no GPU is needed and its times tell
nothing, but the script is exercised.
"""
import ctypes
import json
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import bench_conv
import bench_parzen
import bench_step
import measuring
import numpy as np

from npgan import backend, parzen
from npgan.adversarial import AdversaryPair, SeparateSteps, SimultaneousSteps, labels, stack
from npgan.backend import RandomStream, to_numpy, xp
from npgan.costs import cross_entropy_grad
from npgan.datasets import Dataset
from npgan.learning_rule import Momentum
from npgan.schedules import ExponentialDecay, MomentumAdjustor
from npgan.train import Train

bench_step.NETS.update({"cifar10": (100, 8000, 8000, 3072, 1600, None), "small": (6, 16, 16, 24, 8, 1.9365)})
STEPS = {"simultaneous": SimultaneousSteps, "Algorithm 1": SeparateSteps}
OURS, GRAPH, EAGER, GRAPHS = "npgan", "npgan, CUDA graph", "PyTorch, eager", "PyTorch, CUDA graphs"
EPOCH, EPOCH_GRAPH, PARZEN = "an epoch", "an epoch, CUDA graph", "the Parzen protocol"
BOUNDS = {"gradients": 1e-10, "updates": 1e-3, "Parzen": 1e-2}      # the last in nats, the others relative
UPDATES, WORKSPACE = 100, 32 * 2**20


# Where it computes

def device(stand_in):
    """Choose the GPU, or the stand-in; returns its module, or ends with one line and status 2 where there is none."""
    if stand_in:
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
        import strict

        xp.module = strict.module
    else:
        try:
            backend.use("cupy")
        except backend.BackendError as error:
            print(f"bench_gpu.py: error: {error}", file=sys.stderr)
            raise SystemExit(2) from None
    return xp.module


@contextmanager
def on(module, floatX="float32"):
    """Within it npgan computes with `module` in `floatX`."""
    kept = xp.module, backend.floatX
    xp.module = module
    backend.use(floatX=floatX)
    try:
        yield
    finally:
        xp.module = kept[0]
        backend.use(floatX=kept[1])


def synchronize():
    """Wait until the GPU has done all that it was told."""
    if hasattr(xp.module.cuda, "Device"):                               # the stand-in has none
        xp.module.cuda.Device().synchronize()


class Carried(RandomStream):
    """A stream that is drawn on the host and carried to the backend, so that all backends get the same numbers."""

    def _start_device(self):
        self._device = self._host

    def uniform(self, low, high, shape):
        return xp.asarray(super().uniform(low, high, shape))

    def normal(self, shape):
        return xp.asarray(super().normal(shape))

    def mask(self, include_prob, shape):
        return xp.asarray(super().mask(include_prob, shape))


def game(nets, step, rng):
    """A training step of fresh `nets`, all of whose numbers `rng` draws."""
    if nets != "cifar10-conv":
        return bench_step.game(nets, step, rng)
    pair = AdversaryPair(bench_conv.generator(rng), bench_conv.discriminator(rng))
    rate = .004, bench_step.MOMENTUM                                    # the authors', for these nets
    return STEPS[step](pair, Momentum(*rate), Momentum(*rate))


def rows(nets, m, rng):
    """`m` rows of data for the `nets`."""
    return rng.uniform(0, 1, (m, 3072 if nets == "cifar10-conv" else bench_step.NETS[nets][3]))


# Equality with NumPy

def gradients(nets, batch):
    """By name, dC/d(parameter) of D for its cost and of G for its own, in the update of the released code."""
    rng = Carried(2014)
    pair, x = game(nets, "simultaneous", rng).pair, rows(nets, batch, rng)
    G, D = pair.generator, pair.discriminator
    a = D.dropout_fprop(stack(x, G.fprop(G.noise(batch))))
    D.bprop(cross_entropy_grad(a, labels(a)))
    found = named_gradients("D", D)
    a = D.dropout_fprop(G.fprop(G.noise(batch)))
    G.bprop(D.bprop(cross_entropy_grad(a, 1), params=False))
    return found | named_gradients("G", G.mlp)


def named_gradients(player, net):
    return {f"{player}.{name}.d{param}": to_numpy(getattr(layer, "d" + param)).copy()
            for name, layer in net.named_layers for param in layer.param_names}


def updated(nets, step, batch, updates):
    """By player, the parameters after some `updates` by momentum."""
    rng = Carried(2014)
    run = game(nets, step, rng)
    for t in range(1, updates + 1):
        run(rows(nets, batch, rng), t)
    return {"G": to_numpy(run.pair.generator.theta).copy(), "D": to_numpy(run.pair.discriminator.theta).copy()}


def farthest(found, reference):
    """The largest of max|difference| / max|reference| over the arrays, and the name of that array."""
    return max((float(np.abs(found[name] - reference[name]).max() / np.abs(reference[name]).max()), name)
               for name in reference)


def equality(module, nets, batch, parzen_data):
    """By what is compared: what was found, where, and its bound."""
    found = {}
    for net in nets:
        ways = [(f"gradients of {net}, float64", "gradients", "float64", lambda net=net: gradients(net, batch))]
        ways += [(f"{UPDATES} {step} updates of {net}, float32", "updates", "float32",
                  lambda net=net, step=step: updated(net, step, batch, UPDATES)) for step in STEPS]
        for what, kind, floatX, compute in ways if net == nets[0] else ways[:1]:
            with on(np, floatX):
                reference = compute()
            with on(module, floatX):
                size, where = farthest(compute(), reference)
            found[what] = {"difference": size, "where": where, "bound": BOUNDS[kind]}
    test, _, samples = parzen_data
    test = test[:1000]
    with on(np):
        exact = parzen.log_likelihood(test.astype("float64"), samples.astype("float64"), parzen.SIGMAS)
    with on(module):
        ours = to_numpy(parzen.log_likelihood(xp.asarray(test), xp.asarray(samples), parzen.SIGMAS))
    error = np.abs(ours - exact).max(axis=1)
    found["Parzen log-likelihood, float32, in nats"] = {
        "difference": float(error.max()), "where": f"sigma {parzen.SIGMAS[error.argmax()]:.3g}",
        "bound": BOUNDS["Parzen"]}
    return found


# A step in a CUDA graph

class Products:
    """
    The `module` CuPy, but for float32 products of matrices: these it has cuBLAS do, on one stream, with no question.

    CuPy itself raises NotImplementedError for a product on a stream that is captured; cuBLAS allows it, once it has
    memory to work in.  Arrays are in C order or transposed.  cuBLAS thinks in columns and so computes C^T = B^T A^T.
    """

    def __init__(self, module, library, stream, workspace):
        self.module, self.library, self.workspace = module, library, workspace
        self.one, self.zero = ctypes.c_float(1), ctypes.c_float(0)
        self.handle = ctypes.c_void_p()
        self.call("cublasCreate_v2", ctypes.byref(self.handle))
        self.call("cublasSetStream_v2", self.handle, ctypes.c_void_p(stream))
        self.call("cublasSetWorkspace_v2", self.handle, ctypes.c_void_p(workspace.data.ptr),
                  ctypes.c_size_t(workspace.nbytes))                    # after the stream, which would reset it

    def __getattr__(self, name):
        return getattr(self.module, name)

    def call(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        if status:
            raise RuntimeError(f"{name} failed with the status {status} of cuBLAS")

    def matmul(self, a, b, out=None):
        if a.ndim != 2 or b.ndim != 2 or not a.dtype == b.dtype == "float32":
            return self.module.matmul(a, b, out=out)
        c = self.module.empty((a.shape[0], b.shape[1]), a.dtype) if out is None or not out.flags.c_contiguous else out
        (flag_a, a, ld_a), (flag_b, b, ld_b) = self.layout(a), self.layout(b)
        self.call("cublasSgemm_v2", self.handle, flag_b, flag_a, c.shape[1], c.shape[0], a.shape[1],
                  ctypes.byref(self.one), ctypes.c_void_p(b.data.ptr), ld_b, ctypes.c_void_p(a.data.ptr), ld_a,
                  ctypes.byref(self.zero), ctypes.c_void_p(c.data.ptr), c.shape[1])
        if out is None or c is out:
            return c
        out[...] = c
        return out

    def layout(self, a):
        """cuBLAS's flag for `a` (0 as it is, 1 transposed), `a` or a copy in C order, and its leading dimension."""
        if not (a.flags.c_contiguous or a.flags.f_contiguous):
            a = self.module.ascontiguousarray(a)
        return (0, a, a.shape[1]) if a.flags.c_contiguous else (1, a, a.shape[0])

    def einsum(self, subscripts, a, b):
        """The squared norms of columns, all that norm limits need, without a product."""
        if subscripts != "vj,vj->j" or a is not b:
            raise NotImplementedError(f"einsum {subscripts} in a CUDA graph")
        return self.module.square(a).sum(axis=0)


def cublas(cupy):
    """The cuBLAS of the CUDA that `cupy` runs on."""
    return ctypes.CDLL(f"libcublas.so.{cupy.cuda.runtime.runtimeGetVersion() // 1000}")


class Captured:
    """
    A training `step` on the rows `x`, captured in a CUDA graph: each call replays it, with new noise and masks.

    What the step allocates comes from a pool of its own, so that nobody else writes there between replays.
    `set_rates` changes both learning rates, which live in arrays of the device.
    """

    pools = []                                                          # of all that there are, to tell their sizes

    def __init__(self, cupy, step, x):
        self.step, self.x = step, x
        self.stream, self.pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()
        self.products = Products(cupy, cublas(cupy), self.stream.ptr, cupy.empty(WORKSPACE, "uint8"))
        self.pools.append(self.pool)
        self.rates = []
        for rule in (step.rule_G, step.rule_D):
            rule.learning_rate = cupy.full((), rule.learning_rate, "float32")
            self.rates.append(rule.learning_rate)
        cupy.cuda.Device().synchronize()
        with self.stream, cupy.cuda.using_allocator(self.pool.malloc), on(self.products):
            for _ in range(3):                                          # compiles kernels and fills the pool
                step(x, 1)
            self.stream.synchronize()
            self.stream.begin_capture()
            try:
                step(x, 1)
            finally:
                self.graph = self.stream.end_capture()
        self.stream.synchronize()

    def __call__(self):
        self.graph.launch(self.stream)

    def set_rates(self, *rates):
        with self.stream:
            for array, rate in zip(self.rates, rates):
                array.fill(rate)


# The ways to be timed

def by_torch(nets, step, batch, captured):
    """The same step in PyTorch on the GPU, eager or captured in a CUDA graph, and the wait for it."""
    import torch

    torch.set_default_device("cuda")
    run = bench_step.by_torch(nets, step, batch, torch.get_num_threads())
    if not captured:
        return run, torch.cuda.synchronize
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):                                       # as PyTorch's documentation warms up
        for _ in range(5):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay, torch.cuda.synchronize


def epoch(module, captured, updates, nets="mnist", batch=100):
    """`updates` minibatches in a new order, with the authors' schedules, through `Train` or by a CUDA graph."""
    step, order = bench_step.game(nets, "simultaneous", RandomStream(1)), RandomStream(3)
    rules = [step.rule_G, step.rule_D]
    dataset = Dataset(rows(nets, updates * batch, RandomStream(7)))
    if not captured:
        schedules = [ExponentialDecay(rules, 1.000004, 1e-6), MomentumAdjustor(rules, .7, 1, 250)]
        train = Train(step, dataset, batch, order, schedules)
        return lambda: train.main_loop(train.epoch + 1)
    x = dataset.X[:batch].copy()
    graph, count = Captured(module, step, x), [0]

    def run():
        places = xp.asarray(order.permutation(len(dataset)))
        module.cuda.Device().synchronize()                              # the order is there before the stream reads it
        with graph.stream:
            for i in range(0, len(dataset), batch):
                xp.take(dataset.X, places[i:i + batch], axis=0, out=x)
                graph()
                count[0] += 1
                graph.set_rates(*2 * [max(bench_step.RATE * 1.000004 ** -count[0], 1e-6)])

    return run


def way(module, chosen):
    """What the child named ``nets: step: who`` or ``nets: an epoch`` repeats, the wait for it, and how often a turn."""
    nets, what, *who = chosen.serve.split(": ")
    if what in (EPOCH, EPOCH_GRAPH):
        return epoch(module, what == EPOCH_GRAPH, 5 if chosen.stand_in else 500, nets), synchronize, 1
    if what == PARZEN:
        test, valid, samples = (xp.asarray(a) for a in parzen_data(chosen.stand_in))
        return lambda: parzen.evaluate(test, valid, samples), synchronize, 1
    if who[0] in (EAGER, GRAPHS):
        return *by_torch(nets, what, chosen.batch, who[0] == GRAPHS), chosen.updates
    step, x = game(nets, what, RandomStream(2014)), rows(nets, chosen.batch, RandomStream(5))
    run = Captured(module, step, x) if who[0] == GRAPH else lambda: step(x, 1)
    return run, synchronize, chosen.updates


def serve(module, chosen):
    """In a child: at each turn seconds of an update, `chosen.repeat` times, memory and kernels; or why it failed."""
    try:
        run, wait, updates = way(module, chosen)
        run(), wait()
    except Exception as error:                                          # the other ways go on
        told = f"{type(error).__name__}: {error}"
        measuring.answer(lambda: {"failed": told})
        return

    def seconds():
        wait()
        start = time.perf_counter()
        for _ in range(updates):
            run()
        wait()
        return (time.perf_counter() - start) / updates

    seconds()
    count = None if chosen.stand_in else kernels(run, wait)
    measuring.answer(lambda: {"seconds": [seconds() for _ in range(chosen.repeat)], "peak": memory(module),
                              "kernels": count})


def kernels(run, wait):
    """How many kernels one `run` launches, as PyTorch's profiler counts them in the whole process, or None."""
    torch = measuring.optional("torch")
    if not torch or not torch.cuda.is_available():
        return None
    from torch.autograd import DeviceType

    wait()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        run()
        wait()
    return sum(event.device_type == DeviceType.CUDA and not event.name.startswith(("Memcpy", "Memset"))
               for event in profile.events())


def memory(module):
    """Bytes of the device that this process holds, of CuPy's pools and PyTorch's."""
    torch = sys.modules.get("torch")
    held = torch.cuda.max_memory_reserved() if torch and torch.cuda.is_available() else 0
    if hasattr(module, "get_default_memory_pool"):
        held += sum(pool.total_bytes() for pool in (module.get_default_memory_pool(), *Captured.pools))
    return held


def parzen_data(small):
    """Test rows, validation rows and samples, NumPy arrays: MNIST's if it is found, else random numbers."""
    with on(np):
        _, test, valid, samples = bench_parzen.data()
    return (test[:200], valid[:100], samples[:300]) if small else (test, valid, samples)


def measure(chosen, nets):
    """Times by title: of each net and step, all ways in turns; of an epoch; of the Parzen protocol."""
    torch = None if chosen.stand_in else measuring.optional("torch")
    peers = [EAGER, GRAPHS] if torch and torch.cuda.is_available() else []
    ours = [OURS] if chosen.stand_in else [OURS, GRAPH]
    found = {}
    for net in nets:
        whose = [OURS] if net == "cifar10-conv" else ours + peers
        for step in STEPS:
            found[f"{net}: {step}"] = in_turns([f"{net}: {step}: {who}" for who in whose], chosen)
    first = nets[0] if nets[0] != "cifar10-conv" else "mnist"
    epochs = [EPOCH] if chosen.stand_in else [EPOCH, EPOCH_GRAPH]
    found[f"{first}: {EPOCH} of {5 if chosen.stand_in else 500} updates"] = in_turns(
        [f"{first}: {what}" for what in epochs], chosen)
    found[PARZEN] = in_turns([f"{first}: {PARZEN}"], chosen)
    return found


def in_turns(ways, chosen):
    """A `measuring.summary` of the ways that ran, with their kernels; of the others, why they failed."""
    answers = measuring.in_turns(ways, chosen)
    failed = {name: of[0] for name, of in answers.items() if "failed" in of[0]}
    ran = {name: of for name, of in answers.items() if name not in failed}
    found = measuring.summary(ran, next(iter(ran))) if ran else {}
    for name, row in found.items():
        row["kernels"] = ran[name][0]["kernels"]
    return found | failed


def machine(module, stand_in):
    """Where and with what this ran."""
    found = measuring.machine(measuring.cores())
    if stand_in:
        return {"card": "none: the stand-in for CuPy, whose times tell nothing", **found}
    runtime = module.cuda.runtime
    card = runtime.getDeviceProperties(runtime.getDevice())
    return {"card": card["name"].decode(), "memory": f"{card['totalGlobalMem'] / 2**30:.0f} GiB",
            "CUDA": runtime.runtimeGetVersion(), "driver": runtime.driverGetVersion(),
            "cupy": module.__version__, **found}


def report(found):
    print("equality with NumPy, the same noise and masks on both: max|difference| / max|reference|\n")
    for what, row in found["equality"].items():
        verdict = "" if row["difference"] <= row["bound"] else "   TOO LARGE"
        print(f"{what:46}{row['difference']:9.1e}  at most {row['bound']:.0e}  ({row['where']}){verdict}")
    for title, rows in found["times"].items():
        print(f"\n{title}\n")
        measuring.table({name.split(": ")[-1]: row for name, row in rows.items() if "failed" not in row}, "the first")
        for name, row in rows.items():
            if row.get("failed") or row.get("kernels"):
                print(f"{name.split(': ')[-1]}: {row.get('failed') or str(row['kernels']) + ' kernels'}")
    print("\n" + ", ".join(f"{name} {value}" for name, value in found["machine"].items()))


if __name__ == "__main__":
    chosen = measuring.options(__doc__, nets="", batch=100, repeat=10, updates=25, stand_in=False)
    module = device(chosen.stand_in)
    if chosen.serve:
        serve(module, chosen)
        raise SystemExit
    nets = (chosen.nets or ("small" if chosen.stand_in else "mnist,tfd-limits,cifar10,cifar10-conv")).split(",")
    if unknown := set(nets) - {*bench_step.NETS, "cifar10-conv"}:
        print(f"bench_gpu.py: error: --nets must be of {', '.join(bench_step.NETS)}, cifar10-conv, got "
              f"{', '.join(sorted(unknown))}", file=sys.stderr)
        raise SystemExit(2)
    found = {"equality": equality(module, nets, chosen.batch, parzen_data(chosen.stand_in)),
             "times": measure(chosen, nets), "machine": machine(module, chosen.stand_in)}
    if chosen.json:
        print(json.dumps(found))
    else:
        report(found)
    raise SystemExit(any(row["difference"] > row["bound"] for row in found["equality"].values()))
