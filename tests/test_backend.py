import inspect
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import strict
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.stats import binomtest, kstest

from npgan import backend
from npgan.backend import BackendError, RandomStream, asarray, to_numpy, xp
from npgan.layers import Linear, RectifiedLinear
from npgan.mlp import MLP

# the array module

def test_xp_is_looked_up_when_called(monkeypatch):
    zeros, kind = xp.zeros(2), xp.ndarray
    assert repr(xp) == f"<npgan.backend.xp: {xp.module.__name__}>"
    monkeypatch.setattr(xp, "module", np)
    assert type(xp.zeros(2)) is np.ndarray
    assert type(zeros) is kind


@pytest.mark.parametrize("choice, came", [({"name": "theano"}, "'theano'"), ({"floatX": "float16"}, "'float16'")])
def test_use_refuses_unknown_names(choice, came):
    before = xp.module, backend.floatX
    with pytest.raises(ValueError, match=f"must be one of .*, got {came}"):
        backend.use(**choice)
    assert (xp.module, backend.floatX) == before


def test_precision_is_read_when_called(float64):
    stream = RandomStream(0)
    assert {a.dtype for a in (asarray(1), stream.uniform(0, 1, 2), stream.normal(2))} == {np.dtype("float64")}
    backend.use(floatX="float32")
    assert {a.dtype for a in (asarray(1), stream.uniform(0, 1, 2), stream.normal(2))} == {np.dtype("float32")}


def test_asarray_and_to_numpy_copy_only_where_they_must():
    host = np.arange(6.).reshape(2, 3)
    device = asarray(host)
    assert asarray(device) is device
    assert_array_equal(to_numpy(device.T), host.T)
    assert type(to_numpy(device)) is np.ndarray and to_numpy(host) is host


# arrays from outside

ROWS = np.array([[0., .5, -1.], [2., 3., 4.25]])            # exact in float32
LABELS = np.array([3, 0, 1])


def memory_map(a, tmp_path):
    np.save(tmp_path / "a.npy", a)
    return np.load(tmp_path / "a.npy", mmap_mode="r")


def read_only(a, tmp_path):
    a = a.copy()
    a.flags.writeable = False
    return a


def from_joblib(a, tmp_path):
    joblib = pytest.importorskip("joblib")
    joblib.dump(a, tmp_path / "a.joblib")
    return joblib.load(tmp_path / "a.joblib", mmap_mode="r")


def in_pandas(a, tmp_path):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(a) if a.ndim == 2 else pandas.Series(a)


OUTSIDE = {
    "list": lambda a, tmp_path: a.tolist(),
    "tuple of arrays": lambda a, tmp_path: tuple(a),
    "other precision": lambda a, tmp_path: a.astype("float64" if a.dtype.kind == "f" else "uint8"),
    "Fortran order": lambda a, tmp_path: np.asfortranarray(a),
    "reversed view": lambda a, tmp_path: a[::-1].copy()[::-1],
    "big-endian": lambda a, tmp_path: a.astype(a.dtype.newbyteorder(">")),
    "read-only": read_only,
    "memory map": memory_map,
    "joblib's memory map": from_joblib,
    "pandas": in_pandas,
}


@pytest.mark.parametrize("convert", OUTSIDE.values(), ids=OUTSIDE)
def test_arrays_from_outside_come_in_with_their_numbers(convert, tmp_path):
    for numbers, dtype, expected in ((ROWS, None, "float32"), (ROWS, "float64", "float64"), (LABELS, int, "int64")):
        a = asarray(convert(numbers, tmp_path), dtype)
        assert a.dtype == np.dtype(expected) and a.flags.c_contiguous and backend.is_array(a)
        assert_array_equal(to_numpy(a), numbers)
        assert_array_equal(to_numpy(convert(numbers, tmp_path)), numbers)


def test_columns_of_mixed_types_and_a_column_of_a_table():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1, 2], "b": [.5, 1.5], "get": [True, False]}, index=[7, 3])
    assert_array_equal(to_numpy(asarray(table)), [[1, .5, 1], [2, 1.5, 0]])
    assert_array_equal(to_numpy(asarray(table["a"], int)), [1, 2])


class HasGet:
    """An object with a `get` of another meaning than CuPy's."""

    def get(self, key):
        return self[key]

    def __array__(self, dtype=None, copy=None):
        return np.array([1., 2.])


def test_only_arrays_of_the_device_are_asked_for_their_numpy_copy():
    assert_array_equal(to_numpy(HasGet()), [1, 2])


