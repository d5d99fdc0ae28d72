"""Classifiers: the cost against SciPy, its gradient, the convex fit where its gradient vanishes, features and heads."""
import numpy as np
import pytest
from differences import central_difference, law, small_discriminator
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax as scipy_log_softmax

from npgan import gradient_check
from npgan.backend import RandomStream, asarray, to_numpy, xp
from npgan.datasets import Dataset
from npgan.layers import Linear, RectifiedLinear
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.section7.classifier import (
    error,
    features,
    fit_softmax,
    log_softmax,
    predict,
    recapitate,
    softmax_cross_entropy,
    softmax_cross_entropy_grad,
    train_classifier,
)
from npgan.section7.conditional import one_hot
from npgan.train import TrainingDiverged


@law
@given(st.integers(0, 10**6), st.floats(-30, 30))
def test_log_softmax_is_scipy_s_whatever_is_added(float64, seed, shift):
    a = np.random.RandomState(seed).normal(size=(4, 3)) * 10
    assert_allclose(to_numpy(log_softmax(asarray(a + shift))), scipy_log_softmax(a, axis=1), rtol=1e-10, atol=1e-10)


def test_log_softmax_of_huge_outputs_is_finite():
    assert_array_equal(to_numpy(log_softmax(asarray([[1e4, 0., -1e4]]))), [[0, -1e4, -2e4]])


def test_the_cost_of_ten_equal_outputs_is_log_10():
    cost = float(softmax_cross_entropy(asarray(np.zeros((3, 10))), one_hot([1, 5, 9])))
    assert cost == pytest.approx(np.log(10), rel=1e-6)


def test_gradient_of_the_cost(float64):
    a, y = asarray(np.random.RandomState(0).normal(size=(5, 4))), one_hot([0, 3, 1, 1, 2], 4)
    report = gradient_check.check((softmax_cross_entropy, softmax_cross_entropy_grad), a, y)
    assert report.ok, report


def two_clouds(n=200):
    rng = np.random.RandomState(1)
    y = rng.randint(2, size=n)
    return asarray(rng.normal(size=(n, 3)) + 2. * y[:, None] * [1, -1, 0]), y


def test_the_convex_fit_is_where_the_gradient_vanishes(float64):
    X, y = two_clouds()
    penalty, target = .1, one_hot(y, 2)
    net = fit_softmax(X, target, penalty)
    W = net.layers[0].W

    def cost():
        return softmax_cross_entropy(net.fprop(X), target) + penalty * xp.square(W).sum() / 2
    assert abs(central_difference(cost, net.theta)).max() < 1e-4
    assert error(net, Dataset(X, y)) < .2                               # Bayes' rule errs on 40 of 200: 4e-8
    with pytest.raises(ValueError, match="penalty must be > 0, got 0"):
        fit_softmax(X, target, 0)


def test_a_net_learns_what_no_line_separates():
    rng = np.random.RandomState(2)
    X = rng.uniform(-1, 1, (400, 2))
    rows = Dataset(X, (X[:, 0] * X[:, 1] > 0).astype(int))
    weights = RandomStream(3)
    net = MLP([RectifiedLinear(2, 20, 1., weights), Linear(20, 2, 1., weights)])
    seen = []
    train_classifier(net, rows.X, one_hot(rows.y, 2), Momentum(.2, .9), 20, 40, RandomStream(4), seen.append)
    assert seen == list(range(1, 41))
    # with these seeds; how well a net is trained depends on its random numbers, and no false-alarm bound is claimed
    assert error(net, rows) < .15 < .25 < error(fit_softmax(rows.X, one_hot(rows.y, 2), .01), rows)
    assert_array_equal(predict(net, rows.X) == rows.y, predict(net, rows.X[:400]) == rows.y)


def test_features_are_the_hidden_outputs_side_by_side():
    rng = RandomStream(5)
    net = MLP([RectifiedLinear(4, 3, 1., rng), RectifiedLinear(3, 2, 1., rng), Linear(2, 1, 1., rng)])
    x = rng.normal((1500, 4))                                       # more than are computed at once
    h0 = net.layers[0].fprop(x)
    expected = np.hstack([to_numpy(h0), to_numpy(net.layers[1].fprop(h0))])
    assert_allclose(to_numpy(features(net, x)), expected, rtol=1e-6)


