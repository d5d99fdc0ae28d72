"""
=============================
Learned approximate inference
=============================

Section 7 of Goodfellow et al. (2014), extension 2: "Learned approximate inference can be performed by training an
auxiliary network to predict z given x", which "may be trained after the generator net has finished training".

Nets E that learned in several ways are compared on unseen digits: from samples of the finished G, what z was; what the
output of G's first layer was; or from what z makes G(E(x)) look like x.  Where G is trained here, one learned z beside
it.

Reads MNIST and the generator that comes with npgan where these are found, otherwise trains on the digits that come with
npgan; writes ``inference.png``, and where it trains G ``inference.npz`` beside it, a checkpoint.
"""
from common import plain_generator
from section7 import load, plain_pair, section7_options, tells_z, train_inferer, train_pair

import numpy as np

from npgan import neighbours, viewer
from npgan.backend import RandomStream, to_numpy, xp
from npgan.learning_rule import Momentum
from npgan.section7.inference import InferenceBeside, inference_step, reconstruction_step

chosen = section7_options(__doc__, "inference.png")
if chosen.dataset == "mnist" and chosen.resume:
    raise ValueError("--resume goes on with a training of G, which on MNIST is the one that comes with npgan; leave it "
                     "out")
train, valid, test = load(chosen)

# %%
# Beside G
# --------
# The generator that comes with npgan has no training left; on the small digits G is trained here, and one E beside it.
# E has rectifiers like G's, upside down, below as many linear units as what it is to tell has coordinates.

if chosen.dataset == "mnist":
    trained = {}
    _, G = plain_generator(None, RandomStream([chosen.seed, 2]))
else:
    pair, order = plain_pair(train, chosen)
    G = pair.generator
    trained = {"z (beside G)": tells_z(G, chosen, stream=10)}
    rule = Momentum(chosen.numbers.learning_rate_E, init_momentum=.9)
    beside = InferenceBeside(trained["z (beside G)"], rule, chosen.seed)
    average = train_pair(pair, train, valid, chosen, order, [beside])
    G.theta[...] = average.theta                # E learned the last G's z, from which the average's hardly differs

# %%
# Afterwards
# ----------
# G stays as it is; E sees nothing but its samples, with a little noise on them.

before = G.theta.copy()
for stream, (name, infer_layer, step) in enumerate([
        ("z", None, lambda E, rule: inference_step(E, rule, 100)),
        ("h0 (output of G's first layer)", "h0", lambda E, rule: inference_step(E, rule, 100)),
        ("what remakes samples", None, lambda E, rule: reconstruction_step(E, rule, G.sample(100)))], start=11):
    trained[name] = tells_z(G, chosen, infer_layer, stream)
    train_inferer(trained[name], chosen, step)
print(f"G's parameters are as before: {bool((G.theta == before).all())}", flush=True)

# %%
# How near does G(E(x)) come?
# ---------------------------
# Squared distance over all pixels, the mean over unseen digits.  Beside it the nearest training digit, the mean digit,
# and the nearest of 1,000 samples, which needs no E.

x = test.X[:1000]


def error(guess):
    """Mean squared distance of rows from the test digits."""
    return float(xp.square(x - guess).sum(axis=1).mean())


samples = G.sample(1000)
print("\nE learned                       squared distance of G(E(x)) to x")
for name, E in trained.items():
    print(f"{name:<32}{error(E.reconstruct(x)):8.2f}")
print("without E")
for name, guess in (("nearest training digit", train.X[neighbours.nearest(x, train.X)]),
                    ("nearest of 1,000 samples", samples[neighbours.nearest(x, samples)]),
                    ("mean training digit", train.X.mean(axis=0))):
    print(f"{name:<32}{error(guess):8.2f}")

# %%
# The picture
# -----------
# Above, ten unseen digits; below them a row for what G makes of each E's guess, and the nearest of 1,000 samples.

shown = test.X[:10]
rows = [shown, *(E.reconstruct(shown) for E in trained.values()), samples[neighbours.nearest(shown, samples)]]
patches = 2 * to_numpy(xp.concatenate(rows)).reshape(-1, *train.shape) - 1
viewer.save(chosen.save_path, viewer.grid(patches, len(rows), 10, np.arange(len(patches)) < 10))
print(f"\nwrote {chosen.save_path}; rows: the digits; {'; '.join(trained)}; nearest of 1,000 samples")
