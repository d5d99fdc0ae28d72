"""
===================
Sharp distributions
===================

Adversarial nets "can represent very sharp, even degenerate distributions, while methods based on Markov chains require
that the distribution be somewhat blurry in order for the chains to be able to mix between modes" (Section 6 of
Goodfellow et al., 2014).  Here p_data is a curve in the plane, which has no density at all.  A generator, a Parzen
window density and a mixture of Gaussians learn it from the same 200 rows, and the distance of their samples from the
curve is measured; then a Markov chain is run on eight modes of shrinking width.

Writes ``sharp.png``.
"""
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # products as small as these are fastest on one thread

import numpy as np
from common import Progress, options
from matplotlib.figure import Figure
from scipy.special import logsumexp

from npgan import parzen, viewer
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.datasets import Dataset
from npgan.layers import Linear, Maxout, RectifiedLinear
from npgan.learning_rule import ExponentialDecay, Momentum, PolyakAverage
from npgan.mlp import MLP
from npgan.train import Train

chosen = options(__doc__, max_epochs=2000, save_path="sharp.png")
rng = np.random.default_rng(chosen.seed)

# %%
# A curve, and how far samples are from it
# ----------------------------------------


def curve(t):
    """The point at t in [0, 2 pi] of a figure of eight, (len(t), 2)."""
    return np.stack([np.cos(t), np.sin(2 * t) / 1.5], axis=1)


def distances(a, b):
    """From each row of a to the nearest row of b."""
    return np.sqrt(((a[:, None] - b) ** 2).sum(axis=2).min(axis=1))


support = curve(np.linspace(0, 2 * np.pi, 1000))                # neighbours are .01 apart at most
train, valid = (curve(rng.uniform(0, 2 * np.pi, size)) for size in (200, 200))

# %%
# Adversarial nets
# ----------------
# Algorithm 1, D's rate five times G's, both decaying to a tenth.  G is the average of its last parameters.

weights_G, weights_D, noise, order = (RandomStream([chosen.seed, i]) for i in range(4))
G = Generator(MLP([RectifiedLinear(2, 48, 1., weights_G, init_bias=weights_G.normal((48,))),
                   RectifiedLinear(48, 48, .3, weights_G), Linear(48, 2, .2, weights_G)]), "uniform", noise)
D = MLP([Maxout(2, 24, 4, 1., weights_D, init_bias=.5 * weights_D.normal((96,))),
         Maxout(24, 24, 4, .3, weights_D), Linear(24, 1, .3, weights_D)])
rule_G, rule_D = Momentum(.02, .5), Momentum(.1, .5)
average = PolyakAverage(G, decay=.998)
decay = ExponentialDecay([rule_G, rule_D], decay_factor=10 ** (1 / (2 * chosen.max_epochs)))
Train(SeparateSteps(AdversaryPair(G, D), rule_G, rule_D), Dataset(train), 100, order,
      [average, decay, Progress(chosen.max_epochs)]).main_loop(chosen.max_epochs)
with average.applied():
    samples = {"adversarial nets": to_numpy(G.sample(1000))}

# %%
# Two densities
# -------------
# The Parzen density's width is the one that suits the validation rows best.  The mixture's K Gaussians are fitted by
# EM: the E step gives each row's responsibilities, r_ik = p(k | x_i); the M step the means, covariances and weights of
# the rows so weighted.  K, too, is chosen on the validation rows.


def log_densities(x, weights, means, covariances):
    """log(weight_k N(x_i; mean_k, covariance_k)), an array (n, K), for points in the plane."""
    off = x[:, None] - means
    squares = np.einsum("nki,kij,nkj->nk", off, np.linalg.inv(covariances), off)
    return np.log(weights) - np.log(2 * np.pi) - np.linalg.slogdet(covariances)[1] / 2 - squares / 2


def em(x, K, num_iterations=60, floor=1e-5):
    """Weights (K,), means (K, 2) and covariances (K, 2, 2) by maximum likelihood; no variance is below `floor`."""
    means = x[rng.permutation(len(x))[:K]]
    weights, covariances = np.full(K, 1 / K), np.tile(np.cov(x.T) / K, (K, 1, 1))
    for _ in range(num_iterations):
        logs = log_densities(x, weights, means, covariances)
        r = np.exp(logs - logsumexp(logs, axis=1, keepdims=True)) + 1e-12
        weights = r.sum(axis=0) / r.sum()
        means = r.T @ x / r.sum(axis=0)[:, None]
        off = x[:, None] - means
        covariances = np.einsum("nk,nki,nkj->kij", r, off, off) / r.sum(axis=0)[:, None, None] + floor * np.eye(2)
    return weights, means, covariances


