"""The result of a gradient check: a row of numbers for each array, as a table, a sentence and a picture."""
from typing import NamedTuple

import numpy as np


class Entry(NamedTuple):
    """One comparison; `index` is a tuple of int, "direction k", "together", or None if nothing was compared."""

    array: str
    index: object
    analytic: float
    numeric: float
    error: float


class Comparison(NamedTuple):
    """An analytic slope and the numeric ones, from `low` to `high`, that it must be within, up to `noise`."""

    index: object
    analytic: float
    low: float
    high: float
    noise: float
    kink: bool = False
    unresolved: bool = False


class Row:
    """
    The comparisons of one array's gradient with numeric slopes, judged by `tolerance`.

    Attributes
    ----------
    name, shape : str and tuple
        "W", "h1.W" in a net, "input 0"; the array's shape.
    fault : str
        Why nothing was compared, or "".
    growth : float
        The ratio of bprop's answer for 2 dh to its answer for dh.
    index : list
        What was compared, as in `Entry`.
    analytic, numeric, error, kink, wrong, unresolved : NumPy arrays, parallel to `index`
        The slopes and their relative error; whether each sits on a kink, disagrees, or could not be decided because
        the numeric slope is too inaccurate.
    decided : NumPy array, parallel to `index`
        Whether each was compared to `tolerance`: neither on a kink, nor unresolved, nor so small that only its
        agreement within rounding errors could be tested.
    ok : bool
        Whether no slope is wrong.
    verdict : "ok", "WRONG" or "undecided"
        The last if a slope is unresolved, or if all are on a kink or smaller than rounding errors.
    """

    def __init__(self, name, shape, tolerance, fault="", growth=2., compared=()):
        self.name, self.shape, self.tolerance, self.fault, self.growth = name, shape, tolerance, fault, growth
        self.index = [comparison.index for comparison in compared]
        numbers = np.array([comparison[1:] for comparison in compared], float).reshape(-1, 6)
        self.analytic, low, high, noise, kink, unresolved = numbers.T
        self.numeric, self.kink = np.clip(self.analytic, low, high), kink > 0
        size = np.maximum(abs(self.analytic), abs(self.numeric))
        floor = np.maximum(noise / tolerance, np.finfo(float).tiny)
        self.error = abs(self.analytic - self.numeric) / np.maximum(size, floor)
        self.wrong = ~(self.error <= tolerance)                             # NaN is wrong
        self.unresolved = (unresolved > 0) & ~self.wrong
        self.decided = (size >= noise / tolerance) & ~self.kink & ~self.unresolved
        self.ok = not (fault or self.wrong.any())
        if not self.ok:
            self.verdict = "WRONG"
        elif self.unresolved.any() or (size.any() and (self.kink | (size <= noise)).all()):
            self.verdict = "undecided"
        else:
            self.verdict = "ok"

    @property
    def worst(self):
        """The `Entry` of the greatest error."""
        if self.fault:
            return Entry(self.name, None, np.nan, np.nan, np.inf)
        i = int(np.argmax(self.error))
        return Entry(self.name, self.index[i], *(float(a[i]) for a in (self.analytic, self.numeric, self.error)))

    @property
    def diagnosis(self):
        """What is wrong, as far as the numbers show."""
        if self.fault:
            return self.fault
        a, n = self.analytic[~self.kink], self.numeric[~self.kink]
        if not self.wrong[~self.kink].any():
            return "no subgradient on a kink"
        if not a.any():
            return "0 where the slope is not"
        if abs(self.growth - 2) > .01:
            return f"not linear in dh: for twice dh it is {self.growth:.3g} times as large"

        def equal(b):
            return (abs(a - b) <= self.tolerance * abs(a).max()).all()

        factor = a @ n / (n @ n) if n.any() else 0.
        if abs(factor - 1) > self.tolerance and equal(factor * n):
            return f"right up to a constant factor of {factor:.6g}"
        if len(self.shape) == 2 and n.size == np.prod(self.shape) and equal(n.reshape(self.shape).T.ravel()):
            return "transposed"
        if "together" in self.index and self.wrong[self.index.index("together")] and self.wrong.sum() == 1:
            return "right for each entry, but wrong for all together: entries that tie must share one gradient"
        return f"{self.wrong.sum()} of {len(self.index)} slopes"


