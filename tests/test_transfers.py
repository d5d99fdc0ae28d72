"""What goes between host and device, counted on the stand-in for CuPy: nothing in a training step."""
import re
from types import SimpleNamespace

import numpy as np
import pytest
import strict

from npgan import backend, checkpoint
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps, SimultaneousSteps, algorithm_1
from npgan.backend import RandomStream, xp
from npgan.conv import Deconv, MaxoutConv
from npgan.costs import NonSaturating, Saturating
from npgan.datasets import Dataset
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import LogLikelihood, Monitor
from npgan.released.coordination import CoordinatedSteps, ShrinkD
from npgan.released.costs import Blend, Lazy, Thresholded
from npgan.released.noise_layers import Clusterize, IntrinsicDropout, NoiseCat
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage
from npgan.train import Train
from npgan.transpose import Transpose


@pytest.fixture(autouse=True)
def on_the_stand_in(monkeypatch):
    monkeypatch.setattr(xp, "module", strict.module)


def dense(rng, noise="uniform"):
    """The layers of the authors' MNIST nets, norm limits too, from 5 noise coordinates to 12 numbers."""
    limit = {"max_col_norm": 1.9365}
    G = MLP([RectifiedLinear(5, 8, .5, rng, **limit), Sigmoid(8, 12, .5, rng, **limit)])
    D = MLP([Dropout(.8, rng=rng), Maxout(12, 6, 5, .5, rng, **limit), Dropout(.5, rng=rng),
             Maxout(6, 6, 5, .5, rng, **limit), Dropout(.5, rng=rng), Linear(6, 1, .5, rng, **limit)])
    return AdversaryPair(Generator(G, noise, rng), D)


def convolutional(rng, noise="gaussian"):
    """The layers of the authors' convolutional CIFAR-10 nets, for pictures of 6 x 6 in two colours."""
    lays_down = Deconv((3, 3, 4), 2, (2, 2), .5, rng, output_stride=(2, 2), max_kernel_norm=1.9365)
    sees = MaxoutConv((6, 6, 2), 3, 2, (3, 3), (2, 2), (2, 2), .5, rng, pad=1, max_kernel_norm=1.9365)
    spectral = MaxoutConv(sees.output_shape, 40, 2, (3, 3), (2, 2), (1, 1), .5, rng, pad=1)
    G = MLP([RectifiedLinear(5, 8, .5, rng), Sigmoid(8, 36, .5, rng), lays_down, Transpose((6, 6, 2), (2, 0, 1))])
    D = MLP([Transpose((2, 6, 6), (1, 2, 0)), Dropout(.8, rng=rng), sees, Dropout(.5, rng=rng), spectral,
             Maxout(spectral.dim, 6, 5, .5, rng), Linear(6, 1, .5, rng)])
    return AdversaryPair(Generator(G, noise, rng), D)


@pytest.mark.parametrize("noise, generator_loss", [("uniform", NonSaturating()), ("gaussian", Saturating()),
                                                   ("spherical", Blend())], ids=["uniform", "gaussian", "spherical"])
@pytest.mark.parametrize("steps", [SimultaneousSteps, SeparateSteps])
@pytest.mark.parametrize("nets", [dense, convolutional])
def test_a_step_moves_nothing(nets, steps, generator_loss, noise):
    """Its rows included, which are gathered on the device from an order that is there, and the extensions after it."""
    pair = nets(RandomStream(1), noise)
    rules = [Momentum(.1, .5), Momentum(.1, .5)]
    step = steps(pair, *rules, generator_loss=generator_loss)
    extensions = [PolyakAverage(pair.generator, .99), ExponentialDecay(rules, 1.000004, 1e-6)]
    dataset = Dataset(RandomStream(2).uniform(0, 1, (10, pair.discriminator.nvis)))
    minibatches = dataset.minibatches(4, RandomStream(3))
    before = pair.generator.theta.copy(), pair.discriminator.theta.copy()
    with strict.no_transfers():
        for t, x in enumerate(minibatches, start=1):
            step(x, t)
            for extension in extensions:
                extension.on_update(SimpleNamespace(updates=t))
    for old, net in zip(before, (pair.generator, pair.discriminator)):
        assert not np.array_equal(old.get(), net.theta.get())


