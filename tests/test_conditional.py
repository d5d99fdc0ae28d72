"""Conditional games: gradients to each input of both players, and what must hold for a c that says nothing."""
import numpy as np
import pytest
from games import conditional_pair
from numpy.testing import assert_allclose, assert_array_equal

from npgan import checkpoint, gradient_check
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps, SimultaneousSteps
from npgan.backend import RandomStream, asarray, to_numpy, xp
from npgan.datasets import Dataset
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import Monitor
from npgan.schedules import PolyakAverage
from npgan.section7.conditional import (
    Conditional,
    ConditionalDropout,
    ConditionalGenerator,
    ConditionalMaxout,
    ConditionalRectifiedLinear,
    one_hot,
)
from npgan.train import Train

KINDS = [(Conditional, Linear, (4,)), (ConditionalRectifiedLinear, RectifiedLinear, (4,)),
         (ConditionalMaxout, Maxout, (4, 3))]


def plain_pair(seed=3, include_prob=.8):
    """The same without c."""
    weights, V, noise, masks = (RandomStream([seed, i]) for i in range(4))
    G = Generator(MLP([RectifiedLinear(3, 5, 1., weights), Sigmoid(5, 4, 1., weights)]), "gaussian", noise)
    D = MLP([Dropout(include_prob, rng=masks), Maxout(4, 3, 2, 1., weights, init_bias=weights.normal((6,))),
             Dropout(include_prob, rng=masks), Linear(3, 1, 1., weights)])
    return AdversaryPair(G, D)


