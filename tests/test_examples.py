"""The gallery scripts, run as a user runs them: briefly, and with mistakes."""
import ast
import importlib
import io
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.image import imread
from scripts import ROOT, STAND_IN, mistake, output, play, prepare, run

from npgan import checkpoint
from npgan.adversarial import Generator
from npgan.backend import RandomStream
from npgan.datasets import finding
from npgan.layers import Sigmoid
from npgan.mlp import MLP
from npgan.section7.conditional import ConditionalGenerator, ConditionalRectifiedLinear


@pytest.fixture
def common(monkeypatch, tmp_path):
    """The module that all examples share, in an empty folder."""
    prepare(monkeypatch, tmp_path, "script.py")
    return importlib.import_module("common")


@pytest.fixture
def script_errors(common):
    return importlib.import_module("script_errors")


def test_scripts_draw_with_matplotlibs_own_settings(common, monkeypatch):
    """A user's matplotlibrc may turn pictures upside down, and require LaTeX though it is missing."""
    monkeypatch.setattr(sys, "argv", ["script.py"])
    with rc_context({"image.origin": "lower", "text.usetex": True}):
        common.options("A script.")
        assert rcParams["image.origin"] == "upper" and rcParams["text.usetex"] is False


def test_digits_trains_judges_and_draws(tmp_path):
    done = run("digits.py", "--max_epochs", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 3/3" in done.stderr and done.stdout.startswith("seed 2014\n")
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


def test_the_same_seed_gives_the_same_picture(tmp_path, monkeypatch):
    """In another process, too."""
    assert run("digits.py", "--max_epochs", 1, "--seed", 1, "--save_path", "a.png", cwd=tmp_path).returncode == 0
    for name, seed in (("b", 1), ("c", 2)):
        play(monkeypatch, tmp_path, "digits.py", "--max_epochs", 1, "--seed", seed, "--save_path", f"{name}.png")
    a, b, c = (imread(tmp_path / f"{name}.png") for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_sick_games_draws_four_games(tmp_path, monkeypatch):
    play(monkeypatch, tmp_path, "sick_games.py", "--max_epochs", 1)
    assert imread(tmp_path / "sick_games.png").shape[0] > 800


@pytest.mark.parametrize("compare, seeds, games", [("section7", 2, 8), ("options", 1, 13)])
def test_coordination_compares_game_by_game(tmp_path, compare, seeds, games, monkeypatch, capsys):
    """The table's means and standard errors are those of the games, of which a line each has told."""
    stdout = output(monkeypatch, capsys, tmp_path, "coordination.py", "--compare", compare, "--max_epochs", 1,
                    "--seeds", seeds)
    played = re.findall(r"^seed (\d+), (.*): (-?\d+\.\d) nats after", stdout, re.MULTILINE)
    table = re.findall(r"^  (\S.*?) +(-?\d+\.\d)(?: \+- (\S+))? +\d", stdout, re.MULTILINE)
    assert len(played) == seeds * games and len(table) == games
    assert len({seed for seed, *_ in played}) == seeds
    for name, mean, error in table:
        nats = [float(value) for _, game, value in played if game == name]
        assert len(nats) == seeds and float(mean) == pytest.approx(np.mean(nats), abs=.11)
        if seeds == 2:
            assert float(error) == pytest.approx(abs(nats[0] - nats[1]) / 2, abs=.11)
        else:
            assert error == "" and "error" not in stdout        # one game has none
    assert imread(tmp_path / "coordination.png").shape[0] > 700


@pytest.mark.parametrize("arguments, message", [
    (["--max_epochs", "0"], "--max_epochs: must be a whole number >= 1, got '0'"),
    (["--max_epochs", "many"], "--max_epochs: must be a whole number >= 1, got 'many'"),
    (["--seed", "-1"], "--seed: must be a whole number >= 0, got '-1'"),
    (["--backend", "theano"], "invalid choice: 'theano'"),
    (["--save_path", "nowhere/digits.png"], "cannot write to the folder"),
    (["--save_path", f"{__file__}/digits.png"], "test_examples.py: make it, or choose another"),
    (["--save_path", os.path.dirname(__file__)], "tests is a folder: give the path of a file"),
    (["--save_path", ".png"], "--save_path: must be a name ending in .png or .pdf or .svg, got '.png'"),
    (["--save_path", "digits.doc"], "--save_path: must be a name ending in .png or .pdf or .svg, got 'digits.doc'"),
    (["--resume"], "No file digits.npz; leave out --resume to start a new training"),
])
def test_a_mistake_ends_in_one_line_and_status_2(tmp_path, arguments, message, monkeypatch, capsys):
    assert message in mistake(monkeypatch, capsys, tmp_path, "digits.py", *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments, environment, message", [
    (["--resume"], {}, "No file digits.npz; leave out --resume to start a new training"),
    ([], {"NPGAN_BACKEND": "theano"}, "the backend must be one of numpy, cupy, got 'theano'"),
])
def test_a_mistake_ends_a_process_likewise(tmp_path, arguments, environment, message):
    done = run("digits.py", *arguments, cwd=tmp_path, **environment)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert message in done.stderr.strip().splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments, message", [
    (["--data_path", "nowhere"], "--data_path: there is no folder 'nowhere'"),
    (["--data_path", ""], "--data_path: there is no folder ''"),
    ([""], "checkpoint: must be the path of a file, got ''"),                 # a shell's variable that was not set
    (["--save_path", ""], "--save_path: must be a name ending in .npz, got ''"),
    (["--save_path", "a.png"], "--save_path: must be a name ending in .npz, got 'a.png'"),
    (["--json", "a.npy"], "--json: must be a name ending in .json, got 'a.npy'"),
    (["--json", "nowhere/a.json"], "--json: cannot write to the folder"),
])
def test_what_can_be_no_file_is_refused_at_once(common, arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["script.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        common.options("", save_path="run.npz", checkpoint=common.CHECKPOINT, json={"type": common.new_file(".json")})
    assert ended.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]


def test_only_a_generator_that_takes_z_alone_is_plain(common, tmp_path, capsys):
    """Which one it is gets printed; another is refused by the name of its file."""
    rng = RandomStream(1)
    checkpoint.save_generator("plain.npz", Generator(MLP([Sigmoid(5, 6, 1., rng)]), "uniform", rng))
    checkpoint.save_generator("c.npz", ConditionalGenerator(
        MLP([ConditionalRectifiedLinear(nvis=7, dim=6, irange=1., rng=rng, ncond=2)]), ncond=2, rng=rng))
    saved, G = common.plain_generator("plain.npz")
    assert G.mlp.dim == 6 and saved.path == "plain.npz" and capsys.readouterr().out == "reading plain.npz\n"
    with pytest.raises(ValueError, match="^c.npz: expected a generator that takes z alone, found a Conditional"):
        common.plain_generator("c.npz")
    if finding.find("mnist_generator.npz"):
        common.plain_generator(None)
        assert "reading the generator that comes with npgan, " in capsys.readouterr().out


def test_resuming_with_another_option_names_the_option(tmp_path, monkeypatch, capsys):
    """The checkpoint knows the epochs only as `saturate` of a schedule, which users of the script never see."""
    play(monkeypatch, tmp_path, "digits.py", "--max_epochs", 2)
    line = mistake(monkeypatch, capsys, tmp_path, "digits.py", "--max_epochs", 3, "--resume")
    assert line.endswith("error: digits.npz was saved with --max_epochs 2, this run has 3; give all options as before, "
                         "or leave out --resume and choose another --save_path")
    done = run("digits.py", "--max_epochs", 2, "--resume", cwd=tmp_path)
    assert done.returncode == 0 and "resuming after epoch 2, update 24" in done.stdout


def test_endings_may_be_capital_letters(tmp_path, monkeypatch):
    play(monkeypatch, tmp_path, "digits.py", "--max_epochs", 1, "--save_path", "OUT.PNG")
    assert imread(tmp_path / "OUT.PNG", format="png").shape[0] > 400


def test_a_channel_measured_earlier_is_shown_with_its_epoch(common, monkeypatch, capsys):
    progress = importlib.import_module("progress").Progress(
        9, SimpleNamespace(history={"epoch": [0, 1, 2], "D": [.5, .6, .7], "nats": [-3.], "nats_epoch": [0]}),
        {"D(x)": "D", "log-likelihood": "nats"})
    game = SimpleNamespace(epoch=2, updates=4, dataset=[0] * 4, batch_size=2,
                           step=SimpleNamespace(rule_G=SimpleNamespace(learning_rate=.1)))
    progress.begin(game)
    progress.show(game)
    assert capsys.readouterr().err.rstrip().endswith("D(x) 0.700  log-likelihood -3.000 (epoch 0)")


def test_importing_the_scripts_modules_installs_no_hooks():
    """`%run` and imports in a notebook leave Python's own error and warning reports in place."""
    code = ("import sys, warnings, builtins; before = sys.excepthook, warnings.formatwarning; import common; "
            "assert (sys.excepthook, warnings.formatwarning) == before; builtins.__IPYTHON__ = True; "
            "sys.argv[1:] = []; common.options(''); assert (sys.excepthook, warnings.formatwarning) == before")
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'examples'}", "NPGAN_BACKEND": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("columns", [20, 60, 200])
def test_the_progress_line_fits_into_its_terminal(common, columns, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    progress = importlib.import_module("progress").Progress(2)
    game = SimpleNamespace(epoch=1, updates=3, dataset=[0] * 4, batch_size=2,
                           step=SimpleNamespace(rule_G=SimpleNamespace(learning_rate=.1)))
    progress.begin(game)
    progress.show(game)
    begin, line = terminal.getvalue().split("\r")
    assert begin == "" and len(line) == columns - 1 and line.startswith("epoch 1/2  batch 1/")


def test_a_warning_is_shown_without_its_place_in_npgan(script_errors, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["folder/script.py"])
    place = "npgan/train.py", 7
    assert script_errors.format_warning("beware", UserWarning, *place) == "\nscript.py: warning: beware\n"
    assert script_errors.format_warning("soon gone", DeprecationWarning, *place) == (
        "\nscript.py: warning: soon gone (DeprecationWarning, npgan/train.py:7)\n")


def test_output_goes_on_where_it_cannot_be_shown(tmp_path):
    """With standard error closed, and a name that standard output has no letters for."""
    (tmp_path / "telling.py").write_text("import common\nimport progress\ncommon.options('')\nprogress.Progress(1)\n"
                                         "print('wrote \u6570.png')\n", "utf-8")
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'examples'}", "PYTHONIOENCODING": "latin-1",
           "NPGAN_BACKEND": ""}
    done = subprocess.run(["sh", "-c", '"$0" telling.py 2>&-', sys.executable], cwd=tmp_path, env=env,
                          capture_output=True, timeout=120)
    assert done.returncode == 0 and done.stdout == b"wrote \\u6570.png\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_pipe_that_nobody_reads_ends_a_script_quietly(tmp_path, unbuffered):
    (tmp_path / "telling.py").write_text("import common\ncommon.options('')\nprint('told')\n")
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'examples'}", "PYTHONUNBUFFERED": unbuffered,
           "NPGAN_BACKEND": ""}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, tmp_path / "telling.py"], env=env, stdout=writer, stderr=subprocess.PIPE,
                          timeout=120)
    os.close(writer)
    assert done.returncode == 141 and done.stderr == b""


