"""
How the cost grows: a step with the batch and with the width of the nets, the Parzen estimate with rows and samples.

Each point is the shortest of a few calls; a slope is that of a straight line through the logarithms of the three
largest points, so 1 means twice the time for twice the size.  Width scales all hidden layers, whose products grow with
its square; those to and from x and z, and all else, with the width itself.

    python tests/benchmarks/bench_scaling.py [--figure scaling.png] [--threads 2] [--json]
"""
import json
import time

import bench_step
import measuring
import numpy as np

from npgan import parzen, viewer
from npgan.backend import RandomStream

BATCHES = 25, 50, 100, 200, 400, 800
WIDTHS = .25, .5, 1, 2, 4
ROWS = 250, 500, 1000, 2000, 4000
SAMPLES = 1250, 2500, 5000, 10000, 20000
TICKS = 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000          # milliseconds


def shortest(function, calls=5):
    """Seconds of the quickest of so many `calls`, after one that is not counted."""
    function()
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def step(batch, width=1):
    """Seconds of one simultaneous step of MNIST nets whose hidden layers are `width` times as wide."""
    nvis, h0, h1, dim, units, limit = bench_step.NETS["mnist"]
    bench_step.NETS["scaled"] = nvis, int(h0 * width), int(h1 * width), dim, int(units * width), limit
    run, x = bench_step.game("scaled", "simultaneous"), bench_step.data("scaled", batch)
    return shortest(lambda: run(x, 1))


def estimate(rows, samples):
    """Seconds of one Parzen estimate of so many `rows` with so many `samples` of 784 numbers."""
    rng = RandomStream(2014)
    x, centres = rng.uniform(0, 1, (rows, 784)), rng.uniform(0, 1, (samples, 784))
    return shortest(lambda: parzen.log_likelihood(x, centres, .2), 3)


def slope(sizes, seconds):
    """The slope of log seconds against log size, over the three largest."""
    return float(np.polyfit(np.log(sizes[-3:]), np.log(seconds[-3:]), 1)[0])


def draw(found, path):
    """Draws all curves on logarithmic axes into the picture `path`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3), layout="constrained")
    for axes, (name, of) in zip(figure.subplots(1, len(found)), found.items()):
        axes.loglog(of["sizes"], 1e3 * np.array(of["seconds"]), "o-", color="black")
        axes.set(xlabel=name, title=f"slope {of['slope']:.2f}")
        axes.minorticks_off()
        axes.set_xticks(of["sizes"], [f"{size:g}" if size < 1250 else f"{size / 1000:g}k" for size in of["sizes"]])
        ticks = [tick for tick in TICKS if min(of["seconds"]) < tick / 1e3 < max(of["seconds"])]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    figure.axes[0].set_ylabel("milliseconds")
    viewer.save(path, figure)


def measure():
    """All four curves."""
    curves = {"rows of a step's minibatch": (BATCHES, step),
              "width of a step's nets": (WIDTHS, lambda width: step(100, width)),
              "rows that Parzen judges": (ROWS, lambda rows: estimate(rows, 10000)),
              "samples that Parzen takes": (SAMPLES, lambda samples: estimate(1000, samples))}
    found = {}
    for name, (sizes, seconds) in curves.items():
        times = [seconds(size) for size in sizes]
        found[name] = {"sizes": sizes, "seconds": times, "slope": slope(sizes, times)}
    return found


if __name__ == "__main__":
    chosen = measuring.options(__doc__, figure="")
    if chosen.serve:
        measuring.answer(measure)
        raise SystemExit
    chosen.rounds = 1
    found, = measuring.in_turns(["scaling"], chosen)["scaling"]
    if chosen.figure:
        draw(found, chosen.figure)
    if chosen.json:
        print(json.dumps({**found, "machine": measuring.machine(chosen.threads)}))
        raise SystemExit
    for name, of in found.items():
        print(f"{name:28}" + "".join(f"{size:>9g}" for size in of["sizes"]))
        milliseconds = "".join(f"{1e3 * seconds:9.1f}" for seconds in of["seconds"])
        print(f"{'  milliseconds':28}{milliseconds}   slope {of['slope']:.2f}")
    print("\n" + ", ".join(f"{name} {value}" for name, value in measuring.machine(chosen.threads).items()))
