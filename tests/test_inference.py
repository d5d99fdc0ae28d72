"""Learned inference: whose gradients go where, and that E finds the z of a G that can be inverted."""
import numpy as np
import pytest
from differences import central_difference, small_pair
from numpy.testing import assert_allclose, assert_array_equal

from npgan import checkpoint
from npgan.adversarial import Generator, SimultaneousSteps
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.costs import squared_error
from npgan.datasets import Dataset
from npgan.layers import Linear, RectifiedLinear
from npgan.learning_rule import LearningRule, Momentum
from npgan.mlp import MLP
from npgan.section7.conditional import ConditionalGenerator
from npgan.section7.inference import InferenceBeside, Inferer, inference_step, reconstruction_step
from npgan.train import Train, TrainingDiverged
from npgan.transpose import Transpose


class Still(LearningRule):
    """Leaves the net as it is, with its gradient in ``net.grad``."""

    def update(self, net):
        pass


def inferer(infer_layer=None, seed=2, top=(), **arguments):
    rng = RandomStream(seed)
    G = small_pair(RandomStream(1)).generator
    G = Generator(MLP([*G.mlp.layers, *top]), G.prior, G.rng)
    dim = 5 if infer_layer else 3
    return Inferer(MLP([RectifiedLinear(4, 6, 1., rng, init_bias=.1), Linear(6, dim, 1., rng)]), G, infer_layer,
                   **arguments)


@pytest.mark.parametrize("top", [(), (Transpose((1, 2, 2), (0, 2, 1)),)], ids=["sigmoids", "a transpose"])
@pytest.mark.parametrize("infer_layer", [None, "h0"])
def test_E_descends_the_squared_error_of_its_target(float64, infer_layer, top):
    E = inferer(infer_layer, top=top)
    G = E.generator
    place = G.rng.state
    z = G.noise(7)
    x = G.fprop(z)
    target = G.mlp.layers[0].fprop(z) if infer_layer else z
    G.rng.state = place
    inference_step(E, Still(), 7)
    slope = central_difference(lambda: squared_error(E.net.fprop(x), target), E.net.theta)
    assert_allclose(to_numpy(E.net.grad), slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("infer_layer", [None, "h0"])
def test_the_reconstruction_s_gradient_comes_through_G_held_fixed(float64, infer_layer):
    E = inferer(infer_layer)
    x = asarray(np.random.RandomState(0).uniform(size=(6, 4)))
    before = E.generator.grad.copy()
    reconstruction_step(E, Still(), x)
    slope = central_difference(lambda: squared_error(E.reconstruct(x), x), E.net.theta)
    assert_allclose(to_numpy(E.net.grad), slope, rtol=1e-6, atol=1e-8)
    assert_array_equal(to_numpy(E.generator.grad), to_numpy(before))


@pytest.mark.parametrize("tau", [.1, np.float64(.1)], ids=["a number", "NumPy's"])
def test_training_E_leaves_G_bit_identical(tau):
    E = inferer(tau=tau, rng=RandomStream(5))
    before, net = E.generator.theta.copy(), E.net.theta.copy()
    for _ in range(20):
        inference_step(E, Momentum(.01), 8)
        reconstruction_step(E, Momentum(.01), E.generator.sample(8))
    assert_array_equal(to_numpy(E.generator.theta), to_numpy(before))
    assert (to_numpy(E.net.theta) != to_numpy(net)).any()


def test_E_inverts_a_linear_G(float64):
    """
    x = z A for an A of full rank: the best E is z = x A^-1, with no error at all.

    At the optimum no noise is left, so no seed matters: a false alarm is below 1e-20.
    """
    A = np.array([[2., 1.], [0., 1.]])
    G = Generator(MLP([Linear(2, 2, 0., RandomStream(0))]), "gaussian", RandomStream(1))
    G.mlp.layers[0].W[...] = asarray(A)
    E = Inferer(MLP([Linear(2, 2, .1, RandomStream(2))]), G)
    rule = Momentum(.05, .5)
    for _ in range(600):
        inference_step(E, rule, 50)
    assert_allclose(to_numpy(E.net.layers[0].W), np.linalg.inv(A), atol=1e-6)
    x = asarray(np.random.RandomState(0).normal(size=(5, 2)))
    assert_allclose(to_numpy(E.reconstruct(x)), to_numpy(x), atol=1e-6)


def test_noise_on_what_E_is_shown_shrinks_it_as_ridge_regression_does(float64):
    """
    The best linear E for x = z + N(0, tau^2) is x / (1 + tau^2).

    With any other seed it fails with probability below 1e-30: the standard error is .0016.
    """
    G = Generator(MLP([Linear(1, 1, 0., RandomStream(0))]), "gaussian", RandomStream(1))
    G.theta[...] = asarray([1., 0.])
    E = Inferer(MLP([Linear(1, 1, .1, RandomStream(2))]), G, tau=1., rng=RandomStream(3))
    for update in range(400):
        inference_step(E, Momentum(.2 / (1 + update / 10)), 1000)
    assert abs(float(E.net.layers[0].W[0, 0]) - .5) < .02           # 400,000 draws


def game(tmp_path=None, beside=True, tau=.1, rate=.01, name="run.npz"):
    pair = small_pair(RandomStream(1), .8)
    rng = RandomStream(2)
    E = Inferer(MLP([RectifiedLinear(4, 6, 1., rng), Linear(6, 3, 1., rng)]), pair.generator, tau=tau, rng=rng)
    extensions = [InferenceBeside(E, Momentum(rate, .5))] * beside
    extensions += [checkpoint.Saving(tmp_path / name)] if tmp_path else []
    rows = Dataset(np.random.RandomState(0).uniform(size=(24, 4)))
    return Train(SimultaneousSteps(pair, Momentum(.1, .5), Momentum(.1, .5)), rows, 8, RandomStream(4), extensions)


def test_beside_G_E_changes_nothing_and_goes_on_from_a_checkpoint(tmp_path):
    alone, beside, whole = game(beside=False), game(), game(tmp_path, name="whole.npz")
    first, second = game(tmp_path), game(tmp_path)
    alone.main_loop(4)
    beside.main_loop(4)
    assert_array_equal(to_numpy(beside.step.pair.generator.theta), to_numpy(alone.step.pair.generator.theta))
    whole.main_loop(4)
    first.main_loop(2)
    checkpoint.restore(tmp_path / "run.npz", second)
    second.main_loop(4)
    whole, second = (train.extensions[0].inferer.net.theta for train in (whole, second))
    assert_array_equal(to_numpy(second), to_numpy(whole))
    assert (to_numpy(whole) != to_numpy(game().extensions[0].inferer.net.theta)).any()


@pytest.mark.parametrize("changes, message", [({"tau": .2}, "inferer.tau = 0.2 as in this run, found 0.1"),
                                              ({"rate": .1}, "rule.init_learning_rate = 0.1 .* found 0.01")])
def test_another_inference_net_does_not_go_on(changes, message, tmp_path):
    game(tmp_path).main_loop(1)
    with pytest.raises(checkpoint.CheckpointError, match=message):
        checkpoint.restore(tmp_path / "run.npz", game(tmp_path, **changes))


def test_an_E_that_diverges_beside_G_leaves_the_last_good_checkpoint(tmp_path):
    game(tmp_path).main_loop(1)
    train = game(tmp_path)
    checkpoint.restore(tmp_path / "run.npz", train)
    train.extensions[0].rule.learning_rate = 1e20
    message = "InferenceBeside's theta is not finite after epoch 2, update 6; the last good checkpoint is .*run.npz; "
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=message):
        train.main_loop(9)
    again = game(tmp_path)
    checkpoint.restore(tmp_path / "run.npz", again)
    assert again.epoch == 1


