"""Noise within G: what it adds, what it hands down, and that it never rests."""
import numpy as np
import pytest
from differences import small_discriminator
from numpy.testing import assert_allclose, assert_array_equal

from npgan import backend, checkpoint
from npgan.adversarial import AdversaryPair, Generator, generator_step
from npgan.backend import RandomStream, to_numpy
from npgan.gradient_check import check
from npgan.layers import Dropout, Linear, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.released.noise_layers import Clusterize, IntrinsicDropout, NoiseCat

LAYERS = {"NoiseCat": lambda rng: NoiseCat(5, 2, .5, rng), "Clusterize": lambda rng: Clusterize(.3, rng),
          "IntrinsicDropout": lambda rng: IntrinsicDropout(.6, rng=rng)}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def noisy_generator(rng, make, init_bias=.1):
    """From 3 noise coordinates through a layer of noise between 5 rectifiers and 4 sigmoids."""
    noise, below = make(rng), RectifiedLinear(3, 5, 1., rng, init_bias=init_bias)
    return Generator(MLP([below, noise, Sigmoid(noise.dim or 5, 4, 1., rng)]), "gaussian", rng)


# What is drawn

def test_noise_cat_appends_coordinates():
    """With any other seed right noise fails with probability 2e-8: 8 numbers, six standard errors."""
    rng = RandomStream(1)
    s = rng.normal((20_000, 3))
    h = to_numpy(NoiseCat(3, 2, .5, rng).fprop(s))
    assert h.shape == (20_000, 5) and h.dtype == "float32"
    assert_array_equal(h[:, :3], to_numpy(s))
    assert abs(h[:, 3:].mean(axis=0)).max() < 6 * .5 / 20_000 ** .5
    covariance = np.cov(np.concatenate([to_numpy(s), h[:, 3:]], axis=1).T)
    assert_allclose(covariance[3:], np.diag([1, 1, 1, .25, .25])[3:], atol=6 * .5 / 20_000 ** .5)


def test_clusterize_pushes_each_unit_up_or_down():
    """With any other seed right signs fail with probability 1.2e-8: 6 numbers, six standard errors."""
    rng = RandomStream(1)
    s = rng.normal((20_000, 3))
    up = np.sign(to_numpy(Clusterize(.25, rng).fprop(s) - s))
    assert_allclose(to_numpy(Clusterize(.25, RandomStream(2)).fprop(0 * s)) ** 2, .0625, rtol=1e-6)
    assert set(np.unique(up)) == {-1, 1}
    assert_allclose(up.T @ up / 20_000, np.eye(3), atol=6 / 20_000 ** .5)               # independent from unit to unit
    assert abs(up.mean(axis=0)).max() < 6 / 20_000 ** .5


def test_intrinsic_dropout_drops_in_the_plain_pass():
    """As Dropout does in its training pass, to the bit; Dropout's own plain pass hands its input through."""
    rng = RandomStream(1)
    s = rng.normal((6, 5))
    always, training = IntrinsicDropout(.6, 3., RandomStream(2)), Dropout(.6, 3., RandomStream(2))
    h = to_numpy(always.fprop(s))
    assert_array_equal(h, to_numpy(training.dropout_fprop(s)))
    assert_array_equal(h[h != 0], 3 * to_numpy(s)[h != 0])
    assert 0 < (h == 0).sum() < 30          # with any other seed all or none are dropped with probability 2e-7
    assert_array_equal(to_numpy(training.fprop(s)), to_numpy(s))
    assert_array_equal(to_numpy(IntrinsicDropout(1.).fprop(s)), to_numpy(s))            # it keeps all


@every_layer
def test_samples_have_noise_of_their_own_though_z_is_one(make):
    """All five rectifiers are on, so 40 masks have 4 patterns or fewer with probability below 1e-15."""
    rng = RandomStream(1)
    G = noisy_generator(rng, make, init_bias=4.)
    z = 0 * G.noise(40) + 1
    assert len(np.unique(to_numpy(G.fprop(z)), axis=0)) > 4
    G.noise = lambda m: z[:m]
    a, b = to_numpy(G.sample(40)), to_numpy(G.sample(40))
    assert a.shape == (40, 4) and len(np.unique(a, axis=0)) > 4 and (a != b).any()


