"""
Learned approximate inference: a net E that predicts z from x = G(z) (Section 7, extension 2).

E learns from samples only, whose z is known.  So it can be trained beside G or after it; E's gradient does not reach G.
E can also predict h_l, the output of a layer l of G, which may be easier than z:

    C = mean over rows of ||E(G(z)) - z||^2         or ||E(G(z)) - h_l(z)||^2         (the authors' ``infer_layer``)

Data are close to samples but not among them.  To be accurate there, E can be trained on G(z) + N(0, tau^2).
"""
from npgan.backend import aside, check_stream
from npgan.checks import check_positive_ints
from npgan.costs import squared_error_grad
from npgan.generator import Generator
from npgan.mlp import MLP


class Inferer:
    """
    The inference net E of a generator.

    Parameters
    ----------
    net : MLP
        E, from a sample of G to z or to the layer's output.
    generator : Generator
    infer_layer : str, optional
        The name of the layer of G whose output E predicts, such as "h0"; by default E predicts z.
    tau : float
        The standard deviation of the noise on E's input in training.
    rng : RandomStream, optional
        Draws that noise.
    """

    argument_names = "net", "infer_layer", "tau", "rng"

    def __init__(self, net, generator, infer_layer=None, tau=0., rng=None):
        if not 0 <= tau < float("inf"):
            raise ValueError(f"tau must be a number >= 0, got {tau}")
        if tau:
            check_stream(rng)
        if not isinstance(net, MLP):
            raise TypeError(f"net must be an MLP, got {net!r}; wrap layers in MLP([...])")
        if not isinstance(generator, Generator):
            raise TypeError(f"generator must be a Generator, got {generator!r}")
        G = generator.mlp
        if generator.nz != G.nvis:
            raise ValueError(f"generator must be one that takes z only, got {generator!r}")
        if infer_layer is not None and infer_layer not in G.layer_names[:-1]:
            raise ValueError(f"infer_layer must be one of {', '.join(G.layer_names[:-1])} or None, got {infer_layer!r}")
        if infer_layer is None:
            self.below, self.above = [], G.layers               # from z to the target, and from the target to x
            target, target_dim = "z", generator.nz
        else:
            above = G.with_params[G.layer_names.index(infer_layer)] + 1
            self.below, self.above = G.layers[:above], G.layers[above:]
            target, target_dim = infer_layer, self.below[-1].dim
        if (net.nvis, net.dim) != (G.dim, target_dim):
            raise ValueError(f"net must have {G.dim} inputs, a sample, and {target_dim} outputs, {target}, "
                             f"got {net.nvis} inputs and {net.dim} outputs")
        self.net, self.generator, self.infer_layer, self.tau, self.rng = net, generator, infer_layer, float(tau), rng

    @property
    def streams(self):
        """The random streams of noise and masks, each once."""
        drawn = [self.rng] if self.rng else []
        return list(dict.fromkeys([*self.generator.streams, *drawn, *self.net.streams]))

    def training_fprop(self, x):
        """Return the output of E's training pass, with noise on `x` if tau > 0, and with dropout if E has any."""
        if self.tau:
            x = x + self.tau * self.rng.normal(x.shape)
        return self.net.dropout_fprop(x)

    def infer(self, x):
        """Return E(x), E's prediction of z or of the layer's output, for `x` (m, d): an array (m, nz or dim)."""
        return self.net.fprop(x)

    def reconstruct(self, x):
        """Return G(E(x)), or the output of G's upper layers for the layer that E predicts: an array like `x`."""
        return self.generate(self.infer(x))

    def generate(self, h):
        """Return G's output for `h`, a z or an output of the layer that E predicts: an array (m, d)."""
        for layer in self.above:
            h = layer.fprop(h)
        return h


def inference_step(inferer, rule, m):
    """
    Make one step of E down the gradient of C: `rule` updates the `inferer`'s net by `m` samples of G; G stays fixed.

    The caller checks now and then, by `npgan.train.check_finite`, that E is finite.
    """
    check_positive_ints(m=m)
    target = inferer.generator.noise(m)
    for layer in inferer.below:
        target = layer.fprop(target)
    x = inferer.generate(target)
    rule.descend(inferer.net, squared_error_grad(inferer.training_fprop(x), target))


def reconstruction_step(inferer, rule, x):
    """
    Make one step of E down the gradient of mean ||G(E(x)) - x||^2, which reaches E through G; G stays fixed.

    C weighs all coordinates of z equally; this cost weighs them by their effect on x.  `rule` updates the `inferer`'s
    net; `x` (m, d) may be samples or data.  The caller checks that E is finite, as in `inference_step`.
    """
    dh = squared_error_grad(inferer.generate(inferer.training_fprop(x)), x)
    for layer in reversed(inferer.above):
        dh = layer.bprop(dh, params=False)
    rule.descend(inferer.net, dh)


class InferenceBeside:
    """
    Trains E beside G: an extension of `Train` that makes an `inference_step` of batch_size samples after each update.

    Its noise comes from separate streams, so the training of G and D is bit-identical with and without it.

    Parameters
    ----------
    inferer : Inferer
        The inference net of the generator in training.
    rule : Momentum
        The learning rule of E.
    seed : int
        The random seed of the noise.
    """

    argument_names = "inferer", "rule", "seed"
    state_names = "theta", "velocity", "rates"

    def __init__(self, inferer, rule, seed=2014):
        self.inferer, self.rule, self.seed = inferer, rule, seed
        rule.bind(inferer.net)

    def on_update(self, train):
        """Make one step of E."""
        with aside(self.inferer.streams, self.seed, train.updates):
            inference_step(self.inferer, self.rule, train.batch_size)

    @property
    def theta(self):
        """E's parameters."""
        return self.inferer.net.theta

    @theta.setter
    def theta(self, theta):
        self.theta[...] = theta

    @property
    def velocity(self):
        """The velocity of E's rule."""
        return self.rule.velocity

    @velocity.setter
    def velocity(self, velocity):
        self.rule.velocity = velocity

    @property
    def rates(self):
        """The learning rate and momentum of E's rule, which schedules change."""
        return [self.rule.learning_rate, self.rule.momentum]

    @rates.setter
    def rates(self, rates):
        self.rule.learning_rate, self.rule.momentum = rates
