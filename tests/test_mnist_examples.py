"""The scripts about trained models, run as a user runs them: on small checkpoints, and with mistakes."""
import json
import os
import re

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.testing import assert_allclose, assert_array_equal
from scripts import RANDOM_MNIST, ROOT, mistake, output, play, run

from npgan import checkpoint, parzen
from npgan.adversarial import AdversaryPair, Generator, SimultaneousSteps
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.checkpoint import archive
from npgan.datasets import digits, finding, mnist
from npgan.files import DataError
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.schedules import PolyakAverage
from npgan.train import Train

PAGE = (ROOT / "examples" / "mnist.rst").read_text(encoding="utf-8")
HAS_MNIST = bool(finding.find("mnist/train-images-idx3-ubyte"))


def save_generator(path, dim):
    rng = RandomStream(1)
    note = {"seed": 7, "epochs": 80}
    checkpoint.save_generator(path, Generator(MLP([Sigmoid(5, dim, 1., rng)]), "uniform", rng), note=note)
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The checkpoint of a small pair after one epoch of digits, its G averaged."""
    path, rng = tmp_path_factory.mktemp("pair") / "pair.npz", RandomStream([5, 1])
    G = Generator(MLP([RectifiedLinear(5, 8, .5, rng), Sigmoid(8, 64, .5, rng)]), "uniform", rng)
    D = MLP([Dropout(.8, rng=rng), Maxout(64, 6, 5, .05, rng), Linear(6, 1, .05, rng)])
    step = SimultaneousSteps(AdversaryPair(G, D), Momentum(.1), Momentum(.1))
    train = Train(step, digits.load("train"), 100, RandomStream([5, 0]), [PolyakAverage(G, .9)])
    train.main_loop(1)
    checkpoint.save(path, train)
    return path


def test_parzen_ll_prints_and_keeps_what_evaluate_finds(pair, tmp_path, monkeypatch, capsys):
    stdout = output(monkeypatch, capsys, tmp_path, "parzen_ll.py", pair, "--dataset", "digits", "--num_samples", 300,
                    "--fine", "--sanity", "--samples_out", "samples.npy", "--json", "result.json")
    samples = np.load(tmp_path / "samples.npy")
    assert samples.shape == (300, 64)
    expected = parzen.evaluate(digits.load("test").X, digits.load("valid").X, asarray(samples))
    lines = stdout.splitlines()
    assert lines[:2] == ["seed 2014", f"reading {pair}"]
    assert [line for line in lines if line.startswith("test log-likelihood: ")] == [str(expected)]
    assert [line.split()[0] for line in lines[3:13]] == [f"{sigma:.4f}" for sigma in parzen.SIGMAS]
    assert f"{expected.sigma:.4f}" in next(line for line in lines if line.endswith("largest"))
    assert sum("not the claim" in line for line in lines) == 1
    assert [line[:30].strip() for line in lines[-6:]] == [
        "training rows", "k-means centres", "factorial Gaussian", "G's, blurred by half a pixel", "G's, times .9",
        "G's, five times as many"]
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["mean"] == pytest.approx(expected.mean) and found["curve"] == pytest.approx(expected.curve)
    assert {name: found[name] for name in ("dataset", "num_samples", "checkpoint", "average", "seed", "epoch",
                                         "sampling_seed")} == {
        "dataset": "digits", "num_samples": 300, "checkpoint": "pair.npz", "average": True, "seed": 5, "epoch": 1,
        "sampling_seed": 2014}


def test_raw_samples_are_those_of_the_last_parameters(pair, tmp_path, monkeypatch, capsys):
    stdout = output(monkeypatch, capsys, tmp_path, "parzen_ll.py", pair, "--raw", "--dataset", "digits",
                    "--num_samples", 10, "--sigma", .3, "--samples_out", "raw.npy")
    assert "sigma 0.3, 10 samples" in stdout
    G = checkpoint.load(pair).generator(average=False, rng=RandomStream([2014, 6]))
    assert_array_equal(np.load(tmp_path / "raw.npy"), to_numpy(G.sample(10)))


def test_table_1_has_the_papers_rows_and_one_for_each_seed(tmp_path, monkeypatch, capsys):
    row = {"dataset": "mnist", "mean": 223.96, "standard_error": 2.04, "sigma": .17, "num_samples": 10000, "epoch": 80}
    for name, more in (("a", {"seed": 1}), ("b", {"seed": 2}), ("c", {"seed": 1, "dataset": "digits"})):
        (tmp_path / f"{name}.json").write_text(json.dumps({**row, **more}))
    stdout = output(monkeypatch, capsys, tmp_path, "table1.py", "a.json", "b.json", "c.json")
    words = [line.split() for line in stdout.splitlines()]
    assert words[1:5] == [["DBN", "138", "+-", "2", "1909", "+-", "66"],
                          ["Stacked", "CAE", "121", "+-", "1.6", "2110", "+-", "50"],
                          ["Deep", "GSN", "214", "+-", "1.1", "1890", "+-", "29"],
                          ["Adversarial", "nets", "225", "+-", "2", "2057", "+-", "26"]]
    assert [line[:8] for line in words[6:8]] == [["npgan,", "seed", f"{seed},", "epoch", "80", "224.0", "+-", "2.0"]
                                                 for seed in (1, 2)]
    assert "c.json is left out: Table 1 has no digits" in stdout


@pytest.mark.parametrize("text", [
    '{"mean": 1%s}' % ("0" * 400), "[" * 100_000, '{"mean": "\\u001b[2J"}', "[]", "{}", '{"mean": NaN}'])
def test_table_1_names_a_file_that_holds_nonsense(text, tmp_path, monkeypatch):
    row = {"dataset": "mnist", "mean": 1, "standard_error": 2, "sigma": 3, "num_samples": 4}
    (tmp_path / "a.json").write_text(f"{json.dumps(row)[:-1]}, {text[1:]}" if text[1:2] == '"' else text)
    with pytest.raises(ValueError, match="^a.json: expected a result of parzen_ll.py, found .*; measure") as told:
        play(monkeypatch, tmp_path, "table1.py", "a.json")
    assert str(told.value).isprintable()


def test_table_1_prints_nothing_that_a_terminal_would_obey(tmp_path, monkeypatch, capsys):
    row = {"dataset": "mnist", "mean": 1, "standard_error": 2, "sigma": 3, "num_samples": 4, "seed": "\x1b[2J"}
    for name, dataset in (("a", "mnist"), ("b", "\x1b[1m")):
        (tmp_path / f"{name}.json").write_text(json.dumps({**row, "dataset": dataset}))
    play(monkeypatch, tmp_path, "table1.py", "a.json", "b.json")
    told = capsys.readouterr().out
    assert "\x1b" not in told and r"npgan, seed \x1b[2J" in told and r"Table 1 has no \x1b[1m" in told


def test_figure_3_draws_without_data(pair, tmp_path, monkeypatch):
    monkeypatch.setenv("NPGAN_DATA_PATH", str(tmp_path))
    play(monkeypatch, tmp_path, "figure3.py", pair, "--seed", 3)
    picture = imread(tmp_path / "figure3.png")
    assert picture.shape[0] > 300 and picture[..., :3].std() > .05


def test_the_generator_that_comes_with_npgan_is_found_or_missed_by_name(tmp_path):
    done = run("figure3.py", cwd=tmp_path, NPGAN_DATA_PATH="", XDG_CACHE_HOME=str(tmp_path))
    if (ROOT / "data" / "mnist_generator.npz").is_file():
        assert done.returncode == 0 and (tmp_path / "figure3.png").is_file()
    else:
        assert done.returncode == 2 and "nor was a checkpoint named" in done.stderr.strip().splitlines()[-1]


def test_show_weights_draws_both_nets_or_g_alone(pair, tmp_path, monkeypatch, capsys):
    play(monkeypatch, tmp_path, "show_weights.py", pair)
    assert sorted(os.listdir(tmp_path)) == ["show_weights_D.png", "show_weights_G.png"]
    alone = output(monkeypatch, capsys, tmp_path, "show_weights.py", save_generator(tmp_path / "alone.npz", 64),
                   "--save_path", "alone.png")
    assert alone.splitlines()[1:] == ["wrote alone_G.png"]


def test_show_weights_names_a_file_whose_layers_have_none_to_show(tmp_path, monkeypatch):
    rng = RandomStream(1)
    G = Generator(MLP([MLP([Sigmoid(5, 64, 1., rng)])]), "uniform", rng)
    checkpoint.save_generator(tmp_path / "nested.npz", G)
    with pytest.raises(ValueError, match="^nested.npz: expected a matrix of weights in the last layer of G, found a M"):
        play(monkeypatch, tmp_path, "show_weights.py", "nested.npz")


@pytest.mark.skipif(not HAS_MNIST, reason="MNIST is not in NPGAN_DATA_PATH, data or the cache")
def test_figure_2_is_a_sheet_of_samples_and_training_digits(tmp_path, monkeypatch):
    play(monkeypatch, tmp_path, "figure2_mnist.py", save_generator(tmp_path / "generator.npz", 784))
    picture = imread(tmp_path / "figure2_mnist.png")[..., :3]
    assert (picture == (1, 1, 0)).all(axis=-1).any() and picture.shape[1] > picture.shape[0]


def test_the_page_has_the_log_likelihoods_that_were_measured():
    paths = sorted((ROOT / "examples" / "figures").glob("mnist_seed?*.json"))
    assert len(paths) == 6                                      # three seeds, averaged and raw
    for path in paths:
        found = json.loads(path.read_text())
        assert f"{found['mean']:.1f} ± {found['standard_error']:.1f}" in PAGE, path.name


@pytest.mark.skipif(not HAS_MNIST, reason="MNIST is not in NPGAN_DATA_PATH, data or the cache")
@pytest.mark.numpy_only
def test_the_generator_that_comes_with_npgan_has_the_log_likelihood_on_the_page(tmp_path, monkeypatch, capsys):
    """With the script's seed; other samples may differ by a nat or two, and no false-alarm bound is claimed."""
    stdout = output(monkeypatch, capsys, tmp_path, "parzen_ll.py")
    line = r"^ *test log-likelihood: (\S+) \+- \S+ nats \(sigma (\S+), 10000 samples\)$"
    found, stated = (re.search(line, text, re.MULTILINE) for text in (stdout, PAGE))
    assert float(found[1]) == pytest.approx(float(stated[1]), abs=1) and found[2] == stated[2]


