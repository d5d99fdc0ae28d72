"""Checkpoints: a run goes on as if never stopped, and no damaged or foreign file passes for one."""
import errno
import io
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from differences import small_discriminator, small_generator
from games import DATA, Run, contents
from numpy.testing import assert_allclose, assert_array_equal

from npgan import backend, checkpoint, registry
from npgan.adversarial import Generator, SeparateSteps, SimultaneousSteps
from npgan.backend import RandomStream, to_numpy
from npgan.checkpoint import CheckpointError, MonitorBasedSaveBest, Saving, archive, loading
from npgan.costs import Saturating
from npgan.datasets import Dataset
from npgan.files import replacing
from npgan.interruption import TrainingStopped
from npgan.kernels.spectra import choose_correlation
from npgan.layer import Layer
from npgan.layers import Linear, RectifiedLinear
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import LogLikelihood
from npgan.released.noise_layers import NoiseCat
from npgan.schedules import ExponentialDecay, PolyakAverage
from npgan.train import TrainingDiverged

on_numpy = pytest.mark.numpy_only

ROOT = Path(__file__).resolve().parents[1]


def separate_steps(*players):
    return SeparateSteps(*players, discriminator_steps=2)


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """The checkpoint of a run of two epochs, and that run; no time passes, so the file's bytes are always the same."""
    monkeypatch.setattr("npgan.train.time", SimpleNamespace(perf_counter=lambda: 0.))
    run = Run(tmp_path / "run.npz")
    run.main_loop(2)
    return tmp_path / "run.npz", run


@pytest.mark.parametrize("order", [SimultaneousSteps, separate_steps])
def test_a_resumed_run_is_bit_identical_to_an_uninterrupted_one(order, tmp_path):
    undisturbed, stopped, restored = tmp_path / "undisturbed.npz", tmp_path / "stopped.npz", tmp_path / "restored.npz"
    Run(undisturbed, order).main_loop(4)
    Run(stopped, order).main_loop(1)                # in the midst of the two steps of D, if they are separate
    run = Run(restored, order)
    checkpoint.restore(stopped, run.train)
    assert (run.train.epoch, run.train.updates, run.train.checkpoint) == (1, 3, str(stopped))
    run.main_loop(4)
    assert contents(restored) == contents(undisturbed)
    assert run.monitor.history["epoch"] == [0, 1, 2, 3, 4]


class Stop:
    """Sends this process SIGTERM after an update."""

    def __init__(self, updates):
        self.updates = updates

    def on_update(self, train):
        if train.updates == self.updates:
            signal.raise_signal(signal.SIGTERM)


@on_numpy                                                # on CuPy a run that is saved goes on elsewhere in its streams
@pytest.mark.parametrize("order", [SimultaneousSteps, separate_steps])
@pytest.mark.parametrize("updates", [1, 2, 3, 5])
def test_a_run_stopped_by_a_signal_within_an_epoch_is_resumed_bit_for_bit(order, updates, tmp_path):
    Run(tmp_path / "undisturbed.npz", order).main_loop(3)
    stopped, restored = Run(tmp_path / "stopped.npz", order), Run(tmp_path / "restored.npz", order)
    best = MonitorBasedSaveBest(tmp_path / "best.npz", stopped.monitor, "train_objective")
    stopped.train.extensions[-1:] = [Stop(updates), best, stopped.train.extensions[-1]]
    with pytest.raises(TrainingStopped, match=f"stopped by SIGTERM .* update {updates}; the last good .*stopped.npz"):
        stopped.main_loop(3)
    assert not (tmp_path / "best.npz").exists() or updates >= 3     # the latest run is not the best
    checkpoint.restore(tmp_path / "stopped.npz", restored.train)
    assert restored.train.updates == updates
    restored.main_loop(3)
    assert contents(tmp_path / "restored.npz") == contents(tmp_path / "undisturbed.npz")


def test_numpy_numbers_are_saved_as_python_numbers(tmp_path):
    def run(path):
        G = Generator(MLP([RectifiedLinear(np.int64(3), np.int32(5), 1., RandomStream(8)),
                           Linear(5, 4, 1., RandomStream(9))]), "gaussian", RandomStream(10))
        return Run(path, batch_size=np.int64(10), include_prob=np.float32(.75), decay=np.float64(.9),
                   rate=np.float32(.1), momentum=(np.float64(.5), np.float64(.7)), generator=lambda rng: G)

    first, second = run(tmp_path / "first.npz"), run(tmp_path / "second.npz")
    first.main_loop(2)
    first.train.step.rule_D.momentum = np.float64(.625)         # as a schedule of one's own may have it
    checkpoint.save(tmp_path / "first.npz", first.train)
    checkpoint.restore(tmp_path / "first.npz", second.train)
    assert second.train.epoch == 2 and second.train.step.rule_D.momentum == .625
    assert type(second.train.step.rule_D.momentum) is float
    assert checkpoint.load(tmp_path / "first.npz").header["run"]["batch_size"] == 10


@on_numpy
def test_a_train_that_was_stopped_within_an_epoch_is_restored_to_the_end_of_one(saved, tmp_path):
    path, run = saved
    other = Run(tmp_path / "other.npz")
    other.train.extensions.insert(-1, Stop(5))
    with pytest.raises(TrainingStopped):
        other.main_loop(2)
    del other.train.extensions[-2]
    checkpoint.restore(path, other.train)
    other.main_loop(3)
    run.main_loop(3)
    assert contents(tmp_path / "other.npz") == contents(path)


class Enough:
    """Ends the training after its second epoch."""

    def on_monitor(self, train):
        train.stop = train.epoch == 2


@on_numpy
def test_a_run_that_an_extension_stopped_stays_stopped_when_resumed(tmp_path):
    run, again = Run(tmp_path / "run.npz"), Run(tmp_path / "run.npz")
    run.train.extensions.insert(0, Enough())
    run.main_loop(9)
    checkpoint.restore(tmp_path / "run.npz", again.train)
    again.main_loop(9)
    assert again.train.stop and again.train.epoch == 2


