from decimal import Context, Decimal

import numpy as np
import pytest
from differences import central_difference, from_numpy, law
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npgan import backend
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.costs import (
    NonSaturating,
    Saturating,
    cross_entropy,
    cross_entropy_grad,
    softplus,
    squared_error,
    squared_error_grad,
)
from npgan.layers import sigmoid
from npgan.released.costs import Blend, CrossEntropy, Lazy, Thresholded

LOSSES = {"non-saturating": NonSaturating, "saturating": Saturating, "blend": Blend,
          "uneven blend": lambda: Blend(.3, 2.), "zurich": lambda: Blend(1., 0.), "minimax": lambda: Blend(0., 1.),
          "thresholded": Thresholded, "less thresholded": lambda: Thresholded(.2)}
every_loss = pytest.mark.parametrize("make", LOSSES.values(), ids=LOSSES)
logits = st.lists(st.floats(-80, 80, width=32), min_size=1, max_size=6).map(lambda a: [[v] for v in a])
labels = st.floats(0, 1, width=32)


# Gradients

@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("y", [0, 1, .3, None])
def test_cross_entropy_grad(y):
    rng = RandomStream(1)
    a = 3 * rng.normal((6, 1))
    if y is None:
        y = rng.uniform(0, 1, (6, 1))
    numeric = central_difference(lambda: cross_entropy(a, y), a)
    assert_allclose(to_numpy(cross_entropy_grad(a, y)), numeric, rtol=1e-7, atol=1e-10)


@pytest.mark.usefixtures("float64")
def test_squared_error_grad():
    rng = RandomStream(1)
    h, target = rng.normal((5, 3)), rng.normal((5, 3))
    numeric = central_difference(lambda: squared_error(h, target), h)
    assert_allclose(to_numpy(squared_error_grad(h, target)), numeric, rtol=1e-7, atol=1e-10)


@pytest.mark.usefixtures("float64")
@every_loss
def test_generator_loss_grad(make):
    loss, a = make(), 3 * RandomStream(1).normal((6, 1))
    numeric = central_difference(lambda: loss.cost(a), a)
    assert_allclose(to_numpy(loss.grad(a)), numeric, rtol=1e-7, atol=1e-10)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("loss", [CrossEntropy(), Lazy(), Lazy(.2), Lazy(.5)], ids=["all", "lazy", "less", "never"])
def test_discriminator_loss_grad(loss):
    a = 3 * RandomStream(1).normal((12, 1))
    numeric = central_difference(lambda: loss.cost(a), a)
    assert_allclose(to_numpy(loss.grad(a)), numeric, rtol=1e-7, atol=1e-10)


@pytest.mark.usefixtures("float64")
def test_a_mask_of_another_pass_is_a_constant():
    """The mask is of other logits than the cost; it neither moves with these nor is derived."""
    loss, a, judged = Thresholded(.1), RandomStream(1).normal((8, 1)), RandomStream(2).normal((8, 1))
    mask = loss.mask(judged)
    assert (to_numpy(mask) != to_numpy(loss.mask(a))).any()
    numeric = central_difference(lambda: loss.cost(a, mask), a)
    assert_allclose(to_numpy(loss.grad(a, mask)), numeric, rtol=1e-7, atol=1e-10)


# Values known from elsewhere

@pytest.mark.usefixtures("float64")
def test_where_d_is_one_half():
    """log 2 for D's objective and for G's, whatever the labels; -log 2 for the loss that saturates."""
    a = asarray(np.zeros((4, 1)))
    for y in (0, 1, .3, asarray([[1], [1], [0], [0]])):
        assert float(cross_entropy(a, y)) == pytest.approx(.6931471806, abs=1e-10)
    assert float(NonSaturating().cost(a)) == pytest.approx(.6931471806, abs=1e-10)
    assert float(Saturating().cost(a)) == pytest.approx(-.6931471806, abs=1e-10)


@pytest.mark.usefixtures("float64")
def test_cost_of_a_probability():
    """D = 3/4, 1/5 for data and 1/3 for a sample cost log 4/3, log 5, log 3/2 nats: log(10)/3 in the mean."""
    a = asarray(np.log([[3.], [1 / 4], [1 / 2]]))                           # log D/(1 - D)
    assert float(cross_entropy(a, asarray([[1], [1], [0]]))) == pytest.approx(np.log(10) / 3, rel=1e-14)