def log_likelihood(x, mixture):
    """The mean over the rows of x of log p(x), in nats."""
    return logsumexp(log_densities(x, *mixture), axis=1).mean()


sigma = parzen.choose_sigma(asarray(valid), asarray(train), np.geomspace(.005, .5, 30))[0]
samples["Parzen window"] = train[rng.integers(len(train), size=1000)] + sigma * rng.standard_normal((1000, 2))
mixture = max((em(train, K) for K in (2, 4, 8, 16)), key=lambda mixture: log_likelihood(valid, mixture))
weights, means, covariances = mixture
which = rng.choice(len(weights), size=1000, p=weights)
samples["mixture of Gaussians"] = means[which] + np.einsum("nij,nj->ni", np.linalg.cholesky(covariances)[which],
                                                          rng.standard_normal((1000, 2)))

print(f"Parzen window: sigma {sigma:.3f}; mixture: {len(weights)} Gaussians\n"
      f"{'':<22}distance of samples from the curve: median, 90 % below; of the curve from samples, at most")
table = {}
for name, s in samples.items():
    d = distances(s, support)
    table[name] = np.median(d), np.quantile(d, .9), distances(support, s).max()
    print(f"{name:<22}{table[name][0]:8.4f}{table[name][1]:8.4f}{table[name][2]:8.3f}")

# %%
# A Markov chain wants blur
# -------------------------
# Metropolis' chain on eight Gaussians around a circle, with steps of the modes' own width, started in one mode.  A mode
# of width sigma is left when the chain has climbed the valley to the next, which is as good as never once sigma is
# well below their distance.  G needs no chain: a sample is one forward pass, however sharp.

angles = 2 * np.pi * np.arange(8) / 8
centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)


def modes_visited(sigma, chains=100, length=1000):
    """How many of the eight modes a chain of `length` steps is nearest to at some time, the mean over chains."""
    def log_p(x):
        return logsumexp(-((x[:, None] - centres) ** 2).sum(axis=2) / (2 * sigma ** 2), axis=1)

    x = np.tile(centres[0], (chains, 1))
    visited = np.zeros((chains, len(centres)), bool)
    here = log_p(x)
    for _ in range(length):
        proposed = x + sigma * rng.standard_normal(x.shape)
        there = log_p(proposed)
        accepted = np.log(rng.random(chains)) < there - here
        x[accepted], here[accepted] = proposed[accepted], there[accepted]
        visited[np.arange(chains), ((x[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)] = True
    return visited.sum(axis=1).mean()


widths = .4, .3, .2, .15, .1, .05, .025
visited = [modes_visited(width) for width in widths]
print("modes of 8 that a Markov chain of 1,000 steps visits, by their width: "
      + ", ".join(f"{width:g}: {count:.1f}" for width, count in zip(widths, visited)))

# %%
# What to see
# -----------
# G's samples lie closer to the curve than the Parzen window's, which must blur to cover what lies between its rows.  A
# mixture with as many Gaussians as suit it is sharper still: in a plane that is easy, and not what Section 6 doubts.
# The nets' own fault is another one: G is continuous, so a few z land on bridges between parts of the curve.

figure = Figure(figsize=(12, 5.6), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[2.1, 1])
for ax, (name, s) in zip(left.subplots(2, 2).flat, {"training rows": train, **samples}.items()):
    ax.plot(*support.T, color="#BBBBBB", linewidth=3 if s is train else .8)
    ax.plot(*s.T, ".", color="#000000", markersize=2.5)
    ax.set_aspect("equal")
    ax.set_xlim(-1.2, 1.2)
    ax.set_ylim(-.85, .85)
    ax.set_xticks([])
    ax.set_yticks([])
    what = f"{len(s)} {name}" if s is train else f"{name}: median distance {table[name][0]:.4f}"
    ax.set_title(what, fontsize=10)
chain = right.subplots()
chain.semilogx(widths, visited, "o-", color="#000000")
chain.set_xticks([.4, .2, .1, .05, .025], [".4", ".2", ".1", ".05", ".025"])
chain.minorticks_off()
chain.invert_xaxis()
chain.set_ylim(0, 8.3)
chain.set_xlabel("width of a mode")
chain.set_ylabel("modes visited, of 8")
chain.set_title("a Markov chain of 1,000 steps", fontsize=10)
chain.spines[["top", "right"]].set_visible(False)
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path}")
