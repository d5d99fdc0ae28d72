"""
=======================
The theory of Section 4
=======================

Proposition 1, equations 3 to 6, Theorem 1 and Proposition 2 of Goodfellow et al. (2014) as numbers and pictures: both
players are tables, with an entry for each cell of a line, so nothing stands between the paper's functions and the code.

Writes ``theory.png``.
"""
from common import options

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import quad
from scipy.special import entr, rel_entr, xlogy
from scipy.special import expit as sigmoid
from scipy.stats import beta, norm, uniform

from npgan import viewer

chosen = options(__doc__, save_path="theory.png")
print(f"seed {chosen.seed}")
rng = np.random.default_rng(chosen.seed)

# %%
# The value of a game between tables
# ----------------------------------
# D has a logit a for each cell; p_data and p_g are arrays as well, densities times the width of a cell, so they sum
# to 1 and an integral is a sum.  The best D is eq. 2's, p_data / (p_data + p_g), and C(G) is the value there (eq. 4).
# All tables are NumPy's, whatever the backend: SciPy computes with them, and they have a few hundred entries.


def softplus(a):
    """log(1 + e^a)."""
    return np.logaddexp(0, a)


def U(p_g, p_data, a):
    """V(D, G) as a function of p_g: sum of p_data log D + p_g log(1 - D), with D = sigmoid(a) (eq. 3)."""
    return -(p_data * softplus(-a) + p_g * softplus(a)).sum(axis=-1)


def gradient_of_D(p_g, p_data, a):
    """dU/da in each cell, p_data (1 - D) - p_g D."""
    return p_data * sigmoid(-a) - p_g * sigmoid(a)


def C(p_g, p_data):
    """max over D of U, at D = p_data / (p_data + p_g) (eq. 4)."""
    both = p_data + p_g
    return (xlogy(p_data, p_data / both) + xlogy(p_g, p_g / both)).sum(axis=-1)


def train_D(p_g, p_data, num_steps, a=0.):
    """
    A table that climbs U by plain gradient ascent, from logits a; returns the new ones.  a = 0 is D = 1/2.

    The second derivative in a cell is -(p_data + p_g) D (1 - D), at most a quarter of the largest sum; its inverse is a
    rate that never overshoots.
    """
    a = np.zeros_like(p_data + p_g) + a
    rate = 4 / (p_data + p_g).max(axis=-1, keepdims=True)
    for _ in range(num_steps):
        a += rate * gradient_of_D(p_g, p_data, a)
    return a


# %%
# Proposition 1, and equations 3 to 6
# -----------------------------------
# For each pair of densities a table learns D, knowing nothing of eq. 2, and is held against it.  Its value must then be
# C(G), which is computed three times more, by what has least in common: the two divergences of eq. 5, integrated by
# adaptive quadrature; the Jensen-Shannon divergence of eq. 6 as H((p_data + p_g)/2) - H(p_data)/2 - H(p_g)/2, with the
# two entropies in closed form; and eq. 1's expectations, over samples.

PAIRS = {
    "two Gaussians": (norm(0, 1), norm(2, 1.5)),
    "a Beta and a uniform": (beta(2, 4), uniform(0, 1)),
    "uniforms that overlap by half": (uniform(0, 1), uniform(.5, 1)),       # C = -log 2
    "uniforms apart": (uniform(0, 1), uniform(1, 1)),                       # C = 0
    "twice the same": (norm(0, 1), norm(0, 1)),                             # C = -log 4
}


def cells(distributions, n=300):
    """The middles of `n` cells of one width, and the probability that each of the `distributions` gives to each."""
    edges = np.linspace(min(p.ppf(1e-9) for p in distributions), max(p.ppf(1 - 1e-9) for p in distributions), n + 1)
    edges = np.round(edges, 6)
    return (edges[1:] + edges[:-1]) / 2, [np.diff(p.cdf(edges)) for p in distributions]


def integral(f, distributions):
    """The integral of f over the line, cut where a density may jump."""
    cuts = sorted({round(end, 6) for p in distributions for end in p.ppf([1e-9, 1 - 1e-9])})
    return sum(quad(f, *part, epsabs=1e-12)[0] for part in zip(cuts, cuts[1:]))


