"""
Sums of products, C <- beta C + alpha A B, in one call of the BLAS that NumPy's own products use.

``numpy.matmul`` can only overwrite C.  The fused momentum step computes v <- mu v - epsilon s^T dz for every weight
matrix.  Inside the product this costs almost nothing, while a written gradient, the scaling and two sums are four more
passes over all parameters.  SciPy's ``gemm`` can add, but SciPy's wheels contain a BLAS of their own, whose threads
compete with NumPy's for the same cores.  This module therefore looks for the OpenBLAS inside NumPy's wheel.  Without
it, and on a GPU, the sums are computed step by step.
"""
import ctypes
from pathlib import Path

import numpy as np

from npgan.backend import xp

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112            # CBLAS's constants
INT, SIZE, POINTER = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p


def find_in_openblas(*names):
    """Return the functions `names` of the OpenBLAS in NumPy's wheel, which NumPy has loaded, or None for each."""
    package = Path(np.__file__).parent
    for folder in (package.with_name("numpy.libs"), package / ".dylibs"):
        for path in sorted(folder.glob("*openblas*")):
            library = ctypes.CDLL(str(path))
            for pattern in ("scipy_{}64_", "{}64_"):                    # NumPy 2's wheels and NumPy 1's
                if all(hasattr(library, pattern.format(name)) for name in names):
                    return [getattr(library, pattern.format(name)) for name in names]
    return [None] * len(names)


GEMM, AXPY = {}, {}                                     # the functions for each dtype; empty without that OpenBLAS
for letter, dtype, real in ("s", np.dtype("float32"), ctypes.c_float), ("d", np.dtype("float64"), ctypes.c_double):
    gemm, axpy = find_in_openblas(f"cblas_{letter}gemm", f"cblas_{letter}axpy")
    if gemm is None:
        continue
    gemm.argtypes = INT, INT, INT, SIZE, SIZE, SIZE, real, POINTER, SIZE, POINTER, SIZE, real, POINTER, SIZE
    axpy.argtypes = SIZE, real, POINTER, SIZE, POINTER, SIZE
    gemm.restype = axpy.restype = None
    GEMM[dtype], AXPY[dtype] = gemm, axpy


def layout(a):
    """Return CBLAS's flag for a contiguous matrix `a`, and its leading dimension."""
    return (PLAIN, a.shape[1]) if a.flags.c_contiguous else (TRANSPOSED, a.shape[0])


def add_product(out, beta, alpha, a, b):
    """
    Compute out <- beta out + alpha a b in place.

    Parameters
    ----------
    out : array (m, n)
    beta, alpha : float
    a, b : array (m, k) and (k, n)
        The fast form needs the dtype of `out`, and contiguous matrices or transposes of such.
    """
    gemm = GEMM.get(out.dtype) if xp.module is np else None
    suitable = out.flags.c_contiguous and all(
        x.dtype == out.dtype and (x.flags.c_contiguous or x.flags.f_contiguous) for x in (a, b))
    if gemm is None or not suitable:
        out *= beta
        out += alpha * xp.matmul(a, b)
        return
    (flag_a, ld_a), (flag_b, ld_b) = layout(a), layout(b)
    gemm(ROW_MAJOR, flag_a, flag_b, *out.shape, a.shape[1], alpha, a.ctypes.data, ld_a, b.ctypes.data, ld_b,
         beta, out.ctypes.data, out.shape[1])


def add(out, a):
    """Compute `out` <- `out` + `a` in place for vectors, with all threads of BLAS; NumPy's own sums use one."""
    axpy = AXPY.get(out.dtype) if xp.module is np else None
    if axpy is None or not all(x.dtype == out.dtype and x.flags.c_contiguous for x in (out, a)):
        out += a
        return
    axpy(out.size, 1, a.ctypes.data, 1, out.ctypes.data, 1)
