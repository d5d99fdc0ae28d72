"""The training loop: the order of its calls, repeatability, signals and errors, and bad arguments."""
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from differences import small_pair
from numpy.testing import assert_array_equal

from npgan import backend, checkpoint, interruption
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps, SimultaneousSteps
from npgan.backend import RandomStream, to_numpy, xp
from npgan.checkpoint import saving
from npgan.datasets import Dataset
from npgan.interruption import TrainingStopped
from npgan.layers import Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import LogLikelihood, Monitor
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage
from npgan.train import Train, TrainingDiverged

DATA = np.random.RandomState(2014).uniform(size=(25, 4))


def small_train(data=DATA, extensions=(), steps=SimultaneousSteps, batch_size=10, seed=1, include_prob=.5):
    pair = small_pair(RandomStream([seed, 0]), include_prob, "uniform")
    step = steps(pair, Momentum(.1, .5), Momentum(.1, .5))
    return Train(step, Dataset(data), batch_size, RandomStream([seed, 1]), extensions)


class Diary:
    """Writes down each event that reaches it."""

    def __init__(self):
        self.events = []

    def on_update(self, train):
        self.events.append(f"update {train.updates}")

    def on_monitor(self, train):
        self.events.append(f"monitor {train.epoch}")


def test_monitoring_comes_before_training_and_after_each_epoch_of_all_batches():
    diary = Diary()
    small_train(extensions=[diary]).main_loop(2)
    assert diary.events == ["monitor 0", "update 1", "update 2", "update 3", "monitor 1",
                            "update 4", "update 5", "update 6", "monitor 2"]


def test_an_epoch_uses_every_row_once_and_keeps_the_short_last_batch():
    train = small_train()
    seen, numbers, step = [], [], train.step
    train.step = lambda x, t: (seen.append(to_numpy(x)), numbers.append(t), step(x, t))
    vars(train.step).update(vars(step))
    train.main_loop(1)
    assert numbers == [1, 2, 3] and [len(x) for x in seen] == [10, 10, 5]
    rows = np.concatenate(seen)
    assert_array_equal(rows[np.lexsort(rows.T)], DATA.astype("float32")[np.lexsort(DATA.T)])
    assert not np.array_equal(rows, DATA.astype("float32"))     # two orders of 25 rows are equal: below 1e-20


def test_main_loop_goes_on_where_it_was_and_stops_when_an_extension_says_so():
    train = small_train(extensions=[diary := Diary()])
    train.main_loop(1)
    train.main_loop(2)
    assert diary.events.count("monitor 0") == 1 and train.epoch == 2 and train.updates == 6

    class Stop:
        def on_monitor(self, train):
            train.stop = train.epoch == 3

    train.extensions.append(Stop())
    train.main_loop(100)
    assert train.epoch == 3


class Interrupt:
    """Sends this process SIGINT before training, once."""

    sent = False

    def on_monitor(self, train):
        if not self.sent:
            self.sent = True
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("way", ["no epoch", "a signal", "a checkpoint"])
def test_what_comes_before_training_comes_once(way, tmp_path):
    def run(*extensions, name="run.npz"):
        train = small_train(extensions=[diary := Diary(), *extensions, checkpoint.Saving(tmp_path / name)])
        train.extensions.insert(0, MomentumAdjustor([train.step.rule_G], .7, start=1, saturate=9))
        return train, diary

    whole, _ = run(name="whole.npz")
    whole.main_loop(2)
    train, diary = run(*[Interrupt()] * (way == "a signal"))
    if way == "no epoch":
        train.main_loop(0)
    elif way == "a signal":
        with pytest.raises(TrainingStopped, match="after epoch 0, update 0; no checkpoint was saved"):
            train.main_loop(2)
    else:
        run()[0].main_loop(1)
        checkpoint.restore(tmp_path / "run.npz", train)
    train.main_loop(2)
    assert diary.events.count("monitor 0") == (way != "a checkpoint")
    assert train.step.rule_G.momentum == whole.step.rule_G.momentum
    if way == "no epoch" or backend.xp.module is np:            # to save reads CuPy's streams, which moves them
        assert_array_equal(to_numpy(train.step.pair.generator.theta), to_numpy(whole.step.pair.generator.theta))


@pytest.mark.parametrize("max_epochs", [None, -1, 2.5, "3"])
def test_epochs_are_whole_numbers(max_epochs):
    train = small_train(extensions=[diary := Diary()])
    with pytest.raises(ValueError, match=f"max_epochs must be a whole number >= 0, got {max_epochs!r}"):
        train.main_loop(max_epochs)
    assert not diary.events


