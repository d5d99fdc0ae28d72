"""
=========================
Adversarial nets on MNIST
=========================

Trains the nets of Goodfellow et al. (2014), Section 5, with the numbers of the authors' ``mnist.yaml``, and averages
G's parameters over the updates. Samples and the log-likelihood come from the average.

Reads ``mnist`` (found through NPGAN_DATA_PATH, or downloaded). Writes after each epoch the checkpoint ``mnist.npz``,
and every five epochs ``mnist_best.npz`` if the log-likelihood of validation rows is the best so far. At the end writes
``mnist_generator.npz``, the averaged G alone; ``mnist.png``, samples beside their nearest training digits as in Figure
2a; and ``mnist.gif``, samples of the same noise during training, from pictures in ``mnist_epochs``.
"""
import os
import sys
from pathlib import Path

from common import RESUME, file_path, options, positive_int, resume
from progress import Progress

from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure
from matplotlib.image import imread

from npgan import checkpoint, diagnosis, mpi, viewer
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps, SimultaneousSteps
from npgan.backend import RandomStream
from npgan.datasets import Dataset, mnist
from npgan.files import replacing
from npgan.generator import PRIORS
from npgan.initialisation import marginal_bias
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid
from npgan.learning_rule import Momentum
from npgan.mlp import MLP
from npgan.monitor import LogLikelihood, Monitor
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage
from npgan.train import Train

SETTINGS = {
    "learning_rate": (.1, "of both players"), "decay_factor": (1.000004, "divides the learning rate at each update"),
    "init_momentum": (.5, "in the first epoch"), "final_momentum": (.7, "from epoch 250 on"),
    "average": (.99999, "decay of the average of G's parameters, which the authors did not have")}
numbers = {name: {"type": float, "default": value, "help": f"{meaning}, default %(default)s"}
           for name, (value, meaning) in SETTINGS.items()}
chosen = options(__doc__, max_epochs=200, save_path="mnist.npz", **numbers,
                 batch_size={"type": positive_int, "default": 100, "help": "default %(default)s"},
                 noise={"choices": tuple(PRIORS), "default": "uniform", "help": "prior of z, default %(default)s"},
                 discriminator_steps={"type": positive_int, "metavar": "K", "help": "Algorithm 1's order with this k, "
                                      "instead of the authors' simultaneous steps"},
                 mpi={"action": "store_true", "help": "under mpiexec: divide the minibatches among its processes"},
                 resume={"action": "store_true", "help": RESUME.format("at --save_path", "except --max_epochs")},
                 diagnose={"type": file_path, "metavar": "CHECKPOINT",
                           "help": "look for signs of trouble in that run, and do not train"})
ranks = mpi.start() if chosen.mpi else None
saved = None if chosen.diagnose is None else checkpoint.load(chosen.diagnose)
train, valid = mnist.load("train"), mnist.load("valid")
if saved is not None:
    for words, players in (("its last update", saved.pair(average=False)), ("the average of G", saved.generator())):
        print(f"{chosen.diagnose}, {words}: {diagnosis.diagnose(players, train, valid)}\n")
    sys.exit()
print(f"seed {chosen.seed}")
if train.caveat:
    print(train.caveat)

# %%
# The two players
# ---------------
# G has 2,503,984 parameters, D 1,231,441.  G's last biases start at the mean digit.

weights_G, weights_D, noise, masks, order = (RandomStream([chosen.seed, i]) for i in range(5))

G = Generator(MLP([RectifiedLinear(nvis=100, dim=1200, irange=.05, rng=weights_G),
                   RectifiedLinear(nvis=1200, dim=1200, irange=.05, rng=weights_G),
                   Sigmoid(nvis=1200, dim=784, irange=.05, rng=weights_G, init_bias=marginal_bias(train.X))]),
              noise=chosen.noise, rng=noise)
D = MLP([Dropout(include_prob=.8, rng=masks), Maxout(nvis=784, num_units=240, num_pieces=5, irange=.005, rng=weights_D),
         Dropout(include_prob=.5, rng=masks), Maxout(nvis=240, num_units=240, num_pieces=5, irange=.005, rng=weights_D),
         Dropout(include_prob=.5, rng=masks), Linear(nvis=240, dim=1, irange=.005, rng=weights_D)])

