"""
Does bprop compute the derivative of fprop?  Central differences answer, for layers, nets, costs and the whole game.

    report = check(layer, X)
    print(report)                       # a row for each array, then a sentence
    assert report.ok
"""
import warnings

import numpy as np

from npgan import backend
from npgan.adversarial import AdversaryPair
from npgan.backend import RandomStream, xp
from npgan.costs import NonSaturating, cross_entropy, cross_entropy_grad
from npgan.gradient_check.report import Report, Row
from npgan.layer import Layer
from npgan.mlp import MLP

STEPS = 6/18, 7/18, 8/18, 9/18          # the steps, as powers of eps
ROUNDINGS = 32                          # of C, by which a difference of two of its values may be off
DIRECTIONS = 8                          # in which a large array is moved as a whole
NEIGHBOURS = 200                        # points near a kink that are asked for their slopes, at most


def check(thing, *inputs, tolerance=None, max_entries=100, seed=2014):
    """
    Compare the gradients that `thing` computes, of each input and parameter, with numeric slopes.

    The cost is C = sum(R * h), R random of the output's shape, so that dC/dh = R; an output that is a number is its own
    cost.  Each entry w is moved by +-t, t = eps^(1/3) max(1, |w|), where the errors of a central difference, of order
    t^2 by truncation and eps/t by rounding, balance.  Its slope n agrees with the analytic a if

        |a - n| / max(|a|, |n|, floor) <= tolerance,     floor = noise / tolerance,     noise = 32 eps sum|R * h| / t

    where noise bounds the rounding error of n: a slope above the floor is held to `tolerance`, a lesser one to noise.

    The slopes to the right and to the left of w, extrapolated to 0 from t and 2t, agree with n to order t^2 unless C
    has a kink within 2t.  Where they do not, t shrinks, down to eps^(1/2).  If they never do, w sits on a kink, and n
    is the slope nearest to a between the two (each output's by itself) or, as several kinks may meet, between those at
    random points nearby, to .001: Clarke's generalised gradient, sampled.  As a has no part in finding the kinks, none
    excuses a fault where C is smooth.

    Parameters
    ----------
    thing : object with fprop, bprop, params and grads; (cost, grad) or object with these; or AdversaryPair
        A layer, a net or anybody's class, in its training form, ``dropout_fprop``, if it has one.  A cost and its
        gradient as functions of an array and of others, held fixed.  A pair: G's loss -log D(G(z)) by z and theta_g,
        then C = -V by x and theta_d, the samples held fixed.
    *inputs : arrays
        What fprop or cost takes; x (m, d) and z (m, nvis) for a pair.
    tolerance : float, optional
        1e-6; in float32, with a warning, 1e-2, which finds gross faults only.
    max_entries : int
        Of a larger array so many entries, drawn at random, are moved, and all at once in 8 random directions of norm 1.
    seed : int
        Of R and all other draws.

    Returns
    -------
    Report
        Inputs, parameters and random streams are as before, to the bit; `grads` are overwritten.

    Raises
    ------
    TypeError, ValueError
        If `thing` or an input is of another kind, or two forward passes on one input differ.

    Notes
    -----
    Every forward pass draws the same masks: each `RandomStream` or NumPy Generator that is an attribute of `thing`, or
    of an object with an fprop within it, is put back before.  It is a fault, too, if a pass changes its argument or the
    parameters, if bprop adds to `grads`, or if a gradient is missing or of another shape than its array.
    """
    subjects = [_Subject(part, arrays, seed) for part, arrays in _cases(thing, inputs)]
    double = all(subject.eps < 1e-12 for subject in subjects)
    if not double:
        warnings.warn("these gradients are float32, in which only gross faults show: build in double precision, "
                      'after npgan.backend.use(floatX="float64")', stacklevel=2)
    tolerance = tolerance or (1e-6 if double else 1e-2)
    rows = [row for subject in subjects for row in subject.rows(tolerance, max_entries)]
    return Report(rows, [fault for subject in subjects for fault in subject.faults.values()], tolerance)


