"""The gallery scripts, run as a user runs them: briefly, and with mistakes."""
import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

ROOT = Path(__file__).resolve().parents[1]
STAND_IN = Path(__file__).resolve().with_name("stand_in")


def run(script, *arguments, cwd, **environment):
    """The finished process of an example, its output as text; npgan is this tree's."""
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    env = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", **environment}
    return subprocess.run([sys.executable, ROOT / "examples" / script, *map(str, arguments)], cwd=cwd, env=env,
                          capture_output=True, text=True, timeout=120)


def test_digits_trains_judges_and_draws(tmp_path):
    done = run("digits.py", "--max_epochs", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 3/3" in done.stderr
    rows = [line for line in done.stdout.splitlines() if " +- " in line]
    assert [row.split("  ")[1] for row in rows] == ["adversarial nets", "training rows", "k-means centres",
                                                    "factorial Gaussian"]
    ours, real, kmeans, factorial = (float(row[30:].split()[0]) for row in rows)
    # 1,000 real digits, whoever trains; another draw of 1,000 of the 1,197 fails with probability 1e-10, being 6.4
    # standard deviations away
    assert real == pytest.approx(26.2, abs=2)
    assert factorial < 0 < real and ours < real
    picture = imread(tmp_path / "digits.png")
    assert picture.shape[0] > 400 and picture[..., :3].std() > .1


def test_the_same_seed_gives_the_same_picture(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("digits.py", "--max_epochs", 1, "--seed", seed, "--save_path", f"{name}.png",
                   cwd=tmp_path).returncode == 0
    a, b, c = (imread(tmp_path / f"{name}.png") for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_sick_games_draws_four_games(tmp_path):
    done = run("sick_games.py", "--max_epochs", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert imread(tmp_path / "sick_games.png").shape[0] > 800


@pytest.mark.parametrize("compare, seeds, games", [("section7", 2, 8), ("options", 1, 13)])
def test_coordination_compares_game_by_game(tmp_path, compare, seeds, games):
    """The table's means and standard errors are those of the games, of which a line each has told."""
    done = run("coordination.py", "--compare", compare, "--max_epochs", 1, "--seeds", seeds, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    played = re.findall(r"^seed (\d+), (.*): (-?\d+\.\d) nats after", done.stdout, re.MULTILINE)
    table = re.findall(r"^  (\S.*?) +(-?\d+\.\d) \+- (\S+) +\d", done.stdout, re.MULTILINE)
    assert len(played) == seeds * games and len(table) == games
    assert len({seed for seed, *_ in played}) == seeds
    for name, mean, error in table:
        nats = [float(value) for _, game, value in played if game == name]
        assert len(nats) == seeds and float(mean) == pytest.approx(np.mean(nats), abs=.11)
        if seeds == 2:
            assert float(error) == pytest.approx(abs(nats[0] - nats[1]) / 2, abs=.11)
        else:
            assert error == "nan"                               # one game has no error
    assert imread(tmp_path / "coordination.png").shape[0] > 700


@pytest.mark.parametrize("arguments, environment, message", [
    (["--max_epochs", "0"], {}, "--max_epochs: must be a whole number >= 1, got '0'"),
    (["--max_epochs", "many"], {}, "--max_epochs: must be a whole number >= 1, got 'many'"),
    (["--seed", "-1"], {}, "--seed: must be a whole number >= 0, got '-1'"),
    (["--backend", "theano"], {}, "invalid choice: 'theano'"),
    (["--save_path", "nowhere/digits.png"], {}, "cannot write to the folder"),
    (["--save_path", f"{__file__}/digits.png"], {}, "test_examples.py: make it, or choose another"),
    (["--resume"], {}, "digits.npz: expected a whole checkpoint of npgan, found [Errno 2]"),
    (["--save_path", os.path.dirname(__file__)], {}, "tests is a folder: give the path of a file"),
    (["--save_path", ".png"], {}, "--save_path: must be a name ending in .png or .pdf or .svg, got '.png'"),
    (["--save_path", "digits.doc"], {}, "--save_path: must be a name ending in .png or .pdf or .svg, got 'digits.doc'"),
    ([], {"NPGAN_BACKEND": "theano"}, "the backend must be one of numpy, cupy, got 'theano'"),
])
def test_a_mistake_ends_in_one_line_and_status_2(tmp_path, arguments, environment, message):
    done = run("digits.py", *arguments, cwd=tmp_path, **environment)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert message in done.stderr.strip().splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cupy, says", [
    ("raise ModuleNotFoundError('no', name='cupy')", 'error: the backend \'cupy\' needs the package CuPy, which is not '
     'installed: python -m pip install ".[gpu]" for CUDA 12'),
    ("raise ImportError('libcuda.so.1: cannot open shared object file')",
     "error: CuPy is installed, but the NVIDIA driver"),
])
@pytest.mark.parametrize("way", ["option", "environment"])
def test_cupy_that_cannot_run_says_what_to_install(tmp_path, cupy, says, way):
    (tmp_path / "cupy.py").write_text(cupy)
    arguments, environment = (["--backend", "cupy"], {}) if way == "option" else ([], {"NPGAN_BACKEND": "cupy"})
    done = run("digits.py", *arguments, cwd=tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}",
               **{"NPGAN_BACKEND": "", **environment})
    told, = done.stderr.strip().splitlines()
    assert done.returncode == 2 and says.split("error: ")[1] in told


def test_digits_trains_on_the_stand_in_for_cupy(tmp_path):
    """By ``--backend cupy``, from the first parameter to the picture; its numbers come from a stream of its own."""
    done = run("digits.py", "--backend", "cupy", "--max_epochs", 2, cwd=tmp_path, NPGAN_BACKEND="",
               PYTHONPATH=f"{ROOT}{os.pathsep}{STAND_IN}")
    assert done.returncode == 0, done.stderr
    assert "epoch 2/2" in done.stderr and "training rows" in done.stdout
    assert imread(tmp_path / "digits.png")[..., :3].std() > .1


def test_too_little_memory_says_how_to_shrink(tmp_path):
    (tmp_path / "big.py").write_text(
        "import common\nfrom npgan.backend import xp\ncommon.options('')\n"
        "raise xp.cuda.memory.OutOfMemoryError(340000000000, 80000000000)\n")
    done = run(tmp_path / "big.py", "--backend", "cupy", cwd=tmp_path, NPGAN_BACKEND="",
               PYTHONPATH=os.pathsep.join(map(str, (ROOT, ROOT / "examples", STAND_IN))))
    told, = done.stderr.strip().splitlines()
    assert done.returncode == 2
    assert "error: Out of memory allocating 340,000,000,000 bytes" in told
    assert all(way in told for way in ("--batch_size", "--scale", "--num_samples", "--backend numpy"))


def test_a_bug_in_an_example_keeps_its_place(tmp_path):
    (tmp_path / "buggy.py").write_text("import common\n\n1 + None\n")
    done = run(tmp_path / "buggy.py", cwd=tmp_path, NPGAN_BACKEND="",
               PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'examples'}")
    assert done.returncode == 2 and "buggy.py:3; NPGAN_TRACEBACK=1 shows the whole trace" in done.stderr


def test_a_damaged_data_file_is_named(tmp_path):
    (tmp_path / "digits.npy").write_bytes(b"not digits")
    done = run("digits.py", "--data_path", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert str(tmp_path / "digits.npy") in done.stderr.strip().splitlines()[-1]


def test_a_missing_npgan_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.delenv("NPGAN_BACKEND", raising=False)
    if subprocess.run([sys.executable, "-I", "-c", "import npgan"], cwd=tmp_path, capture_output=True).returncode == 0:
        pytest.skip("npgan is installed here")
    done = run("digits.py", cwd=tmp_path, PYTHONPATH="")
    assert done.returncode == 2 and "python -m pip install ." in done.stderr


SHARED = "common.py", "section5.py", "section7.py", "toy.py"           # by other scripts


@pytest.mark.parametrize("script", sorted({path.name for path in (ROOT / "examples").glob("*.py")} - set(SHARED)))
def test_a_missing_numpy_says_how_to_install_it(tmp_path, script):
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError('No module named numpy', name='numpy')")
    done = run(script, cwd=tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    told, = done.stderr.strip().splitlines()
    assert done.returncode == 2 and told.endswith("No module named numpy; install it with: python -m pip install .")


def test_who_stops_a_training_is_told_the_command_that_goes_on(tmp_path):
    (tmp_path / "stopped.py").write_text(
        "import common\nfrom npgan.interruption import TrainingStopped\n"
        "raise TrainingStopped('stopped by SIGINT; the last good checkpoint is a.npz', 2)\n")
    options = "--learning_rate .5 --init_momentum .5 --max_epochs 10 --seed 10"
    for more, resume in (("", " --resume"), (" --resume", "")):
        done = run(tmp_path / "stopped.py", *(options + more).split(), cwd=tmp_path, NPGAN_BACKEND="",
                   PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'examples'}")
        assert done.returncode == 130
        assert done.stderr == ("\nstopped by SIGINT; the last good checkpoint is a.npz; go on with: python "
                               f"{tmp_path / 'stopped.py'} {options}{more}{resume}\n")


def test_who_stops_a_script_after_its_training_is_told_where_that_is(tmp_path):
    (tmp_path / "judging.py").write_text(
        "import common\nfrom types import SimpleNamespace as Some\n"
        "train = Some(epoch=1, updates=1, stop=False, checkpoint='a.npz', dataset=[0], batch_size=1,\n"
        "             step=Some(rule_G=Some(learning_rate=1)))\n"
        "common.Progress(1).on_monitor(train)\nraise KeyboardInterrupt\n")
    done = run(tmp_path / "judging.py", cwd=tmp_path, NPGAN_BACKEND="",
               PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'examples'}")
    assert done.returncode == 130
    assert done.stderr.endswith("\nstopped by hand after the training, whose checkpoint is a.npz; go on with: python "
                                f"{tmp_path / 'judging.py'} --resume\n")


def test_every_script_says_what_it_does():
    for script in (ROOT / "examples").glob("*.py"):
        told = ast.get_docstring(ast.parse(script.read_text()))
        assert told and (script.name == "common.py" or re.search(r"\b([Ww]rites|[Pp]rints)\b", told)), script.name
