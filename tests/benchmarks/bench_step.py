"""
How long one update takes, beside its matrix products alone and beside other libraries.

For the simultaneous step and for Algorithm 1's (k = 1), with momentum inside the products (``fused=True``) and with
written gradients, the default.  The floor is the products of that very step, recorded from it
and run again by ``numpy.matmul`` on arrays of the same shapes, orders and number.  PyTorch (eager) and JAX (jit) do the
same mathematics where they are installed: same nets, noise, masks, losses and momentum.

    python tests/benchmarks/bench_step.py [--nets mnist|tfd|tfd-limits] [--batch 100] [--rounds 7] [--json]
"""
import collections
import json
import statistics
import time

import measuring
import numpy as np

from npgan import backend
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps, SimultaneousSteps
from npgan.backend import RandomStream
from npgan.kernels import blas
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP

NETS = {                            # noise, G's two layers, x, D's units in each of two layers, norm limits
    "mnist": (100, 1200, 1200, 784, 240, None),
    "tfd": (100, 8000, 8000, 2304, 1200, None),
    "tfd-limits": (100, 8000, 8000, 2304, 1200, 1.9365),
    "cifar10": (100, 8000, 8000, 3072, 1600, None),     # of the dense nets' sizes
}
STEPS = {"simultaneous": SimultaneousSteps, "Algorithm 1": SeparateSteps}
RATE, MOMENTUM = .1, .5
FLOOR, FUSED, WRITTEN = "its products", "npgan, fused", "npgan, gradients written"


def game(nets, step, rng=None, fused=True):
    """A training step of fresh nets, all of whose numbers `rng` draws."""
    nvis, h0, h1, dim, units, limit = NETS[nets]
    rng, limits = rng or RandomStream(2014), {"max_col_norm": limit}
    G = Generator(MLP([RectifiedLinear(nvis, h0, .05, rng, **limits), RectifiedLinear(h0, h1, .05, rng, **limits),
                       Sigmoid(h1, dim, .05, rng, **limits)]), rng=rng)
    D = MLP([Dropout(.8, rng=rng), Maxout(dim, units, 5, .005, rng, **limits),
             Dropout(.5, rng=rng), Maxout(units, units, 5, .005, rng, **limits),
             Dropout(.5, rng=rng), Linear(units, 1, .005, rng, **limits)])
    return STEPS[step](AdversaryPair(G, D), Momentum(RATE, MOMENTUM, fused), Momentum(RATE, MOMENTUM, fused))


def data(nets, batch):
    return RandomStream(5).uniform(0, 1, (batch, NETS[nets][3]))


def products(step, x):
    """The pairs of matrices that one `step` on `x` multiplies, in its order."""
    found = []

    class Recording:
        def __getattr__(self, name):
            return getattr(np, name)

        def matmul(self, a, b, out=None):
            found.append((a, b))
            return np.matmul(a, b, out=out)

    def add_product(out, beta, alpha, a, b):
        found.append((a, b))
        out *= beta
        out += alpha * np.matmul(a, b)

    kept, blas.add_product, backend.xp.module = blas.add_product, add_product, Recording()
    try:
        step(x, 1)
    finally:
        blas.add_product, backend.xp.module = kept, np
    return found


def alone(pairs):
    """A function that multiplies them, each into an array of its own, those of one W from one W."""
    copies = {}
    for matrix in (matrix for pair in pairs for matrix in pair):
        copies.setdefault(place(matrix), matrix.copy(order="K"))
    runs = [(copies[place(a)], copies[place(b)], np.empty((a.shape[0], b.shape[1]), a.dtype)) for a, b in pairs]
    return lambda: [np.matmul(a, b, out=out) for a, b, out in runs]


def place(matrix):
    return matrix.__array_interface__["data"][0], matrix.shape, matrix.strides


def told(pairs):
    """The products as text, and their floating-point operations."""
    names = [f"{name(a)} {name(b)}" for a, b in pairs]
    return names, sum(2 * a.size * b.shape[1] for a, b in pairs) / 1e9


def name(matrix):
    shape = matrix.shape if matrix.flags.c_contiguous else matrix.shape[::-1]
    return "({} x {}){}".format(*shape, "" if matrix.flags.c_contiguous else "^T")


def profile(run, updates):
    """Milliseconds of an update, by the function that spent them itself and not in those below it."""
    spent, below = collections.Counter(), [0.]

    def timed(name, function):
        def call(*arguments, **more):
            below.append(0.)
            start = time.perf_counter()
            result = function(*arguments, **more)
            seconds = time.perf_counter() - start
            spent[name] += seconds - below.pop()
            below[-1] += seconds
            return result
        return call

    class Timing:
        def __getattr__(self, name):
            return getattr(np, name)

        matmul = staticmethod(timed("products that overwrite, matmul", np.matmul))

    patches = [(blas, "add_product", "products that add, gemm"), (blas, "add", "theta <- theta + v"),
               (RandomStream, "mask", "drawing masks"), (RandomStream, "uniform", "drawing noise")]
    layers = Linear, RectifiedLinear, Sigmoid, Maxout, Dropout
    patches += [(layer, name, f"{layer.__name__}.{name}") for layer in layers
                for name in ("fprop", "dropout_fprop", "bprop") if name in vars(layer)]
    kept = [(owner, attribute, vars(owner)[attribute]) for owner, attribute, _ in patches]
    for (owner, attribute, name), (_, _, function) in zip(patches, kept):
        setattr(owner, attribute, timed(name, function))
    backend.xp.module = Timing()
    blas.xp = type("NumPy", (), {"module": np})                 # which `blas` would else not take for NumPy
    try:
        run()
        spent.clear()
        for _ in range(updates):
            timed("the rest", run)()
    finally:
        backend.xp.module, blas.xp = np, backend.xp
        for owner, attribute, function in kept:
            setattr(owner, attribute, function)
    return {name: 1e3 * seconds / updates for name, seconds in spent.most_common()}