class _Subject:
    """A thing and its inputs: C as a function of their arrays, moved in place, and the gradients that bprop claims."""

    def __init__(self, thing, inputs, seed):
        missing = [name for name in ("fprop", "bprop", "params") if not hasattr(thing, name)]
        if missing:
            raise TypeError("check takes an object with fprop, bprop, params and grads, or (cost, grad), or an "
                            f"AdversaryPair; {thing!r} has no {', no '.join(missing)}")
        inputs = {name: backend.asarray(x, backend.precision_of(x), name=name) for name, x in inputs.items()}
        for name, x in inputs.items():
            if not x.size or not xp.isfinite(x).all():
                raise ValueError(f"{name} must have numbers, all of them finite, got "
                                 f"{'NaN or infinity' if x.size else f'shape {x.shape}'}")
        self.thing, self.fprop = thing, getattr(thing, "dropout_fprop", thing.fprop)
        self.inputs, self.params = [x.copy() for x in inputs.values()], list(thing.params)
        self.faults, self.streams, self.draws, names = {}, {}, RandomStream(seed), {}
        for prefix, part in _parts(thing):
            for key, value in vars(part).items():
                names[id(value)] = prefix + key
                stream = value.bit_generator if isinstance(value, np.random.Generator) else value
                if isinstance(stream, (RandomStream, np.random.BitGenerator)):
                    self.streams[id(value)] = stream, stream.state
        self.names = [*inputs, *(names.get(id(p), f"params[{i}]") for i, p in enumerate(self.params))]
        self.h = self.forward().copy()
        if not xp.isfinite(self.h).all():
            raise ValueError(f"the output of {thing!r} is NaN or infinite, which has no slope; take other inputs or "
                             "parameters")
        if not _same(self.h, self.forward()):
            raise ValueError(f"two forward passes of {thing!r} on one input differ: what it draws must come from a "
                             "RandomStream that is one of its attributes")
        self.R = self.draws.normal(self.h.shape).astype(self.h.dtype) if self.h.ndim else xp.ones_like(self.h)
        self.eps = max(float(np.finfo(str(a.dtype)).eps) for a in [self.h, *self.inputs, *self.params])
        self.noise = ROUNDINGS * self.eps * float(abs(self.R * self.h).sum())

    def replay(self):
        for stream, state in self.streams.values():
            stream.state = state

    def forward(self, inputs=None):
        """The output for the inputs, or for the copies of them that are given, with the same masks every time."""
        self.replay()
        return xp.asarray(self.fprop(*(inputs or [x.copy() for x in self.inputs])))

    def backward(self, dh):
        """The gradients that bprop claims for `dh`, of inputs and parameters; notes what the passes change besides."""
        inputs, params, given = [x.copy() for x in self.inputs], [p.copy() for p in self.params], dh.copy()
        views = list(self.thing.grads) if isinstance(self.thing, Layer) else []
        for who, run in (("fprop", lambda: self.forward(inputs)), ("bprop", lambda: self.thing.bprop(given))):
            dx = run()
            for what, now, before in (("its input", inputs, self.inputs), ("the parameters", self.params, params),
                                      ("its argument dh", [given], [dh])):
                if not all(map(_same, now, before)):
                    self.faults.setdefault(what, f"{who} changes {what}")
        if any(now is not before for now, before in zip(getattr(self.thing, "grads", []), views)):
            self.faults.setdefault("views", "bprop puts a new array in the place of a gradient's, which a net's "
                                            "learning rule never sees: write into it, by out= or [...] =")
        for p, before in zip(self.params, params):
            p[...] = before
        dx, grads = dx if isinstance(dx, (list, tuple)) else [dx], getattr(self.thing, "grads", [])
        claimed = [[*some, *[None] * len(arrays)][:len(arrays)] for some, arrays in ((dx, inputs), (grads, params))]
        return [None if g is None else g.copy() for some in claimed for g in some]

    def rows(self, tolerance, max_entries):
        """A `Row` for each array."""
        answers = map(self.backward, (self.R, self.R, 2 * self.R))
        for name, array, g, again, twice in zip(self.names, self.inputs + self.params, *answers):
            shape = getattr(g, "shape", None)
            if shape != array.shape:
                fault = "no gradient" if g is None else f"a gradient of shape {shape} for an array of {array.shape}"
                yield Row(name, array.shape, tolerance, fault)
                continue
            if float(abs(again - g).max()) > self.eps ** .5 * float(abs(g).max()):
                self.faults["grads"] = "bprop adds to the gradients, which it should overwrite"
                g, twice = again - g, twice - again
            size = float(abs(g).max())
            growth = float(abs(twice).max()) / size if size and self.h.ndim else 2.
            found = [(label, *self.compare(array, g, index, v, tolerance))
                     for label, index, v in self.moves(array, max_entries)]
            yield Row(name, array.shape, tolerance, "", growth, found)
        self.replay()

    def moves(self, array, max_entries):
        """How to move an array: a name, which entries, in which direction."""
        chosen = range(array.size)
        if array.size > max_entries:
            chosen = self.draws.permutation(array.size)[:max_entries]
            for k in range(DIRECTIONS):
                signs = 2 * self.draws.mask(.5, array.shape).astype(array.dtype) - 1
                yield f"direction {k}", ..., signs / array.size ** .5
        for i in chosen:
            index = tuple(int(j) for j in np.unravel_index(i, array.shape))
            yield index, index, 1.

    def compare(self, array, g, index, v, tolerance):
        """The slope along `v`: the analytic one, the least and the greatest numeric one, noise, whether on a kink."""
        analytic, scale = float((g[index] * v).sum()), max(1., float(abs(array[index]).max()))
        for power in STEPS:
            t = self.eps ** power * scale
            left2, left, right, right2 = (self.secant(array, index, v, step) for step in (-2 * t, -t, t, 2 * t))
            ends = 2 * left - left2, 2 * right - right2
            (low, high), slope, noise = _span(*ends), float((left + right).sum()) / 2, self.noise / t
            if max(high - slope, slope - low) <= max(tolerance * abs(slope), noise) / 4:
                return analytic, slope, slope, noise, False
        if not low - noise <= analytic <= high + noise:
            low, high = self.nearby(array, index, v, t, ends, analytic)
        return analytic, low, high, noise, True

    def secant(self, array, index, v, t):
        """R * (h(w + t v) - h(w)) / t: as the difference comes before the sum, what does not move makes no noise."""
        kept = array[index].copy()
        array[index] = kept + t * v
        try:
            return self.R * ((self.forward() - self.h) / t)
        finally:
            array[index] = kept

    def nearby(self, array, index, v, t, ends, analytic):
        """The span of the slopes at `ends` and at random points near the kink, as soon as `analytic` is within it."""
        arrays = self.inputs + self.params
        kept = [a.copy() for a in arrays]
        for _ in range(NEIGHBOURS):
            for a, here in zip(arrays, kept):
                a[...] = here + self.eps ** STEPS[0] * self.draws.normal(a.shape).astype(a.dtype)
            slope = (self.secant(array, index, v, -t) + self.secant(array, index, v, t)) / 2
            ends = xp.minimum(*ends), xp.maximum(*ends)
            ends = xp.minimum(ends[0], slope), xp.maximum(ends[1], slope)
            low, high = _span(*ends)
            low, high = low - .001 * abs(low), high + .001 * abs(high)
            if low <= analytic <= high:
                break
        for a, here in zip(arrays, kept):
            a[...] = here
        return low, high


