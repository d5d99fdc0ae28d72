"""Central differences and small nets, for the tests of what the passes compute."""
import numpy as np
from hypothesis import HealthCheck, settings

from npgan import backend
from npgan.adversarial import AdversaryPair, Generator
from npgan.backend import to_numpy
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.mlp import MLP

# a law holds for whatever inputs hypothesis thinks of, and on either backend
law = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


def from_numpy(function, a, *more):
    """What a function of backend arrays gives for NumPy arrays, a NumPy array."""
    return to_numpy(function(backend.asarray(a), *more))


def central_difference(cost, array, step=1e-5):
    """dC/d(array), each entry moved in place by +-step and put back: a NumPy array."""
    slope = np.empty(array.shape)
    for i in np.ndindex(array.shape):
        here = float(array[i])
        array[i] = here + step
        above = float(cost())
        array[i] = here - step
        slope[i] = (above - float(cost())) / (2 * step)
        array[i] = here
    return slope


def small_generator(rng, noise="gaussian"):
    """From 3 noise coordinates by 5 rectifiers to 4 sigmoids."""
    return Generator(MLP([RectifiedLinear(3, 5, 1., rng, init_bias=.1), Sigmoid(5, 4, 1., rng)]), noise, rng)


def small_discriminator(rng, include_prob=1.):
    """From 4 numbers by 3 maxout units of 2 pieces to the logit, dropout before both; the biases prevent ties."""
    return MLP([Dropout(include_prob, rng=rng), Maxout(4, 3, 2, 1., rng, init_bias=rng.normal((6,))),
                Dropout(include_prob, rng=rng), Linear(3, 1, 1., rng, init_bias=.1)])


def small_pair(rng, include_prob=1., noise="gaussian"):
    """The two above; all they draw comes from `rng`, so resetting its state replays noise and masks."""
    return AdversaryPair(small_generator(rng, noise), small_discriminator(rng, include_prob))
