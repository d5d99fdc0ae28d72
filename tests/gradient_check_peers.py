"""
The faults and right nets of `test_gradient_check` before npgan's checker, SciPy's check_grad and PyTorch's gradcheck.

Prints the page that is kept beside this file::

    python tests/gradient_check_peers.py > tests/gradient_check_peers.rst
"""
import platform
import time

import numpy as np
import scipy
import torch
from scipy.optimize import check_grad
from test_gradient_check import FAULTS, Rectifier, random_net

from npgan import backend, gradient_check
from npgan.backend import RandomStream
from npgan.gradient_check.cases import cases_of

NETS = 1000
BOUND = 1e-5                    # on check_grad's answer over the gradient's norm

PAGE = """\
Gradient checkers compared
==========================

Written by ``python tests/gradient_check_peers.py > tests/gradient_check_peers.rst`` with Python {python},
NumPy {numpy}, SciPy {scipy} and PyTorch {torch}, in double precision.

The peers are used as their documentation says, with their default steps and tolerances:

* ``scipy.optimize.check_grad(func, grad, x0)`` takes inputs and parameters end to end as x0.  It checks a function
  whose value is a number, so func is sum(R * h) of a random R, as in npgan's checker, and grad is bprop's answer
  for R.  It returns the norm of the difference and leaves the verdict to its reader: here "wrong" above {bound:g} of
  the gradient's norm.  Off kinks its answers for right gradients are below 4e-7 of that norm, and above .2 for those
  that it catches, so the bound may be anywhere between.
* ``torch.autograd.gradcheck`` compares the whole Jacobian of a ``torch.autograd.Function`` (eps 1e-6, atol 1e-5,
  rtol 1e-3) whose forward calls fprop and whose backward calls fprop and bprop, on the tensors' own memory.  It gives
  backward the rows of the identity for dh, whose squares are themselves.

Dropout's masks are replayed for all three.  A peer that raises an exception has caught the fault.

{faults}

False alarms, and milliseconds of processor time for a net: on {nets} nets drawn as in ``test_gradient_check``, by
whether they sit on a kink (ties, pre-activations of exactly 0) as npgan's checker finds, and on as many layers of
4 rectifiers, of which one is nearer than 1e-5 to its kink.

{alarms}
"""


class Plain:
    """A thing and its inputs as one function of arrays, for the peers."""

    def __init__(self, thing, *inputs):
        (self.thing, named), = cases_of(thing, inputs)
        self.arrays = [*named.values(), *self.thing.params]
        self.count, self.fprop = len(named), getattr(self.thing, "dropout_fprop", self.thing.fprop)
        self.streams = [layer.rng for layer in [thing, *getattr(thing, "layers", ())] if getattr(layer, "rng", None)]
        self.states = [stream.state for stream in self.streams]

    def forward(self, arrays):
        for p, array in zip(self.thing.params, arrays[self.count:]):
            p[...] = array
        for stream, state in zip(self.streams, self.states):
            stream.state = state
        return self.fprop(*arrays[:self.count])

    def backward(self, arrays, dh):
        self.forward(arrays)
        dx = self.thing.bprop(dh)
        return [dx, *self.thing.grads]


def npgan_says(thing, *inputs):
    return gradient_check.check(thing, *inputs).ok


def scipy_says(thing, *inputs):
    plain = Plain(thing, *inputs)
    ends = np.cumsum([a.size for a in plain.arrays])[:-1]
    x0 = np.concatenate([a.ravel() for a in plain.arrays])
    shape = np.shape(plain.forward(plain.arrays))
    R = np.random.default_rng(2014).normal(size=shape) if shape else np.ones(())

    def arrays(x):
        return [part.reshape(a.shape) for part, a in zip(np.split(x, ends), plain.arrays)]

    def func(x):
        return np.sum(R * plain.forward(arrays(x)))

    def grad(x):
        return np.concatenate([g.ravel() for g in plain.backward(arrays(x), R.copy())])

    error = check_grad(func, grad, x0.copy())
    return error <= BOUND * np.linalg.norm(grad(x0.copy()))


def torch_says(thing, *inputs):
    plain = Plain(thing, *inputs)

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.save_for_backward(*tensors)
            return torch.tensor(plain.forward([t.detach().numpy() for t in tensors]))

        @staticmethod
        def backward(ctx, dh):
            grads = plain.backward([t.detach().numpy() for t in ctx.saved_tensors], dh.numpy())
            return tuple(None if g is None else torch.tensor(g) for g in grads)

    tensors = [torch.tensor(a, requires_grad=True) for a in plain.arrays]
    return torch.autograd.gradcheck(Function.apply, tensors)


CHECKERS = {"npgan": npgan_says, "check_grad": scipy_says, "gradcheck": torch_says}


def finds_right(says, thing, *inputs):
    try:
        return bool(says(thing, *inputs))
    except Exception:
        return False


def net(seed):
    return random_net(np.random.default_rng(seed), RandomStream(seed))


def beside_a_kink(seed):
    """A layer of rectifiers and an input for which one pre-activation is nearer than 1e-5 to 0."""
    rng = RandomStream(seed)
    layer, X = Rectifier(rng), rng.normal((2, 4))
    layer.b[0] = rng.uniform(-1e-5, 1e-5, ()) - X[0] @ layer.W[:, 0]
    return layer, X


def table(head, *rows):
    """A simple table of reStructuredText."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    rule = "  ".join("=" * width for width in widths)
    head, *rows = ("  ".join(f"{cell!s:{width}}" for cell, width in zip(row, widths)).rstrip() for row in [head, *rows])
    return "\n".join([rule, head, rule, *rows, rule])


def main():
    backend.use(floatX="float64")
    faults = [[name, *("missed" if finds_right(says, *make(RandomStream(2014))) else "caught"
                       for says in CHECKERS.values())] for name, (make, _) in FAULTS.items()]
    total = ["all", *(f"{column.count('caught')} of {len(FAULTS)}" for column in list(zip(*faults))[1:])]

    on = [any(row.kink.any() for row in gradient_check.check(*net(seed)).rows) for seed in range(NETS)]
    kinds = {"off kinks": [(net, seed) for seed in range(NETS) if not on[seed]],
             "on a kink": [(net, seed) for seed in range(NETS) if on[seed]],
             "beside a kink": [(beside_a_kink, seed) for seed in range(NETS)]}
    alarms = []
    for kind, cases in kinds.items():
        alarms.append([kind, len(cases)])
        for says in CHECKERS.values():
            start = time.process_time()
            wrong = sum(not finds_right(says, *make(seed)) for make, seed in cases)
            alarms[-1] += [wrong, f"{1000 * (time.process_time() - start) / len(cases):.1f}"]
    units = [f"{name}{unit}" for name in CHECKERS for unit in ("", ", ms")]
    print(PAGE.format(python=platform.python_version(), numpy=np.__version__, scipy=scipy.__version__,
                      torch=torch.__version__, bound=BOUND, nets=NETS,
                      faults=table(["fault", *CHECKERS], *faults, total),
                      alarms=table(["right nets", "number", *units], *alarms)), end="")


if __name__ == "__main__":
    main()
