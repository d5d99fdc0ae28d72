"""Work on several parts at once."""
import os
import threading

import numpy as np
import pytest

from npgan.backend import xp
from npgan.kernels.blas import find_in_openblas
from npgan.kernels.threads import in_parallel, products_in_one_thread, shares


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_shares_cut_the_range_into_equal_parts(n):
    parts = shares(n)
    assert [i for part in parts for i in range(n)[part]] == list(range(n))
    sizes = [part.stop - part.start for part in parts]
    assert len(parts) == (min(n, os.cpu_count()) if xp.module is np else 1)      # a GPU has it in one
    assert max(sizes) - min(sizes) <= 1


def test_results_are_in_order_and_errors_are_raised():
    seen = set()

    def work(a, b):
        seen.add(threading.get_ident())
        return a / b

    assert in_parallel(work, range(50), range(1, 51)) == [a / (a + 1) for a in range(50)]
    assert (threading.get_ident() in seen) == (xp.module is not np)       # a GPU needs no threads
    assert in_parallel(work, [1], [2]) == [.5] and in_parallel(work, [], []) == []
    with pytest.raises(ZeroDivisionError):
        in_parallel(work, [1, 2], [1, 0])


@pytest.mark.numpy_only
def test_products_use_one_thread_while_threads_work():
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def numbers(_=None):
        return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if "numpy.libs" in pool["filepath"]]

    with threadpoolctl.threadpool_limits(2, "blas"):
        before = numbers()
        if not before:
            pytest.skip("NumPy brought no BLAS of its own")
        assert in_parallel(numbers, [0, 1]) == [[1], [1]]
        with pytest.raises(ZeroDivisionError):
            in_parallel(lambda zero: 1 / zero, [0, 0])
        assert numbers() == before == [2]


@pytest.mark.numpy_only
def test_contexts_of_two_threads_may_overlap():
    """The one that opened first closes first; the number of threads from before returns with the last."""
    get, put = find_in_openblas("openblas_get_num_threads", "openblas_set_num_threads")
    if get is None:
        pytest.skip("NumPy brought no BLAS of its own")
    before = get()
    put(2)
    try:
        first, second = products_in_one_thread(), products_in_one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert get() == 1
        second.__exit__(None, None, None)
        assert get() == 2
    finally:
        put(before)


def test_work_in_threads_without_numpys_blas(monkeypatch, tmp_path):
    monkeypatch.setattr(np, "__file__", str(tmp_path / "numpy" / "__init__.py"))
    assert in_parallel(abs, [-1, -2]) == [1, 2]
