"""The training loop: epochs of minibatches, and everything that happens between them."""
import time
from collections.abc import Sequence
from functools import reduce
from operator import and_

from npgan.backend import check_stream, xp
from npgan.checks import check_nonnegative_int, check_positive_ints
from npgan.datasets import check_dataset
from npgan.interruption import SIGNALS, TrainingStopped, noted
from npgan.layers import Sigmoid


class TrainingDiverged(RuntimeError):
    """A number of the game is no longer finite; the message names it, when, and the last good checkpoint."""


def check_finite(whose, net, told):
    """Raise `TrainingDiverged` if a parameter of `net` is not finite: `whose` it is, its name, what is `told`."""
    if not xp.isfinite(net.theta).all():
        found = (f"{layer_name}.{name}" for layer_name, layer in net.named_layers
                 for name, param in zip(layer.param_names, layer.params) if not xp.isfinite(param).all())
        name = next(found, "theta")                             # a net within the net keeps its names to itself
        raise TrainingDiverged(f"{whose} {name} is not finite {told}")


def check_step(step):
    """Refuse a `step` without what `Train` and its checkpoints ask of it."""
    if not all(hasattr(step, name) for name in ("pair", "rule_G", "rule_D")):
        raise TypeError(f"step must hold a pair, rule_G and rule_D, as SimultaneousSteps does, got {step!r}")
    for name in "rule_G", "rule_D":
        if not (hasattr(getattr(step, name), "descend") or hasattr(getattr(step, name), "update")):
            raise TypeError(f"{name} must be a learning rule, such as Momentum, got {getattr(step, name)!r}")


def check_extension(extension):
    """Refuse an `extension` that nothing would call, or that is the class of one."""
    if not (hasattr(extension, "on_update") or hasattr(extension, "on_monitor")):
        raise TypeError(f"an extension has a method on_update or on_monitor, {extension!r} has neither")
    if isinstance(extension, type):
        raise TypeError(f"an extension is an object, got the class {extension.__name__}; make one: "
                        f"{extension.__name__}(...)")