@pytest.mark.parametrize("kind, plain, sizes", KINDS)
def test_a_constant_c_is_a_bias(float64, kind, plain, sizes):
    rng = RandomStream(1)
    layer = kind(7, *sizes, 1., rng, ncond=3)
    X, c = rng.normal((6, 4)), rng.normal((1, 3))
    other = plain(4, *sizes, irange=0., rng=rng)
    other.W[...] = layer.W
    other.b[...] = layer.b + xp.matmul(c, layer.V)[0]
    both = xp.concatenate([X, xp.tile(c, (6, 1))], axis=1)
    assert_allclose(to_numpy(layer.fprop(both)), to_numpy(other.fprop(X)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind, plain, sizes", KINDS)
def test_gradients_of_each_input_and_parameter(float64, kind, plain, sizes):
    rng = RandomStream(2)
    report = gradient_check.check(kind(7, *sizes, 1., rng, ncond=3), rng.normal((5, 7)))
    assert report.ok, report
    assert [row.name for row in report.rows] == ["input 0", "W", "b", "V"]


def test_V_is_drawn_in_the_way_that_W_is(float64):
    """With any other seed right weights fail with probability 4e-9: two numbers, each within six standard errors."""
    rng = RandomStream(1)
    layer = Conditional(600, 200, istdev=.3, rng=rng, ncond=300)
    for weights in layer.W, layer.V:
        assert abs(to_numpy(weights).var() / .09 - 1) < 6 * (2 / 60000) ** .5
    layer = Conditional(7, 20, sparse_init=2, rng=rng, ncond=3)
    for weights in layer.W, layer.V:
        assert_array_equal((to_numpy(weights) != 0).sum(axis=0), 2)


def test_dV_recovers_from_a_gradient_that_is_not_finite():
    """dV = c^T dz for c = (2, 1) and dz = (3, 5), whatever came before."""
    layer, x = Conditional(3, 2, 1., RandomStream(1), ncond=2), asarray([[1., 2, 1]])
    for dz in [np.inf, np.nan], [3., 5]:
        layer.fprop(x)
        with np.errstate(all="ignore"):
            layer.bprop(asarray([dz]))
    assert_array_equal(to_numpy(layer.dV), [[6, 10], [3, 5]])


def test_gradients_through_the_whole_game(float64):
    pair = conditional_pair()
    x = asarray(np.random.RandomState(0).uniform(size=(6, 6)))
    report = gradient_check.check(pair, *pair.generator.with_noise(x))
    assert report.ok, report
    assert {"G.h0.V", "D.h0.V", "x", "z"} <= {row.name for row in report.rows}


@pytest.mark.parametrize("steps", [SimultaneousSteps, SeparateSteps])
def test_with_c_zero_a_pair_trains_to_the_bit_as_without_c(steps):
    x = np.random.RandomState(0).uniform(size=(40, 4))
    pairs = plain_pair(), conditional_pair()
    for pair, rows in zip(pairs, (x, np.hstack([x, np.zeros((40, 2))]))):
        step = steps(pair, Momentum(.1, .5), Momentum(.1, .5))
        Train(step, Dataset(rows), batch_size=8, rng=RandomStream(4)).main_loop(5)
    for player in (lambda pair: pair.generator.mlp, lambda pair: pair.discriminator):
        plain, with_c = (player(pair).layers for pair in pairs)
        for a, b in zip(plain, with_c):
            for name in a.param_names:
                assert_array_equal(to_numpy(getattr(a, name)), to_numpy(getattr(b, name)))


def test_the_condition_is_copied_and_never_dropped():
    rng = RandomStream(5)
    dropout, x = ConditionalDropout(.5, rng=rng, ncond=2), asarray(np.ones((400, 6)))
    h = to_numpy(dropout.dropout_fprop(x))
    assert set(h[:, :4].ravel()) == {0, 2} and (h[:, 4:] == 1).all()        # 1,600 fair coins all alike: below 1e-100
    assert_array_equal(to_numpy(dropout.bprop(x)), h)
    assert_array_equal(to_numpy(dropout.fprop(x)), to_numpy(x))

    G = conditional_pair().generator
    rows = asarray(np.random.RandomState(1).uniform(size=(7, 6)))
    assert_array_equal(to_numpy(G.fprop(G.with_noise(rows)[1]))[:, 4:], to_numpy(rows)[:, 4:])


def test_a_pair_learns_which_c_belongs_to_which_x():
    """x is near .9 in the coordinate that c names and near .1 in the other; so must the samples be."""
    rng = np.random.RandomState(2)
    y = rng.randint(2, size=500)
    x = np.where(y[:, None] == np.arange(2), .9, .1) + rng.uniform(-.05, .05, (500, 2))
    weights = RandomStream(6)
    net = MLP([ConditionalRectifiedLinear(4, 16, .5, weights, ncond=2), Sigmoid(16, 2, .5, weights)])
    G = ConditionalGenerator(net, 2, "uniform", RandomStream(7))
    D = MLP([ConditionalMaxout(4, 12, 3, .5, weights, ncond=2), Linear(12, 1, .5, weights)])
    rows = Dataset(xp.concatenate([asarray(x), one_hot(y, 2)], axis=1))
    average = PolyakAverage(G, .99)
    Train(SimultaneousSteps(AdversaryPair(G, D), Momentum(.1, .5), Momentum(.2, .5)), rows, 50, RandomStream(8),
          [average]).main_loop(60)
    asked = np.arange(200) % 2
    with average.applied():
        samples = to_numpy(G.sample(one_hot(asked, 2)))
    assert (samples.argmax(axis=1) == asked).all()


def test_a_checkpoint_keeps_what_is_conditional(tmp_path):
    pair = conditional_pair()
    rows = Dataset(np.random.RandomState(3).uniform(size=(16, 6)))
    step = SimultaneousSteps(pair, Momentum(.1, .5), Momentum(.1, .5))
    game = Train(step, rows, 8, RandomStream(4), [Monitor({"valid": rows}), checkpoint.Saving(tmp_path / "run.npz")])
    game.main_loop(2)
    saved = checkpoint.load(tmp_path / "run.npz").pair(rng=RandomStream(9))
    assert repr(saved.generator) == repr(pair.generator) and repr(saved.discriminator) == repr(pair.discriminator)
    _, z = pair.generator.with_noise(rows.X)
    assert_array_equal(to_numpy(saved.generator.fprop(z)), to_numpy(pair.generator.fprop(z)))


def test_a_net_with_an_affine_layer_that_sees_c_is_saved(tmp_path):
    rng = RandomStream(1)
    G = ConditionalGenerator(MLP([Conditional(5, 4, 1., rng, ncond=2)]), 2, "gaussian", rng)
    checkpoint.save_generator(tmp_path / "generator.npz", G, dtype="float32")
    saved, z = checkpoint.load(tmp_path / "generator.npz").generator(), rng.normal((6, 5))
    assert repr(saved) == repr(G)
    assert_array_equal(to_numpy(saved.fprop(z)), to_numpy(G.fprop(z)))


def test_one_hot_by_hand():
    assert_array_equal(to_numpy(one_hot([2, 0], 3)), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("y, found", [([0, 10], "0 to 10"), ([-1, 3], "-1 to 3"), ([[1]], "1 to 1"),
                                      ([], r"shape \(0,\)")])
def test_labels_outside_the_classes_are_refused(y, found):
    with pytest.raises(ValueError, match=f"whole numbers from 0 to 9, got {found}"):
        one_hot(y)
    with pytest.raises(TypeError, match="labels must be whole numbers, got float64"):
        one_hot([.5])


def test_a_column_of_a_table_serves_as_labels():
    pandas = pytest.importorskip("pandas")
    assert_array_equal(to_numpy(one_hot(pandas.Series([2, 0], index=[5, 1]), 3)), [[0, 0, 1], [1, 0, 0]])


def test_what_does_not_fit_is_refused():
    rng = RandomStream(0)
    with pytest.raises(ValueError, match="below nvis = 4, got 4"):
        Conditional(4, 2, 1., rng, ncond=4)
    with pytest.raises(ValueError, match="ncond must be a whole number >= 1, got 0"):
        ConditionalDropout(.5, rng=rng, ncond=0)
    for ncond in 4, 5:
        with pytest.raises(ValueError, match=rf"in {ncond} numbers of c must have more columns, got shape \(3, 4\)"):
            ConditionalDropout(.5, rng=rng, ncond=ncond).dropout_fprop(asarray(np.ones((3, 4))))
    with pytest.raises(ValueError, match="ncond must be below mlp.nvis = 5, .* got 5"):
        ConditionalGenerator(MLP([Linear(5, 4, 1., rng)]), 5, "gaussian", rng)
    G = conditional_pair().generator
    for c, found in ((asarray(np.zeros((3, 4))), r"shape \(3, 4\)"), (asarray(np.zeros((0, 2))), r"shape \(0, 2\)"),
                     (5, "5")):
        with pytest.raises(ValueError, match=f"c must be one or more rows of 2 numbers, got {found}"):
            G.sample(c)
    with pytest.raises(ValueError, match="rows of 4 numbers, G learns rows of 6"):
        Train(SimultaneousSteps(conditional_pair(), Momentum(.1), Momentum(.1)), Dataset(np.ones((8, 4))), 4, rng)
    with pytest.raises(ValueError, match="D takes rows of 4 numbers, but G makes rows of 6"):
        AdversaryPair(G, plain_pair().discriminator)
