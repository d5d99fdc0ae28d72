"""The monitoring channels, against numbers worked out by hand."""
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
from differences import small_pair
from numpy.testing import assert_allclose

from npgan import backend
from npgan.adversarial import AdversaryPair, Generator, SimultaneousSteps
from npgan.backend import RandomStream, xp
from npgan.channels import measure, unit_statistics, weight_norms
from npgan.costs import NonSaturating
from npgan.datasets import Dataset
from npgan.layers import Linear, Maxout
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import LogLikelihood, Monitor
from npgan.schedules import PolyakAverage
from npgan.section7.conditional import ConditionalGenerator
from npgan.train import Train, TrainingDiverged

pytestmark = pytest.mark.usefixtures("float64")

LOG2 = np.log(2)


def linear_pair(w, bias=0., sample=0.):
    """D's logit is x w + bias; G gives `sample` in every coordinate whatever z."""
    rng = RandomStream(1)
    D = MLP([Linear(len(w), 1, 0., rng, init_bias=bias)])
    D.theta[:len(w)] = backend.asarray(w)
    return AdversaryPair(Generator(MLP([Linear(3, len(w), 0., rng, init_bias=sample)]), "gaussian", rng), D)


def floats(channels):
    return {name: float(value) for name, value in channels.items()}


def test_a_discriminator_that_cannot_tell_is_at_one_half():
    channels = floats(measure(linear_pair([0., 0]), backend.asarray(np.ones((7, 2))), NonSaturating()))
    assert channels["objective_d"] == pytest.approx(LOG2)
    assert channels["objective_g"] == pytest.approx(LOG2)
    assert channels["objective"] == pytest.approx(2 * LOG2)
    assert channels["d_on_data"] == channels["d_on_samples"] == .5
    assert channels["sample_grad_norm"] == 0
    assert channels["false_negatives"] == channels["false_positives"] == 0


def test_errors_of_the_discriminator_are_counted():
    x = backend.asarray(np.array([[1.], [1], [-1], [1]]))
    channels = floats(measure(linear_pair([1.], sample=2.), x, NonSaturating()))
    assert channels["false_negatives"] == .25 and channels["false_positives"] == 1


def test_sample_grad_norm_is_that_of_the_generators_loss():
    """dC/dx_i = -sigmoid(-a)/m w for each of m equal samples, so the norm is sigmoid(-a) |w| / sqrt(m); here a = 7."""
    channels = measure(linear_pair([3., 4.], sample=1.), backend.asarray(np.zeros((25, 2))), NonSaturating())
    assert_allclose(float(channels["sample_grad_norm"]), 5 / 5 / (1 + np.exp(7)))


def test_statistics_on_data_and_on_samples_have_their_own_names():
    """The authors' code exchanges the two."""
    channels = floats(measure(linear_pair([1.], sample=-3.), backend.asarray(np.array([[1.], [5]])), NonSaturating()))
    assert channels["dis_on_data_y_mean_x_max_u"] == 3 and channels["dis_on_samp_y_mean_x_max_u"] == -3
    assert channels["dis_on_data_y_range_x_mean_u"] == 4 and channels["gen_y_max_x_min_u"] == -3


def test_parzen_channel_is_the_log_density_of_a_gaussian_around_equal_samples():
    x = np.array([[.1, .2], [0, -.3]])
    channels = floats(measure(linear_pair([0., 0]), backend.asarray(x), NonSaturating()))
    expected = np.mean(-(x ** 2).sum(axis=1) / (2 * .04)) - 2 * np.log(.2 * np.sqrt(2 * np.pi))
    assert channels["gen_ll"] == pytest.approx(expected)
    assert channels["gen_nll"] == -channels["gen_ll"]


def test_unit_statistics_by_hand():
    h = backend.asarray(np.array([[1., 10], [3, 40]]))
    assert floats(unit_statistics("h0", h)) == {
        "h0_max_x_max_u": 40, "h0_max_x_mean_u": 21.5, "h0_max_x_min_u": 3,
        "h0_min_x_max_u": 10, "h0_min_x_mean_u": 5.5, "h0_min_x_min_u": 1,
        "h0_mean_x_max_u": 25, "h0_mean_x_mean_u": 13.5, "h0_mean_x_min_u": 2,
        "h0_range_x_max_u": 30, "h0_range_x_mean_u": 16, "h0_range_x_min_u": 2}


def test_weight_norms_by_hand():
    net = MLP([Linear(2, 2, 0., RandomStream(1))])
    net.theta[:4] = backend.asarray(np.array([3., 0, 4, 12]))               # W = [[3, 0], [4, 12]]
    norms = floats(weight_norms("dis", net))
    assert norms == pytest.approx({
        "dis_y_row_norms_min": 3, "dis_y_row_norms_mean": (3 + 160 ** .5) / 2, "dis_y_row_norms_max": 160 ** .5,
        "dis_y_col_norms_min": 5, "dis_y_col_norms_mean": 8.5, "dis_y_col_norms_max": 12})


