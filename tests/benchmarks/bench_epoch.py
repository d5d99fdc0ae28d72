"""
What an epoch through `Train` costs beyond its 500 bare steps: batches, schedules, the monitor, averaging, saving.

Each round runs 500 bare steps on one minibatch, then epochs of `Train` on 50,000 rows: with the two schedules and
the monitor; and as in ``examples/mnist.py``, with the average of G and a checkpoint too.  The monitor's forward and
backward passes over the 10,000 validation rows are work of its own: their matrix products are told apart.  MNIST if
it is found, else random numbers.

    python tests/benchmarks/bench_epoch.py [--rounds 3] [--threads 2] [--json]
"""
import json
import os
import tempfile
import time

import bench_step
import measuring

from npgan import checkpoint
from npgan.backend import RandomStream
from npgan.datasets import Dataset, finding, mnist
from npgan.monitor import Monitor
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage
from npgan.train import Train


def sets():
    """Training and validation rows, and what they are."""
    if all(map(finding.find, mnist.FILES)):
        return mnist.load("train"), mnist.load("valid"), "MNIST"
    rng = RandomStream(7)
    return *(Dataset(rng.uniform(0, 1, (n, 784)), shape=(28, 28)) for n in (50000, 10000)), "random numbers"


def clock(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def trainer(train, valid, path=None):
    """A `Train` of the MNIST nets; with a `path` it averages and saves as the example does."""
    step = bench_step.game("mnist", "simultaneous")
    rules, monitor = [step.rule_G, step.rule_D], Monitor({"valid": valid})
    extensions = [ExponentialDecay(rules, 1.000004, 1e-6), MomentumAdjustor(rules, .7, 1, 250), monitor]
    if path:
        extensions = [PolyakAverage(step.pair.generator, .99997), *extensions, checkpoint.Saving(path)]
    game = Train(step, train, 100, RandomStream(3), extensions)
    game.main_loop(0)
    return game


def monitoring(game, valid):
    """Seconds of one monitoring, and of its matrix products alone."""
    monitor = next(extension for extension in game.extensions if isinstance(extension, Monitor))
    total = clock(lambda: monitor.on_monitor(game))
    batch = valid.X[:monitor.batch_size]
    pairs = bench_step.products(lambda x: monitor.measure_dataset(Dataset(x), game.step), batch)
    products = bench_step.alone([(a, b) for a, b in pairs])
    products()
    return total, min(clock(products) for _ in range(20)) * len(valid) / len(batch)


def measure(train, valid):
    """Seconds of one round; half of the bare steps come before the epoch, half after, since machines have moods."""
    x = train.X[:100]
    with tempfile.TemporaryDirectory() as folder:
        plain, whole = trainer(train, valid), trainer(train, valid, os.path.join(folder, "run.npz"))

        def bare_steps():
            return clock(lambda: [plain.step(x, t) for t in range(250)])

        bare_steps()
        before = bare_steps()
        epoch = clock(lambda: plain.main_loop(1))
        after = bare_steps()
        example = clock(lambda: whole.main_loop(1))
        total, products = monitoring(plain, valid)
    return {"500 bare steps": before + after, "an epoch": epoch, "its monitoring": total,
            "the products of the monitoring": products,
            "added, as a part of the bare steps": (epoch - products) / (before + after) - 1,
            "an epoch with average and checkpoint": example}


if __name__ == "__main__":
    chosen = measuring.options(__doc__)
    if not chosen.serve:
        answers = measuring.in_turns(["epoch"], chosen)["epoch"]
        found = {key: measuring.spread([answer["found"][key] for answer in answers]) for key in answers[0]["found"]}
        report = {"data": answers[0]["data"], "rounds": chosen.rounds, "seconds": found,
                  "machine": measuring.machine(chosen.threads)}
        if chosen.json:
            print(json.dumps(report))
        else:
            print(f"{report['data']}, {chosen.rounds} rounds, seconds\n\n{'':38}   median      min      max")
            for key, of in found.items():
                print(f"{key:38}{of['median']:9.3f}{of['min']:9.3f}{of['max']:9.3f}")
            print("\n" + ", ".join(f"{name} {value}" for name, value in report["machine"].items()))
        raise SystemExit
    train, valid, name = sets()
    measuring.answer(lambda: {"found": measure(train, valid), "data": name})