def test_a_new_head_leaves_the_old_net_as_it_was():
    rng = RandomStream(6)
    D = small_discriminator(rng, .8)
    x, theta = rng.normal((6, 4)), D.theta.copy()
    before = to_numpy(features(D, x))
    classifier = recapitate(D, Linear(3, 10, .1, rng))
    assert classifier.dim == 10
    assert_array_equal(to_numpy(features(classifier, x)), before)
    train_classifier(classifier, x, one_hot([0, 1, 2, 3, 4, 5]), Momentum(.1), 3, 2, RandomStream(7))
    assert_array_equal(to_numpy(D.theta), to_numpy(theta))
    assert (to_numpy(features(classifier, x)) != before).any()
    with pytest.raises(ValueError, match="takes 4 inputs, but the layer below it has 3 units"):
        recapitate(D, Linear(4, 10, .1, rng))


def test_classes_that_do_not_fit_the_net_are_refused():
    net = MLP([Linear(2, 3, 1., RandomStream(0))])
    with pytest.raises(ValueError, match=r"y must have a row of 3 numbers for each of the 4 rows of X, got \(4, 2\)"):
        train_classifier(net, asarray(np.ones((4, 2))), asarray(np.ones((4, 2))), Momentum(.1), 2, 1, RandomStream(0))
    with pytest.raises(ValueError, match="the 4 rows of X, got a list; npgan.section7.conditional.one_hot makes"):
        train_classifier(net, asarray(np.ones((4, 2))), [0, 1, 2, 0], Momentum(.1), 2, 1, RandomStream(0))


@pytest.mark.parametrize("width", [1, 3])
def test_rows_of_another_width_are_refused(width):
    net, y = MLP([Linear(2, 3, 1., RandomStream(0))]), one_hot([0, 1, 2, 0], 3)
    with pytest.raises(ValueError, match=rf"X must have rows of 2 numbers, the net's inputs, got shape \(4, {width}\)"):
        train_classifier(net, asarray(np.ones((4, width))), y, Momentum(.1), 2, 1, RandomStream(0))


@pytest.mark.parametrize("function", [softmax_cross_entropy, softmax_cross_entropy_grad])
def test_classes_that_would_broadcast_are_refused(function):
    a = asarray(np.zeros((4, 3)))
    for shape in (1, 3), (4, 1), (3,):
        with pytest.raises(ValueError, match=rf"of shape \(4, 3\), got shape \({', '.join(map(str, shape))}"):
            function(a, asarray(np.ones(shape)))
    with pytest.raises(ValueError, match=r"y must be an array of shape .* got \[0, 2, 1, 1\]"):
        function(a, [0, 2, 1, 1])
    with pytest.raises(ValueError, match=r"a mean over one or more rows, got shape \(0, 3\)"):
        function(a[:0], a[:0])


def test_what_has_no_convex_fit_is_refused():
    X, y = two_clouds(40)
    target, broken = one_hot(y, 2), X.copy()
    broken[3, 1] = np.nan
    for rows, classes, message in (
            (broken, target, "NaN or infinity first in row 3"),
            (X, target[:39], r"y must have a row for each of the 40 rows of X, got \(39, 2\)"),
            (X, target[:, 0], r"y must have a row for each of the 40 rows of X, got \(40,\)"),
            (X * 1e30, target, r"no step that lowers the cost .*magnitudes up to \d.*e\+30: rescale them")):
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
            fit_softmax(rows, classes, .1)


def test_a_classifier_that_diverges_is_told():
    X, y = two_clouds(40)
    net = MLP([Linear(3, 4, 1., RandomStream(0)), Linear(4, 2, 1., RandomStream(1))])
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match="the classifier's h0.W is not finite after ep"
                                                                          "och 1; a smaller learning rate"):
        train_classifier(net, X, one_hot(y, 2), Momentum(1e30), 10, 5, RandomStream(2))


def test_what_cannot_be_judged_is_refused():
    net, X = MLP([Linear(3, 2, 1., RandomStream(0))]), asarray(np.ones((4, 3)))
    with pytest.raises(ValueError, match="an error needs labels, but rows has no y; build it by Dataset"):
        error(net, Dataset(X, name="rows"))
    with pytest.raises(ValueError, match=r"takes one or more rows of 3 numbers, shape \(m, 3\), got shape \(0, 3\)"):
        predict(net, X[:0])
