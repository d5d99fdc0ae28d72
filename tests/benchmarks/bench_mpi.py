"""
How far more machines would help: an update's computing, measured here, and its messages, worked out.

Of a minibatch of m rows each of N ranks computes m/N.  That is timed on this machine for one of the ranks, a core with
one BLAS thread, in processor seconds: both passes of its rows, noise and masks of all rows, momentum.  Then come the
sums of the gradients, one for each player.  By the best algorithms (Thakur, Rabenseifner and Gropp, 2005) a rank sends
2 (N - 1)/N of the gradients' bytes and receives as many, in 2 log2 N turns of 50 microseconds for each player, over a
link that it has to itself; nothing is computed meanwhile.

    python tests/benchmarks/bench_mpi.py [--nets mnist|cifar10] [--batch 100] [--repeat 5] [--json]
"""
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import math
import time

import bench_step

from npgan import mpi
from npgan.backend import RandomStream
from npgan.datasets import Dataset
from npgan.train import Train

RANKS = 1, 2, 4, 8, 16, 32
LINKS = 1, 10, 100                                      # Gbit/s
LATENCY = 50e-6                                         # seconds


class FirstOf:
    """Stands for MPI's communicator as rank 0 of `size` has it, and sums nothing."""

    rank = 0

    def __init__(self, size):
        self.size = size


def computing(nets, batch, size, repeat):
    """Processor seconds of an update, the least of `repeat`, of one of `size` ranks; and the gradients' bytes."""
    step = bench_step.game(nets, "simultaneous")
    train = Train(step, Dataset(bench_step.data(nets, batch)), batch, RandomStream(3))
    mpi.share(train, FirstOf(size))

    def update():
        start = time.process_time()
        for x in train.dataset.minibatches(batch):
            step(train.extensions[0].on_minibatch(train, x), 1)
        return time.process_time() - start

    update()
    return min(update() for _ in range(repeat)), step.pair.generator.grad.nbytes + step.pair.discriminator.grad.nbytes


def messages(num_bytes, size, gigabits):
    """Seconds of the two players' sums among `size` ranks, as above."""
    return 2 * (size - 1) / size * num_bytes / (gigabits * 1e9 / 8) + 2 * 2 * math.ceil(math.log2(size)) * LATENCY


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", choices=list(bench_step.NETS), default="mnist")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    chosen = parser.parse_args()
    mpi.add_up = lambda *_: None
    rows = []
    for size in (size for size in RANKS if size <= chosen.batch):
        seconds, num_bytes = computing(chosen.nets, chosen.batch, size, chosen.repeat)
        rows.append({"ranks": size, "computing": seconds,
                     **{f"{link} Gbit/s": seconds + messages(num_bytes, size, link) for link in LINKS}})
    if chosen.json:
        print(json.dumps({"nets": chosen.nets, "batch": chosen.batch, "bytes": num_bytes, "rows": rows}))
        raise SystemExit
    print(f"{chosen.nets}, {chosen.batch} rows, gradients of {num_bytes / 1e6:.0f} MB: milliseconds of an update, "
          "and how many times as fast as one rank\n\n"
          "   ranks   computing" + "".join(f"{link:>12} Gbit/s" for link in LINKS))
    for row in rows:
        whole = [row[f"{link} Gbit/s"] for link in LINKS]
        print(f"{row['ranks']:8}{1e3 * row['computing']:12.1f}"
              + "".join(f"{1e3 * seconds:12.1f}{rows[0]['computing'] / seconds:7.2f}" for seconds in whole))
