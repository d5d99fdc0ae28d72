"""
What the learner's functions answer, beside the right answers, and what kind of mistake that is.

A kind of mistake is a way to alter the right answer: if the learner's answer is the right one altered so, on every
case, then that is the mistake.  `layers`, `game` and `pictures` list these for each function; those that any function
may have are here.  Nothing looks at how the learner's code is written.  Derivatives are judged by
`npgan.gradient_check`.
"""
from types import SimpleNamespace
from typing import Callable, NamedTuple

import numpy as np

from grading.written import RIGHT, STOPPED, WRONG, Trouble, quiet
from npgan import gradient_check

ENTRIES = 20                                # of an array whose slopes are found numerically, one by one


class Mistake(NamedTuple):
    """The right answer for one `output`, altered: I holds the inputs, and `right` and `given` all the outputs."""

    kind: str
    output: str
    line: str                               # of the derivation, such as "(3)"
    words: str
    altered: Callable                       # (I, right, given) -> array


class Task(NamedTuple):
    """A function of an exercise: how to call it, what is right, and what may go wrong."""

    name: str
    outputs: dict                           # each output's name, and the line of the derivation that gives it
    cases: list                             # of inputs by name, in the order of the arguments
    right: Callable                         # (I) -> the outputs, by npgan
    mistakes: list
    slopes: Callable = None                 # (function, I) -> what gradient_check.check takes, where it is a derivative
    signal: str = None                      # the input that is dC/d(output of the forward pass)
    call: Callable = None                   # (function, inputs) -> outputs, where it is no plain call
    rows: Callable = None                   # (I) -> m, by which an answer may have been divided once too often
    stable: str = None                      # the line that says how large numbers are to be dealt with
    edges: int = 0                          # so many of the last cases are on corners or extreme: looked at last


class Verdict(NamedTuple):
    """What to say of one function: the `kinds` of its mistakes, in words, and the lines of the derivation to reread."""

    name: str
    status: str
    kinds: tuple
    paragraphs: tuple
    reread: tuple = ()


def grade(task, stem, written):
    """The `Verdict` on what was `written` for a task."""
    try:
        function = written.function(stem, task.name)
        runs = run_cases(task, function, written)
        finished = [run for run in runs if run.trouble is None]
        if task.slopes:
            for run in finished:
                run.report = slopes(task, function, run, written)
    except Trouble as trouble:
        words = f"wrong: {trouble.words}" if trouble.status == WRONG else trouble.words
        return Verdict(task.name, trouble.status, (trouble.kind,), (words,))

    wrong = [name for name in task.outputs if not all(close(run.given[name], run.right[name]) for run in finished)]
    if task.slopes and all(run.report for run in finished):         # on a corner more than one slope is right
        bad = [name for k, name in enumerate(task.outputs) if not all(run.report.rows[k].ok for run in finished)]
        wrong = [name for name in task.outputs
                 if name in bad or name in wrong and diagnose(task, name, finished)[0] in task.mistakes]
    stopped = next((run.trouble for run in runs if run.trouble), None)
    if not wrong and not stopped:
        count = sum(len(row.index) for run in finished if run.report for row in run.report.rows)
        words = f"right: {count} slopes agree with numeric ones." if count else "right."
        return Verdict(task.name, RIGHT, (), (words,))

    found = [diagnose(task, name, finished) for name in wrong]
    if stopped and all(mistake is None for mistake, _ in found):
        return Verdict(task.name, STOPPED, (stopped.kind,), (stopped.words,))
    return tell(task, wrong, found, stopped)


def slopes(task, function, run, written):
    """What `gradient_check` reports, or None where the answers are of other shapes or not finite."""
    if any(run.given[n].shape != run.right[n].shape or not np.isfinite(run.given[n]).all() for n in task.outputs):
        return None
    silent = quiet(function)

    def arrays(*inputs):
        found = silent(*inputs)
        return tuple(np.asarray(a, float) for a in found) if len(task.outputs) > 1 else np.asarray(found, float)

    thing, *inputs = task.slopes(arrays, run.I)
    with written.watched(vars(run.I)):
        return gradient_check.check(thing, *inputs, max_entries=ENTRIES)


