"""
What is measured of a running game: the authors' monitoring channels.

Their code exchanges the prefixes ``dis_on_data_`` and ``dis_on_samp_``; here each says what it is measured on.
"""
import warnings
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext

from npgan import backend, parzen
from npgan.backend import xp
from npgan.checks import check_positive_ints
from npgan.costs import cross_entropy
from npgan.datasets import check_dataset
from npgan.layers import sigmoid
from npgan.train import TrainingDiverged

SATURATED = 1e-3                                        # D(x) nearer than this to 0 or 1 leaves no slope to speak of


class Monitor:
    """
    Records the channels of `measure` on whole data sets, as an extension of `Train`.

    Its noise and masks come from streams of its own, so training goes the same way with it or without.

    It warns of a D whose means on data and on samples are within .001 of 0 or 1 before an epoch and after it, once
    until D recovers.  For that it looks at D after epochs that it does not measure, too, on one minibatch of each set.

    On a GPU each minibatch makes 1 transfer to the device and 2 to the host, for `gen_ll`; then a data set makes
    0 transfers to the device and 1 to the host, all its channels at once.  After an epoch that it does not measure a
    data set makes 0 transfers to the device and 1 to the host.

    Parameters
    ----------
    datasets : dict of Dataset
        By the name that prefixes their channels, such as "valid".
    seed : int
        Of the monitor's random streams.
    batch_size : int
        Rows measured at a time, in the set's order; a channel is the mean over batches, weighted by their rows.
    every : int
        Epochs from one measurement to the next; the first comes before training.

    Attributes
    ----------
    history : dict of list of float
        The channels; "epoch" tells after which epoch each value was measured.
    looks : dict of list
        By data set D's means when last looked at, and whether the warning stands.
    """

    state_names = "history", "looks"
    argument_names = "datasets",
    free_names = "every",

    def __init__(self, datasets, seed=2014, batch_size=100, every=1):
        check_positive_ints(batch_size=batch_size, every=every)
        if not isinstance(datasets, Mapping):
            raise TypeError('datasets must be a dict of Dataset by name, such as {"valid": valid}, '
                            f"got {datasets!r:.80}")
        for name, dataset in datasets.items():
            check_dataset(f"datasets[{name!r}]", dataset)
        self.datasets, self.seed, self.batch_size, self.every = dict(datasets), seed, batch_size, every
        self.history, self.looks = {}, {}

    def on_monitor(self, train):
        """Measure, if the epoch is one of every `every`; if not, only look at D."""
        step, measured = train.step, train.epoch % self.every == 0
        if measured:
            self.record_rates(train)
        with backend.aside(step.pair.streams, self.seed, train.epoch), told_of_samples(train):
            for name, dataset in self.datasets.items():
                channels = self.over(dataset, step) if measured else self.glance(dataset, step.pair)
                self.warn_if_saturated(name, channels["d_on_data"], channels["d_on_samples"], train)
                if measured:
                    for channel, value in channels.items():
                        self.record(f"{name}_{channel}", value)

    def record_rates(self, train):
        """Record what is not measured on data."""
        step = train.step
        self.record("epoch", train.epoch)
        self.record("training_seconds_this_epoch", train.seconds)
        for player, rule in (("g", step.rule_G), ("d", step.rule_D)):
            self.record(f"learning_rate_{player}", rule.learning_rate)
            self.record(f"momentum_{player}", rule.momentum)
        if hasattr(step, "now_train_generator"):
            self.record("now_train_generator", step.now_train_generator)

    def warn_if_saturated(self, name, real, fake, train):
        """Say so if on the set `name` D(x), `real`, and D(G(z)), `fake`, are as good as 0 or 1, and were last time."""
        *before, warned = self.looks.get(name) or (.5, .5, 0)
        lasts = saturated(real, fake) and saturated(*before)
        self.looks[name] = [real, fake, int(lasts)]
        if lasts and not warned:
            meaning = ("D says one thing to all rows: give it a smaller rate" if (real > .5) == (fake > .5) else
                       "D takes all samples for data: let it keep up with G" if fake > .5 else
                       "D has won: its own gradient vanishes, and under log(1 - D(G(z))) that of G; take fewer steps "
                       "of D, dropout in D, or more data")
            warnings.warn(f"{name}, epoch {train.epoch}, update {train.updates}: D(x) is {real:.4f} and D(G(z)) "
                          f"{fake:.4f} on average, about as when last looked at.  {meaning}; "
                          f"{train.last_good()}", stacklevel=3)

    def glance(self, dataset, pair):
        """D's means on the first minibatch of a `dataset` and on as many samples of the `pair`: a dict of float."""
        G = pair.generator
        x, z = G.with_noise(next(dataset.minibatches(min(self.batch_size, len(dataset)))))
        means = xp.stack([pair.discriminate(rows).mean() for rows in (x, G.fprop(z))])
        return dict(zip(("d_on_data", "d_on_samples"), backend.to_numpy(means).tolist()))

    def record(self, channel, value):
        """Append one value to a channel of `history`."""
        self.history.setdefault(channel, []).append(float(value))

    def over(self, dataset, step):
        """The channels of `measure` over a whole `dataset` for the pair of a training `step`: a dict of float."""
        total = weight_norms("gen", step.pair.generator.mlp) | weight_norms("dis", step.pair.discriminator)
        for x in dataset.minibatches(min(self.batch_size, len(dataset))):
            for channel, value in measure(step.pair, x, step.generator_loss).items():
                total[channel] = total.get(channel, 0) + value * (len(x) / len(dataset))
        values = backend.to_numpy(xp.stack(list(total.values())))           # one transfer for all of them
        return dict(zip(total, values.tolist()))