def test_what_does_not_fit_is_refused():
    rng, G = RandomStream(0), small_pair(RandomStream(1)).generator
    with pytest.raises(TypeError, match=r"net must be an MLP, got None; wrap layers in MLP\(\[...\]\)"):
        Inferer(None, G)
    with pytest.raises(TypeError, match="generator must be a Generator, got None"):
        Inferer(MLP([Linear(4, 3, 1., rng)]), None)
    with pytest.raises(ValueError, match="4 inputs, a sample, and 3 outputs, z, got 4 inputs and 2 outputs"):
        Inferer(MLP([Linear(4, 2, 1., rng)]), G)
    with pytest.raises(ValueError, match="4 inputs, a sample, and 5 outputs, h0, got 4 inputs and 3 outputs"):
        Inferer(MLP([Linear(4, 3, 1., rng)]), G, "h0")
    with pytest.raises(ValueError, match="infer_layer must be one of h0 or None, got 'y'"):
        Inferer(MLP([Linear(4, 4, 1., rng)]), G, "y")
    with pytest.raises(ValueError, match="tau must be a number >= 0, got -1"):
        Inferer(MLP([Linear(4, 3, 1., rng)]), G, tau=-1)
    with pytest.raises(ValueError, match="generator must be one that takes z only"):
        Inferer(MLP([Linear(4, 3, 1., rng)]), ConditionalGenerator(MLP([Linear(5, 4, 1., rng)]), 2, "uniform", rng))
