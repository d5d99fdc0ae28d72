"""Completion: what is given comes through to the bit, masks are what they are called, gradients are right."""
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from npgan import checkpoint, gradient_check
from npgan.adversarial import AdversaryPair, SimultaneousSteps
from npgan.backend import RandomStream, asarray, to_numpy, xp
from npgan.datasets import Dataset
from npgan.layers import Linear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import Monitor
from npgan.section7.completion import MASKS, CompletingGenerator
from npgan.section7.conditional import ConditionalDropout, ConditionalMaxout, ConditionalRectifiedLinear
from npgan.train import Train


def pair(shape=(2, 3), masks="quadrants_and_pixels"):
    """G from 2 noise coordinates and a picture with its mask to the picture, D of it and the mask."""
    rng, d = RandomStream(1), shape[0] * shape[1]
    net = MLP([ConditionalRectifiedLinear(2 + 2 * d, 5, 1., rng, ncond=2 * d), Sigmoid(5, d, 1., rng)])
    G = CompletingGenerator(net, shape, masks, "uniform", rng)
    D = MLP([ConditionalDropout(.8, rng=rng, ncond=d), ConditionalMaxout(2 * d, 4, 2, 1., rng, ncond=d),
             Linear(4, 1, 1., rng)])
    return AdversaryPair(G, D)


def pictures(m=5, d=6):
    return asarray(np.random.RandomState(2).uniform(size=(m, d)))


def test_given_pixels_come_through_to_the_bit():
    """Of some 300 float32 two or more coincide with probability 1e-10."""
    G, x, coincided = pair().generator, pictures(), 0
    for mask in np.random.RandomState(3).randint(2, size=(20, 6)):
        done = to_numpy(G.complete(x, asarray(mask)))
        assert_array_equal(done[:, mask == 1], to_numpy(x)[:, mask == 1])
        coincided += (done[:, mask == 0] == to_numpy(x)[:, mask == 0]).sum()
    assert coincided <= 1


def test_a_mask_of_ones_returns_the_picture():
    x = pictures()
    assert_array_equal(to_numpy(pair().generator.complete(x, asarray(np.ones(6)))), to_numpy(x))


def test_what_is_missing_does_not_reach_G():
    G, x, mask = pair().generator, pictures(), asarray([1, 0, 0, 1, 0, 1])
    place = G.rng.state
    done = to_numpy(G.complete(x, mask))
    for other in .5, np.nan:
        G.rng.state = place
        assert_array_equal(to_numpy(G.complete(xp.where(mask > 0, x, other), mask)), done)


def test_a_sample_is_the_picture_that_is_given_completed():
    G, x, mask = pair().generator, pictures(), asarray([1, 0, 0, 1, 0, 1])
    place = G.rng.state
    posed, inputs = G.masked(x, mask)
    G.rng.state = place
    sample = to_numpy(G.sample(inputs[:, G.nz:]))
    assert_array_equal(sample[:, [0, 3, 5]], to_numpy(x)[:, [0, 3, 5]])
    G.rng.state = place
    assert_array_equal(sample, to_numpy(G.complete(x, mask)))


@pytest.mark.parametrize("masks", MASKS)
def test_gradients_through_the_whole_game(float64, masks):
    game = pair(masks=masks)
    report = gradient_check.check(game, *game.generator.with_noise(pictures()))
    assert report.ok, report


@pytest.mark.parametrize("shape, given", [((1, 4), [1, 1, 0, 0]), ((1, 5), [1, 1, 1, 0, 0]), ((2, 1), [1, 1])])
def test_the_right_half_of_an_odd_picture_is_the_smaller(shape, given):
    mask = to_numpy(MASKS["right_half"](RandomStream(0), 3, shape))
    assert_array_equal(mask, np.tile(given, (3, 1)) if shape[0] == 1 else np.ones((3, 2)))


def test_quadrants_are_given_or_missing_as_a_whole():
    masks = to_numpy(MASKS["quadrants"](RandomStream(0), 400, (5, 4))).reshape(-1, 5, 4)
    rows, columns = slice(0, 3), slice(0, 2)
    for quadrant in (masks[:, rows, columns], masks[:, rows, 2:], masks[:, 3:, columns], masks[:, 3:, 2:]):
        first = quadrant[:, :1, :1]
        assert (quadrant == first).all()
        assert 100 < first.sum() < 300                              # binomial(400, 1/2): a false alarm below 1e-20
    # with any other seed one of 16 masks is missing with probability 1e-10
    assert len(np.unique(masks[:, ::4, ::3].reshape(400, -1), axis=0)) == 16


def test_the_share_of_given_pixels_is_uniform():
    share = to_numpy(MASKS["pixels"](RandomStream(0), 2000, (20, 20))).mean(axis=1)
    quartiles = np.histogram(share, [0, .25, .5, .75, 1.01])[0]
    assert (abs(quartiles - 500) < 110).all()                       # 5.7 sigma of binomial(2000, 1/4): below 1e-7


def test_masks_are_drawn_anew_and_training_goes_on_from_a_checkpoint(tmp_path):
    def game(path=tmp_path / "run.npz"):
        rows = Dataset(pictures(16), name="pictures")
        step = SimultaneousSteps(pair(), Momentum(.1, .5), Momentum(.1, .5))
        return Train(step, rows, 8, RandomStream(4), [Monitor({"valid": rows}), checkpoint.Saving(path)])

    whole, first, second = game(tmp_path / "whole.npz"), game(), game()
    whole.main_loop(4)
    first.main_loop(2)
    checkpoint.restore(tmp_path / "run.npz", second)
    second.main_loop(4)
    for player in (lambda train: train.step.pair.generator, lambda train: train.step.pair.discriminator):
        assert_array_equal(to_numpy(player(second).theta), to_numpy(player(whole).theta))
    saved = checkpoint.load(tmp_path / "run.npz").pair(rng=RandomStream(9))
    assert repr(saved.generator) == repr(whole.step.pair.generator)

    G = whole.step.pair.generator                               # two draws of 16 masks are equal: 1e-22
    assert (to_numpy(G.with_noise(pictures(16))[0]) != to_numpy(G.with_noise(pictures(16))[0])).any()


def test_what_does_not_fit_is_refused():
    G, rng = pair().generator, RandomStream(0)
    with pytest.raises(ValueError, match=r"a mask must have the shape of x, \(5, 6\), .* got shape \(4,\)"):
        G.complete(pictures(), asarray(np.ones(4)))
    with pytest.raises(ValueError, match="a mask must be 1 where a pixel is given and 0 elsewhere"):
        G.complete(pictures(), asarray(np.full(6, .5)))
    net = MLP([Linear(14, 6, 1., rng)])
    with pytest.raises(ValueError, match="masks must be one of quadrants_and_pixels, .* got 'left'"):
        CompletingGenerator(net, (2, 3), "left", rng=rng)
    with pytest.raises(ValueError, match="mlp must have 2 x 2 outputs, a picture, got 6"):
        CompletingGenerator(net, (2, 2), rng=rng)