@on_numpy
def test_a_resumed_run_may_change_how_often_its_monitor_measures(saved, tmp_path):
    other = Run(tmp_path / "other.npz")
    other.monitor.every = 2
    checkpoint.restore(saved[0], other.train)
    other.main_loop(6)
    assert other.monitor.history["epoch"] == [0, 1, 2, 4, 6]


def test_a_warning_names_a_difference_in_arithmetic(saved, tmp_path, monkeypatch):
    path, run = saved
    here = loading.describe_arithmetic()
    assert here == json.loads(json.dumps(here)) and here["backend"] == backend.xp.module.__name__
    monkeypatch.setattr(loading, "describe_arithmetic", lambda: {**here, "threads": 7})
    other = Run(tmp_path / "other.npz")
    with pytest.warns(UserWarning, match="run.npz was computed with threads = .*, this run with 7: .* close .* "
                                         "not bit-identical"):
        checkpoint.restore(path, other.train)
    assert other.train.updates == 6 and other.train.checkpoint == str(path)


@on_numpy
def test_the_number_of_mpi_ranks_is_part_of_the_arithmetic(saved, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", SimpleNamespace(COMM_WORLD=SimpleNamespace(size=2)))
    with pytest.warns(UserWarning, match="run.npz was computed with ranks = 1, this run with 2: .* not bit-identical"):
        checkpoint.restore(saved[0], Run(tmp_path / "other.npz").train)


def test_a_loaded_pair_computes_what_the_saved_one_did(saved):
    path, run = saved
    x, pair = backend.asarray(DATA), run.train.step.pair
    loaded = checkpoint.load(path).pair(average=False, rng=RandomStream(7))
    pair.generator.rng = RandomStream(7)
    assert_array_equal(to_numpy(loaded.discriminate(x)), to_numpy(pair.discriminate(x)))
    assert_array_equal(to_numpy(loaded.generator.sample(5)), to_numpy(pair.generator.sample(5)))


def test_a_loaded_generator_has_the_averaged_parameters(saved):
    path, run = saved
    run.generator.rng = RandomStream(7)
    with run.average.applied():
        samples = to_numpy(run.generator.sample(5))
    assert_array_equal(to_numpy(checkpoint.load(path).generator(rng=RandomStream(7)).sample(5)), samples)


def test_a_generator_is_saved_alone_in_half_precision(tmp_path):
    path, G = tmp_path / "generator.npz", small_generator(RandomStream(1), "spherical")
    checkpoint.save_generator(path, G, note={"epochs": np.int64(3), "log-likelihood": [np.float32(225), 2.]})
    loaded = checkpoint.load(path)
    copy = loaded.generator(rng=RandomStream(7))
    G.rng = RandomStream(7)
    assert loaded.header["note"] == {"epochs": 3, "log-likelihood": [225., 2.]}
    assert loaded.arrays["theta_g"].dtype == "float16" and copy.theta.dtype == backend.floatX
    assert_allclose(to_numpy(copy.theta), to_numpy(G.theta), rtol=2**-11)
    assert_allclose(to_numpy(copy.sample(5)), to_numpy(G.sample(5)), atol=.005)


def test_a_generator_is_saved_with_other_parameters_if_they_fit(tmp_path):
    path, G = tmp_path / "generator.npz", small_generator(RandomStream(1))
    checkpoint.save_generator(path, G, theta=G.theta * 2, dtype="float32")
    assert_array_equal(to_numpy(checkpoint.load(path).generator().theta), to_numpy(G.theta) * 2)
    with pytest.raises(ValueError, match=r"theta must be of shape \(44,\), got \(3,\)"):
        checkpoint.save_generator(path, G, theta=G.theta[:3])
    with pytest.raises(ValueError, match="do not fit into float16; choose a wider dtype"):
        checkpoint.save_generator(path, G, theta=G.theta * 1e6)
    with pytest.raises(ValueError, match="cannot save a generator whose theta contains NaN or infinity"):
        checkpoint.save_generator(path, G, theta=G.theta * np.nan)
    for dtype in ("complex64", "int8"):
        with pytest.raises(ValueError, match=f"dtype must be one of float16, float32, float64, got '{dtype}'"):
            checkpoint.save_generator(path, G, dtype=dtype)
    with pytest.raises(TypeError, match="a checkpoint cannot keep <object .*; keep numbers, strings"):
        checkpoint.save_generator(path, G, note={"by": object()})


def test_nets_within_nets_are_saved(tmp_path):
    rng = RandomStream(1)
    inner = MLP([Linear(3, 5, 1., rng, max_col_norm=.7), RectifiedLinear(5, 5, 1., rng, left_slope=.1)])
    G = Generator(MLP([inner, Linear(5, 4, 1., rng)]), "gaussian", rng)
    checkpoint.save_generator(tmp_path / "generator.npz", G)
    assert repr(checkpoint.load(tmp_path / "generator.npz").generator().mlp) == repr(G.mlp)


class Times(Layer):
    """A layer without parameters, h = factor s."""

    argument_names = ("factor",)

    def __init__(self, factor):
        self.factor = factor

    def fprop(self, state_below):
        return self.factor * state_below


class Scaled(Linear):
    """A layer whose constructor hands on the arguments that it does not know."""

    argument_names = (*Linear.argument_names, "factor")

    def __init__(self, nvis, dim, irange=None, rng=None, *, factor, **others):
        super().__init__(nvis, dim, irange, rng, **others)
        self.factor = factor

    def fprop(self, state_below):
        return self.factor * super().fprop(state_below)


class Doubled(Generator):
    """A generator of a class defined outside npgan."""

    argument_names = ("times",)

    def __init__(self, mlp, noise="uniform", rng=None, times=2):
        super().__init__(mlp, noise, rng)
        self.times = times

    def fprop(self, z):
        return self.times * super().fprop(z)


def test_a_users_own_layers_and_generator_are_saved_and_loaded(tmp_path):
    path, rng = tmp_path / "generator.npz", RandomStream(1)
    G = Doubled(MLP([Times(2), Scaled(3, 4, 1., rng, factor=.5)]), "gaussian", RandomStream(7), times=3)
    checkpoint.save_generator(path, G, dtype="float32")
    loaded = checkpoint.load(path).generator(rng=RandomStream(7))
    assert type(loaded) is Doubled and loaded.times == 3
    assert_array_equal(to_numpy(loaded.sample(5)), to_numpy(G.sample(5)))


@on_numpy
def test_an_unknown_class_is_named_with_the_advice_to_import_its_module(tmp_path, monkeypatch):
    path, rng = tmp_path / "generator.npz", RandomStream(1)
    checkpoint.save_generator(path, Generator(MLP([Times(2), Linear(3, 4, 1., rng)]), "gaussian", rng))
    monkeypatch.delitem(registry.OTHERS, "Times")
    with pytest.raises(CheckpointError, match="generator.npz: .* class Times, .* not defined here: import its module"):
        checkpoint.load(path).generator()


@on_numpy
def test_a_cell_of_a_notebook_that_is_run_again_replaces_its_own_class(tmp_path):
    def cell(factor):
        class Cell(Layer):
            def fprop(self, state_below):
                return factor * state_below
        return Cell

    first, second = cell(1), cell(2)
    net = MLP([first(), Linear(3, 4, 1., RandomStream(1))])
    checkpoint.save_generator(tmp_path / "g.npz", Generator(net, rng=RandomStream(1)))      # of the first class
    assert type(checkpoint.load(tmp_path / "g.npz").generator().mlp.layers[0]) is second


@on_numpy
@pytest.mark.parametrize("name, module", [("Sigmoid", "npgan.layers"), ("Twin", "elsewhere")])
def test_two_classes_of_one_name_cannot_be_confused(name, module, tmp_path):
    twin = type(name, (Layer,), {})
    if module == "elsewhere":
        type(name, (Layer,), {"__module__": module})
    assert registry.find_class(name) is not twin
    G = Generator(MLP([twin(), Linear(3, 4, 1., RandomStream(1))]), rng=RandomStream(1))
    with pytest.raises(TypeError, match=f"the name of its class is that of {name} in {module}; rename the class"):
        checkpoint.save_generator(tmp_path / "g.npz", G)


@on_numpy
def test_a_layer_with_an_argument_that_is_not_listed_is_not_saved(tmp_path):
    class Forgetful(Times):
        def __init__(self, factor, offset=0, **others):
            super().__init__(factor)

    run = Run(tmp_path / "run.npz", generator=lambda rng: Generator(
        MLP([Forgetful(2), Linear(3, 4, 1., rng)]), rng=rng))
    with pytest.raises(TypeError, match=r"its constructor takes offset; .* list its name in Forgetful.argument_names"):
        run.main_loop(1)
    assert run.train.updates == 0 and not list(tmp_path.iterdir())


def test_npgan_s_own_classes_are_loaded_without_being_imported(tmp_path):
    rng = RandomStream(1)
    G = Generator(MLP([Linear(3, 3, 1., rng), NoiseCat(3, 2, rng=rng), Linear(5, 4, 1., rng)]), rng=rng)
    checkpoint.save_generator(tmp_path / "g.npz", G)
    code = ("import sys; from npgan import checkpoint; known = set(sys.modules); "
            f"G = checkpoint.load({str(tmp_path / 'g.npz')!r}).generator(); print(G.mlp.layers[1]); "
            "assert not {name for name in known if name.startswith(('npgan.released', 'npgan.section7'))}")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "NoiseCat(nvis=3, new_dim=2, std=1.0)\n", done.stderr


def test_loading_draws_nothing_from_the_stream(tmp_path):
    path, rng = tmp_path / "g.npz", RandomStream(7)
    checkpoint.save_generator(path, small_generator(RandomStream(1)))
    checkpoint.load(path).generator(rng=rng)
    assert_array_equal(to_numpy(rng.normal((3,))), to_numpy(RandomStream(7).normal((3,))))


def test_npgan_s_classes_are_all_listed():
    """Each class of layers and generators that npgan makes public can be found by its name."""
    for kind in (Layer, Generator):
        for name, cls in all_subclasses(kind):
            if cls.__module__.startswith("npgan.") and not name.startswith("_"):
                assert registry.find_class(name) is cls and registry.OWN[name] == cls.__module__


def all_subclasses(kind):
    for cls in kind.__subclasses__():
        yield cls.__name__, cls
        yield from all_subclasses(cls)


class Found:
    """Writes down the epoch of the run's checkpoint, after each epoch."""

    def __init__(self):
        self.epochs = []

    def on_monitor(self, train):
        path = train.checkpoint
        self.epochs.append(path and checkpoint.load(path).header["state"]["train.epoch"])


def test_saving_skips_the_time_before_training_and_epochs_between_but_not_the_last(tmp_path):
    run, found = Run(tmp_path / "run.npz"), Found()
    run.train.extensions[-1:] = [Saving(tmp_path / "run.npz", every=2), found]
    run.main_loop(5)
    assert found.epochs == [None, None, 2, 2, 4, 5]


class Score:
    """Records given values in a monitor's history, every second epoch."""

    def __init__(self, monitor, values):
        self.monitor, self.values = monitor, iter(values)

    def on_monitor(self, train):
        if train.epoch % 2 == 0:
            self.monitor.record(train.epoch, {"score": next(self.values)}, "score_epoch")


@pytest.mark.parametrize("higher, values, best", [(True, [5, 1, 7, 7, 6], 4), (False, [5, 1, 7, 7, 1], 2),
                                                  (True, [5, 1, 2, 3, 4], None),
                                                  (True, [np.nan, 1, 2, np.nan, 0], 4)])
def test_the_best_run_is_kept(higher, values, best, tmp_path):
    """Of equal values the first, of NaN none; not the one before training; nor again at epochs that measure nothing."""
    run = Run(tmp_path / "run.npz")
    saving = MonitorBasedSaveBest(tmp_path / "best.npz", run.monitor, "score", higher)
    run.train.extensions[-1:] = [Score(run.monitor, values), saving]
    run.main_loop(9)
    if best is None:
        assert not (tmp_path / "best.npz").exists()
    else:
        assert checkpoint.load(tmp_path / "best.npz").header["state"]["train.epoch"] == best


def test_save_best_names_a_channel_that_is_not_recorded(tmp_path):
    run = Run(tmp_path / "run.npz")
    run.train.extensions[-1] = MonitorBasedSaveBest(tmp_path / "best.npz", run.monitor, "scores")
    with pytest.raises(ValueError, match="nothing records a channel 'scores'; the monitor has epoch, "):
        run.main_loop(1)


def test_saving_refuses_what_would_not_work(tmp_path):
    run = Run(tmp_path / "run.npz")
    run.train.extensions.append(run.monitor)
    with pytest.raises(ValueError, match="miss what Monitor does after it; put it last"):
        run.main_loop(1)
    with pytest.raises(ValueError, match="there is no folder"):
        Saving(tmp_path / "nowhere" / "run.npz")
    with pytest.raises(TypeError, match="NoneType"):
        Saving(None)


@on_numpy
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("best", [False, True])
def test_the_file_of_an_earlier_run_is_renamed(best, linked, tmp_path):
    """Where a symbolic link leads to it there; a run that goes on from it replaces it."""
    folder = tmp_path / "disk" if linked else tmp_path
    folder.mkdir(exist_ok=True)
    if linked:
        (tmp_path / "run.npz").symlink_to(folder / "run.npz")

    def run():
        run = Run(tmp_path / "run.npz")
        if best:
            run.train.extensions[-1] = MonitorBasedSaveBest(tmp_path / "run.npz", run.monitor, "epoch")
        return run

    run().main_loop(1)
    second = run()
    checkpoint.restore(tmp_path / "run.npz", second.train)
    second.main_loop(2)                                         # in silence: a warning would be an error
    assert [path.name for path in folder.glob("*.npz")] == ["run.npz"]
    with pytest.warns(UserWarning, match="^run.npz, of an earlier run, is run_previous1.npz now$"):
        run().main_loop(1)
    with pytest.warns(UserWarning, match="is run_previous2.npz now$"):
        run().main_loop(3)
    assert [checkpoint.load(folder / name).header["state"]["train.epoch"]
            for name in ("run_previous1.npz", "run_previous2.npz", "run.npz")] == [2, 1, 3]
    assert (tmp_path / "run.npz").is_symlink() == linked


class Spoil:
    """Saves in the midst of an epoch what is no longer finite."""

    def on_update(self, train):
        if train.updates == 5:
            train.step.pair.generator.theta[3] = np.inf
            train.extensions[-1].save(train)


@on_numpy
def test_a_run_that_diverged_within_an_epoch_is_not_saved(tmp_path):
    run = Run(tmp_path / "run.npz")
    run.train.extensions.insert(0, Spoil())
    message = "G's h0.W is not finite after epoch 1, update 5; the last good checkpoint is .*run.npz"
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=message):
        run.main_loop(2)
    assert checkpoint.load(tmp_path / "run.npz").header["state"]["train.epoch"] == 1