@pytest.mark.usefixtures("float64")
def test_logit_gradients_of_the_two_players():
    """Four rows with D = 3/4: for D's mean over 2 data rows and 2 samples, and for G's over m = 4 samples."""
    a = asarray(np.full((4, 1), np.log(3)))
    d_obj = from_numpy(cross_entropy_grad, to_numpy(a), asarray([[1], [1], [0], [0]]))
    assert_allclose(d_obj, [[-1 / 16], [-1 / 16], [3 / 16], [3 / 16]], rtol=1e-14)      # -s(-a)/(2m), s(a)/(2m), m = 2
    assert_allclose(to_numpy(NonSaturating().grad(a)), -1 / 16, rtol=1e-14)             # -s(-a)/m
    assert_allclose(to_numpy(Saturating().grad(a)), -3 / 16, rtol=1e-14)                # -s(a)/m


@pytest.mark.usefixtures("float64")
def test_early_in_learning_only_one_loss_is_alive():
    """Section 3: as D(G(z)) -> 0 the gradient of log(1 - D) vanishes, -log D's goes to -1/m; at 1/2 they agree."""
    early, even = asarray(np.full((5, 1), -20.)), asarray(np.zeros((5, 1)))
    assert_allclose(to_numpy(Saturating().grad(early)), -np.exp(-20) / 5, rtol=1e-8)
    assert_allclose(to_numpy(NonSaturating().grad(early)), -1 / 5, rtol=1e-8)
    assert_array_equal(to_numpy(Saturating().grad(even)), to_numpy(NonSaturating().grad(even)))


def test_squared_error_by_hand():
    h, target = asarray([[1, 2], [3, 4]]), asarray([[1, 0], [0, 4]])
    assert float(squared_error(h, target)) == 6.5                           # (4 + 9)/2: summed over outputs, no half
    assert_array_equal(to_numpy(squared_error_grad(h, target)), [[0, 2], [3, 0]])
    assert float(squared_error(h, 0)) == 15


D_AT = np.array([[.1], [.4], [.5], [.6], [.9]])                                 # and their logits
A_AT = np.log(D_AT / (1 - D_AT))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("g_eps, counted", [(0, [1, 1, 0, 0, 0]), (.05, [1, 1, 1, 0, 0]), (.3, [1, 1, 1, 1, 0]),
                                            (.5, [1, 1, 1, 1, 1])])
