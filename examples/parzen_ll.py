"""
=====================================
The log-likelihood of a trained model
=====================================

Prints the log-likelihood of the test set, estimated as in Table 1 of Goodfellow et al. (2014): a Gaussian on each of
10,000 fair samples, its width sigma chosen from the authors' ten on the first 1,000 validation rows.  With ``--sanity``
it shows what else the estimate rewards.

Reads a checkpoint, as ``mnist.py`` writes it, or the generator that comes with npgan, and the data set; writes only
what is asked for.
"""
import json
import os
from io import BytesIO

from common import CHECKPOINT, new_file, options, plain_generator, positive_int

import numpy as np
from scipy.ndimage import gaussian_filter

from npgan import backend, parzen
from npgan.backend import RandomStream, to_numpy
from npgan.checkpoint.archive import errors_naming
from npgan.datasets import digits, mnist
from npgan.files import replacing
from npgan.sanity import sanity_samples

chosen = options(
    __doc__,
    checkpoint=CHECKPOINT,
    dataset={"choices": ("mnist", "digits"), "default": "mnist", "help": "default %(default)s"},
    num_samples={"type": positive_int, "default": 10000, "help": "default %(default)s, the authors' number"},
    raw={"action": "store_true", "help": "use G's last parameters instead of their average"},
    fine={"action": "store_true", "help": "also choose sigma from .10, .11, ... .30"},
    sanity={"action": "store_true", "help": "also evaluate altered samples, and centres other than samples"},
    samples_out={"type": new_file(".npy"), "metavar": "FILE.npy", "help": "where to write the samples"},
    sigma={"type": float, "help": "use this sigma instead of choosing one on validation rows"},
    json={"type": new_file(".json"), "metavar": "FILE.json", "help": "where to write the result, for table1.py"})
if chosen.json and chosen.sigma is not None:
    raise ValueError("--json is not allowed with --sigma: in Table 1, sigma is chosen on validation rows")

# %%
# The samples
# -----------
# Independent random samples, without selection.

print(f"seed {chosen.seed}")
saved, G = plain_generator(chosen.checkpoint, RandomStream([chosen.seed, 6]), average=not chosen.raw)
dataset = {"mnist": mnist, "digits": digits}[chosen.dataset]
valid, test = dataset.load("valid"), dataset.load("test")
if test.caveat:
    print(test.caveat)
if G.mlp.dim != test.X.shape[1]:
    raise ValueError(f"{saved.path} makes rows of {G.mlp.dim} numbers, but {chosen.dataset} has rows of "
                     f"{test.X.shape[1]}; name another --dataset")
samples = G.sample(chosen.num_samples)

# %%
# The estimate
# ------------

result = parzen.evaluate(test.X, valid.X[:1000], samples, parzen.SIGMAS if chosen.sigma is None else chosen.sigma)
print("  sigma   log-likelihood of validation rows (nats)")
for sigma, mean in zip(result.sigmas, result.curve):
    print(f"{sigma:7.4f}{mean:12.2f}{'   largest' if sigma == result.sigma else ''}")
print(result)
if chosen.fine:
    finer = parzen.evaluate(test.X, valid.X[:1000], samples, [i / 100 for i in range(10, 31)])
    print(f"on a finer grid, which is not the authors' and not the claim: {finer.mean:.2f} +- "
          f"{finer.standard_error:.2f} nats (sigma {finer.sigma:.2f})")

# %%
# How to read it
# --------------
# The estimate can be increased without making samples more similar to digits: see Theis, van den Oord and Bethge, "A
# note on the evaluation of generative models" (2016).


def unlikely(train):
    """Yield other centres, each with its name and the reason why its score is a warning."""
    warnings = ["real digits: what scores above them is no better than real",
                "no generator, yet above real digits: what is near to many digits is rewarded",
                "each pixel by itself, without any shape"]
    rng, most = RandomStream([chosen.seed, 5]), min(chosen.num_samples, len(train))
    for (name, centres), warning in zip(sanity_samples(train.X, most, rng), warnings):
        yield name, centres, warning
    pictures = to_numpy(samples).reshape(-1, *train.shape)
    blurred = backend.asarray(gaussian_filter(pictures, (0, .5, .5)).reshape(samples.shape))
    yield "G's, blurred by half a pixel", blurred, "not honest: a blurred digit is no likelier, only nearer to others"
    yield "G's, times .9", samples * .9, "not honest: a paler digit, likewise"
    yield "G's, five times as many", G.sample(5 * chosen.num_samples), "the same G: only equal numbers compare"


if chosen.sanity:
    print(f"{'samples':<30}{'nats':>8}{'sigma':>14}   why it is a warning")
    for name, centres, warning in unlikely(dataset.load("train")):
        row = parzen.evaluate(test.X, valid.X[:1000], centres)
        print(f"{name:<30}{row.mean:8.1f} +- {row.standard_error:.1f}{row.sigma:8.3f}   {warning}", flush=True)

# %%
# What is kept
# ------------

if chosen.samples_out:
    kept = BytesIO()                                            # because np.save does not report a full disk clearly
    np.save(kept, to_numpy(samples))
    with replacing(chosen.samples_out) as stream:
        stream.write(kept.getbuffer())
if chosen.json:
    with errors_naming(saved.path):
        run, state, note = saved.header["run"], saved.header.get("state", {}), saved.header.get("note") or {}
        origin = {"checkpoint": os.path.basename(saved.path), "average": not chosen.raw, "note": note,
                  "seed": run["seeds"][0][0] if "seeds" in run else note.get("seed"),
                  "epoch": state.get("train.epoch", note.get("epochs"))}
    with replacing(chosen.json) as stream:
        name = f"{chosen.dataset} (unofficial)" if test.caveat else chosen.dataset
        told = {"dataset": name, **result._asdict(), "sampling_seed": chosen.seed, **origin}
        stream.write(json.dumps(told, indent=1).encode())
