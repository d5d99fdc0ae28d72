"""The training loop: epochs of minibatches, and the extensions' calls between them."""
import time
from collections.abc import Sequence
from functools import reduce
from operator import and_
from signal import raise_signal

from npgan.backend import check_stream, xp
from npgan.checks import check_nonnegative_int, check_positive_ints
from npgan.datasets import check_dataset
from npgan.interruption import TrainingStopped, held_signals
from npgan.layers import Sigmoid


class TrainingDiverged(RuntimeError):
    """A number of the run is no longer finite; the message names it, the update and the last good checkpoint."""


class Train:
    """
    Trains a pair, epoch by epoch, in the order of the authors' trainer.

    The norm limits are enforced and the extensions' `on_monitor` called once before training.  Each epoch draws a new
    order of the data, takes all its minibatches, each followed by the extensions' `on_update`, and ends with
    `on_monitor`.

    The first SIGINT (Ctrl-C) or SIGTERM is held until the update under way and the extensions' calls after it are done.
    If an extension has a method ``on_signal(train)``, as `Saving` has, it is called and `TrainingStopped` is raised;
    otherwise the signal then has its usual effect, a KeyboardInterrupt for Ctrl-C.  In both cases `main_loop` can be
    called again and goes on.  A second signal has its usual effect at once.

    An exception in the midst of an update leaves parameters, averages and random streams between two updates: then
    `main_loop` refuses to go on.  An error in an extension's `on_monitor` ends `main_loop` too, but the next
    `main_loop` repeats that `on_monitor` of all extensions, for the same epoch.

    On a GPU a step, its rows and the schedules and averages after it move no data between host and device; an epoch
    makes 1 transfer to the device and 1 to the host: the order of the rows, and whether all numbers are finite.

    Parameters
    ----------
    step : SimultaneousSteps, SeparateSteps or one of `npgan.released.coordination`
        ``step(x, t)`` makes update number t, counted from 1, on the minibatch x; it holds the pair and the learning
        rules.  If it has an extension's methods, they are called before those of the extensions.
    dataset : Dataset
        The training rows; in [0, 1] if G ends in sigmoids.
    batch_size : int
        Rows of a minibatch; the last one of an epoch may have fewer.
    rng : RandomStream
        Draws the order of the rows.
    extensions : sequence
        Averages, schedules, monitors, saving: objects with a method ``on_update(train)``, called after each update, or
        ``on_monitor(train)``, called before training and after each epoch, or both.  They are called in their order.
        The optional ``on_minibatch(train, x)`` returns the rows that the step gets in place of the minibatch x.

    Attributes
    ----------
    epoch, updates : int
        Epochs and updates done.
    seconds : float
        The time that the updates of the current or latest epoch took.
    rest : array of int or None
        The rows that are left of the current epoch, in their order; None between epochs.
    stop : bool
        An extension sets it to True to end the training after this epoch.
    max_epochs : int or None
        The argument of the latest `main_loop`.
    monitored : bool
        Whether `on_monitor` has been called since the latest epoch ended.
    under_way : str or None
        The update or the monitoring that has begun and has not ended; None between them.
    checkpoint : str or None
        The path of the last good checkpoint, for messages; an extension that saves sets it.
    restored : str or None
        The path of the checkpoint from which the run was resumed.
    state_names : tuple of str
        The attributes that a checkpoint keeps.  A step, rule or extension that changes in training lists its own.
    """

    state_names = "epoch", "updates", "seconds", "rest", "stop"

    def __init__(self, step, dataset, batch_size, rng, extensions=()):
        check_step(step)
        check_positive_ints(batch_size=batch_size)
        check_rows(dataset, batch_size, step.pair.generator)
        check_stream(rng)
        check_extensions(extensions)
        self.step, self.dataset, self.batch_size, self.rng = step, dataset, batch_size, rng
        self.extensions = list(extensions)
        self.epoch, self.updates, self.seconds, self.rest, self.stop = 0, 0, 0., None, False
        self.monitored = False
        self.max_epochs = self.under_way = self.checkpoint = self.restored = None

    def main_loop(self, max_epochs):
        """
        Train until `max_epochs` epochs are done in all, or until an extension or a signal ends the training.

        Parameters
        ----------
        max_epochs : int

        Raises
        ------
        TrainingDiverged
            If a parameter, or an array of the state of a rule or an extension, is not finite after an epoch.
        TrainingStopped
            If a signal ended the training and an extension saved the run.
        RuntimeError
            If an earlier exception interrupted this run in the midst of an update.
        OSError
            If an extension could not write a file; the message adds the last good checkpoint.
        """
        check_nonnegative_int("max_epochs", max_epochs)
        if self.under_way:
            restore = f" and restore {self.checkpoint}" if self.checkpoint else "; no checkpoint was saved"
            raise RuntimeError(f"{self.under_way} was interrupted midway, so that parameters, averages and random "
                               f"streams no longer belong together: build the run anew{restore}")
        try:
            with held_signals() as signals:
                if self.max_epochs is None:
                    self.begin()
                self.max_epochs = max_epochs
                if not self.monitored:
                    self.monitor()
                while self.epoch < max_epochs and not self.stop:
                    if signals:
                        self.end_by(signals.pop())
                    self.update()
                    if not self.monitored:
                        self.monitor()
            if signals:                                         # held since the last update
                self.end_by(signals.pop())
        except OSError as error:
            raise OSError(f"{error}; {self.describe_checkpoint()}") from error

    def begin(self):
        """Enforce the norm limits, before a training that does not resume another."""
        self.under_way = "the beginning of the training"
        if not self.updates:
            for player in (self.step.pair.generator, self.step.pair.discriminator):
                player.enforce_norm_limits()
        self.max_epochs, self.under_way = 0, None

    def update(self):
        """Make one update, the step and the extensions' `on_update`; the first of an epoch draws its order of rows."""
        self.under_way, start = f"update {self.updates + 1}", time.perf_counter()
        if self.rest is None:
            self.rest, self.seconds = self.dataset.order(self.rng), 0.
        rows, self.rest = self.rest[:self.batch_size], self.rest[self.batch_size:]
        x = self.dataset.X[rows]
        for extension in self.extensions:
            if hasattr(extension, "on_minibatch"):
                x = extension.on_minibatch(self, x)
        self.step(x, self.updates + 1)
        self.updates += 1
        self.call("on_update")
        self.seconds += time.perf_counter() - start
        if not len(self.rest):
            self.rest, self.epoch, self.monitored = None, self.epoch + 1, False
        self.under_way = None

    def monitor(self):
        """Check that all numbers are finite, and call the extensions' `on_monitor`."""
        self.check_finite()
        self.under_way = f"the monitoring after epoch {self.epoch}"
        try:
            self.call("on_monitor")
        except Exception:                                       # but for a KeyboardInterrupt, which may cut anything
            self.under_way = None
            raise
        self.monitored, self.under_way = True, None

    def call(self, event):
        """Call the method named `event` of the step and of each extension that has it."""
        for part in (self.step, *self.extensions):
            if hasattr(part, event):
                getattr(part, event)(self)

    def end_by(self, signal):
        """End the training by a held `signal`: have the run saved, or without a saver give it its usual effect."""
        if not any(hasattr(extension, "on_signal") for extension in self.extensions):
            raise_signal(signal)
            return                                              # from a handler of the user's own
        self.check_finite()
        self.call("on_signal")
        raise TrainingStopped(f"stopped by {signal.name} after epoch {self.epoch}, update {self.updates}; "
                              f"{self.describe_checkpoint()}", signal)

    def describe_checkpoint(self):
        """Return which checkpoint is the last good one, in words."""
        return f"the last good checkpoint is {self.checkpoint}" if self.checkpoint else "no checkpoint was saved"

    def describe_divergence(self):
        """Return when the run diverged, its last good checkpoint and a remedy, in words."""
        remedy = ("a smaller learning rate is the usual cure" if xp.isfinite(self.dataset.X).all() else
                  "the data are no longer finite either")
        return f"after epoch {self.epoch}, update {self.updates}; {self.describe_checkpoint()}; {remedy}"

    def check_finite(self):
        """Raise `TrainingDiverged` unless both thetas, and all float arrays in the states of the parts, are finite."""
        named_parts = [("G", self.step.pair.generator.mlp), ("D", self.step.pair.discriminator)]
        for name, part in stateful(self).items():
            owner = type(part).__name__ if name.startswith("extensions") else name
            for attribute in part.state_names:
                array = getattr(part, attribute)
                if getattr(array, "ndim", 0) and array.dtype.kind == "f":
                    named_parts.append((f"{owner}'s {attribute}", array))
        name = find_nonfinite(named_parts)
        if name:
            raise TrainingDiverged(f"{name} is not finite {self.describe_divergence()}")