def test_mnist_takes_other_numbers_than_the_authors(tmp_path, monkeypatch):
    script = tmp_path / "stand_in.py"
    script.write_text(RANDOM_MNIST)
    monkeypatch.setattr(mnist, "load", mnist.load)              # which the script replaces
    play(monkeypatch, tmp_path, script, "--max_epochs", 1, "--learning_rate", .05, "--decay_factor", 1.25,
         "--init_momentum", .25, "--final_momentum", .75, "--average", .5, "--batch_size", 50, "--noise", "gaussian",
         "--discriminator_steps", 2)
    header = checkpoint.load(tmp_path / "mnist.npz").header
    assert header["run"]["generator"]["noise"] == "gaussian" and header["run"]["batch_size"] == 50
    assert header["run"]["step"] == {"kind": "SeparateSteps", "discriminator_steps": 2, "generator_steps": 1,
                                     "generator_loss": {"kind": "NonSaturating"}}
    state = header["state"]
    assert state["rule_G.learning_rate"] == pytest.approx(.05 / 1.25 ** 4) == state["rule_D.learning_rate"]
    assert state["rule_D.momentum"] == pytest.approx(.25 + .5 / 249)
    assert header["run"]["extensions[0]"] == {"kind": "PolyakAverage", "net": "generator", "decay": .5}