def test_samples_that_fool_d_are_done(g_eps, counted):
    """Those with D < 1/2 + g_eps count -log D; the others 0, but the mean is over all five."""
    a, counted = asarray(A_AT), np.array(counted)[:, None]
    assert float(Thresholded(g_eps).cost(a)) == pytest.approx(-(np.log(D_AT) * counted).sum() / 5, rel=1e-12)
    assert_allclose(to_numpy(Thresholded(g_eps).grad(a)), -(1 - D_AT) * counted / 5, rtol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("d_eps, data, samples", [(0, [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]),
                                                  (.3, [1, 1, 1, 1, 0], [0, 1, 1, 1, 1]),
                                                  (.5, [1, 1, 1, 1, 1], [1, 1, 1, 1, 1])])
def test_d_is_lazy_where_it_is_right_and_sure(d_eps, data, samples):
    """Data count where D < 1/2 + d_eps, samples where D > 1/2 - d_eps, each mean over all five, and half of the sum."""
    a, p, q = asarray(np.concatenate([A_AT, A_AT])), np.array(data)[:, None], np.array(samples)[:, None]
    expected = -((np.log(D_AT) * p).sum() + (np.log(1 - D_AT) * q).sum()) / 10
    assert float(Lazy(d_eps).cost(a)) == pytest.approx(expected, rel=1e-12)
    assert_allclose(to_numpy(Lazy(d_eps).grad(a)), np.concatenate([-(1 - D_AT) * p, D_AT * q]) / 10, rtol=1e-12)


@pytest.mark.usefixtures("float64")
def test_the_released_objective_of_d_is_half_of_minus_v():
    """D = 3/4 and 1/5 for data, 1/3 and 1/2 for samples: V = (log 3/20 + log 1/3)/2 = -log(20)/2."""
    a = asarray(np.log([[3.], [1 / 4], [1 / 2], [1.]]))
    assert float(CrossEntropy().cost(a)) == pytest.approx(np.log(20) / 4, rel=1e-14)
    y = asarray([[1], [1], [0], [0]])
    assert_allclose(to_numpy(CrossEntropy().grad(a)), to_numpy(cross_entropy_grad(a, y)), rtol=1e-14)


@pytest.mark.parametrize("zeta, mu", [(1, 1), (.3, 2), (1, 0), (0, 1)])
@pytest.mark.usefixtures("float64")
def test_blend_is_the_authors_up_to_what_g_cannot_move(zeta, mu):
    """(zeta g_obj - mu d_obj)/(zeta + mu), with D = 3/4 for samples, differs by d_obj's half of the data term alone."""
    samples, data = asarray(np.full((4, 1), np.log(3))), asarray([[.3], [-2.]])
    g_obj = np.log(4 / 3)
    d_obj = (float(cross_entropy(data, 1)) + np.log(4)) / 2
    theirs = (zeta * g_obj - mu * d_obj) / (zeta + mu)
    out_of_reach = -mu * float(cross_entropy(data, 1)) / 2 / (zeta + mu)
    assert float(Blend(zeta, mu).cost(samples)) == pytest.approx(theirs - out_of_reach, rel=1e-13)


# Laws

@law
@given(logits, labels, labels, st.floats(0, 1))
def test_cross_entropy_is_linear_in_the_label(a, y, other, weight):
    a = asarray(a)
    mixed = float(cross_entropy(a, weight * y + (1 - weight) * other))
    assert mixed == pytest.approx(weight * float(cross_entropy(a, y)) + (1 - weight) * float(cross_entropy(a, other)),
                                  rel=1e-5, abs=1e-6)


@law
@given(logits, st.sampled_from([0., .25, .5, 1.]))
def test_exchanging_the_players_labels_turns_the_gradient_round(a, y):
    a = asarray(a)
    assert_array_equal(to_numpy(cross_entropy_grad(-a, 1 - y)), -to_numpy(cross_entropy_grad(a, y)))
    assert float(cross_entropy(-a, 1 - y)) == float(cross_entropy(a, y))


@law
@given(st.floats(-2. ** 100, 2. ** 100, width=32))
def test_softplus_of_opposite_logits(a):
    above, below = from_numpy(softplus, [a, -a])
    assert above >= max(a, 0) and below >= max(-a, 0)
    assert above - below == pytest.approx(a, rel=1e-6, abs=1e-6)


# Precision

@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_softplus_over_the_whole_range(floatX, monkeypatch):
    monkeypatch.setattr(backend, "floatX", floatX)
    info = np.finfo(floatX)
    tiny_to_huge = np.logspace(-45, 30, 76)
    a = np.concatenate([np.linspace(-800, 800, 1001), np.linspace(-20, 20, 1001), tiny_to_huge, -tiny_to_huge,
                        [0, np.inf, -np.inf, info.max, info.min, info.smallest_subnormal]]).astype(floatX)
    exact = Context(prec=40, traps=[])

    def reference(v):
        e = exact.exp(Decimal(v))
        return v if v > 40 else float(e if v < -40 else exact.ln(exact.add(1, e)))  # beyond 40 to 17 digits

    with np.errstate(over="raise", divide="raise", invalid="raise"):
        found = from_numpy(softplus, a)
    assert found.dtype == floatX
    assert_allclose(found, [reference(float(v)) for v in a], rtol=4 * info.eps, atol=info.smallest_subnormal)


def any_floats(floatX, n=60):
    """Finite numbers of random bits, so of all magnitudes alike, denormal ones too, and the ends of the range."""
    bits = np.random.RandomState(2014).bytes(n * np.dtype(floatX).itemsize)
    a, info = np.frombuffer(bits, floatX), np.finfo(floatX)
    ends = [0, info.smallest_subnormal, info.tiny, info.eps, 1, 87, 88.5, 103, 104, 708, 709, 745, 746, info.max]
    return np.concatenate([a[np.isfinite(a)], ends, np.negative(ends), np.linspace(-800, 800, 51)]).astype(floatX)


@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_costs_of_any_float(floatX, monkeypatch):
    """Sigmoid, and cross-entropy and its gradient for either label, to the last digits, from 400 digits."""
    monkeypatch.setattr(backend, "floatX", floatX)
    a, info, exact = any_floats(floatX), np.finfo(floatX), Context(prec=400, traps=[])

    def in_digits(v):
        """sigmoid(v) and log(1 + e^v), by their definitions; beyond 2000 no float tells the difference."""
        v = Decimal(float(v))
        if abs(v) > 2000:
            return (0., 0.) if v < 0 else (1., float(v))
        e = exact.exp(v)
        return float(exact.divide(e, exact.add(1, e))), float(exact.ln(exact.add(1, e)))

    s, sp = np.array([in_digits(v) for v in a]).T
    s_of_minus, sp_of_minus = np.array([in_digits(-v) for v in a]).T
    close = {"rtol": 8 * info.eps, "atol": 2 * float(info.smallest_subnormal)}
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert_allclose(from_numpy(sigmoid, a), s, **close)
        for v, *expected in zip(a, s, s_of_minus, sp, sp_of_minus):
            logit = asarray(np.array([[v]]))
            found = [float(cross_entropy_grad(logit, 0)[0, 0]), -float(cross_entropy_grad(logit, 1)[0, 0]),
                     float(cross_entropy(logit, 0)), float(cross_entropy(logit, 1))]
            assert_allclose(found, expected, **close)


@law
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=6), labels)
def test_any_finite_logits_have_a_finite_gradient_and_a_finite_cost(a, y):
    a = asarray([[v / 6] for v in a])                               # their sum, which the mean divides, may overflow
    for make in LOSSES.values():
        assert np.isfinite(float(make().cost(a))) and np.isfinite(to_numpy(make().grad(a))).all()
    assert np.isfinite(float(cross_entropy(a, y))) and np.isfinite(to_numpy(cross_entropy_grad(a, y))).all()