REFUSED_ARRAYS = {
    "a masked array": (np.ma.masked_invalid([[1., np.nan]]), "got a masked array; fill its gaps with a.filled"),
    "a masked array without gaps": (np.ma.array([[1., 2.]]), "got a masked array"),
    "a matrix": (np.array([[1., 2.]]).view(np.matrix), "got a numpy.matrix, .*; convert it with numpy.asarray"),
    "complex": (np.array([[1., 2j]]), "got complex numbers"),
    "dates": (np.array([["2014-06-10"]], "datetime64[D]"), "got dates"),
    "spans": (np.array([[5]], "timedelta64[s]"), "got time spans"),
    "text": ([["1", "2"]], "got text"),
    "objects": ([[1., None]], r"got objects \(list of object\); convert them to numbers first"),
    "records": (np.zeros(3, [("a", float), ("b", int)]), "got records"),
    "a function": (len, "got objects"),
}


@pytest.mark.parametrize("a, message", REFUSED_ARRAYS.values(), ids=REFUSED_ARRAYS)
def test_what_is_no_array_of_real_numbers_is_refused_by_name(a, message):
    for convert in asarray, to_numpy:
        with pytest.raises(TypeError, match=f"x must be real numbers, {message}"):
            convert(a, name="x")


def test_tables_of_dates_and_missing_numbers_are_refused_by_name():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="got dates"):
        asarray(pandas.DataFrame({"a": pandas.to_datetime(["2014-06-10"])}))
    with pytest.raises(TypeError, match=r"got objects \(DataFrame of object\)"):
        asarray(pandas.DataFrame({"a": [1., 2.], "b": ["x", "y"]}))
    with pytest.raises(TypeError):
        asarray(pandas.Series([1, None], dtype="Int64"), int)


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="the array must have rows of one length, got others"):
        asarray([[1., 2.], [3.]])


@pytest.mark.parametrize("labels", [[1., 2.], [1.5], [True, False], [float("nan"), 1]])
def test_labels_are_whole_numbers_and_never_rounded(labels):
    with pytest.raises(TypeError, match="the array must be whole numbers, got (float64|bool)"):
        asarray(labels, int)


@pytest.mark.parametrize("a, precision", [(np.zeros(1, "float64"), "float64"), (np.zeros(1, ">f8"), "float64"),
                                          (np.zeros(1, "float32"), "float32"), (np.zeros(1, "float16"), "float32"),
                                          (np.zeros(1, int), "float32"), ([1.], "float32")])
def test_precision_of_an_array_is_its_own_or_else_floatX(a, precision):
    assert backend.precision_of(a) == precision


@pytest.mark.numpy_only
@pytest.mark.parametrize("convert, kind", [(lambda X: X.view(np.matrix), "matrix"), (np.ma.masked_array, "MaskedArray"),
                                           (lambda X: pytest.importorskip("pandas").DataFrame(X), "DataFrame")])
def test_nets_refuse_arrays_that_compute_in_another_way(convert, kind):
    """A net of 6 units once gave other numbers for 6 rows of a matrix, whose `*` is the product of matrices."""
    net = MLP([RectifiedLinear(4, 6, .5, RandomStream(0)), Linear(6, 1, .5, RandomStream(1))])
    with pytest.raises(TypeError, match=f"takes a plain array, got a {kind}; npgan.backend.asarray converts"):
        net.fprop(convert(np.ones((6, 4), "float32")))


@pytest.mark.numpy_only
def test_nets_take_a_read_only_memory_map(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((6, 4), "float32"))
    net = MLP([RectifiedLinear(4, 6, .5, RandomStream(0)), Linear(6, 1, .5, RandomStream(1))])
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert (net.fprop(mapped) == net.fprop(np.ones((6, 4), "float32"))).all()


