"""Section 7's scripts, run as a user runs them: briefly, on the digits that come with npgan."""
import os
import re

import pytest
from matplotlib.image import imread
from scripts import ROOT, mistake, play, run


@pytest.mark.parametrize("script, more", [("conditional.py", []), ("completion.py", ["--masks", "right_half"]),
                                          ("inference.py", []), ("semi_supervised.py", ["--draws", "1"])])
def test_a_brief_run_prints_its_numbers_and_draws(tmp_path, script, more, monkeypatch):
    stem = script[:-3]
    done = run(script, "--dataset", "digits", "--max_epochs", 2, *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"wrote {stem}.png" in done.stdout
    assert imread(tmp_path / f"{stem}.png")[..., :3].std() > .05
    if script == "conditional.py":
        assert re.search(r"of 10,000 samples \d+\.\d% are of the class that was asked for", done.stdout)
        assert len(re.findall(r"^ +\d  +\d+\.\d%.*\+-.*\+-", done.stdout, re.M)) == 10
        done = run(script, "--dataset", "digits", "--max_epochs", 3, "--resume", cwd=tmp_path)
        assert done.returncode == 2 and "saved with --max_epochs 2, this run has 3" in done.stderr
        with pytest.raises(ValueError, match="^conditional.npz: expected a generator that takes z alone, found a Cond"):
            play(monkeypatch, tmp_path, "semi_supervised.py", "--dataset", "digits", "conditional.npz")
    if script == "completion.py":
        assert len(re.findall(r" all +\d+\.\d% ", done.stdout)) == 7 and "NOT ALL" not in done.stdout
    if script == "inference.py":
        assert "G's parameters are as before: True" in done.stdout
        nearest = float(re.search(r"nearest training digit +(\d+\.\d\d)", done.stdout)[1])
        assert nearest == pytest.approx(1.25, abs=.01)              # of 300 digits to 1,197, whoever trains
        rows = re.findall(r"^.* \d+\.\d\d$", done.stdout, re.M)
        assert len(rows) == 7 and len(set(map(len, rows))) == 1     # one below the other
    if script == "semi_supervised.py":
        assert len(re.findall(r"^\D+( \d+\.\d\d){3}$", re.sub(" +", " ", done.stdout), re.M)) == 6
        assert "+-" not in done.stdout                              # one draw has no error
        assert ("--max_epochs 2 of 1000 shortens all trainings alike: inference nets make 6 updates in place of 3,000, "
                "classifiers of few labelled digits 10 in place of 1,000\n") in done.stdout
        with pytest.raises(ValueError, match="^--resume goes on .* semi_supervised.npz stands in place of; leave one"):
            play(monkeypatch, tmp_path, script, "--dataset", "digits", "semi_supervised.npz", "--resume")


@pytest.mark.parametrize("script, arguments, message", [
    ("conditional.py", ["--dataset", "cifar10"], "invalid choice: 'cifar10'"),
    ("completion.py", ["--masks", "left"], "invalid choice: 'left'"),
    ("semi_supervised.py", ["--dataset", "digits", "nowhere.npz"], "nowhere.npz"),
    ("conditional.py", ["--dataset", "digits", "--resume"], "No file conditional.npz; leave out --resume"),
    ("inference.py", ["--dataset", "mnist", "--resume"], "--resume goes on with a training of G, which on MNIST is"),
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
