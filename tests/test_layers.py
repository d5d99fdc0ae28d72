from decimal import Context, Decimal

import numpy as np
import pytest
from differences import from_numpy, law
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npgan import backend
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid, sigmoid


def linear(W, b=0., kind=Linear, *sizes, **arguments):
    """A layer whose weights are written out."""
    layer = kind(len(W), *(sizes or (len(W[0]),)), irange=0., rng=RandomStream(0), init_bias=b, **arguments)
    layer.W[...] = asarray(W)
    return layer


def test_linear_by_hand():
    layer = linear([[1., 2.], [3., 4.]], [10., 20.])
    assert_array_equal(from_numpy(layer.fprop, [[1., 1.], [2., 0.]]), [[14, 26], [12, 24]])
    assert_array_equal(from_numpy(layer.bprop, [[1., 0.], [1., 1.]]), [[1, 3], [3, 7]])
    assert_array_equal(to_numpy(layer.dW), [[3, 2], [1, 0]])
    assert_array_equal(to_numpy(layer.db), [2, 1])


@pytest.mark.parametrize("left_slope", [0., .25, 2.])
def test_rectifier_by_hand(left_slope):
    layer = linear([[1.]], kind=RectifiedLinear, left_slope=left_slope)
    assert_array_equal(from_numpy(layer.fprop, [[-2.], [0.], [3.]]), [[-2 * left_slope], [0], [3]])
    assert_array_equal(from_numpy(layer.bprop, [[1.], [1.], [1.]]), [[left_slope], [left_slope], [1]])


@law
@given(st.integers(0, 10**6), st.integers(-20, 20))
def test_rectifiers_are_positively_homogeneous(seed, log2_scale):
    rng, scale = RandomStream(seed), 2. ** log2_scale               # a power of two, so there is no rounding
    layer, X = RectifiedLinear(4, 3, 1., rng), rng.normal((5, 4))
    h = to_numpy(layer.fprop(X))
    assert (h >= 0).all()
    assert_array_equal(to_numpy(layer.fprop(X * scale)), h * scale)


def test_a_piece_of_all_maxout_units_has_neighbouring_columns():
    layer = linear([[1, 30, -1, 20, 10, 0]], [0, 0, 0, 0, 0, -5], Maxout, 2, 3)
    assert_array_equal(from_numpy(layer.fprop, [[2.], [-2.]]), [[20, 60], [2, -5]])
    assert_array_equal(from_numpy(layer.bprop, [[1., 2.], [4., 8.]]), [[70], [-4]])
    assert_array_equal(to_numpy(layer.dW), [[0, 4, -8, 0, 2, -16]])
    assert_array_equal(to_numpy(layer.db), [0, 2, 4, 0, 1, 8])


def test_a_tie_goes_to_the_earliest_piece():
    layer = linear(np.zeros((4, 6)), 0., Maxout, 2, 3)
    assert_array_equal(from_numpy(layer.fprop, np.zeros((5, 4))), np.zeros((5, 2)))
    layer.bprop(asarray(np.ones((5, 2))))
    assert_array_equal(to_numpy(layer.db), [5, 5, 0, 0, 0, 0])


def test_maxout_of_one_piece_is_affine():
    maxout, affine = Maxout(4, 3, 1, 1., RandomStream(3)), Linear(4, 3, 1., RandomStream(3))
    X, R = RandomStream(1).normal((5, 4)), RandomStream(2).normal((5, 3))
    assert_array_equal(to_numpy(maxout.fprop(X)), to_numpy(affine.fprop(X)))
    assert_array_equal(to_numpy(maxout.bprop(R)), to_numpy(affine.bprop(R)))
    assert_array_equal(to_numpy(maxout.dW), to_numpy(affine.dW))


@law
@given(st.integers(1, 4), st.integers(1, 5), st.data())
def test_maxout_is_the_largest_piece_in_whatever_order(num_units, num_pieces, data):
    rng = RandomStream(data.draw(st.integers(0, 10**6)))
    maxout, pieces = Maxout(3, num_units, num_pieces, 1., rng), Linear(3, num_units * num_pieces, 1., rng)
    X = rng.normal((6, 3))
    pieces.W[...] = maxout.W
    z = to_numpy(pieces.fprop(X)).reshape(6, num_pieces, num_units)
    h = to_numpy(maxout.fprop(X))
    assert (h[:, None] >= z).all() and (h[:, None] == z).any(axis=1).all()

    by_unit = [data.draw(st.permutations(range(num_pieces))) for _ in range(num_units)]
    order = [p * num_units + u for pieces_in_place in zip(*by_unit) for u, p in enumerate(pieces_in_place)]
    W = to_numpy(maxout.W).copy()
    maxout.W[...] = asarray(W[:, order])
    assert_allclose(to_numpy(maxout.fprop(X)), h, rtol=1e-6, atol=1e-6)


# Dropout

