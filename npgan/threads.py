"""
Work on several parts at once, a thread for each core.

NumPy's elementwise functions, and its products of small matrices, use one core each, and let other threads run.  While
these do, each product keeps to its own thread: OpenBLAS's threads would only take cores from them.
"""
import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from npgan.backend import xp


def in_parallel(work, *parts):
    """The list of what ``map(work, *parts)`` gives for lists `parts`; `work` goes on in threads, but not on a GPU."""
    if xp.module is not np or len(parts[0]) < 2:
        return list(map(work, *parts))
    with ThreadPoolExecutor(os.cpu_count()) as pool, products_in_one_thread():
        return list(pool.map(work, *parts))


@contextmanager
def products_in_one_thread():
    """Within ``with products_in_one_thread():`` each of NumPy's matrix products uses one thread, if that can be had."""
    get, put = blas_threads()
    before = get()
    put(1)
    try:
        yield
    finally:
        put(before)


@cache
def blas_threads():
    """Functions that get and set the number of threads of the OpenBLAS in NumPy's wheel; that do nothing without it."""
    package = Path(np.__file__).parent
    for folder in (package.with_name("numpy.libs"), package / ".dylibs"):
        for path in sorted(folder.glob("*openblas*")):
            library = ctypes.CDLL(str(path))
            for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("", "")):
                names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
                if all(hasattr(library, name) for name in names):
                    return [getattr(library, name) for name in names]
    return (lambda: None), (lambda n: None)
