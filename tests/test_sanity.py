import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster.vq import kmeans2

from npgan.backend import RandomStream, asarray, to_numpy
from npgan.sanity import move_centres, sanity_samples


def test_the_three_kinds_of_samples():
    """With any other seed the Gaussian's moments fail with probability 3e-9: 4 numbers, six standard errors."""
    train = asarray(np.random.RandomState(1).normal([0, 5], [1, .1], size=(3000, 2)))
    rows = {name: to_numpy(samples) for name, samples in sanity_samples(train, 2000, RandomStream(1))}
    again = [to_numpy(samples) for _, samples in sanity_samples(train, 2000, RandomStream(1))]
    assert list(rows) == ["training rows", "k-means centres", "factorial Gaussian"]
    for samples, same in zip(rows.values(), again):
        assert samples.shape == (2000, 2) and samples.dtype == "float32"
        assert_array_equal(samples, same)
    assert len({tuple(row) for row in rows["training rows"]} & {tuple(row) for row in to_numpy(train)}) == 2000
    assert_allclose(rows["factorial Gaussian"].mean(axis=0), to_numpy(train).mean(axis=0), atol=6 / 2000 ** .5)
    assert_allclose(rows["factorial Gaussian"].std(axis=0), to_numpy(train).std(axis=0), rtol=.1)


@pytest.mark.usefixtures("float64")
def test_kmeans_is_scipys():
    train = np.random.RandomState(1).normal(size=(200, 3))
    rows, centres, _ = (to_numpy(samples) for _, samples in sanity_samples(asarray(train), 10, RandomStream(1)))
    assert_allclose(centres, kmeans2(train, rows, iter=3, minit="matrix")[0], rtol=1e-10)


@pytest.mark.usefixtures("float64")
def test_a_centre_without_rows_stays():
    centres = asarray([[0.], [1.], [9.]])
    assert_array_equal(to_numpy(move_centres(asarray([[0.], [.2], [1.]]), centres)), [[.1], [1.], [9.]])


@pytest.mark.parametrize("num_samples", [0, 3])
def test_there_are_from_1_to_all_rows(num_samples):
    with pytest.raises(ValueError, match=f"from 1 to the 2 rows of train, got {num_samples}"):
        next(sanity_samples(asarray([[0.], [1.]]), num_samples, RandomStream(1)))


def test_rows_must_be_real_numbers():
    with pytest.raises(TypeError, match="train must be real numbers, got text"):
        next(sanity_samples([["a"]], 1, RandomStream(1)))
