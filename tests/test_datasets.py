"""Data sets: what their rows are, and what becomes of missing, damaged, lying or hostile files."""
import gzip
import hashlib
import io
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import urllib.error
import urllib.request
from email.message import Message
from http.client import IncompleteRead
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import npgan
from npgan import backend
from npgan.backend import RandomStream, to_numpy
from npgan.datasets import Dataset, digits, fetching, finding, matlab, mnist
from npgan.files import DataError, replacing

PARTS = "train", "valid", "test"


# Dataset

def test_dataset_holds_backend_rows_and_numpy_labels():
    data = Dataset([[0, 1, 2, 3], [4, 5, 6, 7]], y=[1, 0], shape=(2, 2), name="two")
    assert isinstance(data.X, type(backend.xp.zeros(1))) and data.X.dtype == backend.floatX
    assert type(data.y) is np.ndarray
    assert (len(data), data.shape, repr(data)) == (2, (2, 2), "<Dataset two: 2 rows of (2, 2)>")
    assert Dataset(data.X).X is data.X                              # nothing is copied that need not be
    assert (Dataset(data.X).shape, Dataset(data.X).y) == ((4,), None)


def test_a_caveat_shows_in_the_name():
    assert (Dataset([[1.]], name="one").name, Dataset([[1.]]).caveat) == ("one", "")
    data = Dataset([[1.]], name="one", caveat="made up")
    assert (data.name, data.caveat, repr(data)) == ("one (unofficial)", "made up",
                                                    "<Dataset one (unofficial): 1 rows of (1,)>")


@pytest.mark.parametrize("X, options, message", [
    ([1., 2.], {}, r"got \(2,\); flatten"),
    (np.zeros((2, 2, 2)), {}, r"\(2, 2, 2\)"),
    (np.zeros((0, 3)), {}, r"\(0, 3\)"),
    ([[1., 2.], [np.nan, 0.]], {}, "NaN or infinity first in row 1"),
    ([[1., 2.], [0., np.inf]], {}, "first in row 1"),
    ([[1., -np.inf], [np.nan, 0.]], {}, "first in row 0"),
    ([[1.], [1., 2.]], {}, "X must have rows of one length, got others"),
    (np.zeros((2, 4)), {"shape": (3, 2)}, r"product is 4, the length of a row, got \(3, 2\)"),
    (np.zeros((2, 4)), {"shape": 4}, "product is 4, the length of a row, got 4$"),
    (np.zeros((2, 4)), {"shape": "4"}, "product is 4, the length of a row, got '4'"),
    (np.zeros((2, 4)), {"shape": (2., 2.)}, r"product is 4, the length of a row, got \(2.0, 2.0\)"),
    (np.zeros((2, 4)), {"shape": (-2, -2)}, r"product is 4, the length of a row, got \(-2, -2\)"),
    (np.zeros((2, 4)), {"y": [1, 2, 3]}, r"2 rows, got the shape \(3,\)"),
    (np.zeros((2, 4)), {"y": [[1], [1, 2]]}, "y must have rows of one length"),
])
def test_dataset_refuses(X, options, message):
    with pytest.raises(ValueError, match=message):
        Dataset(X, **options)


@pytest.mark.parametrize("X, options, message", [
    ("rows", {}, "X must be real numbers, got text"),
    ([[{}]], {}, "X must be real numbers, got objects"),
    (None, {}, "X must be real numbers, got objects"),
    (np.ma.masked_invalid([[1., np.nan]]), {}, "X must be real numbers, got a masked array"),
    (np.zeros((2, 4)).view(np.matrix), {}, "X must be real numbers, got a numpy.matrix"),
    (np.zeros((2, 4)), {"y": [.5, 1.]}, "y must be whole numbers, got float64"),
    (np.zeros((2, 4)), {"y": "ab"}, "y must be real numbers, got text"),
])
def test_dataset_refuses_what_is_no_array_of_numbers(X, options, message):
    with pytest.raises(TypeError, match=message):
        Dataset(X, **options)


