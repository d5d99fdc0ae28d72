"""
The generator of Section 3: it draws noise z from the prior p_g(z), and its net maps z to a sample x = G(z).
"""
from copy import copy

from npgan.backend import check_stream, xp
from npgan.checks import check_positive_ints
from npgan.mlp import MLP
from npgan.registry import register

SQRT3 = 3 ** .5


def uniform(rng, shape):
    """Draw an array of `shape` from `rng`, each coordinate from U(-sqrt 3, sqrt 3), of mean 0 and variance 1."""
    return rng.uniform(-SQRT3, SQRT3, shape)


def gaussian(rng, shape):
    """Draw an array of `shape` from `rng`, each coordinate from N(0, 1)."""
    return rng.normal(shape)


def spherical(rng, shape):
    """Draw rows of `shape` (m, nz) from `rng`, uniform on the unit sphere: N(0, I), divided by its norm."""
    z = rng.normal(shape)
    return z / xp.maximum(1e-7, xp.sqrt(xp.square(z).sum(axis=1, keepdims=True)))


PRIORS = {"uniform": uniform, "gaussian": gaussian, "spherical": spherical}


class Generator:
    """
    A net that turns noise into samples, G(z), z ~ p_g(z).

    Parameters
    ----------
    mlp : MLP
        Maps z, of mlp.nvis coordinates, to a sample.  Training and sampling both use `fprop`, without dropout.
    noise : "uniform", "gaussian" or "spherical"
        The prior p_g(z): U(-sqrt 3, sqrt 3) for each coordinate (the authors' for MNIST), N(0, I), or uniform on the
        unit sphere.
    rng : RandomStream
        Draws the noise.
    """

    argument_names = ()                                     # a subclass's further arguments, as in `Layer`

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
        """The number of coordinates of z."""
        return self.mlp.nvis

    @property
    def data_dim(self):
        """The length of a row of the data."""
        return self.mlp.dim

    @property
    def dim(self):
        """The length of a row that D judges."""
        return self.mlp.dim

    @property
    def streams(self):
        """The random streams of the noise and of the layers, each once."""
        return list(dict.fromkeys([self.rng, *self.mlp.streams]))

    @property
    def theta(self):
        """theta_g, all of G's parameters in one vector."""
        return self.mlp.theta

    @property
    def grad(self):
        """dC/dtheta_g of the latest backward pass."""
        return self.mlp.grad

    def noise(self, m):
        """Draw `m` noise samples from p_g(z), an array (m, nz)."""
        check_positive_ints(m=m)
        return PRIORS[self.prior](self.rng, (m, self.nz))

    def with_noise(self, x):
        """
        Return two arrays: the data rows `x` as D judges them, and the input of `fprop` for as many samples.

        Here these are x and noise z.  The generators of `npgan.section7` also get data beside z, and override this one
        method.
        """
        return x, self.noise(len(x))

    def fprop(self, z):
        """Return G(z) as rows (m, dim) for D, and keep what the backward pass will need."""
        return self.mlp.fprop(z)

    def bprop(self, dx, params=True, inputs=True):
        """Do the backward pass from `dx` = dC/dG(z), an array (m, dim); `params`, `inputs` as in `Layer.bprop`."""
        return self.mlp.bprop(dx, params, inputs)

    def __copy__(self):
        """Return a generator that shares the parameters and streams of this one and keeps a forward pass of its own."""
        G = object.__new__(type(self))
        G.__dict__.update(self.__dict__, mlp=copy(self.mlp))
        return G

    def sample(self, m):
        """
        Return `m` independent samples, an array (m, dim): a forward pass each, no Markov chain (Section 1).

        A callback or another thread may call this during training, even in the midst of an update: the gradients of
        that update stay right.  The noise comes from `rng`, so later updates get other noise than without the call.
        """
        check_positive_ints(m=m)
        G = copy(self)
        return xp.concatenate([G.fprop(G.noise(min(1000, m - start))) for start in range(0, m, 1000)])

    def enforce_norm_limits(self):
        """Shrink the weights whose norm exceeds their layer's limit."""
        self.mlp.enforce_norm_limits()

    def __repr__(self):
        return f"Generator({self.mlp!r}, noise={self.prior!r})"