def wider(rng):
    return Generator(MLP([RectifiedLinear(3, 6, 1., rng), Linear(6, 4, 1., rng)]), "gaussian", rng)


@on_numpy
@pytest.mark.parametrize("changes, message", [
    ({"generator": wider}, r"expected generator.mlp.layers\[0\].dim = 6 as in this run, found 5"),
    ({"generator": lambda rng: small_generator(rng, "uniform")}, "generator.noise = 'uniform' .* found 'gaussian'"),
    ({"discriminator": lambda rng, p: small_discriminator(rng, .8)}, r"layers\[0\].include_prob = 0.8 .* found 0.5"),
    ({"data": DATA[:20]}, "dataset.rows = 20 as in this run, found 25"),
    ({"data": DATA / 2}, "dataset.checksum = "),
    ({"batch_size": 5}, "batch_size = 5 as in this run, found 10"),
    ({"seed": 2}, r"seeds\[0\]\[0\] = 2 as in this run, found 1"),
    ({"order": separate_steps}, "step.kind = 'SeparateSteps' as in this run, found 'SimultaneousSteps'"),
    ({"order": lambda *players: SimultaneousSteps(*players, generator_loss=Saturating())},
     "step.generator_loss.kind = 'Saturating'"),
    ({"decay": .99}, r"extensions\[3\].decay = 0.99 as in this run, found 0.9"),
    ({"average": False}, r"extensions\[3\] = None as in this run, found .*PolyakAverage"),
    ({"rate": .01}, "rule_G.init_learning_rate = 0.01 as in this run, found 0.1"),
    ({"momentum": (.3, .7)}, "rule_G.init_momentum = 0.3 as in this run, found 0.5"),
    ({"rule": type("Other", (Momentum,), {})}, "rule_G.kind = 'Other' as in this run, found 'Momentum'"),
    ({"watched": {"train": Dataset(DATA[:9])}}, r"extensions\[0\].datasets.train.rows = 9 as in this run, found 25"),
    ({"watched": {"train": Dataset(DATA), "test": Dataset(DATA)}}, r"extensions\[0\].datasets.test = .* found None"),
])
def test_a_run_with_other_settings_is_refused_and_unchanged(saved, changes, message, tmp_path):
    other = Run(tmp_path / "other.npz", **changes)
    before = to_numpy(other.generator.theta).copy()
    with pytest.raises(CheckpointError, match=message):
        checkpoint.restore(saved[0], other.train)
    assert_array_equal(to_numpy(other.generator.theta), before)
    assert other.train.updates == 0


