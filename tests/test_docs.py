"""What readers are told: every public docstring is complete, and the README's code runs as pasted."""
import ast
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

import npgan

ROOT = Path(__file__).resolve().parents[1]
PYTHONPATH = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
ROOMS = sorted(info.name for info in pkgutil.walk_packages(npgan.__path__, "npgan.") if info.name != "npgan.data")


def public(room):
    """Each public function, class and method written in a room: its name, itself, and the class it belongs to."""
    module = importlib.import_module(room)
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != room or not callable(thing):
            continue
        yield f"{room}.{name}", thing, None
        if inspect.isclass(thing):
            for attribute, member in vars(thing).items():
                if not attribute.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                    yield f"{room}.{name}.{attribute}", member, thing


PUBLIC = [case for room in ROOMS for case in public(room)]


def own_doc(thing, owner):
    """The docstring, inherited from the nearest base class that has one."""
    if thing.__doc__ or owner is None:
        return thing.__doc__
    name = thing.fget.__name__ if isinstance(thing, property) else thing.__name__
    return next((doc for base in owner.__mro__ if (doc := getattr(vars(base).get(name), "__doc__", None))), None)


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_it_is_for(room):
    assert importlib.import_module(room).__doc__


@pytest.mark.parametrize("name, thing, owner", PUBLIC, ids=[name for name, *_ in PUBLIC])
def test_public_docstrings_are_complete(name, thing, owner):
    """A summary that ends, and every parameter told: in a Parameters section or, in short ones, by name in the text."""
    docstring = own_doc(thing, owner)
    assert docstring, f"{name} has no docstring"
    lines = inspect.cleandoc(docstring).splitlines()
    assert lines[0].strip() and not "".join(lines[1:2]).strip(), f"{name}: a summary of one line, then a blank one"

    function = thing.__init__ if inspect.isclass(thing) else None if isinstance(thing, property) else thing
    if function is None or not inspect.isfunction(function):
        return
    told = inspect.cleandoc(docstring)
    if inspect.isclass(thing):
        told += "".join(inspect.cleandoc(base.__doc__ or "") for base in thing.__mro__[1:-1])
    elif owner is not None:
        told += owner.__doc__ + "".join(getattr(vars(base).get(thing.__name__), "__doc__", None) or ""
                                        for base in owner.__mro__[1:])
    wanted = [p.name for p in inspect.signature(function).parameters.values()
              if p.name not in ("self", "train") and p.kind not in (p.VAR_KEYWORD,)]
    missing = [p for p in wanted if not re.search(rf"\b{re.escape(p)}\b", told)]
    assert not missing, f"{name} does not tell of {', '.join(missing)}"


# What numpydoc's own validator must not find: text or sections out of place, unknown or empty ones, parameters that are
# none of the function's, or with a type that is not told as such.
FAULTS = {"GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "PR02", "PR05", "PR10"}


@pytest.mark.parametrize("name", [name for name, *_ in PUBLIC])
def test_numpydoc_finds_no_fault(name):
    assert not [message for code, message in validate(name)["errors"] if code in FAULTS]


CODE = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", (ROOT / "README.rst").read_text())


@pytest.mark.parametrize("block", CODE, ids=[f"block {i}" for i in range(len(CODE))])
def test_code_in_the_readme_runs_as_pasted(block, tmp_path):
    done = subprocess.run([sys.executable, "-W", "error", "-c", inspect.cleandoc(block)], cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": PYTHONPATH}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    if "print(report)" in block:
        shown = re.search(r"which prints\n\n::\n\n((?:    .*\n)+)", (ROOT / "README.rst").read_text()).group(1)
        ours, readme = (re.findall(r"^(\w+).* (\d+ of \d+)|^(Right.*)", inspect.cleandoc(text), re.MULTILINE)
                        for text in (done.stdout, shown))
        assert ours == readme and len(ours) == 4                        # the errors differ from machine to machine


def test_own_data_take_ten_statements_and_an_own_layer_twenty_lines():
    own_data, own_layer, own_parameters = map(inspect.cleandoc, CODE)
    assert len(ast.parse(own_data).body) <= 11                          # two of them import npgan
    assert len([line for line in own_layer.splitlines() if line.strip()]) <= 20
    assert len([line for line in own_parameters.splitlines() if line.strip()]) <= 20


def test_the_readmes_layer_of_its_own_parameters_learns(tmp_path):
    use = """
from npgan.backend import RandomStream
from npgan.gradient_check import check
from npgan.layers import Linear
from npgan.mlp import MLP

backend.use(floatX="float64")
rng = RandomStream(1)
net, X = MLP([Linear(4, 3, 1., rng), Gain(3)]), rng.normal((5, 4))
assert check(net, X).ok
net.fprop(X)
net.bprop(rng.normal((5, 3)))
assert (net.grad[-3:] != 0).all()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", inspect.cleandoc(CODE[2]) + use], cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": PYTHONPATH}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_what_the_readme_names_is_there():
    text = (ROOT / "README.rst").read_text()
    for path in re.findall(r"``((?:npgan|examples|tests|data)/[\w/.]*)``|image:: (\S+)", text):
        assert (ROOT / "".join(path)).exists(), path
