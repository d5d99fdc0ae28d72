"""
What a training run consists of, for checkpoints: its streams, its parts with state, what says that two runs are one.

The state is what each part (the `Train`, its step, a rule, an extension) lists in its `state_names`.
"""
import ctypes
import hashlib
import json
import math
import os
from functools import lru_cache

import numpy as np

from npgan.backend import to_numpy, xp
from npgan.blas import openblas
from npgan.description import describe, settings


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
    """What a run and its checkpoint must have in common, in JSON's terms."""
    step, dataset = train.step, train.dataset
    return json.loads(json.dumps({
        "floatX": str(step.pair.generator.theta.dtype),
        "generator": describe(step.pair.generator), "discriminator": describe(step.pair.discriminator),
        "dataset": {"name": dataset.name, "rows": len(dataset), "shape": dataset.shape, "sha256": checksum(dataset)},
        "batch_size": train.batch_size, "seeds": [stream.seed for stream in streams(train)],
        "step": settings(step), "generator_loss": settings(step.generator_loss),
        **({"discriminator_loss": settings(step.discriminator_loss)} if hasattr(step, "discriminator_loss") else {}),
        "extensions": [settings(part) for name, part in stateful(train).items() if name.startswith("extensions")]}))


@lru_cache(maxsize=1)
def checksum(dataset):
    """The SHA-256 sum of the bytes of X."""
    return hashlib.sha256(np.ascontiguousarray(to_numpy(dataset.X))).hexdigest()


def arithmetic():
    """What decides how sums are rounded, in JSON's terms; threads and kernels of BLAS are None where not known."""
    threads, kernels = openblas("openblas_get_num_threads", "openblas_get_corename")
    if kernels:
        kernels.restype = ctypes.c_char_p
    return {"backend": xp.module.__name__, "NumPy": np.__version__, "kernels": kernels and kernels().decode(),
            "threads": threads and threads(), "cores": os.cpu_count()}


def fitting(name, value, like):
    """The `value` that a file has for `name`, if the state of a run can have it where a new run has `like`."""
    if hasattr(like, "shape"):                              # an array; one of whole numbers has some rows of the data
        fits = getattr(value, "dtype", None) == like.dtype and (
            value.shape == like.shape and np.isfinite(value).all() if like.dtype.kind == "f" else
            value.ndim == 1 and len(value) <= len(like) and np.isin(value, to_numpy(like)).all())
    elif isinstance(like, dict):
        fits = isinstance(value, dict) and all(isinstance(numbers, list) and all(type(number) in (int, float)
                                               for number in numbers) for numbers in value.values())
    elif isinstance(like, list):
        fits = isinstance(value, list) and len(value) == len(like)
        fits = fits and [fitting(name, *pair) for pair in zip(value, like)] == value
    elif type(like) in (int, float):
        fits = type(value) in (int, type(like)) and 0 <= value < math.inf
    else:
        fits = isinstance(value, type(like))
    if not fits:
        raise ValueError(f"{name} = {str(value)[:40]}, where a run could not come")
    return value