# what a module cupy does that cannot run, each as CuPy 13 words it, and what is to be said of it
ABSENT = r'not installed: python -m pip install "\.\[gpu\]" for CUDA 12, the package cupy-cuda11x'
BROKEN = {
    "absent": ("raise ModuleNotFoundError(\"No module named 'cupy'\", name='cupy')", ABSENT),
    "no driver's library": (
        "raise ImportError(\"\"\"\n{line}\nFailed to import CuPy.\n\nOriginal error:\n  ImportError: libcuda.so.1: "
        "cannot open shared object file: No such file or directory\n{line}\n\"\"\")".replace("{line}", 64 * "="),
        r"driver is missing or older than its CUDA: install a new driver .*\(ImportError: libcuda\.so\.1: cannot open"),
    "no driver, or an old one": (
        "count = fail('cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version')",
        r"driver is missing or older than its CUDA: install a new driver \(nvidia-smi.*cupy-cuda11x or cupy-cuda13x"),
    "no GPU": ("count = fail('cudaErrorNoDevice: no CUDA-capable device is detected')", r"finds no GPU"),
    "no GPU among none": ("count = lambda: 0", "finds no GPU"),
    "another CUDA's library": (
        "raise ImportError('Original error:\\n  ImportError: libcublas.so.12: cannot open shared object file')",
        r"made for another version of CUDA: install the one that fits, .*cupy-cuda11x.*libcublas\.so\.12"),
    "another CUDA's compiler": (
        "ones = fail('CuPy failed to load libnvrtc.so.12: OSError: libnvrtc.so.12: cannot open shared object file')",
        r"made for another version of CUDA: .*libnvrtc\.so\.12"),
    "a card that its CUDA does not know": (
        "ones = fail('cudaErrorNoKernelImageForDevice: no kernel image is available for execution on the device')",
        r"made for another version of CUDA: .*no kernel image"),
    "a card that others fill": ("ones = fail('cudaErrorMemoryAllocation: out of memory')", "no memory left: end other"),
    "a full card": ("ones = fail('Out of memory allocating 512 bytes', MemoryError)", "no memory left: end other"),
}
FAKE = """
from types import SimpleNamespace


def fail(message, kind=RuntimeError):
    def function(*arguments):
        raise kind(message)
    return function


count, ones = (lambda: 1), (lambda shape, dtype: 0)
{0}
cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: count()))


def matmul(a, b):
    return SimpleNamespace(get=lambda: None)
"""


@pytest.fixture
def fake_cupy(tmp_path, monkeypatch):
    """A function that puts a module cupy, with a line of code of its own, where Python finds it first."""
    def put(line):
        (tmp_path / "cupy.py").write_text(FAKE.replace("{0}", line))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "cupy", raising=False)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *map(str, backend_path)]))
        return tmp_path

    backend_path = [Path(backend.__file__).parents[1]]
    monkeypatch.setattr(xp, "module", np)
    yield put
    sys.modules.pop("cupy", None)


@pytest.mark.parametrize("line, says", BROKEN.values(), ids=BROKEN)
def test_cupy_that_cannot_run_here(line, says, fake_cupy):
    fake_cupy(line)
    with pytest.raises(BackendError, match=says + ".*; or use the backend 'numpy'$") as caught:
        backend.use("cupy")
    assert xp.module is np and "\n" not in str(caught.value) and "====" not in str(caught.value)


@pytest.mark.parametrize("name, line, kind, message", [
    ("cupy", BROKEN["no GPU"][0], "npgan.backend.BackendError", "finds no GPU"),
    ("theano", "", "ValueError", "the backend must be one of numpy, cupy, got 'theano'"),
])
def test_importing_npgan_with_a_wrong_backend_raises_an_ordinary_exception(name, line, kind, message, fake_cupy):
    done = subprocess.run([sys.executable, "-c", "import npgan"], cwd=fake_cupy(line), capture_output=True, text=True,
                          env={**os.environ, "NPGAN_BACKEND": name})
    assert done.returncode == 1 and "SystemExit" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"{kind}: NPGAN_BACKEND={name}: ") and message in last


def test_cupy_and_back(fake_cupy):
    fake_cupy("")
    backend.use("cupy")
    assert xp.module is sys.modules["cupy"]
    backend.use("numpy")
    assert xp.module is np


def test_backend_from_the_environment():
    done = subprocess.run([sys.executable, "-c", "from npgan.backend import xp; print(xp)"], text=True,
                          cwd=Path(backend.__file__).parents[1], env={**os.environ, "NPGAN_BACKEND": "numpy"},
                          capture_output=True)
    assert done.stdout.strip() == "<npgan.backend.xp: numpy>"


@pytest.mark.parametrize("error, answer", [
    (strict.OutOfMemoryError(3 * 2**30, 2**30), True),          # a subclass of MemoryError, as CuPy's is
    (RuntimeError("cudaErrorMemoryAllocation: out of memory"), True),
    (RuntimeError("cuBLAS Error: CUBLAS_STATUS_ALLOC_FAILED"), True),
    (RuntimeError("a parameter is not finite"), False),
    (ValueError("batch_size"), False),
])
def test_too_little_memory_is_known(error, answer):
    assert backend.out_of_memory(error) is answer