# PyTorch

def by_torch(nets, step, batch, threads):
    """The same step in eager PyTorch."""
    import torch
    from torch.nn.functional import dropout, softplus

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    nvis, h0, h1, dim, units, limit = NETS[nets]

    def parameters(*sizes):
        return [torch.empty(shape).uniform_(-.05, .05).requires_grad_() for n, m in sizes for shape in ((n, m), (m,))]

    theta_G, theta_D = parameters((nvis, h0), (h0, h1), (h1, dim)), parameters((dim, 5 * units), (units, 5 * units),
                                                                              (units, 1))
    rules = [torch.optim.SGD(theta, lr=RATE, momentum=MOMENTUM) for theta in (theta_G, theta_D)]

    def G(z):
        W0, b0, W1, b1, W2, b2 = theta_G
        return torch.sigmoid(torch.addmm(b2, torch.addmm(b1, torch.addmm(b0, z, W0).relu(), W1).relu(), W2))

    def D(x):
        W0, b0, W1, b1, W2, b2 = theta_D
        h = torch.addmm(b0, dropout(x, .2), W0).view(len(x), 5, -1).amax(1)
        h = torch.addmm(b1, dropout(h, .5), W1).view(len(x), 5, -1).amax(1)
        return torch.addmm(b2, dropout(h, .5), W2)

    def noise():
        return torch.empty(batch, nvis).uniform_(-3 ** .5, 3 ** .5)

    def move(rule, theta, gradients):
        for parameter, gradient in zip(theta, gradients):
            parameter.grad = gradient
        rule.step()
        if limit:
            with torch.no_grad():
                for W in theta[::2]:
                    norm = W.norm(dim=0)
                    W *= norm.clamp(max=limit) / (1e-7 + norm)

    x = torch.rand(batch, dim)

    def simultaneous():
        a = D(torch.cat([x, G(noise())]))
        cost_D = (softplus(-a[:batch]).mean() + softplus(a[batch:]).mean()) / 2
        gradients_D = torch.autograd.grad(cost_D, theta_D, retain_graph=True)
        gradients_G = torch.autograd.grad(softplus(-a[batch:]).mean(), theta_G)
        move(rules[1], theta_D, gradients_D)
        move(rules[0], theta_G, gradients_G)

    def algorithm_1():
        with torch.no_grad():
            samples = G(noise())
        a = D(torch.cat([x, samples]))
        move(rules[1], theta_D,
             torch.autograd.grad(softplus(-a[:batch]).mean() + softplus(a[batch:]).mean(), theta_D))
        move(rules[0], theta_G, torch.autograd.grad(softplus(-D(G(noise()))).mean(), theta_G))

    return {"simultaneous": simultaneous, "Algorithm 1": algorithm_1}[step]


# JAX