# Gradients

@pytest.mark.numpy_only
@every_layer
@pytest.mark.usefixtures("float64")
def test_gradients_given_the_noise(make):
    rng = RandomStream(2014)
    assert check(make(rng), rng.normal((3, 5))).ok
    pair = AdversaryPair(noisy_generator(rng, make), small_discriminator(rng, .6))
    assert check(pair, rng.uniform(0, 1, (3, 4)), rng.normal((3, 3))).ok


@every_layer
def test_the_layer_keeps_to_the_contract(make):
    rng = RandomStream(1)
    layer, s = make(rng), rng.normal((6, 5))
    before = to_numpy(s).copy()
    dh = rng.normal(layer.fprop(s).shape)
    assert layer.bprop(dh, inputs=False) is None
    with pytest.raises(RuntimeError, match="none came since"):
        layer.bprop(dh)
    layer.fprop(s)
    with pytest.raises(ValueError, match=r"the latest fprop gave \(6, "):
        layer.bprop(dh[:5])
    assert layer.bprop(dh).shape == (6, 5)
    assert_array_equal(to_numpy(s), before)


@every_layer
def test_a_generator_with_noise_inside_trains_in_single_precision(make):
    rng = RandomStream(1)
    pair = AdversaryPair(noisy_generator(rng, make), small_discriminator(rng, .6))
    before = to_numpy(pair.generator.theta).copy()
    generator_step(pair, Momentum(.1), pair.generator.noise(40))
    assert pair.generator.theta.dtype == pair.generator.sample(3).dtype == "float32"
    assert (to_numpy(pair.generator.theta) != before).mean() > .6                       # dead rectifiers stay


# Checkpoints

@every_layer
def test_nets_with_noise_inside_are_saved(make, tmp_path):
    """The loaded generator draws noise and masks from the stream it is given, as the saved one does from its own."""
    path, rng = tmp_path / "generator.npz", RandomStream(1)
    G = noisy_generator(rng, make)
    checkpoint.save_generator(path, G, dtype="float32")
    place = rng.state
    copy = RandomStream(5)
    copy.state = place
    loaded = checkpoint.load(path).generator(rng=copy)
    assert repr(loaded.mlp) == repr(G.mlp) and loaded.mlp.streams == [copy]
    if backend.xp.module is np:                         # elsewhere reading a stream's place moves it
        assert_array_equal(to_numpy(loaded.sample(5)), to_numpy(G.sample(5)))


# Bad arguments

@pytest.mark.parametrize("make, message", [
    (lambda rng: NoiseCat(0, 2, 1., rng), "nvis must be a whole number >= 1, got 0"),
    (lambda rng: NoiseCat(3, 1.5, 1., rng), "new_dim must be a whole number >= 1, got 1.5"),
    (lambda rng: NoiseCat(3, 2, 0., rng), "std must be a number > 0, got 0"),
    (lambda rng: Clusterize(-1., rng), "scale must be a number > 0, got -1"),
    (lambda rng: Clusterize(float("nan"), rng), "scale must be a finite number of float32, got nan"),
    (lambda rng: IntrinsicDropout(0., rng=rng), r"include_prob must be in \[1/65536, 1\], got 0"),
    (lambda rng: MLP([Linear(3, 4, 1., rng), NoiseCat(3, 2, 1., rng)]), "takes 3 inputs, but the layer below it has 4"),
    (lambda rng: NoiseCat(3, 2, 1., rng).fprop(rng.normal((5, 4))), r"rows of 3 numbers.*got shape \(5, 4\)"),
])
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make(RandomStream(1))


@pytest.mark.parametrize("make", [lambda: NoiseCat(3, 2), lambda: Clusterize(1.), lambda: IntrinsicDropout(.5)])
def test_what_is_drawn_needs_a_stream(make):
    with pytest.raises(TypeError, match="random draws need rng=npgan.backend.RandomStream"):
        make()
