"""CIFAR-10: what its rows are, where they come from, which files are its own, and what bad ones are told."""
import gzip
import hashlib
import io
import pickle
import tarfile
import urllib.error

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from npgan import backend
from npgan.backend import to_numpy
from npgan.datasets import cifar10, fetching, finding
from npgan.files import DataError

PLANES = np.repeat([[10], [20], [30]], 1024, axis=1)


def batch(first, labels=(0, 9, 5), n=3):
    """A file of n records: red 10, green 20, blue 30, but for the first two pixels, which tell the record's number."""
    records = np.empty((n, 3073), np.uint8)
    records[:, 0] = labels[:n]
    records[:, 1:] = PLANES.ravel()
    records[:, 1], records[:, 2] = first, np.arange(n)
    return records.tobytes()


@pytest.fixture
def official(monkeypatch):
    """Small files in place of CIFAR-10's own, known by their sums; the dict of name to bytes."""
    contents = {name: batch(i) for i, name in enumerate(cifar10.FILES)}
    monkeypatch.setattr(cifar10, "FILES", {name: (len(data), hashlib.md5(data).hexdigest())
                                           for name, data in contents.items()})
    return contents


def write(folder, contents):
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def archive(contents):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, data in {"cifar10/cifar-10-batches-bin/readme.html": b"<html>", **contents}.items():
            info = tarfile.TarInfo(name[len("cifar10/"):])
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def no_network(url, seconds):
    raise urllib.error.URLError("Name or service not known")


def test_each_part_is_its_files_in_order(official, folders):
    write(folders[1], official)
    for which, batches in [("train", [0, 1, 2, 3]), ("valid", [4]), ("test", [5])]:
        data = cifar10.load(which, gcn=None)
        X = to_numpy(data.X)
        assert X.dtype == backend.floatX and X.shape == (3 * len(batches), 3072)
        assert (data.shape, data.name, data.caveat) == ((3, 32, 32), f"cifar10 {which}", "")
        assert_allclose(X[:, :2] * 255, [[i, record] for i in batches for record in range(3)], atol=1e-5)
        assert_allclose(X.reshape(-1, 3, 1024)[:, :, 2:] * 255, np.broadcast_to(PLANES[:, 2:], (len(X), 3, 1022)), 1e-6)
        assert_array_equal(data.y, [0, 9, 5] * len(batches))


def test_contrast_is_normalised_as_in_the_paper(official, folders):
    write(folders[0], official)
    for scale, data in [(55, cifar10.load("train")), (1, cifar10.load("train", gcn=1.))]:
        X = to_numpy(data.X)
        assert_allclose(X.mean(axis=1), 0, atol=1e-6)
        assert_allclose(np.linalg.norm(X, axis=1), scale, rtol=1e-6)
        planes = X[:, 2::1024]                                     # 10, 20, 30 are nearly their own mean's -, 0, +
        assert_allclose(planes / scale * np.sqrt(2048), np.broadcast_to([-1, 0, 1], planes.shape), atol=.03)


def test_other_files_load_with_a_caveat(official, folders):
    name = "cifar10/cifar-10-batches-bin/data_batch_2.bin"
    write(folders[0], {**official, name: batch(99)})
    train = cifar10.load("train")
    assert train.name == "cifar10 train (unofficial)"
    assert train.caveat.endswith("nothing made from them is a result on CIFAR-10")
    assert cifar10.load("test").caveat == ""                            # this file is the official one


def test_archive_in_a_folder_of_the_users_is_read_where_it_lies(official, folders, tmp_path):
    (folders[1] / "cifar10").mkdir()
    path = folders[1] / "cifar10/cifar-10-binary.tar.gz"
    path.write_bytes(archive(official))
    assert_array_equal(to_numpy(cifar10.load("valid", gcn=None).X)[:, 0] * 255, 4)
    assert cifar10.load("valid").caveat == ""
    (path.parent / "cifar-10-binary.tar").write_bytes(gzip.decompress(archive(dict.fromkeys(official, batch(7)))))
    assert cifar10.load("valid").caveat
    assert [file for file in tmp_path.rglob("*") if file.is_file() and file.parent != path.parent] == []
    (path.parent / "cifar-10-binary.tar").write_bytes(gzip.decompress(archive(dict.fromkeys(official, batch(7, n=2)))))
    with pytest.raises(DataError, match="cifar-10-binary.tar/data_batch_5.bin: expected 3 records .* found 6146"):
        cifar10.load("valid")