# random streams

def draws(stream):
    """Some of everything that a stream draws; an odd number of each, as NumPy draws float32 in pairs."""
    return [to_numpy(a) for a in (stream.uniform(-1, 1, (3, 5)), stream.mask(.5, (7, 9)), stream.normal((3,)),
                                  stream.permutation(13))]


def assert_same(some, others):
    for a, b in zip(some, others):
        assert_array_equal(a, b)


def test_a_seed_names_a_stream():
    """Two of eleven orders of 13 are equal with probability 9e-9."""
    assert_same(draws(RandomStream(2014)), draws(RandomStream([2014])))
    seeds = (0, 1, 2014, [2014, 0], [2014, 1], [1, 2014], [2014, 0, 0], [2014, 1, 1], 2014 + 2**32,
             [2**63 + 1, 0], [2**63 + 2, 0])                        # in an array of NumPy's the last two would be one
    streams = [draws(RandomStream(seed)) for seed in seeds]
    for drawn in zip(*streams):
        assert len({a.tobytes() for a in drawn}) == len(streams)


@pytest.mark.parametrize("seed", [2014., [np.uint32(2014)], np.array(2014), np.array([2014]), (2014,)])
def test_all_that_is_a_whole_number_will_do(seed):
    assert RandomStream(seed).seed == [2014]


@pytest.mark.parametrize("seed", [[2014, -1], 1.5, [], "2014", None, float("nan"), float("inf"), [[1, 2], [3, 4]]])
def test_a_seed_is_whole_and_not_negative(seed):
    with pytest.raises(ValueError, match="seed must be one or several whole numbers >= 0, got "):
        RandomStream(seed)


@pytest.mark.parametrize("seed", [[1, 2**32], [1, 0, 2**32], 2**128, [2**128 + 1, 0]])
def test_a_seed_that_would_name_another_seed_s_stream_is_refused(seed):
    with pytest.raises(ValueError, match=r"below 2\^128, the others must be below 2\^32, got "):
        RandomStream(seed)
    RandomStream([2**128 - 1, 2**32 - 1])


@pytest.mark.parametrize("shape", [4, (4,), (2, 0), (3, 1, 5)])
def test_shapes(shape):
    stream = RandomStream(0)
    for a in (stream.uniform(0, 1, shape), stream.normal(shape), stream.mask(.5, shape)):
        assert a.shape == np.empty(shape).shape
    assert a.dtype == bool


def test_state_replays():
    stream = RandomStream(2014)
    draws(stream)
    state = json.loads(json.dumps(stream.state))
    first = draws(stream)
    stream.state = state
    assert_same(draws(stream), first)
    other = RandomStream(1)
    other.state = state
    assert_same(draws(other), first)


def test_aside_leaves_the_stream_as_if_nothing_was_drawn():
    stream, twin = RandomStream(2014), RandomStream(2014)
    draws(stream), draws(twin)
    with stream.aside([2014, 3]) as same:
        assert same is stream and stream.seed == [2014, 3]
        assert_same(draws(stream), draws(RandomStream([2014, 3])))
    with pytest.raises(KeyError), stream.aside(7):
        draws(stream)
        raise KeyError
    assert stream.seed == [2014]
    assert_same(draws(stream), draws(twin))


@pytest.mark.parametrize("seed", range(3))
def test_distributions(seed):
    """With any other seed a correct stream fails here with probability 2e-9, the level of the two tests."""
    stream = RandomStream(seed)
    u, z = (to_numpy(a).astype("float64") for a in (stream.uniform(-3, 5, 10**5), stream.normal(10**5)))
    assert -3 <= u.min() and u.max() <= 5
    assert kstest(u, "uniform", (-3, 8)).pvalue > 1e-9
    assert kstest(z, "norm").pvalue > 1e-9


@pytest.mark.parametrize("include_prob", [.5, .8, .01])
def test_mask_keeps_this_share_and_neighbours_independently(include_prob):
    """With any other seed a correct stream fails here with probability 2e-9, the level of the two tests."""
    kept = to_numpy(RandomStream(2014).mask(include_prob, (1000, 1000)))
    for trials, share in ((kept, include_prob), (kept[:, ::2] & kept[:, 1::2], include_prob ** 2)):
        assert binomtest(int(trials.sum()), trials.size, share).pvalue > 1e-9


