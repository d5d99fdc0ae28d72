"""
Work on several parts at once, a thread for each core.

NumPy's elementwise functions, and its products of small matrices, use one core each, and let other threads run.  While
these do, each product keeps to its own thread: OpenBLAS's threads would only take cores from them.
"""
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from npgan.backend import xp
from npgan.kernels.blas import openblas


def shares(n):
    """0, ..., n - 1 in a slice for each core, of sizes that differ by 1 at most; on a GPU in one."""
    parts = min(n, os.cpu_count()) if xp.module is np else 1
    return [slice(i * n // parts, (i + 1) * n // parts) for i in range(parts)]


def in_parallel(work, *parts):
    """The list of what ``map(work, *parts)`` gives for lists `parts`; `work` goes on in threads, but not on a GPU."""
    if xp.module is not np or len(parts[0]) < 2:
        return list(map(work, *parts))
    with ThreadPoolExecutor(os.cpu_count()) as pool, products_in_one_thread():
        return list(pool.map(work, *parts))


@contextmanager
def products_in_one_thread():
    """Within ``with products_in_one_thread():`` each of NumPy's matrix products uses one thread, if that can be had."""
    get, put = openblas("openblas_get_num_threads", "openblas_set_num_threads")
    if get is None:
        yield
        return
    before = get()
    put(1)
    try:
        yield
    finally:
        put(before)