def by_divergences(data, g):
    """Eq. 5: -log 4 + KL(p_data || (p_data + p_g)/2) + KL(p_g || (p_data + p_g)/2)."""
    return -np.log(4) + sum(integral(lambda x, p=p: rel_entr(p.pdf(x), (data.pdf(x) + g.pdf(x)) / 2), (data, g))
                            for p in (data, g))


def by_entropies(data, g):
    """Eq. 6: -log 4 + 2 JSD."""
    mixture = integral(lambda x: entr((data.pdf(x) + g.pdf(x)) / 2), (data, g))
    return -np.log(4) + 2 * (mixture - data.entropy() / 2 - g.entropy() / 2)


def by_samples(data, g, m=20_000):
    """Eq. 1 at D*, the mean over m examples and m samples, and its standard error."""
    x, s = (p.rvs(m, random_state=rng) for p in (data, g))
    terms = np.log(data.pdf(x) / (data.pdf(x) + g.pdf(x))), np.log(g.pdf(s) / (data.pdf(s) + g.pdf(s)))
    return sum(t.mean() for t in terms), np.sqrt(sum(t.var() for t in terms) / m)


print("Proposition 1 and eq. 3-6: D is learned by ascent, C in nats by four routes\n"
      f"{'p_data and p_g':<31}{'|D - D*| <':>10}{'V(learned D)':>14}{'eq. 5':>11}{'eq. 6':>11}{'eq. 1, sampled':>19}")
LENGTHS = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]
learned = {}
for name, (data, g) in PAIRS.items():
    x, (p_data, p_g) = cells((data, g))
    a, climb = 0., []
    for done, length in zip([0, *LENGTHS], LENGTHS):
        a = train_D(p_g, p_data, length - done, a)
        climb.append(C(p_g, p_data) - U(p_g, p_data, a))
    matters = p_data + p_g > .01 * (p_data + p_g).max()         # elsewhere there is next to nothing to learn from
    error = np.abs(sigmoid(a) - p_data / (p_data + p_g))[matters].max()
    routes = U(p_g, p_data, a), by_divergences(data, g), by_entropies(data, g), by_samples(data, g)
    learned[name] = x, p_data, p_g, a, climb, error, routes
    print(f"{name:<31}{error:10.0e}{routes[0]:14.6f}{routes[1]:11.6f}{routes[2]:11.6f}"
          f"{routes[3][0]:12.4f} +-{routes[3][1]:.4f}")

# %%
# Theorem 1
# ---------
# -log 4 is the least value, and p_g = p_data alone has it.  By Pinsker's inequality, with T half the sum of
# |p_data - p_g| (total variation), each divergence of eq. 5 is at least T^2/2, so C(G) >= -log 4 + T^2: what is not
# p_data is above the minimum by a known margin.  Along a path of Gaussians C has one minimum, but is flat far from it.

q, p = rng.dirichlet(np.full(20, .5), size=(2, 2_000))
excess = C(q, p) + np.log(4)
pinsker = excess / (np.abs(q - p).sum(axis=1) / 2) ** 2
print(f"\nTheorem 1: over 2,000 random pairs C + log 4 is at least {excess.min():.3f}, and at least "
      f"{pinsker.min():.3f} T^2, with T the total variation")

mu = np.linspace(-6, 6, 121)
line = np.linspace(-14, 14, 2001)
path = C(norm.pdf(line, mu[:, None], 1) * (line[1] - line[0]), norm.pdf(line) * (line[1] - line[0]))
print(f"along N(mu, 1), p_data = N(0, 1): least at mu = {abs(mu[path.argmin()]):.1f}, C = {path.min():.6f}; "
      f"at mu = 6, {path[-1]:.4f}")

# %%
# Proposition 2
# -------------
# For a fixed D, U is a straight line in p_g; C, the largest of these lines, is convex.  The line of the best D touches
# C, so its slope, dU/dp_g = log(1 - D), is a subgradient of C: C(q) >= C(p) + sum of log(1 - D*)(q - p) for every q.
# A D that is short of the best by e = C(p) - U(p, D) may break that inequality, but by no more than e.

n = 40
p_data = norm.pdf(np.arange(n), 11, 3) + .7 * norm.pdf(np.arange(n), 28, 4) + .004
p_data /= p_data.sum()

