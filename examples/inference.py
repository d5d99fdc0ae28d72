"""
=============================
Learned approximate inference
=============================

Section 7 of Goodfellow et al. (2014), extension 2: "Learned approximate inference can be performed by training an
auxiliary network to predict z given x", which "may be trained after the generator net has finished training".

Compares, on unseen digits, nets E that were trained in several ways on samples x of the finished G: to predict z; to
predict the output of G's first layer; or to make G(E(x)) look like x. If G is trained here, another net E is trained
beside it.

Reads MNIST and the generator that comes with npgan if both are found; otherwise trains on the digits that come with
npgan. Writes ``inference.png``, and if it trains G the checkpoint ``inference.npz``.
"""
from common import plain_generator
from section7 import inference_net, load, plain_pair, section7_options, train_inferer, train_pair

import numpy as np

from npgan import neighbours, viewer
from npgan.backend import RandomStream, to_numpy, xp
from npgan.learning_rule import Momentum
from npgan.section7.inference import InferenceBeside, inference_step, reconstruction_step

chosen = section7_options(__doc__, "inference.png")
if chosen.dataset == "mnist" and chosen.resume:
    raise ValueError("--resume resumes the training of G, but on MNIST this script uses the generator that comes with "
                     "npgan; leave it out")
train, valid, test = load(chosen)

# %%
# Beside G
# --------
# The generator that comes with npgan is already trained; on the small digits G is trained here, with one E beside it.
# E has G's rectifier layers in reverse order, below one linear unit for each number that it predicts.

if chosen.dataset == "mnist":
    trained = {}
    _, G = plain_generator(None, RandomStream([chosen.seed, 2]))
else:
    pair, order = plain_pair(train, chosen)
    G = pair.generator
    trained = {"z (beside G)": inference_net(G, chosen, stream=10)}
    rule = Momentum(chosen.numbers.learning_rate_E, init_momentum=.9)
    beside = InferenceBeside(trained["z (beside G)"], rule, chosen.seed)
    average = train_pair(pair, train, valid, chosen, order, [beside])
    G.theta[...] = average.theta                # E was trained on the last G, which differs little from the average

# %%
# Afterwards
# ----------
# G is not trained any more; E sees only its samples, with a little noise added.

before = G.theta.copy()
for stream, (name, infer_layer, step) in enumerate([
        ("z", None, lambda E, rule: inference_step(E, rule, 100)),
        ("h0 (output of G's first layer)", "h0", lambda E, rule: inference_step(E, rule, 100)),
        ("what remakes samples", None, lambda E, rule: reconstruction_step(E, rule, G.sample(100)))], start=11):
    trained[name] = inference_net(G, chosen, infer_layer, stream)
    train_inferer(trained[name], chosen, step)
print(f"G's parameters are as before: {bool((G.theta == before).all())}", flush=True)

# %%
# How near to x is G(E(x))?
# -------------------------
# The squared distance over all pixels, averaged over unseen digits.  For comparison, three guesses that need no E: the
# nearest training digit, the nearest of 1,000 samples, and the mean digit.

x = test.X[:1000]


def error(guess):
    """Return the mean squared distance of the rows `guess` from the test digits."""
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
# Ten unseen digits; below them a row of G(E(x)) for each E, and a row of the nearest of 1,000 samples.

shown = test.X[:10]
rows = [shown, *(E.reconstruct(shown) for E in trained.values()), samples[neighbours.nearest(shown, samples)]]
patches = 2 * to_numpy(xp.concatenate(rows)).reshape(-1, *train.shape) - 1
viewer.save(chosen.save_path, viewer.grid(patches, len(rows), 10, np.arange(len(patches)) < 10))
print(f"\nwrote {chosen.save_path}; rows: the digits; {'; '.join(trained)}; nearest of 1,000 samples")
