"""How the tests run the gallery scripts: in a process of their own, as a user does, or faster in the tests' process."""
import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from npgan import backend

ROOT = Path(__file__).resolve().parents[1]
STAND_IN = Path(__file__).resolve().with_name("stand_in")

# mnist.py as it is, on random pixels in place of digits
RANDOM_MNIST = f"""
import runpy, sys
import numpy as np
from npgan.datasets import Dataset, mnist

def load(which):
    rng = np.random.RandomState(len(which))
    return Dataset(rng.randint(2, size=(200, 784)), rng.randint(10, size=200), (28, 28), "mnist " + which)

mnist.load = load
sys.path.insert(0, {str(ROOT / "examples")!r})
runpy.run_path({str(ROOT / "examples" / "mnist.py")!r}, run_name="__main__")
"""


def run(script, *arguments, cwd, **environment):
    """Run a script in a process of its own, on this tree's npgan; return the finished process, its output as text."""
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    env = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", **environment}
    return subprocess.run([sys.executable, ROOT / "examples" / script, *map(str, arguments)], cwd=cwd, env=env,
                          capture_output=True, text=True, timeout=120)


def prepare(patch, folder, script, *arguments):
    """Let `patch`, a MonkeyPatch, undo all that a script changes in this process: folder, options, hooks, precision."""
    patch.chdir(folder)
    patch.syspath_prepend(ROOT / "examples")
    patch.setattr(sys, "argv", [script, *map(str, arguments)])
    patch.setattr(sys, "excepthook", sys.excepthook)
    patch.setattr(warnings, "formatwarning", warnings.formatwarning)
    patch.setattr(backend, "floatX", backend.floatX)
    patch.setenv("NPGAN_DATA_PATH", os.environ.get("NPGAN_DATA_PATH", ""))


def play(patch, folder, script, *arguments):
    """Run a script in this process and in a `folder`; return the names that it defines."""
    prepare(patch, folder, script, *arguments)
    return runpy.run_path(str(ROOT / "examples" / script))


def output(patch, capsys, folder, script, *arguments):
    """Run a script in this process and in a `folder`; return what it prints."""
    capsys.readouterr()
    try:
        play(patch, folder, script, *arguments)
    except SystemExit as ended:                         # mnist.py --diagnose ends so
        assert not ended.code
    return capsys.readouterr().out


def mistake(patch, capsys, folder, script, *arguments):
    """Run a script in this process; it must end with status 2 and without a trace.  Return the last line of stderr."""
    prepare(patch, folder, script, *arguments)
    with pytest.raises(SystemExit) as ended:
        try:
            runpy.run_path(str(ROOT / "examples" / script), run_name="__main__")
        except Exception:
            sys.excepthook(*sys.exc_info())             # as the interpreter does
    stderr = capsys.readouterr().err
    assert ended.value.code == 2 and "Traceback" not in stderr
    return stderr.strip().splitlines()[-1]
