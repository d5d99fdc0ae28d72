"""
The parts of a training run, what identifies the run, and its state.

The parts are the `Train`, its step, the learning rules, and the extensions that list `argument_names` or `state_names`.
`argument_names` lists the arguments of a part's constructor that identify it: a saved run is resumed only by a run that
agrees in all of them.  `state_names` lists the attributes that training changes: a checkpoint keeps them.
"""
import ctypes
import os
import sys

import numpy as np

from npgan.backend import to_numpy, xp
from npgan.checkpoint.description import describe
from npgan.kernels.blas import find_in_openblas
from npgan.train import name_parts


def list_streams(train):
    """Return the random streams of a run, each once."""
    return list(dict.fromkeys([train.rng, *train.step.pair.streams]))


def describe_run(train):
    """Return what identifies a run, in JSON's terms: a dict."""
    G, D, parts = train.step.pair.generator, train.step.pair.discriminator, name_parts(train)
    del parts["train"]
    names = {id(part): name for name, part in {"generator": G, "generator.mlp": G.mlp, "discriminator": D,
                                               **parts}.items()}
    return {"floatX": str(G.theta.dtype), "generator": describe(G), "discriminator": describe(D),
            "dataset": describe(train.dataset), "batch_size": int(train.batch_size),
            "seeds": [stream.seed for stream in list_streams(train)],
            **{name: describe(part, names) for name, part in parts.items()}}


def describe_arithmetic():
    """Return what decides how sums are rounded, in JSON's terms: a dict, with None for what BLAS does not report."""
    threads, kernels = find_in_openblas("openblas_get_num_threads", "openblas_get_corename")
    if kernels:
        kernels.restype = ctypes.c_char_p
    return {"backend": xp.module.__name__, "NumPy": np.__version__, "kernels": kernels and kernels().decode(),
            "threads": threads and threads(), "cores": os.cpu_count(),
            "ranks": sys.modules["mpi4py.MPI"].COMM_WORLD.size if "mpi4py.MPI" in sys.modules else 1}


def find_difference(there, here, where=""):
    """Return the first place where JSON values `there` and `here` differ, and both values; None if they are equal."""
    if isinstance(there, dict) and isinstance(here, dict):
        inner = ((there.get(key), here.get(key), f"{where}.{key}".lstrip(".")) for key in {**there, **here})
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        inner = ((*both, f"{where}[{i}]") for i, both in enumerate(zip(there, here)))
    else:
        return None if there == here else (where, there, here)
    return next(filter(None, (find_difference(*each) for each in inner)), None)


def gather_state(train):
    """
    Return the state of a run in two dicts, what JSON keeps and arrays, by names such as "rule_G.velocity".

    The lists of floats in a dict, such as the channels of a monitor's history, are arrays of their own, with names such
    as "extensions[0].history/epoch": JSON would be slow for long ones.

    Raises
    ------
    TypeError
        For a state that JSON would return changed.
    """
    plain, arrays = {}, {}
    for name, part, attribute in list_state(train):
        value = getattr(part, attribute)
        if getattr(value, "ndim", 0):
            arrays[name] = to_numpy(value)
            continue
        if isinstance(value, dict):
            series = {key: numbers for key, numbers in value.items() if is_series(numbers)}
            arrays.update({f"{name}/{key}": np.array(numbers) for key, numbers in series.items()})
            value = {key: other for key, other in value.items() if key not in series}
        check_plain(name, value)
        plain[name] = value
    return plain, arrays


def list_state(train):
    """Return the name in a checkpoint, the part and the attribute of each state of a run: a list of tuples."""
    return [(f"{name}.{attribute}", part, attribute) for name, part in name_parts(train).items()
            for attribute in getattr(part, "state_names", ())]


def is_series(value):
    """Return whether `value` is a list of one float or more."""
    return isinstance(value, list) and len(value) > 0 and all(type(number) is float for number in value)


def check_plain(name, value):
    """Raise TypeError if JSON would not return the `value` of the state `name` as it is."""
    if isinstance(value, tuple) or isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        raise TypeError(f"{name} holds {value!r:.80}, which would come back as another; a checkpoint keeps numbers, "
                        "strings, None, lists, dicts with strings for keys, and arrays")
    for part in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        check_plain(name, part)


def place_state(train, header, arrays):
    """Give the parts and the random streams of a run the state in the `header` and the `arrays` of a checkpoint."""
    state, streams = {**header["state"], **arrays}, list_streams(train)
    for name, array in arrays.items():
        whole, mark, key = name.partition("/")
        if mark:
            state[whole] = {**state[whole], key: array.tolist()}
    values = [(part, attribute, state[name]) for name, part, attribute in list_state(train)]
    if len(header["streams"]) != len(streams) or any(place["state"]["inc"] % 2 != 1 for place in header["streams"]):
        raise ValueError("states that no random stream has")    # with an even inc, it could repeat one number for ever
    for stream, place in zip(streams, header["streams"]):
        stream.state = place
    for net, name in (train.step.pair.generator, "theta_g"), (train.step.pair.discriminator, "theta_d"):
        net.theta[...] = xp.asarray(state[name])
    for part, attribute, value in values:
        setattr(part, attribute, xp.array(value) if hasattr(value, "shape") else value)
