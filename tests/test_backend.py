import inspect
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import strict
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.stats import binomtest, kstest

from npgan import backend
from npgan.backend import BackendError, RandomStream, asarray, to_numpy, xp

both = pytest.mark.usefixtures("each_backend")


# the array module

@both
def test_xp_is_looked_up_when_called(each_backend, monkeypatch):
    zeros = xp.zeros(2)
    assert repr(xp) == f"<npgan.backend.xp: {each_backend}>"
    monkeypatch.setattr(xp, "module", np)
    assert type(xp.zeros(2)) is np.ndarray
    assert (type(zeros) is np.ndarray) == (each_backend == "numpy")


@pytest.mark.parametrize("choice, came", [({"name": "theano"}, "'theano'"), ({"floatX": "float16"}, "'float16'")])
def test_use_refuses_unknown_names(choice, came):
    before = xp.module, backend.floatX
    with pytest.raises(ValueError, match=f"must be one of .*, got {came}"):
        backend.use(**choice)
    assert (xp.module, backend.floatX) == before


@both
def test_precision_is_read_when_called(float64):
    stream = RandomStream(0)
    assert {a.dtype for a in (asarray(1), stream.uniform(0, 1, 2), stream.normal(2))} == {np.dtype("float64")}
    backend.use(floatX="float32")
    assert {a.dtype for a in (asarray(1), stream.uniform(0, 1, 2), stream.normal(2))} == {np.dtype("float32")}


@both
def test_asarray_and_to_numpy_copy_only_where_they_must():
    host = np.arange(6.).reshape(2, 3)
    device = asarray(host)
    assert asarray(device) is device
    assert_array_equal(to_numpy(device.T), host.T)
    assert type(to_numpy(device)) is np.ndarray and to_numpy(host) is host


@pytest.mark.parametrize("cupy, says", [
    (None, r'python -m pip install "\.\[gpu\]"'),
    (lambda: 1 / 0, r"cannot reach a GPU \(division by zero\); check the NVIDIA driver"),
    (lambda: 0, "finds no GPU"),
])
def test_cupy_that_cannot_run_here(cupy, says, monkeypatch):
    runtime = SimpleNamespace(getDeviceCount=cupy)
    monkeypatch.setitem(sys.modules, "cupy", cupy and SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    with pytest.raises(BackendError, match=says + ".*use the backend 'numpy'"):
        backend.use("cupy")
    assert xp.module is np


def test_cupy_and_back(monkeypatch):
    cupy = SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: 1)))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(xp, "module", np)
    backend.use("cupy")
    assert xp.module is cupy
    backend.use("numpy")
    assert xp.module is np


@pytest.mark.parametrize("name, ends_with", [
    ("numpy", "<npgan.backend.xp: numpy>"),
    ("theano", "ValueError: the backend must be one of numpy, cupy, got 'theano'"),
    ("cupy", 'python -m pip install ".[gpu]", or use the backend \'numpy\''),
])
def test_backend_from_the_environment(name, ends_with):
    code = "import sys; sys.modules['cupy'] = None; from npgan.backend import xp; print(xp)"     # None: not installed
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "NPGAN_BACKEND": name}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.stdout.strip().endswith(ends_with)
    assert (done.returncode == 0) == (name == "numpy")


# random streams

def draws(stream):
    """Some of everything that a stream draws; an odd number of each, as NumPy draws float32 in pairs."""
    return [to_numpy(a) for a in (stream.uniform(-1, 1, (3, 5)), stream.mask(.5, (7, 9)), stream.normal((3,)),
                                  stream.permutation(11))]


def assert_same(some, others):
    for a, b in zip(some, others):
        assert_array_equal(a, b)


@both
def test_a_seed_names_a_stream():
    assert_same(draws(RandomStream(2014)), draws(RandomStream([2014])))
    seeds = 0, 1, 2014, [2014, 0], [2014, 1], [1, 2014], [2014, 0, 0], [2014, 1, 1], 2014 + 2**32
    streams = [draws(RandomStream(seed)) for seed in seeds]
    for drawn in zip(*streams):
        assert len({a.tobytes() for a in drawn}) == len(streams)


@pytest.mark.parametrize("seed", [[2014, -1], 1.5, []])
def test_a_seed_is_whole_and_not_negative(seed):
    with pytest.raises(ValueError, match=r"a seed is a whole number >= 0 or several, got "):
        RandomStream(seed)


@both
@pytest.mark.parametrize("shape", [4, (4,), (2, 0), (3, 1, 5)])
def test_shapes(shape):
    stream = RandomStream(0)
    for a in (stream.uniform(0, 1, shape), stream.normal(shape), stream.mask(.5, shape)):
        assert a.shape == np.empty(shape).shape
    assert a.dtype == bool


@both
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


@both
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


@both
@pytest.mark.parametrize("seed", range(3))
def test_distributions(seed):
    """With any other seed a correct stream fails here with probability 2e-9, the level of the two tests."""
    stream = RandomStream(seed)
    u, z = (to_numpy(a).astype("float64") for a in (stream.uniform(-3, 5, 10**5), stream.normal(10**5)))
    assert -3 <= u.min() and u.max() <= 5
    assert kstest(u, "uniform", (-3, 8)).pvalue > 1e-9
    assert kstest(z, "norm").pvalue > 1e-9


@both
@pytest.mark.parametrize("include_prob", [.5, .8, .01])
def test_mask_keeps_this_share_and_neighbours_independently(include_prob):
    """With any other seed a correct stream fails here with probability 2e-9, the level of the two tests."""
    kept = to_numpy(RandomStream(2014).mask(include_prob, (1000, 1000)))
    for trials, share in ((kept, include_prob), (kept[:, ::2] & kept[:, 1::2], include_prob ** 2)):
        assert binomtest(int(trials.sum()), trials.size, share).pvalue > 1e-9


@both
def test_mask_of_certainty():
    assert to_numpy(RandomStream(0).mask(1., (100, 1000))).all()


@settings(derandomize=True, database=None, deadline=None)
@given(st.floats(0, 1))
def test_mask_on_the_host_rounds_the_probability_to_16_bits(include_prob):
    every_word = SimpleNamespace(random_raw=lambda n: np.arange(2**16, dtype=np.uint16).view(np.uint64)[:n])
    stream = RandomStream(0)
    stream._host = stream._device = SimpleNamespace(bit_generator=every_word)
    assert abs(stream.mask(include_prob, (256, 256)).mean() - include_prob) <= 2**-17


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
        device += total - np.float64(1)                         # a number of NumPy's is a number
        row *= 2
        entry -= 1
        device.reshape(6)[2:4] = 0
    assert total.shape == entry.shape == () and total.dtype == device.dtype == "float32"
    assert_array_equal(device.get(), [[12, 12, 0], [0, 6, 5]])


TRANSFERS = {
    "get": lambda a: a.get(), "item": lambda a: a[0, 0].item(), "float": lambda a: float(a.sum()),
    "int": lambda a: int(a.sum()), "if": lambda a: 1 if a.sum() else 0, "repr": repr, "str": str,
    "format": lambda a: f"{a.sum():.1f}", "a[mask]": lambda a: a[a > 0], "asarray": lambda a: xp.asarray(HOST),
    "asarray of a number": lambda a: xp.asarray(0.), "a[indices] = number": lambda a: a.__setitem__(xp.arange(1), 2.),
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