@pytest.mark.parametrize("steps", [SimultaneousSteps, SeparateSteps])
def test_the_same_seed_gives_the_same_bits_whatever_is_monitored(steps):
    def theta(seed, *extensions):
        train = small_train(extensions=extensions, steps=steps, seed=seed)
        train.main_loop(3)
        pair = train.step.pair
        return np.concatenate([to_numpy(pair.generator.theta), to_numpy(pair.discriminator.theta)])

    monitor = Monitor({"train": Dataset(DATA)}, batch_size=7)
    assert_array_equal(theta(1), theta(1, monitor))
    assert not np.array_equal(theta(1), theta(2))


def test_momentum_grows_between_epochs_as_the_authors_count():
    train = small_train()
    rule = train.step.rule_G
    train.extensions = [MomentumAdjustor([rule], final_momentum=.7, start=1, saturate=3), diary := Momenta(rule)]
    train.main_loop(4)
    assert diary.during_epoch == pytest.approx({1: .5, 2: .6, 3: .7, 4: .7})


class Momenta:
    """Writes down a rule's momentum in each epoch."""

    def __init__(self, rule):
        self.rule, self.during_epoch = rule, {}

    def on_update(self, train):
        self.during_epoch[train.epoch + 1] = self.rule.momentum


def test_norm_limits_hold_before_the_first_update():
    rng = RandomStream(1)
    G = Generator(MLP([Sigmoid(3, 4, 5., rng, max_col_norm=1.)]), "gaussian", rng)
    D = MLP([Maxout(4, 3, 2, 5., rng, max_col_norm=1.), Linear(3, 1, 1., rng)])
    train = Train(SimultaneousSteps(AdversaryPair(G, D), Momentum(.1), Momentum(.1)), Dataset(DATA), 10, rng)
    train.main_loop(0)
    for layer in (G.mlp.layers[0], D.layers[0]):
        assert np.linalg.norm(to_numpy(layer.W), axis=0).max() <= 1


def test_nets_learn_a_line_that_they_can_represent():
    """
    Data on the segment from (1, 2) to (3, -2): the samples have the rows' own mean and covariance.

    With this seed; how a game goes depends on its random numbers, and no false-alarm bound is claimed.
    """
    rng, t = RandomStream(6), np.random.RandomState(5).uniform(-1, 1, (1000, 1))
    rows = np.array([2, 0]) + t * [1, -2]
    G = Generator(MLP([Linear(1, 2, 1., rng)]), "uniform", rng)
    D = MLP([Maxout(2, 10, 3, .5, rng), Linear(10, 1, .5, rng)])
    rule_G, rule_D = Momentum(.02, .5), Momentum(.1, .5)
    average = PolyakAverage(G, .999)
    Train(SimultaneousSteps(AdversaryPair(G, D), rule_G, rule_D), Dataset(rows), 100, rng, [average]).main_loop(300)
    with average.applied():
        x = to_numpy(G.sample(100_000))                 # so many that what remains is the training's error
    np.testing.assert_allclose(x.mean(axis=0), rows.mean(axis=0), atol=.15)
    np.testing.assert_allclose(np.cov(x.T), np.cov(rows.T), atol=.2)


def test_a_parameter_that_is_not_finite_is_named():
    train = small_train()
    train.step.pair.discriminator.layers[1].b[2] = xp.nan
    with pytest.raises(TrainingDiverged, match=r"D's h0\.b is not finite after epoch 0, update 0; no checkpoint"):
        train.main_loop(1)

    train = small_train()
    train.checkpoint = "run.npz"
    train.step.rule_G.learning_rate = np.inf
    message = "after epoch 1, update 3; the last good checkpoint is run.npz"
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=message):
        train.main_loop(2)


def test_all_float_arrays_of_the_state_must_be_finite():
    train = small_train()
    averages = [PolyakAverage(net, .9) for net in (train.step.pair.generator, train.step.pair.discriminator)]
    train.extensions = [*averages, own := Own()]
    train.main_loop(1)
    for array, name in ((averages[1].theta, "PolyakAverage's theta"), (averages[0].theta, "PolyakAverage's theta"),
                        (own.best, "Own's best")):
        array[1] = xp.inf
        message = f"{name} is not finite after epoch 2, update 6; no checkpoint"
        with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=message):
            train.main_loop(2)
        array[1] = 0
    train.main_loop(2)
    train.step.rule_D.velocity[:] = xp.nan
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=r"[GD]'s \w+\.[Wb] is not finite"):
        train.main_loop(3)                                      # the parameter is named first


