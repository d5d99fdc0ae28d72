"""
The array module that every room computes with, its precision, and its random numbers.

``xp`` stands for NumPy, or for CuPy after ``use("cupy")`` or with ``NPGAN_BACKEND=cupy`` in the environment.  It looks
its module up on every call, so ``from npgan.backend import xp`` stays right when the backend changes.  What differs
between the two lives in this file and nowhere else.

On a GPU everything stays on the device, whole data sets too: a training step moves nothing between host and device.
``tests/test_transfers.py`` holds this, and what an epoch moves, to the numbers that `npgan.train` states.
"""
import importlib
import os
from contextlib import ExitStack, contextmanager
from numbers import Real

import numpy as np

BACKENDS = ("numpy", "cupy")
PRECISIONS = ("float32", "float64")


class BackendError(RuntimeError):
    """The backend that was asked for cannot run here; the message says why and what to install."""


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
    Choose the array module, the precision, or both, for everything that is built from here on.

    Arrays that exist already stay where they are; nets built under one backend do not move to another.

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
        If CuPy is asked for and is not installed, does not fit the CUDA that is here, or finds no driver or no GPU.
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
    """The module cupy, if a sum and a product on the GPU succeed; else BackendError, which says what is missing."""
    try:
        cupy = importlib.import_module("cupy")
        if cupy.cuda.runtime.getDeviceCount() < 1:
            raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
        a = cupy.ones((2, 2), "float32")
        cupy.matmul(a, a + 1).get()             # CuPy loads CUDA's compiler and cuBLAS when they are first used
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            says = f'the backend \'cupy\' needs the package CuPy, which is not installed: {WHEELS}'
        else:
            says = _what_is_wrong(error)
        raise BackendError(f"{says}; or use the backend 'numpy'") from error
    return cupy


def _what_is_wrong(error):
    """What an `error` of an installed CuPy says of this machine, in one line."""
    told = " ".join(str(error).split("Original error:")[-1].replace("=" * 8, "").split())
    if any(name in told for name in DRIVER_ERRORS):
        return ("CuPy is installed, but the NVIDIA driver is missing or older than its CUDA: install a new driver "
                f"(nvidia-smi shows the one there is), or the CuPy for its CUDA, {WHEELS} ({told})")
    if any(name in told for name in GPU_ERRORS):
        return f"CuPy is installed but finds no GPU ({told})"
    if out_of_memory(error):
        return f"the GPU has no memory left: end what else runs on it, nvidia-smi shows it ({told})"
    return ("CuPy is installed but does not run here, most likely as it is made for another version of CUDA: install "
            f"the one that fits, {WHEELS} ({told})")


def out_of_memory(error):
    """Whether the exception `error` says that the memory, the device's or the host's, was too small."""
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
    """Refuse an `rng` that is no `RandomStream`: NumPy's own generators take other arguments and ignore floatX."""
    if not isinstance(rng, RandomStream):
        raise TypeError(f"what is drawn at random needs rng=npgan.backend.RandomStream(seed), got {rng!r}")


def blocks(n, size=2 ** 16):
    """Slices that cut `n` entries into parts of `size`, which stay in a processor's cache; on a GPU, one for all."""
    size = size if xp.module is np else n
    return [slice(start, start + size) for start in range(0, n, size)]


class RandomStream:
    """
    A stream of random arrays of floatX, on the device of the backend it was made under.

    Parameters
    ----------
    seed : int or sequence of int
        Streams with different seeds are independent: ``RandomStream([2014, 3])`` is stream 3 of seed 2014.  The first
        is from 0 to 2^128 - 1, those after it to 2^32 - 1.

    Attributes
    ----------
    seed : list of int
    """

    argument_names = "seed",

    def __init__(self, seed):
        given = np.atleast_1d(np.asarray(seed, dtype=object)).tolist()     # exact: NumPy's own types have 64 bits
        try:
            self.seed = [int(s) for s in given]
        except (TypeError, ValueError, OverflowError):
            self.seed = []
        if not self.seed or min(self.seed) < 0 or self.seed != given:
            raise ValueError(f"a seed is a whole number >= 0 or several, got {seed!r}")
        if self.seed[0] >= 2**128 or max(self.seed[1:], default=0) >= 2**32:    # SeedSequence would run them together
            raise ValueError(f"a seed is below 2^128, and what follows it below 2^32, got {seed!r}")
        sequence = np.random.SeedSequence(self.seed[0], spawn_key=self.seed[1:])    # [1] and [1, 0] differ
        self._host = np.random.Generator(np.random.PCG64(sequence))
        self._start_device()

    def _start_device(self):
        """NumPy draws from the host's generator; CuPy from one of its own, seeded by the host's next number."""
        if xp.module is np:
            self._device = self._host
        else:
            self._device = xp.random.Generator(xp.random.XORWOW(int(self._host.integers(2**63))))

    def uniform(self, low, high, shape):
        """Independent draws from U(low, high), an array of `shape`."""
        u = self._device.random(shape, dtype=floatX)
        u *= high - low
        u += low
        return u

    def normal(self, shape):
        """Independent draws from N(0, 1), an array of `shape`."""
        return self._device.standard_normal(shape, dtype=floatX)

    def mask(self, include_prob, shape):
        """
        Independent Bernoulli draws, a boolean array of `shape`: True with probability `include_prob`.

        On the host each entry compares 16 random bits with `include_prob`, which is thereby rounded to a multiple of
        2^-16 (an error of at most 8e-6): that costs half as much as uniform floats.  A GPU compares floats, for CuPy
        draws bytes on the host.
        """
        if self._device is not self._host:
            return self._device.random(shape, dtype="float32") < include_prob
        size = int(np.prod(shape))
        words = self._host.bit_generator.random_raw(-(-size // 4))
        return (words.view(np.uint16)[:size] < round(include_prob * 65536)).reshape(shape)

    def permutation(self, n):
        """A random order of 0 .. n - 1, a NumPy array."""
        return self._host.permutation(n)

    @contextmanager
    def aside(self, seed):
        """Within ``with stream.aside(seed):`` draw from stream `seed`; afterwards go on as if nothing was drawn."""
        kept = self.seed, self._host, self._device
        try:
            self.__init__(seed)
            yield self
        finally:
            self.seed, self._host, self._device = kept

    @property
    def state(self):
        """
        The place in the stream, of plain numbers and strings; assigning it goes back there.

        CuPy's generators do not tell their place, so there reading the state seeds the device anew from the host.
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
    """Within ``with aside(streams, *seed):`` stream i of `streams` draws as `RandomStream`([*seed, i]) would."""
    with ExitStack() as stack:
        for i, stream in enumerate(streams):
            stack.enter_context(stream.aside([*seed, i]))
        yield


if os.environ.get("NPGAN_BACKEND"):
    try:
        use(os.environ["NPGAN_BACKEND"])
    except (BackendError, ValueError) as error:
        raise type(error)(f"NPGAN_BACKEND={os.environ['NPGAN_BACKEND']}: {error}") from error
