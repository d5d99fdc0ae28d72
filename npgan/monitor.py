"""Extensions of `Train` that measure the running game: the channels of `npgan.channels`, and log-likelihoods."""
import warnings
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext

from npgan import backend, parzen
from npgan.backend import xp
from npgan.channels import measure, weight_norms
from npgan.checks import check_positive_ints
from npgan.datasets import check_dataset
from npgan.train import TrainingDiverged

SATURATED = 1e-3                                        # where D(x) is nearer to 0 or 1, its slope all but vanishes


class Monitor:
    """
    Records the channels of `measure` on whole data sets, as an extension of `Train`.

    Its noise and masks come from streams of its own, so training is bit-identical with it and without.

    It warns if the means of D on data and on samples are within .001 of 0 or 1 both before and after an epoch, and then
    not again until D recovers.  For this it also evaluates D after epochs that it does not measure, on one minibatch of
    each set.

    On a GPU each minibatch makes 1 transfer to the device and 2 to the host, for `gen_ll`; then a data set makes
    0 transfers to the device and 1 to the host, all its channels at once.  After an epoch that it does not measure a
    data set makes 0 transfers to the device and 1 to the host.

    Parameters
    ----------
    datasets : dict of Dataset
        By the name that prefixes their channels, such as "valid".
    seed : int
        The random seed of the monitor's streams.
    batch_size : int
        Rows measured at a time, in the set's order; a channel is the mean over minibatches, weighted by their rows.
    every : int
        Epochs from one measurement to the next; the first comes before training.

    Attributes
    ----------
    history : dict of list of float
        The channels; "epoch" has the epoch after which each value was measured.
    saturation : dict of list
        For each data set the latest epoch, the means of D on data and on samples then, and whether D is saturated.
    """

    argument_names = "datasets", "seed", "batch_size"       # not `every`, which a resumed run may change
    state_names = "history", "saturation"

    def __init__(self, datasets, seed=2014, batch_size=100, every=1):
        check_positive_ints(batch_size=batch_size, every=every)
        if not isinstance(datasets, Mapping):
            raise TypeError('datasets must be a dict of Dataset by name, such as {"valid": valid}, '
                            f"got {datasets!r:.80}")
        for name, dataset in datasets.items():
            check_dataset(f"datasets[{name!r}]", dataset)
        self.datasets, self.seed, self.batch_size, self.every = dict(datasets), seed, batch_size, every
        self.history, self.saturation = {}, {}

    def on_monitor(self, train):
        """Measure after every `every` epochs; after the others only check whether D is saturated."""
        is_measured = train.epoch % self.every == 0
        values, saturation = self.measure_rates(train), {}
        with backend.aside(train.step.pair.streams, self.seed, train.epoch), diverging_samples(train):
            for name, dataset in self.datasets.items():
                channels = (self.measure_dataset(dataset, train.step) if is_measured else
                            self.measure_discriminator(dataset, train.step.pair))
                values.update({f"{name}_{channel}": value for channel, value in channels.items()})
                saturation[name] = self.check_saturation(name, channels["d_on_data"], channels["d_on_samples"], train)
        self.saturation = saturation
        if is_measured:
            self.record(train.epoch, values)

    def measure_rates(self, train):
        """Return the channels that need no data: a dict of numbers."""
        step = train.step
        values = {"training_seconds_this_epoch": train.seconds}
        for player, rule in (("g", step.rule_G), ("d", step.rule_D)):
            values[f"learning_rate_{player}"] = rule.learning_rate
            values[f"momentum_{player}"] = rule.momentum
        if hasattr(step, "now_train_generator"):
            values["now_train_generator"] = step.now_train_generator
        return values

    def record(self, epoch, values, epochs="epoch"):
        """
        Append one value to each of several channels of `history`: to all of them or, if interrupted, to none.

        Values that were recorded for the same epoch before are replaced.

        Parameters
        ----------
        epoch : int
            The epoch after which the values were measured.
        values : dict of float
            By channel.
        epochs : str
            The channel that lists the epochs of these channels.
        """
        history = dict(self.history)
        length = len([recorded for recorded in history.get(epochs, []) if recorded < epoch])
        for channel, value in {epochs: epoch, **values}.items():
            history[channel] = [*history.get(channel, [])[:length], float(value)]
        self.history = history

    def check_saturation(self, name, real, fake, train):
        """
        Warn if the means D(x), `real`, and D(G(z)), `fake`, are near 0 or 1 now and at the epoch before.

        Return the entry of the data set `name` in `saturation`.
        """
        before = self.saturation.get(name, [])
        if before[:1] == [train.epoch]:                 # the monitoring of this epoch is repeated after an error
            return before
        lasts = are_saturated(real, fake) and len(before) == 4 and are_saturated(*before[1:3])
        if lasts and not before[3]:
            if (real > .5) == (fake > .5):
                advice = "D gives one answer to all rows: give it a smaller learning rate"
            elif fake > .5:
                advice = "D takes all samples for data: let it keep up with G"
            else:
                advice = ("D has won: its own gradient vanishes, and under log(1 - D(G(z))) that of G; "
                          "take fewer steps of D, dropout in D, or more data")
            warnings.warn(f"{name}, epoch {train.epoch}, update {train.updates}: D(x) is {real:.4f} and D(G(z)) "
                          f"{fake:.4f} on average, nearly as an epoch before.  {advice}; {train.describe_checkpoint()}",
                          stacklevel=3)
        return [train.epoch, real, fake, int(lasts)]

    def measure_discriminator(self, dataset, pair):
        """Return the means of the `pair`'s D on the first minibatch of `dataset` and on as many samples: a dict."""
        G = pair.generator
        x, z = G.with_noise(next(dataset.minibatches(min(self.batch_size, len(dataset)))))
        means = xp.stack([pair.discriminate(rows).mean() for rows in (x, G.fprop(z))])
        return dict(zip(("d_on_data", "d_on_samples"), backend.to_numpy(means).tolist()))

    def measure_dataset(self, dataset, step):
        """Return the channels of `measure` over a whole `dataset`, for the pair of a `step`: a dict of float."""
        total = weight_norms("gen", step.pair.generator.mlp) | weight_norms("dis", step.pair.discriminator)
        for x in dataset.minibatches(min(self.batch_size, len(dataset))):
            for channel, value in measure(step.pair, x, step.generator_loss).items():
                total[channel] = total.get(channel, 0) + value * (len(x) / len(dataset))
        values = backend.to_numpy(xp.stack(list(total.values())))           # one transfer for all of them
        return dict(zip(total, values.tolist()))