q, p = rng.dirichlet(np.full(n, .5), size=(2, 2_000))
q = p + .02 * (q - p)                                           # near p, where the line and C part slowest
margin = C(q, p_data) - C(p, p_data) - ((q - p) * np.log(p / (p_data + p))).sum(axis=1)
a = train_D(p, p_data, num_steps=10)
short = C(p, p_data) - U(p, p_data, a)
margin_short = C(q, p_data) - C(p, p_data) + ((q - p) * softplus(a)).sum(axis=1)
print(f"\nProposition 2: C(q) - C(p) - <slope, q - p> over 2,000 random pairs is at least\n"
      f"  {margin.min():.5f} with the best D; {margin_short.min():.5f} with a D of 10 steps, "
      f"and {(margin_short + short).min():.5f} with its e added")


def simplex(v):
    """The point of the simplex (entries >= 0 that sum to 1) nearest to v: v - t where that is positive, else 0."""
    u = np.sort(v)[::-1]
    t = (np.cumsum(u) - 1) / np.arange(1, len(v) + 1)
    return np.maximum(v - t[u > t][-1], 0)


# %%
# So small steps of p_g down the slope, each followed by the projection onto the simplex, reach p_data.  Small means: at
# p_data the second derivative of C is 1/(2 p_data), so the rate must be below 4 min p_data.  The multiplicative step,
# p_g <- p_g exp(-slope) / Z, is at home on the simplex and needs no rate: with exp(-slope) = (p_data + p_g) / p_g it is
# p_g <- (p_data + p_g)/2, which halves the distance each time (derived here).

start = np.full(n, 1 / n)
small = 2 * p_data.min()


def descend(next_a, rate=small):
    """
    800 steps of gradient descent of p_g from the uniform distribution.

    `next_a` takes p_g and D's logits and gives D's next logits; returns C + log 4 before each step, and the last p_g.
    """
    p_g, a, excess = start, np.zeros(n), []
    for _ in range(800):
        excess.append(C(p_g, p_data) + np.log(4))
        a = next_a(p_g, a)
        p_g = simplex(p_g + rate * softplus(a))                 # the slope is log(1 - D) = -softplus(a)
    return np.array(excess), p_g


def best(p_g, a):
    """D at its optimum, as Proposition 2 wants it."""
    return np.log(p_data / p_g)


def steps(k):
    """D goes on from where it is, by k steps of gradient ascent."""
    def next_a(p_g, a):
        for _ in range(k):
            a = a + gradient_of_D(p_g, p_data, a) / p_data.max()
        return a
    return next_a


kept_best, p_g_best = descend(best)
p_g, halved = start, []
for _ in range(25):
    halved.append(C(p_g, p_data) + np.log(4))
    p_g = p_g * np.exp(softplus(best(p_g, None)))
    p_g /= p_g.sum()

# %%
# When D is not kept at its optimum
# ---------------------------------
# With one step of D to each of p_g the play overshoots and circles in, slowly.  (It comes in at all as U is strictly
# concave in the table a and straight in p_g; nets have no such guarantee.)  Against a D that has stopped, U is a
# straight line, whose least value on the simplex is at a corner: all of p_g moves to the one cell where D is largest,
# the faster the larger the rate.  That is Section 6's "Helvetica scenario" in its purest form.

stale = best(start, None)
games = {"D at its optimum": (kept_best, p_g_best),
         "k = 5 steps of D": descend(steps(5)),
         "k = 1": descend(steps(1)),
         "D stale": descend(lambda p_g, a: stale, rate=1)}
print(f"\nDescent of p_g at rate {small:.4f}: C + log 4 after 0, 100 and 799 steps, and the entropy of the last p_g")
for name, (excess, p_g) in games.items():
    print(f"  {name:<18}{excess[0]:8.3f}{excess[100]:10.1e}{excess[-1]:10.1e}{entr(p_g).sum():8.3f}")
corner = games["D stale"][1].argmax()
print(f"  the entropy of p_data is {entr(p_data).sum():.3f}; a stale D leaves p_g on cell {corner} alone\n"
      f"  p_g <- (p_data + p_g)/2: C + log 4 is {halved[10]:.1e} after 10 steps and {halved[20]:.1e} after 20")

# %%
# The picture
# -----------

figure = Figure(figsize=(13, 7.6), layout="constrained")
(eq2, eq3, theorem), (envelope, descent, ends) = figure.subplots(2, 3)
(black, _), (vermilion, _), (blue, _), (orange, _) = viewer.LINES


def finish(ax, title, xlabel, ylabel, **legend):
    """The words around a panel."""
    ax.set_title(title, fontsize=11)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)
    if legend:
        ax.legend(frameon=False, fontsize=9, **legend)


