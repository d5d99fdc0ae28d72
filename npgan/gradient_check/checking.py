"""
Does bprop compute the derivative of fprop?  Central differences decide, for layers, nets, costs and the whole game.

    report = check(layer, X)
    print(report)                       # a row for each array, then a sentence
    assert report.ok
"""
import warnings

import numpy as np

from npgan.backend import xp
from npgan.gradient_check.cases import cases_of
from npgan.gradient_check.report import Comparison, Report, Row
from npgan.gradient_check.subject import ROUNDINGS, Subject
from npgan.layer import Layer

STEPS = 6/18, 7/18, 8/18, 9/18          # the steps, as powers of eps
DIRECTIONS = 8                          # random directions in which a large array is moved as a whole
NEIGHBOURS = 200                        # the number of points near a kink whose slopes are taken, at most


def check(thing, *inputs, tolerance=None, max_entries=100, seed=2014):
    """
    Compare the gradients that `thing` computes, of each input and parameter, with numeric slopes.

    The cost is C = sum(R * h), with R random of the output's shape, so that dC/dh = R; an output that is a number is
    its own cost.  Each entry w is moved by +-t, t = eps^(1/3) max(1, |w|), where the errors of a central difference, of
    order t^2 by truncation and eps/t by rounding, balance.  Its slope n agrees with the analytic a if

        |a - n| / max(|a|, |n|, floor) <= tolerance,     floor = noise / tolerance,     noise = 32 eps ||R * h|| / t

    where noise bounds the rounding error of n: a slope above the floor must agree to `tolerance`, a smaller one to
    noise.  If large numbers cancel in h, noise is larger: rounding errors are also measured, at points near w.

    The slopes to the right and to the left of w, extrapolated to 0 from t and 2t, agree with n to order t^2 unless C
    has a kink within 2t.  Where they do not agree, t shrinks, down to eps^(1/2).  If they never agree, there are two
    cases.  Their distance from n is about the same at the last two steps: w sits on a kink, and n is the slope nearest
    to a between the two (for each output separately) or, as several kinks may meet, between the slopes at random points
    nearby, to .001: Clarke's generalised gradient, sampled.  Or it still shrinks, as t^2, or grows: then C is smooth,
    and bends too strongly or is rounded too coarsely.  Such an entry is wrong if a is far from n, else undecided.

    An array with a kink is also moved as a whole along (1, ..., 1), where inputs that tie for a maximum keep their tie:
    if C is smooth there, its slope is compared, too.

    Parameters
    ----------
    thing : object with fprop, bprop, params and grads; (cost, grad) or object with these; or AdversaryPair
        A layer, a net or an object of any class; its training form, ``dropout_fprop``, is checked if it has one.  A
        cost and its gradient, functions of an array and of further arguments, which are held fixed.  A pair: G's loss
        -log D(G(z)) by z and theta_g, then C = -V by x and theta_d, with the samples held fixed.
    *inputs : arrays
        The arguments of fprop or cost; x (m, d) and z (m, nvis) for a pair.
    tolerance : float, optional
        1e-6; in float32, with a warning, 1e-2, which finds gross faults only.
    max_entries : int
        The number of entries, drawn at random, that are moved in a larger array.  The whole of it is moved as well, in
        8 random directions of norm 1.
    seed : int
        Of R and all other draws.

    Returns
    -------
    Report
        It is ok if no slope is wrong, none is undecided and at least one, not on a kink, is above the floor.
        Inputs, parameters and random streams are as before, to the bit; `grads` are overwritten.

    Raises
    ------
    TypeError, ValueError
        If `thing` or an input is of another kind, or two forward passes on one input differ.

    Notes
    -----
    Every forward pass draws the same masks: each `RandomStream` or NumPy Generator that is an attribute of `thing`, or
    of an object with an fprop within it, is first put back to where it stood.  Before each backward pass fprop is run
    on other inputs and then on the given ones, so that a bprop that reads an old cache is found.

    It is a fault, too, if a pass changes its argument or the parameters, if bprop adds to `grads`, if a gradient is
    missing or of another shape than its array, or if a `Layer` computes something else when bprop is called with
    params=False, with inputs=False or with inputs a slice.
    """
    subjects = [Subject(case, arrays, seed) for case, arrays in cases_of(thing, inputs)]
    double = all(subject.eps < 1e-12 for subject in subjects)
    if not double:
        warnings.warn("these gradients are float32, in which only gross faults show: build in double precision, "
                      'after npgan.backend.use(floatX="float64")', stacklevel=2)
    if tolerance is None:
        tolerance = 1e-6 if double else 1e-2
    rows = [row for subject in subjects for row in rows_of(subject, tolerance, max_entries)]
    return Report(rows, [fault for subject in subjects for fault in subject.faults.values()], tolerance)


