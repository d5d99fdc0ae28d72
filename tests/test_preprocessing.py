"""Contrast normalisation: the mean and norm it leaves, what it does not see, pictures without contrast."""
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npgan import backend
from npgan.backend import to_numpy
from npgan.datasets.preprocessing import global_contrast_normalize


def test_pictures_have_mean_0_and_norm_55():
    X = np.random.RandomState(0).randint(0, 256, (50, 3072))
    normal = global_contrast_normalize(backend.asarray(X), 55.)
    assert normal.dtype == backend.floatX
    normal = to_numpy(normal).astype(float)
    assert_allclose(normal.mean(axis=1), 0, atol=1e-6)
    assert_allclose(np.linalg.norm(normal, axis=1), 55, rtol=1e-6)
    assert_allclose(np.sqrt((normal ** 2).mean()), .992, atol=5e-4)


def test_by_hand(float64):
    X = [[1., 3.], [2., 2.], [3., 0.]]
    assert_allclose(to_numpy(global_contrast_normalize(X, math.sqrt(2))), [[-1, 1], [0, 0], [1, -1]], rtol=1e-15)
    assert_array_equal(X, [[1, 3], [2, 2], [3, 0]])                     # a copy was normalised


@pytest.mark.parametrize("value", [0, 1 / 255, .1, 200, 255])
def test_a_picture_of_one_value_becomes_0_and_not_amplified_rounding(value):
    assert not to_numpy(global_contrast_normalize(np.full((2, 3072), value), 55.)).any()


@given(seed=st.integers(0, 99), brightness=st.floats(-100, 100), contrast=st.floats(.01, 100))
def test_brightness_and_contrast_go_and_the_rest_stays(seed, brightness, contrast):
    x = np.random.RandomState(seed).uniform(-1, 1, (4, 48))
    before = backend.floatX
    backend.use(floatX="float64")
    try:
        normal, other, again = (to_numpy(global_contrast_normalize(a, 55.)) for a in (
            x, brightness + contrast * x, global_contrast_normalize(x, 55.)))
        assert_allclose(other, normal, atol=1e-8)
        assert_allclose(again, normal, atol=1e-12)
        x -= x.mean(axis=1, keepdims=True)
        assert_allclose((normal * x).sum(axis=1), 55 * np.linalg.norm(x, axis=1))       # parallel to what it was
    finally:
        backend.use(floatX=before)


@pytest.mark.parametrize("scale", [0, -55., math.nan, math.inf, "55", None])
def test_another_scale_is_refused(scale):
    with pytest.raises(ValueError, match=f"scale must be a number above 0, got {scale!r}"):
        global_contrast_normalize(np.ones((1, 2)), scale)


def test_numbers_without_squares_are_refused():
    with pytest.raises(ValueError, match=r"by up to 5e\+19, whose squares float32 cannot sum; rescale it"):
        global_contrast_normalize(np.array([[1e20, 2.]]), 55.)


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2)])
def test_rows_alone_are_taken(shape):
    with pytest.raises(ValueError, match=rf"X must have .*, got \({shape[0]},.*X.reshape"):
        global_contrast_normalize(np.ones(shape), 55.)