def _span(a, b):
    return float(xp.minimum(a, b).sum()), float(xp.maximum(a, b).sum())


def _same(a, b):
    return bool((a == b).all())


def _parts(thing):
    """`thing` and each object with an fprop in it, with what its arrays' names begin with: "h1." in an MLP."""
    seen, found = set(), [("", thing)]
    for prefix, part in found:                                              # which grows meanwhile
        if id(part) not in seen and hasattr(part, "__dict__"):
            seen.add(id(part))
            yield prefix, part
            names = dict(zip(part.with_params, part.layer_names)) if isinstance(part, MLP) else {}
            for key, value in vars(part).items():
                within = enumerate(value) if isinstance(value, (list, tuple)) else [("", value)]
                found += [(f"{prefix}{names.get(i, f'{key}{i}')}.", v) for i, v in within if hasattr(v, "fprop")]


def _cases(thing, inputs):
    """What to check of `thing`: objects with fprop and bprop, each with its inputs by name."""
    if isinstance(thing, AdversaryPair):
        if len(inputs) != 2:
            raise TypeError(f"an AdversaryPair is checked on x and z, got {len(inputs)} inputs")
        x, z = inputs
        return [(_GeneratorCost(thing), {"z": z}), (_DiscriminatorCost(thing, z), {"x": x})]
    if not hasattr(thing, "fprop") and hasattr(thing, "cost"):
        thing = thing.cost, thing.grad
    if isinstance(thing, tuple):
        thing, inputs = _Cost(*thing, inputs[1:]), inputs[:1]
    return [(thing, {f"input {i}": x for i, x in enumerate(inputs)})]


class _Cost:
    """A cost and its gradient as a layer whose output is C."""

    params = grads = ()

    def __init__(self, cost, grad, fixed):
        self.cost, self.grad, self.fixed = cost, grad, fixed

    def fprop(self, a):
        self.a = a
        return self.cost(a, *self.fixed)

    def bprop(self, dC):
        return self.grad(self.a, *self.fixed)


class _GeneratorCost:
    """-log D(G(z)) of z and theta_g, through D held fixed (Section 3)."""

    def __init__(self, pair):
        self.G, self.D, self.generator = pair.generator.mlp, pair.discriminator, pair.generator
        self.params, self.grads = self.G.params, self.G.grads

    def fprop(self, z):
        self.a = self.D.dropout_fprop(self.generator.fprop(z))
        return NonSaturating().cost(self.a)

    def bprop(self, dC):
        return self.generator.bprop(self.D.bprop(NonSaturating().grad(self.a), params=False))


class _DiscriminatorCost:
    """-V(D, G) of eq. 1, of x and theta_d, at samples held fixed."""

    def __init__(self, pair, z):
        self.D, self.samples = pair.discriminator, pair.generator.fprop(z)
        self.params, self.grads = self.D.params, self.D.grads

    def fprop(self, x):
        a = self.D.dropout_fprop(xp.concatenate([x, self.samples]))
        self.on_x, self.on_samples = a[:len(x)], a[len(x):]
        return cross_entropy(self.on_x, 1) + cross_entropy(self.on_samples, 0)

    def bprop(self, dC):
        da = xp.concatenate([cross_entropy_grad(self.on_x, 1), cross_entropy_grad(self.on_samples, 0)])
        return self.D.bprop(da)[:len(self.on_x)]
