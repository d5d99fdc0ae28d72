"""
Learned approximate inference: a net E that predicts from x the z that G made it of (Section 7, extension 2).

E learns from samples alone, whose z is known, so it can be trained beside G as well as when G is finished; no gradient
of its goes into G.  As a layer l of G may be easier to tell from x than z, E can also predict its output h_l:

    C = mean over rows of ||E(G(z)) - z||^2         or ||E(G(z)) - h_l(z)||^2         (the authors' ``infer_layer``)

Data are near to samples, not among them.  So that E is right there too, it may be shown G(z) + N(0, tau^2) in training.
"""
from npgan.adversarial import Generator
from npgan.backend import aside, check_stream
from npgan.checks import check_positive_ints
from npgan.costs import squared_error_grad
from npgan.mlp import MLP


class Inferer:
    """
    The inference net E of a generator.

    Parameters
    ----------
    net : MLP
        E, from a sample of G to z or to the layer.
    generator : Generator
    infer_layer : str, optional
        The name of the layer of G whose output E predicts, such as "h0"; z unless given.
    tau : float
        The standard deviation of the noise on what E is shown in training.
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
            raise ValueError(f"an inference net is for a G that takes z alone, got {generator!r}")
        if infer_layer is not None and infer_layer not in G.layer_names[:-1]:
            raise ValueError(f"infer_layer must be one of {', '.join(G.layer_names[:-1])} or None, got {infer_layer!r}")
        above = 0 if infer_layer is None else G.with_params[G.layer_names.index(infer_layer)] + 1
        self.below, self.above = G.layers[:above], G.layers[above:]                 # what makes the target, and x of it
        target, wanted = (infer_layer, self.below[-1].dim) if infer_layer else ("z", generator.nz)
        if (net.nvis, net.dim) != (G.dim, wanted):
            raise ValueError(f"an inference net goes from a sample of {G.dim} numbers to {target} of {wanted}, "
                             f"got one from {net.nvis} to {net.dim}")
        self.net, self.generator, self.infer_layer, self.tau, self.rng = net, generator, infer_layer, float(tau), rng

    @property
    def streams(self):
        """The random streams of noise and masks, each once."""
        drawn = [self.rng] if self.rng else []
        return list(dict.fromkeys([*self.generator.streams, *drawn, *self.net.streams]))

    def training_fprop(self, x):
        """E's training pass, with noise on `x` and with dropout, if there is any of either."""
        return self.net.dropout_fprop(x + self.tau * self.rng.normal(x.shape) if self.tau else x)

    def infer(self, x):
        """E(x), what x (m, d) was made of as far as E can tell: an array (m, nz), or (m, dim of the layer)."""
        return self.net.fprop(x)

    def reconstruct(self, x):
        """G(E(x)), or what G's upper layers make of the layer that E predicts: an array like x."""
        return self.generate(self.infer(x))

    def generate(self, h):
        """What G makes of z, or of the output `h` of the layer that E predicts: an array (m, d)."""
        for layer in self.above:
            h = layer.fprop(h)
        return h


def inference_step(inferer, rule, m):
    """
    One step of E down the gradient of C: `rule` moves the `inferer`'s net by `m` samples of G, which stays as it is.

    Whether E is still finite it leaves to the caller to ask, every so many steps, by `npgan.train.check_finite`.
    """
    check_positive_ints(m=m)
    target = inferer.generator.noise(m)
    for layer in inferer.below:
        target = layer.fprop(target)
    x = inferer.generate(target)
    rule.descend(inferer.net, squared_error_grad(inferer.training_fprop(x), target))


def reconstruction_step(inferer, rule, x):
    """
    One step of E down the gradient of mean ||G(E(x)) - x||^2, which comes to E through G held fixed.

    Where C asks for each coordinate of z alike, this asks for those that show.  `rule` moves the `inferer`'s net; `x`
    (m, d) may be samples or data.  It asks as little as `inference_step` whether E is still finite.
    """
    dh = squared_error_grad(inferer.generate(inferer.training_fprop(x)), x)
    for layer in reversed(inferer.above):
        dh = layer.bprop(dh, params=False)
    rule.descend(inferer.net, dh)


class InferenceBeside:
    """
    Trains E beside G, as an extension of `Train`: an `inference_step` after each minibatch, as many samples.

    Its noise comes from streams of its own, so the game goes the same way with it or without.

    Parameters
    ----------
    inferer : Inferer
        Of the game's generator.
    rule : Momentum
        E's own.
    seed : int
        Of the noise.
    """

    argument_names = "inferer", "rule", "seed"
    state_names = "theta", "velocity", "rates"

    def __init__(self, inferer, rule, seed=2014):
        self.inferer, self.rule, self.seed = inferer, rule, seed
        rule.take(inferer.net)

    def on_update(self, train):
        """Train E; call after each update."""
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
        """The rule's."""
        return self.rule.velocity

    @velocity.setter
    def velocity(self, velocity):
        self.rule.velocity = velocity

    @property
    def rates(self):
        """The rule's learning rate and momentum, which schedules change."""
        return [self.rule.learning_rate, self.rule.momentum]

    @rates.setter
    def rates(self, rates):
        self.rule.learning_rate, self.rule.momentum = rates