@pytest.mark.parametrize("way, cupy, says", [
    ("option", "raise ModuleNotFoundError('no', name='cupy')",
     "error: the backend 'cupy' needs the package CuPy, which is not installed: python -m pip install \".[gpu]\""),
    ("environment", "raise ImportError('libcuda.so.1: cannot open shared object file')",
     "error: CuPy is installed, but the NVIDIA driver"),
])
def test_cupy_that_cannot_run_says_what_to_install(tmp_path, way, cupy, says):
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
    assert re.search(r"error: Out of memory allocating 340,000,000,000 bytes.*[^.]; take a smaller --batch_size", told)
    assert all(way in told for way in ("--batch_size", "--scale", "--num_samples", "--backend numpy"))


def test_a_bug_in_an_example_keeps_its_place(tmp_path):
    (tmp_path / "buggy.py").write_text("import common\ncommon.options('')\n1 + None\n")
    done = run(tmp_path / "buggy.py", cwd=tmp_path, NPGAN_BACKEND="",
               PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'examples'}")
    assert done.returncode == 2 and "buggy.py:3; NPGAN_TRACEBACK=1 shows the whole trace" in done.stderr


def test_a_damaged_data_file_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "digits.npy").write_bytes(b"not digits")
    line = mistake(monkeypatch, capsys, tmp_path, "digits.py", "--data_path", tmp_path)
    assert str(tmp_path / "digits.npy") in line