@on_numpy
@pytest.mark.parametrize("there, here, message", [("GD", "DG", r"\[0\] = 'rule_D' as in this run, found 'rule_G'"),
                                                  ("G", "D", r"\[0\] = 'rule_D' as in this run, found 'rule_G'"),
                                                  ("G", "GD", r" = \['rule_G', 'rule_D'\] .* found \['rule_G'\]")])
def test_schedules_of_other_rules_are_refused(there, here, message, tmp_path):
    Run(tmp_path / "run.npz", serving=there).main_loop(1)
    with pytest.raises(CheckpointError, match=r"expected extensions\[1\].rules" + message):
        checkpoint.restore(tmp_path / "run.npz", Run(tmp_path / "other.npz", serving=here).train)


class Printer:
    """Keeps nothing, so that where it stands does not matter."""

    def on_update(self, train):
        pass


@on_numpy
def test_extensions_that_are_not_parts_of_the_run_do_not_matter(tmp_path):
    def run():
        run, stranger = Run(tmp_path / "run.npz"), SimpleNamespace(theta=np.zeros(3), learning_rate=.1)
        run.train.extensions[-1:-1] = [LogLikelihood(run.monitor, "ll", Dataset(DATA), run.average, num_samples=10),
                                       PolyakAverage(stranger, .9), ExponentialDecay([stranger], 1.)]
        return run

    run().main_loop(1)
    other = run()
    other.train.extensions.insert(0, Printer())
    checkpoint.restore(tmp_path / "run.npz", other.train)


