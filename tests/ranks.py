"""What test_mpi.py has several ranks do: ``mpiexec -n 4 python ranks.py NAME FOLDER`` calls the function NAME."""
import os
import signal
import sys
from pathlib import Path

import numpy as np

from npgan import backend, checkpoint, mpi, parzen
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps, SimultaneousSteps
from npgan.backend import RandomStream
from npgan.datasets import Dataset
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import LogLikelihood, Monitor
from npgan.schedules import ExponentialDecay, PolyakAverage
from npgan.train import Train

EPOCHS = 10
SIGMAS = .05, .2, 1.


def game(kind, path=None, *more):
    """A small run with dropout, schedules, monitors and an uneven last minibatch: 50 updates in 10 epochs."""
    backend.use(floatX="float64")
    weights, noise, masks, order = (RandomStream([2014, i]) for i in range(4))
    G = Generator(MLP([RectifiedLinear(3, 12, .5, weights), Sigmoid(12, 6, .5, weights)]), "uniform", noise)
    D = MLP([Dropout(.8, rng=masks), Maxout(6, 8, 3, .5, weights, max_col_norm=1.), Dropout(.5, rng=masks),
             Linear(8, 1, .5, weights)])
    pair, rules = AdversaryPair(G, D), (Momentum(.1, .5), Momentum(.1, .5))
    step = (SeparateSteps(pair, *rules, discriminator_steps=2) if kind == "algorithm_1" else
            SimultaneousSteps(pair, *rules))
    rows = Dataset(np.random.RandomState(1).uniform(size=(47, 6)))
    average, monitor = PolyakAverage(G, .9), Monitor({"train": rows})
    return Train(step, rows, 10, order, [average, ExponentialDecay(rules, 1.01), monitor,
                                         LogLikelihood(monitor, "likelihood", rows, average, 2500, every=5),
                                         *([checkpoint.Saving(path)] if path else []), *more])


def trained(kind, comm=None):
    """Everything that a run ends with."""
    train = game(kind)
    average, _, monitor, *_ = train.extensions
    if comm:
        mpi.share(train, comm)
    train.main_loop(EPOCHS)
    G, D = train.step.pair.generator, train.step.pair.discriminator
    history = {name: value for name, value in monitor.history.items() if "seconds" not in name}
    return {"theta_g": G.theta, "theta_d": D.theta, "average": average.theta, "velocity": train.step.rule_D.velocity,
            "noise": G.noise(3), **history}


def log_likelihoods(comm=None):
    """Of 30 rows under 100 samples, of which rank 1 has none."""
    rng = np.random.RandomState(3)
    x, samples = rng.normal(size=(30, 4)), rng.normal(size=(100, 4))
    if comm is None:
        return {"log_p": parzen.log_likelihood(x, samples, SIGMAS)}
    others = [rank for rank in range(comm.size) if rank != 1]
    own = samples[others.index(comm.rank)::len(others)] if comm.rank != 1 else None
    return {"log_p": mpi.log_likelihood_over_ranks(x, own, SIGMAS, comm)}


class Failing:
    """An extension with which rank 1 fails in the third epoch, or all ranks are told to stop, one after the other."""

    def __init__(self, comm, way):
        self.comm, self.way = comm, way

    def on_update(self, train):
        """Fail in the `way`."""
        if self.way == "stopped":
            if train.updates == (12 if self.comm.rank == 0 else 7):
                os.kill(os.getpid(), signal.SIGTERM)
            return
        if self.comm.rank == 1 and train.updates == 12:
            if self.way == "error":
                raise ValueError("no more")
            if self.way == "exit":
                sys.exit(3)
            if self.way == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            train.step.rule_G.learning_rate = 1.                    # what no other rank does


def failing(way, folder, comm):
    """Train until rank 1 fails."""
    train = game("simultaneous", folder / "run.npz", Failing(comm, way))
    mpi.share(train, comm, root=[extension for extension in train.extensions if hasattr(extension, "path")])
    train.main_loop(EPOCHS)


if __name__ == "__main__":
    what, folder = sys.argv[1], Path(sys.argv[2])
    comm = mpi.start()
    if what in ("error", "exit", "killed", "apart", "stopped"):
        failing(what, folder, comm)
    for name in what.split(","):
        found = log_likelihoods(comm) if name == "parzen" else trained(name, comm)
        np.savez(folder / f"{name}_{comm.rank}.npz", **found)
