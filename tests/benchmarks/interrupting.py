"""
Small runs, interrupted at each line of npgan that they execute; then `main_loop` is called again.

An interrupt is a KeyboardInterrupt raised at the line, or a SIGINT sent there, or two of them.  A run that goes on must
end bit-identical to an undisturbed one: parameters, velocities, averages, schedules, histories, counts and random
streams.  Otherwise `main_loop` must refuse to go on; a run that is built anew and restored from its checkpoint, if it
has one, must then end bit-identical to the undisturbed one.  A run that does neither is lame.  After a single SIGINT,
which is held until the update is done, a run may not refuse.
"""
import random
import signal
import sys
import tempfile
import warnings
from functools import partial
from itertools import count, product
from pathlib import Path

import numpy as np

import npgan
from npgan import checkpoint
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps, SimultaneousSteps
from npgan.backend import RandomStream
from npgan.datasets import Dataset
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import LogLikelihood, Monitor
from npgan.released.coordination import ActivateGenerator, AlternatingEpochs, CoordinatedSteps, Cycler, ShrinkD
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage
from npgan.section7.inference import InferenceBeside, Inferer
from npgan.train import Train, stateful

PACKAGE = str(Path(npgan.__file__).parent)
WAYS = "raised", "SIGINT", "two SIGINTs"
DATA = np.random.RandomState(2014).uniform(size=(8, 4))
FIRST, LAST = 2, 3                                              # epochs before main_loop is called again, and in all


def build(steps, path=None, extensions=lambda train: [], **options):
    """Return a run of 3 updates an epoch with dropout, norm limits, schedules, average, monitor and log-likelihood."""
    weights, noise, masks, order = (RandomStream([2014, i]) for i in range(4))
    G = Generator(MLP([RectifiedLinear(3, 5, 1., weights), Sigmoid(5, 4, 1., weights, max_col_norm=.9)]), "uniform",
                  noise)
    D = MLP([Dropout(.8, rng=masks), Maxout(4, 3, 2, 1., weights, max_col_norm=.9), Linear(3, 1, 1., weights)])
    rules, rows = [Momentum(.1, .5), Momentum(.1, .5)], Dataset(DATA)
    train = Train(steps(AdversaryPair(G, D), *rules, **options), rows, 3, order)
    average, monitor = PolyakAverage(G, .9), Monitor({"train": rows}, batch_size=5)
    train.extensions = [average, ExponentialDecay(rules, 1.01), MomentumAdjustor(rules, .7, 1, 3), *extensions(train),
                        monitor, LogLikelihood(monitor, "likelihood", rows, average, num_samples=5, every=2,
                                               sigmas=[.2, .5])]
    if path:
        best = checkpoint.MonitorBasedSaveBest(path.with_name("best.npz"), monitor, "likelihood")
        train.extensions += [best, checkpoint.Saving(path)]
    return train


def inference(train):
    """Return an inference net that is trained beside the generator."""
    stream = RandomStream([2014, 9])
    net = MLP([RectifiedLinear(4, 5, 1., stream), Linear(5, 3, 1., stream)])
    return [InferenceBeside(Inferer(net, train.step.pair.generator, tau=.1, rng=stream), Momentum(.1, .5))]


RUNS = {
    "SimultaneousSteps": partial(build, SimultaneousSteps),
    "SeparateSteps, k = 2": partial(build, SeparateSteps, discriminator_steps=2),
    "SeparateSteps, two of G": partial(build, SeparateSteps, generator_steps=2),
    "CoordinatedSteps, alternate_g": partial(build, CoordinatedSteps, alternate_g=True, scale_grads=True,
                                             no_drop_in_d_for_g=True, noise_both=.1),
    "Cycler": partial(build, CoordinatedSteps, extensions=lambda train: [Cycler(2)]),
    "ActivateGenerator, ShrinkD": partial(build, CoordinatedSteps, init_now_train_generator=False, freeze=True,
                                          extensions=lambda train: [ActivateGenerator(1), ShrinkD(.99)]),
    "AlternatingEpochs": partial(build, AlternatingEpochs),
    "InferenceBeside": partial(build, SimultaneousSteps, extensions=inference),
}


class Tracer:
    """Calls `act` at line number `at` of those of npgan that are executed; lists them all if `at` is None."""

    def __init__(self, at=None, act=None):
        self.at, self.act, self.lines, self.count = at, act, [], 0

    def call(self, frame, event, argument):
        return self.line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def line(self, frame, event, argument):
        if event != "line":
            return self.line
        if self.at is None:
            self.lines.append((frame.f_code.co_filename, frame.f_lineno))
        elif self.count == self.at:
            sys.settrace(None)
            self.act()
        self.count += 1
        return self.line

    def run(self, function, *arguments):
        sys.settrace(self.call)
        try:
            function(*arguments)
        finally:
            sys.settrace(None)