def rows_of(subject, tolerance, max_entries):
    """Return a `Row` for each array of the `subject`; `tolerance` and `max_entries` are those of `check`."""
    gradients, again, doubled = (subject.backward(dh) for dh in (subject.R, subject.R, 2 * subject.R))
    rows = []
    for name, array, g, g_again, g_doubled in zip(subject.names, subject.arrays, gradients, again, doubled):
        shape = getattr(g, "shape", None)
        if shape != array.shape:
            fault = "no gradient" if g is None else f"a gradient of shape {shape} for an array of {array.shape}"
            rows.append(Row(name, array.shape, tolerance, fault))
            continue
        size = float(abs(g).max())
        if float(abs(g_again - g).max()) > subject.eps ** .5 * size:
            subject.faults["grads"] = "bprop adds to the gradients, which it should overwrite"
            g, g_doubled = g_again - g, g_doubled - g_again
            size = float(abs(g).max())
        growth = float(abs(g_doubled).max()) / size if size and subject.h.ndim else 2.
        compared = [compare(subject, array, g, *move, tolerance) for move in moves(subject, array, max_entries)]
        if any(comparison.kink for comparison in compared):
            ones = xp.full_like(array, array.size ** -.5)
            together = compare(subject, array, g, "together", ..., ones, tolerance)
            if not together.kink:
                compared.append(together)
        rows.append(Row(name, array.shape, tolerance, "", growth, compared))
    if isinstance(subject.thing, Layer) and all(row.ok for row in rows):
        subject.check_options(gradients)
    subject.replay()
    return rows


def moves(subject, array, max_entries):
    """
    Yield how to move an `array` of the `subject`: the name of a move, the entries that move, and their direction.

    `max_entries` is that of `check`.
    """
    chosen = range(array.size)
    if array.size > max_entries:
        chosen = subject.draws.permutation(array.size)[:max_entries]
        for k in range(DIRECTIONS):
            signs = 2 * subject.draws.mask(.5, array.shape).astype(array.dtype) - 1
            yield f"direction {k}", ..., signs / array.size ** .5
    for i in chosen:
        entry = tuple(int(j) for j in np.unravel_index(i, array.shape))
        yield entry, entry, 1.


def compare(subject, array, g, name, entries, v, tolerance):
    """
    Return the `Comparison`, called `name`, of an analytic slope with the numeric one.

    Parameters
    ----------
    subject : Subject
    array, g : arrays
        One of the subject's arrays, and its gradient.
    name : tuple of int or str
    entries, v : index and array or float
        The entries of `array` that move, and their direction.
    tolerance : float
        As in `check`.

    Returns
    -------
    Comparison
    """
    analytic, scale = float((g[entries] * v).sum()), max(1., float(abs(array[entries]).max()))
    deviations = []
    for power in STEPS:
        t = subject.eps ** power * scale
        secants = [secant(subject, array, entries, v, step) for step in (-2 * t, -t, t, 2 * t)]
        left2, left, right, right2 = secants
        ends = 2 * left - left2, 2 * right - right2
        low, high = span(*ends)
        slope, noise = float((left + right).sum()) / 2, subject.noise / t
        if not (subject.h.any() or any(s.any() for s in secants)):
            noise = 0.                                          # h is 0 and stays 0, which is exact
        deviation = max(high - slope, slope - low)
        if deviation <= max(tolerance * abs(slope), noise) / 4:
            return Comparison(name, analytic, slope, slope, noise)
        deviations.append(deviation)
    before, last = deviations[-2:]
    if not before / 10 <= last <= 2 * before:                   # for a smooth C it shrinks to 1/55
        return Comparison(name, analytic, slope, slope, max(noise, ROUNDINGS * deviation), unresolved=True)
    if not low - noise <= analytic <= high + noise:
        low, high = slopes_nearby(subject, array, entries, v, t, ends, analytic)
    return Comparison(name, analytic, low, high, noise, kink=True)


def secant(subject, array, entries, v, t):
    """
    Return R * (h(w + t v) - h(w)) / t, an array like h, for the `entries` w of one `array` of the `subject`.

    `v` is the direction and `t` the step.  The difference comes before the sum over outputs, so that outputs that do
    not move add no rounding error.
    """
    kept = array[entries].copy()
    array[entries] = kept + t * v
    try:
        return subject.R * ((subject.forward() - subject.h) / t)
    finally:
        array[entries] = kept


def slopes_nearby(subject, array, entries, v, t, ends, analytic):
    """
    Return the span of the slopes at `ends` and at random points near a kink, as soon as it contains `analytic`.

    The slopes are those of the `subject` along `v`, with the step `t`, for the `entries` of an `array`.
    """
    kept = [a.copy() for a in subject.arrays]
    least, greatest = xp.minimum(*ends), xp.maximum(*ends)
    for _ in range(NEIGHBOURS):
        for a, here in zip(subject.arrays, kept):
            a[...] = here + subject.eps ** STEPS[0] * subject.draws.normal(a.shape).astype(a.dtype)
        left, right = (secant(subject, array, entries, v, step) for step in (-t, t))
        slope = (left + right) / 2
        least, greatest = xp.minimum(least, slope), xp.maximum(greatest, slope)
        low, high = span(least, greatest)
        low, high = low - .001 * abs(low), high + .001 * abs(high)
        if low <= analytic <= high:
            break
    for a, here in zip(subject.arrays, kept):
        a[...] = here
    return low, high


def span(a, b):
    """Return the sums over all outputs of the lesser and of the greater of the slopes `a` and `b`."""
    return float(xp.minimum(a, b).sum()), float(xp.maximum(a, b).sum())