@on_numpy
def test_a_file_of_another_run_is_renamed_in_a_resumed_run_too(tmp_path):
    """Also where training has begun before, or goes on from elsewhere."""
    Run(tmp_path / "other.npz").main_loop(3)
    Run(tmp_path / "run.npz").main_loop(1)
    again = Run(tmp_path / "other.npz")
    again.main_loop(0)
    with pytest.warns(UserWarning, match="other.npz, of an earlier run, is other_previous1.npz now"):
        again.main_loop(1)
    elsewhere = Run(tmp_path / "other.npz")
    checkpoint.restore(tmp_path / "run.npz", elsewhere.train)
    with pytest.warns(UserWarning, match="other.npz, of an earlier run, is other_previous2.npz now"):
        elsewhere.main_loop(2)
    epochs = {path.stem: checkpoint.load(path).header["state"]["train.epoch"] for path in tmp_path.iterdir()}
    assert epochs == {"other_previous1": 3, "other_previous2": 1, "other": 2, "run": 1}


@on_numpy
def test_a_folder_is_not_renamed(tmp_path):
    with pytest.raises(ValueError, match="is a folder: give the path of a file"):
        Saving(tmp_path)
    run = Run(tmp_path / "run.npz")
    (tmp_path / "run.npz").mkdir()
    with pytest.raises(OSError, match="no regular file; no checkpoint was saved"):
        run.main_loop(1)
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


@on_numpy
@pytest.mark.parametrize("changes, message", [
    ({"num_samples": 20}, r"extensions\[4\].num_samples = 20 as in this run, found 10"),
    ({"averaged": True}, r"extensions\[4\].average = 'extensions\[3\]' .* found None"),
    ({"every": 2}, r"extensions\[4\].every = 2 as in this run, found 1"),
    ({"channel": "other"}, r"extensions\[4\].channel = 'other' as in this run, found 'll'")])
def test_another_log_likelihood_is_refused(changes, message, tmp_path):
    def judged(averaged=False, **changes):
        run = Run(tmp_path / "run.npz")
        arguments = {"channel": "ll", "dataset": Dataset(DATA), "num_samples": 10, **changes}
        if averaged:
            arguments["average"] = run.average
        run.train.extensions.insert(-1, LogLikelihood(run.monitor, **arguments))
        return run

    judged().main_loop(1)
    checkpoint.restore(tmp_path / "run.npz", judged().train)
    with pytest.raises(CheckpointError, match="expected " + message):
        checkpoint.restore(tmp_path / "run.npz", judged(**changes).train)


@on_numpy
def test_a_run_cannot_be_restored_from_a_generator_alone(tmp_path):
    path, run = tmp_path / "generator.npz", Run(tmp_path / "run.npz")
    checkpoint.save_generator(path, run.generator)
    for use in (lambda: checkpoint.restore(path, run.train), checkpoint.load(path).pair):
        with pytest.raises(CheckpointError, match="found a generator alone"):
            use()


# Damaged files

@on_numpy
def test_no_length_of_a_truncated_file_passes(saved):
    path, _ = saved
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            checkpoint.load(path)


@on_numpy
def test_a_flipped_bit_is_noticed_or_harmless(saved):
    path, _ = saved
    whole, before, rng, noticed = path.read_bytes(), contents(path), np.random.RandomState(2014), 0
    for bit in rng.randint(8 * len(whole), size=300):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert contents(path) == before
        except CheckpointError:
            noticed += 1
    assert noticed > 200            # the others are in dates and flags of the archive, which nothing reads


def forged(path, compression=zipfile.ZIP_STORED, header=(), **entries):
    """The file at `path` with other entries, or other values in its header, and sums that agree with them."""
    with zipfile.ZipFile(path) as file:
        data = {entry.filename: file.read(entry) for entry in file.infolist()}
    old = json.loads(archive.parse(data.pop("header.npy")).tobytes())
    data.update({f"{name}.npy": entry for name, entry in entries.items()})
    try:
        old["sha256"] = archive.digest({name[:-4]: archive.parse(entry) for name, entry in data.items()})
    except ValueError:
        pass                                                    # what is no array has no sum
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("header.npy", npy(np.frombuffer(json.dumps({**old, **dict(header)}).encode(), np.uint8)))
        for name, entry in data.items():
            file.writestr(name, entry)