def tell(task, wrong, found, stopped):
    """The `Verdict` on `wrong` outputs, of which a mistake or None and a place were `found`, those alike together."""
    kinds, paragraphs, reread = {}, [], {}
    for name, (mistake, place) in zip(wrong, found):
        kind = mistake.kind if mistake else "cause unknown"
        kinds.setdefault(kind, []).append((name, mistake, place))
    fine = [name for name in task.outputs if name not in wrong]
    if fine:
        paragraphs.append(f"{' and '.join(fine)} {'is' if len(fine) == 1 else 'are'} right.")
    for kind, several in kinds.items():
        names, (_, mistake, place) = [name for name, _, _ in several], several[0]
        verb = "is wrong" if len(names) == 1 else "are wrong"
        prefix = f"{' and '.join(names)} {verb}" if len(task.outputs) > 1 else "wrong"
        paragraphs += [f"{prefix}: {kind}.  {mistake.words}" if mistake else f"{prefix}, cause unknown.", place]
        for name, m, _ in several:
            reread[m.line if m and m.line else task.outputs[name]] = None
    if stopped:
        first, *_ = stopped.words.splitlines()
        paragraphs.append(f"With other shapes y{first[1:]}" if first.startswith("Your code") else first)
    return Verdict(task.name, WRONG, tuple(kinds), tuple(p for p in paragraphs if p), tuple(reread))


def run_cases(task, function, written):
    """For each case the inputs I, the right and the given outputs; or the trouble, if another case may tell more."""
    runs = []
    for i, inputs in enumerate(task.cases):
        I = SimpleNamespace(**inputs)
        right = task.right(I)
        right = right if isinstance(right, tuple) else (right,)
        run = SimpleNamespace(I=I, right={n: np.asarray(r, float) for n, r in zip(task.outputs, right)},
                              given=None, report=None, trouble=None, edge=i >= len(task.cases) - task.edges)
        try:
            run.given = written.answer(task, quiet(function) if i else function, inputs)
        except Trouble as trouble:
            if not trouble.asks_again:
                raise
            run.trouble = trouble
        runs.append(run)
        if i == 0 and run.given:
            again = written.answer(task, quiet(function), inputs)
            if not all(close(again[n], run.given[n]) for n in task.outputs if np.isfinite(again[n]).all()):
                raise Trouble(WRONG, "another answer each time",
                              "called twice with the same arguments, it gives two answers.  Does it keep something "
                              "from call to call, or draw at random?")
    return runs


