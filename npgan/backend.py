"""
The array module that every room computes with, its precision, and its random numbers.

``xp`` is NumPy, or CuPy after ``use("cupy")`` or with ``NPGAN_BACKEND=cupy`` in the environment.  It looks up its
module on every call, so ``from npgan.backend import xp`` stays right when the backend changes.  Only this file knows
how the two modules differ.

On a GPU everything stays on the device, whole data sets too: a training step moves nothing between host and device.
``tests/test_transfers.py`` counts these transfers.
"""
import importlib
import os
from contextlib import ExitStack, contextmanager
from numbers import Real

import numpy as np

BACKENDS = ("numpy", "cupy")
PRECISIONS = ("float32", "float64")


class BackendError(RuntimeError):
    """The chosen backend cannot run here; the message says why and what to install."""


class _ArrayModule:
    """The current array module under one name: ``xp.matmul`` is ``numpy.matmul`` or ``cupy.matmul``."""

    def __init__(self):
        self.module = np

    def __getattr__(self, name):
        return getattr(self.module, name)

    def __repr__(self):
        return f"<npgan.backend.xp: {self.module.__name__}>"


xp = _ArrayModule()
floatX = "float32"


def use(name=None, floatX=None):
    """
    Choose the array module, the precision, or both, for everything that is built from now on.

    Existing arrays stay where they are; a net does not move from one backend to another.

    Parameters
    ----------
    name : "numpy" or "cupy", optional
        The array module; None leaves it as it is.
    floatX : "float32" or "float64", optional
        float32 to train, float64 to check gradients; None leaves it as it is.

    Raises
    ------
    ValueError
        For another name or precision.
    BackendError
        If CuPy is not installed, does not fit the installed CUDA, or finds no driver or no GPU.
    """
    if floatX not in (None, *PRECISIONS):
        raise ValueError(f"floatX must be one of {', '.join(PRECISIONS)}, got {floatX!r}")
    if name not in (None, *BACKENDS):
        raise ValueError(f"the backend must be one of {', '.join(BACKENDS)}, got {name!r}")
    if name is not None:
        xp.module = np if name == "numpy" else _cupy()
    if floatX is not None:
        globals()["floatX"] = floatX


WHEELS = 'python -m pip install ".[gpu]" for CUDA 12, the package cupy-cuda11x or cupy-cuda13x for CUDA 11 or 13'
DRIVER_ERRORS = "libcuda.so", "nvcuda.dll", "cudaErrorInsufficientDriver", "cudaErrorSystemDriverMismatch"
GPU_ERRORS = "cudaErrorNoDevice", "cudaErrorDevicesUnavailable", "cudaErrorInvalidDevice"
MEMORY_ERRORS = "cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"


def _cupy():
    """Return the module cupy, if a sum and a product on the GPU succeed; raise BackendError otherwise."""
    try:
        cupy = importlib.import_module("cupy")
        if cupy.cuda.runtime.getDeviceCount() < 1:
            raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
        a = cupy.ones((2, 2), "float32")
        cupy.matmul(a, a + 1).get()             # CuPy loads CUDA's compiler and cuBLAS on first use
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            problem = f"the backend 'cupy' needs the package CuPy, which is not installed: {WHEELS}"
        else:
            problem = _explain(error)
        raise BackendError(f"{problem}; or use the backend 'numpy'") from error
    return cupy


def _explain(error):
    """Return what an `error` of an installed CuPy means and how to mend it, in one line."""
    message = " ".join(str(error).split("Original error:")[-1].replace("=" * 8, "").split())
    if any(name in message for name in DRIVER_ERRORS):
        return ("CuPy is installed, but the NVIDIA driver is missing or older than its CUDA: install a new driver "
                f"(nvidia-smi shows the present one), or the CuPy for its CUDA, {WHEELS} ({message})")
    if any(name in message for name in GPU_ERRORS):
        return f"CuPy is installed but finds no GPU ({message})"
    if out_of_memory(error):
        return f"the GPU has no memory left: end other programs on it, which nvidia-smi lists ({message})"
    return ("CuPy is installed but does not run here, probably because it is made for another version of CUDA: install "
            f"the one that fits, {WHEELS} ({message})")


