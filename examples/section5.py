"""
What the scripts about CIFAR-10 and TFD share: their options, the authors' training, and the panels of Figure 2.

`train_players` reads and writes a run's checkpoint, and writes its panel after each epoch.
"""
import math
import os

from common import RESUME, options, positive_int
from common import resume as resume_training
from progress import Progress

from npgan import checkpoint, viewer
from npgan.adversarial import SimultaneousSteps
from npgan.backend import xp
from npgan.learning_rule import Momentum
from npgan.monitor import Monitor
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage
from npgan.train import Train


def training_options(description, save_path, max_epochs, settings, **more):
    """
    Parse options as `common.options` does, with options for the nets' widths and for the numbers of the training.

    Parameters
    ----------
    description, save_path, max_epochs, **more
        As there.
    settings : dict
        Sets of numbers by name, first "authors": ``scale``, ``learning_rate_G``, ``learning_rate_D``, ``batch_size``
        and the script's own.  Each number is an option too.

    Returns
    -------
    argparse.Namespace
        With the numbers of the chosen settings, except those given as options.
    """
    authors = settings["authors"]
    numbers = {name: {"type": positive_int if isinstance(value, int) else float, "help": f"the authors' is {value:g}"}
               for name, value in authors.items()}
    numbers["scale"]["help"] = "the nets' widths relative to the authors'"
    if len(settings) > 1:
        more["settings"] = {"choices": tuple(settings), "default": "authors", "help": "defaults of the numbers below: "
                            "the authors', or numbers for a processor; default %(default)s"}
    chosen = options(
        description, max_epochs=max_epochs, save_path=save_path,
        resume={"action": "store_true", "help": RESUME.format("at --save_path", "except --max_epochs")}, **more,
        **numbers)
    for name, value in settings[getattr(chosen, "settings", "authors")].items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    if not 0 < chosen.scale < math.inf:
        raise ValueError(f"--scale must be a number above 0, got {chosen.scale:g}")
    return chosen


def units(number, scale):
    """
    Return the width of a layer that has `number` units in the authors' nets: `scale` times as many, at least one.

    A sum over fewer units has a smaller standard deviation, by the factor sqrt(scale).  The scripts therefore draw its
    weights from a wider range, `irange` times scale ** -.5, so that at any scale the units above, and the gradients
    below, start with the same standard deviation as in the authors' nets.
    """
    return max(1, round(number * scale))


def start_at_mean_zero(layer):
    """
    Set the biases of G's last `layer` so that its outputs have mean 0 where the sigmoids below are 1/2.

    Otherwise the first samples are all far from the data in the same direction, and D learns only that direction.
    """
    layer.b -= layer.fprop(xp.full((1, layer.nvis), .5, layer.b.dtype)).reshape(layer.b.shape)


def announce(words, dataset):
    """Print `words` about a number or a picture made from a `dataset`, followed by the data set's caveat."""
    print(f"{words} ({dataset.caveat})" if dataset.caveat else words, flush=True)


class Panel:
    """
    An extension of `Train` that draws a panel of Figure 2 after each epoch, always from the same noise.

    Parameters
    ----------
    path : str
        Of the picture, replaced each time.
    generator : Generator
    average : PolyakAverage
        Of G's parameters; the samples are drawn with it.
    seed : int
        Seed of the noise, which has a random stream of its own.
    """

    def __init__(self, path, generator, average, seed):
        self.path, self.generator, self.average, self.seed = path, generator, average, seed

    def samples(self, number=20):
        """Return `number` samples, of which the first are those of the panel."""
        with self.generator.rng.aside([self.seed, 5]), self.average.applied():
            return self.generator.sample(number)

    def on_monitor(self, game):
        """Draw the panel, except before training."""
        if game.updates:
            viewer.save(self.path, viewer.nearest_sheet(self.samples(), game.dataset.X, game.dataset.shape))


def train_players(pair, train, valid, order, chosen, save_path=None, max_epochs=None, resume=None, earlier=None,
                  more=()):
    """
    Train as the authors did, the same way for CIFAR-10 and TFD except for batch size and learning rates.

    Both players step at once; momentum grows from .5 to .7 over 250 epochs, and the learning rate decays with each
    update.  An average of G's parameters over about 1,000 updates is kept beside G and never fed back.

    Parameters
    ----------
    pair : AdversaryPair
    train, valid : Dataset
    order : RandomStream
        Draws the order of the training rows.
    chosen : argparse.Namespace
        From `training_options`.
    save_path, max_epochs, resume
        Replace those in `chosen`.
    earlier : str, optional
        The last good checkpoint as long as there is none at `save_path`.
    more : sequence
        Further extensions.

    Returns
    -------
    Panel
    """
    save_path, max_epochs = save_path or chosen.save_path, max_epochs or chosen.max_epochs
    rule_G, rule_D = (Momentum(rate, init_momentum=.5, fused=True)
                      for rate in (chosen.learning_rate_G, chosen.learning_rate_D))
    average = PolyakAverage(pair.generator, decay=.999)
    monitor = Monitor({"valid": valid}, seed=chosen.seed)
    panel = Panel(os.path.splitext(save_path)[0] + ".png", pair.generator, average, chosen.seed)
    game = Train(SimultaneousSteps(pair, rule_G, rule_D), train, chosen.batch_size, order, extensions=[
        average,
        ExponentialDecay([rule_G, rule_D], decay_factor=1.000004, min_lr=1e-6),
        MomentumAdjustor([rule_G, rule_D], final_momentum=.7, start=1, saturate=250),
        monitor,
        panel,
        *more,
        checkpoint.Saving(save_path),
        Progress(max_epochs, monitor, {"D(x)": "valid_d_on_data", "D(G(z))": "valid_d_on_samples"})])
    game.checkpoint = earlier
    announce(f"{train.name}: {len(train.X):,} pictures, {-(-len(train) // chosen.batch_size):,} updates an epoch; "
             f"G has {pair.generator.theta.size:,} parameters, D {pair.discriminator.theta.size:,}", train)
    if chosen.resume if resume is None else resume:
        resume_training(save_path, game, chosen)
    game.main_loop(max_epochs)
    announce(f"wrote {save_path} and {panel.path} after {game.updates:,} updates in {game.epoch:,} "
             f"epoch{'s' * (game.epoch > 1)}", train)
    return panel
