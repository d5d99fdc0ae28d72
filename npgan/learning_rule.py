"""Gradient descent with momentum, the released code's two schedules, and the average of a net over its updates."""

from npgan import backend
from npgan.backend import xp
from npgan.checks import check_finite_number
from npgan.kernels import blas


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
        if not check_finite_number("learning_rate", learning_rate) > 0:
            raise ValueError(f"learning_rate must be > 0, got {learning_rate}")
        if not 0 <= check_finite_number("init_momentum", init_momentum) < 1:
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
