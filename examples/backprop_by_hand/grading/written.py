"""The learner's files: loading them, calling what is in them, and telling mishaps in plain words."""
import contextlib
import importlib
import inspect
import io
import re
import signal
import sys
import traceback
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1]
SECONDS = 20                                # after which a function is said to run for ever
RIGHT, WRONG, UNWRITTEN, STOPPED, HELD_UP = "right", "wrong", "not written yet", "stopped", "waits for another"


class Trouble(Exception):
    """The learner's code did not get as far as an answer."""

    def __init__(self, status, kind, words, asks_again=False):
        super().__init__(words)
        self.status, self.kind, self.words, self.asks_again = status, kind, words, asks_again


class Written:
    """The learner's `folder`: loads exercises from it and calls their functions, turning mishaps into plain words."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()

    def load(self, stem):
        """The module of an exercise, read anew."""
        if not (self.folder / f"{stem}.py").is_file():
            raise Trouble(STOPPED, "no file", f"there is no file {stem}.py in {self.folder}")
        for path in HERE.glob("ex*.py"):
            sys.modules.pop(path.stem, None)
        writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        sys.path.insert(0, str(self.folder))
        importlib.invalidate_caches()
        try:
            with self.watched({}):
                return importlib.import_module(stem)
        finally:
            sys.path.remove(str(self.folder))
            sys.dont_write_bytecode = writes

    def function(self, stem, name):
        """The function `name` of an exercise."""
        found = getattr(self.load(stem), name, None)
        if not callable(found):
            raise Trouble(STOPPED, "no function", f"{stem}.py has no function {name}")
        return found

    @contextlib.contextmanager
    def watched(self, inputs, limited=True):
        """Within, exceptions and endless loops become a `Trouble` that names the learner's line."""
        def too_long(*_):
            raise TimeoutError

        alarm = limited and hasattr(signal, "setitimer")
        try:
            if alarm:
                before = signal.signal(signal.SIGALRM, too_long)
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
            with np.errstate(all="ignore"):
                yield
        except (Exception, SystemExit) as error:
            raise self.trouble(error, inputs) from None
        finally:
            if alarm:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)

    def trouble(self, error, inputs):
        """What happened, where, in plain words."""
        if isinstance(error, Trouble):
            return error
        if isinstance(error, SyntaxError) and error.filename:
            words = f"Python cannot read {Path(error.filename).name}, line {error.lineno}: {error.msg}."
            line = (error.text or "").strip()
            return Trouble(STOPPED, "syntax", f"{words}\nIt says:  {line}" if line else words)
        frames = [f for f in traceback.extract_tb(error.__traceback__)
                  if Path(f.filename).resolve().parent == self.folder]
        if not frames and isinstance(error, TypeError):
            return Trouble(STOPPED, "call", f"It does not take its arguments ({', '.join(inputs)}): {error}")
        if not frames:
            return Trouble(STOPPED, "exception", f"{type(error).__name__}: {plain(error)}")
        name, at = Path(frames[-1].filename).name, frames[-1]
        if isinstance(error, NotImplementedError):
            return Trouble(UNWRITTEN, "not written", f"not written yet: {at.name} in {name}, line {at.lineno}.")
        if isinstance(error, TimeoutError):
            what = f"it was still running after {SECONDS} seconds; does a loop there ever end?"
        else:
            what = f"{type(error).__name__}: {plain(error)}"
        shapes = ", ".join(f"{key} {np.shape(value)}" for key, value in inputs.items() if np.ndim(value))
        words = f"Your code stopped in {name}, line {at.lineno}:  {at.line}\n{what}"
        words += f"\nHere the shapes are {shapes}." if shapes else ""
        return Trouble(STOPPED, "exception", words, isinstance(error, (ValueError, IndexError)))

    def answer(self, task, function, inputs):
        """The outputs for `inputs`, by name, as arrays; copies went in."""
        copies = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in inputs.items()}
        with self.watched(inputs):
            found = task.call(function, copies) if task.call else function(*copies.values())
        for key, value in copies.items():
            if isinstance(value, np.ndarray) and not np.array_equal(value, inputs[key]):
                raise Trouble(WRONG, "modified its input",
                              f"it changes {key}, which belongs to the caller, who may need it again.  Make a new "
                              f"array: {key} = {key} * 2, say, where you have {key} *= 2 or {key}[...] = .")
        names = list(task.outputs)
        if found is None:
            raise Trouble(WRONG, "returns nothing", f"it returns nothing.  Should it end in: return {', '.join(names)}")
        found = found if len(names) > 1 else (found,)
        if not isinstance(found, (tuple, list)) or len(found) != len(names):
            got = f"{len(found)} things" if isinstance(found, (tuple, list)) else "one thing"
            raise Trouble(WRONG, "number of outputs", f"it returns {got}; wanted: return {', '.join(names)}")
        for name, value in zip(names, found):
            if value is None:
                raise Trouble(WRONG, "returns nothing", f"what it returns for {name} is None.")
            if np.asarray(value).dtype.kind not in "bifu":
                raise Trouble(WRONG, "no numbers", f"what it returns for {name} is no array of numbers: {value!r:.60}")
        return {name: np.asarray(value, float).copy() for name, value in zip(names, found)}


def plain(error):
    """An exception's message, NumPy's about a product in words that a beginner reads."""
    text = " ".join(str(error).split())
    sizes = re.search(r"matmul.*size (\d+) is different from (\d+)", text)
    if sizes:
        return (f"the shapes do not fit in a product of matrices: the second one has {sizes[1]} rows, "
                f"the first {sizes[2]} columns.  Is one of them to be transposed?")
    if "could not be broadcast" in text:
        return f"{text}.  Two shapes do not fit entry by entry."
    return text or "without a word"


def quiet(function):
    """The function with its prints left out, for all calls but the first."""
    def silent(*arguments, **named):
        with contextlib.redirect_stdout(io.StringIO()):
            return function(*arguments, **named)
    return silent


def derivation(stem, line):
    """The number and the text of a line of an exercise's derivation, such as "(3)"."""
    for number, text in enumerate((HERE / f"{stem}.py").read_text(encoding="utf-8").splitlines(), 1):
        if text.lstrip().startswith(f"{line} "):
            return number, text.strip()
    raise KeyError(f"{stem}.py has no line {line}")


def source(thing):
    """A function's or method's name, its source without the docstring, its file and its line."""
    thing = thing.fget if isinstance(thing, property) else thing
    if not inspect.isfunction(thing):
        return repr(thing), "", Path(), 0
    lines, start = inspect.getsourcelines(thing)
    text = inspect.cleandoc("\n" + "".join(lines)) if lines[0][0] == " " else "".join(lines)
    text = re.sub(r'\n +"""(?:.|\n)*?"""', "", text, count=1)
    return thing.__qualname__, text.strip(), Path(inspect.getsourcefile(thing)), start
