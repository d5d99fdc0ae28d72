"""
===================
Sharp distributions
===================

Adversarial nets "can represent very sharp, even degenerate distributions, while methods based on Markov chains require
that the distribution be somewhat blurry in order for the chains to be able to mix between modes" (Section 6 of
Goodfellow et al., 2014).  Here p_data is a curve in the plane, and then five points: neither has a density.  Nets, a
Parzen window density and a mixture of Gaussians learn each from 200 rows, and the distance of their samples from the
curve, or from the nearest point, is measured; then a Markov chain is run on eight modes of shrinking width.

Writes ``sharp.png``.
"""
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # small products are fastest on one thread

from common import options
from progress import Progress

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp

from npgan import parzen, viewer
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.datasets import Dataset
from npgan.generator import SQRT3
from npgan.layer import Layer
from npgan.layers import Linear, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.schedules import PolyakAverage
from npgan.train import Train

chosen = options(__doc__, max_epochs=7500, save_path="sharp.png")
print(f"seed {chosen.seed}")
rng = np.random.default_rng(chosen.seed)

# %%
# A curve, five points, and how far samples are from them
# -------------------------------------------------------


def curve(t):
    """The point at t in [0, 2 pi] of a figure of eight, (len(t), 2)."""
    return np.stack([np.cos(t), np.sin(2 * t) / 1.5], axis=1)


def distances(a, b):
    """From each row of a to the nearest row of b."""
    return np.sqrt(((a[:, None] - b) ** 2).sum(axis=2).min(axis=1))


points = np.array([[-.9, -.5], [.8, -.6], [.1, .1], [-.6, .7], [.7, .6]])          # .78 apart or more
supports = {"curve": curve(np.linspace(0, 2 * np.pi, 1000)), "points": points}      # neighbours .0105 apart
rows = {"curve": [curve(rng.uniform(0, 2 * np.pi, size)) for size in (200, 200)],   # to train on, and to validate
        "points": [points[rng.integers(len(points), size=size)] for size in (200, 200)]}

# %%
# Adversarial nets
# ----------------
# A D that is right about a distribution without density is as good as 0 on all samples, and its slope says nothing of
# where the data are.  So D sees data and samples alike through noise, N(0, tau^2) in each coordinate, which fades.  The
# optimum stays: equal blurred distributions come from equal ones, at every tau.  (Soenderby et al., "Amortised MAP
# inference for image super-resolution", 2017, and Arjovsky and Bottou, "Towards principled methods for training
# generative adversarial networks", 2017, added such noise.)  As D's slopes grow with 1/tau, G's rate falls with it.


class Blur(Layer):
    """Adds noise in training, h = s + tau n with n ~ N(0, I), so dC/ds = dC/dh; `rng` draws n."""

    def __init__(self, tau, rng):
        self.tau, self.rng = tau, rng

    @property
    def streams(self):
        return [self.rng]

    def fprop(self, state_below):
        return self.remember(state_below)

    def dropout_fprop(self, state_below):
        return self.remember(state_below + self.tau * self.rng.normal(state_below.shape))

    def bprop(self, dh, params=True, inputs=True):
        self.recall(dh)
        return dh if inputs else None