def out_of_memory(error):
    """Return whether the exception `error` means that memory was too small, on the host or on the device."""
    return isinstance(error, MemoryError) or any(name in str(error) for name in MEMORY_ERRORS)


# What asarray and to_numpy refuse, by the letter of NumPy's dtype.kind.
REFUSED = {"c": "complex numbers", "M": "dates", "m": "time spans", "O": "objects", "S": "text", "U": "text",
           "T": "text", "V": "records"}


def asarray(a, dtype=None, name="the array"):
    """
    Return `a` as an array of the backend: the one door for arrays from outside.

    Parameters
    ----------
    a : array_like
        Real numbers or booleans: a list, a NumPy array of any type, byte order and memory layout, a memory map, a
        pandas DataFrame or Series, or an array of the backend.
    dtype : dtype, optional
        floatX by default.  Only whole numbers become whole numbers: labels 1.0 and 2.5 are refused alike.
    name : str
        What error messages call `a`.

    Returns
    -------
    backend array
        In C order; `a` itself where it is such an array already, otherwise a copy.

    Raises
    ------
    TypeError
        For a masked array, a numpy.matrix, complex numbers, dates, text or other objects.
    ValueError
        For rows of different lengths.
    """
    dtype = np.dtype(dtype or floatX)
    a = a if _is_on_device(a) else _real_numbers(a, name)
    if dtype.kind in "iu" and a.dtype.kind not in "iu" and a.size:
        raise TypeError(f"{name} must be whole numbers, got {a.dtype}")
    return xp.asarray(a, dtype=dtype, order="C")


def to_numpy(a, name="the array"):
    """
    Return `a` as a NumPy array, for files, pictures and printing.

    Parameters
    ----------
    a : array_like
        As for `asarray`; it keeps its own dtype.
    name : str
        What error messages call `a`.

    Returns
    -------
    numpy array
        A copy of an array on a GPU; a NumPy array comes back as it is.

    Raises
    ------
    TypeError, ValueError
        As `asarray`.
    """
    return a.get() if _is_on_device(a) else _real_numbers(a, name)


def precision_of(a):
    """Return "float32" or "float64" if that is the dtype of `a`, and floatX for anything else."""
    name = getattr(getattr(a, "dtype", None), "name", None)
    return name if name in PRECISIONS else floatX


def is_array(a):
    """Return whether `a` is a plain array of the backend, one that computes as such: neither masked nor a matrix."""
    return isinstance(a, xp.ndarray) and not isinstance(a, (np.ma.MaskedArray, np.matrix))


def _is_on_device(a):
    """Return whether `a` is an array of CuPy's, which NumPy cannot read."""
    return hasattr(a, "__cuda_array_interface__")


def _real_numbers(a, name):
    """Return `a` as a NumPy array of real numbers or booleans; raise TypeError or ValueError for anything else."""
    if isinstance(a, np.ma.MaskedArray):
        raise TypeError(f"{name} must be real numbers, got a masked array; fill its gaps with a.filled(value), or "
                        "leave those rows out")
    if isinstance(a, np.matrix):
        raise TypeError(f"{name} must be real numbers, got a numpy.matrix, which multiplies in its own way; convert "
                        "it with numpy.asarray")
    try:
        array = np.asarray(a)
    except ValueError as error:
        raise ValueError(f"{name} must have rows of one length, got others ({error})") from error
    if array.dtype.kind == "O" and all(isinstance(value, (Real, np.bool_)) for value in array.flat):
        array = np.asarray(array.tolist())              # a table of numbers and booleans comes as objects
    if array.dtype.kind in REFUSED:
        raise TypeError(f"{name} must be real numbers, got {REFUSED[array.dtype.kind]} ({type(a).__name__} of "
                        f"{array.dtype}); convert them to numbers first, as with astype(float)")
    return array


def check_stream(rng):
    """Raise TypeError unless `rng` is a `RandomStream`: NumPy's generators take other arguments and ignore floatX."""
    if not isinstance(rng, RandomStream):
        raise TypeError(f"random draws need rng=npgan.backend.RandomStream(seed), got {rng!r}")


def blocks(n, size=2 ** 16):
    """Return slices that cut `n` entries into parts of `size`, which fit a processor's cache; on a GPU, one slice."""
    size = size if xp.module is np else n
    return [slice(start, start + size) for start in range(0, n, size)]


