"""
What the scripts about Section 7's extensions share: data, sizes of nets, training, and a classifier that evaluates.

The data are MNIST if its files are found (see NPGAN_DATA_PATH), and otherwise the digits that come with npgan.
`train_pair` writes a checkpoint beside the script's picture.
"""
from pathlib import Path
from typing import NamedTuple

from common import RESUME, options, resume
from progress import Progress

from npgan import checkpoint
from npgan.adversarial import AdversaryPair, Generator, SimultaneousSteps
from npgan.backend import RandomStream
from npgan.datasets import Dataset, digits, finding, mnist
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import Monitor
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage
from npgan.section7.classifier import error, train_classifier
from npgan.section7.conditional import one_hot
from npgan.section7.inference import Inferer
from npgan.train import Train, check_finite

DATASETS = {"mnist": mnist, "digits": digits}
CLASSES = 10


class Numbers(NamedTuple):
    """The numbers of the nets and of their training, for one of the data sets."""

    nz: int                                 # coordinates of z
    hidden: int                             # units in each of G's two layers of rectifiers
    units: int                              # of five pieces, in each of D's two layers of maxout
    irange_D: float
    include_prob: float                     # of D's hidden units
    learning_rate_G: float
    learning_rate_D: float
    average: float                          # decay of the average of G
    epochs: int
    classifier_epochs: int
    inference_updates: int                  # of E, after G's training
    learning_rate_E: float
    labelled_updates: int                   # of a net trained on few labelled digits


NUMBERS = {"mnist": Numbers(100, 1200, 240, .005, .5, .2, .2, .9999, 60, 8, 8000, .003, 1000),
           "digits": Numbers(50, 200, 60, .05, .8, .1, .2, .9998, 1000, 60, 3000, .01, 1000)}


def section7_options(description, save_path, **more):
    """
    As `common.options`, with the choice of data set and --resume.

    A smaller --max_epochs shortens the training of inference nets and of classifiers alike, which is printed.

    Returns
    -------
    argparse.Namespace
        With ``numbers``, the data set's `Numbers`, and ``stem``, the picture's path without its ending.
    """
    epochs = ", ".join(f"{numbers.epochs} on {name}" for name, numbers in NUMBERS.items())
    chosen = options(
        description, max_epochs=epochs, save_path=save_path,
        dataset={"choices": tuple(DATASETS), "help": "default mnist if its files are found, otherwise digits"},
        resume={"action": "store_true", "help": RESUME.format("beside the picture", "including --max_epochs")}, **more)
    chosen.dataset = chosen.dataset or ("mnist" if all(map(finding.find, mnist.FILES)) else "digits")
    numbers = NUMBERS[chosen.dataset]
    chosen.max_epochs = chosen.max_epochs or numbers.epochs
    shorter = min(1, chosen.max_epochs / numbers.epochs)
    chosen.numbers = numbers._replace(inference_updates=max(1, round(shorter * numbers.inference_updates)),
                                      labelled_updates=max(10, round(shorter * numbers.labelled_updates)))
    chosen.stem = str(Path(chosen.save_path).with_suffix(""))
    print(f"{chosen.dataset}, seed {chosen.seed}", flush=True)
    if shorter < 1:
        print(f"--max_epochs {chosen.max_epochs} of {numbers.epochs} shortens all trainings alike: inference nets make "
              f"{chosen.numbers.inference_updates:,} updates in place of {numbers.inference_updates:,}, classifiers of "
              f"few labelled digits {chosen.numbers.labelled_updates:,} in place of {numbers.labelled_updates:,}",
              flush=True)
    return chosen


def load(chosen):
    """Return the training, validation and test parts of the `chosen` data set."""
    parts = [DATASETS[chosen.dataset].load(which) for which in ("train", "valid", "test")]
    for caveat in {part.caveat for part in parts if part.caveat}:
        print(caveat, flush=True)
    return parts


def streams(chosen, number=5):
    """Return random streams of the script's seed: for G's weights, D's weights, noise, masks, order of rows, others."""
    return [RandomStream([chosen.seed, i]) for i in range(number)]


def plain_pair(train, chosen):
    """Return a new pair of Section 5 for rows of `train`, and the random stream for the order of rows."""
    numbers, d = chosen.numbers, train.X.shape[1]
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
    return AdversaryPair(G, D), order