def test_mask_of_certainty():
    assert to_numpy(RandomStream(0).mask(1., (100, 1000))).all()


@given(st.floats(0, 1))
def test_mask_on_the_host_rounds_the_probability_to_16_bits(include_prob):
    every_word = SimpleNamespace(random_raw=lambda n: np.arange(2**16, dtype=np.uint16).view(np.uint64)[:n])
    stream = RandomStream(0)
    stream._host = stream._device = SimpleNamespace(bit_generator=every_word)
    assert abs(stream.mask(include_prob, (256, 256)).mean() - include_prob) <= 2**-17


@pytest.mark.parametrize("include_prob", [.5, .8, .01, 1 / 3])
def test_mask_on_a_device_is_exact_to_2e_5(include_prob, device):
    """Of floats that fill [0, 1) evenly, as CuPy's do, the share to be kept is kept."""
    even = np.arange(2**20, dtype="float32").reshape(1024, 1024) / np.float32(2**20)
    stream = RandomStream(0)
    stream._device = SimpleNamespace(random=lambda shape, dtype: strict.Array(even.astype(dtype)))
    kept = to_numpy(stream.mask(include_prob, even.shape))
    assert kept.dtype == bool and abs(kept.mean() - include_prob) <= 2e-5


def test_only_the_backend_draws_random_numbers():
    package = Path(backend.__file__).parent
    drawing = re.compile(r"xp\.random|np\.random\.\w+\(|random_raw|import random|urandom")
    rooms = {path.stem for path in package.rglob("*.py") if drawing.search(path.read_text(encoding="utf-8"))}
    assert "backend" in rooms
    assert rooms == {"backend"}


# the stand-in for CuPy

HOST = np.ones((2, 3), "float32")
REFUSED = {                                             # `a` is on the device, HOST is not
    "np.asarray": lambda a: np.asarray(a),
    "np.array of a list": lambda a: np.array([a, a]),
    "NumPy's ufunc": lambda a: np.exp(a),
    "NumPy's ufunc into a": lambda a: np.exp(HOST, out=a),
    "NumPy's function": lambda a: np.concatenate([a, a]),
    "NumPy's comparison": lambda a: np.testing.assert_allclose(a, a),
    "a + NumPy": lambda a: a + HOST,
    "NumPy + a": lambda a: HOST + a,
    "a += NumPy": lambda a: a.__iadd__(HOST),
    "NumPy += a": lambda a: HOST.__iadd__(a),
    "a + list": lambda a: a + [1., 2., 3.],
    "ufunc of NumPy": lambda a: xp.maximum(a, HOST),
    "function of NumPy": lambda a: xp.sum(HOST),
    "sequence with NumPy": lambda a: xp.concatenate([a, HOST]),
    "NumPy out": lambda a: xp.exp(a, out=HOST),
    "NumPy out of a product": lambda a: xp.matmul(a, a.T, out=HOST[:, :2]),
    "out that loses the fraction": lambda a: xp.exp(a, out=xp.zeros((2, 3), "int64")),
    "np.float32": lambda a: np.float32(a),
    "an array of objects": lambda a: np.array([a, None], object),
    "a number in a": lambda a: 1. in a,
    "max of Python's": lambda a: max(a[0]),
    "zip": lambda a: list(zip(a, a)),
    "a NumPy scalar that decides the type": lambda a: a * np.float64(2),
    "a NumPy scalar of a ufunc that does": lambda a: xp.maximum(a, np.float64(2)),
    "int += fraction": lambda a: xp.zeros(3, "int64").__iadd__(.5),
    "int += float array": lambda a: xp.zeros(3, "int64").__iadd__(a[0]),
    "out of another kind": lambda a: xp.sum(a, axis=0, out=xp.zeros(3, "int64")),
    "out of another kind of a product": lambda a: xp.matmul(a, a.T, out=xp.zeros((2, 2), "int64")),
    "a place named twice": lambda a: a[0].__setitem__(xp.asarray([1, 1]), a[0, :2]),
    "NaN as an integer": np.errstate(all="ignore")(lambda a: xp.log(-a).astype("int64")),
    "less than 0 as an unsigned integer": lambda a: (-a).astype("uint8"),
    "the order by position": lambda a: a.astype("float64", "F"),
    "where=": lambda a: xp.sum(a, where=a > 0),
    "where= of a ufunc": lambda a: xp.add(a, a, where=a > 0),
    "order=": lambda a: xp.zeros(3, order="F"),
    "an argument twice": lambda a: xp.sum(a, 0, axis=0),
    "an argument missing": lambda a: xp.where(a > 0),
    "an array as axis": lambda a: xp.sum(a, axis=xp.argmax(a)),
    "an array as slice": lambda a: a[:xp.argmax(a)],
    "a[NumPy]": lambda a: a[np.array([1, 0])],
    "a[list]": lambda a: a[[1, 0]],
    "a[NumPy] = number": lambda a: a.__setitem__(HOST > 0, 1.),
    "a[...] = NumPy": lambda a: a.__setitem__(..., HOST),
    "NumPy[a]": lambda a: HOST[a.astype("int64")],
    "iteration": lambda a: list(a),
    "hash": lambda a: {a},
    "objects": lambda a: a.astype(object),
    "strings": lambda a: xp.asarray(["a"]),
    "a list of arrays": lambda a: xp.asarray([a, a]),
}


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setattr(xp, "module", strict.module)
    return xp.asarray(HOST)