@contextmanager
def told_of_samples(train):
    """Within it samples that are out of Parzen's range end in `TrainingDiverged`: parameters may still be finite."""
    try:
        yield
    except parzen.SamplesOutOfRange as error:
        raise TrainingDiverged(f"G's {error} {train.when_and_cure()}") from error


def saturated(*means):
    """Whether all `means` of D are as good as 0 or 1."""
    return all(min(D, 1 - D) < SATURATED for D in means)


class LogLikelihood:
    """
    Records in a monitor's history the Parzen log-likelihood of a data set, in nats, at the sigma that suits it best.

    Its samples come from a stream of their own and, where G is averaged, from the average.

    On a GPU it makes 1 transfer to the device and 1 to the host, the sigmas and the likelihoods; then each thousand of
    rows and each thousand of samples makes 0 transfers to the device and 1 to the host, whether they are finite.

    Parameters
    ----------
    monitor : Monitor
    channel : str
        The name to record under; the epochs go under the same name with "_epoch" added.
    dataset : Dataset
        The authors chose sigma on the first 1,000 validation rows.
    average : PolyakAverage, optional
        Of G's parameters.
    num_samples : int
    every : int
        Epochs from one time to the next.
    """

    argument_names = "channel", "dataset", "num_samples", "every"

    def __init__(self, monitor, channel, dataset, average=None, num_samples=10000, every=1):
        check_positive_ints(num_samples=num_samples, every=every)
        check_dataset("dataset", dataset)
        self.monitor, self.channel, self.dataset, self.average = monitor, channel, dataset, average
        self.num_samples, self.every = num_samples, every

    def on_monitor(self, train):
        """Measure, if the epoch is one of every `every`."""
        if train.epoch % self.every:
            return
        G = train.step.pair.generator
        if G.nz != G.mlp.nvis:
            raise TypeError(f"{type(self).__name__} is for a G that takes z alone, got {G!r}; npgan.parzen judges "
                            "samples of any other")
        seed = [self.monitor.seed, train.epoch, len(train.step.pair.streams)]       # the monitor has those before
        averaged = self.average.applied() if self.average else nullcontext()
        with G.rng.aside(seed), backend.aside(G.streams[1:], *seed), averaged, told_of_samples(train):
            best = max(self.curve(G))
        self.monitor.record(f"{self.channel}_epoch", train.epoch)
        self.monitor.record(self.channel, best)

    def curve(self, G):
        """The mean log-likelihood of the rows under samples of G, for each of the authors' sigmas."""
        return parzen.choose_sigma(self.dataset.X, G.sample(self.num_samples))[1]