def close(a, b):
    """Whether two arrays have one shape and agree to 1e-7 of the largest entry."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape or not np.isfinite(a).all():
        return False
    return bool((abs(a - b) <= 1e-7 * max(abs(a).max(initial=0), abs(b).max(initial=0))).all())


def diagnose(task, name, runs):
    """The `Mistake` in an output, or None if it is of no known kind, and where to look."""
    inner = [run for run in runs if not run.edge]
    if not all(close(run.given[name], run.right[name]) for run in inner):
        runs = inner
    broken = [run for run in runs if not np.isfinite(run.given[name]).all()]
    sound = [run for run in runs if np.isfinite(run.given[name]).all()]
    wrong = [run for run in sound if not close(run.given[name], run.right[name])]
    if broken and not wrong:
        run = broken[0]
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(run.given[name]))[0])
        return (Mistake("not finite", name, task.stable,
                        "Yours is infinite there, or no number at all: does an exponential overflow, or a logarithm "
                        "get 0?", None), entry(name, run, at))
    if not wrong:
        return None, ""
    for mistake in [*(m for m in task.mistakes if m.output == name), *anybody(task, name)]:
        if all(explains(mistake, run) for run in sound):
            return mistake, where(name, wrong[0])
    factor = constant(lambda g, r: (g * r).sum() / (r * r).sum(), lambda r, c: c * r, name, sound)
    if factor is not None:
        return Mistake("right up to a constant factor", name, None,
                       f"Each entry is {factor:.6g} times what it should be.", None), where(name, wrong[0])
    shift = constant(lambda g, r: (g - r).mean(), lambda r, c: c + r, name, sound)
    if shift is not None:
        return Mistake("right up to a constant", name, None,
                       f"Each entry is off by the same {shift:+.6g}.", None), where(name, wrong[0])
    run = wrong[0]
    if run.given[name].shape != run.right[name].shape:
        return Mistake("another shape", name, None, f"The shape should be {run.right[name].shape}, yours is "
                                                    f"{run.given[name].shape}.", None), ""
    row = run.report.rows[list(task.outputs).index(name)] if run.report else None
    if row is not None and not row.ok and isinstance(row.worst.index, tuple):
        _, index, analytic, numeric, _ = row.worst
        return None, f"Worst at {label(name, index)}: yours {analytic:.6g}, the numeric slope is {numeric:.6g}."
    index = np.unravel_index(int(np.argmax(abs(run.given[name] - run.right[name]))), run.right[name].shape)
    return None, f"Worst at {entry(name, run, index)}"


def explains(mistake, run):
    """Whether the answer given is the right one altered in that way."""
    try:
        with np.errstate(all="ignore"):
            return close(run.given[mistake.output], mistake.altered(run.I, run.right, run.given))
    except ValueError:                      # there is no such alteration where the shapes do not fit
        return False


def constant(find, apply, name, runs):
    """The number by which `apply` turns every right answer into the given one, or None."""
    if any(run.given[name].shape != run.right[name].shape for run in runs) or sum(
            run.right[name].size for run in runs) < 2 or not any(run.right[name].any() for run in runs):
        return None
    run = next(run for run in runs if run.right[name].any())
    c = float(find(run.given[name], run.right[name]))
    return c if all(close(run.given[name], apply(run.right[name], c)) for run in runs) else None


def where(name, run):
    """An entry that is wrong, in numbers, or the two shapes."""
    given, right = run.given[name], run.right[name]
    if given.shape != right.shape:
        return f"The shape should be {right.shape}, yours is {given.shape}."
    index = np.unravel_index(int(np.argmax(abs(given - right))), right.shape)
    return f"For example {entry(name, run, index)}"


def entry(name, run, index):
    given, right = run.given[name][index] + 0., run.right[name][index] + 0.         # no -0
    return f"{label(name, index)}: yours {given:.6g}, wanted {right:.6g}."


def label(name, index):
    return f"{name}[{', '.join(str(int(i)) for i in index)}]" if index else name


def anybody(task, name):
    """The mistakes that any function may have, in the order in which they are looked for."""
    k, others = list(task.outputs).index(name), [other for other in task.outputs if other != name]

    def again(**changed):
        """The right answer to other inputs."""
        def altered(I, right, given):
            inputs = SimpleNamespace(**{**vars(I), **{key: change(getattr(I, key)) for key, change in changed.items()}})
            answer = task.right(inputs)
            return (answer if isinstance(answer, tuple) else (answer,))[k]
        return altered

    if task.signal:
        d = task.signal
        yield Mistake(f"forgot {d}", name, None, f"{d} has no part in it: this is the slope by itself.  The chain rule "
                      f"multiplies it by what comes from above, {d}.", again(**{d: np.ones_like}))
        yield Mistake(f"{d} twice", name, None, f"{d} is in it squared; the chain rule multiplies by it once.",
                      again(**{d: np.square}))
        yield Mistake("forgot the slope", name, None, f"This is {d} as it came, still to be multiplied by the slope.",
                      lambda I, r, g: getattr(I, d))
    yield Mistake("sign", name, None, "Each entry has the wrong sign.", lambda I, r, g: -r[name])
    for other in others:
        yield Mistake("outputs in another order", name, None,
                      f"What you return for {name} is {other}.  The order is: return {', '.join(task.outputs)}",
                      lambda I, r, g, other=other: r[other])
    if task.rows:
        yield Mistake("averaged twice", name, None, "It is m times too small, m being the rows of the minibatch.  The "
                      "1/m of the cost is there already; the sum over rows needs no other.",
                      lambda I, r, g: r[name] / task.rows(I))
        yield Mistake("summed, not averaged", name, None, "It is m times too large: the 1/m of the cost is missing.",
                      lambda I, r, g: r[name] * task.rows(I))
    yield Mistake("transposed", name, None, "Rows and columns are exchanged.", lambda I, r, g: r[name].T)
    yield Mistake("0 everywhere", name, None, "All of it is 0; is it ever written into?",
                  lambda I, r, g: np.zeros_like(r[name]))
    yield Mistake("one axis too many or too few", name, None, "The numbers are right, the shape is not; see keepdims, "
                  "or reshape.", lambda I, r, g: r[name].reshape(g[name].shape)
                  if g[name].squeeze().shape == r[name].squeeze().shape else r[name])
