"""
The two players and their game (Section 3), Algorithm 1, and the step that the authors released.

G draws z from the noise prior p_g(z) and maps it to x = G(z); D ends in a linear unit, whose output is the logit a of
D(x) = sigmoid(a).  They play

    min_G max_D V(D, G) = E_{x ~ p_data} log D(x) + E_{z ~ p_g(z)} log(1 - D(G(z)))         (eq. 1)

What flows where, in both kinds of update:

    z -> G.fprop -> G(z) -> D.dropout_fprop -> a -> dC/da -> D.bprop -> dC/dG(z) -> G.bprop -> G.grad
"""
from copy import copy

from npgan import backend
from npgan.backend import xp
from npgan.checks import check_positive_ints
from npgan.costs import NonSaturating, cross_entropy, cross_entropy_grad
from npgan.generator import Generator
from npgan.layers import Linear, sigmoid
from npgan.mlp import MLP


class AdversaryPair:
    """
    The players of eq. 1.

    Parameters
    ----------
    generator : Generator
    discriminator : MLP
        Takes rows as long as a sample; ends in one `Linear` unit, the logit of D(x).
    """

    def __init__(self, generator, discriminator):
        if not isinstance(generator, Generator):
            raise TypeError(f"generator must be a Generator(mlp, noise, rng), got {generator!r}")
        if not isinstance(discriminator, MLP):
            raise TypeError(f"discriminator must be an MLP, got {discriminator!r}; wrap layers in MLP([...])")
        G, D = generator, discriminator
        if D.nvis != G.dim:
            raise ValueError(f"D takes rows of {D.nvis} numbers, but G makes rows of {G.dim}")
        if D.dim != 1 or type(D.layers[-1]).fprop is not Linear.fprop:
            raise ValueError(f"D must end in Linear(nvis, 1), whose output is the logit of D(x), got {D.layers[-1]!r}")
        self.generator, self.discriminator = generator, discriminator

    @property
    def streams(self):
        """The random streams of the noise and of dropout's masks, each once."""
        return list(dict.fromkeys([*self.generator.streams, *self.discriminator.streams]))

    def discriminate(self, x):
        """
        Return D(x), the probability that a row is data and not a sample: an array (m, 1), without dropout.

        A callback or another thread may call this during training, as `Generator.sample`.
        """
        return sigmoid(copy(self.discriminator).fprop(x))

    def value(self, x, z):
        """Return V(D, G) of eq. 1, in nats, for rows `x` (m, dim) and noise `z`, without dropout: a 0-d array."""
        G, D = copy(self.generator), copy(self.discriminator)
        return -cross_entropy(D.fprop(x), 1) - cross_entropy(D.fprop(G.fprop(z)), 0)


