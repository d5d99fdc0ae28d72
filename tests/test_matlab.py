"""MATLAB's files: read as SciPy reads them, and what becomes of all but numbers, damaged files, and sizes that lie."""
import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from scipy.io import loadmat, savemat
from scipy.sparse import eye

from npgan.datasets import finding, matlab
from npgan.files import DataError

LIMIT = 10**6
DTYPES = "u1 i1 u2 i2 u4 i4 u8 i8 f4 f8".split()


def element(kind, contents, order="<"):
    return struct.pack(order + "II", kind, len(contents)) + contents + bytes(-len(contents) % 8)


def variable(shape=(2, 3), numbers=b"abcdef", flags=9, kind=2, name=b"images", order="<"):
    """A variable of the class, and other flags, in `flags`; 9 is uint8, whose numbers are of type 2."""
    return element(14, element(6, struct.pack(order + "II", flags, 0), order)
                   + element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
                   + element(1, name, order) + element(kind, numbers, order), order)


def header(order="<", version=0x0100):
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(order + "H", version) + {"<": b"IM", ">": b"MI"}[order]


def deflated(data):
    data = zlib.compress(data)
    return struct.pack("<II", 15, len(data)) + data                     # the one type without padding


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.mat"


@given(arrays=st.lists(st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(
           dtype, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5), elements={"allow_nan": False}
           if dtype[0] == "f" else None)), min_size=1, max_size=3),
       compressed=st.booleans())
def test_numbers_are_read_as_scipy_wrote_them(arrays, compressed, tmp_path_factory):
    path = tmp_path_factory.mktemp("matlab") / "x.mat"
    names = ["a", "four", "a_longer_name"][:len(arrays)]
    savemat(path, {"before": "text", **dict(zip(names, arrays)), "after": {"field": 1}}, do_compression=compressed)
    for ours, array in zip(matlab.read(path, names, LIMIT), arrays):
        assert_array_equal(ours, array)
        assert ours.dtype == array.dtype


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes(order, path):
    numbers = struct.pack(order + "6h", *range(-1, 5))
    path.write_bytes(header(order) + variable((2, 3), numbers, flags=10, kind=3, order=order))
    array, = matlab.read(path, ["images"], LIMIT)
    assert_array_equal(array, [[-1, 1, 3], [0, 2, 4]])
    assert_array_equal(array, loadmat(path)["images"])


def test_small_numbers_may_stand_for_a_class_of_large_ones(path):
    path.write_bytes(header() + variable(flags=6))                      # double, stored as bytes: MATLAB saves so
    array, = matlab.read(path, ["images"], LIMIT)
    assert_array_equal(array, loadmat(path)["images"])


def test_deflated_variables_follow_one_another_without_padding(path):
    path.write_bytes(header() + deflated(variable(name=b"a")) + variable(name=b"b") + deflated(variable()))
    for array in matlab.read(path, ["images", "b", "a"], LIMIT):
        assert array.tobytes(order="F") == b"abcdef"


@pytest.mark.parametrize("value", [
    np.array([[1, "a"]], object), {"field": 1}, "text", np.array([[1 + 2j]]), eye(3, format="csc"),
])
def test_all_but_real_numbers_is_refused(value, path):
    savemat(path, {"images": value, "folds": [[1.]]})
    assert matlab.read(path, ["folds"], LIMIT) == [[[1.]]]
    with pytest.raises(DataError, match="x.mat: expected real numbers as the variable images, found something else"):
        matlab.read(path, ["folds", "images"], LIMIT)


@pytest.mark.parametrize("flags", [1, 2, 3, 4, 5, 16, 17, 0, 255])
def test_objects_and_function_handles_are_refused(flags, path):
    path.write_bytes(header() + variable(flags=flags, numbers=b"@(x) system(x)", kind=16))
    with pytest.raises(DataError, match="found something else"):
        matlab.read(path, ["images"], LIMIT)