def npy(array, **header):
    """The bytes of an .npy file, with some of its header forged."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {**np.lib.format.header_data_from_array_1_0(array), **header})
    return stream.getvalue() + array.tobytes()


def lone_layer(kind, noise="uniform", **arguments):
    """What a header says of a run whose generator has this one layer."""
    return {"generator": {"noise": noise, "mlp": {"kind": "MLP", "layers": [{"kind": kind, **arguments}]}}}


def pickled():
    stream = io.BytesIO()
    np.save(stream, np.array([print, None]), allow_pickle=True)
    return stream.getvalue()


@on_numpy
@pytest.mark.parametrize("forgery, message", [
    ({"theta_g": pickled()}, "of object"),
    ({"theta_g": npy(np.zeros(44, "f4"), shape=(10**12,))}, r"\(1000000000000,\) of float32 in 304 bytes"),
    ({"theta_g": npy(np.zeros(44, "f4"), shape=(-4, -11))}, "whole checkpoint"),
    ({"theta_g": npy(np.zeros(3, "f4"))}, "a layer with more weights than the file"),
    ({"theta_g": b"no array"}, "magic"),
    ({"compression": zipfile.ZIP_DEFLATED}, "compressed entries"),
    ({"header": {"version": 1}}, "expected version 2 of the format, found version 1; open it with npgan 0"),
    ({"header": {"sha256": "0"}}, "another SHA-256 sum"),
    ({"header": {"run": {}}}, "generator"),
    ({"header": {"run": lone_layer("Linear", nvis=10**6, dim=10**6)}}, "a layer with more weights than the file"),
    ({"header": {"run": lone_layer("Linear", nvis=10, dim=3)}}, "cannot reshape array of size 44"),
    ({"header": {"run": lone_layer("Linear", nvis=10, dim="4")}}, "dim must be a whole number >= 1, got '4'"),
    ({"header": {"run": lone_layer("Linear", nvis=10, dim=4, mode=1)}}, "unexpected keyword argument 'mode'"),
    ({"header": {"run": lone_layer("System")}}, "the class System, which is not defined here"),
    ({"header": {"run": lone_layer("Generator", mlp=1)}}, "Generator in place of a layer"),
    ({"header": {"run": lone_layer("Linear", "grey", nvis=10, dim=4)}}, "noise must be one of uniform"),
])
def test_a_forged_file_is_refused(saved, forgery, message, tmp_path):
    path, _ = saved
    forged(path, **forgery)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(path).generator(average=False)
    with pytest.raises(CheckpointError):
        checkpoint.restore(path, Run(tmp_path / "other.npz").train)


@on_numpy
@pytest.mark.parametrize("error", [AttributeError, RuntimeError, NameError])
def test_an_error_inside_a_layer_is_not_reported_as_a_damaged_file(error, tmp_path, monkeypatch):
    def broken(self, factor):
        raise error("a fault of the program")

    path, rng = tmp_path / "generator.npz", RandomStream(1)
    checkpoint.save_generator(path, Generator(MLP([Times(2), Linear(3, 4, 1., rng)]), rng=rng))
    monkeypatch.setattr(Times, "__init__", broken)
    with pytest.raises(error, match="a fault of the program"):
        checkpoint.load(path).generator()


@on_numpy
@pytest.mark.parametrize("state", [{}, {"train.epoch": 1}, [], None, "train"])
def test_a_missing_state_is_refused(saved, state, tmp_path):
    path, _ = saved
    forged(path, header={"state": state})
    with pytest.raises(CheckpointError):
        checkpoint.restore(path, Run(tmp_path / "other.npz").train)


class Own:
    """A user's extension, whose state is of many kinds."""

    state_names = "best", "losses", "note", "scalar"

    def __init__(self):
        self.best, self.losses, self.note, self.scalar = None, [], "", 0.

    def on_monitor(self, train):
        self.best, self.note = -1.5, {"epoch": train.epoch, "all": [True, None]}
        self.losses.append(-train.epoch)
        self.scalar = np.float32(train.epoch)


@on_numpy
def test_the_state_of_a_user_s_own_extension_is_restored(tmp_path):
    path, (run, other) = tmp_path / "run.npz", (Run(tmp_path / "run.npz"), Run(tmp_path / "run.npz"))
    run.train.extensions.insert(0, Own())
    run.main_loop(2)
    other.train.extensions.insert(0, own := Own())
    checkpoint.restore(path, other.train)
    assert (own.best, own.losses, own.note) == (-1.5, [0, -1, -2], {"epoch": 2, "all": [True, None]})
    assert own.scalar == 2


@on_numpy
@pytest.mark.parametrize("note", [(1, 2), {1: 2}, {"best": [(1, 2)]}, [[{"epochs": {3: "three"}}]]])
def test_a_state_that_json_would_change_is_not_saved(note, tmp_path):
    run, own = Run(tmp_path / "run.npz"), Own()
    run.train.extensions.insert(0, own)
    own.on_monitor = lambda train: setattr(own, "note", note)
    with pytest.raises(TypeError, match=r"extensions\[0\].note holds .*, which would come back as another"):
        run.main_loop(1)
    assert not list(tmp_path.iterdir())


@on_numpy
@pytest.mark.parametrize("key, change", [
    ("theta_d", lambda a: a[:-1]), ("streams", lambda a: a[:1]), ("streams", lambda a: [{}] * 3)])
def test_arrays_and_streams_of_another_size_are_refused(saved, key, change, tmp_path):
    def forge(header, arrays):
        place = header if key == "streams" else arrays
        place[key] = change(place[key])

    path, _ = saved
    rewritten(path, forge)
    with pytest.raises(CheckpointError, match="run.npz: expected a whole checkpoint"):
        checkpoint.restore(path, Run(tmp_path / "other.npz").train)


@on_numpy
@pytest.mark.parametrize("damage", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_refused(damage, tmp_path):
    path, G = tmp_path / "generator.npz", small_generator(RandomStream(1))
    checkpoint.save_generator(path, G)
    header, arrays = archive.read(path)
    archive.write(path, {"run": header["run"], "averages": {}}, {"theta_g": np.full_like(arrays["theta_g"], damage)})
    with pytest.raises(CheckpointError, match="generator.npz: .*NaN or infinity among theta_g in float32"):
        checkpoint.load(path).generator()


@on_numpy
def test_a_missing_or_foreign_file_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match=f"^No file {tmp_path / 'nowhere.npz'}; check the path"):
        checkpoint.load(tmp_path / "nowhere.npz")
    np.savez(tmp_path / "other.npz", theta=np.zeros(3))
    with pytest.raises(CheckpointError, match="header"):
        checkpoint.load(tmp_path / "other.npz")
    np.savez(tmp_path / "other.npz", header=np.frombuffer(b"{]", np.uint8))
    with pytest.raises(CheckpointError, match="JSONDecodeError"):
        checkpoint.load(tmp_path / "other.npz")


