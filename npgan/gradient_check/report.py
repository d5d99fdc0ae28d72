"""What a gradient check found: a row of numbers for each array, a table to print, a picture, and a sentence."""
from typing import NamedTuple

import numpy as np


class Entry(NamedTuple):
    """One comparison; `index` is a tuple of int, "direction k", or None where nothing could be compared."""

    array: str
    index: object
    analytic: float
    numeric: float
    error: float


class Row:
    """
    What was `found` of one array, judged by `tolerance`.

    Attributes
    ----------
    name, shape : str and tuple
        "W", "h1.W" in a net, "input 0"; the array's shape.
    fault : str
        Why nothing was compared, or "".
    growth : float
        How many times as large bprop's answer is for twice the dh.
    index : list
        What was compared, as in `Entry`.
    analytic, numeric, error, kink, wrong : NumPy arrays, parallel to `index`
        The slopes and their relative error; whether each sits on a kink, and disagrees.
    verdict : "ok", "WRONG" or "too small"
        The last where rounding drowns every slope.
    """

    def __init__(self, name, shape, tolerance, fault="", growth=2., found=()):
        self.name, self.shape, self.tolerance, self.fault, self.growth = name, shape, tolerance, fault, growth
        self.index = [index for index, *_ in found]
        self.analytic, low, high, noise, kink = np.array([numbers for _, *numbers in found]).reshape(-1, 5).T
        self.numeric, self.kink = np.clip(self.analytic, low, high), kink > 0
        size = np.maximum(abs(self.analytic), abs(self.numeric))
        floor = np.maximum(noise / tolerance, np.finfo(float).tiny)
        self.error = abs(self.analytic - self.numeric) / np.maximum(size, floor)
        self.wrong = ~(self.error <= tolerance)                             # NaN is wrong
        self.ok = not (fault or self.wrong.any())
        self.verdict = "WRONG" if not self.ok else "too small" if size.any() and (size <= noise).all() else "ok"

    @property
    def worst(self):
        """The `Entry` of the greatest error."""
        if self.fault:
            return Entry(self.name, None, np.nan, np.nan, np.inf)
        i = int(np.argmax(self.error))
        return Entry(self.name, self.index[i], *(float(a[i]) for a in (self.analytic, self.numeric, self.error)))

    @property
    def diagnosis(self):
        """What is wrong, as far as the numbers tell."""
        a, n = self.analytic[~self.kink], self.numeric[~self.kink]
        factor = a @ n / (n @ n) if n.any() else 0.
        square = n.reshape(self.shape) if len(self.shape) == 2 and n.size == np.prod(self.shape) else n

        def near(b):
            return (abs(a - b) <= 100 * self.tolerance * abs(a).max(initial=0)).all()

        return next(words for words, apply in (
            (self.fault, self.fault),
            ("no subgradient on a kink", not self.wrong[~self.kink].any()),
            ("0 where the slope is not", not a.any()),
            (f"not linear in dh, as twice dh gives it {self.growth:.3g} times", abs(self.growth - 2) > .01),
            (f"right up to a constant factor of {factor:.6g}", near(factor * n)),
            ("transposed", near(square.T.ravel())),
            (f"{self.wrong.sum()} of {len(self.index)} slopes", True)) if apply)


class Report:
    """
    What `check` found, for ``print`` and for programs.

    Attributes
    ----------
    ok : bool
    worst : Entry
        The comparison with the greatest relative error.
    rows : list of Row
        One for each array.
    faults : list of str
        What the passes do that they must not, besides wrong gradients.
    tolerance : float
    """

    def __init__(self, rows, faults, tolerance):
        self.rows, self.faults, self.tolerance = rows, faults, tolerance
        self.ok = not faults and all(row.ok for row in rows)
        self.worst = rows[int(np.argmax([row.worst.error for row in rows]))].worst

    @property
    def sentence(self):
        """The verdict in words."""
        if not self.ok:
            wrong = {}
            for row in self.rows:
                if not row.ok:
                    wrong.setdefault(row.diagnosis, []).append(row.name)
            found = self.faults + [f"{', '.join(names)}: {diagnosis}" for diagnosis, names in wrong.items()]
            return f"Wrong: {'; '.join(found)}."
        count, kinks = sum(len(row.index) for row in self.rows), sum(row.kink.sum() for row in self.rows)
        small = ", ".join(row.name for row in self.rows if row.verdict == "too small")
        return (f"Right: {count} slopes agree to {self.tolerance:g}{f', {kinks} of them on a kink' if kinks else ''}"
                f"{f'; rounding drowns those of {small}' if small else ''}.")

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
        """The relative errors of each array, a matplotlib Figure, saved if a `path` is given; 0 is drawn at 1e-17."""
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