class Fading:
    """
    An extension of `Train`: after a fifth of the `updates` tau begins to fall from `first` to `last`.

    Each update divides it by the same number, and G's rate by that to the power of 1.5.
    """

    def __init__(self, blur, rule_G, first, last, updates):
        self.blur, self.rule_G, self.first, self.rate = blur, rule_G, first, rule_G.learning_rate
        self.taus = [first] * (updates // 5) + np.geomspace(first, last, updates - updates // 5).tolist()

    def on_update(self, train):
        """Set the next tau."""
        self.blur.tau = self.taus[train.updates - 1]
        self.rule_G.learning_rate = self.rate * (self.blur.tau / self.first) ** 1.5


def learn(train, layers, learning_rate, first, last):
    """Algorithm 1 with k = 3, on the rows `train`: a generator of these `layers`, its last parameters averaged."""
    noise, weights, order, blurs = (RandomStream([chosen.seed, i]) for i in range(1, 5))
    G, blur = Generator(MLP(layers), "uniform", noise), Blur(first, blurs)
    D = MLP([blur, RectifiedLinear(2, 64, 1., weights, init_bias=weights.normal((64,))),
             RectifiedLinear(64, 64, .3, weights), Linear(64, 1, .3, weights)])
    rule_G, rule_D, average = Momentum(learning_rate, .5), Momentum(.1, .5), PolyakAverage(G, .998)
    step = SeparateSteps(AdversaryPair(G, D), rule_G, rule_D, discriminator_steps=3)
    fading = Fading(blur, rule_G, first, last, 2 * chosen.max_epochs)
    Train(step, Dataset(train), 100, order, [average, fading, Progress(chosen.max_epochs)]).main_loop(chosen.max_epochs)
    G.mlp.theta[...] = average.theta
    return G


# %%
# For the curve G has rectifiers.  Any G that is continuous must lead from point to point through the plane between
# them; to lose little of z on the way it must be steep there and flat elsewhere.  Sigmoids of one z, each steep at a
# place of its own, start as such a staircase, whose 33 steps Algorithm 1 then moves onto the five points.

weights = RandomStream([chosen.seed, 0])
G = {"curve": learn(rows["curve"][0], [
    RectifiedLinear(2, 48, 1., weights, init_bias=weights.normal((48,))),
    RectifiedLinear(48, 48, .3, weights), Linear(48, 2, .2, weights)], .02, .1, .01)}
edges, STEEP = np.linspace(-SQRT3, SQRT3, 34)[1:-1], 1000
stairs = Sigmoid(1, 32, 0., weights, init_bias=asarray(-STEEP * edges))
stairs.W[...] = STEEP
G["points"] = learn(rows["points"][0], [stairs, Linear(32, 2, .2, weights)], .01, .3, .005)
samples = {what: {"adversarial nets": to_numpy(G[what].sample(1000))} for what in G}

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


found = {}
for what, (train, valid) in rows.items():
    sigma = parzen.choose_sigma(asarray(valid), asarray(train), np.geomspace(.005, .5, 30))[0]
    samples[what]["Parzen window"] = train[rng.integers(len(train), size=1000)] + sigma * rng.standard_normal((1000, 2))
    mixture = max((em(train, K) for K in (2, 4, 8, 16)), key=lambda mixture: log_likelihood(valid, mixture))
    weights, means, covariances = mixture
    which = rng.choice(len(weights), size=1000, p=weights)
    samples[what]["mixture of Gaussians"] = means[which] + np.einsum(
        "nij,nj->ni", np.linalg.cholesky(covariances)[which], rng.standard_normal((1000, 2)))

    print(f"{what}: Parzen window of sigma {sigma:.3f}, mixture of {len(weights)} Gaussians\n"
          f"  distance of samples from the {what}: median, 90 % below; of the {what} from samples, at most")
    for name, s in samples[what].items():
        d = distances(s, supports[what])
        found[what, name] = np.median(d), np.quantile(d, .9), distances(supports[what], s).max()
        print("  {:<22}{:8.4f}{:8.4f}{:8.3f}".format(name, *found[what, name]))


def shares(x):
    """The part of the rows of x that is nearest to each of the points."""
    nearest = ((x[:, None] - points) ** 2).sum(axis=2).argmin(axis=1)
    return np.bincount(nearest, minlength=len(points)) / len(x)


for name, x in (("training rows", rows["points"][0]), ("samples of the nets", samples["points"]["adversarial nets"])):
    print(f"nearest to each point, {name}: " + ", ".join(f"{share:.2f}" for share in shares(x)))

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
# G is continuous, so a few z land on bridges between parts of the curve, and a very few between the points.  On the
# points the two densities are as sharp as they may be, by the least sigma that is tried and by `floor`: there their
# likelihood has no bound.  Nothing of that kind bounds G, which nears the points as tau fades.

figure = Figure(figsize=(14, 7), layout="constrained")
places = figure.add_gridspec(2, 4)
above = [figure.add_subplot(places[0, i]) for i in range(4)]
dots, stairs, chain = (figure.add_subplot(place) for place in (places[1, 0], places[1, 1:3], places[1, 3]))


def scatter(ax, what, name, title):
    """The samples of `name`, or the training rows, and the curve or the points in grey."""
    if what == "curve":
        ax.plot(*supports[what].T, color="#BBBBBB", linewidth=1 if name in samples[what] else 3)
    else:
        ax.plot(*points.T, "o", color="#BBBBBB", markersize=13)
    ax.plot(*samples[what].get(name, rows[what][0]).T, ".", color="#000000", markersize=2.5)
    ax.set(aspect="equal", xlim=(-1.2, 1.2), ylim=(-.9, .9), xticks=[], yticks=[])
    ax.set_title(title, fontsize=11)


for ax, name in zip(above, ("200 training rows", *samples["curve"])):
    scatter(ax, "curve", name, "a curve,\n200 training rows" if name not in samples["curve"] else
            f"{name}:\nmedian distance {found['curve', name][0]:.4f}")
scatter(dots, "points", "adversarial nets", "five points, adversarial nets:\n"
        f"median distance {found['points', 'adversarial nets'][0]:.4f}")

z = np.linspace(-SQRT3, SQRT3, 5000)
x = to_numpy(G["points"].fprop(asarray(z[:, None])))
for i, (color, dashes) in enumerate(viewer.LINES[:2]):
    stairs.plot(z, x[:, i], color=color, linestyle=dashes, label=("left to right", "up and down")[i])
stairs.set_title("the same G against its z: flat on the five points, steep from one to the next", fontsize=11)
stairs.set(xlabel="z", ylabel="G(z)", ylim=(-1.1, 1.3))
stairs.legend(frameon=False, fontsize=9, loc="upper center", ncol=2)
chain.semilogx(widths, visited, "o-", color="#000000")
chain.set_xticks([.4, .2, .1, .05, .025], [".4", ".2", ".1", ".05", ".025"])
chain.minorticks_off()
chain.invert_xaxis()
chain.set_ylim(0, 8.3)
chain.set_xlabel("width of a mode")
chain.set_ylabel("modes visited, of 8")
chain.set_title("a Markov chain of 1,000 steps", fontsize=11)
for ax in (stairs, chain):
    ax.spines[["top", "right"]].set_visible(False)
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path}")