@pytest.mark.parametrize("what", REFUSED.values(), ids=REFUSED)
def test_stand_in_refuses(what, device):
    with pytest.raises(TypeError):
        what(device)


def test_stand_in_lacks_what_is_not_listed(device):
    with pytest.raises(AttributeError, match="has no tensor"):
        xp.tensor()


def test_stand_in_gives_arrays_and_views(device):
    with strict.no_transfers():
        total, row, entry = device.sum(), device[0], device[1, 2]
        device += total - np.float32(1)                         # a number of NumPy's is a number
        row *= 2
        entry -= 1
        device.reshape(6)[2:4] = 0
    assert total.shape == entry.shape == () and total.dtype == device.dtype == "float32"
    assert_array_equal(device.get(), [[12, 12, 0], [0, 6, 5]])


TRANSFERS = {
    "get": lambda a: a.get(), "item": lambda a: a[0, 0].item(), "float": lambda a: float(a.sum()),
    "int": lambda a: int(a.sum()), "if": lambda a: 1 if a.sum() else 0, "repr": repr, "str": str,
    "format": lambda a: f"{a.sum():.1f}", "a[mask]": lambda a: a[a > 0], "asarray": lambda a: xp.asarray(HOST),
    "asarray of a number": lambda a: xp.asarray(0.), "math": lambda a: math.exp(a.sum()),
    "any in an if": lambda a: 1 if (a > 0).any() else 0, "nine arrays in one": lambda a: xp.stack([a] * 9),
    "a[indices] = number": lambda a: a.__setitem__(xp.arange(1), 2.),
}


@pytest.mark.parametrize("what", TRANSFERS.values(), ids=TRANSFERS)
def test_stand_in_counts_transfers(what, device):
    before = strict.transfers.copy()
    what(device)
    assert sum((strict.transfers - before).values()) == 1
    with strict.no_transfers(), pytest.raises(strict.TransferError):
        what(device)
    what(device)


def test_stand_in_has_only_what_cupy_has():
    cupy = pytest.importorskip("cupy")                  # needs no GPU
    for ours, theirs in ((strict.module, cupy), (strict.Generator, cupy.random.Generator)):
        for name, function in vars(ours).items():
            assert hasattr(theirs, name), name
            if callable(function) and not isinstance(getattr(theirs, name), (type, cupy.ufunc, type(cupy.matmul))):
                allowed = getattr(function, "parameters", None) or list(inspect.signature(function).parameters)
                assert list(inspect.signature(getattr(theirs, name)).parameters)[:len(allowed)] == allowed, name
    assert {name for name in vars(strict.Array) if not hasattr(cupy.ndarray, name)} == {"host", "index"}


def test_stand_in_gives_results_in_c_order(device):
    """CuPy's documentation: "the contiguity of a resulting ndarray is not guaranteed to match with that of NumPy's"."""
    other = device.T + device.T
    assert other.flags.c_contiguous and not device.T.flags.c_contiguous
    assert not (HOST.T + HOST.T).flags.c_contiguous


def test_stand_in_counts_what_describes_many_arrays(device):
    before = strict.transfers["to device"]
    xp.concatenate([device] * 8)
    assert strict.transfers["to device"] == before
    xp.concatenate([device] * 8 + [device[:1]])                 # addresses, sizes, strides
    assert strict.transfers["to device"] == before + 3