@pytest.mark.parametrize("no_drop", [False, True])
def test_a_step_with_all_options_and_noise_within_g_moves_nothing(no_drop):
    rng = RandomStream(1)
    G = MLP([RectifiedLinear(5, 8, .5, rng), NoiseCat(8, 2, 1., rng), Clusterize(.1, rng),
             IntrinsicDropout(.8, rng=rng), Sigmoid(10, 12, .5, rng)])
    pair, x = AdversaryPair(Generator(G, "gaussian", rng), dense(rng).discriminator), rng.uniform(0, 1, (4, 12))
    step = CoordinatedSteps(pair, Momentum(.1, .5), Momentum(.1, .5), generator_loss=Thresholded(.3), scale_grads=True,
                            discriminator_loss=Lazy(.3), no_drop_in_d_for_g=no_drop, noise_both=.1, alternate_g=True)
    shrink, train = ShrinkD(.99), SimpleNamespace(step=step)
    with strict.no_transfers():
        for t in range(1, 4):
            step(x, t)
            shrink.on_update(train)


@pytest.mark.parametrize("k", [1, 3])
def test_algorithm_1_moves_nothing(k):
    pair, data = dense(RandomStream(1)), RandomStream(2)
    with strict.no_transfers():
        algorithm_1(pair, Momentum(.1), Momentum(.1), lambda m: data.uniform(0, 1, (m, 12)), 3, k=k, m=4)


def moved(function):
    """How often `function` moves something to the device and to the host."""
    before = strict.transfers.copy()
    function()
    return [strict.transfers[way] - before[way] for way in ("to device", "to host")]


def test_a_monitored_epoch_moves_as_often_as_is_stated():
    """By the numbers in the docstrings of `Train`, `Monitor` and `LogLikelihood`: 37 minibatches, 3 of validation."""
    rng = RandomStream(1)
    pair = dense(rng)
    train_set, valid = (Dataset(rng.uniform(0, 1, (n, 12))) for n in (370, 30))
    rules = [Momentum(.1, .5), Momentum(.1, .5)]
    average, watching = PolyakAverage(pair.generator, .99), Monitor({"valid": valid}, batch_size=10)
    judging = LogLikelihood(watching, "ll", valid, average, num_samples=2500)
    seldom = Monitor({"valid": valid}, batch_size=10, every=3)

    def epoch(extensions):
        game = Train(SimultaneousSteps(pair, *rules), train_set, 10, RandomStream(3), extensions)
        game.main_loop(1)
        return moved(lambda: game.main_loop(2))

    schedules = [average, ExponentialDecay(rules, 1.000004, 1e-6), MomentumAdjustor(rules, .7, 1, 250)]
    bare = epoch(schedules)
    monitored, judged = epoch([*schedules, watching]), epoch([*schedules, judging])
    everything = epoch([*schedules, watching, judging])
    assert bare == stated(Train)
    assert np.subtract(monitored, bare).tolist() == [3 * a + b for a, b in zip(*stated(Monitor, 3)[:2])]
    blocks = 1 + 3                                              # of a thousand rows: 30 to judge, 2500 samples
    assert np.subtract(judged, bare).tolist() == [a + blocks * b for a, b in zip(*stated(LogLikelihood, 2))]
    assert np.subtract(epoch([*schedules, seldom]), bare).tolist() == stated(Monitor, 3)[2]
    assert everything == np.add(monitored, np.subtract(judged, bare)).tolist() == [5, 13]


def stated(room, times=1):
    """The numbers of transfers to the device and to the host in the docstring of a `room`, which has `times` pairs."""
    text = " ".join(room.__doc__.split())
    told = re.findall(r"(\d+) transfers? to the device and (\d+) to the host", text)
    pairs = [[int(n) for n in pair] for pair in told]
    assert len(pairs) == times, text
    return pairs if times > 1 else pairs[0]


def test_a_checkpoint_goes_from_one_backend_to_the_other(tmp_path, monkeypatch):
    """What a GPU has written a processor reads, and the other way round, to the last bit."""
    path = str(tmp_path / "net.npz")
    for writes, reads in ((strict.module, np), (np, strict.module)):
        monkeypatch.setattr(xp, "module", writes)
        pair = dense(RandomStream(1))
        game = Train(SimultaneousSteps(pair, Momentum(.1, .5), Momentum(.1, .5)),
                     Dataset(RandomStream(2).uniform(0, 1, (20, 12))), 10, RandomStream(3))
        game.main_loop(1)
        checkpoint.save(path, game)
        theta = backend.to_numpy(pair.generator.theta).copy()
        monkeypatch.setattr(xp, "module", reads)
        G = checkpoint.load(path).generator(rng=RandomStream(4))
        assert type(G.theta) is (np.ndarray if reads is np else strict.Array)
        np.testing.assert_array_equal(backend.to_numpy(G.theta), theta)
