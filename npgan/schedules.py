"""The two schedules of the released code, and the average of a net over its updates."""
from collections.abc import Iterable
from contextlib import contextmanager

from npgan import backend
from npgan.checks import check_finite_number


def check_rules(rules, attribute):
    """Return `rules` as a list; raise TypeError unless they are learning rules with the `attribute`."""
    if not isinstance(rules, Iterable):
        raise TypeError(f"rules must be a sequence of learning rules, got a {type(rules).__name__}; put it in [...]")
    rules = list(rules)
    for rule in rules:
        if not hasattr(rule, attribute):
            raise TypeError(f"rules must be learning rules with a {attribute}, got {rule!r}")
    return rules


class ExponentialDecay:
    """
    The learning rate after t updates, epsilon_t = max(epsilon_0 / decay_factor^t, min_lr); update t uses epsilon_{t-1}.

    As an extension of `Train` it counts the updates of the run; elsewhere call `set_learning_rates` after each update.

    Parameters
    ----------
    rules : sequence of Momentum
        The rules whose learning rates decay; epsilon_0 is the rate of each when the schedule is made.
    decay_factor : float, >= 1
    min_lr : float, >= 0
    """

    argument_names = "rules", "decay_factor", "min_lr"
    state_names = "init_lr",

    def __init__(self, rules, decay_factor, min_lr=0.):
        if not check_finite_number("decay_factor", decay_factor) >= 1:
            raise ValueError(f"decay_factor divides the learning rate and must be at least 1, got {decay_factor}")
        if not check_finite_number("min_lr", min_lr) >= 0:
            raise ValueError(f"min_lr must be at least 0, got {min_lr}")
        self.rules = check_rules(rules, "learning_rate")
        self.decay_factor, self.min_lr = float(decay_factor), float(min_lr)
        self.init_lr = [rule.learning_rate for rule in self.rules]

    def on_update(self, train):
        """Set the learning rates after an update of `train`."""
        self.set_learning_rates(train.updates)

    def set_learning_rates(self, t):
        """Set the learning rate of each rule to epsilon_t, after `t` updates."""
        for rule, init_lr in zip(self.rules, self.init_lr):
            rule.learning_rate = max(init_lr * self.decay_factor ** -t, self.min_lr)


class MomentumAdjustor:
    """
    Momentum that grows linearly from epoch to epoch, from each rule's own to `final_momentum`.

    Epoch e, counted from 1, trains with mu_0 + (mu_1 - mu_0) c, where c = (e - start) / (saturate - start) is limited
    to [0, 1]; so with start 1 and saturate 250 it is mu_0 + (mu_1 - mu_0) min(1, (e - 1)/249).

    As an extension of `Train` it counts the epochs of the run; elsewhere call `set_momentum` before each epoch.

    Parameters
    ----------
    rules : sequence of Momentum
        mu_0 is the momentum of each when the schedule is made.
    final_momentum : float in [0, 1)
        mu_1.
    start, saturate : int
        The epochs between which the momentum grows; start = saturate is a jump.
    """

    argument_names = "rules", "final_momentum", "start", "saturate"
    state_names = "init_momentum",

    def __init__(self, rules, final_momentum, start, saturate):
        if not 0 <= check_finite_number("final_momentum", final_momentum) < 1:
            raise ValueError(f"final_momentum must be in [0, 1), got {final_momentum}")
        if check_finite_number("saturate", saturate) < check_finite_number("start", start):
            raise ValueError(f"saturate must be at least start, got start {start} and saturate {saturate}")
        self.rules = check_rules(rules, "momentum")
        self.final_momentum, self.start, self.saturate = float(final_momentum), start, saturate
        self.init_momentum = [rule.momentum for rule in self.rules]

    def on_monitor(self, train):
        """Set the momentum for the next epoch of `train`."""
        self.set_momentum(train.epoch + 1)

    def set_momentum(self, epoch):
        """Set the momentum of each rule for `epoch`, counted from 1."""
        span = self.saturate - self.start
        grown = min(1, max(0, epoch - self.start) / span) if span else float(epoch >= self.start)
        for rule, init_momentum in zip(self.rules, self.init_momentum):
            rule.momentum = float(init_momentum + grown * (self.final_momentum - init_momentum))


class PolyakAverage:
    """
    The average of a net's parameters over its updates, in exponential form, kept beside theta and never fed back.

    After t updates the parameters after update s have weight decay^(t-s), normalised to sum 1: with
    w_t = (1 - decay)/(1 - decay^t)

        average <- average + w_t (theta - average)

    so that the average starts at the parameters after the first update, not at the initial ones.

    As an extension of `Train`, from its first update on, it counts the updates of the run; elsewhere call `add` after
    each update.

    Parameters
    ----------
    net : Generator, MLP or another object with a vector `theta`
    decay : float in [0, 1)
        .9999 averages over about the last 10,000 updates.

    Attributes
    ----------
    theta : array
        The average.
    """

    argument_names = "net", "decay"
    state_names = "theta",

    def __init__(self, net, decay):
        if not 0 <= check_finite_number("decay", decay) < 1:
            raise ValueError(f"decay must be in [0, 1), got {decay}")
        if not hasattr(net, "theta"):
            raise TypeError(f"net must have a vector theta, as a Generator or an MLP has, got {net!r}")
        self.net, self.decay, self.theta = net, float(decay), net.theta.copy()

    def on_update(self, train):
        """Add the parameters after an update of `train`."""
        self.add(train.updates)

    def add(self, t):
        """Add the net's parameters after update number `t`, counted from 1."""
        weight = (1 - self.decay) / (1 - self.decay ** t)
        for part in backend.blocks(self.theta.size):
            self.theta[part] += weight * (self.net.theta[part] - self.theta[part])

    @contextmanager
    def applied(self):
        """Within ``with average.applied():`` the net computes with the average; afterwards with its own parameters."""
        own = self.net.theta.copy()
        try:
            self.net.theta[...] = self.theta
            yield self.net
        finally:
            self.net.theta[...] = own
