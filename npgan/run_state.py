"""
What a training run consists of, for checkpoints: its streams, its parts with state, what says that two runs are one.

The state is what each part (the `Train`, its step, a rule, an extension) lists in its `state_names`.
"""
import ctypes
import hashlib
import json
import math
import os
import sys
from weakref import WeakKeyDictionary

import numpy as np

from npgan.archive import number_in
from npgan.backend import RandomStream, to_numpy, xp
from npgan.blas import openblas
from npgan.datasets import Dataset
from npgan.description import describe, settings
from npgan.learning_rule import LearningRule

LATER = "rule_G", "rule_D", "described"                 # of a run's description, which npgan's first files lack
ADDED = {"rest": None, "stop": False, "looks": {}}      # to the state since, with what the lack of them means
WHOLE = 2**53                                           # beyond any count; what is below is exact as a float
SUMS = WeakKeyDictionary()                              # of the data sets


def streams(train):
    """The random streams of a run, each once."""
    return list(dict.fromkeys([train.rng, *train.step.pair.streams]))


def stateful(train):
    """What has `state_names`, by the name that a checkpoint gives it."""
    step = train.step
    extensions = [extension for extension in train.extensions if hasattr(extension, "state_names")]
    parts = {"train": train, "step": step, "rule_G": step.rule_G, "rule_D": step.rule_D,
             **{f"extensions[{i}]": extension for i, extension in enumerate(extensions)}}
    return {name: part for name, part in parts.items() if hasattr(part, "state_names")}


def describe_run(train):
    """
    What a run and its checkpoint must have in common, in JSON's terms.

    Of parts with `state_names` that is their other numbers and strings; an extension may add `argument_names`, which
    count without `state_names` as well.  Players, rules and extensions among them go by their names in the run.
    """
    step, parts = train.step, stateful(train)
    G, D = step.pair.generator, step.pair.discriminator
    names = {id(part): name for name, part in (
        *((f"extensions[{i}]", extension) for i, extension in enumerate(train.extensions)), ("rule_G", step.rule_G),
        ("rule_D", step.rule_D), ("generator", G), ("generator.mlp", G.mlp), ("discriminator", D))}
    return json.loads(json.dumps({
        "floatX": str(step.pair.generator.theta.dtype),
        "generator": describe(step.pair.generator), "discriminator": describe(step.pair.discriminator),
        "dataset": train.dataset,
        "batch_size": train.batch_size, "seeds": [stream.seed for stream in streams(train)],
        "step": settings(step), "generator_loss": settings(step.generator_loss),
        **({"discriminator_loss": settings(step.discriminator_loss)} if hasattr(step, "discriminator_loss") else {}),
        "extensions": [settings(part) for name, part in parts.items() if name.startswith("extensions")],
        **{name: settings(rule) if name in parts else {"kind": type(rule).__name__}
           for name, rule in (("rule_G", step.rule_G), ("rule_D", step.rule_D))},
        "described": [describe(extension) for extension in train.extensions if hasattr(extension, "argument_names")],
    }, default=lambda thing: names.get(id(thing)) or told(thing)))


def told(thing):
    """What JSON, which knows but numbers and strings, is told of a `thing` in the description of a run."""
    if isinstance(thing, Dataset):
        return {"name": thing.name, "rows": len(thing), "shape": thing.shape, "sha256": checksum(thing)}
    if isinstance(thing, RandomStream):
        return thing.seed
    if isinstance(thing, LearningRule):
        return settings(thing)
    return describe(thing) if hasattr(thing, "argument_names") else number_in(thing)


def checksum(dataset):
    """The SHA-256 sum of the bytes of the X of a `dataset`, which is taken once."""
    if dataset not in SUMS:
        SUMS[dataset] = hashlib.sha256(np.ascontiguousarray(to_numpy(dataset.X))).hexdigest()
    return SUMS[dataset]


def arithmetic():
    """What decides how sums are rounded, in JSON's terms; threads and kernels of BLAS are None where not known."""
    threads, kernels = openblas("openblas_get_num_threads", "openblas_get_corename")
    if kernels:
        kernels.restype = ctypes.c_char_p
    return {"backend": xp.module.__name__, "NumPy": np.__version__, "kernels": kernels and kernels().decode(),
            "threads": threads and threads(), "cores": os.cpu_count(),
            "ranks": sys.modules["mpi4py.MPI"].COMM_WORLD.size if "mpi4py.MPI" in sys.modules else 1}


def check_plain(name, value):
    """Refuse a `value` of the state `name` that a file would not give back as it is: JSON knows lists, and strings."""
    if isinstance(value, tuple) or isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        raise TypeError(f"{name} holds {value!r:.80}, which would come back as another; a checkpoint keeps numbers, "
                        "strings, None, lists, dicts with strings for keys, and arrays")
    for part in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        check_plain(name, part)


def states_among(values, train):
    """Each part of a run, and its state among the `values` of a file as a dict, as a run could have it."""
    pair, rows = train.step.pair, np.arange(len(train.dataset))
    started = {"rule_G.velocity": pair.generator.theta, "rule_D.velocity": pair.discriminator.theta, "train.rest": rows}
    for name, part in stateful(train).items():
        state = {}
        for attribute in part.state_names:
            key = f"{name}.{attribute}"
            value = values[key] if key in values or attribute not in ADDED else ADDED[attribute]
            known = key in started or type(part).__module__.startswith("npgan.")        # others know their own state
            if known and not (value is None and key in started):
                value = fitting(key, value, started.get(key, getattr(part, attribute)))
            state[attribute] = value
        if hasattr(part, "can_have") and not part.can_have(state):
            told = ", ".join(f"{name}.{attribute} = {value!s:.40}" for attribute, value in state.items())
            raise ValueError(f"{told}, where a run could not come")
        yield part, state


def fitting(name, value, like):
    """The `value` that a file has for `name`, if the state of a run can have it where a new run has `like`."""
    value, like = (each.item() if getattr(each, "ndim", None) == 0 else each for each in (value, like))
    if hasattr(like, "shape"):                              # an array; one of whole numbers has some rows of the data
        fits = getattr(value, "dtype", None) == like.dtype and (
            value.shape == like.shape and np.isfinite(value).all() if like.dtype.kind == "f" else
            value.ndim == 1 and len(value) <= len(like) and np.isin(value, to_numpy(like)).all())
    elif isinstance(like, dict):                            # of a monitor
        fits = isinstance(value, dict) and all(
            isinstance(numbers, list) and numbers and all(type(number) is float or type(number) is int and
                                                          abs(number) < WHOLE for number in numbers)
            for numbers in value.values())
    elif isinstance(like, list):
        fits = isinstance(value, list) and len(value) == len(like)
        fits = fits and [fitting(name, *pair) for pair in zip(value, like)] == value
    elif type(like) in (int, float):
        fits = type(value) in (int, type(like)) and 0 <= value < (WHOLE if type(value) is int else math.inf)
    else:
        fits = isinstance(value, type(like))
    if not fits:
        raise ValueError(f"{name} = {str(value)[:40]}, where a run could not come")
    return value