def test_a_missing_npgan_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.delenv("NPGAN_BACKEND", raising=False)
    if subprocess.run([sys.executable, "-I", "-c", "import npgan"], cwd=tmp_path, capture_output=True).returncode == 0:
        pytest.skip("npgan is installed here")
    done = run("digits.py", cwd=tmp_path, PYTHONPATH="")
    assert done.returncode == 2 and "python -m pip install ." in done.stderr


SHARED = "common.py", "progress.py", "script_errors.py", "section5.py", "section7.py", "toy.py"      # by other scripts


@pytest.mark.parametrize("script", [
    *sorted({path.name for path in (ROOT / "examples").glob("*.py")} - set(SHARED)),
    "backprop_by_hand/check.py", "backprop_by_hand/draw.py"])
def test_a_missing_numpy_says_how_to_install_it(tmp_path, script):
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError('No module named numpy', name='numpy')")
    done = run(script, cwd=tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    told, = done.stderr.strip().splitlines()
    assert done.returncode == 2 and told.endswith("No module named numpy; install it with: python -m pip install .")


def test_who_stops_a_training_is_told_the_command_that_goes_on(tmp_path):
    (tmp_path / "stopped.py").write_text(
        "import script_errors\nfrom npgan.interruption import TrainingStopped\nscript_errors.install()\n"
        "raise TrainingStopped('stopped by SIGINT; the last good checkpoint is a.npz', 2)\n")
    options = "--learning_rate .5 --init_momentum .5 --max_epochs 10 --seed 10"
    for more, resume in (("", " --resume"), (" --resume", "")):
        done = run(tmp_path / "stopped.py", *(options + more).split(), cwd=tmp_path, NPGAN_BACKEND="",
                   PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'examples'}")
        assert done.returncode == 130
        assert done.stderr == ("\nstopped by SIGINT; the last good checkpoint is a.npz; resume with: python "
                               f"{tmp_path / 'stopped.py'} {options}{more}{resume}\n")


def test_who_stops_a_script_after_its_training_is_told_where_that_is(tmp_path):
    (tmp_path / "judging.py").write_text(
        "import progress\nimport script_errors\nfrom types import SimpleNamespace as Some\nscript_errors.install()\n"
        "train = Some(epoch=1, updates=1, stop=False, checkpoint='a.npz', dataset=[0], batch_size=1,\n"
        "             step=Some(rule_G=Some(learning_rate=1)))\n"
        "progress.Progress(1).on_monitor(train)\nraise KeyboardInterrupt\n")
    done = run(tmp_path / "judging.py", cwd=tmp_path, NPGAN_BACKEND="",
               PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'examples'}")
    assert done.returncode == 130
    assert done.stderr.endswith("\nstopped by hand after the training, whose checkpoint is a.npz; resume with: python "
                                f"{tmp_path / 'judging.py'} --resume\n")


def test_every_script_says_what_it_does():
    for script in (ROOT / "examples").glob("*.py"):
        told = ast.get_docstring(ast.parse(script.read_text()))
        assert told and (script.name in SHARED or re.search(r"\b([Ww]rites|[Pp]rints)\b", told)), script.name