def measure(pair, x, generator_loss):
    """
    The channels of one minibatch.

    Parameters
    ----------
    pair : AdversaryPair
    x : array (m, d)
        Data rows; as many samples are drawn.
    generator_loss : NonSaturating, Saturating or Blend

    Returns
    -------
    dict of 0-d array
        With dropout and fresh noise:

        ``objective_d``, ``objective_g``, ``objective``
            -V/2, G's loss, and their sum.  At D = 1/2 -V/2 and -log D(G(z)) are log 2, log(1 - D(G(z))) is -log 2.
        ``sample_grad_norm``
            The Frobenius norm of dC_G/dG(z), of a mean, so it falls with 1/sqrt(m); the authors' channel of that name
            shows the gradient of D's entropy.

        Without dropout:

        ``d_on_data``, ``d_on_samples``
            The means of D(x) and D(G(z)).
        ``false_negatives``, ``false_positives``
            The part of the data with D(x) < 1/2, the part of the samples with D(G(z)) > 1/2.
        ``gen_ll``, ``gen_nll``
            The Parzen log-likelihood of x, in nats, by those samples (the authors' 100, if there are as many rows) and
            sigma .2, and its negative: a trend only.
        ``gen_<layer>_``, ``dis_on_data_<layer>_``, ``dis_on_samp_<layer>_``
            The `unit_statistics` of each layer.
    """
    G, D = pair.generator, pair.discriminator
    x, z = G.with_noise(x)
    samples = G.fprop(z)
    objective_d = cross_entropy(D.dropout_fprop(x), 1) / 2
    a = D.dropout_fprop(samples)
    objective_d = objective_d + cross_entropy(a, 0) / 2
    objective_g = generator_loss.cost(a)
    dC = D.bprop(generator_loss.grad(a), params=False)
    channels = {"objective": objective_d + objective_g, "objective_d": objective_d, "objective_g": objective_g,
                "sample_grad_norm": xp.sqrt(xp.square(dC).sum())}

    for prefix, net, rows in (("gen", G.mlp, z), ("dis_on_data", D, x), ("dis_on_samp", D, samples)):
        for layer, h in net.activations(rows):
            channels.update(unit_statistics(f"{prefix}_{layer}", h))
        if prefix == "dis_on_data":
            D_on_data = sigmoid(h)
    D_on_samples = sigmoid(h)
    channels.update(d_on_data=D_on_data.mean(), d_on_samples=D_on_samples.mean(),
                    false_negatives=(D_on_data < .5).mean(dtype=h.dtype),
                    false_positives=(D_on_samples > .5).mean(dtype=h.dtype))
    ll = parzen.log_likelihood(x, samples, .2).mean()
    channels.update(gen_ll=ll, gen_nll=-ll)
    return channels


def unit_statistics(prefix, h):
    """
    Over the rows of h (m, dim) the max, min, mean and range of each unit; of each the max, mean and min over units.

    Twelve channels, named `prefix` and then as in Pylearn2: ``max_x_mean_u`` is the mean over units u of the maximum
    over examples x.
    """
    high, low = h.max(axis=0), h.min(axis=0)
    over_x = {"max": high, "min": low, "mean": h.mean(axis=0), "range": high - low}
    return {f"{prefix}_{x}_x_{u}_u": getattr(of_x, u)() for x, of_x in over_x.items() for u in ("max", "mean", "min")}


def weight_norms(prefix, net):
    """The L2 norms of rows and columns of each W of `net`, their min, mean and max: 0-d arrays, named by `prefix`."""
    channels = {}
    for name, layer in net.named_layers:
        W = getattr(layer, "W", None)
        for way, subscripts in (("row", "vj,vj->v"), ("col", "vj,vj->j")) if W is not None else ():
            norms = xp.sqrt(xp.einsum(subscripts, W, W))
            for u in ("min", "mean", "max"):
                channels[f"{prefix}_{name}_{way}_norms_{u}"] = getattr(norms, u)()
    return channels