def test_mnist_trains_draws_goes_on_and_is_diagnosed(tmp_path, monkeypatch, capsys):
    script = tmp_path / "stand_in.py"
    script.write_text(RANDOM_MNIST)
    first = run(script, "--max_epochs", 1, "--seed", 3, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    second = run(script, "--max_epochs", 2, "--seed", 3, "--resume", cwd=tmp_path)
    assert second.returncode == 0 and "resuming after epoch 1" in second.stdout, second.stderr
    assert sorted(os.listdir(tmp_path / "mnist_epochs")) == ["000.png", "001.png", "002.png"]
    assert imread(tmp_path / "mnist.gif").shape == (406, 670, 4) and (tmp_path / "mnist.png").is_file()

    saved = checkpoint.load(tmp_path / "mnist.npz")             # nothing in it tells of pictures; older ones go on
    assert saved.header["run"]["seeds"] == [[3, 4], [3, 2], [3, 3]]
    assert [saved.header["run"][f"extensions[{i}]"]["kind"] for i in range(5)] == [
        "PolyakAverage", "ExponentialDecay", "MomentumAdjustor", "Monitor", "LogLikelihood"]
    alone = checkpoint.load(tmp_path / "mnist_generator.npz")
    assert alone.header["note"] == {"seed": 3, "epochs": 2, "learning_rate": .1}
    assert_allclose(*(to_numpy(found.generator().theta) for found in (alone, saved)), rtol=1e-3, atol=1e-6)
    assert os.path.getsize(tmp_path / "mnist_generator.npz") < 6e6

    monkeypatch.setattr(mnist, "load", mnist.load)              # which the script replaces
    diagnosed = output(monkeypatch, capsys, tmp_path, script, "--diagnose", "mnist.npz")
    assert diagnosed.count("distinct nearest rows") == 2 and "mean D(x)" in diagnosed


def history_of_a_run(path, seed, epochs, **more):
    """A checkpoint that holds what a run of mnist.py records, and nothing else (it did not always record `more`)."""
    told, every = list(range(epochs + 1)), list(range(0, epochs + 1, 5))
    history = {"epoch": told, "valid_d_on_data": [.5] * len(told), "valid_d_on_samples": [.5] * len(told),
               "valid_log_likelihood_epoch": every, "valid_log_likelihood": [100. + seed + epoch for epoch in every],
               **more}
    arrays = {f"extensions[3].history/{channel}": np.array(values) for channel, values in history.items()}
    archive.write(path, {"run": {"seeds": [[seed, 4]]}, "state": {"extensions[3].history": {}}}, arrays)


def test_training_curves_of_runs_each_as_far_as_it_has_come(tmp_path, monkeypatch, capsys):
    for seed, epochs in ((1, 20), (2, 15)):
        history_of_a_run(tmp_path / f"{seed}.npz", seed, epochs)
    assert output(monkeypatch, capsys, tmp_path, "training_curves.py", "1.npz", "2.npz") == (
        "wrote training_curves.png\nseed 1, epoch 20: 121.0 nats\nseed 2, epoch 15: 117.0 nats\n")
    assert imread(tmp_path / "training_curves.png").shape[:2] == (600, 1500)


def test_training_curves_of_five_epochs_show_their_one_point(tmp_path, monkeypatch):
    history_of_a_run(tmp_path / "a.npz", 1, 5)
    line = play(monkeypatch, tmp_path, "training_curves.py", "a.npz")["left"].get_lines()[0]
    assert list(line.get_xdata()) == [5] and line.get_marker() == "o"


def test_training_curves_of_one_seed_are_named_by_their_files(tmp_path, monkeypatch, capsys):
    history_of_a_run(tmp_path / "as_written.npz", 0, 15, valid_log_likelihood_last_update=[0., 50, 60, 70])
    history_of_a_run(tmp_path / "faster.npz", 0, 5)
    assert output(monkeypatch, capsys, tmp_path, "training_curves.py", "as_written.npz", "faster.npz") == (
        "wrote training_curves.png\nas_written, epoch 15: 115.0 nats, not averaged 70.0\nfaster, epoch 5: 105.0 nats\n")


def test_training_curves_of_one_seed_and_one_name_are_named_by_their_paths(tmp_path, monkeypatch, capsys):
    for folder, epochs in ((r"$\frac$", 10), ("b", 5)):
        (tmp_path / folder).mkdir()
        history_of_a_run(tmp_path / folder / "mnist.npz", 0, epochs)
    names = play(monkeypatch, tmp_path, "training_curves.py", r"$\frac$/mnist.npz", "b/mnist.npz")
    assert capsys.readouterr().out == ("wrote training_curves.png\n$\\frac$/mnist.npz, epoch 10: 110.0 nats\n"
                                       "b/mnist.npz, epoch 5: 105.0 nats\n")
    shown = [text.get_text() for text in names["left"].get_legend().get_texts()]
    assert shown == [r"\$\frac\$/mnist.npz", "b/mnist.npz"]
    assert all(tick == round(tick) for ax in (names["left"], names["right"]) for tick in ax.get_xticks())


def test_training_curves_have_the_last_epoch_where_it_belongs(tmp_path, monkeypatch):
    """A run of 12 epochs is measured after 0, 5, 10 and 12, one of 20 after 15 and 20."""
    history_of_a_run(tmp_path / "long.npz", 1, 20)
    history_of_a_run(tmp_path / "short.npz", 2, 10, valid_log_likelihood_epoch=[0, 5, 10, 12],
                     valid_log_likelihood=[1., 2, 3, 4])
    names = play(monkeypatch, tmp_path, "training_curves.py", "long.npz", "short.npz")
    assert [list(line.get_xdata()) for line in names["left"].get_lines()[:2]] == [[5, 10, 15, 20], [5, 10, 12]]


@pytest.mark.parametrize("wrong", [
    {"seed": "\x1b[2J"}, {"seed": 1.5}, {"seed": None}, {"valid_d_on_data": [.5]}, {"epoch": []},
    {"valid_log_likelihood": [1.] * 9}, {"valid_log_likelihood_epoch": 5},
    {"valid_log_likelihood_last_update": [1.] * 9}], ids=str)
def test_training_curves_name_a_file_that_holds_nonsense(wrong, tmp_path, monkeypatch):
    seed = wrong.pop("seed", 1)
    history_of_a_run(tmp_path / "wrong.npz", 1, 10, **wrong)
    header, arrays = archive.read(tmp_path / "wrong.npz")
    archive.write(tmp_path / "wrong.npz", {**header, "run": {"seeds": [[seed, 4]]}}, arrays)
    with pytest.raises(DataError, match="^wrong.npz: expected a whole checkpoint") as told:
        play(monkeypatch, tmp_path, "training_curves.py", "wrong.npz")
    assert str(told.value).isprintable()


@pytest.mark.parametrize("script, arguments, message", [
    ("parzen_ll.py", ["nowhere.npz"], "No file nowhere.npz; check the path"),
    ("parzen_ll.py", ["g50.npz", "--dataset", "digits"], "g50.npz makes rows of 50 numbers, but digits has rows of 64"),
    ("parzen_ll.py", ["g64.npz", "--dataset", "digits", "--sigma", "0", "--samples_out", "kept.npy"],
     "sigmas must be one positive number or more, from 1e-19 to 9e+18 for float32, got [0.]"),
    ("parzen_ll.py", ["g64.npz", "--num_samples", "0"], "--num_samples: must be"),
    ("figure2_mnist.py", ["damaged.npz"], "damaged.npz: expected a whole checkpoint of npgan"),
    pytest.param("figure2_mnist.py", ["g64.npz"], "g64.npz makes rows of 64 numbers, but MNIST has rows of 784",
                 marks=pytest.mark.skipif(not HAS_MNIST, reason="MNIST is nowhere")),
    ("figure3.py", ["g50.npz"], "g50.npz makes rows of 50 numbers, which are no square pictures"),
    ("figure3.py", ["g64.npz", "--save_path", "figure3.doc"], "got 'figure3.doc'"),
    ("show_weights.py", ["damaged.npz"], "damaged.npz: expected a whole checkpoint of npgan"),
    ("table1.py", ["kept.json"], "kept.json: expected a result of parzen_ll.py, found 'mean' (KeyError)"),
    ("training_curves.py", ["g64.npz"], "g64.npz: expected a checkpoint that mnist.py wrote after five epochs"),
    ("mnist.py", ["--learning_rate", "fast"], "--learning_rate: invalid float value: 'fast'"),
    ("mnist.py", ["--diagnose", ""], "--diagnose: must be the path of a file, got ''"),
    ("mnist.py", ["--diagnose", "nowhere.npz"], "No file nowhere.npz; check the path"),
])
def test_a_mistake_ends_in_one_line_and_status_2(script, arguments, message, tmp_path, monkeypatch, capsys):
    for dim in (50, 64):
        save_generator(tmp_path / f"g{dim}.npz", dim)
    (tmp_path / "damaged.npz").write_bytes((tmp_path / "g64.npz").read_bytes()[:-99])
    (tmp_path / "kept.json").write_text("{}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert message in mistake(monkeypatch, capsys, tmp_path, script, *arguments)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