# %%
# Watching G learn
# ----------------
# Every five epochs, and at the end, a picture of samples of the average, always from the same noise.

stem = os.path.splitext(chosen.save_path)[0]
folder = Path(f"{stem}_epochs")


class Growth:
    """An extension of `Train` that draws these pictures; its noise comes from a random stream of its own."""

    def __init__(self):
        with G.rng.aside([chosen.seed, 5]):
            self.z = G.noise(60)

    def on_monitor(self, game):
        """Draw a picture, if the epoch is a fifth one or the last."""
        if game.epoch % 5 == 0 or game.epoch >= chosen.max_epochs:
            with average.applied():
                patches = 2 * G.fprop(self.z).reshape(-1, *train.shape) - 1
            folder.mkdir(exist_ok=True)
            viewer.save(folder / f"{game.epoch:03}.png", viewer.grid(patches, 6, 10))


# %%
# The authors' training
# ---------------------
# Both players step at once.  The learning rate decays so slowly that both still move a lot at the end, and the average
# of their parameters is far better than the last ones.  It extends over 100,000 updates, back to the first.

rule_G, rule_D = (Momentum(chosen.learning_rate, chosen.init_momentum, fused=True) for player in "GD")
pair = AdversaryPair(G, D)
step = (SeparateSteps(pair, rule_G, rule_D, discriminator_steps=chosen.discriminator_steps)
        if chosen.discriminator_steps else SimultaneousSteps(pair, rule_G, rule_D))
average = PolyakAverage(G, decay=chosen.average)
monitor = Monitor({"valid": valid}, seed=chosen.seed)
rows = Dataset(valid.X[:1000])
likelihood = LogLikelihood(monitor, "valid_log_likelihood", rows, average, every=5)
last_update = LogLikelihood(monitor, "valid_log_likelihood_last_update", rows, every=5)
growth = Growth()
game = Train(step, train, batch_size=chosen.batch_size, rng=order, extensions=[
    average,
    ExponentialDecay([rule_G, rule_D], chosen.decay_factor, min_lr=1e-6),
    MomentumAdjustor([rule_G, rule_D], chosen.final_momentum, start=1, saturate=250),
    monitor,
    likelihood,
    last_update,
    checkpoint.MonitorBasedSaveBest(f"{stem}_best.npz", monitor, "valid_log_likelihood"),
    growth,
    checkpoint.Saving(chosen.save_path),                    # last, so a killed run repeats the measurements
    Progress(chosen.max_epochs, monitor, {"D(x)": "valid_d_on_data", "D(G(z))": "valid_d_on_samples",
                                          "log-likelihood": "valid_log_likelihood"})])
if chosen.resume:
    resume(chosen.save_path, game, chosen)
if ranks:
    mpi.share(game, ranks, root=game.extensions[-4:])           # the extensions that write files or to the screen
game.main_loop(chosen.max_epochs)
if ranks and ranks.rank:
    sys.exit()

# %%
# Samples
# -------
# Random samples, not selected; in yellow the training digit nearest to the sample on its left.

with average.applied():
    sheet = viewer.nearest_sheet(G.sample(20), train.X, train.shape)
viewer.save(f"{stem}.png", sheet)

# %%
# The film
# --------
# All pictures of `Growth` so far, including those from before a ``--resume``.

growth.on_monitor(game)
names = [folder / f"{epoch:03}.png" for epoch in (*range(0, game.epoch, 5), game.epoch)]
frames = [imread(name).repeat(2, axis=0).repeat(2, axis=1) for name in names if name.exists()]
figure, writer = Figure(figsize=frames[0].shape[1::-1], dpi=1), PillowWriter(fps=3)
with replacing(f"{stem}.gif") as stream, writer.saving(figure, stream.name, dpi=1):
    for frame in frames:
        figure.clear()
        figure.figimage(frame)
        writer.grab_frame()

# %%
# The generator alone
# -------------------
# In half precision, small enough to share.

checkpoint.save_generator(f"{stem}_generator.npz", G, average.theta,
                          note={"seed": chosen.seed, "epochs": game.epoch, "learning_rate": chosen.learning_rate})
print(f"wrote {chosen.save_path}, {stem}_generator.npz, {stem}.png and {stem}.gif; evaluate it with: "
      f"python examples/parzen_ll.py {chosen.save_path}")