def test_a_table_and_one_of_its_columns_make_a_dataset():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1, 2, 3], "b": [.5, .25, 0], "label": [0, 2, 1]}, index=[5, 3, 4])
    data = Dataset(table[["a", "b"]], table["label"], shape=(1, 2))
    assert_array_equal(to_numpy(data.X), [[1, .5], [2, .25], [3, 0]])
    assert data.y.tolist() == [0, 2, 1] and data.y.dtype == int


@given(n=st.integers(1, 40), batch_size=st.integers(1, 40), seed=st.integers(0, 99))
def test_minibatches_are_each_row_once_and_only_the_last_is_short(n, batch_size, seed):
    batch_size = min(batch_size, n)
    data = Dataset(np.arange(n)[:, None])
    batches = list(data.minibatches(batch_size, RandomStream(seed)))
    assert all(len(x) == batch_size for x in batches[:-1]) and 1 <= len(batches[-1]) <= batch_size
    assert_array_equal(np.sort(np.concatenate([to_numpy(x) for x in batches]), axis=0), to_numpy(data.X))
    in_order = [to_numpy(x) for x in data.minibatches(batch_size)]
    assert_array_equal(np.concatenate(in_order), to_numpy(data.X))


def test_minibatches_draw_a_new_order_each_epoch_from_the_stream_alone():
    def epochs(seed):
        rng = RandomStream(seed)
        return [[to_numpy(x).ravel().tolist() for x in data.minibatches(30, rng)] for _ in range(2)]

    data = Dataset(np.arange(100.)[:, None])
    first, second = epochs(2014)
    assert [len(x) for x in first] == [30, 30, 30, 10]
    assert first != second                      # two orders of 100 rows are equal with probability below 1e-20
    assert epochs(2014) == [first, second]


@pytest.mark.parametrize("batch_size", [0, -1, 5, 2.5, "2", None])
def test_minibatches_refuse_at_once(batch_size):
    with pytest.raises(ValueError, match=f"from 1 to the 4 rows of data, got {batch_size!r}"):
        Dataset(np.zeros((4, 2))).minibatches(batch_size)
    with pytest.raises(TypeError, match=r"RandomStream\(seed\), got 2014"):
        Dataset(np.zeros((4, 2))).minibatches(2, 2014)


# The digits

def test_digits_are_the_1797_of_uci():
    sets = [digits.load(which) for which in PARTS]
    X, y = np.concatenate([to_numpy(s.X) for s in sets]), np.concatenate([s.y for s in sets])
    assert [len(s) for s in sets] == [1197, 300, 300]
    assert sets[0].shape == (8, 8) and sets[0].name == "digits train" and X.dtype == backend.floatX
    assert (X.min(), X.max()) == (0, 1) and not (X * 16 % 1).any()
    assert X.sum(dtype=float) * 16 == 561718                        # scikit-learn's load_digits().data.sum()
    assert len(np.unique(X, axis=0)) == 1797                        # so no digit is in two sets
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    for s in sets:
        assert np.abs(np.bincount(s.y) - np.bincount(y) * len(s) / 1797).max() < 1.5


def test_digits_are_scikit_learns():
    sklearn = pytest.importorskip("sklearn.datasets")
    X, y = sklearn.load_digits(return_X_y=True)
    sets = [digits.load(which) for which in PARTS]
    ours = np.concatenate([np.c_[to_numpy(s.X) * 16, s.y] for s in sets])
    theirs = np.c_[X, y]
    assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


@pytest.mark.parametrize("load", [digits.load, mnist.load])
def test_unknown_part(load):
    with pytest.raises(ValueError, match="which must be one of train, valid, test, got 'training'"):
        load("training")
    with pytest.raises(ValueError, match=r"which must be one of train, valid, test, got \['train'\]"):
        load(["train"])


def test_damaged_digits_are_named(folders):
    path = folders[1] / "digits.npy"
    path.write_bytes(bytes(116933))
    with pytest.raises(DataError, match="116933 bytes with the MD5 sum ecfe.*, found 116933 bytes with") as error:
        digits.load("train")
    assert error.value.path == path


def test_missing_digits(folders, monkeypatch):
    monkeypatch.setattr(finding, "find", lambda name: None)
    with pytest.raises(DataError, match="put digits.npy, plain or as .gz, below a folder and name"):
        digits.load("train")


# MNIST

