"""
A stand-in for CuPy on a machine without a GPU: NumPy underneath, refusing what CuPy refuses and a little more.

`module` goes where ``cupy`` would, ``npgan.backend.xp.module = strict.module``.  Against NumPy it is strict in that

- its arrays become NumPy arrays only by ``get()``, and mix with none, in arithmetic, as arguments or as indices;
- every result is an array, a sum one of zero dimensions, and ``a[0]`` is a view, where NumPy hands out numbers;
- it has only functions that CuPy has, with CuPy's parameters (no ``where=``, no list for an array);
- the result of a ufunc is in C order, as CuPy's may be whatever the order of the operands;
- it counts, in `transfers`, what goes between the host and the device, and `no_transfers` forbids it.  To join more
  than 8 arrays counts too: CuPy sends their addresses, and if they differ in shape their sizes and strides as well.

It refuses as well what CuPy does in silence but slowly: iterate, index with a list, serve NumPy's functions; and that
whose result CuPy leaves open or changes from version to version: assign twice to one place, make integers of numbers
that they cannot hold, compute with a NumPy scalar whose type decides that of the result (CuPy 14 as NumPy 2, before as
NumPy 1).  What CuPy has and the tables below lack may be added to them; test_backend.py compares them with CuPy's
signatures where CuPy is installed, for which it needs no GPU.

``tests/stand_in/cupy.py`` is this module under CuPy's name, for programs that are told ``--backend cupy``.
"""
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np

# CuPy's parameters, in its order and as many of them as are allowed: the functions that have them.
FUNCTIONS = {
    "a": "ravel ascontiguousarray",
    "a axis": "squeeze expand_dims flip sort argsort",
    "a axis out keepdims": "min max any all",
    "a axis dtype out": "cumsum",
    "a axis dtype out keepdims": "sum prod mean argmin argmax",
    "a axis dtype out ddof keepdims": "var std",
    "a axis1 axis2": "swapaxes",
    "a axes": "transpose",
    "a newshape": "reshape",
    "a repeats axis": "repeat",
    "a indices axis out": "take",
    "a a_min a_max out": "clip",
    "a b axes": "tensordot",
    "a b": "dot outer may_share_memory shares_memory",
    "a b out": "matmul",
    "a b rtol atol equal_nan": "isclose allclose",
    "A reps": "tile",
    "array shape": "broadcast_to",
    "array pad_width mode": "pad",
    "condition x y": "where",
    "x weights minlength": "bincount",
    "tup axis out": "concatenate stack",
    "tup": "vstack hstack",
    "shape dtype": "zeros ones empty",
    "shape fill_value dtype": "full",
    "a dtype": "zeros_like ones_like",
    "prototype dtype": "empty_like",
    "a fill_value dtype": "full_like",
    "start stop step dtype": "arange",
    "start stop num": "linspace",
    "N M k dtype": "eye",
    "x out dtype": "negative positive absolute abs sign square sqrt exp expm1 log log1p sin cos tanh floor ceil rint "
                   "isfinite isinf isnan logical_not invert conj",
    "x1 x2 out dtype": "add subtract multiply divide true_divide floor_divide remainder power maximum minimum "
                       "logaddexp equal not_equal less less_equal greater greater_equal logical_and logical_or "
                       "bitwise_and bitwise_or bitwise_xor left_shift right_shift",
}
SAME = "bool_ int32 int64 uint8 uint16 uint32 uint64 float32 float64 dtype finfo iinfo pi e inf nan newaxis"
METHODS = "sum prod mean min max any all argmin argmax var std cumsum clip repeat take squeeze swapaxes ravel dot conj"
ATTRIBUTES = "shape dtype ndim size nbytes itemsize strides T real imag"
UFUNCS = {name for parameters, names in FUNCTIONS.items() if parameters.split()[0] in ("x", "x1")
          for name in names.split()}
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
COMPARISON = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
              "ge": "greater_equal"}
