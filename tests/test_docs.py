"""Public docstrings are complete, and the README's code runs as pasted."""
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
from npgan.adversarial import algorithm_1

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


# Faults that numpydoc's own validator reports: text or sections out of place, unknown or empty sections, parameters
# that the function does not have, or whose type is not given as such.
NUMPYDOC = {"GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "PR02", "PR05", "PR10"}


def faults(name, thing, owner):
    """Return what a docstring lacks: a summary of one line, a parameter's name, the form that numpydoc requires."""
    family = (thing if inspect.isclass(thing) else owner).__mro__[:-1] if owner or inspect.isclass(thing) else ()
    docs = [inspect.getdoc(thing), *(inspect.getdoc(kind) for kind in family)]
    docs += [inspect.getdoc(getattr(kind, name.split(".")[-1], None)) for kind in family]
    if not docs[0]:
        return ["no docstring"]
    lines = docs[0].splitlines() + [""]
    found = [] if lines[0] and not lines[1] else ["the summary must be one line, followed by a blank one"]

    function = thing.__init__ if inspect.isclass(thing) else thing
    if inspect.isfunction(function):
        words = set(re.findall(r"\w+", " ".join(filter(None, docs))))
        parameters = [p.name for p in inspect.signature(function).parameters.values() if p.kind != p.VAR_KEYWORD]
        found += [f"no word on {p}" for p in parameters if p not in words | {"self", "train"}]
    return found + [message for code, message in validate(name)["errors"] if code in NUMPYDOC]


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_are_complete(room):
    """Each parameter is explained in a Parameters section or, in short docstrings, named in the text."""
    assert importlib.import_module(room).__doc__
    assert not [f"{name}: {fault}" for name, thing, owner in public(room) for fault in faults(name, thing, owner)]


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
    own_layer, own_parameters, own_data = map(inspect.cleandoc, CODE)
    assert len(ast.parse(own_data).body) <= 11                          # two of them import npgan
    assert len([line for line in own_layer.splitlines() if line.strip()]) <= 20
    assert len([line for line in own_parameters.splitlines() if line.strip()]) <= 20


def test_the_readmes_layer_of_its_own_parameters_learns_and_is_saved(tmp_path):
    use = """
from npgan import checkpoint
from npgan.adversarial import Generator
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

net.theta -= .1 * net.grad
checkpoint.save_generator("gain.npz", Generator(net, rng=rng), dtype="float64")
loaded = checkpoint.load("gain.npz").generator().mlp
assert type(loaded.layers[1]) is Gain and (loaded.fprop(X) == net.fprop(X)).all()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", inspect.cleandoc(CODE[1]) + use], cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": PYTHONPATH}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_algorithm_1_in_the_readme_is_the_code():
    block = re.search(r"parameters::\n\n((?:    .*\n|\n)+)", (ROOT / "README.rst").read_text())[1]
    source = [line.strip() for line in inspect.getsource(algorithm_1).splitlines()]
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    assert len(lines) == 9 and [line for line in source if line in lines] == lines


def test_the_readme_is_short():
    """At most 1,500 words of prose; code, tables and directives do not count."""
    prose = [line for line in (ROOT / "README.rst").read_text().splitlines()
             if not re.match(r" {3}|\.\. |=+|\S.*  +\S", line) or line.startswith("- ")]
    assert 500 < len(" ".join(prose).split()) <= 1500


PAGES = [path for path in ROOT.rglob("*.rst") if not path.is_relative_to(ROOT / "build")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"``((?:npgan|examples|tests|data)/[\w/.]*)``", text):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"image:: (\S+)", text):
        assert (page.parent / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_no_errors_of_markup(page):
    docutils = pytest.importorskip("docutils.core")
    docutils.publish_doctree(page.read_text(encoding="utf-8"), source_path=str(page),
                             settings_overrides={"report_level": 2, "halt_level": 2})
