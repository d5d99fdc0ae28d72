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
npgan; writes ``inference.png``.
"""
import numpy as np
from common import generator_file, positive_int
from section7 import NUMBERS, load, section7_options, streams, train_pair

from npgan import checkpoint, viewer
from npgan.adversarial import AdversaryPair, Generator
from npgan.backend import RandomStream, to_numpy, xp
from npgan.inference import InferenceBeside, Inferer, inference_step, reconstruction_step
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP

chosen = section7_options(__doc__, "inference.png", num_updates={
    "type": positive_int, "help": "of each net E once G is finished, default " + ", ".join(
        f"{numbers.inference_updates} on {name}" for name, numbers in NUMBERS.items())})
chosen.num_updates = chosen.num_updates or chosen.numbers.inference_updates
numbers = chosen.numbers
train, valid, test = load(chosen)
d = train.X.shape[1]

# %%
# A net that tells z
# ------------------
# Rectifiers like G's, upside down, below as many linear units as z, or the layer to be told, has coordinates.


def inferer(G, stream, infer_layer=None):
    """A new net E for `G`, its weights drawn from a stream of that number."""
    rng = RandomStream([chosen.seed, stream])
    target = dict(zip(G.mlp.layer_names, (layer.dim for layer in G.mlp.layers))).get(infer_layer, G.nz)
    wide = numbers.hidden
    return Inferer(MLP([RectifiedLinear(nvis=d, dim=wide, istdev=(2 / d) ** .5, rng=rng),
                        RectifiedLinear(nvis=wide, dim=wide, istdev=(2 / wide) ** .5, rng=rng),
                        Linear(nvis=wide, dim=target, irange=.01, rng=rng)]), G, infer_layer, tau=.2, rng=rng)


def rule():
    """E's: a squared error over so many coordinates wants small steps."""
    return Momentum(learning_rate=numbers.learning_rate_E, init_momentum=.9)


# %%
# Beside G
# --------
# The generator that comes with npgan has no training left; on the small digits G is trained here, and one E beside it.

if chosen.dataset == "mnist":
    G = checkpoint.load(generator_file(None)).generator(rng=RandomStream([chosen.seed, 2]))
    trained = {}
else:
    weights_G, weights_D, noise, masks, order = streams(chosen)
    G = Generator(MLP([RectifiedLinear(nvis=numbers.nz, dim=numbers.hidden, irange=.05, rng=weights_G),
                       RectifiedLinear(nvis=numbers.hidden, dim=numbers.hidden, irange=.05, rng=weights_G),
                       Sigmoid(nvis=numbers.hidden, dim=d, irange=.05, rng=weights_G,
                               init_bias=marginal_bias(train.X))]), noise="uniform", rng=noise)
    D = MLP([Dropout(include_prob=.8, rng=masks),
             Maxout(nvis=d, num_units=numbers.units, num_pieces=5, irange=numbers.irange_D, rng=weights_D),
             Dropout(include_prob=numbers.include_prob, rng=masks),
             Maxout(nvis=numbers.units, num_units=numbers.units, num_pieces=5, irange=numbers.irange_D, rng=weights_D),
             Dropout(include_prob=numbers.include_prob, rng=masks),
             Linear(nvis=numbers.units, dim=1, irange=numbers.irange_D, rng=weights_D)])
    beside = InferenceBeside(inferer(G, 10), rule(), chosen.seed)
    average = train_pair(AdversaryPair(G, D), train, valid, chosen, order, [beside])
    G.theta[...] = average.theta                                # E learned the last G's z, the average's hardly differs
    trained = {"z, beside G": beside.inferer}

# %%
# Afterwards
# ----------
# G stays as it is; E sees nothing but its samples.

afterwards = [("z", inferer(G, 11), lambda E, rule: inference_step(E, rule, 100)),
              ("h0, G's first layer", inferer(G, 12, "h0"), lambda E, rule: inference_step(E, rule, 100)),
              ("what remakes samples", inferer(G, 13), lambda E, rule: reconstruction_step(E, rule, G.sample(100)))]
before = G.theta.copy()
for name, E, step in afterwards:
    moves = rule()
    for update in range(chosen.num_updates):
        moves.learning_rate = numbers.learning_rate_E * (1 - update / chosen.num_updates)
        step(E, moves)
    trained[name] = E
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
for name, guess in (("nearest training digit", train.X[viewer.nearest(x, train.X)]),
                    ("nearest of 1,000 samples", samples[viewer.nearest(x, samples)]),
                    ("mean training digit", train.X.mean(axis=0))):
    print(f"{name:<32}{error(guess):8.2f}")

# %%
# The picture
# -----------
# In each pair of rows ten unseen digits, and below them what the net in question makes of them.

shown = test.X[:10]
rows = [shown]
for E in trained.values():
    rows.append(E.reconstruct(shown))
rows.append(samples[viewer.nearest(shown, samples)])
patches = 2 * to_numpy(xp.concatenate(rows)).reshape(-1, *train.shape) - 1
viewer.save(chosen.save_path, viewer.grid(patches, len(rows), 10, np.arange(len(patches)) < 10))
print(f"\nwrote {chosen.save_path}; rows: the digits, {', '.join(trained)}, nearest of 1,000 samples")
