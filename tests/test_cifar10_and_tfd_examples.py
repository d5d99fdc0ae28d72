"""The scripts about CIFAR-10 and TFD, run as a user runs them: narrow nets, small files, one epoch or two; mistakes."""
import os
import re

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.testing import assert_array_equal
from scipy.io import savemat
from scripts import mistake, output

from npgan import checkpoint
from npgan.datasets import cifar10, finding, tfd

RECORDS = 40                                                    # in each file in CIFAR-10's place
CONV, DENSE = "cifar10_convolutional", "cifar10_fully_connected"
NARROW = "--scale", .02, "--seed", 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of both data sets' layouts, of random pixels: 160 training pictures of CIFAR-10, 30 unlabeled faces."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.RandomState(2014)
    for name in cifar10.FILES:
        records = rng.randint(256, size=(RECORDS, cifar10.RECORD)).astype("u1")
        records[:, 0] %= 10
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(records.tobytes())
    (folder / tfd.NAME).parent.mkdir(parents=True)
    savemat(folder / tfd.NAME, faces())
    return folder


def faces(n=60):
    """Variables of TFD's layout: half of `n` pictures unlabeled, the others train, valid and test in turn."""
    rng = np.random.RandomState(0)
    codes = np.where(np.arange(n) < n // 2, 0, 1 + np.arange(n) % 3)
    return {"images": rng.randint(10, 240, (n, 48, 48)).astype("u1"), "folds": np.tile(codes[:, None], 5).astype("u1"),
            "labs_ex": np.where(codes, 1 + np.arange(n) % 7, -1)[:, None].astype("i2")}


@pytest.fixture
def do(data, tmp_path, monkeypatch, capsys):
    """Runs a script on these data in an empty folder; returns its output, or the last line of an end with status 2."""
    smaller = {name: (RECORDS * cifar10.RECORD, md5) for name, (_, md5) in cifar10.FILES.items()}
    monkeypatch.setattr(cifar10, "FILES", smaller)
    monkeypatch.setenv("XDG_CACHE_HOME", str(data))

    def do(script, *arguments, status=0, folder=data):
        monkeypatch.setenv("NPGAN_DATA_PATH", str(folder))
        return (mistake if status else output)(monkeypatch, capsys, tmp_path, f"{script}.py", *NARROW, *arguments)
    return do


def assert_is_panel(path, side):
    """4 rows of 6 pictures, the training pictures in yellow."""
    picture = imread(path)[..., :3]
    times = max(1, 640 // (6 * side + 35))
    assert picture.shape == (times * (4 * side + 25), times * (6 * side + 35), 3)
    assert (picture == (1, 1, 0)).all(axis=-1).any()
    return picture


def assert_same_run(one, other, side):
    """Checkpoints and panels of these names are equal, and say that the data are unofficial."""
    one_saved, other_saved = (checkpoint.load(f"{name}.npz") for name in (one, other))
    assert one_saved.header["run"] == other_saved.header["run"]
    assert one_saved.header["run"]["dataset"]["name"].endswith("(unofficial)")
    assert one_saved.arrays.keys() == other_saved.arrays.keys()
    for name, array in one_saved.arrays.items():
        if not name.endswith("training_seconds_this_epoch"):
            assert_array_equal(array, other_saved.arrays[name])
    assert_array_equal(*(assert_is_panel(f"{name}.png", side) for name in (one, other)))


def test_cifar10_trains_and_draws_in_colour(do, tmp_path):
    told = do(DENSE, "--max_epochs", 1)
    assert "cifar10 train (unofficial): 160 pictures, 2 updates an epoch" in told
    assert told.endswith(f"wrote {DENSE}.npz and {DENSE}.png after 2 updates in 1 epoch ({cifar10.CAVEAT})\n")
    assert np.ptp(assert_is_panel(tmp_path / f"{DENSE}.png", 32)[5:37, 5:37], axis=-1).max() > .1


def test_cifar10_with_kernels_goes_on_bit_for_bit(do, tmp_path):
    do(CONV, "--max_epochs", 2, "--save_path", "whole.npz")
    do(CONV, "--max_epochs", 1)
    told = do(CONV, "--max_epochs", 2, "--resume")
    assert f"resuming after epoch 1, update 2\nwrote {CONV}.npz and {CONV}.png after 4 updates in 2 epochs" in told
    assert_same_run(tmp_path / "whole", tmp_path / CONV, side=32)


def test_tfd_trains_in_two_stages_and_goes_on_in_either(do, data, tmp_path):
    few = "--repeat", 7, "--num_samples", 50                    # 210 faces an epoch
    told = do("tfd", *few, "--pretrain_epochs", 2, "--max_epochs", 2, "--save_path", "whole.npz")
    caveat = tfd.CAVEAT.format(60)
    assert "tfd unlabeled, 7 times (unofficial): 30 pictures, 3 updates an epoch" in told
    assert all(f"wrote whole{stage}.npz and whole{stage}.png after 6 updates in 2 epochs ({caveat})" in told
               for stage in ("_pretrained", ""))
    os.mkdir(tmp_path / "tfd.png")                              # the second stage cannot draw, before it saves
    assert "the last good checkpoint is tfd_pretrained.npz" in do("tfd", *few, "--pretrain_epochs", 1, status=2)
    os.rmdir(tmp_path / "tfd.png")
    assert do("tfd", *few, "--pretrain_epochs", 2, "--max_epochs", 1, "--resume").count("resuming after epoch 1") == 1
    resumed = do("tfd", *few, "--max_epochs", 2, "--resume")
    assert "pretrained" not in resumed and resumed.splitlines()[-12:] == told.splitlines()[-12:]
    for stage in "_pretrained", "":
        assert_same_run(tmp_path / f"whole{stage}", tmp_path / f"tfd{stage}", side=48)

    lines = told.splitlines()
    assert all(re.match(rf"fold {i} +-?\d+\.\d \+- \d+\.\d nats +\(sigma \d\.\d{{3}}\)$", line)
               for i, line in enumerate(lines[-6:-1]))
    assert lines[-1].endswith(f"which is no result on TFD and has no place in Table 1 ({caveat})")
    pixels = faces()["images"][:30].reshape(30, -1) / 255.
    between = np.sqrt(((pixels[:, None] - pixels) ** 2).sum(axis=2))[~np.eye(30, dtype=bool)].reshape(30, 29)
    assert (f"from face to face {np.median(between):.1f}, to the nearest other {np.median(between.min(axis=1)):.1f}, "
            f"medians over 30 faces ({caveat})") in lines[-12]
    distances = np.array([line.split() for line in lines[-11:-7]], float)
    assert distances.shape == (4, 5)
    assert f"it is {distances.min():.1f} to {distances.max():.1f}; " in lines[-12]


@pytest.mark.parametrize("script, arguments, message", [
    (DENSE, ["--scale", "nan"], "--scale must be a number above 0, got nan"),
    (CONV, ["--save_path", "panel.png"], "--save_path: must be a name ending in .npz, got 'panel.png'"),
    ("tfd", ["--resume"], "No file tfd_pretrained.npz; leave out --resume to start a new training"),
    ("tfd", ["--repeat", 3], "batch_size 100 is more than the data's 90 rows"),
])
def test_a_mistake_ends_in_one_line_and_status_2(script, arguments, message, do, tmp_path):
    assert message in do(script, *arguments, status=2)
    assert not os.listdir(tmp_path)


def test_bad_files_are_named_in_one_line(do, tmp_path):
    for name in cifar10.FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\0" * (RECORDS * cifar10.RECORD - 1))
    told = do(CONV, status=2, folder=tmp_path)
    assert f"data_batch_1.bin: expected {RECORDS} records of 3073 bytes, found {RECORDS * 3073 - 1} bytes; put" in told
    assert "TFD is not public: ask Josh Susskind" in do("tfd", status=2, folder=tmp_path)
    (tmp_path / tfd.NAME).parent.mkdir(parents=True)
    variables = faces()
    variables["folds"][:, 4] %= 3                               # no test faces in the last fold: told before training
    savemat(tmp_path / tfd.NAME, variables)
    assert "TFD_48x48.mat: expected the code 3 in fold 4, found none" in do("tfd", status=2, folder=tmp_path)


@pytest.mark.skipif(finding.find(tfd.NAME) is None, reason="neither TFD nor a stand-in is in NPGAN_DATA_PATH")
def test_tfd_on_the_real_file_or_the_stand_in(tmp_path, monkeypatch, capsys):
    stdout = output(monkeypatch, capsys, tmp_path, "tfd.py", *NARROW, "--repeat", 1, "--pretrain_epochs", 1,
                    "--max_epochs", 1, "--num_samples", 100)
    assert ("which is no result on TFD" in stdout) == ("unofficial" in stdout)
    assert_is_panel(tmp_path / "tfd.png", 48)