def test_dropout_keeps_include_prob_of_the_units_and_their_mean():
    """With any other seed right masks fail with probability 5e-7, of which 3e-7 are the 100 columns'."""
    n = 200_000
    layer, ones = Dropout(.8, rng=RandomStream(5)), asarray(np.ones((n // 100, 100)))
    h = to_numpy(layer.dropout_fprop(ones))
    assert_array_equal(np.unique(h), np.float32([0, 1.25]))                 # 1 / .8 in float32
    assert abs((h > 0).mean() - .8) < 6 * (.8 * .2 / n) ** .5
    for axis, size, errors in ((0, n // 100, 6), (1, 100, 7.1)):            # of every column and every row, too
        assert abs((h > 0).mean(axis=axis) - .8).max() < errors * (.16 / size) ** .5
    again = to_numpy(layer.dropout_fprop(ones))
    assert abs(((h > 0) & (again > 0)).mean() - .64) < 6 * (.64 * .36 / n) ** .5    # the second mask is independent


def test_a_scale_need_not_be_derived_from_include_prob():
    h = to_numpy(Dropout(.5, 3., RandomStream(5)).dropout_fprop(asarray(np.ones((20, 20)))))
    assert_array_equal(np.unique(h), [0, 3])                                # 400 fair coins all alike: below 1e-100


def test_dropout_of_nothing_ignores_the_scale():
    X = RandomStream(1).normal((5, 4))
    layer = Dropout(1., 2.)
    for forward in layer.fprop, layer.dropout_fprop:
        assert_array_equal(to_numpy(forward(X)), to_numpy(X))
        assert_array_equal(to_numpy(layer.bprop(X)), to_numpy(X))


def test_without_dropout_nothing_is_masked_or_scaled():
    rng = RandomStream(1)
    X, state = rng.normal((5, 4)), rng.state
    assert_array_equal(to_numpy(Dropout(.5, 2., rng).fprop(X)), to_numpy(X))
    if backend.xp.module is np:
        assert rng.state == state                                           # and nothing is drawn


@pytest.mark.parametrize("include_prob", [0, -.5, 1.1, 1e-5, float("nan")])
def test_bad_include_prob(include_prob):
    with pytest.raises(ValueError, match=rf"include_prob must be .*, got {include_prob}"):
        Dropout(include_prob, rng=RandomStream(0))


def test_masks_need_a_stream():
    with pytest.raises(TypeError, match="rng=npgan.backend.RandomStream"):
        Dropout(.5)


# Norm limits

@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind, sizes", [(Linear, (3,)), (Maxout, (1, 3)), (Sigmoid, (3,)), (RectifiedLinear, (3,))])
def test_norm_limit_by_hand(kind, sizes):
    """Columns of norm 5, 1 and 1/2 under the limit 1: to 1, by 1/(1 + 1e-7), and by (1/2)/(1/2 + 1e-7)."""
    layer = linear([[3., .6, .3], [4., .8, .4]], 50., kind, *sizes, max_col_norm=1.)
    layer.enforce_norm_limits()
    shrunk = np.array([1 / 5.0000001, 1 / 1.0000001, .5 / .5000001])
    assert_allclose(to_numpy(layer.W), [[3, .6, .3], [4, .8, .4]] * shrunk, rtol=1e-15)
    assert_array_equal(to_numpy(layer.b), 50)                               # the bias is free


def test_a_column_of_infinite_norm_becomes_nan():
    """And not 0, which would hide that the training diverged; the other column, of norm 5, is limited as ever."""
    layer = linear([[3e30, 3.], [4e30, 4.]], max_col_norm=1.)
    with np.errstate(all="ignore"):
        layer.enforce_norm_limits()
    assert_allclose(to_numpy(layer.W), [[np.nan, .6], [np.nan, .8]], rtol=1e-6)


def test_no_norm_limit_changes_nothing():
    layer = linear([[3e5], [4e5]])
    layer.enforce_norm_limits()
    assert_array_equal(to_numpy(layer.W), np.float32([[3e5], [4e5]]))


def test_a_column_of_zeros_stays():
    layer = linear([[0.], [0.]], max_col_norm=1.)
    layer.enforce_norm_limits()
    assert_array_equal(to_numpy(layer.W), 0)


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_bad_norm_limit(limit):
    with pytest.raises(ValueError, match=f"max_col_norm must be > 0 or None, got {limit}"):
        Linear(4, 3, .1, RandomStream(0), max_col_norm=limit)


# The logistic function

@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_sigmoid_over_the_whole_range(floatX, monkeypatch):
    monkeypatch.setattr(backend, "floatX", floatX)
    info = np.finfo(floatX)
    tiny_to_huge = np.logspace(-45, 30, 76)
    z = np.concatenate([np.linspace(-800, 800, 1001), np.linspace(-20, 20, 1001), tiny_to_huge, -tiny_to_huge,
                        [0, np.inf, -np.inf, info.max, info.min, info.smallest_subnormal]]).astype(floatX)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        h = from_numpy(sigmoid, z)
    exact = Context(prec=40, traps=[])                                      # e^1000 and e^-1000 included
    reference = [float(exact.divide(1, exact.add(1, exact.exp(Decimal(-float(v)))))) for v in z]
    assert h.dtype == floatX
    assert_allclose(h, reference, rtol=4 * info.eps, atol=info.smallest_subnormal)


@law
@given(st.floats(-80, 80, width=32))
def test_sigmoids_of_opposite_logits_sum_to_one(a):
    p, q = from_numpy(sigmoid, [a, -a])
    assert p + q == pytest.approx(1, abs=1.2e-7)
    assert 0 < p <= 1 and 0 < q <= 1                                        # each to full precision, not by 1 - p


@pytest.mark.parametrize("value", ["0.1", None, np.nan, np.inf, 1e39, [1.]])
def test_numbers_that_are_none_are_refused(value):
    rng = RandomStream(1)
    with pytest.raises(ValueError, match="left_slope must be a finite number of float32, got "):
        RectifiedLinear(2, 2, 1., rng, left_slope=value)
    if value is not None:
        with pytest.raises(ValueError, match="scale must be a finite number of float32, got "):
            Dropout(.5, value, rng)