def test_a_channel_is_the_mean_over_the_rows_however_they_are_batched():
    data = Dataset(np.random.RandomState(1).normal(size=(25, 2)))
    step = SimultaneousSteps(linear_pair([1., -2]), Momentum(.1), Momentum(.1))
    whole, parts = (Monitor({}, batch_size=b).measure_dataset(data, step) for b in (25, 10))
    for channel in ("objective_d", "objective_g", "d_on_data", "false_negatives", "gen_ll", "dis_y_col_norms_max"):
        assert parts[channel] == pytest.approx(whole[channel])


def test_history_has_a_value_of_each_channel_for_each_time_of_measuring():
    class Running:
        step = SimultaneousSteps(small_pair(RandomStream(1), .5), Momentum(.1, .5), Momentum(.2, .6))
        seconds = 1.5

    monitor = Monitor({"valid": Dataset(np.full((6, 4), .5)), "test": Dataset(np.full((3, 4), .5))}, every=2)
    for Running.epoch in range(5):
        monitor.on_monitor(Running)
    assert monitor.history["epoch"] == [0, 2, 4]
    assert monitor.history["learning_rate_g"] == [.1] * 3 and monitor.history["momentum_d"] == [.6] * 3
    assert {len(values) for values in monitor.history.values()} == {3}
    assert all(f"{name}_{channel}" in monitor.history for name in ("valid", "test")
               for channel in ("objective", "sample_grad_norm", "gen_h0_max_x_mean_u", "dis_on_samp_y_min_x_min_u"))
    assert len(set(monitor.history["valid_objective"])) == 3                # fresh noise and masks each time


@pytest.mark.parametrize("bias, sure", [(0., False), (6., False), (8., True), (-8., True)])
def test_a_saturated_discriminator_is_warned_of(bias, sure):
    """sigmoid(6) = .9975, sigmoid(8) = .9997."""
    class Running:
        step = SimultaneousSteps(linear_pair([0., 0], bias=bias), Momentum(.1), Momentum(.1))
        seconds, updates, describe_checkpoint = 1., 3, staticmethod(lambda: "the last good checkpoint is run.npz")

    monitor = Monitor({"valid": Dataset(np.zeros((3, 2)))})
    Running.epoch = 0
    monitor.on_monitor(Running)                                             # once is not a whole epoch
    Running.epoch = 1
    told = r"valid, epoch 1, update 3: D\(x\) is .*D gives one answer to all rows.*the last good checkpoint is run.npz"
    with pytest.warns(UserWarning, match=told) if sure else nullcontext():
        monitor.on_monitor(Running)


class Biased:
    """Runs whose D says sigmoid(8) = .9997 to everything, or 1/2; `at` tells a monitor of an epoch with such a D."""

    updates, seconds, describe_checkpoint = 3, 1., staticmethod(lambda: "no checkpoint was saved")

    def at(self, epoch, monitor, sure=True):
        self.epoch, pair = epoch, linear_pair([0., 0], bias=8. * sure)
        self.step = SimultaneousSteps(pair, Momentum(.1), Momentum(.1))
        monitor.on_monitor(self)


def test_a_saturated_discriminator_is_warned_of_within_an_epoch_and_once_until_it_recovers():
    """Also at epochs that are not measured, on one minibatch, of which nothing is recorded."""
    monitor, run, told = Monitor({"valid": Dataset(np.zeros((30, 2)))}, batch_size=10, every=44), Biased(), []
    for epoch, sure in enumerate([False, False, True, True, True, True, False, True, False, True, True]):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run.at(epoch, monitor, sure)
        told += [epoch] * len(caught)
    assert told == [3, 10]
    assert monitor.history["epoch"] == [0] and len(monitor.history["valid_d_on_data"]) == 1


def test_a_run_that_goes_on_after_each_epoch_knows_of_a_saturated_discriminator():
    """Also where no epoch but the first is measured."""
    told, state = [], {}
    for epoch, sure in enumerate([False, True, True, True, False, True, True]):
        monitor = Monitor({"valid": Dataset(np.zeros((3, 2)))}, every=10)
        for name, value in state.items():
            setattr(monitor, name, value)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Biased().at(epoch, monitor, sure)
        told += [epoch] * len(caught)
        state = {name: getattr(monitor, name) for name in monitor.state_names}
    assert told == [2, 6]


@pytest.mark.parametrize("datasets, message", [
    (Dataset(np.ones((3, 2))), 'datasets must be a dict of Dataset by name, such as .*, got <Dataset data: 3 rows'),
    ({"valid": np.ones((3, 2))}, r"datasets\['valid'\] must be a Dataset, got a ndarray; wrap it: Dataset\(X\)"),
])
def test_what_is_no_data_set_is_refused(datasets, message):
    with pytest.raises(TypeError, match=message):
        Monitor(datasets)
    with pytest.raises(TypeError, match="dataset must be a Dataset, got a list"):
        LogLikelihood(Monitor({}), "ll", [[1, 2]])


