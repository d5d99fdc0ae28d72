"""The benchmark of a GPU, run on the stand-in for CuPy, and how it hands products to cuBLAS."""
import ctypes
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "tests" / "benchmarks"


def run(*arguments):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NPGAN_BACKEND": "", "NPGAN_DATA_PATH": "",
           "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, BENCHMARKS / "bench_gpu.py", *arguments], env=env, capture_output=True,
                          text=True, timeout=120)


def test_runs_on_the_stand_in():
    done = run("--stand-in", "--json", "--rounds=1", "--repeat=1", "--updates=1", "--batch=10")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["bound"] for row in found["equality"].values()] == [1e-10, 1e-3, 1e-3, 1e-2]
    for what, row in found["equality"].items():
        assert 0 <= row["difference"] <= row["bound"], what
    assert list(found["times"]) == ["small: simultaneous", "small: Algorithm 1", "small: an epoch of 5 updates",
                                    "the Parzen protocol"]
    for rows in found["times"].values():
        for row in rows.values():
            assert row["ms"]["median"] > 0
    assert "stand-in" in found["machine"]["card"]


def test_without_a_gpu_it_ends_in_one_line():
    if importlib.util.find_spec("cupy"):
        pytest.skip("CuPy is installed here")
    done = run()
    told, = done.stderr.strip().splitlines()
    assert done.returncode == 2 and not done.stdout
    assert told.startswith("bench_gpu.py: error: the backend 'cupy' needs the package CuPy")


class Device(np.ndarray):
    """An array with CuPy's ``data.ptr``."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)


def on_device(a):
    return np.asarray(a, "float32").view(Device)


class Library:
    """cuBLAS as its manual describes it: matrices in columns, C <- alpha op(A) op(B) + beta C."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        return lambda *arguments: self.told.append(name) or 0

    def cublasSgemm_v2(self, handle, op_a, op_b, m, n, k, alpha, a, ld_a, b, ld_b, beta, c, ld_c):
        def matrix(pointer, rows, columns, ld):
            assert ld >= rows
            memory = np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), (columns, ld))
            return memory[:, :rows].T

        A = matrix(a, k, m, ld_a).T if op_a else matrix(a, m, k, ld_a)
        B = matrix(b, n, k, ld_b).T if op_b else matrix(b, k, n, ld_b)
        C = matrix(c, m, n, ld_c)
        C[...] = alpha._obj.value * A @ B + beta._obj.value * np.nan_to_num(C)
        return 0


@pytest.fixture
def products(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import bench_gpu

    module = SimpleNamespace(empty=lambda shape, dtype: on_device(np.full(shape, np.nan)), square=np.square,
                             ascontiguousarray=np.ascontiguousarray, matmul=lambda a, b, out=None: "CuPy's own")
    return bench_gpu.Products(module, Library(), 7, on_device(np.zeros(16)))


@pytest.mark.parametrize("a", [(3, 4), (1, 4), (3, 1)])
@pytest.mark.parametrize("columns", [5, 1])
@pytest.mark.parametrize("a_transposed", [False, True])
@pytest.mark.parametrize("b_transposed", [False, True])
def test_products_by_cublas_are_numpys(products, a, columns, a_transposed, b_transposed):
    rng = np.random.RandomState(2014)
    A = on_device(rng.normal(size=a[::-1] if a_transposed else a))
    B = on_device(rng.normal(size=(columns, a[1]) if b_transposed else (a[1], columns)))
    A, B = A.T if a_transposed else A, B.T if b_transposed else B
    expected = np.asarray(A) @ np.asarray(B)
    np.testing.assert_allclose(products.matmul(A, B), expected, rtol=1e-5)
    for whole, part in ((9, columns), np.s_[2:2 + a[0]]), ((9, 9), np.s_[2:2 + a[0], 1:1 + columns]):
        whole = on_device(np.full(whole, 7.))
        out = whole[part]
        assert products.matmul(A, B, out=out) is out
        np.testing.assert_allclose(out, expected, rtol=1e-5)
        assert (whole == 7).sum() == whole.size - expected.size


def test_products_that_are_not_cublass_go_to_cupy(products):
    a = on_device(np.ones((2, 2)))
    assert products.matmul(a.astype("float64"), a.astype("float64")) == "CuPy's own"
    assert products.matmul(a[None], a[None]) == "CuPy's own"
    np.testing.assert_array_equal(products.einsum("vj,vj->j", a, a), [2, 2])
    assert products.library.told == ["cublasCreate_v2", "cublasSetStream_v2", "cublasSetWorkspace_v2"]