def test_fetched_from_the_second_mirror_where_the_first_has_others(official, folders, monkeypatch):
    asked = []

    def open_url(url, seconds):
        asked.append(url)
        return io.BytesIO(archive(dict.fromkeys(official, batch(7)) if len(asked) == 1 else official))

    monkeypatch.setattr(fetching, "open_url", open_url)
    assert cifar10.load("test").caveat == cifar10.load("train").caveat == ""
    assert asked == [mirror + "cifar-10-binary.tar.gz" for mirror in cifar10.MIRRORS]       # once, for both parts
    assert [path.name for path in finding.cache().rglob("*") if path.is_file()] == ["cifar-10-binary.tar.gz"]


def test_without_network_the_archive_is_asked_for(folders, monkeypatch):
    monkeypatch.setattr(fetching, "open_url", no_network)
    with pytest.raises(DataError) as error:
        cifar10.load("test")
    assert error.value.remedy.startswith("put cifar10/cifar-10-binary.tar, plain or as .gz, below a folder")
    assert all(mirror in error.value.found for mirror in cifar10.MIRRORS)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('the pickle ran')",)


@pytest.mark.parametrize("name", ["cifar-10-batches-py/data_batch_1", "cifar-10-python.tar.gz"])
def test_pickles_are_refused_unread(name, official, folders, monkeypatch):
    monkeypatch.setattr(fetching, "open_url", no_network)
    write(folders[0], {f"cifar10/{name}": pickle.dumps(Bomb())})
    with pytest.raises(DataError, match="binary version, found the Python version, whose pickles may run any program; "
                                        "put cifar10/cifar-10-binary.tar.gz below the same folder, from https://"):
        cifar10.load("train")
    write(folders[0], official)
    assert len(cifar10.load("train")) == 12                             # beside the binary version they do no harm


def test_a_set_that_is_not_whole_is_not_completed_from_elsewhere(official, folders, monkeypatch):
    monkeypatch.setattr(fetching, "open_url", no_network)
    official.pop("cifar10/cifar-10-batches-bin/test_batch.bin")
    write(folders[0], official)
    with pytest.raises(DataError, match="test_batch.bin: expected .* found no such file beside the others"):
        cifar10.load("train")


@pytest.mark.parametrize("data, expected, found", [
    (b"", "3 records of 3073 bytes", "0 bytes"),
    (batch(0)[:-1], "3 records of 3073 bytes", "9218 bytes"),
    (batch(0, n=2), "3 records of 3073 bytes", "6146 bytes"),
    (batch(0) + b"\0", "at most 9219 bytes", "more"),
    (b"\0" + batch(0)[:-1], "a class from 0 to 9 at the start of each record", "30 in record 1"),
    (batch(0, labels=(0, 10, 255)), "a class from 0 to 9 at the start of each record", "10 in record 1"),
])
def test_damaged_files_are_named(data, expected, found, official, folders):
    name = "cifar10/cifar-10-batches-bin/data_batch_3.bin"
    write(folders[0], {**official, name: data})
    with pytest.raises(DataError) as error:
        cifar10.load("train")
    assert error.value.path == folders[0] / name
    assert expected in error.value.expected and found == error.value.found


def test_other_parts_and_norms_are_refused(official, folders):
    write(folders[0], official)
    with pytest.raises(ValueError, match="which must be one of train, valid, test, got 'training'"):
        cifar10.load("training")
    with pytest.raises(ValueError, match="scale must be a number above 0, got 0"):
        cifar10.load("test", gcn=0)


@pytest.mark.skipif(not all(map(finding.find, cifar10.FILES)), reason="CIFAR-10 is not in NPGAN_DATA_PATH")
def test_real_cifar10():
    """The means that are commonly quoted for the test pictures; those of a good copy are near."""
    data = cifar10.load("test", gcn=None)
    pixels = to_numpy(data.X).reshape(-1, 3, 1024)
    assert_allclose(pixels.mean(axis=(0, 2), dtype=float), [.4942, .4851, .4504], atol=2e-4)
    assert (np.bincount(data.y) == 1000).all()
    assert len(cifar10.load("valid")) == 10000
    if not data.caveat:
        assert data.y[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
