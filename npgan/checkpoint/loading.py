"""Loading checkpoints: the nets in a file, and resuming the run that it holds."""
import warnings

import numpy as np

from npgan import backend
from npgan.adversarial import AdversaryPair
from npgan.backend import RandomStream
from npgan.checkpoint.archive import SettingsDiffer, errors_naming, read
from npgan.checkpoint.description import build, build_generator
from npgan.checkpoint.run_state import describe_arithmetic, describe_run, find_difference, place_state
from npgan.files import printable


class Checkpoint:
    """
    The contents of a checkpoint, as `load` returns them; the nets that it builds compute in the backend's floatX.

    Their parameters are those of the `PolyakAverage` of the saved net if there was one, or the net's own if `average`
    is False.  `rng` draws noise and dropout's masks, by default ``RandomStream(2014)``.  Each method raises a
    `CheckpointError` if the file does not hold the net.

    Parameters
    ----------
    path : path
    header : dict
        As at the top of `npgan.checkpoint.saving`; ``header["note"]`` is the note given to `save_generator`.
    arrays : dict of numpy array
        Not writable.
    """

    def __init__(self, path, header, arrays):
        self.path, self.header, self.arrays = path, header, arrays

    def generator(self, average=True, rng=None):
        """Return the `Generator`, ready to sample."""
        with errors_naming(self.path):
            theta = self._theta("theta_g", average)
            return build_generator(self.header["run"]["generator"], theta, rng or RandomStream(2014))

    def discriminator(self, average=True, rng=None):
        """Return the discriminator, an `MLP`."""
        with errors_naming(self.path):
            if "discriminator" not in self.header["run"]:
                raise ValueError("a generator alone")
            theta = self._theta("theta_d", average)
            return build(self.header["run"]["discriminator"], theta, rng or RandomStream(2014))

    def pair(self, average=True, rng=None):
        """Return both, an `AdversaryPair`."""
        rng = rng or RandomStream(2014)
        with errors_naming(self.path):
            return AdversaryPair(self.generator(average, rng), self.discriminator(average, rng))

    @property
    def history(self):
        """The channels that the run's `Monitor` recorded, lists of float by name; empty without one."""
        names = [name.partition(".history/") for name in self.arrays]
        return {channel: self.arrays[part + mark + channel].tolist() for part, mark, channel in names if mark}

    def _theta(self, name, average):
        averages = dict(self.header["averages"])
        theta = self.arrays[averages.get(name, name) if average else name]
        with np.errstate(over="ignore"):
            theta = theta.astype(backend.floatX, copy=False)
        if not np.isfinite(theta).all():
            raise ValueError(f"NaN or infinity among {name} in {backend.floatX}")
        return theta


def load(path):
    """
    Read a file that `save` or `save_generator` wrote; a forged one runs no code.

    Parameters
    ----------
    path : path

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or not a checkpoint.
    """
    return Checkpoint(path, *read(path))


def restore(path, train):
    """
    Put a saved run into a `Train` built in the same way: its `main_loop` then continues the saved run.

    The result is bit-identical if the arithmetic is the same: the backend, NumPy, the kind of processor and the number
    of BLAS threads decide how sums are rounded.  A warning names the first difference.  On CuPy the run must also be
    saved after the same epochs as before, see `save`.

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
    with errors_naming(path):
        if "state" not in saved.header:
            raise ValueError("a generator alone")
        clash = find_difference(saved.header["run"], describe_run(train))
        if clash:
            raise SettingsDiffer(path, *clash)
        change = find_difference(saved.header["arithmetic"], describe_arithmetic())
        place_state(train, saved.header, saved.arrays)
    train.checkpoint = train.restored = str(path)
    train.monitored, train.under_way = True, None
    if change:
        where, there, here = change[0], *(repr(value)[:40] for value in change[1:])
        warnings.warn(printable(f"{path} was computed with {where} = {there}, this run with {here}: its results will "
                                "be close to those of the saved run, but not bit-identical"), stacklevel=2)
