"""Runs on several ranks: they end where one process ends, and an error of one ends all of them."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ranks
from numpy.testing import assert_allclose
from scripts import RANDOM_MNIST

from npgan import backend, checkpoint, mpi
from npgan.backend import BackendError

pytestmark = pytest.mark.numpy_only
TESTS = Path(__file__).parent
HAS_MPI = shutil.which("mpiexec") and not subprocess.run([sys.executable, "-c", "from mpi4py import MPI"],
                                                         capture_output=True).returncode
with_mpi = pytest.mark.skipif(not HAS_MPI, reason="there is no mpiexec, or no mpi4py with an MPI library")


def mpiexec(n, *command, cwd):
    """The finished run of a Python `command` on `n` ranks."""
    path = os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(["mpiexec", "-n", str(n), sys.executable, *map(str, command)], cwd=cwd, text=True,
                          env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}, capture_output=True,
                          timeout=120)


@pytest.fixture(scope="module")
def alone():
    """What one process ends with, by the run's name."""
    before = backend.floatX
    found = {kind: ranks.trained(kind) for kind in ("simultaneous", "algorithm_1")}
    backend.use(floatX=before)                                          # which ranks.py has made double precision
    return found


@pytest.fixture(scope="module", params=[2, 4])
def found(request, tmp_path_factory):
    """What each rank of 2 and of 4 has found: a function of the run's name."""
    folder = tmp_path_factory.mktemp("ranks")
    done = mpiexec(request.param, TESTS / "ranks.py", "simultaneous,algorithm_1,parzen", folder, cwd=folder)
    assert done.returncode == 0, done.stderr
    return lambda name: [np.load(folder / f"{name}_{rank}.npz") for rank in range(request.param)]


@with_mpi
@pytest.mark.parametrize("kind", ["simultaneous", "algorithm_1"])
def test_ranks_end_where_one_process_ends(kind, alone, found):
    """After 50 updates: parameters, average, velocity, the next noise, and all that the monitor recorded."""
    for rank in found(kind):
        assert set(rank) == set(alone[kind]) and len(rank["likelihood"]) == 3
        for name, value in alone[kind].items():
            assert_allclose(rank[name], value, rtol=0, atol=1e-10 * np.abs(value).max(), err_msg=name)


@with_mpi
def test_likelihood_under_all_ranks_samples_is_that_of_one_process(found, float64):
    alone = ranks.log_likelihoods()["log_p"]
    assert alone.shape == (3, 30)
    for rank in found("parzen"):
        assert_allclose(rank["log_p"], alone, rtol=0, atol=1e-9)


def restored(path):
    """The run that two ranks saved at `path`, to go on in one process, which is told that its sums are others."""
    train = ranks.game("simultaneous", path)
    with pytest.warns(UserWarning, match="run.npz was computed with ranks = 2, this run with 1: .* not bit-identical"):
        checkpoint.restore(path, train)
    return train


@with_mpi
@pytest.mark.parametrize("way, says", [
    ("error", ["rank 1 of 2 fails, which ends the run:", "ValueError: no more"]),
    ("exit", []),                                               # of which no hook is told
    ("killed", ["ignal"]),                                      # mpiexec's own words, and the signal's number
    ("apart", ["after epoch 3 the ranks have different parameters"]),
])
def test_a_rank_that_fails_ends_the_run_and_leaves_the_checkpoint(way, says, tmp_path, float64):
    done = mpiexec(2, TESTS / "ranks.py", way, tmp_path, cwd=tmp_path)
    assert done.returncode != 0
    for words in says:
        assert words in done.stdout + done.stderr
    assert os.listdir(tmp_path) == ["run.npz"]
    train = restored(tmp_path / "run.npz")
    assert train.epoch in (2, 3)
    train.main_loop(4)
    assert train.epoch == 4


@with_mpi
def test_all_ranks_go_on_until_rank_0_has_saved(tmp_path, float64):
    done = mpiexec(2, TESTS / "ranks.py", "stopped", tmp_path, cwd=tmp_path)
    assert done.returncode == 143 and "rank 0 of 2 stops, which ends the run:" in done.stderr
    assert "stopped by SIGTERM after epoch 2, update 12; the last good checkpoint is" in done.stderr
    assert restored(tmp_path / "run.npz").updates == 12


@with_mpi
def test_mnist_on_two_ranks(tmp_path):
    """Nets of the authors' size, two updates; rank 0 alone writes and prints, and one process can go on from there."""
    fewer_samples = ("from npgan.monitor import LogLikelihood\nfrom npgan.parzen import SIGMAS\n"
                     "LogLikelihood.__init__.__defaults__ = None, 1500, 1, SIGMAS\n")
    (tmp_path / "stand_in.py").write_text(fewer_samples + RANDOM_MNIST)
    done = mpiexec(2, "stand_in.py", "--max_epochs", 1, "--mpi", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("seed 2014") == done.stdout.count("wrote mnist.npz") == done.stderr.count("epoch 1/1") == 1
    saved = checkpoint.load(tmp_path / "mnist.npz")
    assert saved.header["state"]["train.updates"] == 2 and len(saved.history["valid_log_likelihood"]) == 1
    assert type(saved.pair()).__name__ == "AdversaryPair"


@with_mpi
def test_a_minibatch_of_fewer_rows_than_ranks_is_refused(tmp_path):
    code = ("from npgan import mpi; import ranks; train = ranks.game('simultaneous'); train.batch_size = 23; "
            "mpi.share(train, mpi.start())")
    done = mpiexec(2, "-c", f"import sys; sys.path.append({str(TESTS)!r}); {code}", cwd=tmp_path)
    assert done.returncode != 0 and "a minibatch of 1 rows is too small for 2 ranks" in done.stderr


def test_without_mpi4py_start_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(BackendError, match=r'pip install "\.\[mpi\]"'):
        mpi.start()


def test_ranks_compute_on_numpy(monkeypatch):
    monkeypatch.setattr(backend.xp, "module", ranks)
    with pytest.raises(BackendError, match="choose the backend 'numpy'"):
        mpi.start()


def test_nothing_of_mpi4py_is_imported_before_it_is_asked_for():
    code = "import sys, npgan.mpi, npgan.train, npgan.parzen; print('mpi4py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=TESTS.parent, capture_output=True, text=True)
    assert done.stdout == "False\n"
