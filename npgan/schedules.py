"""The two schedules of the released code, and the average of a net over its updates."""
from collections.abc import Iterable
from contextlib import contextmanager

from npgan import backend
from npgan.checks import check_finite_number


def rules_with(attribute, rules):
    """The `rules` of a schedule as a list, each of which has the `attribute` that it changes."""
    if not isinstance(rules, Iterable):
        raise TypeError(f"rules must be a sequence of learning rules, got a {type(rules).__name__}; "
                        "give a list, of one perhaps")
    rules = list(rules)
    for rule in rules:
        if not hasattr(rule, attribute):
            raise TypeError(f"rules must be learning rules with a {attribute}, got {rule!r}")
    return rules


class ExponentialDecay:
    """
    The learning rate after t updates, epsilon_t = max(epsilon_0 / decay_factor^t, min_lr); update t uses epsilon_{t-1}.

    Parameters
    ----------
    rules : sequence of Momentum
        The rules whose learning rates decay, each from where it stands now.
    decay_factor : float, >= 1
    min_lr : float, >= 0
    """

    state_names = "init_lr", "count"

    def __init__(self, rules, decay_factor, min_lr=0.):
        if not check_finite_number("decay_factor", decay_factor) >= 1:
            raise ValueError(f"decay_factor divides the learning rate and must be >= 1, got {decay_factor}")
        if not check_finite_number("min_lr", min_lr) >= 0:
            raise ValueError(f"min_lr must be >= 0, got {min_lr}")
        self.rules = rules_with("learning_rate", rules)
        self.decay_factor, self.min_lr = float(decay_factor), float(min_lr)
        self.init_lr = [rule.learning_rate for rule in self.rules]
        self.count = 0

    def on_update(self, train=None):
        """Call after each update."""
        self.count += 1
        for rule, init_lr in zip(self.rules, self.init_lr):
            rule.learning_rate = max(init_lr * self.decay_factor ** -self.count, self.min_lr)


class MomentumAdjustor:
    """
    Momentum that grows linearly from epoch to epoch, from each rule's own to `final_momentum`.

    The count is 1 before the first epoch and one more after each, whatever a `Monitor` skips; so with start 1 and
    saturate 250 epoch e trains with mu_0 + (mu_1 - mu_0) min(1, (e - 1)/249).

    Parameters
    ----------
    rules : sequence of Momentum
    final_momentum : float in [0, 1)
    start, saturate : int
        The counts between which it grows; start = saturate is a jump.
    """

    state_names = "init_momentum", "count"

    def __init__(self, rules, final_momentum, start, saturate):
        if not 0 <= check_finite_number("final_momentum", final_momentum) < 1:
            raise ValueError(f"final_momentum must be in [0, 1), got {final_momentum}")
        if check_finite_number("saturate", saturate) < check_finite_number("start", start):
            raise ValueError(f"saturate must not come before start, got start {start} and saturate {saturate}")
        self.rules = rules_with("momentum", rules)
        self.final_momentum, self.start, self.saturate = float(final_momentum), start, saturate
        self.init_momentum = [rule.momentum for rule in self.rules]
        self.count = 0

    def on_monitor(self, train=None):
        """Call after each monitoring, the one before the first epoch included."""
        self.count += 1
        span = self.saturate - self.start
        grown = min(1, max(0, self.count - self.start) / span) if span else float(self.count >= self.start)
        for rule, init_momentum in zip(self.rules, self.init_momentum):
            rule.momentum = float(init_momentum + grown * (self.final_momentum - init_momentum))


class PolyakAverage:
    """
    The average of a net's parameters over the minibatches, in exponential form, kept beside theta and never fed back.

    After t updates those of update s weigh decay^(t-s), normalised to sum 1: with w_t = (1 - decay)/(1 - decay^t)

        average <- average + w_t (theta - average)

    so that the average starts at the parameters of the first update, not at the initial ones.

    Parameters
    ----------
    net : anything with a vector `theta`
    decay : float in [0, 1)
        .9999 averages over about the last 10,000 updates.
    """

    state_names = "count", "theta"

    def __init__(self, net, decay):
        if not 0 <= check_finite_number("decay", decay) < 1:
            raise ValueError(f"decay must be in [0, 1), got {decay}")
        if not hasattr(net, "theta"):
            raise TypeError(f"net must have a vector theta, as a Generator or an MLP has, got {net!r}")
        self.net, self.decay, self.count = net, float(decay), 0
        self.theta = net.theta.copy()

    def on_update(self, train=None):
        """Call after each update."""
        self.count += 1
        weight = (1 - self.decay) / (1 - self.decay ** self.count)
        for part in backend.blocks(self.theta.size):
            self.theta[part] += weight * (self.net.theta[part] - self.theta[part])

    @contextmanager
    def applied(self):
        """Within ``with average.applied():`` the net computes with the average; afterwards with its own parameters."""
        own = self.net.theta.copy()
        self.net.theta[...] = self.theta
        try:
            yield self.net
        finally:
            self.net.theta[...] = own
