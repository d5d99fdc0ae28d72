"""Sums of products, with BLAS and without it, against NumPy's products."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from npgan.backend import xp
from npgan.kernels import blas

precisions = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(params=[True, False], ids=["by BLAS", "in steps"])
def either_way(request, monkeypatch):
    """Run the test twice: with NumPy's BLAS, and without it."""
    if not request.param:
        monkeypatch.setattr(blas, "GEMM", {})
        monkeypatch.setattr(blas, "AXPY", {})


def matrix(rng, m, n, layout, dtype):
    """Return random numbers (m, n) in C order, in Fortran order, or as every second column of a wider array."""
    a = rng.normal(size=(m, 2 * n)).astype(dtype)
    return {"rows": np.ascontiguousarray, "columns": np.asfortranarray, "strided": lambda part: part}[layout](a[:, ::2])


@pytest.mark.numpy_only
@pytest.mark.usefixtures("either_way")
@precisions
@pytest.mark.parametrize("layout_b", ["rows", "columns", "strided"])
@pytest.mark.parametrize("layout_a", ["rows", "columns", "strided"])
@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 4, 6), (4, 1, 6), (4, 6, 1), (1, 1, 1), (130, 70, 90)])
def test_a_product_is_added(shape, layout_a, layout_b, dtype):
    (m, k, n), rng = shape, np.random.RandomState(2014)
    a, b = matrix(rng, m, k, layout_a, dtype), matrix(rng, k, n, layout_b, dtype)
    out = matrix(rng, m, n, "rows", dtype)
    exact = -.75 * out.astype("longdouble") + .3 * (a.astype("longdouble") @ b.astype("longdouble"))
    there, kept = out, (a.copy(), b.copy())
    blas.add_product(out, -.75, .3, a, b)
    assert_allclose(out, exact.astype("float64"), rtol=0, atol=20 * k ** .5 * np.finfo(dtype).eps)
    assert out is there and out.dtype == dtype
    assert_array_equal(a, kept[0])
    assert_array_equal(b, kept[1])


@pytest.mark.numpy_only
@pytest.mark.usefixtures("either_way")
@precisions
def test_with_beta_0_the_product_replaces_out(dtype):
    out, a, b = np.full((2, 3), 1e30, dtype), np.ones((2, 4), dtype), np.ones((4, 3), dtype)
    blas.add_product(out, 0, 1, a, b)
    assert_array_equal(out, 4)


@pytest.mark.numpy_only
@pytest.mark.usefixtures("either_way")
@precisions
@pytest.mark.parametrize("step", [1, 2])
def test_vectors_are_added(step, dtype):
    wide, a = np.arange(40_000, dtype=dtype), np.arange(40_000, dtype=dtype)[::step]
    out = wide[::step]
    blas.add(out, a)
    assert_array_equal(out, 2 * a)
    assert_array_equal(wide[1::2], np.arange(1, 40_000, 2) * (2 if step == 1 else 1))


def test_sums_of_the_backends_arrays():
    out, a, b = xp.ones((2, 3)), xp.ones((2, 4)), xp.ones((4, 3))
    blas.add_product(out, 2., -1., a, b)
    blas.add(out, xp.ones((2, 3)))
    assert float(out.min()) == float(out.max()) == -1


def test_the_blas_of_numpys_wheel_is_found():
    """Without it training would silently be slower."""
    if "openblas" not in np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]:
        pytest.skip("this NumPy was not built with the wheels' OpenBLAS")
    assert len(blas.GEMM) == len(blas.AXPY) == 2