def inference_net(G, chosen, infer_layer=None, stream=11):
    """Return a new inference net for `G`: rectifiers as wide as G's below linear units, drawn from stream `stream`."""
    rng, d, wide = RandomStream([chosen.seed, stream]), G.mlp.dim, chosen.numbers.hidden
    dim = dict(G.mlp.named_layers)[infer_layer].dim if infer_layer else G.nz
    net = MLP([RectifiedLinear(nvis=d, dim=wide, istdev=(2 / d) ** .5, rng=rng),
               RectifiedLinear(nvis=wide, dim=wide, istdev=(2 / wide) ** .5, rng=rng),
               Linear(nvis=wide, dim=dim, irange=.01, rng=rng)])
    return Inferer(net, G, infer_layer, tau=.2, rng=rng)


def train_inferer(E, chosen, step):
    """Train the net of `E` by `step`, a function of E and its learning rule, whose rate falls to 0."""
    rule, num_updates = Momentum(chosen.numbers.learning_rate_E, init_momentum=.9), chosen.numbers.inference_updates
    for update in range(num_updates):
        rule.learning_rate = chosen.numbers.learning_rate_E * (1 - update / num_updates)
        step(E, rule)
        if (num_updates - update) % 100 == 1:                   # after the last, too
            check_finite("E", E.net, f"after update {update + 1}; a smaller learning rate is the usual cure")


def train_pair(pair, data, valid, chosen, order, extensions=(), rate=1.):
    """
    Train a pair by the authors' simultaneous steps and schedules; save it after each hundredth of the epochs.

    Parameters
    ----------
    pair : AdversaryPair
    data, valid : Dataset
        The training rows, and the validation rows for the monitor, which uses the first 1,000.
    chosen : argparse.Namespace
        From `section7_options`.
    order : RandomStream
    extensions : sequence
        Further extensions, called after the average.
    rate : float
        Factor for the learning rates of `Numbers`.

    Returns
    -------
    PolyakAverage
        Of G.
    """
    numbers, path = chosen.numbers, f"{chosen.stem}.npz"
    rule_G = Momentum(rate * numbers.learning_rate_G, init_momentum=.5)
    rule_D = Momentum(rate * numbers.learning_rate_D, init_momentum=.5)
    average = PolyakAverage(pair.generator, numbers.average)
    every = max(1, chosen.max_epochs // 100)
    monitor = Monitor({"valid": Dataset(valid.X[:1000], name=valid.name)}, seed=chosen.seed, every=every)
    game = Train(SimultaneousSteps(pair, rule_G, rule_D), data, batch_size=100, rng=order, extensions=[
        average, *extensions,
        ExponentialDecay([rule_G, rule_D], decay_factor=1.000004, min_lr=1e-6),
        MomentumAdjustor([rule_G, rule_D], final_momentum=.7, start=1, saturate=chosen.max_epochs),
        monitor,
        checkpoint.Saving(path, every),
        Progress(chosen.max_epochs, monitor, {"D(x)": "valid_d_on_data", "D(G(z))": "valid_d_on_samples"})])
    if chosen.resume:
        resume(path, game, chosen)
    game.main_loop(chosen.max_epochs)
    return average


def classifier_net(nvis, numbers, weights, masks):
    """Return a classifier of D's shape: two maxout layers with dropout, below ten outputs."""
    return MLP([Dropout(include_prob=.8, rng=masks),
                Maxout(nvis=nvis, num_units=numbers.units, num_pieces=5, irange=.05, rng=weights),
                Dropout(include_prob=numbers.include_prob, rng=masks),
                Maxout(nvis=numbers.units, num_units=numbers.units, num_pieces=5, irange=.05, rng=weights),
                Dropout(include_prob=numbers.include_prob, rng=masks),
                Linear(nvis=numbers.units, dim=CLASSES, irange=.05, rng=weights)])


def judge(train, test, chosen):
    """A classifier trained on the real digits of `train`; its error on those of `test` is printed."""
    weights, masks, order = (RandomStream([chosen.seed, i]) for i in (20, 21, 22))
    net = classifier_net(train.X.shape[1], chosen.numbers, weights, masks)
    train_classifier(net, train.X, one_hot(train.y, CLASSES), Momentum(learning_rate=.1, init_momentum=.5),
                     batch_size=100, num_epochs=chosen.numbers.classifier_epochs, rng=order)
    print(f"the classifier that judges gets {1 - error(net, test):.2%} of {len(test):,} test digits right", flush=True)
    return net
