"""The numbers of a diagnosis, on players whose state is known beforehand."""
import numpy as np
import pytest
from differences import small_pair
from numpy.testing import assert_array_equal

from npgan import backend
from npgan.adversarial import AdversaryPair, Generator
from npgan.backend import RandomStream, to_numpy
from npgan.costs import Saturating
from npgan.datasets import Dataset
from npgan.diagnosis import diagnose
from npgan.layers import Linear, RectifiedLinear
from npgan.mlp import MLP
from npgan.released.noise_layers import IntrinsicDropout
from npgan.transpose import Transpose

pytestmark = pytest.mark.usefixtures("float64")

CORNERS = np.array([[0., 0], [0, 1], [1, 0], [1, 1]])


def corners(**more):
    """Forty rows close to the corners of a square, each labelled by its corner."""
    X = np.repeat(CORNERS, 10, axis=0) + np.random.RandomState(1).uniform(-.1, .1, (40, 2))
    return Dataset(X, np.repeat(np.arange(4), 10), name="corners", **more)


def constant_pair(sample, w):
    """G gives `sample` whatever z, above 4 rectifiers of which one is on, at 9; D's logit is x w."""
    rng = RandomStream(1)
    h0 = RectifiedLinear(3, 4, 0., rng, init_bias=np.array([-9., 9, -9, -9]))
    G = Generator(MLP([h0, Linear(4, 2, 0., rng, init_bias=np.array(sample))]), "uniform", rng)
    D = MLP([Linear(2, 1, 0., rng)])
    D.theta[:2] = backend.asarray(np.array(w))
    return AdversaryPair(G, D)


def test_a_collapsed_generator_has_one_nearest_row_of_one_class():
    found = diagnose(constant_pair([1.05, .02], [0., 0]), corners(), corners())
    assert found.num_samples == 40
    assert (found.distinct, found.distinct_of_data) == (1, 40)
    assert (found.classes, found.classes_of_data) == ((0, 0, 40, 0), (10, 10, 10, 10))


def test_rectifiers_that_are_never_on_are_counted():
    assert diagnose(constant_pair([0., 0], [0., 0]), corners(), corners()).dead == {"h0": .75}


def test_d_is_told_for_data_and_for_samples():
    found = diagnose(constant_pair([1., 0], [np.log(3), 0]), Dataset(CORNERS), Dataset(CORNERS))
    assert (found.d_on_data, found.d_on_samples) == (pytest.approx((1 / 2 + 3 / 4) / 2), pytest.approx(3 / 4))


def test_d_judges_what_comes_after_the_last_layer_with_parameters():
    """G's transpose turns (0, 1, 0, 0) into (0, 0, 1, 0), to which D says log 3, and 0 to what was below."""
    rng, rows = RandomStream(1), Dataset(np.eye(4))
    G = MLP([Linear(3, 4, 0., rng, init_bias=np.eye(4)[1]), Transpose((1, 2, 2), (0, 2, 1))])
    D = MLP([Linear(4, 1, 0., rng)])
    D.theta[2] = float(np.log(3))
    found = diagnose(AdversaryPair(Generator(G, "uniform", rng), D), rows, rows)
    assert found.d_on_samples == pytest.approx(3 / 4) and found.distinct == 1


def test_gradient_norms_are_those_of_the_chain_rule():
    """The logit is 3, so -log D has dC/db = -sigmoid(-3) w in y; dC/dW is 9 times it; h0 gets nothing through W = 0."""
    found = diagnose(constant_pair([1., 0], [3., 4]), corners(), corners())
    assert found.grad_norms == {"h0": 0, "y": pytest.approx(5 / (1 + np.exp(3)) * 82 ** .5)}


def test_against_a_sure_d_a_saturating_loss_leaves_g_no_gradient():
    pair = constant_pair([-40., 0], [1., 0])
    assert diagnose(pair, corners(), corners()).grad_norms["y"] > 1
    assert diagnose(pair, corners(), corners(), generator_loss=Saturating()).grad_norms["y"] < 1e-15


def test_a_generator_alone_has_no_d_and_the_same_samples():
    pair = small_pair(RandomStream(3), .5)
    data = Dataset(np.random.RandomState(1).uniform(size=(25, 4)))
    both, alone = diagnose(pair, data, data, num_samples=10), diagnose(pair.generator, data, data, num_samples=10)
    assert alone.d_on_data is alone.d_on_samples is alone.grad_norms is alone.classes is None
    assert (alone.num_samples, alone.dead, alone.distinct) == (10, both.dead, both.distinct)
    assert "D(x)" in str(both) and "D(x)" not in str(alone) and "labels" not in str(both)


def test_the_players_and_their_streams_stay_as_they_were():
    def theta_and_noise(ask):
        pair = small_pair(RandomStream(3), .5)
        data = Dataset(np.full((5, 4), .5))
        if ask:
            assert diagnose(pair, data, data) == diagnose(pair, data, data)
        return [to_numpy(a) for a in (pair.generator.theta, pair.discriminator.theta, pair.generator.noise(3))]

    for asked, not_asked in zip(theta_and_noise(True), theta_and_noise(False)):
        assert_array_equal(asked, not_asked)


def test_masks_within_a_generator_alone_are_left_where_they_were():
    """Of 200 fair coins no 200 later ones are the same: below 1e-60."""
    def masks(ask):
        noise, stream = RandomStream(3), RandomStream(4)
        G = MLP([RectifiedLinear(3, 5, 1., noise), IntrinsicDropout(.5, rng=stream), Linear(5, 4, 1., noise)])
        G, data = Generator(G, "gaussian", noise), Dataset(np.random.RandomState(1).uniform(size=(25, 4)))
        if ask:
            assert diagnose(G, data, data) == diagnose(G, data, data)
        return to_numpy(stream.mask(.5, (200,)))

    assert_array_equal(masks(True), masks(False))


def test_the_report_has_each_number_and_what_it_means():
    report = str(diagnose(constant_pair([1., 0], [0., 0]), corners(), corners()))
    for words in ("0.500, 0.500", "h0 0, y ", "h0 75.0%", "  0   40    0   of samples", "1 of samples, 40 of data"):
        assert words in report
    assert report.count("Healthy: ") == 5 and max(map(len, report.splitlines())) <= 100


def test_data_of_another_width_are_refused_by_name():
    with pytest.raises(ValueError, match="G makes rows of 2 numbers, but wide has rows of 3"):
        diagnose(constant_pair([1., 0], [0., 0]), corners(), Dataset(np.zeros((4, 3)), name="wide"))
    with pytest.raises(ValueError, match="num_samples must be a whole number >= 1, got 0"):
        diagnose(constant_pair([1., 0], [0., 0]), corners(), corners(), num_samples=0)
