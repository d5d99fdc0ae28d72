"""What a gradient check examines: a layer, net or cost as one function C of several arrays, with bprop's gradients."""
import inspect

import numpy as np

from npgan import backend
from npgan.backend import RandomStream, xp
from npgan.layer import Layer
from npgan.mlp import MLP

ROUNDINGS = 32                          # units of rounding error by which a difference of two values of C may be off
KINDS = "an object with fprop, bprop, params and grads, or (cost, grad), or an AdversaryPair"


class Subject:
    """
    The function C = sum(R * h) of a thing's inputs and parameters, and the gradients that its bprop computes.

    Parameters
    ----------
    thing : object with fprop, bprop, params and grads
    inputs : dict of arrays by name
        What fprop takes.
    seed : int
        Of R and of all later draws.

    Attributes
    ----------
    arrays, names : parallel lists
        Copies of the inputs, then the parameters themselves; changing one in place changes C.
    h, R : arrays of the output's shape
        The output, and its random weights, dC/dh.  R is 1 if the output is a number.
    eps, noise : float
        The relative rounding error of the coarsest array, and the bound on the rounding error of a difference of C:
        32 eps ||R * h||, or 16 times `measured_rounding` if that is larger.
    faults : dict of str
        What the passes did that they must not do, besides wrong gradients.
    draws : RandomStream
    """

    def __init__(self, thing, inputs, seed):
        check_thing(thing)
        self.thing, self.fprop = thing, getattr(thing, "dropout_fprop", thing.fprop)
        self.inputs, self.params = [checked_input(name, x) for name, x in inputs.items()], list(thing.params)
        self.arrays = self.inputs + self.params
        self.faults, self.draws = {}, RandomStream(seed)
        self.find_names_and_streams(inputs)
        self.forward([other_than(x) for x in self.inputs])      # a cache that is filled only once now holds these
        self.h = self.forward().copy()
        if not xp.isfinite(self.h).all():
            raise ValueError(f"the output of {thing!r} is NaN or infinite, which has no slope; take other inputs or "
                             "parameters")
        if not same(self.h, self.forward()):
            raise ValueError(f"two forward passes of {thing!r} on one input differ: all that it draws must come from "
                             "a RandomStream that is one of its attributes")
        self.R = self.draws.normal(self.h.shape).astype(self.h.dtype) if self.h.ndim else xp.ones_like(self.h)
        self.eps = max(float(np.finfo(str(a.dtype)).eps) for a in [self.h, *self.arrays])
        self.noise = max(ROUNDINGS * self.eps * norm(self.R * self.h), 16 * self.measured_rounding())

    def find_names_and_streams(self, inputs):
        """Name each array after the attribute that holds it, and record where each random stream stands."""
        names, self.streams = {}, {}
        for prefix, part in parts_of(self.thing):
            for key, value in vars(part).items():
                names[id(value)] = prefix + key
                stream = value.bit_generator if isinstance(value, np.random.Generator) else value
                if isinstance(stream, (RandomStream, np.random.BitGenerator)):
                    self.streams[id(value)] = stream, stream.state
        self.names = [*inputs, *(names.get(id(p), f"params[{i}]") for i, p in enumerate(self.params))]

    def replay(self):
        """Put the random streams back to where they stood, so that each forward pass draws the same masks."""
        for stream, state in self.streams.values():
            stream.state = state

    def forward(self, inputs=None):
        """Return the output for `inputs`, by default copies of the subject's own."""
        self.replay()
        if inputs is None:
            inputs = [x.copy() for x in self.inputs]
        return xp.asarray(self.fprop(*inputs))

    def measured_rounding(self):
        """
        Return the median third difference of R * h at 10 points, about eps^.54 apart, of a random line near the arrays.

        Where C is smooth its own third difference is of order eps^1.6: the rounding errors remain, those of large
        numbers that cancel in h included.  A kink on the line falls into 3 of the 7 differences at most.  Each
        entry moves by multiples of a power of 2, so the points themselves are hardly rounded.
        """
        kept, lines = [a.copy() for a in self.arrays], []
        for a in kept:
            step = 2. ** round(np.log2(self.eps) * .54 + np.log2(max(1., float(abs(a).max()))))
            start = a + self.eps ** (1/3) * self.draws.normal(a.shape).astype(a.dtype)
            lines.append((start, step * (2. * self.draws.mask(.5, a.shape) - 1)))
        values = []
        for k in range(10):
            for a, (start, step) in zip(self.arrays, lines):
                a[...] = start + k * step
            values.append(self.forward().copy())
        for a, here in zip(self.arrays, kept):
            a[...] = here
        fours = zip(values, values[1:], values[2:], values[3:])
        return float(np.median([norm(self.R * (d - a - 3 * (c - b))) for a, b, c, d in fours]))

    def backward(self, dh):
        """Return copies of bprop's gradients for `dh`, parallel to `arrays`, with None for those that are missing."""
        self.forward([other_than(x) for x in self.inputs])
        inputs, given = [x.copy() for x in self.inputs], dh.copy()
        params, views = [p.copy() for p in self.params], self.gradient_views()
        self.forward(inputs)
        self.record_changes("fprop", inputs, params, given, dh)
        dx = self.thing.bprop(given)
        self.record_changes("bprop", inputs, params, given, dh)
        if any(now is not before for now, before in zip(self.gradient_views(), views)):
            self.faults["views"] = ("bprop replaces a gradient by a new array, which a net's learning rule never sees: "
                                    "write into the array, by out= or [...] =")
        for p, before in zip(self.params, params):
            p[...] = before
        dx = list(dx) if isinstance(dx, (list, tuple)) else [dx]
        grads = list(getattr(self.thing, "grads", []))
        claimed = fill(dx, len(self.inputs)) + fill(grads, len(self.params))
        return [None if g is None else g.copy() for g in claimed]

    def gradient_views(self):
        """Return the arrays that a `Layer` keeps its gradients in; an object of another class may make new ones."""
        return list(self.thing.grads) if isinstance(self.thing, Layer) else []

    def record_changes(self, method, inputs, params, given, dh):
        """
        Record a fault if a `method` has changed its input, the parameters or its argument dh.

        `inputs` and `given` are what it received; `params` and `dh` are copies of the parameters and of `given`.
        """
        for name, now, before in (("its input", inputs, self.inputs), ("the parameters", self.params, params),
                                  ("its argument dh", [given], [dh])):
            if not all(map(same, now, before)):
                self.faults.setdefault(name, f"{method} changes {name}")

    def check_options(self, gradients):
        """Record a fault for each form of arguments of `Layer.bprop` that does not give the `gradients` of bprop(R)."""
        layer = self.thing
        try:
            inspect.signature(layer.bprop).bind(self.R, params=False, inputs=False)
        except TypeError:
            self.faults["options"] = "bprop does not take the arguments params and inputs of Layer.bprop"
            return
        dx, *grads = gradients
        half = slice(len(dx) // 2, None)
        for params, inputs, rows in ((False, True, slice(None)), (True, False, None), (True, half, half),
                                     (False, half, half), (False, False, None)):
            self.forward()
            marks = [xp.full_like(g, 7) for g in grads]
            for g, mark in zip(layer.grads, marks):
                g[...] = mark
            found = layer.bprop(self.R.copy(), params=params, inputs=inputs)
            expected = grads if params else marks
            form = f"bprop(dh, params={params}, inputs={'a slice' if inputs is half else inputs})"
            if not all(map(self.close, layer.grads, expected)):
                self.faults[form] = f"{form} {'computes other gradients than bprop(dh)' if params else 'changes grads'}"
            elif inputs and (found is None or not self.close(found[rows], dx[rows])):
                self.faults[form] = f"{form} returns another gradient of the input than bprop(dh)"

    def close(self, a, b):
        """Return whether the gradients `a` and `b` are equal except for rounding."""
        return a.shape == b.shape and float(abs(a - b).max()) <= self.eps ** .5 * float(abs(b).max())


def check_thing(thing):
    """Raise TypeError unless a `thing` has fprop and bprop, and a list of arrays as params."""
    missing = [name for name in ("fprop", "bprop", "params") if not hasattr(thing, name)]
    if missing:
        raise TypeError(f"check takes {KINDS}; {thing!r} has no {', no '.join(missing)}")
    if not isinstance(thing.params, (list, tuple)):
        raise TypeError(f"params must be a list of arrays, parallel to grads, got a {type(thing.params).__name__}")
    for i, p in enumerate(thing.params):
        if not backend.is_array(p) or p.dtype.kind != "f":
            raise TypeError(f"params[{i}] must be an array of floats, got {getattr(p, 'dtype', repr(p))}")


def checked_input(name, x):
    """Return a copy of the input `x` as an array; raise ValueError, with its `name`, unless it has finite numbers."""
    x = backend.asarray(x, backend.precision_of(x), name=name)
    if not x.size or not xp.isfinite(x).all():
        found = "NaN or infinity" if x.size else f"shape {x.shape}"
        raise ValueError(f"{name} must have numbers, all of them finite, got {found}")
    return x.copy()


def other_than(x):
    """Return an input like `x` with other numbers: its rows in another order, or a single row times .9."""
    return xp.concatenate([x[1:], x[:1]]) if x.ndim and len(x) > 1 else .9 * x


def norm(a):
    """Return the root of the sum of squares of `a`."""
    return float(xp.sqrt(xp.square(a).sum()))


def same(a, b):
    """Return whether the arrays `a` and `b` are equal in each entry."""
    return bool((a == b).all())


def fill(gradients, count):
    """Return the first `count` of `gradients`, with None in place of those that are missing."""
    return (gradients + [None] * count)[:count]


def parts_of(thing):
    """Yield `thing` and each object with an fprop in it, after the prefix of its arrays' names: "h1." in an MLP."""
    seen, found = set(), [("", thing)]
    while found:
        prefix, part = found.pop(0)
        if id(part) in seen or not hasattr(part, "__dict__"):
            continue
        seen.add(id(part))
        yield prefix, part
        layer_names = dict(zip(part.with_params, part.layer_names)) if isinstance(part, MLP) else {}
        for key, value in vars(part).items():
            if isinstance(value, (list, tuple)):
                named = [(layer_names.get(i, f"{key}{i}"), item) for i, item in enumerate(value)]
            else:
                named = [(key, value)]
            found += [(f"{prefix}{name}.", item) for name, item in named if hasattr(item, "fprop")]
