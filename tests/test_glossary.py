"""The glossary and Table 2: every name they give is there."""
import ast
import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest
from differences import small_pair
from scripts import ROOT

import npgan
from npgan.adversarial import SeparateSteps
from npgan.backend import RandomStream
from npgan.datasets import Dataset
from npgan.learning_rule import Momentum
from npgan.train import Train

TEXT = "".join((ROOT / "examples" / name).read_text(encoding="utf-8") for name in ("glossary.rst", "table2.rst"))


for room in pkgutil.walk_packages(npgan.__path__, "npgan."):
    importlib.import_module(room.name)


@pytest.fixture(scope="module")
def instances():
    """One of each class whose attributes are made by its constructor."""
    pair, data = small_pair(RandomStream(1)), Dataset(np.zeros((4, 4)))
    step = SeparateSteps(pair, Momentum(.1), Momentum(.1))
    return {type(thing): thing for thing in
            (pair, pair.generator, pair.discriminator, step.rule_G, data, Train(step, data, 2, RandomStream(2)))}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"``(npgan[\w.]*)``", TEXT))))
def test_every_name_is_there(name, instances):
    thing = npgan
    for attribute in name.split(".")[1:]:
        thing = getattr(instances.get(thing, thing) if inspect.isclass(thing) else thing, attribute)


def test_no_name_is_overlooked():
    assert len(re.findall(r"npgan\.\w", TEXT)) == len(re.findall(r"``npgan\.[\w.]*``", TEXT)) > 50


def test_every_argument_is_one():
    told = re.findall(r"argument ``(\w+)`` of\s+``([\w.]+)\.(\w+)``", TEXT)
    assert len(told) == TEXT.count("rgument ``") >= 5
    for argument, room, name in told:
        assert argument in inspect.signature(getattr(importlib.import_module(room), name)).parameters


def test_every_script_is_there_and_what_toy_is_to_hold():
    paths = re.findall(r"``(?:python )?(examples/\w+\.py)", TEXT)
    assert paths and all((ROOT / path).exists() for path in paths)
    names = {node.name for node in ast.walk(ast.parse((ROOT / "examples" / "toy.py").read_text(encoding="utf-8")))
             if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assert {"optimum", "Grid", "JSD", "KL"} <= names
