"""
Sums of products, C <- beta C + alpha A B, in one call of the BLAS that NumPy's own products run on.

``numpy.matmul`` can only overwrite C.  A momentum step wants v <- mu v - epsilon s^T dz for every weight matrix, and in
the product itself that costs next to nothing, while gradient, scaling and two sums are four more passes over all the
parameters.  SciPy's ``gemm`` can add, but its wheels bring a BLAS of their own, whose threads and NumPy's fight for the
same cores; so this room looks for the OpenBLAS within NumPy's wheel.  Without it, and on a GPU, sums are made in steps.
"""
import ctypes
from pathlib import Path

import numpy as np

from npgan.backend import xp

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112            # CBLAS's constants
SIZE, POINTER = ctypes.c_int64, ctypes.c_void_p


def openblas(*names):
    """The functions `names` of the OpenBLAS that NumPy's wheel brought and has loaded, or None for each."""
    package = Path(np.__file__).parent
    for folder in (package.with_name("numpy.libs"), package / ".dylibs"):
        for path in sorted(folder.glob("*openblas*")):
            library = ctypes.CDLL(str(path))
            for pattern in ("scipy_{}64_", "{}64_"):                    # NumPy 2's wheels and NumPy 1's
                if all(hasattr(library, pattern.format(name)) for name in names):
                    return [getattr(library, pattern.format(name)) for name in names]
    return [None] * len(names)


def typed(function, *argtypes):
    """The `function`, if there is one, told its `argtypes`; it returns nothing."""
    if function:
        function.argtypes, function.restype = argtypes, None
    return function


GEMM, AXPY = {}, {}
for letter, dtype, real in ("s", np.dtype("float32"), ctypes.c_float), ("d", np.dtype("float64"), ctypes.c_double):
    gemm, axpy = openblas(f"cblas_{letter}gemm", f"cblas_{letter}axpy")
    GEMM[dtype] = typed(gemm, *3 * [ctypes.c_int], *3 * [SIZE], real, POINTER, SIZE, POINTER, SIZE, real, POINTER, SIZE)
    AXPY[dtype] = typed(axpy, SIZE, real, POINTER, SIZE, POINTER, SIZE)


def transposition(a):
    """CBLAS's flag for a contiguous matrix `a`, and its leading dimension."""
    return (PLAIN, a.shape[1]) if a.flags.c_contiguous else (TRANSPOSED, a.shape[0])


def add_product(out, beta, alpha, a, b):
    """
    out <- beta out + alpha a b, in place.

    Parameters
    ----------
    out : array (m, n)
    beta, alpha : float
    a, b : array (m, k) and (k, n)
        Of the type of `out`, contiguous or transposed.
    """
    arrays = out, a, b
    gemm = xp.module is np and GEMM.get(out.dtype)
    if not gemm or not (out.flags.c_contiguous and all(x.dtype == out.dtype and x.flags.forc for x in arrays)):
        out *= beta
        out += alpha * xp.matmul(a, b)
        return
    (flag_a, ld_a), (flag_b, ld_b) = transposition(a), transposition(b)
    gemm(ROW_MAJOR, flag_a, flag_b, *out.shape, a.shape[1], alpha, a.ctypes.data, ld_a, b.ctypes.data, ld_b,
         beta, out.ctypes.data, out.shape[1])


def add(out, a):
    """`out` <- `out` + `a` for vectors, in place, by all of BLAS's threads; NumPy's own sums use one."""
    axpy = xp.module is np and AXPY.get(out.dtype)
    if not axpy or not all(x.dtype == out.dtype and x.flags.c_contiguous for x in (out, a)):
        out += a
        return
    axpy(out.size, 1, a.ctypes.data, 1, out.ctypes.data, 1)
