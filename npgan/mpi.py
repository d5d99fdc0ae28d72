"""
A run on several processes, MPI's ranks, on one or more machines: ``mpiexec -n 4 python examples/mnist.py --mpi``.

C is a mean over the m rows of a minibatch.  If the rows are divided among the ranks,

    dC/dtheta = sum over ranks of (m_rank / m) dC_rank/dtheta,          C_rank the mean over a rank's own m_rank rows.

Each rank runs the same program, with all of theta and all the data.  It computes the gradient of its own rows; one sum
over the ranks (MPI's Allreduce) gives the gradient of the minibatch, by which each rank updates its theta.  Each rank
draws noise and dropout's masks for all m rows and takes those of its own rows.  This costs little, and the results
equal those of one process except for rounding.  An update sends one message for each player, its gradient.

The ranks compute with NumPy, each with ``OPENBLAS_NUM_THREADS`` threads.  Only `start` imports mpi4py.
"""
import atexit
import hashlib
import os
import signal
import sys
import time
from functools import partial

import numpy as np

from npgan import backend, parzen
from npgan.backend import to_numpy, xp
from npgan.interruption import SIGNALS
from npgan.monitor import LogLikelihood
from npgan.released.coordination import CoordinatedSteps

RUNNING = set()                                         # the shared runs that have begun and not ended
DRAWS = "uniform", "normal", "mask"                     # of a RandomStream; the last argument is the shape


def start():
    """
    Return the ranks of this program, MPI's COMM_WORLD; from now on only rank 0 prints, and an error ends all ranks.

    Otherwise the other ranks would wait for a gradient for ever.  mpiexec sends SIGINT and SIGTERM to all ranks; only
    rank 0 handles them, saves the run and then ends all ranks.

    Raises
    ------
    BackendError
        If mpi4py or an MPI library is missing, or the backend is not NumPy.
    """
    if xp.module is not np:
        raise backend.BackendError("MPI's ranks compute on NumPy; choose the backend 'numpy'")
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:        # RuntimeError: mpi4py without an MPI library
        raise backend.BackendError('MPI needs the package mpi4py and an MPI library, such as MPICH or Open MPI: python '
                                   f'-m pip install ".[mpi]" mpich ({error})') from error
    comm, hook = MPI.COMM_WORLD, sys.excepthook

    def end_all(kind, error, trace):
        what = "stops" if issubclass(kind, KeyboardInterrupt) else "fails"
        print(f"rank {comm.rank} of {comm.size} {what}, which ends the run:", file=sys.stderr)
        try:
            hook(kind, error, trace)
        finally:                                        # even if the hook exits
            RUNNING.clear()                             # MPICH's Abort returns, and `end_others` would give its status
            sys.stderr.flush()
            time.sleep(.5)                              # so that mpiexec prints the message before it ends
            comm.Abort(128 + getattr(error, "signal", signal.SIGINT) if issubclass(kind, KeyboardInterrupt) else 2)

    def end_others():
        if RUNNING:                                     # after sys.exit, for which no hook is called
            comm.Abort(2)

    sys.excepthook = end_all
    atexit.register(end_others)
    if comm.rank:
        sys.stdout = open(os.devnull, "w")
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    return comm


def add_up(comm, array, what="SUM"):
    """Replace `array` on each rank of `comm` by the sum over the ranks, or by the maximum if `what` is "MAX"."""
    from mpi4py import MPI
    comm.Allreduce(MPI.IN_PLACE, array, getattr(MPI, what))


def share(train, comm, root=()):
    """
    Divide each minibatch of the run `train` among the ranks of `comm`, and sum their gradients.

    Every rank builds the same run, restores it if it is resumed, and calls this function before `main_loop`.  The
    samples of a `LogLikelihood` among the extensions are divided as well.

    Parameters
    ----------
    train : Train
        Changed in place; one process can resume the run from its checkpoints.
    comm : MPI communicator
    root : sequence
        The extensions that only rank 0 calls, because they write files or print: ``Saving``, a progress line.

    Raises
    ------
    ValueError
        If a minibatch, such as the last of an epoch, has fewer rows than there are ranks; or for `CoordinatedSteps`,
        whose options need a whole minibatch.
    """
    if isinstance(train.step, CoordinatedSteps):
        raise ValueError("CoordinatedSteps cannot be shared among ranks; take SimultaneousSteps or SeparateSteps")
    least = len(train.dataset) % train.batch_size or train.batch_size
    if least < comm.size:
        raise ValueError(f"a minibatch of {least} rows is too small for {comm.size} ranks; take another batch_size")
    step, own = train.step, Share(comm)
    for stream in step.pair.streams:
        for name in DRAWS:
            setattr(stream, name, partial(own.draw, getattr(stream, name)))
    for rule in (step.rule_G, step.rule_D):
        rule.on_gradient = own.sum_gradients
    for extension in train.extensions:
        if isinstance(extension, LogLikelihood):
            extension.estimate = partial(estimate, extension, comm)
    if comm.rank:
        train.extensions = [extension for extension in train.extensions if extension not in root]
    train.extensions = [own, *train.extensions, Agreement(own)]


