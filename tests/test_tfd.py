"""The Toronto Face Database: its parts and folds, what is not it, and what a bad file is told."""
import gzip
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import savemat

from npgan import backend
from npgan.backend import to_numpy
from npgan.datasets import finding, tfd
from npgan.files import DataError

N = 40
CODES = {"unlabeled": [0], "train": [1], "valid": [2], "test": [3], "full_train": [1, 2]}


def faces(**changes):
    """Variables as in TFD's file, of N pictures; `changes` replace some, or take them away by None."""
    rng = np.random.RandomState(0)
    folds = np.tile(np.arange(N)[:, None] % 4, 5)
    folds[folds > 0] = rng.randint(1, 4, np.sum(folds > 0))
    variables = {"images": rng.randint(0, 256, (N, 48, 48)).astype("u1"), "folds": folds.astype("u1"),
                 "labs_ex": np.where(folds[:, :1] > 0, np.arange(N)[:, None] % 7 + 1, -1).astype("i2"),
                 "labs_id": np.arange(N)[:, None], **changes}
    return {name: value for name, value in variables.items() if value is not None}


@pytest.fixture
def path(folders):
    path = folders[1] / tfd.NAME
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("which", CODES)
def test_parts_are_the_pictures_of_their_codes(which, path):
    variables = faces()
    savemat(path, variables, do_compression=True)
    for fold in range(5):
        data = tfd.load(which, fold)
        rows = [i for i in range(N) if variables["folds"][i, fold] in CODES[which]]
        X = to_numpy(data.X)
        assert X.dtype == backend.floatX and data.shape == (48, 48)
        assert (X * 255).round().tolist() == [variables["images"][i].ravel().tolist() for i in rows]
        if which == "unlabeled":
            assert data.y is None and data.name == "tfd unlabeled (unofficial)"
        else:
            assert data.y.tolist() == [i % 7 for i in rows] and data.name == f"tfd {which} of fold {fold} (unofficial)"


def test_fold_0_is_the_default_and_numpy_counts_too(path):
    savemat(path, faces())
    first, same, other = (to_numpy(data.X) for data in (tfd.load("test"), tfd.load("test", np.int64(0)),
                                                        tfd.load("test", 1)))
    assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_only_as_many_pictures_as_tfds_are_taken_for_it(path, monkeypatch):
    savemat(path, faces())
    data = tfd.load("valid", 2)
    assert data.caveat.startswith("40 other pictures than the Toronto Face Database's")
    monkeypatch.setattr(tfd, "PICTURES", N)
    data = tfd.load("valid", 2)
    assert (data.caveat, data.name) == ("", "tfd valid of fold 2")