@contextmanager
def diverging_samples(train):
    """Within it samples that Parzen's estimate cannot take raise `TrainingDiverged`: parameters may still be finite."""
    try:
        yield
    except parzen.SamplesOutOfRange as error:
        raise TrainingDiverged(f"G's {error} {train.describe_divergence()}") from error


def are_saturated(*means):
    """Return whether all `means` of D are nearly 0 or 1."""
    return all(min(D, 1 - D) < SATURATED for D in means)


class LogLikelihood:
    """
    Records the Parzen log-likelihood of a data set in a monitor's history, in nats, at the best of several sigmas.

    Its samples come from a random stream of their own and, where G is averaged, from the average.

    On a GPU it makes 1 transfer to the device and 1 to the host, the sigmas and the likelihoods; then each thousand of
    rows and each thousand of samples makes 0 transfers to the device and 1 to the host, whether they are finite.

    Parameters
    ----------
    monitor : Monitor
    channel : str
        The name to record under; the epochs are recorded under the same name with "_epoch" added.
    dataset : Dataset
        The authors chose sigma on the first 1,000 validation rows.
    average : PolyakAverage, optional
        Of G's parameters.
    num_samples : int
    every : int
        Epochs from one estimate to the next.
    sigmas : sequence of float
        The widths to choose from, by default the authors' ten.
    """

    argument_names = "monitor", "channel", "dataset", "average", "num_samples", "every", "sigmas"

    def __init__(self, monitor, channel, dataset, average=None, num_samples=10000, every=1, sigmas=parzen.SIGMAS):
        check_positive_ints(num_samples=num_samples, every=every)
        check_dataset("dataset", dataset)
        self.monitor, self.channel, self.dataset, self.average = monitor, channel, dataset, average
        self.num_samples, self.every, self.sigmas = num_samples, every, [float(sigma) for sigma in sigmas]

    def on_monitor(self, train):
        """Estimate the log-likelihood after every `every` epochs."""
        if train.epoch % self.every:
            return
        G = train.step.pair.generator
        if G.nz != G.mlp.nvis:
            raise TypeError(f"{type(self).__name__} needs a G that takes z alone, got {G!r}; npgan.parzen judges "
                            "samples of any other")
        seed = [self.monitor.seed, train.epoch, len(train.step.pair.streams)]       # streams after the monitor's own
        averaged = self.average.applied() if self.average else nullcontext()
        with G.rng.aside(seed), backend.aside(G.streams[1:], *seed), averaged, diverging_samples(train):
            best = max(self.estimate(G))
        self.monitor.record(train.epoch, {self.channel: best}, f"{self.channel}_epoch")

    def estimate(self, G):
        """Return the mean log-likelihood of the rows under samples of G for each of the `sigmas`: a list of float."""
        return parzen.choose_sigma(self.dataset.X, G.sample(self.num_samples), self.sigmas)[1]