def check_finite(name, net, when):
    """Raise `TrainingDiverged` unless `net` has finite parameters; the message has its `name` and ends with `when`."""
    parameter = find_nonfinite([(name, net)])
    if parameter:
        raise TrainingDiverged(f"{parameter} is not finite {when}")


def find_nonfinite(named_parts):
    """Return the name of the first net or array that is not finite; `named_parts` are pairs (name, net or array)."""
    arrays = [getattr(part, "theta", part) for _, part in named_parts]
    if reduce(and_, (xp.isfinite(array).all() for array in arrays)):        # on a GPU, one transfer for all of them
        return None
    for name, part in named_parts:
        for layer_name, layer in getattr(part, "named_layers", ()):
            for param_name, param in zip(layer.param_names, layer.params):
                if not xp.isfinite(param).all():
                    return f"{name}'s {layer_name}.{param_name}"
        if not xp.isfinite(getattr(part, "theta", part)).all():
            return name                                         # of a net: in a net within it, which has no names


def check_step(step):
    """Raise TypeError unless `step` holds a pair and two learning rules."""
    if not all(hasattr(step, name) for name in ("pair", "rule_G", "rule_D")):
        raise TypeError(f"step must hold a pair, rule_G and rule_D, as SimultaneousSteps does, got {step!r}")
    for name in "rule_G", "rule_D":
        rule = getattr(step, name)
        if not (hasattr(rule, "descend") or hasattr(rule, "update")):
            raise TypeError(f"{name} must be a learning rule, such as Momentum, got {rule!r}")


