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
from npgan.backend import check_stream, xp
from npgan.checks import check_positive_ints
from npgan.costs import NonSaturating, cross_entropy, cross_entropy_grad
from npgan.layers import Linear, sigmoid
from npgan.mlp import MLP
from npgan.registry import register

SQRT3 = 3 ** .5


def uniform(rng, shape):
    """U(-sqrt 3, sqrt 3) in each coordinate, mean 0 and variance 1: an array of `shape`, drawn from `rng`."""
    return rng.uniform(-SQRT3, SQRT3, shape)


def gaussian(rng, shape):
    """N(0, I): an array of `shape`, drawn from `rng`."""
    return rng.normal(shape)


def spherical(rng, shape):
    """Rows uniform on the unit sphere, N(0, I) divided by its norm: an array of `shape`, drawn from `rng`."""
    z = rng.normal(shape)
    return z / xp.maximum(1e-7, xp.sqrt(xp.square(z).sum(axis=1, keepdims=True)))


PRIORS = {"uniform": uniform, "gaussian": gaussian, "spherical": spherical}


class Generator:
    """
    A net that turns noise into samples, G(z), z ~ p_g(z).

    Parameters
    ----------
    mlp : MLP
        From z, of mlp.nvis coordinates, to a sample.  G trains and samples by the plain pass, without dropout.
    noise : "uniform", "gaussian" or "spherical"
        The prior p_g(z): U(-sqrt 3, sqrt 3) per coordinate (the authors' for MNIST), N(0, I), or the unit sphere.
    rng : RandomStream
        Draws the noise.
    """

    argument_names = ()                                     # further ones of a subclass, as in `Layer`

    def __init_subclass__(cls):
        register(cls)

    def __init__(self, mlp, noise="uniform", rng=None):
        if noise not in PRIORS:
            raise ValueError(f"noise must be one of {', '.join(PRIORS)}, got {noise!r}")
        if not isinstance(mlp, MLP):
            raise TypeError(f"mlp must be an MLP, got {mlp!r}; wrap layers in MLP([...])")
        check_stream(rng)
        self.mlp, self.prior, self.rng = mlp, noise, rng

    @property
    def layers(self):
        """The layers of the net."""
        return self.mlp.layers

    @property
    def nz(self):
        """The coordinates of z."""
        return self.mlp.nvis

    @property
    def data_dim(self):
        """The numbers in a row of the data."""
        return self.mlp.dim

    @property
    def dim(self):
        """The numbers in a row that D judges."""
        return self.mlp.dim

    @property
    def streams(self):
        """The random streams of noise, and of layers that draw, each once."""
        return list(dict.fromkeys([self.rng, *self.mlp.streams]))

    @property
    def theta(self):
        """theta_g, all of G's parameters in one vector."""
        return self.mlp.theta

    @property
    def grad(self):
        """dC/dtheta_g, of the latest backward pass."""
        return self.mlp.grad

    def noise(self, m):
        """`m` noise samples from p_g(z), an array (m, nz)."""
        check_positive_ints(m=m)
        return PRIORS[self.prior](self.rng, (m, self.nz))

    def with_noise(self, x):
        """
        Return the data rows `x` as D judges them, and what `fprop` takes for as many samples: here x and noise z.

        Generators of `npgan.section7`, which take something given beside z, override this one method.
        """
        return x, self.noise(len(x))

    def fprop(self, z):
        """Return G(z) as rows (m, dim) for D, and keep what the backward pass needs."""
        return self.mlp.fprop(z)

    def bprop(self, dx, params=True, inputs=True):
        """The backward pass from `dx`, dC/dG(z), an array (m, dim); `params` and `inputs` as in `Layer.bprop`."""
        return self.mlp.bprop(dx, params, inputs)

    def __copy__(self):
        """Return a generator with the same parameters and streams whose passes leave the backward pass as it was."""
        G = object.__new__(type(self))
        G.__dict__.update(self.__dict__, mlp=copy(self.mlp))
        return G

    def sample(self, m):
        """
        Return `m` independent samples, an array (m, dim): a forward pass each, no Markov chain (Section 1).

        It may be called at any time, also from another thread while `Train` is in the midst of an update: a backward
        pass of G stays right.  The noise comes from G's stream, so training then goes on with other noise.
        """
        check_positive_ints(m=m)
        G = copy(self)
        return xp.concatenate([G.fprop(G.noise(min(1000, m - start))) for start in range(0, m, 1000)])

    def enforce_norm_limits(self):
        """Shrink the weights whose norm exceeds their layer's limit."""
        self.mlp.enforce_norm_limits()

    def __repr__(self):
        return f"Generator({self.mlp!r}, noise={self.prior!r})"


class AdversaryPair:
    """
    The players of eq. 1.

    Parameters
    ----------
    generator : Generator
    discriminator : MLP
        Its input is as wide as a sample; it ends in one `Linear` unit, the logit of D(x).
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
        """The random streams of noise and masks, each once."""
        return list(dict.fromkeys([*self.generator.streams, *self.discriminator.streams]))

    def discriminate(self, x):
        """
        Return D(x), the probability that a row is data and not a sample: an array (m, 1), without dropout.

        It may be called at any time, as `Generator.sample` may.
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
                        "npgan.backend.use(floatX=...) before nets are built, convert data by npgan.backend.asarray")
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
        Called after each iteration, for monitoring, schedules or `npgan.train.check_finite`; a true result ends the
        training.
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
    The update of the released code: both players move at once, by their gradients at the same parameters.

    One pass of m samples through D, its masks included, serves both; D descends C_D = -V/2 (a half that the paper does
    not have), the mean cross-entropy over its 2m rows.

    One backward pass through D serves both as well.  C_D and G's loss C_G see sample i only through its logit a_i, so

        dC_D/dx_i = dC_D/da_i da_i/dx_i        dC_G/dx_i = dC_G/da_i da_i/dx_i

    differ by one factor for the whole row, (dC_G/da_i)/(dC_D/da_i).  A floor keeps the latter from underflow; it adds
    at most 1e-25 to a row of D's signal.

    Parameters
    ----------
    pair, rule_G, rule_D, generator_loss
        As in `algorithm_1`.
    x : array (m, d)
        Data rows; as many samples are drawn.
    """
    G, D = pair.generator, pair.discriminator
    m = len(x)
    x, z = G.with_noise(x)
    a = D.dropout_fprop(stack(x, G.fprop(z)))
    dC_D = cross_entropy_grad(a, labels(a))
    on_samples = slice(m, None)
    dC_D[on_samples] = xp.maximum(dC_D[on_samples], 1e-25)
    dx = rule_D.descend(D, dC_D, inputs=on_samples)[on_samples]
    rule_G.descend(G, dx * (generator_loss.grad(a[on_samples]) / dC_D[on_samples]))


class SimultaneousSteps:
    """
    `simultaneous_step` for a training loop with epochs: ``step(x, t)`` makes update number t, a step of both players.

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
    Algorithm 1's order for a training loop with epochs: ``step(x, t)`` is a step of D and, for every k-th t, also of G.

    t is the number of the update, counted from 1.  The steps are those of `algorithm_1`.  D's gradient is twice that of
    `simultaneous_step`, so its learning rate has twice the effect.

    Parameters
    ----------
    pair, rule_G, rule_D, generator_loss
        As in `algorithm_1`.
    discriminator_steps : int
        k.
    generator_steps : int
        Steps of G after each k of D, each from fresh noise; more than 1 help where D is far ahead, too many collapse G.
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