def lying_directory(entries):
    """An archive whose list of so many `entries` is all there is of it; the last bytes say that it has one."""
    listed = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 33, *[0] * 10) * entries
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, len(listed), 0)
    place = struct.pack("<4sLQL", b"PK\6\7", 0, len(listed), 1)
    return listed + end + place + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 46, 0, 0)


@on_numpy
def test_an_archive_of_very_many_entries_is_refused_unread(tmp_path):
    (tmp_path / "run.npz").write_bytes(lying_directory(30000))
    with pytest.raises(CheckpointError, match="a list of entries of 1380000 bytes, more than 262144"):
        checkpoint.load(tmp_path / "run.npz")


@on_numpy
def test_a_header_that_would_fill_the_memory_is_refused_unread(tmp_path, monkeypatch):
    np.savez(tmp_path / "run.npz", header=np.frombuffer(b"[" + b"[]," * 2**21 + b"[]]", np.uint8))
    monkeypatch.setattr(archive.json, "loads", None)
    with pytest.raises(CheckpointError, match="a header of 6291460 bytes, more than 4194304"):
        checkpoint.load(tmp_path / "run.npz")


@on_numpy
def test_a_header_that_could_not_be_read_is_not_written(tmp_path):
    with pytest.raises(OSError, match="cannot write .*run.npz: .* bytes of JSON, at most 4194304 .* lists .* as array"):
        archive.write(tmp_path / "run.npz", {"state": {"losses": [0] * 2**21}}, {})
    assert not list(tmp_path.iterdir())


@on_numpy
def test_a_history_of_many_thousand_epochs_is_saved(tmp_path):
    run = Run(tmp_path / "run.npz")
    run.monitor.history = {f"channel {i}": [.1 * i] * 20_000 for i in range(50)}
    run.main_loop(1)
    assert checkpoint.load(tmp_path / "run.npz").history == run.monitor.history


@on_numpy
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(CheckpointError, match="found no regular file"):
            checkpoint.load(path)


@on_numpy
def test_control_characters_of_a_file_are_escaped_in_messages(saved):
    path, _ = saved
    forged(path, header={"version": "\x1b[2J\x07", "npgan": "\x1b]0;é\x9b"})
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    told = str(caught.value)
    assert told.isprintable() and r"version \x1b[2J\x07; open it with npgan \x1b]0;é\x9b" in told


# Writing that fails

def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@on_numpy
@pytest.mark.parametrize("target, name", [(os, "replace"), (os, "fsync"), (zipfile.ZipFile, "open")])
def test_a_write_that_fails_leaves_the_previous_file(saved, monkeypatch, target, name):
    path, run = saved
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(target, name, full)
        with pytest.raises(OSError, match="cannot write the checkpoint .*run.npz .No space left on device.*"
                                          "; the last good checkpoint is .*run.npz$"):
            run.main_loop(3)
    assert os.listdir(path.parent) == ["run.npz"] and path.read_bytes() == before
    run.main_loop(4)
    assert checkpoint.load(path).header["state"]["train.epoch"] == 4


def of_folders(number):
    """An fsync that fails for folders."""
    def fsync(descriptor, fsync=os.fsync):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)
    return fsync


def no_folder(path, *arguments, open=os.open):
    """An os.open that fails for folders."""
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "Permission denied")
    return open(path, *arguments)


@on_numpy
@pytest.mark.parametrize("target, name, fails", [
    (os, "fsync", of_folders(errno.EINVAL)), (os, "fsync", of_folders(errno.ENOTSUP)),
    (os, "open", no_folder)],
    ids=["EINVAL", "ENOTSUP", "EACCES"])
def test_a_folder_that_cannot_be_synchronised_does_not_end_the_training(saved, monkeypatch, target, name, fails):
    path, run = saved
    monkeypatch.setattr(target, name, fails)
    run.main_loop(4)
    assert checkpoint.load(path).header["state"]["train.epoch"] == 4


@on_numpy
def test_a_failing_folder_is_reported_and_closed(saved, monkeypatch):
    path, run = saved
    closed, close = [], os.close
    monkeypatch.setattr(os, "fsync", of_folders(errno.EIO))
    monkeypatch.setattr(os, "close", lambda descriptor: (closed.append(descriptor), close(descriptor)))
    with pytest.raises(OSError, match="its folder .* cannot be synchronised .Input/output error"):
        run.main_loop(3)
    assert len(closed) == 1 and checkpoint.load(path).header["state"]["train.epoch"] == 3