x, p_data_x, p_g_x, a = learned["two Gaussians"][:4]
width = x[1] - x[0]
eq2.plot(x, p_data_x / width, ":", color=black, linewidth=1.8, label="p_data")
eq2.plot(x, p_g_x / width, color=vermilion, linewidth=1.8, label="p_g")
eq2.plot(x, p_data_x / (p_data_x + p_g_x), color=blue, linewidth=1.2, label="p_data / (p_data + p_g)")
eq2.plot(x[::6], sigmoid(a)[::6], "o", color=blue, markersize=4, markerfacecolor="none", label="D, learned")
eq2.set_ylim(0, 1.02)
eq2.text(5.2, .53, "no density:\nD need not be defined", fontsize=9)
finish(eq2, "Proposition 1: a table learns D*", "x", "density, or D(x)", loc="upper right")
eq2.set_xlim(-7, 13)

markers = dict(zip(PAIRS, "osD^"))
for (name, marker), color in zip(markers.items(), (black, vermilion, blue, orange)):
    eq3.loglog(LENGTHS, learned[name][4], marker + "-", color=color, markersize=5, linewidth=1.2, label=name)
eq3.set_ylim(1e-6, 1)
finish(eq3, "Equation 4: V climbs to C(G)", "steps of D", "C(G) - V(D, G) (nats)", loc="lower left")

theorem.plot(mu, path, color=black, linewidth=1.8)
theorem.axhline(-np.log(4), color="#888888", linewidth=.8)
theorem.text(-6, -np.log(4) + .03, "-log 4", fontsize=9)
theorem.plot(0, -np.log(4), "o", color=vermilion)
theorem.text(1.1, -np.log(4) + .03, "p_g = p_data", fontsize=9)
theorem.text(-6, -.07, "flat", fontsize=9, va="top")
finish(theorem, "Theorem 1: -log 4 at p_g = p_data alone", "mu of p_g = N(mu, 1); p_data = N(0, 1)", "C(G) (nats)")

left = np.arange(n) < 19
share = p_data[left].sum()


def with_share(t):
    """p_data, but with the probability t in its left bump: a straight line through p_data."""
    return p_data * np.where(left, t / share, (1 - t) / (1 - share))


t = np.linspace(0, 1, 201)
line = with_share(t[:, None])
for touch in (.02, .1, .25, .4, share, .75, .9, .98):
    envelope.plot(t, U(line, p_data, best(with_share(touch), None)), color=blue, linewidth=.8)
envelope.plot([], [], color=blue, linewidth=.8, label="U(p_g, D), eight fixed D")
envelope.plot(t, C(line, p_data), color=black, linewidth=2.2, label="C, the largest of all lines")
envelope.plot(share, -np.log(4), "o", color=vermilion, label="p_g = p_data")
envelope.set_ylim(-1.45, -.85)
finish(envelope, "Proposition 2: C is convex in p_g", "share of p_g in the left bump", "nats", loc="upper center")

for (name, (excess, _)), (color, dashes) in zip(games.items(), viewer.LINES):
    descent.semilogy(excess, color=color, linestyle=dashes, linewidth=1.6, label=name)
descent.semilogy(halved, "o", color="#888888", markersize=4, label="p_g <- (p_data + p_g)/2")
descent.set_ylim(1e-8, 2)
finish(descent, "Proposition 2: descent of p_g", "step", "C(G) + log 4 (nats)", loc="center right",
       bbox_to_anchor=(1, .6))

ends.bar(np.arange(n), p_data, width=1, color="#CCCCCC", label="p_data")
for name, marker, color in (("D at its optimum", "o", black), ("k = 1", "x", blue), ("D stale", "^", orange)):
    p_g = games[name][1]
    ends.plot(np.arange(n)[p_g < .1], p_g[p_g < .1], marker, color=color, markersize=4, label=name)
ends.plot(corner, .11, "^", color=orange, markersize=8)
ends.text(corner + 1.5, .11, f"D stale: all of p_g is on cell {corner}", fontsize=9, va="center")
ends.set_ylim(-.002, .118)
finish(ends, "p_g after the descent", "cell", "probability", loc="upper right", bbox_to_anchor=(1, .92))
viewer.save(chosen.save_path, figure)
print(f"wrote {chosen.save_path}")
