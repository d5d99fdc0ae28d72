"""
Saving a run so that it goes on bit for bit, and a trained generator so that it draws samples.

A checkpoint is a file of `npgan.checkpoint.archive`.  Its header has ``run``, what the script says (layers with their
constructor arguments, noise prior, data set and its checksum, batch size, seeds, learning rules, settings),
``arithmetic``, what rounds its sums, and ``streams`` and ``state``, how far streams, schedules and counts have come.
Its arrays are ``theta_g``, ``theta_d`` and those of the state, such as ``rule_G.velocity``.  The state is what each
part of the run
(the `Train`, its step, a rule, an extension) lists in its `state_names`: attributes that are numbers, strings, None,
lists and dicts of those, or arrays.
"""
import math
import os
import warnings
from itertools import count
from pathlib import Path

import numpy as np

from npgan import backend
from npgan.adversarial import AdversaryPair
from npgan.backend import RandomStream, to_numpy, xp
from npgan.checkpoint.archive import SettingsDiffer, blaming, read, write
from npgan.checkpoint.description import Saved, build, build_generator, describe, difference
from npgan.checkpoint.run_state import LATER, arithmetic, check_states, describe_run, fitting, states_among, streams
from npgan.checks import check_positive_ints
from npgan.files import printable, size_of
from npgan.schedules import PolyakAverage
from npgan.train import stateful, stateful_extensions

DTYPES = "float16", "float32", "float64"


class Checkpoint:
    """
    What `load` found in a file; the nets it makes compute in the backend's floatX.

    Their parameters are the `PolyakAverage` of the saved net if there was one, or its own if `average` is False.  `rng`
    draws noise and dropout's masks, by default ``RandomStream(2014)``.  Any of them raises a `CheckpointError` if the
    file does not hold such a net.

    Parameters
    ----------
    path : path
    header : dict
        As at the top of this room; ``header["note"]`` is what `save_generator` was told.
    arrays : dict of numpy array
        Not writable.
    """

    def __init__(self, path, header, arrays):
        self.path, self.header, self.arrays = path, header, arrays

    def generator(self, average=True, rng=None):
        """The `Generator`, ready to sample."""
        rng = rng or RandomStream(2014)
        with blaming(self.path):
            saved = self.header["run"]["generator"]
            return build_generator(saved, self._net(saved["mlp"], "theta_g", average, rng), rng)

    def discriminator(self, average=True, rng=None):
        """The discriminator, an `MLP`."""
        with blaming(self.path):
            if "discriminator" not in self.header["run"]:
                raise ValueError("a generator alone")
            return self._net(self.header["run"]["discriminator"], "theta_d", average, rng or RandomStream(2014))

    def pair(self, average=True, rng=None):
        """Both, an `AdversaryPair`."""
        rng = rng or RandomStream(2014)
        with blaming(self.path):
            return AdversaryPair(self.generator(average, rng), self.discriminator(average, rng))

    @property
    def history(self):
        """The channels that the run's `Monitor` recorded, lists of float by name; empty without one."""
        with blaming(self.path):
            state = self.header.get("state", {}).items()
            history = next((value for name, value in state if name.endswith(".history")), {})
            return fitting("the history", history, {})

    def _net(self, description, name, average, rng):
        theta = self.arrays[self.header["averages"].get(name, name) if average else name]
        with np.errstate(over="ignore"):
            numbers = theta.astype(backend.floatX, copy=False)
        if theta.dtype.kind != "f" or not np.isfinite(numbers).all():
            raise ValueError(f"{name} of {theta.dtype}, where numbers should be that are finite in {backend.floatX}")
        net = build(description, Saved(numbers), rng)
        net.theta[...] = backend.asarray(numbers).reshape(net.theta.shape)
        return net