def interrupt(way):
    """Interrupt the program in one of the `WAYS`."""
    if way == "raised":
        raise KeyboardInterrupt
    for _ in range(2 if way == "two SIGINTs" else 1):
        signal.raise_signal(signal.SIGINT)


def fingerprint(train):
    """Return all that two equal runs have in common, in comparable form."""
    G, D = train.step.pair.generator, train.step.pair.discriminator
    found = {"theta_g": G.theta.tobytes(), "theta_d": D.theta.tobytes(),
             "streams": [stream.state for stream in (train.rng, *train.step.pair.streams)]}
    for extension in train.extensions:
        if isinstance(extension, InferenceBeside):
            found["inferer's streams"] = [stream.state for stream in extension.inferer.streams]
    for name, part in stateful(train).items():
        for attribute in part.state_names:
            value = getattr(part, attribute)
            if attribute == "history":
                value = {channel: values for channel, values in value.items() if "seconds" not in channel}
            if attribute != "seconds":
                found[f"{name}.{attribute}"] = value.tobytes() if hasattr(value, "tobytes") else repr(value)
    return found


def differences(found, expected):
    """Return the names of what differs between two fingerprints."""
    return [name for name in expected if found.get(name) != expected[name]]


def executions(lines, stride, rng):
    """Return the index of one execution, drawn by `rng`, of every `stride`-th of the different `lines`, in order."""
    where = {}
    for index, line in enumerate(lines):
        where.setdefault(line, []).append(index)
    return sorted(rng.choice(where[line]) for line in sorted(where)[::stride])


def interrupted(make, way, at, path, expected):
    """Interrupt a run at line number `at`, call `main_loop` again, and return its outcome and what was wrong."""
    train, stopped, tracer = make(path), False, Tracer(at, partial(interrupt, way))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        tracer.run(train.main_loop, FIRST)
    except (Exception, KeyboardInterrupt):                      # zipfile closes what is half written by a ValueError
        stopped = True
    if tracer.count <= at and not stopped:                      # a save took some lines fewer than the one traced
        return "not reached", None
    if not stopped:
        return "lame", "the interrupt was lost"
    try:
        train.main_loop(LAST)
    except RuntimeError as error:
        if "was interrupted midway" not in str(error):
            return "lame", repr(error)
        if way == "SIGINT":
            return "lame", f"refused after a single SIGINT: {error}"
        if path and path.exists():
            train = make(path)
            checkpoint.restore(path, train)
            train.main_loop(LAST)
            wrong = differences(fingerprint(train), expected)
            return ("lame", f"differs when restored: {wrong}") if wrong else ("restored", None)
        return "refused", None
    except Exception as error:
        return "lame", repr(error)
    wrong = differences(fingerprint(train), expected)
    return ("lame", f"differs: {wrong}") if wrong else ("equal", None)


def interrupt_lines(names=RUNS, ways=WAYS, saving=(False, True), stride=1, report=None):
    """
    Interrupt the runs of `names` at their lines.

    Parameters
    ----------
    names : iterable of str
        Of `RUNS`.
    ways : iterable of str
        Of `WAYS`.
    saving : iterable of bool
        Whether the runs save their best and their latest checkpoint.
    stride : int
        1 for all lines, each at one of its executions.
    report : function of str, optional
        Called with a line on each run.

    Returns
    -------
    dict
        By way, how many runs were interrupted, went on, were restored, refused, never came to the line or are lame; and
        the faults.
    """
    found = {way: dict.fromkeys(("interrupted", "equal", "restored", "refused", "not reached", "lame"), 0)
             for way in ways}
    faults, rng, handler = [], random.Random(2014), signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        numbers = count()

        def new_path(saves):
            home = Path(folder) / str(next(numbers))
            home.mkdir()
            return home / "run.npz" if saves else None

        for name, saves in product(names, saving):
            whole, traced, tracer = RUNS[name](new_path(saves)), RUNS[name](new_path(saves)), Tracer()
            for epochs in FIRST, LAST:
                whole.main_loop(epochs)
            tracer.run(traced.main_loop, FIRST)
            title = f"{name}, saving" if saves else name
            for way in ways:
                chosen = executions(tracer.lines, stride, rng)
                for at in chosen:
                    outcome, wrong = interrupted(RUNS[name], way, at, new_path(saves), fingerprint(whole))
                    found[way]["interrupted"] += 1
                    found[way][outcome] += 1
                    if wrong:
                        file, line = tracer.lines[at]
                        faults.append(f"{title}, {way}, {file[len(PACKAGE) + 1:]}:{line}: {wrong}")
                if report:
                    report(f"{title}, {way}: {len(chosen)} lines; so far {found[way]}")
    signal.signal(signal.SIGINT, handler)
    return {**found, "faults": faults}