def test_log_likelihood_is_that_of_the_averaged_generator_and_leaves_no_trace():
    """All samples are at 0 or, averaged, at 1; so data at 1 are at the centre of the narrowest Gaussian."""
    pair = linear_pair([0., 0])
    G, place = pair.generator, pair.generator.rng.state
    average = PolyakAverage(G, .9)
    average.theta[-2:] = 1

    class Running:
        step, epoch = SimultaneousSteps(pair, Momentum(.1), Momentum(.1)), 0

    monitor, ones = Monitor({}), Dataset(np.ones((3, 2)))
    LogLikelihood(monitor, "own", ones, num_samples=10).on_monitor(Running)
    LogLikelihood(monitor, "averaged", ones, average, num_samples=10).on_monitor(Running)
    centre = {sigma: -2 * np.log(sigma * np.sqrt(2 * np.pi)) for sigma in (.1, .7742636826811270, 1.)}
    assert monitor.history["averaged"] == pytest.approx([centre[.1]])
    assert monitor.history["own"] == pytest.approx([max(centre[s] - 1 / s ** 2 for s in (.7742636826811270, 1.))])
    assert monitor.history["own_epoch"] == [0]
    assert G.rng.state == place or xp.module is not np
    assert float(abs(G.theta).sum()) == 0


def test_an_epoch_is_recorded_whole_or_not_at_all_and_only_once():
    monitor = Monitor({})
    monitor.record(0, {"a": 1, "b": 2})
    with pytest.raises(TypeError):
        monitor.record(1, {"a": 3, "b": None})
    assert monitor.history == {"epoch": [0], "a": [1], "b": [2]}
    for a in (3, 4):
        monitor.record(1, {"a": a, "b": 5})
    assert monitor.history == {"epoch": [0, 1], "a": [1, 4], "b": [2, 5]}


def test_an_epoch_measured_again_neither_warns_nor_changes_anything():
    """As after an error in another extension, which repeats the monitoring of an epoch."""
    monitor = Monitor({"valid": Dataset(np.zeros((3, 2)))})
    Biased().at(0, monitor)
    found = [{**monitor.history}, {**monitor.saturation}]
    Biased().at(0, monitor)
    assert [monitor.history, monitor.saturation] == found


def test_log_likelihood_takes_the_best_of_its_sigmas():
    """Samples and data at 0: the density there is highest for the narrowest Gaussian."""
    class Running:
        step, epoch = SimultaneousSteps(linear_pair([0., 0]), Momentum(.1), Momentum(.1)), 0

    monitor = Monitor({})
    LogLikelihood(monitor, "ll", Dataset(np.zeros((3, 2))), num_samples=10, sigmas=[.5, .05]).on_monitor(Running)
    assert monitor.history["ll"] == pytest.approx([-2 * np.log(.05 * np.sqrt(2 * np.pi))])


def test_a_log_likelihood_of_a_conditional_g_is_refused():
    rng = RandomStream(1)

    class Running:
        G = ConditionalGenerator(MLP([Linear(5, 2, 1., rng)]), 2, "gaussian", rng)
        step, epoch = SimultaneousSteps(AdversaryPair(G, MLP([Linear(4, 1, 1., rng)])), Momentum(.1), Momentum(.1)), 0

    with pytest.raises(TypeError, match="LogLikelihood needs a G that takes z alone, got ConditionalGenerator"):
        LogLikelihood(Monitor({}), "ll", Dataset(np.ones((3, 2)))).on_monitor(Running)


class Grow:
    """After the first epoch it makes G's parameters finite numbers whose squares are not."""

    def on_monitor(self, train):
        if train.epoch == 1:
            train.step.pair.generator.theta[...] = 1e200


@pytest.mark.parametrize("watch", [lambda rows: Monitor({"valid": rows}),
                                   lambda rows: LogLikelihood(Monitor({}), "ll", rows, num_samples=10)],
                         ids=["Monitor", "LogLikelihood"])
def test_samples_beyond_all_distances_end_in_training_diverged(watch):
    rows = Dataset(np.ones((6, 2)))
    step = SimultaneousSteps(linear_pair([0., 0]), Momentum(.1), Momentum(.1))
    train = Train(step, rows, 2, RandomStream(1), [Grow(), watch(rows)])
    train.checkpoint = "run.npz"
    message = (r"^G's samples must be of magnitudes up to .*, got more in row \d after epoch 1, update 3; "
               "the last good checkpoint is run.npz; a smaller learning rate")
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=message):
        train.main_loop(2)


def test_maxout_rows_and_columns_are_those_of_its_pieces():
    net = MLP([Maxout(2, 1, 3, 1., RandomStream(2)), Linear(1, 1, 1., RandomStream(3))])
    W = backend.to_numpy(net.layers[0].W)
    longest = max(np.linalg.norm(W[:, j]) for j in range(3))
    assert float(weight_norms("d", net)["d_h0_col_norms_max"]) == pytest.approx(longest)