def idx(array, magic=None, shape=None):
    """The bytes of an IDX file, or of one that lies about its magic number or its shape."""
    magic = magic or {3: 2051, 1: 2049}[array.ndim]
    shape = shape or array.shape
    return struct.pack(f">{1 + len(shape)}I", magic, *shape) + array.tobytes()


def test_mnist_is_the_papers_split(folders, monkeypatch):
    known = {}
    for stem, n in [("train", 60000), ("t10k", 10000)]:
        pictures = np.zeros((n, 28, 28), np.uint8)
        pictures[:, 0, :4] = np.arange(n, dtype=">u4").view(np.uint8).reshape(n, 4)         # a picture tells its row
        pictures[:, 27, 27] = 255
        for kind, array in [("images-idx3", pictures), ("labels-idx1", (np.arange(n) % 10).astype(np.uint8))]:
            data = idx(array)
            known[f"mnist/{stem}-{kind}-ubyte"] = len(data), hashlib.md5(data).hexdigest()
            (folders[0] / "mnist").mkdir(exist_ok=True)
            (folders[0] / f"mnist/{stem}-{kind}-ubyte").write_bytes(data)
    assert {name: size for name, (size, _) in known.items()} == {name: size for name, (size, _) in mnist.FILES.items()}
    monkeypatch.setattr(mnist, "FILES", known)

    for which, first, n in [("train", 0, 50000), ("valid", 50000, 10000), ("test", 0, 10000)]:
        data = mnist.load(which)
        assert data.X.shape == (n, 784) and data.X.dtype == backend.floatX and data.shape == (28, 28)
        assert data.X[:, 783].min() == data.X.max() == 1
        row = (to_numpy(data.X[:, :4]) * 255).round().astype(int) @ [2**24, 2**16, 2**8, 1]
        assert_array_equal(row, np.arange(first, first + n))
        assert_array_equal(data.y, np.arange(first, first + n) % 10)


@pytest.mark.skipif(not all(map(finding.find, mnist.FILES)), reason="MNIST is not in NPGAN_DATA_PATH")
def test_real_mnist():
    train, valid, test = map(mnist.load, PARTS)
    mean = float(5 * train.X.mean(dtype=float) + valid.X.mean(dtype=float)) / 6
    assert mean == pytest.approx(.1306604762738429, abs=1e-8)       # the known mean of the 60,000
    assert train.y[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_other_files_under_mnists_names_are_read_with_a_caveat(folders, monkeypatch):
    """As Fashion-MNIST's are, which have MNIST's format and sizes."""
    arrays = {"images-idx3": np.full((10, 28, 28), 51, np.uint8), "labels-idx1": np.arange(10, dtype=np.uint8)}
    own = {f"mnist/t10k-{kind}-ubyte": idx(array) for kind, array in arrays.items()}
    monkeypatch.setattr(mnist, "FILES", {name: (len(data), finding.checksum(data)) for name, data in own.items()})
    (folders[0] / "mnist").mkdir()

    def put(**changed):
        for kind, array in {**arrays, **changed}.items():
            (folders[0] / f"mnist/t10k-{kind}-ubyte").write_bytes(idx(array))

    put()
    assert (mnist.load("test").name, mnist.load("test").caveat) == ("mnist test", "")
    for changed in {"images-idx3": np.zeros((10, 28, 28), np.uint8)}, {"labels-idx1": np.zeros(10, np.uint8)}:
        put(**changed)
        data = mnist.load("test")
        assert data.name == "mnist test (unofficial)" and "nothing made from them is a result on MNIST" in data.caveat
    for changed, expected in (({"images-idx3": np.zeros((10, 14, 56), np.uint8)}, r"of shape \(10, 28, 28\)"),
                              ({"labels-idx1": np.arange(10, dtype=np.uint8) + 1}, "labels from 0 to 9, found 10"),
                              ({"images-idx3": np.zeros((11, 28, 28), np.uint8)}, "at most 7856 bytes")):
        put(**changed)
        with pytest.raises(DataError, match=expected):
            mnist.load("test")


def test_idx_reads_files_larger_than_mnists(tmp_path):
    """EMNIST "balanced" has 112,800 training pictures."""
    pictures = np.zeros((112_800, 28, 28), np.uint8)
    pictures[-1, -1, -1] = 7
    (tmp_path / "x").write_bytes(idx(pictures))
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(pictures[12_800:]), 1))
    for name, n in ("x", 112_800), ("x.gz", 100_000):
        array = mnist.read_idx(tmp_path / name)
        assert array.shape == (n, 28, 28) and array[-1, -1, -1] == 7 and array.sum(dtype=int) == 7
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(pictures), 1))
    with pytest.raises(DataError, match="found more; if it is right, decompress it first"):
        mnist.read_idx(tmp_path / "x.gz")


