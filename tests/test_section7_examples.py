"""Section 7's scripts, run as a user runs them: briefly, on the digits that come with npgan."""
import os
import re

import pytest
from matplotlib.image import imread
from scripts import ROOT, mistake, play, run

from npgan.datasets import Dataset, digits


def assert_drawn(path):
    assert imread(path)[..., :3].std() > .05


def test_conditional_judges_the_samples_of_each_class(tmp_path, monkeypatch):
    done = run("conditional.py", "--dataset", "digits", "--max_epochs", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"of 10,000 samples \d+\.\d% are of the class that was asked for", done.stdout)
    assert len(re.findall(r"^ +\d  +\d+\.\d%.*\+-.*\+-", done.stdout, re.M)) == 10
    assert "wrote conditional.png" in done.stdout
    assert_drawn(tmp_path / "conditional.png")
    with pytest.raises(ValueError, match="^conditional.npz: expected a generator that takes z alone, found a Cond"):
        play(monkeypatch, tmp_path, "semi_supervised.py", "--dataset", "digits", "conditional.npz")


def test_resuming_with_other_epochs_is_refused_by_the_option(tmp_path, monkeypatch, capsys):
    play(monkeypatch, tmp_path, "inference.py", "--dataset", "digits", "--max_epochs", 1)
    line = mistake(monkeypatch, capsys, tmp_path, "inference.py", "--dataset", "digits", "--max_epochs", 2, "--resume")
    assert "saved with --max_epochs 1, this run has 2" in line


def test_completion_fills_in_every_mask(tmp_path, monkeypatch, capsys):
    play(monkeypatch, tmp_path, "completion.py", "--dataset", "digits", "--max_epochs", 1, "--masks", "right_half")
    stdout = capsys.readouterr().out
    assert len(re.findall(r" all +\d+\.\d% ", stdout)) == 7 and "NOT ALL" not in stdout
    assert "wrote completion.png" in stdout
    assert_drawn(tmp_path / "completion.png")


def test_inference_leaves_g_alone_and_knows_the_nearest_digits(tmp_path, monkeypatch, capsys):
    play(monkeypatch, tmp_path, "inference.py", "--dataset", "digits", "--max_epochs", 2)
    stdout = capsys.readouterr().out
    assert "G's parameters are as before: True" in stdout
    nearest = float(re.search(r"nearest training digit +(\d+\.\d\d)", stdout)[1])
    assert nearest == pytest.approx(1.25, abs=.01)              # of 300 digits to 1,197, whatever the training
    rows = re.findall(r"^.* \d+\.\d\d$", stdout, re.M)
    assert len(rows) == 7 and len(set(map(len, rows))) == 1     # one below the other
    assert "wrote inference.png" in stdout
    assert_drawn(tmp_path / "inference.png")


def test_semi_supervised_compares_six_classifiers(tmp_path, monkeypatch, capsys):
    """On 200 training digits in place of 1,197: linear classifiers take their time however short the game is."""
    def fewer(which, load=digits.load):
        data = load(which)
        return Dataset(data.X[:200], data.y[:200], data.shape, data.name)

    monkeypatch.setattr(digits, "load", fewer)
    play(monkeypatch, tmp_path, "semi_supervised.py", "--dataset", "digits", "--max_epochs", 2, "--draws", 1)
    stdout = capsys.readouterr().out
    assert len(re.findall(r"^\D+( \d+\.\d\d)$", re.sub(" +", " ", stdout), re.M)) == 6         # of 100 labels
    assert "+-" not in stdout                                   # one draw has no error
    assert ("--max_epochs 2 of 1000 shortens all trainings alike: inference nets make 6 updates in place of 3,000, "
            "classifiers of few labelled digits 10 in place of 1,000\n") in stdout
    assert "wrote semi_supervised.png" in stdout
    assert_drawn(tmp_path / "semi_supervised.png")
    with pytest.raises(ValueError, match="^--resume resumes .* semi_supervised.npz replaces the training; leave one"):
        play(monkeypatch, tmp_path, "semi_supervised.py", "--dataset", "digits", "semi_supervised.npz", "--resume")


@pytest.mark.parametrize("script, arguments, message", [
    ("conditional.py", ["--dataset", "cifar10"], "invalid choice: 'cifar10'"),
    ("completion.py", ["--masks", "left"], "invalid choice: 'left'"),
    ("semi_supervised.py", ["--dataset", "digits", "nowhere.npz"], "nowhere.npz"),
    ("conditional.py", ["--dataset", "digits", "--resume"], "No file conditional.npz; leave out --resume"),
    ("inference.py", ["--dataset", "mnist", "--resume"], "--resume resumes the training of G, but on MNIST"),
])
def test_a_mistake_ends_in_one_line_and_status_2(tmp_path, script, arguments, message, monkeypatch, capsys):
    assert message in mistake(monkeypatch, capsys, tmp_path, script, *arguments)


def test_an_E_that_diverges_is_told(tmp_path):
    (tmp_path / "diverging.py").write_text("""if True:
        from types import SimpleNamespace as Some
        import script_errors
        from section7 import MLP, Generator, Inferer, Linear, RandomStream, train_inferer
        from npgan.section7.inference import inference_step

        script_errors.install()
        rng = RandomStream(1)
        E = Inferer(MLP([Linear(3, 2, 1., rng)]), Generator(MLP([Linear(2, 3, 1., rng)]), rng=rng))
        chosen = Some(numbers=Some(learning_rate_E=1e20, inference_updates=150))
        train_inferer(E, chosen, lambda E, rule: inference_step(E, rule, 5))
        """)
    done = run(tmp_path / "diverging.py", cwd=tmp_path, NPGAN_BACKEND="",
               PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'examples'}")
    assert done.returncode == 2
    assert "error: E's y.W is not finite after update 50; a smaller learning rate" in done.stderr.splitlines()[-1]