def test_a_subclass_of_momentum_is_checked_as_momentum_is():
    class Own(Momentum):
        pass

    train = small_train()
    train.step.rule_D = Own(.1, .5)
    train.main_loop(1)
    train.step.rule_D.momentum, train.step.rule_D.velocity[0] = 0., xp.nan
    train.step.rule_D.descend = lambda net, dh, inputs=False: net.bprop(dh, inputs=inputs)        # theta stays finite
    with pytest.raises(TrainingDiverged, match="rule_D's velocity is not finite after epoch 2, update 6"):
        train.main_loop(2)


class Own:
    """An extension that is not npgan's, with a state."""

    state_names = "best",

    def __init__(self):
        self.best = xp.zeros(3)

    def on_monitor(self, train):
        pass


def test_data_that_became_infinite_are_named_with_the_parameter_that_shows_it():
    train = small_train(include_prob=1.)
    train.dataset.X[3, 1] = xp.inf
    message = "not finite after epoch 1, update 3.*the data are no longer finite either"
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=message):
        train.main_loop(1)


@pytest.mark.parametrize("steps", [SimultaneousSteps, SeparateSteps])
@pytest.mark.parametrize("player, layer, name", [("G", "h0", "W"), ("G", "y", "b"), ("D", "h0", "W"), ("D", "y", "W")])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_a_gradient_leaves_is_found_within_the_epoch(steps, player, layer, name, value):
    """A layer whose gradient is not finite once, in the midst of an epoch."""
    train = small_train(extensions=[poison := Poison(player, layer, name, value)], steps=steps)
    message = r"^[GD]'s \w+\.[Wb] is not finite after epoch 1, update 3; no checkpoint was saved"
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=message):
        train.main_loop(5)
    assert poison.done


class Poison:
    """Adds `value` to one velocity before the second update, as a gradient would."""

    def __init__(self, player, layer, name, value):
        self.player, self.layer, self.name, self.value, self.done = player, layer, name, value, False

    def on_update(self, train):
        if train.updates == 1:
            rule = train.step.rule_G if self.player == "G" else train.step.rule_D
            net, start = getattr(rule.net, "mlp", rule.net), 0
            for layer_name, layer in net.named_layers:
                for name, param in zip(layer.param_names, layer.params):
                    if (layer_name, name) == (self.layer, self.name):
                        rule.velocity[start] += self.value
                        self.done = True
                    start += param.size


class Raise:
    """Sends this process signals after so many updates."""

    def __init__(self, updates, *numbers):
        self.updates, self.numbers = updates, numbers

    def on_update(self, train):
        if train.updates == self.updates:
            for number in self.numbers:
                os.kill(os.getpid(), number)


class Last:
    """Writes down at which update it is asked for last words."""

    asked = None

    def on_signal(self, train):
        self.asked = train.updates

    def on_update(self, train):
        assert self.asked is None


