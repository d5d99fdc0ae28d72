"""
What the scripts of Figure 1 share: a density that is known, the game one step at a time, its film and its window.

`film` writes the GIF of a game.
"""
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from matplotlib.animation import PillowWriter
from scipy.ndimage import gaussian_filter

from npgan import backend
from npgan.adversarial import algorithm_1, discriminator_step, generator_step
from npgan.backend import to_numpy
from npgan.costs import NonSaturating
from npgan.files import replacing
from npgan.schedules import PolyakAverage
from npgan.train import TrainingDiverged

# black for the data, green for G and blue for D, as in the paper
BLACK, GREEN, BLUE, ORANGE = "#000000", "#007A33", "#0050C8", "#D55E00"


class Gaussians:
    """
    p_data: as many Gaussians as there are `centres`, equally likely, of the same width in all directions.

    Parameters
    ----------
    centres : array_like (n, d)
    sigma : float
    rng : RandomStream
        Draws the examples.
    """

    def __init__(self, centres, sigma, rng):
        self.centres, self.sigma, self.rng = backend.asarray(centres), sigma, rng

    def sample(self, m):
        """Return `m` examples, an array (m, d)."""
        n, d = self.centres.shape
        which = self.rng.uniform(0, n, (m,)).astype("int64")
        return self.centres[which] + self.sigma * self.rng.normal((m, d))

    def density(self, x):
        """Return p_data at the rows of `x`, a NumPy array (n, d), as a NumPy array (n,)."""
        square = sum((x[:, None, i] - centre) ** 2 for i, centre in enumerate(to_numpy(self.centres).T))
        return np.exp(-square / (2 * self.sigma ** 2)).mean(axis=1) / (2 * np.pi * self.sigma ** 2) ** (x.shape[1] / 2)


class Grid:
    """
    Equal cells, on whose midpoints densities are compared.

    Parameters
    ----------
    reach : float
        They cover (-reach, reach) in each direction.
    cells : int
        In each direction.
    d : int
        Directions.

    Attributes
    ----------
    axis : array (cells,)
        The midpoints along one direction.
    x : array (cells^d, d)
        All of them; the last direction runs fastest.
    """

    def __init__(self, reach, cells, d):
        self.edges, self.d = np.linspace(-reach, reach, cells + 1), d
        self.width = self.edges[1] - self.edges[0]
        self.axis = (self.edges[1:] + self.edges[:-1]) / 2
        self.x = np.stack(np.meshgrid(*[self.axis] * d, indexing="ij"), axis=-1).reshape(-1, d)

    def density(self, samples, sigma):
        """Return p_g on the grid, (cells^d,): a Gaussian of width `sigma` around the cell of each of `samples`."""
        samples = to_numpy(samples)
        counts, _ = np.histogramdd(samples, [self.edges] * self.d)
        smooth = gaussian_filter(counts, sigma / self.width, mode="constant")
        return smooth.ravel() / (len(samples) * self.width ** self.d)

    def JSD(self, p, q):
        """Return the Jensen-Shannon divergence KL(p || (p + q)/2)/2 + KL(q || (p + q)/2)/2 in nats."""
        return (self.KL(p, (p + q) / 2) + self.KL(q, (p + q) / 2)) / 2

    def KL(self, p, q):
        """Return KL(p || q), the sum of p log(p/q) over the cells where p > 0, in nats."""
        on = p > 0
        return float((p[on] * np.log(p[on] / q[on])).sum() * self.width ** self.d)

    def total_variation(self, p, q):
        """Return half the sum of |p - q|, the largest difference of the probabilities p and q of any set."""
        return float(np.abs(p - q).sum() * self.width ** self.d / 2)


def optimum(p_data, p_g):
    """Return D* of Proposition 1, p_data / (p_data + p_g), and 1/2 where both densities are 0."""
    total = p_data + p_g
    return np.where(total > 0, p_data, .5) / np.where(total > 0, total, 1)


def ticks(total, number):
    """Return at most `number` of the counts from 0 to `total`, closer together at the beginning, where more happens."""
    return set((total * np.linspace(0, 1, number) ** 2).round().astype(int).tolist())