ARITHMETIC = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
              "mod": "remainder", "pow": "power", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
              "lshift": "left_shift", "rshift": "right_shift", "matmul": "matmul"}
TO_HOST = {"get": np.ndarray.copy, "item": np.ndarray.item, "tolist": np.ndarray.tolist, "__float__": float,
           "__int__": int, "__bool__": bool, "__complex__": complex, "__repr__": repr, "__str__": str,
           "__format__": format}
SYNCHRONISING = {"bincount"}
KEEP_THE_KIND = set("sum prod mean min max cumsum var std clip take".split())     # their `out` CuPy casts in silence
# What a parameter takes; those that are not here, such as an axis, take no array.
ROLES = {**dict.fromkeys("a b A array prototype indices condition".split(), "array"),
         **dict.fromkeys("x x1 x2 y a_min a_max fill_value".split(), "operand"),
         "tup": "arrays", "out": "out", "dtype": "dtype"}

transfers = Counter()                       # "to device", "to host": how often so far
forbidden = False


class TransferError(AssertionError):
    """Something went between host and device within `no_transfers`."""


@contextmanager
def no_transfers():
    """Within ``with no_transfers():`` what goes between host and device raises TransferError."""
    global forbidden
    before, forbidden = forbidden, True
    try:
        yield
    finally:
        forbidden = before


def transfer(direction, by):
    if forbidden:
        raise TransferError(f"a transfer {direction}, by {by}")
    transfers[direction] += 1


def is_number(value):
    return isinstance(value, (int, float, np.number, np.bool_))


def check_promotion(operands):
    """Refuse a NumPy scalar among the `operands` whose type would decide that of the result, see above."""
    arrays = [operand for operand in operands if isinstance(operand, Array)]
    numbers = [operand for operand in operands if is_number(operand)]
    plain = [number.item() if isinstance(number, np.generic) else number for number in numbers]
    if arrays and any(isinstance(number, np.generic) for number in numbers):
        def result(numbers):
            return np.result_type(*(np.empty(1, array.dtype) for array in arrays), *numbers)

        if result(numbers) != result(plain):
            raise TypeError(f"{numbers} with arrays of {[str(array.dtype) for array in arrays]}: CuPy's versions differ"
                            " on the result's type; take a number of Python's")


def check_joining(arrays):
    """Count what CuPy sends to the device to join `arrays`: of more than 8 small ones of one type, their addresses."""
    hosts = [array.host for array in arrays]
    if len(hosts) > 8 and len({host.dtype for host in hosts}) == 1 and np.mean([host.nbytes for host in hosts]) < 2**21:
        alike = len({host.shape for host in hosts}) == 1 and all(host.flags.c_contiguous for host in hosts)
        for what in ("addresses",) if alike else ("addresses", "sizes", "strides"):
            transfer("to device", f"{what} of more than 8 arrays")


def unwrap(value, role=None):
    """What NumPy gets for an argument of that role, or the TypeError with which CuPy would refuse it."""
    if role in ("array", "operand", "out") and isinstance(value, Array):
        return value.host
    if role == "operand" and is_number(value) or role == "out" and value is None:
        return value
    if role == "dtype" and (value is None or np.dtype(value).kind in "biufc"):
        return value
    if role == "arrays" and isinstance(value, (list, tuple)):
        return [unwrap(v, "array") for v in value]
    if role is None and isinstance(value, (list, tuple)):
        return tuple(unwrap(v) for v in value)
    if role is None and not isinstance(value, (Array, np.ndarray)):
        return value
    raise TypeError(f"Unsupported type {type(value)}, as {role or 'an argument that is no array'}")


def wrap(result):
    return Array(result) if isinstance(result, (np.ndarray, np.generic)) else result