def by_jax(nets, step, batch):
    """The same step in JAX, compiled as a whole, its parameters and velocities given up to the call."""
    import jax
    import jax.numpy as jnp
    from jax.nn import relu, sigmoid, softplus

    nvis, h0, h1, dim, units, limit = NETS[nets]
    keys = iter(jax.random.split(jax.random.PRNGKey(0), 20))

    def parameters(*sizes):
        return [jax.random.uniform(next(keys), shape, minval=-.05, maxval=.05)
                for n, m in sizes for shape in ((n, m), (m,))]

    def G(theta, z):
        W0, b0, W1, b1, W2, b2 = theta
        return sigmoid(relu(relu(z @ W0 + b0) @ W1 + b1) @ W2 + b2)

    def dropped(key, h, include_prob):
        return jnp.where(jax.random.bernoulli(key, include_prob, h.shape), h / include_prob, 0)

    def D(theta, x, key):
        W0, b0, W1, b1, W2, b2 = theta
        keys = jax.random.split(key, 3)
        h = (dropped(keys[0], x, .8) @ W0 + b0).reshape(len(x), 5, -1).max(1)
        h = (dropped(keys[1], h, .5) @ W1 + b1).reshape(len(x), 5, -1).max(1)
        return dropped(keys[2], h, .5) @ W2 + b2

    def noise(key):
        return jax.random.uniform(key, (batch, nvis), minval=-3 ** .5, maxval=3 ** .5)

    def move(theta, velocity, gradients):
        velocity = [MOMENTUM * v - RATE * g for v, g in zip(velocity, gradients)]
        theta = [p + v for p, v in zip(theta, velocity)]
        if limit:
            norms = [jnp.linalg.norm(W, axis=0) for W in theta[::2]]
            theta[::2] = [W * jnp.minimum(norm, limit) / (1e-7 + norm) for W, norm in zip(theta[::2], norms)]
        return theta, velocity

    def simultaneous(theta_G, v_G, theta_D, v_D, x, key):
        keys = jax.random.split(key, 2)
        z = noise(keys[0])

        def logits(theta_G, theta_D):
            return D(theta_D, jnp.concatenate([x, G(theta_G, z)]), keys[1])

        a, back = jax.vjp(logits, theta_G, theta_D)
        cost_D = jax.grad(lambda a: (softplus(-a[:batch]).mean() + softplus(a[batch:]).mean()) / 2)(a)
        cost_G = jax.grad(lambda a: softplus(-a[batch:]).mean())(a)
        theta_D, v_D = move(theta_D, v_D, back(cost_D)[1])
        return *move(theta_G, v_G, back(cost_G)[0]), theta_D, v_D

    def algorithm_1(theta_G, v_G, theta_D, v_D, x, key):
        keys = jax.random.split(key, 4)
        samples = G(theta_G, noise(keys[0]))

        def cost_D(theta_D):
            a = D(theta_D, jnp.concatenate([x, samples]), keys[1])
            return softplus(-a[:batch]).mean() + softplus(a[batch:]).mean()

        theta_D, v_D = move(theta_D, v_D, jax.grad(cost_D)(theta_D))
        gradients = jax.grad(lambda theta_G: softplus(-D(theta_D, G(theta_G, noise(keys[2])), keys[3])).mean())(theta_G)
        return *move(theta_G, v_G, gradients), theta_D, v_D

    update = jax.jit({"simultaneous": simultaneous, "Algorithm 1": algorithm_1}[step], donate_argnums=(0, 1, 2, 3))
    theta_G, theta_D = parameters((nvis, h0), (h0, h1), (h1, dim)), parameters((dim, 5 * units), (units, 5 * units),
                                                                              (units, 1))
    x = jax.random.uniform(next(keys), (batch, dim))
    state = [theta_G, [0 * p for p in theta_G], theta_D, [0 * p for p in theta_D]]
    count = [0]

    def run():
        count[0] += 1
        state[:] = jax.block_until_ready(update(*state, x, jax.random.PRNGKey(count[0])))

    return run


def way(chosen):
    """The function that the child named ``step: who`` runs."""
    step, who = chosen.serve.split(": ")
    if who == "PyTorch, eager":
        return by_torch(chosen.nets, step, chosen.batch, chosen.threads)
    if who == "JAX, jit":
        return by_jax(chosen.nets, step, chosen.batch)
    run, x = game(chosen.nets, step, fused=who != WRITTEN), data(chosen.nets, chosen.batch)
    run(x, 1)                                                       # the velocities are there from now on
    return alone(products(run, x)) if who == FLOOR else lambda: run(x, 1)


if __name__ == "__main__":
    chosen = measuring.options(__doc__, nets="mnist", batch=100, repeat=15)
    if chosen.serve and "profile" in chosen.serve:
        measuring.answer(lambda: profile(way(chosen), 13 * chosen.repeat))
    elif chosen.serve:
        measuring.serve(way(chosen), chosen.repeat)
    if chosen.serve:
        raise SystemExit
    peers = [who for who, module in (("PyTorch, eager", "torch"), ("JAX, jit", "jax")) if measuring.optional(module)]
    found = {"nets": chosen.nets, "batch": chosen.batch, "rounds": chosen.rounds, "steps": {}}
    for step in STEPS:
        ways = [f"{step}: {who}" for who in (FUSED, FLOOR, WRITTEN, *peers)]
        times = measuring.summary(measuring.in_turns(ways, chosen), ways[1])
        names, gflop = told(products(game(chosen.nets, step), data(chosen.nets, chosen.batch)))
        profiles = measuring.in_turns([f"{step}: profile"], chosen)[f"{step}: profile"]
        spent = {name: statistics.median(of.get(name, 0) for of in profiles) for name in profiles[0]}
        found["steps"][step] = {"times": times, "products": names, "GFLOP": gflop, "profile": spent}
    found["machine"] = measuring.machine(chosen.threads)
    if chosen.json:
        print(json.dumps(found))
        raise SystemExit
    print(f"{chosen.nets} nets, batch {chosen.batch}, {chosen.rounds} rounds of {chosen.repeat} updates\n")
    for step, of in found["steps"].items():
        print(f"{step}: {len(of['products'])} products, {of['GFLOP']:.2f} GFLOP:\n  " + "\n  ".join(of["products"]))
        print()
        measuring.table(of["times"], FLOOR)
        print("\nwhere npgan's milliseconds go:\n  " + "\n  ".join(
            f"{name:34}{spent:8.2f}" for name, spent in of["profile"].items()) + "\n")
    print(", ".join(f"{name} {value}" for name, value in found["machine"].items()))