class Train:
    """
    Trains a pair, epoch by epoch, in the order of the authors' trainer.

    Norm limits and the extensions' `on_monitor` come once before training; then each epoch is all minibatches of a new
    order of the data, each followed by the extensions' `on_update`, and then their `on_monitor`.

    On a GPU a step, its rows and the schedules and averages after it move nothing between host and device; an epoch
    makes 1 transfer to the device and 1 to the host, the order of the rows and whether all is still finite.

    SIGINT or SIGTERM ends the training after the update under way, if an extension has ``on_signal(train)``, such as
    `Saving`: that is called, and `TrainingStopped` says where the run was saved.  A second signal ends the process.

    Parameters
    ----------
    step : SimultaneousSteps, SeparateSteps or one of `npgan.released.coordination`
        One update (or more) on a minibatch; it holds the pair and the learning rules.  One that has an extension's
        methods is told first.
    dataset : Dataset
        The training rows; within [0, 1] if G ends in sigmoids.
    batch_size : int
        Rows of a minibatch; the last of an epoch may have fewer.
    rng : RandomStream
        Draws the order of the rows.
    extensions : sequence
        Objects with a method ``on_update(train)``, called after each minibatch, or ``on_monitor(train)``, called before
        training and after each epoch, or both; in their order: averages, schedules, monitors, saving.

    Attributes
    ----------
    epoch, updates : int
        Epochs and minibatches done.
    seconds : float
        What the updates of the latest epoch took.
    stop : bool
        An extension sets it True to end training after the epoch; it stays so in a run that goes on from a checkpoint.
    max_epochs : int or None
        What `main_loop` was told; None before.
    begun : bool
        Whether `main_loop` has done what comes before training; what goes on from an update needs none of it.
    rest : array of int or None
        The rows that are left of an epoch in its midst, in their order; None between epochs.
    restored : str or None
        The checkpoint that the run went on from.
    checkpoint : str or None
        The last good checkpoint's path, which errors name; an extension that saves sets it.
    state_names : tuple of str
        The attributes that a checkpoint keeps; a step, rule or extension that changes in training lists its own.
    """

    state_names = "epoch", "updates", "seconds", "rest", "stop"

    def __init__(self, step, dataset, batch_size, rng, extensions=()):
        check_step(step)
        G = step.pair.generator
        check_positive_ints(batch_size=batch_size)
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
        check_stream(rng)
        if not isinstance(extensions, Sequence):
            raise TypeError(f"extensions must be a list of them, got a {type(extensions).__name__}; put it in [...]")
        for extension in extensions:
            check_extension(extension)
        self.step, self.dataset, self.batch_size, self.rng = step, dataset, batch_size, rng
        self.extensions = list(extensions)
        self.epoch, self.updates, self.seconds, self.stop, self.checkpoint = 0, 0, 0., False, None
        self.rest, self.signals, self.max_epochs, self.begun = None, [], None, False
        self.untold, self.restored, self.finite = [], None, True

    def can_have(self, state):
        """Whether a run can come to a `state`, a dict by `state_names`; updates are seeds, and so below 2^32."""
        return state["epoch"] <= state["updates"] < 2**32

    def main_loop(self, max_epochs):
        """
        Train until `max_epochs` epochs are done in all, or an extension or a signal stops it.

        An OSError, of a full disk say, is told with the last good checkpoint.  After an error of an extension it may be
        called again, and begins by telling the others what they missed.
        """
        self.max_epochs = check_nonnegative_int("max_epochs", max_epochs)
        try:
            with noted(any(hasattr(extension, "on_signal") for extension in self.extensions)) as self.signals:
                self.play(max_epochs)
            self.leave_if_told()                                # by a signal that came after the last update
        except OSError as error:
            raise OSError(f"{error}; {self.last_good()}") from error

    def play(self, max_epochs):
        """What `main_loop` does, up to `max_epochs`."""
        self.tell_the_rest()
        if not self.finite:
            self.check_finite()                                 # whoever goes on nevertheless is told again
        if not (self.begun or self.updates):
            for player in (self.step.pair.generator, self.step.pair.discriminator):
                player.enforce_norm_limits()
            self.check_finite()
            self.begun = True
            self.tell("on_monitor")
        while self.epoch < max_epochs and not self.stop:
            start = time.perf_counter()
            if self.rest is None:
                self.rest = self.dataset.order(self.rng)
            while len(self.rest):
                self.leave_if_told()
                rows, self.rest = self.rest[:self.batch_size], self.rest[self.batch_size:]
                self.move(self.dataset.X[rows])
                self.updates += 1
                self.tell("on_update")
            self.rest = None
            self.epoch += 1
            self.seconds = time.perf_counter() - start
            self.check_finite()
            self.tell("on_monitor")

    def move(self, x):
        """Let the players take their step, on the minibatch `x`."""
        self.step(x)

    def tell(self, event):
        """Call the method named `event` of the step and of each extension that has it."""
        self.untold += [(listener, event) for listener in (self.step, *self.extensions) if hasattr(listener, event)]
        self.tell_the_rest()

    def tell_the_rest(self):
        """Tell who is left: after an error of one a later `main_loop` does, and asks again whoever had an OSError."""
        while self.untold:
            listener, event = self.untold.pop(0)
            try:
                getattr(listener, event)(self)
            except OSError:                                     # of a disk that was full, where there may be room then
                self.untold.insert(0, (listener, event))
                raise

    def leave_if_told(self):
        """End the training if a signal has come, once those extensions that want to know it do."""
        if self.signals:
            self.check_finite()
            self.tell("on_signal")
            raise TrainingStopped(f"stopped by {SIGNALS[self.signals[0]]} after epoch {self.epoch}, update "
                                  f"{self.updates}; {self.last_good()}", self.signals[0])

    def last_good(self):
        """Where the last good checkpoint is, in words."""
        return f"the last good checkpoint is {self.checkpoint}" if self.checkpoint else "no checkpoint was saved"

    def check_finite(self):
        """Raise `TrainingDiverged` if a number of theta, or of an array in another of npgan's parts, is not finite."""
        G, D, state = self.step.pair.generator, self.step.pair.discriminator, list(self.state_arrays())
        arrays = G.theta, D.theta, *(array for _, array in state)
        self.finite = bool(reduce(and_, (xp.isfinite(array).all() for array in arrays)))
        if self.finite:
            return
        told = self.when_and_cure()
        check_finite("G's", G.mlp, told)
        check_finite("D's", D, told)
        what = next(what for what, array in state if not xp.isfinite(array).all())
        raise TrainingDiverged(f"{what} is not finite {told}")

    def when_and_cure(self):
        """What a `TrainingDiverged` says after what it was that was not finite."""
        cure = ("a smaller learning rate is the usual cure" if xp.isfinite(self.dataset.X).all() else
                "the data are no longer finite either")
        return f"after epoch {self.epoch}, update {self.updates}; {self.last_good()}; {cure}"

    def state_arrays(self):
        """What a checkpoint keeps in arrays of floats beside theta, each after the words for it."""
        for name, part in stateful(self).items():
            whose = type(part).__name__ if name.startswith("extensions") else name
            for attribute in part.state_names if is_ours(part) else ():
                array = getattr(part, attribute)
                if getattr(array, "ndim", 0) and array.dtype.kind == "f":
                    yield f"{whose}'s {attribute}", array


def stateful(train):
    """What has `state_names`, by the name that a checkpoint gives it."""
    step = train.step
    parts = {"train": train, "step": step, "rule_G": step.rule_G, "rule_D": step.rule_D,
             **{f"extensions[{i}]": extension for i, extension in enumerate(stateful_extensions(train))}}
    return {name: part for name, part in parts.items() if hasattr(part, "state_names")}


def stateful_extensions(train):
    """The extensions among them, in their order."""
    return [extension for extension in train.extensions if hasattr(extension, "state_names")]


def is_ours(part):
    """Whether npgan knows what the state of a `part` can be, and not its user alone."""
    return type(part).__module__.startswith("npgan.")
