"""
How long the Parzen protocol of Table 1 takes, beside other ways to compute it; its error; its memory.

The protocol is 10 sigmas on 1,000 validation rows, then one on 10,000 test rows, with 10,000 samples of 784 numbers, in
float32.  Rounds run every way once, so that all meet the same load.  MNIST if it is found, else random numbers.

    python tests/benchmarks/bench_parzen.py [--rounds 5] [--json]
"""
import argparse
import importlib
import json
import math
import os
import platform
import time
import tracemalloc

import numpy as np

from npgan import parzen
from npgan.backend import RandomStream
from npgan.datasets import finding, mnist

PRODUCTS, OURS, TORCH, AUTHORS = "the two products alone", "npgan", "torch.cdist, logsumexp", "the authors' 3-D form"
SLICE = 4                                   # rows on which the authors' form is measured


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def data():
    """Its name, test rows, validation rows and samples."""
    rng = RandomStream(2014)
    if all(map(finding.find, mnist.FILES)):
        train, valid, test = (mnist.load(which).X for which in ("train", "valid", "test"))
        return "MNIST, its training rows as samples", test, valid[:1000], train[rng.permutation(len(train))[:10000]]
    return "random numbers", *(rng.uniform(0, 1, (n, 784)) for n in (10000, 1000, 10000))


def authors(x, samples, sigma):
    """The whole (rows, N, d) array of differences, as in the authors' code."""
    a = (x[:, None, :] - samples[None, :, :]) / sigma
    e = -.5 * (a ** 2).sum(axis=2)
    peak = e.max(axis=1)
    log_mean_exp = peak + np.log(np.exp(e - peak[:, None]).mean(axis=1))
    return log_mean_exp - samples.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))


def by_torch(torch, x, samples, sigmas):
    """In batches of 1,000 rows, one matrix of distances for all sigmas."""
    x, samples = torch.from_numpy(x), torch.from_numpy(samples)
    return torch.cat([torch.stack([torch.logsumexp(d2 / (-2 * sigma ** 2), 1) for sigma in sigmas])
                      for d2 in (torch.cdist(rows, samples) ** 2 for rows in x.split(1000))], 1)


def ways(test, valid, samples, torch):
    """Each way's name: a function that runs the protocol, and by how much its time is to be multiplied."""
    t = np.empty((len(test), len(samples)), "float32")
    run = {
        PRODUCTS: (lambda: (np.matmul(valid, samples.T, out=t[:len(valid)]), np.matmul(test, samples.T, out=t)), 1),
        OURS: (lambda: parzen.evaluate(test, valid, samples), 1),
    }
    if torch:
        run[TORCH] = (lambda: (by_torch(torch, valid, samples, parzen.SIGMAS), by_torch(torch, test, samples, [.2])), 1)
    rows = len(valid) * len(parzen.SIGMAS) + len(test)
    run[AUTHORS] = (lambda: authors(test[:SLICE], samples, .2), rows / SLICE)
    return run


def times(run, rounds):
    """Seconds of each way in each round, after one that is not counted."""
    seconds = {name: [] for name in run}
    for _ in range(rounds + 1):
        for name, (function, factor) in run.items():
            start = time.perf_counter()
            function()
            seconds[name].append(factor * (time.perf_counter() - start))
    return {name: values[1:] for name, values in seconds.items()}


def spread(values):
    return {"min": float(np.min(values)), "median": float(np.median(values)), "max": float(np.max(values))}


def errors(x, samples):
    """Largest and mean difference from the 3-D form in float64, in nats a row."""
    x, found = x[:32], {}
    for sigma in (.1, .2):
        exact = np.concatenate([authors(row[None].astype(float), samples.astype(float), sigma) for row in x])
        error = parzen.log_likelihood(x, samples, sigma) - exact
        found[str(sigma)] = {"largest": float(np.abs(error).max()), "mean": float(error.mean())}
    return found


def peak_bytes(function):
    """What NumPy allocates at most at once while `function` runs."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def machine(torch):
    pools = optional("threadpoolctl")
    threads = [pool["num_threads"] for pool in pools.threadpool_info() if pool["user_api"] == "blas"] if pools else None
    return {"python": platform.python_version(), "numpy": np.__version__, "torch": torch and torch.__version__,
            "cores": os.cpu_count(), "BLAS threads": threads, "torch threads": torch and torch.get_num_threads()}


def report(found):
    print(f"Parzen protocol on {found['data']}, {found['rounds']} rounds\n")
    print(f"{'':28}{'seconds':>27}    {'times the products':>27}")
    print(f"{'':28}{'median':>9}{'min':>9}{'max':>9}    {'median':>9}{'min':>9}{'max':>9}")
    for name in found["seconds"]:
        columns = [found[table][name][k] for table in ("seconds", "ratio") for k in ("median", "min", "max")]
        print(f"{name:28}" + "{:9.2f}{:9.2f}{:9.2f}    {:9.2f}{:9.2f}{:9.2f}".format(*columns))
    print(f"\n({AUTHORS}: measured on {SLICE} rows and multiplied)")
    print(found["result"])
    for sigma, error in found["errors"].items():
        print(f"error at sigma {sigma}: at most {error['largest']:.1e} nats a row, {error['mean']:+.1e} on average")
    print(f"memory above data and samples: {found['peak bytes'] / 1e6:.0f} MB")
    print(", ".join(f"{name} {value}" for name, value in found["machine"].items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    chosen = parser.parse_args()

    torch = optional("torch")
    name, test, valid, samples = data()
    run = ways(test, valid, samples, torch)
    seconds = times(run, chosen.rounds)
    found = {
        "data": name, "rounds": chosen.rounds,
        "seconds": {way: spread(values) for way, values in seconds.items()},
        "ratio": {way: spread(np.divide(values, seconds[PRODUCTS])) for way, values in seconds.items()},
        "result": str(parzen.evaluate(test, valid, samples)),
        "errors": errors(test, samples), "peak bytes": peak_bytes(run[OURS][0]), "machine": machine(torch),
    }
    if chosen.json:
        print(json.dumps(found))
    else:
        report(found)