def function(name, parameters):
    """NumPy's function of that name, with CuPy's `parameters` only."""
    parameters = parameters.split()
    required = [p for p in parameters if ROLES.get(p) in ("array", "arrays", "operand")]

    def call(*args, **kwargs):
        given = {**dict(zip(parameters, args)), **kwargs}
        if len(given) < len(args) + len(kwargs) or not set(required) <= set(given) <= set(parameters):
            raise TypeError(f"{name} takes {', '.join(parameters)}; got {len(args)} arguments and {list(kwargs)}")
        if name in SYNCHRONISING:
            transfer("to host", name)
        check_promotion([a for p, a in given.items() if ROLES.get(p) in ("array", "operand")])
        arguments = [unwrap(a, ROLES.get(p)) for p, a in zip(parameters, args)]
        keywords = {p: unwrap(a, ROLES.get(p)) for p, a in kwargs.items()}
        if "tup" in given:
            check_joining(given["tup"])
        if name in KEEP_THE_KIND and given.get("out") is not None and given["out"].dtype.kind in "biu":
            np.add(np.zeros(1, given[parameters[0]].dtype), 0, out=np.zeros(1, given["out"].dtype))    # TypeError
        result = getattr(np, name)(*arguments, **keywords)
        if given.get("out") is not None:
            return given["out"]
        return wrap(np.asarray(result, order="C") if name in UFUNCS else result)

    call.parameters = parameters
    return call


class Array:
    """An array of the pretended device, kept as the NumPy array `host`; a view where that is one."""

    __slots__ = ("host",)
    __cuda_array_interface__ = {}           # by which npgan knows CuPy's arrays
    __hash__ = None
    __array_ufunc__ = None                  # so NumPy's ufuncs refuse it, and NumPy's numbers leave arithmetic to it

    def __init__(self, host):
        self.host = np.asarray(host)

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. "
                        "Please use `.get()` to construct a NumPy array explicitly.")

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} got an array of the device; use xp.{function.__name__}")

    def __iter__(self):
        raise TypeError("to iterate over an array launches a kernel for each entry; use a function of whole arrays")

    def __len__(self):
        return len(self.host)

    def __getitem__(self, index):
        return Array(self.host[self.index(index)])

    def __setitem__(self, index, value):
        index = self.index(index)
        if any(isinstance(i, np.ndarray) for i in index):
            places = np.arange(self.size).reshape(self.shape)[index].ravel()
            if len(np.unique(places)) < len(places):
                raise TypeError("an index names a place more than once; which value stays there CuPy leaves open")
            if is_number(value):
                transfer("to device", "a number assigned at indices")
        self.host[index] = unwrap(value, "operand")

    def index(self, index):
        """The index for `host`, with an ellipsis, so that one entry is a view and not a number."""
        index = index if isinstance(index, tuple) else (index,)
        for i in index:
            if isinstance(i, Array) and i.dtype == bool:
                transfer("to host", "counting a mask's entries")
            elif isinstance(i, bool) or not (i is None or i is ... or isinstance(i, (Array, slice, int, np.integer))):
                raise TypeError(f"Unsupported index of type {type(i)}; an array of indices must be on the device")
        index = tuple(i.host if isinstance(i, Array) else i for i in index)
        return index if any(i is ... for i in index) else index + (...,)

    @property
    def flags(self):
        flags = self.host.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata)

    def astype(self, dtype, *, copy=True):              # by position CuPy takes the order
        dtype = np.dtype(unwrap(dtype, "dtype"))
        if self.dtype.kind == "f" and dtype.kind in "iu" and self.size:
            low, high = self.host.min(), self.host.max()
            if not np.iinfo(dtype).min <= low <= high <= np.iinfo(dtype).max:
                raise TypeError(f"numbers from {low} to {high} as {dtype}: what comes of it CuPy leaves open")
        host = self.host.astype(dtype, copy=copy)
        return self if host is self.host else Array(host)

    def copy(self):
        return Array(self.host.copy())

    def fill(self, value):
        self.host.fill(unwrap(value, "operand"))

    def flatten(self):
        return Array(self.host.flatten())

    def reshape(self, *shape):
        return Array(self.host.reshape(*unwrap(shape)))

    def transpose(self, *axes):
        return Array(self.host.transpose(*unwrap(axes)))