@pytest.mark.parametrize("data, expected, found", [
    (b"", "a MATLAB file of version 5 to 7", "b''"),
    (b"<html>moved</html>" * 99, "data", "a web page"),
    (header(version=0x0200) + bytes(512), "a MATLAB file of version 5 to 7", r"b'\x00\x02IM'"),
    (header(), "the variable images", "no variable of that name"),
    (header() + variable(name=b"image"), "the variable images", "no variable of that name"),
    (header() + b"abc", "whole", "buffer"),
    (header() + struct.pack("<II", 14, 4_000_000_000), "whole", "an element of 4000000000 bytes where 0 are left"),
    (header() + variable((2, 4)), "whole", "reshape"),
    (header() + variable((-2, -3)), "whole", "reshape"),
    (header() + variable((-1, 3)), "whole", "reshape"),
    (header() + variable((2**31 - 1,) * 3), "whole", "unreadable"),
    (header() + variable((1,) * 100), "whole", "unreadable"),
    (header() + variable(kind=99), "whole", "99"),
    (header() + variable(flags=10, kind=5), "whole", "multiple of element size"),
    (header() + element(14, b""), "whole", "unpack"),
    (header() + deflated(b""), "the variable images", "no variable of that name"),
    (header() + deflated(deflated(variable())), "the variable images", "no variable of that name"),
    (header() + deflated(variable())[:-5], "whole", "left"),
    (header() + struct.pack("<II", 15, 8) + zlib.compress(variable())[:8], "whole", "end too early"),
    (header() + struct.pack("<II", 15, 8) + b"notzlib!", "whole", "incorrect header check"),
])
def test_refuses(data, expected, found, path):
    path.write_bytes(data)
    with pytest.raises(DataError) as error:
        matlab.read(path, ["images"], LIMIT)
    assert error.value.path == path and expected in error.value.expected and found in error.value.found


def test_version_4_and_another_file_are_refused(path):
    savemat(path, {"images": np.eye(20)}, format="4")
    with pytest.raises(DataError, match="version 5 to 7"):
        matlab.read(path, ["images"], LIMIT)
    with pytest.raises(DataError, match="unreadable data"):
        matlab.read(path.parent / "none.mat", ["images"], LIMIT)


@pytest.mark.parametrize("compressed", [False, True])
def test_no_part_of_a_file_is_taken_for_the_whole(compressed, path):
    savemat(path, {"images": np.arange(12).reshape(3, 4)}, do_compression=compressed)
    whole = path.read_bytes()
    for n in range(len(whole)):
        path.write_bytes(whole[:n])
        with pytest.raises(DataError):
            matlab.read(path, ["images"], LIMIT)


@pytest.mark.parametrize("data", [header() + variable(), header() + deflated(variable())], ids=["plain", "deflated"])
def test_a_changed_byte_gives_numbers_or_a_data_error(data, path):
    for i in range(124, len(data)):
        for change in 1, 0x0f, 0x80, 0xff:
            path.write_bytes(data[:i] + bytes([data[i] ^ change]) + data[i + 1:])
            try:
                array, = matlab.read(path, ["images"], LIMIT)
            except DataError:
                continue
            assert array.dtype.kind in "iuf"


def test_a_deflated_bomb_is_harmless(path):
    path.write_bytes(header() + deflated(variable((2, 3), bytes(50_000_000))))
    tracemalloc.start()
    with pytest.raises(DataError, match="an element of .* bytes where 999.* are left"):
        matlab.read(path, ["images"], LIMIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("data, found", [
    (header() + deflated(variable((LIMIT // 2, 1), bytes(LIMIT // 2), name=b"other")) * 3, "bytes where .* are left"),
    (header() + deflated(b"") * 2000, "more than 1000 variables"),
    (header() + variable((1,) * 200_000), "6 bytes, and 200000 dimensions"),
    (header() + variable(name=bytes(LIMIT // 2)), "a name of 500000 bytes"),
    (header() + bytes(8 * 2000), "more than 1000 variables"),
])
def test_many_variables_take_no_more_than_one(data, found, path):
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(DataError, match=found):
        matlab.read(path, ["images"], LIMIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * LIMIT


def test_deflated_variables_together_take_no_more_time_than_one(path, monkeypatch):
    path.write_bytes(header() + deflated(variable(name=b"other")) * 900)
    asked = []
    monkeypatch.setattr(finding.time, "thread_time", lambda: asked.append(1) or len(asked) / 100)    # .01 s a variable
    with pytest.raises(DataError, match="takes more than 0.5 s to decompress"):
        matlab.read(path, ["images"], LIMIT)
    assert len(asked) < 70


@pytest.mark.parametrize("times, refused", [(20, False), (30, True)])
def test_one_clock_runs_for_a_gz_and_for_what_is_deflated_within(times, refused, path, monkeypatch):
    """Each member and each variable takes .01 s here, and .53 s are allowed."""
    data = header() + deflated(variable()) * times
    path = path.with_name("x.mat.gz")
    path.write_bytes(gzip.compress(data) + gzip.compress(b"") * (times - 1))
    asked = []
    monkeypatch.setattr(finding.time, "thread_time", lambda: asked.append(1) or len(asked) / 100)
    if refused:
        with pytest.raises(DataError, match="takes more than 0.5 s to decompress"):
            matlab.read(path, ["images"], LIMIT)
    else:
        assert matlab.read(path, ["images"], LIMIT)[0].tobytes(order="F") == b"abcdef"