class Saving:
    """
    Saves the run after its epochs, as an extension of `Train`; no extension with `state_names` may come after it.

    Parameters
    ----------
    path : path
        Replaced each time; a file of another run's that is there the first time is renamed, see `set_aside`.
    every : int
        Epochs from one time to the next; the last epoch is a time, too, whoever ends the training.
    """

    def __init__(self, path, every=1):
        check_positive_ints(every=every)
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"path must be the path of a file, got {path!r}")
        self.path, self.every, self.described, self.saved = Path(path), every, None, False
        if not self.path.parent.is_dir():
            raise ValueError(f"there is no folder {self.path.parent} for {self.path.name}; make it, or choose another")
        if self.path.is_dir():
            raise ValueError(f"{self.path} is a folder: give the path of a file")

    def on_monitor(self, train):
        """Save, if the epoch is one of every `every`."""
        later = train.extensions[train.extensions.index(self):]
        missed = [type(extension).__name__ for extension in later if hasattr(extension, "state_names")]
        if missed:
            raise ValueError(f"{type(self).__name__} would miss what {', '.join(missed)} does after it; put it last")
        if self.described is None:
            check_states(train)
            self.described = describe_run(train)
        if self.is_time(train):
            self.save(train)

    def on_signal(self, train):
        """Save, be it in the midst of an epoch, as SIGINT or SIGTERM is about to end the training."""
        self.save(train)

    def save(self, train):
        """Save now, but not before training, nor what is no longer finite."""
        if train.updates:
            if train.rest is not None:                          # after an epoch `Train` has looked already
                train.check_finite()
            if not (self.saved or self.is_own(train)):
                set_aside(self.path)
            save(self.path, train)
            self.saved, train.checkpoint = True, str(self.path)
            changed = self.described and difference(self.described, describe_run(train))
            if changed:
                where, there, here = changed
                self.described = {}                             # once is enough
                warnings.warn(f"{where} was {there!r} when the run began and is {here!r}: only what is built with the "
                              f"latter goes on from {self.path}; what changes in training belongs into state_names",
                              stacklevel=2)

    def is_own(self, train):
        """Whether the file that is there is the one that the run went on from, or has saved by another extension."""
        known = filter(None, (train.restored, train.checkpoint))
        return os.path.realpath(self.path) in map(os.path.realpath, known)

    def is_time(self, train):
        """Whether to save now; the last epoch of the training is a time, too."""
        return train.epoch % self.every == 0 or train.stop or train.epoch == train.max_epochs


def set_aside(path):
    """Rename the file `path`, if there is one, to name_previous1.npz or the first such that is free, and warn of it."""
    path = Path(os.path.realpath(path))
    if path.exists():                                           # it may have taken hours
        size_of(path)
        names = (path.with_name(f"{path.stem}_previous{i}{path.suffix}") for i in count(1))
        kept = next(name for name in names if not name.exists())
        os.replace(path, kept)
        warnings.warn(f"{path.name}, of an earlier run, is {kept.name} now", stacklevel=2)


class MonitorBasedSaveBest(Saving):
    """
    Saves the run whenever a channel reaches its best value yet, as Pylearn2's extension of that name.

    Parameters
    ----------
    path : path
        As in `Saving`.
    monitor : Monitor
        It, and what records in its history, comes before; a `Saving` comes after, so that whoever goes on from a run
        that was killed between the two measures this epoch again.
    channel : str
        Such as "valid_log_likelihood", which `LogLikelihood` records; a NaN counts for nothing.
    higher_is_better : bool
    """

    def __init__(self, path, monitor, channel, higher_is_better=True):
        super().__init__(path)
        self.monitor, self.channel, self.sign = monitor, channel, 1 if higher_is_better else -1

    def on_signal(self, train):
        """Save nothing: the latest run is not the best."""

    def is_own(self, train):
        """Whether the run went on, from its latest checkpoint as a rule: then this is the best one of its own."""
        return train.restored is not None

    def is_time(self, train):
        history = self.monitor.history
        if self.channel not in history:
            raise ValueError(f"nothing records a channel {self.channel!r}; the monitor has {', '.join(history)}")
        epochs = history.get(f"{self.channel}_epoch", history["epoch"])
        *before, value = (self.sign * value for value in history[self.channel])
        return epochs[-1] == train.epoch and value > max((v for v in before if not math.isnan(v)), default=-math.inf)