@pytest.mark.parametrize("page", [b"<!DOCTYPE html>\n<html>", b"\n <HTML lang='en'>", b"\xef\xbb\xbf<html>"])
@pytest.mark.parametrize("name", ["x", "x.gz"])
def test_a_web_page_in_place_of_a_file_is_called_one(page, name, tmp_path):
    (tmp_path / name).write_bytes(page + b"<body>Moved</body></html>")
    for read in mnist.read_idx, finding.read:
        with pytest.raises(DataError, match=r"found a web page \(HTML\); put the right file there"):
            read(tmp_path / name)


@given(shape=st.one_of(st.tuples(st.integers(1, 5)), st.tuples(*[st.integers(1, 5)] * 3)), data=st.data())
def test_idx_reads_a_whole_file_and_no_part_of_one(shape, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("idx") / "file"
    array = np.arange(np.prod(shape, dtype=int), dtype=np.uint8).reshape(shape)
    whole = idx(array)
    path.write_bytes(whole)
    assert_array_equal(mnist.read_idx(path), array)
    path.write_bytes(whole[:data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DataError):
        mnist.read_idx(path)


PICTURES = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)


@pytest.mark.parametrize("data, expected, found", [
    (b"", "magic number 2051", "0"),
    (idx(PICTURES, magic=2052), "magic number 2051", "2052"),
    (struct.pack("<4I", 2051, 3, 2, 2) + PICTURES.tobytes(), "magic number 2051", str(0x03080000)),     # little-endian
    (idx(PICTURES)[:9], "16 + 3 x 0 x 0 bytes", "9 bytes"),
    (idx(PICTURES)[:-1], "16 + 3 x 2 x 2 bytes", "27 bytes"),
    (idx(PICTURES) + b"\0", "16 + 3 x 2 x 2 bytes", "29 bytes"),
    (idx(PICTURES, shape=(4, 2, 2)), "16 + 4 x 2 x 2 bytes", "28 bytes"),
    (idx(PICTURES, shape=(2**32 - 1,) * 3), "16 + 4294967295 x 4294967295 x 4294967295 bytes", "28 bytes"),
    (idx(PICTURES, magic=2049), "8 + 3 bytes", "28 bytes"),
    (idx(PICTURES[:0]), "one value or more", "0 x 2 x 2 values"),
    (idx(PICTURES[:0], shape=(2**32 - 1, 2**32 - 245, 0)), "one value or more", "4294967295 x 4294967051 x 0 values"),
])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_refuses(data, expected, found, ending, tmp_path):
    path = tmp_path / f"file{ending}"
    path.write_bytes(gzip.compress(data) if ending else data)
    with pytest.raises(DataError) as error:
        mnist.read_idx(path)
    assert error.value.path == path and expected in error.value.expected and found == error.value.found


# Files

def test_data_error_is_one_line_and_survives_a_process_boundary():
    error = DataError("x.npy", "4 bytes", "3\nbytes", "fetch it again")
    assert str(error) == "x.npy: expected 4 bytes, found 3 bytes; fetch it again"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_find_goes_through_the_folders_in_order(folders):
    a, b = folders
    assert finding.places()[:2] == [a, b] and finding.places()[-1] == finding.cache()
    finding.cache().mkdir(parents=True)
    for path in (finding.cache() / "x", b / "x.gz", b / "x", a / "x.gz"):
        path.touch()
        assert finding.find("x") == path
    (a / "x").mkdir()                                               # a folder is no file
    assert finding.find("x") == a / "x.gz"
    assert finding.find("y") is None


def test_a_folder_of_NPGAN_DATA_PATH_may_begin_at_the_home_folder_or_contain_a_colon(tmp_path, monkeypatch):
    for name in "x", "run 10:21:15":
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))                # Windows
    for value, folder in ("~/x", "x"), (str(tmp_path / "run 10:21:15"), "run 10:21:15"):
        monkeypatch.setenv("NPGAN_DATA_PATH", value)
        assert finding.places()[0] == tmp_path / folder
        assert len(finding.places()) == 3


