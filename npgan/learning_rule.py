"""Gradient descent with momentum, the released code's two schedules, and the average of a net over its updates."""
from collections.abc import Iterable
from contextlib import contextmanager

from npgan import backend, blas
from npgan.backend import xp
from npgan.layer import number


class LearningRule:
    """What moves a net's parameters; a subclass writes `update`."""

    def descend(self, net, dh, inputs=False):
        """
        One step down: the backward pass of `net`, then the update by its gradient.

        Parameters
        ----------
        net : MLP or Generator
        dh : array (m, dim)
            dC/dh, for the output h of the latest forward pass.
        inputs : bool or slice
            As in `Layer.bprop`.

        Returns
        -------
        array (m, nvis) or None
            dC/d(state_below), at the parameters before the update.
        """
        ds = net.bprop(dh, inputs=inputs)
        self.update(net)
        return ds

    def update(self, net):
        """Move ``net.theta``, in place, by ``net.grad``."""
        raise TypeError(f"{type(self).__name__} has no update: a learning rule defines update(net)")


class Momentum(LearningRule):
    """
    Classical momentum: v <- mu v - epsilon dC/dtheta, theta <- theta + v, then the net's norm limits.

    A rule serves one net, whose velocity v it keeps (v = 0 before the first update).

    Parameters
    ----------
    learning_rate : float, > 0
        epsilon; a plain attribute, which schedules change.
    init_momentum : float in [0, 1)
        mu; likewise, as `momentum`.

    Attributes
    ----------
    init_learning_rate, init_momentum : float
        What it began with, by which a checkpoint knows it.
    """

    state_names = "learning_rate", "momentum", "velocity"

    def __init__(self, learning_rate, init_momentum=0.):
        if not number("learning_rate", learning_rate) > 0:
            raise ValueError(f"learning_rate must be > 0, got {learning_rate}")
        if not 0 <= number("init_momentum", init_momentum) < 1:
            raise ValueError(f"init_momentum must be in [0, 1), got {init_momentum}")
        self.learning_rate = self.init_learning_rate = float(learning_rate)
        self.momentum = self.init_momentum = float(init_momentum)
        self.net = self.velocity = None

    def descend(self, net, dh, inputs=False):
        """
        As in `LearningRule`; where all of the net's layers accumulate, in less time, and ``net.grad`` is not written.

        Their products then add -epsilon dC/dtheta to mu v as they go.

        Parameters
        ----------
        net, dh, inputs
            As in `LearningRule.descend`.
        """
        if not net.accumulates:
            return super().descend(net, dh, inputs)
        self.take(net)
        with net.grad_in(self.velocity):
            ds = net.bprop(dh, (self.momentum, -self.learning_rate), inputs)
        blas.add(net.theta, self.velocity)
        net.enforce_norm_limits()
        return ds

    def update(self, net):
        self.take(net)
        theta, grad = net.theta, net.grad
        for part in backend.blocks(theta.size):
            v = self.velocity[part]
            v *= float(self.momentum)                       # a NumPy number would bring in a precision of its own
            v -= float(self.learning_rate) * grad[part]
            theta[part] += v
        net.enforce_norm_limits()

    def take(self, net):
        """Refuse any `net` but the first, for which v starts at 0."""
        if self.net is not None and self.net is not net:
            raise ValueError(f"this rule moves {self.net!r}, got {net!r}; give each net a rule of its own")
        self.net = net
        if self.velocity is None:
            self.velocity = xp.zeros_like(net.theta)


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
        if not number("decay_factor", decay_factor) >= 1:
            raise ValueError(f"decay_factor divides the learning rate and must be >= 1, got {decay_factor}")
        if not number("min_lr", min_lr) >= 0:
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
        if not 0 <= number("final_momentum", final_momentum) < 1:
            raise ValueError(f"final_momentum must be in [0, 1), got {final_momentum}")
        if number("saturate", saturate) < number("start", start):
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
        if not 0 <= number("decay", decay) < 1:
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