class Report:
    """
    The result of `check`, for ``print`` and for programs.

    Attributes
    ----------
    ok : bool
        No fault, no wrong and no unresolved slope, and at least one slope that could be decided.
    worst : Entry
        The comparison with the greatest relative error.
    rows : list of Row
        One for each array.
    faults : list of str
        What the passes did that they must not do, besides wrong gradients.
    undecided : str
        Why the check cannot decide, or "".
    tolerance : float
    """

    def __init__(self, rows, faults, tolerance):
        self.rows, self.faults, self.tolerance = rows, faults, tolerance
        self.undecided = self.why_undecided()
        self.ok = not faults and all(row.ok for row in rows) and not self.undecided
        self.worst = rows[int(np.argmax([row.worst.error for row in rows]))].worst

    def why_undecided(self):
        """Return why the slopes do not decide whether the gradients are right, or "" if they do."""
        unresolved = [row.name for row in self.rows if row.unresolved.any()]
        if unresolved:
            return (f"{', '.join(unresolved)}: C bends too strongly, or is rounded too coarsely, for the steps of the "
                    "check; rescale the inputs, or leave a large constant out of C")
        if not any(row.decided.any() for row in self.rows):
            kinks = sum(row.kink.sum() for row in self.rows)
            drowned = sum(len(row.index) for row in self.rows) - kinks
            return (f"of all slopes {kinks} are on a kink and {drowned} are known only to C's rounding errors, not to "
                    f"{self.tolerance:g}; take other inputs or parameters, or leave a large constant out of C")
        return ""

    @property
    def sentence(self):
        """The verdict in words."""
        wrong = {}
        for row in self.rows:
            if not row.ok:
                wrong.setdefault(row.diagnosis, []).append(row.name)
        found = self.faults + [f"{', '.join(names)}: {diagnosis}" for diagnosis, names in wrong.items()]
        if found:
            return f"Wrong: {'; '.join(found)}."
        if self.undecided:
            return f"Undecided: {self.undecided}."
        count, kinks = sum(len(row.index) for row in self.rows), sum(row.kink.sum() for row in self.rows)
        sentence = f"Right: {count} slopes agree to {self.tolerance:g}"
        if kinks:
            sentence += f", {kinks} of them on a kink"
        undecided = ", ".join(row.name for row in self.rows if row.verdict == "undecided")
        if undecided:
            sentence += f"; kinks and rounding errors leave undecided: {undecided}"
        return sentence + "."

    def __str__(self):
        width = max(len(row.name) for row in self.rows)
        lines = [f"{'array':{width}}  {'checked':>13}    error  worst at        analytic     numeric  kinks"]
        for row in self.rows:
            _, index, analytic, numeric, error = row.worst
            at = index if isinstance(index, str) else str(list(index or ()))
            lines.append(f"{row.name:{width}}  {f'{len(row.index)} of {np.prod(row.shape)}':>13}  {error:7.1e}  {at:12}"
                         f"{analytic:12.5g}{numeric:12.5g}  {row.kink.sum():5}  {row.verdict}")
        return "\n".join([*lines, self.sentence])

    def plot(self, path=None):
        """Draw each array's relative errors in a matplotlib Figure, saved to `path` if given; 0 stands at 1e-17."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(max(6, 1 + len(self.rows)), 4), layout="constrained")
        axes = figure.add_subplot(yscale="log", ylabel="relative error")
        for i, row in enumerate(self.rows):
            x = i + np.linspace(-.3, .3, len(row.index) + 2)[1:-1]
            y = np.nan_to_num(np.maximum(row.error, 1e-17), nan=1.)
            for label, color, which in (("right", "C0", ~row.wrong & ~row.kink), ("wrong", "C3", row.wrong),
                                        ("right, on a kink", "C1", ~row.wrong & row.kink)):
                axes.plot(x[which], y[which], ".", color=color, label=label if i == 0 else None)
        axes.axhline(self.tolerance, color="black", linewidth=1, label="tolerance")
        axes.set_xticks(range(len(self.rows)), [row.name for row in self.rows])
        figure.legend(loc="outside upper center", ncols=4)
        if path is not None:
            figure.savefig(path)
        return figure