def test_a_gz_is_read_too(path):
    savemat(path, faces())
    expected = to_numpy(tfd.load("valid").X)
    path.with_name("TFD_48x48.mat.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert_array_equal(to_numpy(tfd.load("valid").X), expected)


def test_missing_file_says_whom_to_ask_and_where_to_put_it(folders):
    with pytest.raises(DataError) as error:
        tfd.load("unlabeled")
    assert error.value.path == folders[0] / "faces/TFD/TFD_48x48.mat"
    assert error.value.remedy == (
        "TFD is not public: ask Josh Susskind, who collected it at the University of Toronto, for TFD_48x48.mat; then "
        "put faces/TFD/TFD_48x48.mat, plain or as .gz, below a folder and name that folder in NPGAN_DATA_PATH")


def changed(name, index, value, dtype=None):
    array = faces()[name].astype(dtype or faces()[name].dtype)
    array[index] = value
    return {name: array}


@pytest.mark.parametrize("changes, expected, found", [
    ({"images": None}, "variable images", "no variable of that name"),
    ({"folds": None}, "variable folds", "no variable of that name"),
    ({"labs_ex": None}, "variable labs_ex", "no variable of that name"),
    ({"images": np.full((1, 2), "x", object)}, "real numbers as the variable images", "something else"),
    ({"images": np.zeros((N, 96, 96), "u1")}, "images (n, 48, 48)", "(40, 96, 96), (40, 5) and (40, 1)"),
    ({"images": np.zeros((N, 2304), "u1")}, "images (n, 48, 48)", "(40, 2304), (40, 5) and (40, 1)"),
    ({"images": np.zeros((48, 48, N), "u1")}, "images (n, 48, 48)", "(48, 48, 40), (40, 5) and (40, 1)"),
    ({"images": np.zeros((N - 1, 48, 48), "u1")}, "images (n, 48, 48)", "(39, 48, 48), (40, 5) and (40, 1)"),
    ({"folds": np.ones((N, 4))}, "folds (n, 5)", "(40, 48, 48), (40, 4) and (40, 1)"),
    ({"labs_ex": np.ones((1, N))}, "labs_ex (n, 1)", "(40, 48, 48), (40, 5) and (1, 40)"),
    ({"folds": np.zeros((N, 5))}, "the code 1 in fold 3", "none"),
    (changed("folds", (7, 4), 9), "codes in folds from 0 to 3", "0 to 9"),
    (changed("folds", (7, 4), np.nan, float), "codes in folds from 0 to 3", "nan to nan"),
    (changed("images", (slice(None), 5, 5), 256, "i2"), "pixels in images from 0 to 255", "0 to 256"),
    (changed("images", (slice(None), 5, 5), np.inf, float), "pixels in images from 0 to 255", "0.0 to inf"),
    (changed("labs_ex", slice(None), -1), "expressions in labs_ex from 1 to 7", "-1 to -1"),
    (changed("labs_ex", slice(None), 1.5, float), "whole numbers as expressions in labs_ex", "1.5"),
    (changed("folds", (7, 4), .5, float), "whole numbers as codes in folds", "0.5"),
    ({"images": np.full((N, 48, 48), .25)}, "whole numbers as pixels in images", "0.25"),       # are they bytes / 255?
])
def test_bad_files_are_named(changes, expected, found, path):
    savemat(path, faces(**changes))
    with pytest.raises(DataError) as error:
        tfd.load("train", 3)
    assert error.value.path == path and expected in error.value.expected and found == error.value.found


def many(n, dtype):
    """Variables of `n` pictures, each all of one shade; every third is not for training."""
    shades = np.arange(n) % 251
    return {"images": np.tile(shades[:, None, None], (1, 48, 48)).astype(dtype), "labs_ex": np.ones((n, 1)),
            "folds": np.tile(1 + (np.arange(n)[:, None] % 3 == 2), 5)}, shades[np.arange(n) % 3 < 2]


@pytest.mark.parametrize("n", [1499, 1500, 1501, 3000])            # 1000, 1000, 1001 and 2000 for training
def test_pictures_that_are_read_by_parts_stay_in_order(n, path):
    variables, shades = many(n, "u1")
    savemat(path, variables)
    X = to_numpy(tfd.load("train").X)
    assert_array_equal((X * 255).round(), np.tile(shades[:, None], (1, 2304)))


def test_a_bad_pixel_in_a_large_file_of_fractions_takes_no_copies_of_it(path, monkeypatch):
    variables, _ = many(3001, "f8")
    variables["images"][-1, -1, -1], variables["folds"][:] = .5, 1
    savemat(path, variables)
    monkeypatch.setattr(tfd, "LIMIT", path.stat().st_size)         # of which Python reserves the memory, and returns it
    tracemalloc.start()
    with pytest.raises(DataError, match="expected whole numbers as pixels in images, found 0.5"):
        tfd.load("train")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.7 * path.stat().st_size                        # the file, half of it as float32, and three parts


def test_a_damaged_file_is_named(path):
    savemat(path, faces(), do_compression=True)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="TFD_48x48.mat: expected a whole MATLAB file, found unreadable data"):
        tfd.load("train")


@pytest.mark.parametrize("fold", [5, -1, 1.5, "0", None])
def test_another_fold_or_part_is_refused(fold, path):
    savemat(path, faces())
    with pytest.raises(DataError, match=f"expected a fold from 0 to 4, found {fold!r} asked for"):
        tfd.load("valid", fold)
    with pytest.raises(ValueError, match="one of unlabeled, train, valid, test, full_train, got 'labelled'"):
        tfd.load("labelled")


@pytest.mark.skipif(finding.find(tfd.NAME) is None, reason="neither TFD nor a stand-in is in NPGAN_DATA_PATH")
def test_real_file_or_stand_in():
    unlabeled = tfd.load("unlabeled")
    stand_in = len(unlabeled) == 300                        # of the 800 pictures of 40 people, in place of 102,236
    assert bool(unlabeled.caveat) == stand_in and (stand_in or len(unlabeled) == 98058)
    tests = []
    for fold in range(5):
        assert_array_equal(to_numpy(tfd.load("unlabeled", fold).X[:300]), to_numpy(unlabeled.X[:300]))
        parts = [tfd.load(which, fold) for which in ("train", "valid", "test", "full_train")]
        assert len(parts[3]) == len(parts[0]) + len(parts[1])
        assert all(set(part.y) <= set(range(7)) for part in parts)
        tests.append(to_numpy(parts[2].X))
        if stand_in:
            assert [len(part) for part in parts] == [300, 100, 100, 400]
    if stand_in:                                            # its five test sets have no picture in common
        assert len(np.unique(np.concatenate(tests), axis=0)) == 500
