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
from copy import copy
from weakref import WeakKeyDictionary

import numpy as np

from npgan.backend import RandomStream, to_numpy, xp
from npgan.checkpoint.archive import number_in
from npgan.checkpoint.description import describe, settings
from npgan.datasets import Dataset
from npgan.kernels.blas import openblas
from npgan.learning_rule import LearningRule
from npgan.train import stateful, stateful_extensions

LATER = "rule_G", "rule_D", "described", "relations"    # of a run's description, which npgan's first files lack
SERVED = "rules", "net", "average"                      # attributes by which an extension holds other parts of a run
ADDED = {"rest": None, "stop": False, "saturation": {}}      # to the state since, with what the lack of them means
WHOLE = 2**53                                           # beyond any count; what is below is exact as a float
SUMS = WeakKeyDictionary()                              # of the data sets


def streams(train):
    """The random streams of a run, each once."""
    return list(dict.fromkeys([train.rng, *train.step.pair.streams]))


def describe_run(train):
    """
    What a run and its checkpoint must have in common, in JSON's terms.

    Of parts with `state_names` that is their other numbers and strings; an extension may add `argument_names`, which
    count without `state_names` as well.
    """
    step, parts = train.step, stateful(train)
    return json.loads(json.dumps({
        "floatX": str(step.pair.generator.theta.dtype),
        "generator": describe(step.pair.generator), "discriminator": describe(step.pair.discriminator),
        "dataset": train.dataset,
        "batch_size": train.batch_size, "seeds": [stream.seed for stream in streams(train)],
        "step": settings(step),
        **{loss: settings(getattr(step, loss)) for loss in ("generator_loss", "discriminator_loss")
           if hasattr(step, loss)},
        "extensions": [settings(part) for part in stateful_extensions(train)],
        **{name: settings(rule) if name in parts else {"kind": type(rule).__name__}
           for name, rule in (("rule_G", step.rule_G), ("rule_D", step.rule_D))},
        "described": [describe(extension) for extension in train.extensions if hasattr(extension, "argument_names")],
        "relations": relations(train),
    }, default=told))


def relations(train):
    """For each extension that serves others, such as a schedule its rules, the names in the run of what it serves."""
    step = train.step
    G, D = step.pair.generator, step.pair.discriminator
    names = {id(part): name for name, part in {"generator": G, "generator.mlp": G.mlp, "discriminator": D,
                                               "rule_G": step.rule_G, "rule_D": step.rule_D, **stateful(train)}.items()}

    def named(thing):
        if isinstance(thing, list):
            return [named(part) for part in thing]
        return names.get(id(thing), type(thing).__name__)

    served = ({name: named(getattr(extension, name)) for name in SERVED if hasattr(extension, name)}
              for extension in train.extensions)
    return [each for each in served if each]


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


def is_ours(part):
    """Whether npgan knows what the state of a `part` can be, and not its user alone."""
    return type(part).__module__.startswith("npgan.")


def check_states(train):
    """Refuse states, of parts that npgan does not know, that would come back as others; see `check_plain`."""
    for name, part in stateful(train).items():
        for attribute in () if is_ours(part) else part.state_names:
            check_plain(f"{name}.{attribute}", getattr(part, attribute))


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
            ours = is_ours(part)                                # others know their own state
            value = copy(ADDED[attribute]) if ours and attribute in ADDED and key not in values else values[key]
            if (ours or key in started) and not (value is None and key in started):
                value = fitting(key, value, started.get(key, getattr(part, attribute)))
            state[attribute] = value
        if hasattr(part, "can_have") and not part.can_have(state):
            words = ", ".join(f"{name}.{attribute} = {value!s:.40}" for attribute, value in state.items())
            raise ValueError(f"{words}, where a run could not come")
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
            isinstance(numbers, list) and all(type(number) is float or type(number) is int and abs(number) < WHOLE
                                              for number in numbers) for numbers in value.values())
    elif isinstance(like, list):
        fits = isinstance(value, list) and len(value) == len(like)
        fits = fits and [fitting(name, *pair) for pair in zip(value, like)] == value
    elif isinstance(like, bool):
        fits = value in (False, True)
    elif type(like) in (int, float):
        fits = type(value) in (int, type(like)) and 0 <= value < (WHOLE if type(value) is int else math.inf)
    else:
        fits = isinstance(value, type(like))
    if not fits:
        raise ValueError(f"{name} = {str(value)[:40]}, where a run could not come")
    return value