def labels(a):
    """Return the labels y of the logits `a` (2m, 1): 1 for the m data rows, 0 for the m samples below them."""
    y = xp.zeros_like(a)
    y[:len(a) // 2] = 1
    return y


def stack(x, samples):
    """Return one minibatch (2m, d) for D: the data rows `x` (m, d), and below them as many `samples`."""
    if not backend.is_array(x):
        raise TypeError(f"the data must be a plain array, got a {type(x).__name__}; npgan.backend.asarray converts "
                        "lists and tables")
    if x.shape != samples.shape:
        raise ValueError(f"the data must be rows of {samples.shape[1]} numbers, shape (m, {samples.shape[1]}), "
                         f"got shape {x.shape}")
    if x.dtype != samples.dtype:
        raise TypeError(f"the nets compute in {samples.dtype}, got {x.dtype}; choose the precision by "
                        "npgan.backend.use(floatX=...) before nets are built, and convert data by "
                        "npgan.backend.asarray")
    return xp.concatenate([x, samples])


def algorithm_1(pair, rule_G, rule_D, data, num_iterations, k=1, m=100, generator_loss=NonSaturating(), callback=None):
    """
    Train by Algorithm 1: minibatch stochastic gradient descent training of generative adversarial nets.

    D.fprop returns the logit a of D(x) = sigmoid(a).  D's two sums are one cross-entropy over 2m rows, labelled y = 1
    for data and 0 for samples; twice its mean is the paper's 1/m for each.  G ascends log D(G(z)) by default, as
    Section 3 advises and the released code does; Algorithm 1 as printed descends log(1 - D(G(z))), which is
    ``generator_loss=Saturating()``.

    Parameters
    ----------
    pair : AdversaryPair
    rule_G, rule_D : LearningRule
    data : function of m
        Returns m examples from p_data(x), an array (m, d).
    num_iterations : int
    k : int
        Steps of D before each step of G.
    m : int
        Minibatch size.
    generator_loss : NonSaturating, Saturating or Blend
        The loss that G descends.
    callback : function of the number of iterations done, optional
        Called after each iteration, for monitoring, schedules or `npgan.train.check_finite`; if it returns a true
        value, training ends.
    """
    check_positive_ints(num_iterations=num_iterations, k=k, m=m)
    G, D = pair.generator, pair.discriminator
    G.enforce_norm_limits()
    D.enforce_norm_limits()
    for iteration in range(1, num_iterations + 1):
        for _ in range(k):
            examples = data(m)                                          # m examples from p_data(x)
            x, z = G.with_noise(examples)                               # m noise samples from p_g(z)
            a = D.dropout_fprop(stack(x, G.fprop(z)))
            rule_D.descend(D, 2 * cross_entropy_grad(a, labels(a)))     # ascend log D(x) + log(1 - D(G(z)))

        _, z = G.with_noise(examples)                                   # m fresh noise samples
        a = D.dropout_fprop(G.fprop(z))
        rule_G.descend(G, D.bprop(generator_loss.grad(a), params=False))    # ascend log D(G(z)); D is held fixed
        if callback is not None and callback(iteration):
            break


def discriminator_step(pair, rule_D, x, z):
    """
    Do one step of D as in `algorithm_1`.

    Parameters
    ----------
    pair : AdversaryPair
    rule_D : LearningRule
    x, z : array
        Data rows and noise, from ``pair.generator.with_noise``.
    """
    G, D = pair.generator, pair.discriminator
    a = D.dropout_fprop(stack(x, G.fprop(z)))
    rule_D.descend(D, 2 * cross_entropy_grad(a, labels(a)))


def generator_step(pair, rule_G, z, generator_loss=NonSaturating()):
    """
    Do one step of G as in `algorithm_1`.

    The gradient passes through D's layers, but D's own gradients are not computed.

    Parameters
    ----------
    pair : AdversaryPair
    rule_G : LearningRule
    z : array
        Noise, from ``pair.generator.noise`` or ``with_noise``.
    generator_loss
        As in `algorithm_1`.
    """
    G, D = pair.generator, pair.discriminator
    a = D.dropout_fprop(G.fprop(z))
    rule_G.descend(G, D.bprop(generator_loss.grad(a), params=False))


def simultaneous_step(pair, rule_G, rule_D, x, generator_loss=NonSaturating()):
    """
    Do the update of the released code: one step of both players, by their gradients at the same parameters.

    Both players use the same m samples and the same forward pass through D, with the same dropout masks.  D descends
    C_D = -V/2, the mean cross-entropy over its 2m rows; the paper does not have this factor 1/2.

    Both also use the same backward pass through D.  C_D and G's loss C_G depend on sample x_i only through its logit
    a_i, so

        dC_D/dx_i = dC_D/da_i da_i/dx_i        dC_G/dx_i = dC_G/da_i da_i/dx_i

    differ by one factor for the whole row, (dC_G/da_i)/(dC_D/da_i).  The denominator is kept from underflow: it is at
    least 1e-25, which changes D's gradient by no more than that in a row.

    Parameters
    ----------
    pair, rule_G, rule_D, generator_loss
        As in `algorithm_1`.
    x : array (m, d)
        Data rows; G draws as many samples.
    """
    G, D = pair.generator, pair.discriminator
    m = len(x)
    x, z = G.with_noise(x)
    a = D.dropout_fprop(stack(x, G.fprop(z)))
    dC_D = cross_entropy_grad(a, labels(a))
    samples = slice(m, None)
    dC_D[samples] = xp.maximum(dC_D[samples], 1e-25)
    dx = rule_D.descend(D, dC_D, inputs=samples)[samples]
    rule_G.descend(G, dx * (generator_loss.grad(a[samples]) / dC_D[samples]))


class SimultaneousSteps:
    """
    The step of both players for `npgan.train.Train`: ``step(x, t)`` is `simultaneous_step`, for any t.

    Parameters
    ----------
    pair, rule_G, rule_D, generator_loss
        As in `algorithm_1`.
    """

    argument_names = "generator_loss",

    def __init__(self, pair, rule_G, rule_D, *, generator_loss=NonSaturating()):
        self.pair, self.rule_G, self.rule_D, self.generator_loss = pair, rule_G, rule_D, generator_loss

    def __call__(self, x, t):
        simultaneous_step(self.pair, self.rule_G, self.rule_D, x, self.generator_loss)


class SeparateSteps:
    """
    Algorithm 1 for `npgan.train.Train`: ``step(x, t)`` is a step of D and, if t is a multiple of k, a step of G.

    t is the number of the update, counted from 1.  The steps are those of `algorithm_1`.  D's gradient is twice that of
    `simultaneous_step`, so its learning rate has twice the effect.

    Parameters
    ----------
    pair, rule_G, rule_D, generator_loss
        As in `algorithm_1`.
    discriminator_steps : int
        k.
    generator_steps : int
        Steps of G after each k steps of D, each with new noise.  More than 1 help if D is far ahead; with too many, all
        samples of G become alike.
    """

    argument_names = "discriminator_steps", "generator_steps", "generator_loss"

    def __init__(self, pair, rule_G, rule_D, *, discriminator_steps=1, generator_steps=1,
                 generator_loss=NonSaturating()):
        check_positive_ints(discriminator_steps=discriminator_steps, generator_steps=generator_steps)
        self.pair, self.rule_G, self.rule_D, self.generator_loss = pair, rule_G, rule_D, generator_loss
        self.discriminator_steps, self.generator_steps = discriminator_steps, generator_steps

    def __call__(self, x, t):
        G = self.pair.generator
        discriminator_step(self.pair, self.rule_D, *G.with_noise(x))
        if t % self.discriminator_steps == 0:
            for _ in range(self.generator_steps):
                _, z = G.with_noise(x)
                generator_step(self.pair, self.rule_G, z, self.generator_loss)
