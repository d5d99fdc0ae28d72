"""
Work on several parts at once, one thread for each core.

NumPy's elementwise functions and its products of small matrices use one core each and release the interpreter lock.
While several threads work, each product stays in its own thread: further threads of OpenBLAS would compete with them
for the cores.
"""
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from npgan.backend import xp
from npgan.kernels.blas import find_in_openblas


def shares(n):
    """Return one slice for each core that together cut 0, ..., n - 1 into equal shares; on a GPU one slice."""
    parts = min(n, os.cpu_count()) if xp.module is np else 1
    return [slice(i * n // parts, (i + 1) * n // parts) for i in range(parts)]


def in_parallel(work, *parts):
    """Return ``list(map(work, *parts))`` for lists `parts`, computed in threads except on a GPU."""
    if xp.module is not np or len(parts[0]) < 2:
        return list(map(work, *parts))
    with ThreadPoolExecutor(os.cpu_count()) as pool, products_in_one_thread():
        return list(pool.map(work, *parts))


LOCK = threading.RLock()            # an interrupt within its block may leave it locked: not for its own thread
inside = threads_before = 0         # contexts of `products_in_one_thread` that are open, and BLAS's threads before


@contextmanager
def products_in_one_thread():
    """
    Within ``with products_in_one_thread():`` each matrix product of NumPy uses one thread, if its OpenBLAS is found.

    OpenBLAS has one number of threads for the whole process.  Contexts of several threads may overlap: the first that
    opens changes the number, and the last that closes restores it.
    """
    global inside, threads_before
    get, put = find_in_openblas("openblas_get_num_threads", "openblas_set_num_threads")
    if get is None:
        yield
        return
    with LOCK:
        if inside == 0:
            threads_before = get()
            put(1)
        inside += 1
    try:
        yield
    finally:
        with LOCK:
            inside -= 1
            if inside == 0:
                put(threads_before)