def save(path, train):
    """
    Write all that a run needs to go on bit for bit; between updates: `Saving` does after epochs, and on a signal.

    On CuPy the streams go on from new places (see `RandomStream.state`), here and in a run restored from the file.

    Parameters
    ----------
    path : path
        Replaced by the whole checkpoint or, whatever fails, left as it was.
    train : Train

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    G, D, parts = train.step.pair.generator, train.step.pair.discriminator, stateful(train)
    state = {f"{name}.{attribute}": getattr(part, attribute)
             for name, part in parts.items() for attribute in part.state_names}
    arrays = {name: to_numpy(value) for name, value in state.items() if hasattr(value, "shape")}
    averages = {theta: f"{name}.theta" for theta, nets in (("theta_g", (G, G.mlp)), ("theta_d", (D,)))
                for name, part in parts.items() if isinstance(part, PolyakAverage) and part.net in nets}
    header = {"run": describe_run(train), "arithmetic": arithmetic(), "averages": averages,
              "streams": [stream.state for stream in streams(train)],
              "state": {name: value for name, value in state.items() if name not in arrays}}
    write(path, header, {"theta_g": to_numpy(G.theta), "theta_d": to_numpy(D.theta), **arrays})


def save_generator(path, generator, theta=None, dtype="float16", note=None):
    """
    Write a trained generator alone, small enough to hand on.

    Parameters
    ----------
    path : path
    generator : Generator
    theta : array, optional
        Parameters in place of its own, such as ``average.theta``.
    dtype : "float16", "float32" or "float64"
        What they are rounded to; float16 has 11 bits of precision.
    note : dict, optional
        How it came about, in plain numbers and strings: command, seed, epochs, log-likelihood.

    Raises
    ------
    ValueError
        If theta is of another size, not finite, or too large for `dtype`, or if that is none of the three.
    OSError
        If the file cannot be written.
    """
    if getattr(dtype, "__name__", str(dtype)) not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    theta = to_numpy(generator.theta if theta is None else theta)
    if theta.shape != generator.theta.shape:
        raise ValueError(f"theta must be of shape {generator.theta.shape}, got {theta.shape}")
    if not np.isfinite(theta).all():
        raise ValueError("theta has NaN or infinity, which no generator to hand on has")
    largest = np.abs(theta).max()
    if not largest <= np.finfo(dtype).max:
        raise ValueError(f"parameters of magnitudes up to {largest:g} do not fit into {dtype}; choose a wider dtype")
    write(path, {"run": {"generator": describe(generator)}, "averages": {}, "note": note},
          {"theta_g": theta.astype(dtype)})


def load(path):
    """
    Read a file that `save` or `save_generator` wrote, trusting nothing in it.

    Parameters
    ----------
    path : path

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        If it is missing, damaged or no checkpoint.
    """
    return Checkpoint(path, *read(path))


def restore(path, train):
    """
    Put a saved run back into a `Train` built in the same way: its `main_loop` goes on as if it had never stopped.

    It does so bit for bit where the arithmetic is the same: the backend, NumPy, the processor's kind and the number of
    BLAS threads decide how sums are rounded.  A warning tells what differs.  On CuPy the epochs after which it is saved
    have to be the same as well, see `save`.

    Parameters
    ----------
    path : path
    train : Train

    Raises
    ------
    CheckpointError
        If the file is damaged, or its run has other layers, data, seeds, learning rules, extensions or settings.
    """
    saved = load(path)
    with blaming(path):
        if "state" not in saved.header:
            raise ValueError("a generator alone")
        run = saved.header["run"]
        for part, known in zip(stateful_extensions(train), run["extensions"]):
            for name in getattr(part, "free_names", ()):
                known.pop(name, None)                           # npgan's first files have them
        clash = difference(run, {name: value for name, value in describe_run(train).items()
                                 if name in run or name not in LATER})
        if clash:
            raise SettingsDiffer(path, *clash)
        G, D = train.step.pair.generator, train.step.pair.discriminator
        values = {**saved.header["state"], **saved.arrays}
        states = list(states_among(values, train))
        thetas = [(net, fitting(name, values[name], net.theta)) for name, net in (("theta_g", G), ("theta_d", D))]
        places = saved.header["streams"]
        if len(places) != len(streams(train)):
            raise ValueError(f"{len(places)} random streams, where there are {len(streams(train))}")
        if not all(map(RandomStream.possible, places)):
            raise ValueError("a place that no random stream has")       # before anything is changed
        for net, theta in thetas:
            net.theta[...] = xp.asarray(theta)
        for part, state in states:
            for attribute, value in state.items():
                setattr(part, attribute, xp.array(value) if hasattr(value, "shape") else value)
        for stream, place in zip(streams(train), places):
            stream.state = place
        changed = "arithmetic" in saved.header and difference({"ranks": 1, **saved.header["arithmetic"]}, arithmetic())
    train.checkpoint = train.restored = str(path)
    train.monitored, train.under_way = True, None
    if changed:
        what, there, here = changed[0], *(repr(value)[:40] for value in changed[1:])
        warnings.warn(printable(f"{path} was computed with {what} = {there}, this run with {here}: it goes on close to "
                                "the way it would have gone, but not bit for bit"), stacklevel=2)