def test_a_folder_of_NPGAN_DATA_PATH_that_does_not_exist_is_reported(folders, monkeypatch):
    nowhere = folders[0] / "nowhere"
    for value in str(nowhere), f"{folders[0]}{os.pathsep}{nowhere}":
        monkeypatch.setenv("NPGAN_DATA_PATH", value)
        for load in digits.load, mnist.load:
            with pytest.raises(DataError, match="nowhere: expected a folder of data sets, as NPGAN_DATA_PATH says, "
                                                "found no such folder; make it, or change NPGAN_DATA_PATH"):
                load("train")


def test_a_user_without_a_home_folder_has_no_cache(tmp_path, monkeypatch):
    """A folder ./~/.cache was once made."""
    pwd = pytest.importorskip("pwd")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)            # no entry in the password file: KeyError
    for name in "HOME", "XDG_CACHE_HOME", "NPGAN_DATA_PATH":
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert finding.cache() is None and len(finding.places()) == 1 and finding.find("nothing") is None
    with pytest.raises(DataError, match="no folder to download it to: HOME and XDG_CACHE_HOME are unset"):
        fetching.fetch("set/page", KNOWN, MIRRORS)
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert finding.cache() is None
    assert not list(tmp_path.iterdir())


def test_digits_are_found_where_npgan_is_installed_beside_another_setup_py(tmp_path):
    """As by ``pip install --target vendored npgan`` in a project of one's own."""
    shutil.copytree(Path(npgan.__file__).parent, tmp_path / "npgan")
    shutil.copytree(Path(npgan.__file__).parents[1] / "data", tmp_path / "npgan" / "data")
    (tmp_path / "setup.py").touch()
    code = "import npgan; from npgan.datasets import digits; print(npgan.__file__, len(digits.load('train')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
                               "NPGAN_DATA_PATH": ""})
    assert done.stdout.split() == [str(tmp_path / "npgan" / "__init__.py"), "1197"], done.stderr


@pytest.mark.parametrize("damage", [
    lambda data: data[:-1], lambda data: data[:12], lambda data: b"", lambda data: b"<html>" + data,
    lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:], lambda data: data + b"more",
    lambda data: data[:10] + b"\xff" + data[11:],
])
def test_read_refuses_a_damaged_gz(damage, tmp_path):
    whole = bytes(range(256))
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(whole))
    assert finding.read(path, 256, hashlib.md5(whole).hexdigest()) == whole
    path.write_bytes(damage(gzip.compress(whole)))
    with pytest.raises(DataError):
        finding.read(path, 256, hashlib.md5(whole).hexdigest())


@pytest.mark.parametrize("name", ["none", "none.gz", ".", "pipe", "pipe.gz"])
def test_read_refuses_what_is_no_file(name, tmp_path):
    if "pipe" in name:                                              # which, opened, would wait for someone who writes
        getattr(os, "mkfifo", pytest.skip)(str(tmp_path / name))
    for read in finding.read, finding.unpack, matlab.read, mnist.read_idx:
        more = {finding.read: (10,), finding.unpack: ({"a": (10, None)},), matlab.read: (["a"], 10)}.get(read, ())
        with pytest.raises(DataError, match="unreadable"):
            read(tmp_path / name, *more)


def test_a_gz_of_several_members_with_zeros_between_is_read(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"first") + bytes(70_000) + gzip.compress(b"") + gzip.compress(b"second") + bytes(9))
    assert finding.read(path, 50_000) == b"firstsecond" == gzip.decompress(path.read_bytes())


