"""Gradient descent with momentum; its plainest form is `npgan.plain.momentum`."""
from npgan import backend
from npgan.backend import xp
from npgan.checks import check_finite_number
from npgan.kernels import momentum


class LearningRule:
    """
    What moves a net's parameters; a subclass writes `update`.

    Attributes
    ----------
    on_gradient : function of a net, or None
        Called between the backward pass and the update, so that `npgan.mpi` can sum ``net.grad`` over processes.
    """

    on_gradient = None

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
        if self.on_gradient:
            self.on_gradient(net)
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
    fused : bool
        Use `npgan.kernels.momentum` where all layers of the net are dense: faster, equal to rounding, and ``net.grad``
        is not written.  By default ``net.grad`` holds the gradient that the update used.

    Attributes
    ----------
    init_learning_rate, init_momentum : float
        What it began with, by which a checkpoint knows it.
    """

    argument_names = "init_learning_rate", "init_momentum", "fused"
    state_names = "learning_rate", "momentum", "velocity"

    def __init__(self, learning_rate, init_momentum=0., fused=False):
        if not check_finite_number("learning_rate", learning_rate) > 0:
            raise ValueError(f"learning_rate must be > 0, got {learning_rate}")
        if not 0 <= check_finite_number("init_momentum", init_momentum) < 1:
            raise ValueError(f"init_momentum must be in [0, 1), got {init_momentum}")
        self.learning_rate = self.init_learning_rate = float(learning_rate)
        self.momentum = self.init_momentum = float(init_momentum)
        self.fused = bool(fused)
        self.net = self.velocity = None

    def descend(self, net, dh, inputs=False):
        if self.on_gradient or not (self.fused and momentum.can_fuse(net)):
            return super().descend(net, dh, inputs)
        self.take(net)
        return momentum.descend(net, dh, inputs, self.velocity, float(self.momentum), float(self.learning_rate))

    def update(self, net):
        self.take(net)
        mu, epsilon = float(self.momentum), float(self.learning_rate)       # NumPy's numbers have their own precision
        for part in backend.blocks(net.theta.size):                         # that fit into the processor's cache
            v, theta, grad = self.velocity[part], net.theta[part], net.grad[part]
            v[...] = mu * v - epsilon * grad
            theta += v
        net.enforce_norm_limits()

    def take(self, net):
        """Refuse any `net` but the first, for which v starts at 0."""
        if self.net is not None and self.net is not net:
            raise ValueError(f"this rule moves {self.net!r}, got {net!r}; give each net a rule of its own")
        self.net = net
        if self.velocity is None:
            self.velocity = xp.zeros_like(net.theta)