@pytest.mark.parametrize("cost", [cross_entropy, cross_entropy_grad, squared_error, squared_error_grad,
                                  Thresholded().cost, lambda a, y: Lazy().cost(a)])
def test_no_rows_have_no_mean(cost):
    with pytest.raises(ValueError, match=r"a mean over one or more rows, got shape \(0, 1\)"):
        cost(asarray(np.zeros((0, 1))), 1)


@pytest.mark.parametrize("scale", [40, 90, 200, 1e4, 1e30])
def test_extreme_logits(scale):
    """Once D rounds to 0 or 1: the cost of a sure mistake is |a|, its gradient 1/m; a sure truth costs nothing."""
    a = asarray([[scale], [-scale]])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for y in (asarray([[0], [1]]), asarray([[1], [0]])):
            wrong = to_numpy(y)[0, 0] == 0
            assert float(cross_entropy(a, y)) == pytest.approx(scale if wrong else 0, rel=1e-6, abs=1e-15)
            assert_allclose(to_numpy(cross_entropy_grad(a, y)), [[.5], [-.5]] if wrong else [[0], [0]], atol=1e-15)
        for make in LOSSES.values():
            assert np.isfinite(float(make().cost(a))) and np.isfinite(to_numpy(make().grad(a))).all()
    assert_allclose(to_numpy(NonSaturating().grad(a)), [[0], [-.5]], atol=1e-15)
    assert_allclose(to_numpy(Saturating().grad(a)), [[-.5], [0]], atol=1e-15)


def test_a_correct_label_keeps_its_small_gradient():
    """-s(-20)/2 = -e^-20/2 though s(20) rounds to 1 in single precision."""
    a = asarray([[20.], [20.]])
    assert_allclose(to_numpy(cross_entropy_grad(a, 1)), -np.exp(-20) / 2, rtol=1e-6)


@every_loss
@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_one_precision_throughout(make, floatX, monkeypatch):
    monkeypatch.setattr(backend, "floatX", floatX)
    loss, a = make(), RandomStream(1).normal((6, 1))
    y = asarray([[1], [0]] * 3)
    before = to_numpy(a).copy()
    for array in (loss.cost(a), loss.grad(a), cross_entropy(a, y), cross_entropy_grad(a, y), cross_entropy_grad(a, 1),
                  squared_error(a, y), squared_error_grad(a, y), squared_error_grad(a, 0), CrossEntropy().cost(a),
                  Lazy().cost(a), Lazy().grad(a)):
        assert array.dtype == floatX
    assert_array_equal(to_numpy(a), before)


# Bad arguments

@pytest.mark.parametrize("function", [cross_entropy, cross_entropy_grad, squared_error, squared_error_grad])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 1), (1, 1)])
def test_labels_that_would_broadcast(function, shape):
    with pytest.raises(ValueError, match=r"a number or of shape \(4, 1\), got shape"):
        function(asarray(np.zeros((4, 1))), asarray(np.zeros(shape)))


@pytest.mark.parametrize("coefficients", [(0, 0), (-1, 2), (2, -1)])
def test_blend_needs_a_weight(coefficients):
    with pytest.raises(ValueError, match=f"not both 0, .* got {coefficients[0]} and {coefficients[1]}"):
        Blend(*coefficients)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("coefficients, message", [
    ((np.nan, 1), "zurich_coeff must be a finite number"), ((1, np.inf), "minimax_coeff must be a finite number"),
    ((1e308, 1e308), "nor their sum infinite, got 1e\\+308 and")])
def test_blend_needs_finite_weights(coefficients, message):
    with pytest.raises(ValueError, match=message):
        Blend(*coefficients)


@pytest.mark.parametrize("make, name", [(Thresholded, "g_eps"), (Lazy, "d_eps")])
@pytest.mark.parametrize("eps", [-.1, .51, float("nan")])
def test_a_margin_is_in_0_to_one_half(make, name, eps):
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1/2\], got {eps}"):
        make(eps)


@pytest.mark.parametrize("loss", [CrossEntropy(), Lazy()], ids=["all", "lazy"])
def test_d_s_objective_is_of_pairs(loss):
    for compute in (loss.cost, loss.grad):
        with pytest.raises(ValueError, match="as many samples as data rows, got an odd number of logits, 5"):
            compute(asarray(A_AT))
