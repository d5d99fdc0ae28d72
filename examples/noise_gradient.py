"""
============================
The gradient through a noise
============================

Section 2 of Goodfellow et al. (2014) rests on one observation: as sigma goes to 0, the gradient of a function smoothed
by noise becomes the function's own,

    lim_{sigma -> 0} grad_x E f(x + eps) = grad_x f(x),     eps ~ N(0, sigma^2 I).

Here f is a small net of rectifiers, for which the left side is known for every sigma, and two estimates of it from
samples of the noise are held against it, with their error bars.

Writes ``noise_gradient.png``.
"""
from common import options

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from npgan import backend, viewer
from npgan.backend import RandomStream, asarray, to_numpy
from npgan.layers import Linear, RectifiedLinear
from npgan.mlp import MLP

chosen = options(__doc__, save_path="noise_gradient.png")
print(f"seed {chosen.seed}")
backend.use(floatX="float64")

# %%
# The function
# ------------
# f(x) = sum_j v_j max(0, z_j), z_j = w_j . x + b_j.  Its gradient is npgan's backward pass of a row.

nvis, dim = 5, 20
weights, noise = RandomStream([chosen.seed, 0]), RandomStream([chosen.seed, 1])
f = MLP([RectifiedLinear(nvis, dim, istdev=1., rng=weights, init_bias=weights.normal((dim,))),
         Linear(dim, 1, istdev=1., rng=weights)])
W, b, v = (to_numpy(array) for array in (f.layers[0].W, f.layers[0].b, f.layers[1].W[:, 0]))


def gradient(x):
    """Return grad f at each row of x, (m, nvis), by the backward pass."""
    f.fprop(asarray(x))
    return to_numpy(f.bprop(asarray(np.ones((len(x), 1))), params=False))


# %%
# The smoothed gradient in closed form
# ------------------------------------
# z_j + w_j . eps is N(z_j, sigma^2 |w_j|^2), and a rectifier's mean slope is the probability that its input is
# positive, so (derived here)
#
#     grad_x E f(x + eps) = sum_j v_j w_j Phi(z_j / (sigma |w_j|)),     Phi the normal distribution function.
#
# As sigma -> 0 Phi becomes 1 where z_j > 0 and 0 where z_j < 0: the backward pass of a rectifier.  At a kink, z_j = 0,
# it stays 1/2 for every sigma: there f has no gradient, the limit is the mean of both sides, and npgan uses 0.


def smoothed_gradient(x, sigma):
    """Return the exact grad_x E f(x + eps) at each row of x."""
    return (v * norm.cdf((x @ W + b) / (sigma * np.linalg.norm(W, axis=0)))) @ W.T


# %%
# Two estimates
# -------------
# The pathwise estimate moves the gradient inside the expectation: the mean of grad f(x + eps), as the adversarial
# nets' gradient reaches G through D.  The score-function estimate needs values of f alone: the density of x + eps has
# the score eps / sigma^2, so the mean of f(x + eps) eps / sigma^2 has the same expectation.  But its error grows as
# f(x) / sigma when sigma -> 0.  With f(x + eps) - f(x) instead of f(x + eps), which has the same expectation, the error
# stays bounded, and is still larger than the pathwise one.


def estimates(x, sigma, m=10_000):
    """Return the terms (m, nvis) whose means are the estimates at the point x, by name."""
    eps = sigma * to_numpy(noise.normal((m, nvis)))
    value, here = (to_numpy(f.fprop(asarray(point))) for point in (x + eps, x[None]))
    return {"pathwise": gradient(x + eps),
            "score function": value * eps / sigma ** 2,
            "score, less f(x)": (value - here) * eps / sigma ** 2}


x = to_numpy(RandomStream([chosen.seed, 2]).normal((nvis,)))
own = gradient(x[None])[0]
sigmas = 10 ** np.linspace(1, -3, 17)
rows = []
print("first coordinate of the gradient; estimates by 10,000 samples\n   sigma      exact  "
      + "".join(f"{name:>24}" for name in estimates(x, 1.)))