@on_numpy
def test_a_disk_that_fails_half_way_leaves_the_previous_file(saved):
    resource = pytest.importorskip("resource")
    path, run = saved
    before, (soft, hard) = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(OSError, match="cannot write the checkpoint .*run.npz .File too large"):
            run.main_loop(3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(path.parent) == ["run.npz"] and path.read_bytes() == before


# Forged files that would hang, fill the memory or fail elsewhere; the benchmark damage.py feeds many more

def rewritten(path, change):
    """The checkpoint at `path`, once `change` has had its header and its arrays, with sums that agree."""
    header, arrays = archive.read(path)
    change(header, arrays)
    archive.write(path, {name: header[name] for name in header if name not in ("version", "npgan", "sha256")}, arrays)


def net_of(*layers):
    return {"run": {"generator": {"noise": "uniform", "mlp": {"kind": "MLP", "layers": layers}}}}


def within(n, layer):
    """The `layer` in a net in a net ..., `n` of them."""
    return within(n - 1, {"kind": "MLP", "layers": [layer]}) if n else layer


LINEAR = {"kind": "Linear", "nvis": 1, "dim": 1}
CONV = {"kind": "MaxoutConv", "num_channels": 1, "num_pieces": 1, "kernel_shape": [1, 1], "pool_shape": [1, 1],
        "pool_stride": [1, 1], "tied_b": True}


@on_numpy
@pytest.mark.parametrize("layers, message", [
    ([within(11, LINEAR)], "nets within nets, more than 11 deep"),
    ([LINEAR] * 1001, "more than 1000 layers"),
    ([LINEAR, *[{"kind": "Clusterize", "scale": 1.}] * 1000], "more than 1000 layers"),
    ([{**CONV, "input_shape": [99, 99, 1], "tied_b": False}], "more parameters than the file"),
    ([{**CONV, "input_shape": [1, 1, 1], "pad": 4000, "pool_shape": [8001, 8001]}],
     f"more than {2**25} numbers for one example"),
    ([{**CONV, "input_shape": [1000, 1000, 1], "kernel_shape": [1, 500]}],
     f"more than {2**25} numbers for one example"),
    ([{**CONV, "input_shape": [2, 2, 1], "num_channels": 2**24}], "a layer with more weights than the file"),
    ([LINEAR, {"kind": "NoiseCat", "nvis": 1, "new_dim": 2**25}], f"more than {2**25} numbers for one example"),
    ([LINEAR, {"kind": "NoiseCat", "nvis": 1, "new_dim": 2**24 - 1}, {"kind": "Clusterize", "scale": 1.}],
     f"more than {2**25} numbers for one example"),
], ids=["deep", "long", "long without parameters", "biases", "margins", "strips", "pieces", "noise", "together"])
def test_a_description_of_a_net_larger_than_the_file_is_refused(saved, layers, message):
    path, _ = saved
    forged(path, header=net_of(*layers), theta_g=npy(np.zeros(3000, "f4")))
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(path).generator(average=False)


@on_numpy
@pytest.mark.parametrize("layers, size", [([within(10, LINEAR)], 2), ([LINEAR] * 1000, 2000)])
def test_the_deepest_and_longest_nets_within_the_limits_are_built(saved, layers, size):
    path, _ = saved
    forged(path, header=net_of(*layers), theta_g=npy(np.full(size, .5, "f4")))
    assert checkpoint.load(path).generator(average=False).theta.tolist() == [.5] * size


@on_numpy
@pytest.mark.parametrize("side, kind", [(256, "FourierCorrelation"), (257, "Correlation")])
def test_no_matrices_are_made_for_the_spectra_of_long_sides(side, kind):
    """They have side^2 entries, a kernel only as many as the file; on either axis, and the margin counts."""
    for shape, pad in ((side, 128, 1), 0), ((128, side, 1), 0), ((128, side - 7, 1), 7):
        assert type(choose_correlation(shape, (60, 60), (1, 1), pad, 8)).__name__ == kind


@on_numpy
def test_messages_quote_only_the_beginning_of_long_values(saved):
    path, _ = saved
    forged(path, header={"version": ["x" * 9000] * 9, "npgan": ["y" * 9000] * 9})
    with pytest.raises(CheckpointError, match=r"version \['x.*x\.\.\.; open it with npgan \['y.*y\.\.\.$") as caught:
        checkpoint.load(path)
    assert len(str(caught.value)) < 2500 + len(str(path))


@on_numpy
def test_overlapping_entries_are_refused_unread(saved, monkeypatch):
    """Each of a thousand takes the one there is for its own: a read for each would be a thousand times the file."""
    path, _ = saved
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("header.npy", bytes(10**5))
        file.filelist[0].file_size = 1
        file.filelist *= 1000
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with pytest.raises(CheckpointError, match="entries larger than the file"):
        checkpoint.load(path)


STILL = (2**64 - 1) << 64           # where PCG64 stays, with the right increment: a permutation would never be done
PLACES = [{"inc": 0}, {"inc": 2}, {"inc": 1.5}, {"inc": 2**128 + 1}, {"state": -1}, {"state": 2**128},
          {"state": STILL, "inc": STILL * (1 - 0x2360ed051fc65da44385df649fccf645) % 2**128}]


@on_numpy
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_states_that_no_random_stream_has_are_refused(saved, place, tmp_path):
    path, _ = saved
    rewritten(path, lambda header, _: header["streams"][2]["state"].update(place))
    with pytest.raises(CheckpointError, match="run.npz: expected a whole checkpoint"):
        checkpoint.restore(path, Run(tmp_path / "other.npz").train)


@on_numpy
@pytest.mark.parametrize("name", ["theta_g", "theta_d"])
def test_parameters_that_overflow_floatX_are_refused(saved, name):
    path, _ = saved
    rewritten(path, lambda header, arrays: (header.update(averages={}), arrays.update(
        {name: np.full(arrays[name].shape, 1e300)})))
    with pytest.raises(CheckpointError, match=f"run.npz: .*NaN or infinity among {name} in float32"):
        checkpoint.load(path).pair()


@on_numpy
@pytest.mark.parametrize("player, change, message", [
    ("discriminator", {"kind": "Sigmoid"}, "run.npz: .*D must end in Linear"),
    ("generator", {"dim": 2}, "run.npz: .*D takes rows of 4 numbers, but G makes rows of 2")])
def test_players_that_do_not_fit_together_are_refused_by_name(saved, player, change, message):
    def forge(header, arrays):
        net = header["run"][player]
        net.get("mlp", net)["layers"][-1].update(change)
        arrays["theta_g"] = arrays["theta_g"][:32 if player == "generator" else None]

    path, _ = saved
    rewritten(path, forge)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(path).pair(average=False)


@on_numpy
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_is_not_replaced_by_a_checkpoint(saved):
    path, run = saved
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="cannot write the checkpoint .*run.npz .no regular file., which is as it was"):
        checkpoint.save(path, run.train)
    assert stat.S_ISFIFO(path.stat().st_mode) and os.listdir(path.parent) == ["run.npz"]


@on_numpy
def test_a_failed_write_names_the_file(tmp_path):
    for told in None, "other":
        with pytest.raises(OSError, match=f"Input/output error: '.*{told or 'run.npz'}'"):
            with replacing(tmp_path / "run.npz"):
                raise OSError(errno.EIO, os.strerror(errno.EIO), told)
    assert not list(tmp_path.iterdir())
