"""
Saving a run, so that it can be resumed bit for bit, and a trained generator, so that it draws samples elsewhere.

The header of a run's checkpoint has ``run``, which identifies the run (layers with the arguments of their constructors,
noise prior, data set with its checksum, batch size, random seeds, the settings of the other parts); ``arithmetic``,
which decides how sums are rounded; ``streams``, the states of the random streams; ``state``, that of the other parts;
and ``averages``, by which names the average of a net is found.  The arrays are ``theta_g``, ``theta_d`` and those of
the state, such as ``rule_G.velocity``.
"""
import math
import os
import warnings
from itertools import count
from pathlib import Path

import numpy as np

from npgan.backend import to_numpy
from npgan.checkpoint.archive import write
from npgan.checkpoint.description import describe
from npgan.checkpoint.run_state import describe_arithmetic, describe_run, gather_state, list_streams
from npgan.checks import check_positive_ints
from npgan.files import size_of
from npgan.schedules import PolyakAverage
from npgan.train import is_part, name_parts

DTYPES = "float16", "float32", "float64"


def save(path, train):
    """
    Write all that a run needs to be resumed bit for bit; call it between updates, as `Saving` does.

    On CuPy, reading the state of a random stream moves it (see `RandomStream.state`), so there a run that is saved
    draws other numbers from then on; a run resumed from the file draws the same ones as the saved run.

    Parameters
    ----------
    path : path
        Replaced by the whole checkpoint; if anything fails, left as it was.
    train : Train

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError
        If a part of the run, or its state, could not be restored from a file.
    """
    write(path, *gather_run(train))


def gather_run(train):
    """Return the header and the arrays of a run's checkpoint; raise TypeError if a file could not restore them."""
    G, D = train.step.pair.generator, train.step.pair.discriminator
    averages = {theta: f"{name}.theta" for theta, nets in (("theta_g", (G, G.mlp)), ("theta_d", (D,)))
                for name, part in name_parts(train).items() if isinstance(part, PolyakAverage) and part.net in nets}
    state, arrays = gather_state(train)
    header = {"run": describe_run(train), "arithmetic": describe_arithmetic(), "averages": averages,
              "streams": [stream.state for stream in list_streams(train)], "state": state}
    return header, {"theta_g": to_numpy(G.theta), "theta_d": to_numpy(D.theta), **arrays}


def save_generator(path, generator, theta=None, dtype="float16", note=None):
    """
    Write a trained generator alone, in a small file.

    Parameters
    ----------
    path : path
    generator : Generator
    theta : array, optional
        Parameters to save in place of the generator's own, such as ``average.theta``.
    dtype : "float16", "float32" or "float64"
        The type to which they are rounded; float16 has 11 bits of precision.
    note : dict, optional
        How the generator was made, in numbers and strings: command, seed, epochs, log-likelihood.

    Raises
    ------
    ValueError
        If theta has another size than the generator's, is not finite, or is too large for `dtype`, or if `dtype` is
        not one of the three.
    OSError
        If the file cannot be written.
    """
    if getattr(dtype, "__name__", str(dtype)) not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    theta = to_numpy(generator.theta if theta is None else theta)
    if theta.shape != generator.theta.shape:
        raise ValueError(f"theta must be of shape {generator.theta.shape}, got {theta.shape}")
    if not np.isfinite(theta).all():
        raise ValueError("cannot save a generator whose theta contains NaN or infinity")
    largest = np.abs(theta).max()
    if not largest <= np.finfo(dtype).max:
        raise ValueError(f"parameters of magnitudes up to {largest:g} do not fit into {dtype}; choose a wider dtype")
    write(path, {"run": {"generator": describe(generator)}, "averages": {}, "note": note},
          {"theta_g": theta.astype(dtype)})


class Saving:
    """
    Saves the run after its epochs, as an extension of `Train`; it must come after all other parts of the run.

    Parameters
    ----------
    path : path
        Replaced each time.  If a file of another run is there the first time, that is renamed, see `set_aside`.
    every : int
        Save after every so many epochs, and after the last one.
    """

    def __init__(self, path, every=1):
        check_positive_ints(every=every)
        self.path, self.every, self.saved = Path(path), every, False
        if not self.path.parent.is_dir():
            raise ValueError(f"there is no folder {self.path.parent} for {self.path.name}; make it, or choose another")
        if self.path.is_dir():
            raise ValueError(f"{self.path} is a folder: give the path of a file")

    def on_monitor(self, train):
        """Save if it is time to; raise ValueError if parts of the run come after this extension."""
        later = train.extensions[train.extensions.index(self):]
        missed = [type(extension).__name__ for extension in later if is_part(extension)]
        if missed:
            raise ValueError(f"{type(self).__name__} would miss what {', '.join(missed)} does after it; put it last")
        if self.is_time(train):
            self.save(train)

    def on_signal(self, train):
        """Save, be it in the midst of an epoch, since SIGINT or SIGTERM is about to end the training."""
        self.save(train)

    def save(self, train):
        """Save now, unless no update is done; raise TrainingDiverged if the run is not finite."""
        header, arrays = gather_run(train)                  # before training too: what cannot be saved is an error now
        if train.updates == 0:
            return
        train.check_finite()
        if not (self.saved or self.is_own(train)):
            set_aside(self.path)
        write(self.path, header, arrays)
        self.saved, train.checkpoint = True, str(self.path)

    def is_own(self, train):
        """Return whether the file at the path is a checkpoint of this run: the resumed one, or one it has saved."""
        known = [path for path in (train.restored, train.checkpoint) if path]
        return os.path.realpath(self.path) in map(os.path.realpath, known)

    def is_time(self, train):
        """Return whether to save now."""
        return train.epoch % self.every == 0 or train.stop or train.epoch == train.max_epochs


class MonitorBasedSaveBest(Saving):
    """
    Saves the run whenever a channel reaches a new best value, like Pylearn2's extension of that name.

    Parameters
    ----------
    path : path
        As in `Saving`.
    monitor : Monitor
        It must come before, as must an extension that records in its history.  A `Saving` comes after: then a run that
        is killed between the two is resumed before this epoch, and measures it again.
    channel : str
        Such as "valid_log_likelihood", which `LogLikelihood` records; a value of NaN is ignored.
    higher_is_better : bool
    """

    def __init__(self, path, monitor, channel, higher_is_better=True):
        super().__init__(path)
        self.monitor, self.channel, self.sign = monitor, channel, 1 if higher_is_better else -1

    def on_signal(self, train):
        """Save nothing: the latest run is not the best."""

    def is_own(self, train):
        """Return whether the run was resumed, usually from its latest checkpoint: then the file is its best one."""
        return train.restored is not None

    def is_time(self, train):
        history = self.monitor.history
        if self.channel not in history:
            raise ValueError(f"nothing records a channel {self.channel!r}; the monitor has {', '.join(history)}")
        epochs = history.get(f"{self.channel}_epoch", history["epoch"])
        *before, value = (self.sign * value for value in history[self.channel])
        return epochs[-1] == train.epoch and value > max((v for v in before if not math.isnan(v)), default=-math.inf)


def set_aside(path):
    """Rename the file `path`, if there is one, to the first free name among name_previous1.npz, ..., and warn of it."""
    path = Path(os.path.realpath(path))
    if path.exists():                                       # it may have taken hours
        size_of(path)
        names = (path.with_name(f"{path.stem}_previous{i}{path.suffix}") for i in count(1))
        kept = next(name for name in names if not name.exists())
        os.replace(path, kept)
        warnings.warn(f"{path.name}, of an earlier run, is {kept.name} now", stacklevel=2)