class RandomStream:
    """
    A stream of random arrays of floatX, on the device of the backend that is in use when it is made.

    Parameters
    ----------
    seed : int or sequence of int
        Streams with different seeds are independent: ``RandomStream([2014, 3])`` is stream 3 of seed 2014.  The first
        number is below 2^128, the others are below 2^32.

    Attributes
    ----------
    seed : list of int
    """

    argument_names = "seed",

    def __init__(self, seed):
        given = np.atleast_1d(np.asarray(seed, dtype=object)).tolist()     # NumPy's integers have 64 bits only
        try:
            self.seed = [int(s) for s in given]
        except (TypeError, ValueError, OverflowError):
            self.seed = []
        if not self.seed or min(self.seed) < 0 or self.seed != given:
            raise ValueError(f"seed must be one or several whole numbers >= 0, got {seed!r}")
        if self.seed[0] >= 2**128 or max(self.seed[1:], default=0) >= 2**32:    # SeedSequence would join their digits
            raise ValueError(f"seed must begin with a number below 2^128, the others must be below 2^32, got {seed!r}")
        sequence = np.random.SeedSequence(self.seed[0], spawn_key=self.seed[1:])    # [1] and [1, 0] differ
        self._host = np.random.Generator(np.random.PCG64(sequence))
        self._start_device()

    def _start_device(self):
        """Draw from the host's generator, or under CuPy from one of CuPy's, seeded by the host's next number."""
        if xp.module is np:
            self._device = self._host
        else:
            self._device = xp.random.Generator(xp.random.XORWOW(int(self._host.integers(2**63))))

    def uniform(self, low, high, shape):
        """Return independent draws from U(low, high), an array of `shape`."""
        u = self._device.random(shape, dtype=floatX)
        u *= high - low
        u += low
        return u

    def normal(self, shape):
        """Return independent draws from N(0, 1), an array of `shape`."""
        return self._device.standard_normal(shape, dtype=floatX)

    def mask(self, include_prob, shape):
        """
        Return independent Bernoulli draws, a boolean array of `shape`: True with probability `include_prob`.

        On the host each entry compares 16 random bits with `include_prob`, which costs half as much as uniform floats
        and rounds `include_prob` to a multiple of 2^-16, with an error of at most 8e-6.  On a GPU entries compare
        floats, because CuPy draws bytes on the host.
        """
        if self._device is not self._host:
            return self._device.random(shape, dtype="float32") < include_prob
        size = int(np.prod(shape))
        words = self._host.bit_generator.random_raw(-(-size // 4))
        return (words.view(np.uint16)[:size] < round(include_prob * 65536)).reshape(shape)

    def permutation(self, n):
        """Return a random order of 0 .. n - 1, a NumPy array."""
        return self._host.permutation(n)

    @contextmanager
    def aside(self, seed):
        """Within ``with stream.aside(seed):`` draw from stream `seed`; afterwards continue as if nothing was drawn."""
        kept = self.seed, self._host, self._device
        try:
            self.__init__(seed)
            yield self
        finally:
            self.seed, self._host, self._device = kept

    @property
    def state(self):
        """
        The position in the stream, as plain numbers and strings; assigning it returns to that position.

        CuPy's generators cannot report their position, so there reading the state seeds the device anew from the host.
        """
        state = self._host.bit_generator.state
        self._start_device()
        return state

    @state.setter
    def state(self, state):
        self._host.bit_generator.state = state
        self._start_device()

    def __repr__(self):
        return f"RandomStream({self.seed})"


@contextmanager
def aside(streams, *seed):
    """Within ``with aside(streams, *seed):`` stream i of `streams` draws the numbers of `RandomStream`([*seed, i])."""
    with ExitStack() as stack:
        for i, stream in enumerate(streams):
            stack.enter_context(stream.aside([*seed, i]))
        yield


if os.environ.get("NPGAN_BACKEND"):
    try:
        use(os.environ["NPGAN_BACKEND"])
    except (BackendError, ValueError) as error:
        raise type(error)(f"NPGAN_BACKEND={os.environ['NPGAN_BACKEND']}: {error}") from error