@pytest.fixture(autouse=True)
def hears_signals():
    """SIGINT acts as Python has it, though a shell has it ignored by what it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("updates", [1, 2, 3, 6])               # 3 an epoch, and two epochs
def test_a_signal_ends_the_training_after_an_update(number, updates):
    train, before = small_train(extensions=[Raise(updates, number), last := Last()]), signal.getsignal(number)
    with pytest.raises(TrainingStopped, match=f"stopped by {number.name} after epoch {updates // 3}, update {updates}; "
                                              "no checkpoint was saved") as stopped:
        train.main_loop(2)
    assert stopped.value.signal == number and isinstance(stopped.value, KeyboardInterrupt)
    assert last.asked == train.updates == updates and signal.getsignal(number) is before
    train.extensions = [diary := Diary()]
    train.main_loop(3)                                          # goes on where it was, with the rows that are left
    assert diary.events[0] == f"update {updates + 1}"
    assert train.updates == 9 and train.epoch == 3


def test_a_second_signal_ends_everything_at_once():
    train = small_train(extensions=[Raise(2, signal.SIGINT, signal.SIGINT), last := Last()])
    with pytest.raises(KeyboardInterrupt) as stopped:
        train.main_loop(2)
    assert type(stopped.value) is KeyboardInterrupt and last.asked is None


@pytest.mark.parametrize("updates", [1, 2, 3, 6])
def test_without_saving_ctrl_c_raises_keyboard_interrupt_after_the_update(updates):
    def run(*extensions):
        train = small_train(extensions=[*extensions, diary := Diary()])
        return train, diary

    whole, expected = run()
    whole.main_loop(3)
    train, diary = run(Raise(updates, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as stopped:
        train.main_loop(2)
    assert type(stopped.value) is KeyboardInterrupt and train.updates == updates
    assert f"update {updates}" in diary.events                  # extensions after the one that was interrupted
    train.main_loop(3)
    assert diary.events == expected.events
    assert_array_equal(to_numpy(train.step.pair.generator.theta), to_numpy(whole.step.pair.generator.theta))


def test_a_handler_of_the_users_own_is_called_after_the_update_and_training_goes_on():
    handled = []
    signal.signal(signal.SIGINT, lambda number, frame: handled.append(train.under_way))
    train = small_train(extensions=[Raise(2, signal.SIGINT), diary := Diary()])
    train.main_loop(1)
    assert handled == [None] and diary.events[-1] == "monitor 1"


def test_an_ignored_signal_stays_ignored():
    train, before = small_train(extensions=[Raise(2, signal.SIGINT), Last()]), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)                # as of a job that the shell keeps in the background
    try:
        train.main_loop(1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert train.epoch == 1


def test_a_signal_during_the_last_monitoring_ends_the_training():
    train = small_train(extensions=[last := Last()])
    monitor = train.monitor
    train.monitor = lambda: (monitor(), train.epoch == 2 and os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(TrainingStopped, match="stopped by SIGTERM after epoch 2, update 6"):
        train.main_loop(2)
    assert last.asked == 6


def test_a_signal_while_the_handlers_are_set_is_held(monkeypatch):
    before, put = signal.getsignal(signal.SIGINT), signal.signal

    def put_and_send(number, handler):
        put(number, handler)
        if number == signal.SIGINT and handler is not before:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(signal, "signal", put_and_send)
    with interruption.held_signals() as signals:
        assert signals == [signal.SIGINT] and signal.getsignal(signal.SIGINT) is before


def test_what_diverged_is_not_saved_on_a_signal():
    train = small_train(extensions=[Raise(2, signal.SIGTERM), last := Last()])
    train.step.rule_G.learning_rate = np.inf
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match="after epoch 0, update 2"):
        train.main_loop(1)
    assert last.asked is None


def test_what_the_disk_refuses_is_told_with_the_last_good_checkpoint():
    class Full:
        def on_monitor(self, train):
            if train.epoch == 1:
                raise OSError("cannot write the picture x.png (No space left on device)")

    train = small_train(extensions=[Full()])
    train.checkpoint = "run.npz"
    with pytest.raises(OSError, match=r"x\.png \(No space left on device\); the last good checkpoint is run.npz"):
        train.main_loop(2)


@pytest.mark.parametrize("keywords, message", [
    ({"batch_size": 26}, "batch_size 26 is more than the data's 25 rows"),
    ({"batch_size": 0}, "batch_size must be a whole number >= 1, got 0"),
    ({"data": DATA[:, :3]}, "rows of 3 numbers, G learns rows of 4"),
    ({"data": 2 * DATA - 1}, r"makes numbers in \[0, 1\], the data are in \[-"),
])
def test_what_does_not_fit_is_refused_before_training(keywords, message):
    with pytest.raises(ValueError, match=message):
        small_train(**keywords)


def test_data_that_rounding_took_a_little_beyond_0_and_1_suit_sigmoids():
    """The largest number may be 1 + eps, as after scikit-learn's MinMaxScaler in float32."""
    data, eps = DATA.astype("float32"), np.finfo("float32").eps
    data[3, 1], data[5, 2] = 1 + eps, -eps
    small_train(data).main_loop(1)
    data[3, 1] = 1 + 8 * eps
    with pytest.raises(ValueError, match=r"makes numbers in \[0, 1\], .* 1\.00000095"):
        small_train(data)


def test_what_is_no_step_or_no_list_is_refused():
    step = small_train().step
    with pytest.raises(TypeError, match="step must hold a pair, rule_G and rule_D, as .* does, got None"):
        Train(None, Dataset(DATA), 10, RandomStream(1))
    lacking, numbers = (SimpleNamespace(**vars(step)) for _ in range(2))
    del lacking.rule_G
    numbers.rule_D = .1
    with pytest.raises(TypeError, match="step must hold a pair, rule_G and rule_D, .* got namespace"):
        Train(lacking, Dataset(DATA), 10, RandomStream(1))
    with pytest.raises(TypeError, match="rule_D must be a learning rule, such as Momentum, got 0.1"):
        Train(numbers, Dataset(DATA), 10, RandomStream(1))
    with pytest.raises(TypeError, match=r"extensions must be a list, got a Diary; put it in \[...\]"):
        Train(step, Dataset(DATA), 10, RandomStream(1), Diary())
    with pytest.raises(TypeError, match=r"an extension must be an object, got the class Diary; make one: Diary\(...\)"):
        Train(step, Dataset(DATA), 10, RandomStream(1), [Diary])