class Share:
    """
    A rank's share of a run: its rows of each minibatch, and their noise and masks; the first extension of its `Train`.

    Parameters
    ----------
    comm : MPI communicator
    """

    def __init__(self, comm):
        self.comm, self.m, self.own = comm, 0, None

    def on_minibatch(self, train, x):
        """Return this rank's rows of the minibatch `x`."""
        RUNNING.add(self)
        self.m = len(x)
        self.own = slice(*(rank * self.m // self.comm.size for rank in (self.comm.rank, self.comm.rank + 1)))
        return x[self.own]

    def on_update(self, train):
        """Draw the same numbers on all ranks until the next step."""
        self.own = None

    def draw(self, draw, *arguments):
        """
        Call a stream's method `draw` with `arguments` for all rows of the minibatch, and return this rank's rows.

        D receives data rows followed by samples, so its layers draw for two such blocks of rows.
        """
        *arguments, shape = arguments
        if self.own is None:
            return draw(*arguments, shape)
        times = shape[0] // (self.own.stop - self.own.start)
        return draw(*arguments, (times * self.m, *shape[1:])).reshape(times, self.m, -1)[:, self.own].reshape(shape)

    def sum_gradients(self, net):
        """Replace the gradient of this rank's rows in ``net.grad`` by that of the whole minibatch."""
        net.grad[...] *= (self.own.stop - self.own.start) / self.m
        add_up(self.comm, net.grad)


class Agreement:
    """
    The last extension of a shared run: after each epoch all ranks must have the same parameters.

    Parameters
    ----------
    share : Share
        The rank's.
    """

    def __init__(self, share):
        self.share, self.comm = share, share.comm

    def on_monitor(self, train):
        """Stop all ranks if one stops, and check that all have the same parameters."""
        pair = train.step.pair
        checksum = hashlib.sha256(to_numpy(pair.generator.theta))
        checksum.update(to_numpy(pair.discriminator.theta))
        if len(set(self.comm.allgather(checksum.digest()))) > 1:
            raise RuntimeError(f"after epoch {train.epoch} the ranks have different parameters; an extension that "
                               "changes them or the rules, such as a schedule, must be called by all ranks: leave it "
                               "out of root")
        train.stop = any(self.comm.allgather(train.stop))
        if train.stop or train.epoch == train.max_epochs:
            RUNNING.discard(self.share)
        train.checkpoint = self.comm.bcast(train.checkpoint)


def estimate(likelihood, comm, G):
    """
    Return `LogLikelihood.estimate`, computed by all ranks: each makes every `comm.size`-th thousand of the samples.

    Each rank draws the noise of all samples, so that the samples are those of one process.

    Parameters
    ----------
    likelihood : LogLikelihood
    comm : MPI communicator
    G : Generator

    Returns
    -------
    list of float
        In nats, for each sigma.
    """
    mine = []
    for start in range(0, likelihood.num_samples, 1000):
        z = G.noise(min(1000, likelihood.num_samples - start))
        if start // 1000 % comm.size == comm.rank:
            mine.append(G.mlp.fprop(z))
    samples = xp.concatenate(mine) if mine else None
    log_p = log_likelihood_over_ranks(likelihood.dataset.X, samples, likelihood.sigmas, comm)
    return to_numpy(log_p).mean(axis=1).tolist()


def log_likelihood_over_ranks(x, samples, sigmas, comm):
    """
    Return `parzen.log_likelihood` of the rows x under the samples of all ranks, on each rank.

    With o the exponent of the nearest sample and t the sum of exponentials over e^o, as `StreamingParzen` keeps them,

        log sum over ranks of t_rank e^(o_rank) = o + log sum over ranks of t_rank e^(o_rank - o),   o = max of o_rank.

    Parameters
    ----------
    x, sigmas
        As for `parzen.log_likelihood`, the same on all ranks.
    samples : array (N, d) or None
        The rank's own samples; None if it has none.
    comm : MPI communicator

    Returns
    -------
    As `parzen.log_likelihood`.
    """
    kernels = parzen.StreamingParzen(x, sigmas)
    if samples is not None:
        kernels.add(samples)
    own = kernels.nearest.copy()
    add_up(comm, kernels.nearest, "MAX")
    kernels.total *= xp.exp((own - kernels.nearest) / kernels.sigma**2)
    add_up(comm, kernels.total)
    kernels.num_samples = comm.allreduce(kernels.num_samples)
    return kernels.log_p
