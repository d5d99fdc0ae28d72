"""Gradient descent with momentum; its plainest form is `npgan.plain.momentum`."""
from npgan import backend
from npgan.backend import xp
from npgan.checks import check_finite_number
from npgan.kernels import momentum


class LearningRule:
    """
    A rule that changes the parameters of a net by their gradient; a subclass defines `update`.

    Attributes
    ----------
    on_gradient : function of a net, or None
        Called between the backward pass and the update, so that `npgan.mpi` can sum ``net.grad`` over processes.
    """

    on_gradient = None

    def descend(self, net, dh, inputs=False):
        """
        Do one step of gradient descent: the backward pass of `net`, then the update by its gradient.

        Parameters
        ----------
        net : MLP or Generator
        dh : array (m, dim)
            dC/dh; h is the output of the latest forward pass.
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
        """Change ``net.theta`` in place, by ``net.grad``."""
        raise TypeError(f"{type(self).__name__} has no update: a learning rule defines update(net)")


class Momentum(LearningRule):
    """
    Classical momentum: v <- mu v - epsilon dC/dtheta, theta <- theta + v, then the net's norm limits.

    A rule belongs to one net, because it keeps the net's velocity v (v = 0 before the first update).

    Parameters
    ----------
    learning_rate : float, > 0
        epsilon at the beginning; schedules change the attribute `learning_rate`.
    init_momentum : float in [0, 1)
        mu at the beginning; schedules change the attribute `momentum`.
    fused : bool
        Use `npgan.kernels.momentum` if all layers of the net are dense.  This is faster and differs by rounding only,
        but does not write ``net.grad``.  By default ``net.grad`` holds the gradient that the update used.

    Attributes
    ----------
    init_learning_rate, init_momentum : float
        The rates at the beginning, by which a checkpoint identifies the rule.
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
        self.bind(net)
        return momentum.descend(net, dh, inputs, self.velocity, float(self.momentum), float(self.learning_rate))

    def update(self, net):
        self.bind(net)
        mu, epsilon = float(self.momentum), float(self.learning_rate)       # a NumPy float64 would change the dtype
        for part in backend.blocks(net.theta.size):                         # each fits into the processor's cache
            v, theta, grad = self.velocity[part], net.theta[part], net.grad[part]
            v[...] = mu * v - epsilon * grad
            theta += v
        net.enforce_norm_limits()

    def bind(self, net):
        """Make this the rule of `net`, with v = 0 at first; raise ValueError if it is the rule of another net."""
        if self.net is not None and self.net is not net:
            raise ValueError(f"this rule belongs to {self.net!r}, got {net!r}; give each net a rule of its own")
        self.net = net
        if self.velocity is None:
            self.velocity = xp.zeros_like(net.theta)