class Game:
    """
    A game between small nets, played by Algorithm 1 or one step at a time.

    Parameters
    ----------
    pair : AdversaryPair
        Without dropout.
    rule_G, rule_D : LearningRule
    data : function of m
        Returns m examples of p_data, an array (m, d).
    m, k : int
        Minibatch size, and steps of D before each of G.
    decay : float
        Of the averages of both players over the iterations.

    Attributes
    ----------
    steps_D, steps_G : int
        Steps done so far.
    """

    def __init__(self, pair, rule_G, rule_D, data, m, k, decay):
        self.pair, self.rule_G, self.rule_D, self.data, self.m, self.k = pair, rule_G, rule_D, data, m, k
        self.averages = [PolyakAverage(pair.generator, decay), PolyakAverage(pair.discriminator, decay)]
        self.steps_D = self.steps_G = self.iterations = 0

    def train_D(self):
        """Do one step of D."""
        x = self.data(self.m)
        discriminator_step(self.pair, self.rule_D, x, self.pair.generator.noise(self.m))
        self.steps_D += 1

    def train_G(self):
        """Do one step of G."""
        generator_step(self.pair, self.rule_G, self.pair.generator.noise(self.m))
        self.steps_G += 1

    def train_both(self):
        """Do one iteration of Algorithm 1: k steps of D, then one of G."""
        algorithm_1(self.pair, self.rule_G, self.rule_D, self.data, num_iterations=1, k=self.k, m=self.m)
        self.steps_D, self.steps_G, self.iterations = self.steps_D + self.k, self.steps_G + 1, self.iterations + 1
        for average in self.averages:
            average.add(self.iterations)

    @contextmanager
    def averaged(self):
        """Within ``with game.averaged():`` both players have the averages of their parameters."""
        with ExitStack() as stack:
            for average in self.averages:
                stack.enter_context(average.applied())
            yield

    def samples(self, n):
        """Return G(z) for `n` z that are always the same, a NumPy array (n, d); the game is unchanged."""
        G = self.pair.generator
        with G.rng.aside([*G.rng.seed, 1]):
            samples = to_numpy(G.sample(n))
        if not np.isfinite(samples).all():
            raise TrainingDiverged(f"a sample is not finite after {self.steps_G} steps of G and {self.steps_D} of D; "
                                   "try another --seed")
        return samples

    def D(self, x):
        """Return D(x) for the rows of `x`, a NumPy array (n, d), as a NumPy array (n,)."""
        return to_numpy(self.pair.discriminate(backend.asarray(x)))[:, 0]

    def descent(self, x, loss=NonSaturating()):
        """
        Return -dC/dx of each sample's own cost C = -log D(x), the direction in which D's gradient moves it.

        Computed by the backward pass of D, as in `generator_step`, but for the sum over the samples instead of their
        mean.

        Parameters
        ----------
        x : NumPy array (n, d)
        loss : NonSaturating or Saturating
            C.
        """
        D = self.pair.discriminator
        a = D.fprop(backend.asarray(x))
        return -to_numpy(D.bprop(loss.grad(a) * len(x), params=False))


def film(path, figure, frames, fps=12):
    """
    Write a GIF, whole or not at all.

    Parameters
    ----------
    path : path
    figure : matplotlib.figure.Figure
    frames : iterator
        Draws the next picture on `figure` whenever it is advanced.
    fps : int
        Pictures a second; the last one stays for two.
    """
    writer = PillowWriter(fps=fps)
    with replacing(Path(path)) as stream, writer.saving(figure, stream.name, dpi=figure.dpi):
        for _ in frames:
            writer.grab_frame()
        for _ in range(2 * fps):
            writer.grab_frame()


def open_window(size):
    """Return a figure of `size` in a window; raise RuntimeError if there is no display."""
    from matplotlib import pyplot  # needed only for a window

    try:
        figure = pyplot.figure(figsize=size, layout="constrained")
    except Exception as error:                                          # every toolkit raises other errors
        raise RuntimeError(f"--live opens a window, but there is no display ({error}); leave it out") from error
    if figure.canvas.required_interactive_framework is None:
        raise RuntimeError("--live opens a window, but matplotlib finds no display here or no toolkit for windows; "
                           "leave it out, or install one of Tk, Qt, GTK and wxWidgets")
    return figure


class Keys:
    """
    A game played from the keyboard, on a matplotlib figure.

    Parameters
    ----------
    game : Game
    figure : matplotlib.figure.Figure
    draw : function
        Draws the game's present state on the figure.
    each : int
        Iterations from one picture to the next while the game runs by itself.

    Attributes
    ----------
    running : bool
    line : matplotlib.text.Text
        What the window says below the picture.
    """

    told = "keys:  d  D once    g  G once    b  both once    space  run or pause    q  quit"

    def __init__(self, game, figure, draw, each=5):
        self.game, self.figure, self.draw, self.each, self.running = game, figure, draw, each, False
        self.line = figure.supxlabel(self.told, fontsize=10)
        figure.canvas.mpl_connect("key_press_event", self.on_key)
        self.timer = figure.canvas.new_timer(interval=30)
        self.timer.add_callback(self.on_time)

    def on_key(self, event):
        """Do the action of the key of `event`; a single step pauses the game."""
        step = {"d": self.game.train_D, "g": self.game.train_G, "b": self.game.train_both}.get(event.key)
        if step:
            self.running = False
            step()
        elif event.key == " ":
            self.running = not self.running
        elif event.key == "q":
            self.close()
            return
        else:
            return
        self.redraw()

    def on_time(self):
        """Do a few iterations and draw a new picture, if the game is running."""
        if self.running:
            for _ in range(self.each):
                self.game.train_both()
            self.redraw()

    def redraw(self):
        """Draw the game, with a legend of the keys and the number of steps below."""
        self.draw()
        state = "running" if self.running else "paused"
        done = f"steps of D: {self.game.steps_D}    steps of G: {self.game.steps_G}    {state}"
        self.line.set_text(f"{self.told}\n{done}")
        self.figure.canvas.draw_idle()

    def close(self):
        """Close the window."""
        from matplotlib import pyplot
        self.running = False
        self.timer.stop()
        pyplot.close(self.figure)

    def play(self):
        """Open the window and wait until it is closed."""
        from matplotlib import pyplot
        self.figure.canvas.mpl_disconnect(self.figure.canvas.manager.key_press_handler_id)     # g is its grid key
        self.redraw()
        self.timer.start()
        pyplot.show()