class Module:
    """The namespace that stands for ``cupy``; what `FUNCTIONS` and `SAME` list comes below."""

    __name__ = "strict"
    ndarray = Array

    def __getattr__(self, name):
        raise AttributeError(f"tests/strict.py has no {name}; what CuPy has with NumPy's meaning may be added there")

    def array(self, obj, dtype=None, copy=True):
        if isinstance(obj, Array):
            return obj.astype(dtype or obj.dtype, copy=copy)
        host = np.array(obj, unwrap(dtype, "dtype"))
        transfer("to device", "xp.array or xp.asarray")
        unwrap(host.dtype, "dtype")
        return Array(host)

    def asarray(self, a, dtype=None, order=None):
        array = self.array(a, dtype, copy=False)
        return array if order is None or array.host.flags.c_contiguous else Array(np.asarray(array.host, order=order))

    def asnumpy(self, a):
        return a.get()

    def einsum(self, subscripts, *operands, optimize=False):
        return wrap(np.einsum(subscripts, *unwrap(operands, "arrays"), optimize=optimize))


class XORWOW:
    """A bit generator that keeps 32 bits of its seed, as CuPy's do, and does not tell its place."""

    def __init__(self, seed=None):
        self.host = np.random.default_rng(np.random.SeedSequence(seed).generate_state(1))


class Generator:
    """CuPy's random generator: fewer distributions than NumPy's and no permutation."""

    def __init__(self, bit_generator):
        self.bit_generator = bit_generator

    def random(self, size=None, dtype="float64"):
        return wrap(self.bit_generator.host.random(size, dtype))

    def standard_normal(self, size=None, dtype="float64"):
        return wrap(self.bit_generator.host.standard_normal(size, dtype))

    def uniform(self, low=0., high=1., size=None, dtype="float64"):
        return low + (high - low) * self.random(size, dtype)

    def integers(self, low, high=None, size=None, dtype="int64", endpoint=False):
        return wrap(self.bit_generator.host.integers(low, high, size, dtype, endpoint))


def to_host(name, convert):
    def method(self, *args):
        transfer("to host", name)
        return convert(self.host, *args)
    return method


def method(function):
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


class OutOfMemoryError(MemoryError):
    """CuPy's, of this message."""

    def __init__(self, size, total, limit=0):
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


module = Module()
module.cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: 1),
                              memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError))
module.random = SimpleNamespace(Generator=Generator, XORWOW=XORWOW)
for parameters, names in FUNCTIONS.items():
    for name in names.split():
        setattr(module, name, function(name, parameters))
module.add.at = lambda a, indices, b: np.add.at(*(unwrap(x, "array") for x in (a, indices, b)))
for name in SAME.split():
    setattr(module, name, getattr(np, name))
for name in ATTRIBUTES.split():
    setattr(Array, name, property(lambda self, name=name: wrap(getattr(self.host, name))))
for name in METHODS.split():
    setattr(Array, name, method(getattr(module, name)))
for name, convert in TO_HOST.items():
    setattr(Array, name, to_host(name, convert))
for name, ufunc in {**UNARY, **COMPARISON, **ARITHMETIC}.items():
    setattr(Array, f"__{name}__", method(getattr(module, ufunc)))
for name, ufunc in ARITHMETIC.items():
    ufunc = getattr(module, ufunc)
    setattr(Array, f"__r{name}__", lambda self, other, ufunc=ufunc: ufunc(other, self))
    if name != "matmul":                                # a @= b makes a new array, as CuPy's does
        setattr(Array, f"__i{name}__", lambda self, other, ufunc=ufunc: ufunc(self, other, out=self))