for sigma in sigmas:
    exact = smoothed_gradient(x[None], sigma)[0]
    found = {name: (t.mean(axis=0), np.cov(t.T) / len(t)) for name, t in estimates(x, sigma).items()}
    rows.append((exact, found))
for sigma, (exact, found) in list(zip(sigmas, rows))[::2]:
    print(f"{sigma:8.4f} {exact[0]:10.5f}  "
          + "".join(f"{mean[0]:14.5f} +-{np.sqrt(cov[0, 0]):8.5f}" for mean, cov in found.values()))
print(f"  grad f {own[0]:10.5f}, the backward pass")

# %%
# If the error bars are right, a deviation d from the exact value has d . cov^-1 d = nvis on average.  Below sigma = .3
# too few of 10,000 samples cross a kink for an error bar of the pathwise estimate; from .03 on, no sample does.

large = [(exact, found) for sigma, (exact, found) in zip(sigmas, rows) if sigma > .3]
for name in rows[0][1]:
    squares = [(mean - exact) @ np.linalg.solve(cov, mean - exact) / nvis
               for exact, (mean, cov) in ((exact, found[name]) for exact, found in large)]
    print(f"{name}: squared deviation from the exact value, in variances, on average {np.mean(squares):.2f} "
          f"(1 +- {np.sqrt(2 / nvis / len(squares)):.2f} is expected)")

j = 0
kink = x - W[:, j] * (x @ W[:, j] + b[j]) / (W[:, j] @ W[:, j])        # the point nearest to x where z_0 = 0
smoothed = smoothed_gradient(kink[None], 1e-6)[0]
off, on = (gradient((kink + side * 1e-6 * W[:, j])[None])[0] for side in (-1, 1))
print(f"where rectifier {j} has its kink, the limit {smoothed[0]:.5f} is the mean of {off[0]:.5f} and {on[0]:.5f}, "
      "the gradients on its two sides")

# %%
# The picture
# -----------
# Left: the slope along a line; each step of the staircase is a rectifier that switches on or off.  Middle: the limit
# at one point, with error bars of one standard error.  Right: the lengths of the error bars.

figure = Figure(figsize=(13, 4.2), layout="constrained")
stairs, limit, price = figure.subplots(1, 3)
along = np.linspace(-3, 3, 1201)
u = W[:, j] / np.linalg.norm(W[:, j])
points = x + along[:, None] * u
for sigma, (color, dashes) in zip((1, .3, .1), viewer.LINES[1:]):
    stairs.plot(along, smoothed_gradient(points, sigma) @ u, color=color, linestyle=dashes, linewidth=1.6,
                label=f"smoothed, sigma = {sigma:g}")
stairs.plot(along, gradient(points) @ u, color="#000000", linewidth=1.2, label="grad f, backward pass")
stairs.set_title("slope along a line")
stairs.set_xlabel("t, at x + t u")
stairs.set_ylabel("u . gradient")
stairs.legend(frameon=False, fontsize=9)

limit.axhline(own[0], color="#888888", linewidth=.8, label="grad f(x)")
limit.semilogx(sigmas, [exact[0] for exact, _ in rows], color="#000000", linewidth=1.6, label="smoothed, exact")
for name, marker, (color, dashes) in zip(rows[0][1], "s^o", viewer.LINES[1:]):
    means = np.array([found[name][0][0] for _, found in rows])
    errors = np.array([np.sqrt(found[name][1][0, 0]) for _, found in rows])
    if name != "score function":
        limit.errorbar(sigmas, means, errors, fmt=marker, color=color, markersize=4, capsize=3, label=name)
    seen = errors > 0
    price.loglog(sigmas[seen], errors[seen], marker + dashes, color=color, markersize=4, label=name)
limit.set_title("the limit, first coordinate")
limit.set_ylabel("gradient")
price.set_title("standard error, first coordinate")
price.set_ylim(1e-4, 1e4)
for ax in (limit, price):
    ax.set_xlabel("sigma")
    ax.invert_xaxis()
    ax.legend(frameon=False, fontsize=9)
for ax in (stairs, limit, price):
    ax.spines[["top", "right"]].set_visible(False)
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path}")