def test_a_gz_that_holds_next_to_nothing_is_refused_by_its_size_or_the_time_it_takes(tmp_path, monkeypatch):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"") * 5000)
    with pytest.raises(DataError, match="at most 1000 bytes, found more"):
        finding.read(path, 1000)
    assert finding.read(path, 10**6) == b""
    asked = []
    monkeypatch.setattr(finding.time, "thread_time", lambda: asked.append(1) or len(asked) / 100)    # .01 s a member
    with pytest.raises(DataError, match="found unreadable data .takes more than 0.5 s to decompress; if it is right"):
        finding.read(path, 10**6)
    assert len(asked) < 70


def test_gzip_bomb_is_harmless(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(10_000_000)))
    assert path.stat().st_size < finding.GROWTH                     # which is not refused for that
    tracemalloc.start()
    with pytest.raises(DataError, match="at most 1000 bytes, found more"):
        finding.read(path, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_replacing_is_all_or_nothing(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(KeyboardInterrupt), replacing(path) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    with replacing(path) as slow, replacing(path) as quick:         # as two processes would
        slow.write(b"slow")
        quick.write(b"quick")
    assert path.read_bytes() == b"slow" and list(tmp_path.iterdir()) == [path]


def test_replacing_what_a_link_leads_to(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "x").symlink_to(tmp_path / "disk" / "x")
    for contents in b"first", b"second":
        with replacing(tmp_path / "x") as stream:
            stream.write(contents)
        assert (tmp_path / "x").is_symlink() and (tmp_path / "disk" / "x").read_bytes() == contents


def test_what_killed_processes_left_is_removed_after_an_hour(tmp_path):
    for name, age in ((".0123abcd-x", 4000), (".4567abcd-x", 3000), (".0123abcd-y", 4000), ("0123abcd-x", 4000),
                      (".original-x", 4000), (".mybackup-x", 4000)):                # the last two are the user's
        (tmp_path / name).touch()
        finding.os.utime(tmp_path / name, (finding.time.time() - age,) * 2)
    with replacing(tmp_path / "x"):
        pass
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".0123abcd-y", ".4567abcd-x", ".mybackup-x", ".original-x", "0123abcd-x", "x"]


# Archives

KNOWN_ARCHIVE = {"set/pages/one": (5, hashlib.md5(b"first").hexdigest()),
                 "set/pages/two": (6, hashlib.md5(b"second").hexdigest())}
WHOLE = [("pages/one", b"first"), ("pages/two", b"second")]


def tar(members, **more):
    """A tar archive of regular files, name and contents, or of TarInfos."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", **more) as archive:
        for member in members:
            if isinstance(member, tuple):
                info, contents = tarfile.TarInfo(member[0]), member[1]
                info.size = len(contents)
                archive.addfile(info, io.BytesIO(contents))
            else:
                archive.addfile(member)
    return stream.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def archive(tmp_path):
    """Writes an archive's bytes to set/x.tar.gz, below an otherwise empty folder."""
    def write(data):
        path = tmp_path / "set" / "x.tar.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(data))
        return path
    return write


@pytest.mark.parametrize("options", [{}, {"format": tarfile.GNU_FORMAT}, {"format": tarfile.USTAR_FORMAT}])
def test_unpack_gives_the_known_files_only(options, archive):
    path = archive(tar([special("pages", tarfile.DIRTYPE), ("pages/readme", b"x"), *WHOLE[::-1]], **options))
    assert finding.unpack(path, KNOWN_ARCHIVE) == {"set/pages/one": b"first", "set/pages/two": b"second"}


def test_hostile_names_and_links_lead_nowhere(archive, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("secret")
    hostile = [("../outside", b"evil"), ("pages/../../outside", b"evil"), (str(outside), b"evil"),
               special("pages/one", tarfile.SYMTYPE, str(outside)), special("pages/two", tarfile.LNKTYPE, "../outside"),
               special("pages/one", tarfile.CHRTYPE), special("pages/two", tarfile.FIFOTYPE),
               special("pages", tarfile.SYMTYPE, "/")]
    path = archive(tar(hostile))
    with pytest.raises(DataError, match="found no such file in the archive"):
        finding.unpack(path, KNOWN_ARCHIVE)
    path = archive(tar([*hostile, *WHOLE, *hostile]))
    assert finding.unpack(path, KNOWN_ARCHIVE) == {"set/pages/one": b"first", "set/pages/two": b"second"}
    assert contents(tmp_path) == [outside, path] and outside.read_text() == "secret"


def in_a_circle():
    """An archive whose one member says that it is -512 bytes long, so that the next one is itself."""
    data = bytearray(tar([("pages/zero", b"")]))
    data[124:136] = (256**12 - 512).to_bytes(12, "big")
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}".encode() + b"\0 "
    return bytes(data)


@pytest.mark.parametrize("data, found", [
    (b"", "no such file in the archive"),
    (b"<html>moved</html>" * 100, "unreadable data"),
    (tar(WHOLE)[:1540], "unreadable data"),
    (tar(WHOLE)[:1024], "no such file in the archive"),
    (tar(WHOLE[:1]), "no such file in the archive"),
    (tar([("pages/one", b"first"), ("pages/two", b"seconds")]), "more"),
    (tar([("pages/one", b"first"), ("pages/two", b"secund")]), "6 bytes with"),
    (tar([("pages/one", bytes(2**21)), *WHOLE]), "more"),                       # larger than all that is wanted
    (in_a_circle(), "unreadable data"),
    (tar(WHOLE).replace(b"00000000005", b"00000000-05", 1), "unreadable data"),
    (tar(WHOLE).replace(b"ustar", b"xstar", 1), r"unreadable data \(bad checksum\)"),
    (tar([("pages/x", b"")] * 1000 + WHOLE), "more than 1000 members"),
])
def test_unpack_refuses(data, found, archive):
    path = archive(data)
    with pytest.raises(DataError, match=found):
        finding.unpack(path, KNOWN_ARCHIVE)


def test_unpack_takes_other_sums_where_none_is_given(archive):
    path = archive(tar([("pages/one", b"1")]))
    assert finding.unpack(path, {"set/pages/one": (5, None)}) == {"set/pages/one": b"1"}


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_what_members_say_of_the_next_is_not_parsed(kind, archive, monkeypatch):
    """A header of pax may hold millions of lines, over which tarfile takes minutes."""
    lines = special("pages/more", kind)
    lines.size = 600_000
    data = lines.tobuf() + b"6 a=b\n" * 100_000 + bytes(-lines.size % 512) + tar(WHOLE)
    monkeypatch.delattr(tarfile, "open")
    assert finding.unpack(archive(data), KNOWN_ARCHIVE) == {"set/pages/one": b"first", "set/pages/two": b"second"}


def test_a_long_name_does_not_end_like_a_wanted_one_by_chance(archive):
    folder = "x" * 120
    path = archive(tar([(f"{folder}/pages/one", b"other"), *WHOLE, (f"{folder}/pages/one", b"other")],
                       format=tarfile.USTAR_FORMAT))
    assert finding.unpack(path, KNOWN_ARCHIVE) == {"set/pages/one": b"first", "set/pages/two": b"second"}
    assert [name for name, _ in finding.members(gzip.decompress(path.read_bytes()))] == [
        f"{folder}/pages/one", "pages/one", "pages/two", f"{folder}/pages/one"]


# Fetching

PAGE = bytes(range(200))
KNOWN = {"set/page": (200, hashlib.md5(PAGE).hexdigest()), "set/other": (1, "0")}
MIRRORS = "https://one.invalid/", "https://two.invalid/"


class Endless(io.RawIOBase):
    """A response that never ends, of bytes that unpack to nothing."""

    def read1(self, n):
        return gzip.compress(b"")


def raises(error):
    def response():
        raise error
    return response


BAD = {
    "404": raises(urllib.error.HTTPError(MIRRORS[0], 404, "Not Found", Message(), io.BytesIO())),
    "no network": raises(urllib.error.URLError("Name or service not known")),
    "time-out": raises(TimeoutError("timed out")),
    "broken off": raises(IncompleteRead(b"")),
    "not gzip": lambda: io.BytesIO(b"<html>moved</html>"),
    "nothing": io.BytesIO,
    "truncated": lambda: io.BytesIO(gzip.compress(PAGE)[:-9]),
    "too short": lambda: io.BytesIO(gzip.compress(PAGE[:-1])),
    "other bytes": lambda: io.BytesIO(gzip.compress(PAGE[::-1])),
    "a bomb": lambda: io.BytesIO(gzip.compress(bytes(10**6))),
    "endless": Endless,
}


def contents(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_fetch_goes_on_to_the_next_mirror(bad, folders, monkeypatch):
    asked = []

    def open_url(url, seconds):
        asked.append(url)
        return bad() if url.startswith(MIRRORS[0]) else io.BytesIO(gzip.compress(PAGE))

    monkeypatch.setattr(fetching, "open_url", open_url)
    path = fetching.fetch("set/page", KNOWN, MIRRORS)
    assert asked == [mirror + "page.gz" for mirror in MIRRORS]
    assert path == finding.find("set/page") and contents(finding.cache()) == [path]
    assert finding.read(path, *KNOWN["set/page"]) == PAGE


@pytest.mark.parametrize("bad, reason", [
    ("404", "HTTP Error 404: Not Found"), ("no network", "Name or service not known"), ("time-out", "timed out"),
    ("not gzip", "gave a web page"), ("other bytes", "gave 200 bytes with"), ("a bomb", "gave more"),
    ("endless", "gave more"),
])
def test_fetch_says_why_and_what_to_put_where(bad, reason, folders, monkeypatch):
    monkeypatch.setattr(fetching, "open_url", lambda url, seconds: BAD[bad]())
    with pytest.raises(DataError) as error:
        fetching.fetch("set/page", KNOWN, MIRRORS)
    message = str(error.value)
    assert message.count(reason) == 2 and "\n" not in message
    assert message.endswith("; put set/page, set/other, plain or as .gz, below a folder and name that folder "
                            "in NPGAN_DATA_PATH")
    assert all(str(place) in message for place in finding.places())
    assert not contents(finding.cache())


def test_fetch_brings_a_whole_archive_or_none(folders, monkeypatch):
    served = {MIRRORS[0]: tar([WHOLE[0], ("pages/two", b"secund")]), MIRRORS[1]: tar(WHOLE)}
    monkeypatch.setattr(fetching, "open_url", lambda url, seconds: io.BytesIO(gzip.compress(
        served[url[:-len("x.tar.gz")]])))
    path = fetching.fetch("set/x.tar", KNOWN_ARCHIVE, MIRRORS)
    assert path == finding.find("set/x.tar") and contents(finding.cache()) == [path]
    assert finding.unpack(path, KNOWN_ARCHIVE) == {"set/pages/one": b"first", "set/pages/two": b"second"}
    path.unlink()
    with pytest.raises(DataError, match="gave 6 bytes with .*; put set/x.tar, plain or as .gz, below") as error:
        fetching.fetch("set/x.tar", KNOWN_ARCHIVE, MIRRORS[:1])
    assert error.value.path == folders[0] / "set/x.tar" and not contents(finding.cache())


def test_fetch_without_a_cache_to_write_to(folders, monkeypatch):
    finding.cache().parent.touch()                                  # a file where the folder should be
    monkeypatch.setattr(fetching, "open_url", lambda url, seconds: io.BytesIO(gzip.compress(PAGE)))
    with pytest.raises(DataError, match="Not a directory"):
        fetching.fetch("set/page", KNOWN, MIRRORS)


def test_mnist_without_network_names_its_four_files(folders, monkeypatch):
    monkeypatch.setattr(fetching, "open_url", lambda url, seconds: BAD["no network"]())
    with pytest.raises(DataError) as error:
        mnist.load("test")
    assert all(name in error.value.remedy for name in mnist.FILES)


def test_only_https_is_opened(monkeypatch):
    class Response(io.BytesIO):
        code, msg = 302, "Found"

        def info(self):
            headers = Message()
            headers["Location"] = "http://localhost/"
            return headers

        def read(self):                                             # as an HTTPResponse does when it is closed
            return b"" if self.closed else pytest.fail("what comes with a redirection was read")

    class Redirecting(urllib.request.BaseHandler):
        def __init__(self, context):
            pass

        def https_open(self, request):
            return Response()

    with pytest.raises(urllib.error.URLError, match="unknown url type: http"):
        fetching.open_url("http://localhost/", 9)
    monkeypatch.setattr(urllib.request, "HTTPSHandler", Redirecting)
    with pytest.raises(urllib.error.URLError, match="unknown url type: http"):
        fetching.open_url("https://localhost/", 9)