class Flaky:
    """Raises an `error` at its first event after `updates` updates, once."""

    def __init__(self, updates, error):
        self.updates, self.error = updates, error

    def fail(self, train):
        if self.error and train.updates == self.updates:
            error, self.error = self.error, None
            raise error

    on_update = on_monitor = fail


@pytest.mark.parametrize("updates", [0, 3, 6])
@pytest.mark.parametrize("error", [RuntimeError("stumbled"), OSError("no room")])
@pytest.mark.parametrize("place", [0, 4])
def test_after_an_error_in_on_monitor_it_is_repeated_for_the_same_epoch(updates, error, place):
    def run(*flaky):
        train = small_train()
        rules, monitor = [train.step.rule_G, train.step.rule_D], Monitor({"train": Dataset(DATA)})
        train.extensions = [ExponentialDecay(rules, 1.01), MomentumAdjustor(rules, .7, 1, 3), monitor,
                            LogLikelihood(monitor, "likelihood", Dataset(DATA), num_samples=10)]
        train.extensions[place:place] = flaky
        return train, monitor

    whole, expected = run()
    whole.main_loop(3)
    train, monitor = run(flaky := Flaky(updates, error))
    flaky.on_update = lambda train: None
    with pytest.raises(type(error), match=str(error)):
        train.main_loop(3)
    train.main_loop(3)
    for monitored in (monitor, expected):
        del monitored.history["training_seconds_this_epoch"]
    assert monitor.history == expected.history
    assert_array_equal(to_numpy(train.step.pair.generator.theta), to_numpy(whole.step.pair.generator.theta))


@pytest.mark.parametrize("error", [RuntimeError("stumbled"), MemoryError("no memory"), KeyboardInterrupt()])
@pytest.mark.parametrize("steps", [SimultaneousSteps, SeparateSteps])
def test_a_run_whose_update_was_interrupted_says_so_and_can_be_restored(steps, error, tmp_path, monkeypatch):
    def run(name="run.npz"):
        return small_train(extensions=[checkpoint.Saving(tmp_path / name)], steps=steps)

    whole = run("whole.npz")
    whole.main_loop(2)
    train = run()
    train.main_loop(1)
    rule = train.step.rule_G
    with monkeypatch.context() as flaky, pytest.raises(type(error)):
        flaky.setattr(rule, "descend", lambda *_, **__: (_ for _ in ()).throw(error))
        train.main_loop(2)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"^update 4 was interrupted midway, .*: build the run anew and restore "
                                               r".*run\.npz$"):
            train.main_loop(2)
    for again in (train, run()):
        checkpoint.restore(tmp_path / "run.npz", again)
        again.main_loop(2)
        if backend.xp.module is np:
            assert_array_equal(to_numpy(again.step.pair.generator.theta), to_numpy(whole.step.pair.generator.theta))


def test_an_error_of_an_extension_in_on_update_interrupts_the_update():
    train = small_train(extensions=[Flaky(2, RuntimeError("stumbled"))])
    with pytest.raises(RuntimeError, match="stumbled"):
        train.main_loop(1)
    with pytest.raises(RuntimeError, match="update 2 was interrupted midway, .* anew; no checkpoint was saved"):
        train.main_loop(1)


def test_what_a_full_disk_refused_is_saved_once_there_is_room(tmp_path, monkeypatch):
    train = small_train(extensions=[checkpoint.Saving(tmp_path / "run.npz")])
    train.main_loop(1)
    with monkeypatch.context() as full, pytest.raises(OSError, match="No space left"):
        full.setattr(saving, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        train.main_loop(2)
    train.main_loop(2)
    assert checkpoint.load(tmp_path / "run.npz").header["state"]["train.epoch"] == 2


def test_each_main_loop_of_a_diverged_run_raises():
    train = small_train(extensions=[Poison("G", "h0", "W", np.nan)])
    for _ in range(3):
        with pytest.raises(TrainingDiverged, match="G's h0.W is not finite after epoch 1, update 3"):
            train.main_loop(1)


def test_a_linear_generator_takes_data_of_any_range():
    rng = RandomStream(1)
    pair = AdversaryPair(Generator(MLP([RectifiedLinear(3, 5, 1., rng), Linear(5, 4, 1., rng)]), "gaussian", rng),
                         MLP([Linear(4, 1, 1., rng)]))
    Train(SimultaneousSteps(pair, Momentum(.1), Momentum(.1)), Dataset(100 * DATA - 7), 10, rng).main_loop(1)
    assert pair.generator.theta.dtype == backend.floatX
