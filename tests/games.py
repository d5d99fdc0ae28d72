"""Small games that several test modules play, and what of a game they compare."""
import numpy as np
from differences import small_discriminator, small_generator

from npgan import checkpoint
from npgan.adversarial import AdversaryPair, SimultaneousSteps
from npgan.backend import RandomStream, to_numpy
from npgan.checkpoint import Saving
from npgan.datasets import Dataset
from npgan.layers import Dropout, Linear, Sigmoid
from npgan.learning_rule import LearningRule, Momentum
from npgan.mlp import MLP
from npgan.monitor import Monitor
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage
from npgan.section7.conditional import (
    ConditionalDropout,
    ConditionalGenerator,
    ConditionalMaxout,
    ConditionalRectifiedLinear,
)
from npgan.train import Train

DATA = np.random.RandomState(2014).uniform(size=(25, 4))            # 3 updates an epoch


class Run:
    """
    A small `Train` with everything that a run can have, some of it changed; it saves to `path` after each epoch.

    Its schedules serve the rules of the players named by `serving`.
    """

    def __init__(self, path, order=SimultaneousSteps, seed=1, data=DATA, decay=.9, batch_size=10, average=True,
                 rule=Momentum, rate=.1, momentum=(.5, .7), watched=None, include_prob=.5, serving="GD", **nets):
        noise, masks = RandomStream([seed, 1]), RandomStream([seed, 2])
        G = nets.get("generator", small_generator)(noise)
        D = nets.get("discriminator", small_discriminator)(masks, include_prob)
        rules = rule(rate, momentum[0]), rule(.1, .5)
        served = [dict(zip("GD", rules))[player] for player in serving]
        self.average = PolyakAverage(G, decay)
        schedules = [ExponentialDecay(served, 1.01, .01), MomentumAdjustor(served, momentum[1], start=1, saturate=4)]
        self.monitor = Monitor(watched or {"train": Dataset(data)}, batch_size=7)
        self.train = Train(order(AdversaryPair(G, D), *rules), Dataset(data), batch_size, RandomStream([seed, 3]),
                           [self.monitor, *schedules, *[self.average][:average], Saving(path)])
        self.generator, self.main_loop = G, self.train.main_loop


def contents(path):
    """All of a checkpoint but the times."""
    saved = checkpoint.load(path)
    state = saved.header["state"]
    del state["train.seconds"], saved.arrays["extensions[0].history/training_seconds_this_epoch"]
    return saved.header["streams"], state, {name: array.tobytes() for name, array in saved.arrays.items()}


class Spy(LearningRule):
    """A rule that moves nothing: it keeps the gradients, and signs a list that two rules may share."""

    def __init__(self, name="", log=None):
        self.name, self.log, self.grads = name, [] if log is None else log, []

    def update(self, net):
        self.log.append(self.name)
        self.grads.append(to_numpy(net.grad).copy())

    @property
    def grad(self):
        return self.grads[-1]


def conditional_pair(seed=3, ncond=2, include_prob=.8):
    """G from 3 noise coordinates and c to 4 sigmoids, D from those and c."""
    weights, V, noise, masks = (RandomStream([seed, i]) for i in range(4))
    G = ConditionalGenerator(
        MLP([ConditionalRectifiedLinear(3 + ncond, 5, 1., weights, ncond=ncond, cond_rng=V),
             Sigmoid(5, 4, 1., weights)]), ncond, "gaussian", noise)
    D = MLP([ConditionalDropout(include_prob, rng=masks, ncond=ncond),
             ConditionalMaxout(4 + ncond, 3, 2, 1., weights, ncond=ncond, cond_rng=V, init_bias=weights.normal((6,))),
             Dropout(include_prob, rng=masks), Linear(3, 1, 1., weights)])
    return AdversaryPair(G, D)