def check_extensions(extensions):
    """Raise TypeError unless `extensions` is a sequence of objects with a method `on_update` or `on_monitor`."""
    if not isinstance(extensions, Sequence):
        raise TypeError(f"extensions must be a list, got a {type(extensions).__name__}; put it in [...]")
    for extension in extensions:
        if not (hasattr(extension, "on_update") or hasattr(extension, "on_monitor")):
            raise TypeError(f"an extension must have a method on_update or on_monitor, {extension!r} has neither")
        if isinstance(extension, type):
            raise TypeError(f"an extension must be an object, got the class {extension.__name__}; make one: "
                            f"{extension.__name__}(...)")


def check_rows(dataset, batch_size, G):
    """Raise an error unless the rows of `dataset` are at least `batch_size` and could be samples of the generator G."""
    check_dataset("dataset", dataset)
    if dataset.X.shape[1] != G.data_dim:
        raise ValueError(f"the data have rows of {dataset.X.shape[1]} numbers, G learns rows of {G.data_dim}")
    if batch_size > len(dataset):
        raise ValueError(f"batch_size {batch_size} is more than the data's {len(dataset)} rows")
    low, high = float(dataset.X.min()), float(dataset.X.max())
    rounding = 4 * float(xp.finfo(dataset.X.dtype).eps)         # data scaled in floatX may end a little beyond
    if isinstance(G.mlp.layers[-1], Sigmoid) and not -rounding <= low <= high <= 1 + rounding:
        raise ValueError("a generator that ends in sigmoids makes numbers in [0, 1], "
                         f"the data are in [{low}, {high}]; rescale them, or end the generator in Linear")


def stateful(train):
    """Return the parts of a run that have `state_names`, a dict by their names in a checkpoint."""
    return {name: part for name, part in name_parts(train).items() if hasattr(part, "state_names")}


def is_part(extension):
    """Return whether an `extension` is a part of the run; others, such as a progress line, only look at it."""
    return hasattr(extension, "argument_names") or hasattr(extension, "state_names")


def name_parts(train):
    """Return the parts of a run by their names in a checkpoint: a dict."""
    step = train.step
    return {"train": train, "step": step, "rule_G": step.rule_G, "rule_D": step.rule_D,
            **{f"extensions[{i}]": extension for i, extension in enumerate(filter(is_part, train.extensions))}}
