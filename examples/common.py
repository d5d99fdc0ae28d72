"""What the gallery scripts share: their options, their progress line, and how they end on a user's mistake."""
import argparse
import atexit
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings


def tell_in_one_line(kind, error, trace):
    """
    End a script with one line and exit status 2; 130 by Ctrl-C, 143 if it was SIGTERM that ended a training.

    What a user's mistake cannot raise has its place added; NPGAN_TRACEBACK=1 shows the whole trace.  Where nobody reads
    the output any more, as after ``| head -1``, there is nothing to tell.
    """
    if issubclass(kind, BrokenPipeError):
        os._exit(UNREAD)
    status = 128 + getattr(error, "signal", signal.SIGINT) if issubclass(kind, KeyboardInterrupt) else 2
    if os.environ.get("NPGAN_TRACEBACK"):
        told = "".join(traceback.format_exception(kind, error, trace)).rstrip()
    elif issubclass(kind, KeyboardInterrupt):
        told = told_to_stop(error)
    else:
        what, hint = "error", ""
        if issubclass(kind, ModuleNotFoundError):
            hint = "; install it with: python -m pip install ."
        elif "npgan.backend" in sys.modules and sys.modules["npgan.backend"].out_of_memory(error):
            hint = ("; take a smaller --batch_size, --scale or --num_samples, where the script has them, or end what "
                    "else fills the memory, or use --backend numpy")
        elif not issubclass(kind, (ValueError, RuntimeError, OSError)):
            last = traceback.extract_tb(trace)[-1]
            what, hint = kind.__name__, f" ({last.filename}:{last.lineno}; NPGAN_TRACEBACK=1 shows the whole trace)"
        words = " ".join(str(error).split())
        told = f"{os.path.basename(sys.argv[0])}: {what}: {words.removesuffix('.') if hint else words}{hint}"
    try:
        print(f"\n{told}", file=sys.stderr, flush=True)
        sys.stdout.flush()
    except OSError:                                             # nobody reads any more, as after Ctrl-C in a pipe
        os._exit(status)
    sys.exit(status)


def flush():
    """Write what is left of the output, at the end; Python itself would complain where nobody reads it any more."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(UNREAD)


def warn_in_one_line(message, kind, filename, lineno, line=None):
    """What Python writes of a warning: where it comes from matters to npgan's authors, not to those whom it tells."""
    where = "" if issubclass(kind, UserWarning) else f" ({kind.__name__}, {filename}:{lineno})"
    return f"\n{os.path.basename(sys.argv[0])}: warning: {message}{where}\n"


def told_to_stop(error):
    """What to say of a KeyboardInterrupt: how far the training was and what it saved, and how to go on with that."""
    told = str(error)
    if not hasattr(error, "signal"):
        told = " after the training, whose checkpoint is ".join(["stopped by hand", *done])
    if "checkpoint is" not in told:
        return told
    MPI = sys.modules.get("mpi4py.MPI")
    ranks = ["mpiexec", "-n", str(MPI.COMM_WORLD.size)] if MPI else []
    resume = ["--resume"] if "--resume" not in sys.argv else []
    return f"{told}; go on with: {shlex.join([*ranks, 'python', *sys.argv, *resume])}"


UNREAD = 141                                # the status of a shell's own commands whose output nobody reads
done = []                                   # the checkpoint of a training that is over, while the script goes on
sys.excepthook = tell_in_one_line           # before npgan is imported, which may find its backend missing
warnings.formatwarning = warn_in_one_line
for name in "stdout", "stderr":
    if getattr(sys, name) is None:          # closed, as by 2>&-
        setattr(sys, name, open(os.devnull, "w"))
if hasattr(sys.stdout, "reconfigure"):      # not in a notebook; a name that it cannot show is escaped
    sys.stdout.reconfigure(errors="backslashreplace")
atexit.register(flush)

from npgan import backend, checkpoint
from npgan.adversarial import Generator
from npgan.datasets import finding
from npgan.files import DataError

PICTURES = ".png", ".pdf", ".svg"
RESUME = "go on, bit for bit, from the checkpoint {}; all other options must be as before, {}"


def old_file(path):
    """For argparse: the path of a file, which is empty where a shell's variable was not set."""
    if not path:
        raise argparse.ArgumentTypeError("must be the path of a file, got ''")
    return path


CHECKPOINT = {"nargs": "?", "type": old_file, "help": "default the generator that comes with npgan"}


def options(description, max_epochs=None, save_path=None, seed=2014, **more):
    """
    Parse the options of a script, and set the backend and the data path by them.

    Parameters
    ----------
    description : str
        The script's docstring.
    max_epochs, save_path, seed
        Defaults; a script without training or output leaves the first or second out.  Where the first depends on
        other options it is words that say so, and the option is None unless given.
    more : dict
        Further options: the name, then the keyword arguments of ``add_argument``; one with ``nargs`` has no dashes.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if max_epochs is not None:
        parser.add_argument("--max_epochs", type=positive_int, help=f"default {max_epochs}",
                            default=None if isinstance(max_epochs, str) else max_epochs)
    if save_path is not None:
        ending = os.path.splitext(save_path)[1]
        parser.add_argument("--save_path", type=new_file(*PICTURES if ending in PICTURES else [ending]),
                            default=save_path, help="where the result is written, default %(default)s")
    parser.add_argument("--seed", type=natural, default=seed, help="of all random streams, default %(default)s")
    parser.add_argument("--backend", choices=backend.BACKENDS, help="default numpy, or NPGAN_BACKEND")
    parser.add_argument("--data_path", type=folder, help="a folder with data sets, in place of NPGAN_DATA_PATH")
    for name, keywords in more.items():
        parser.add_argument(name if "nargs" in keywords else f"--{name}", **keywords)
    chosen = parser.parse_args()
    backend.use(chosen.backend)
    if chosen.data_path is not None:
        os.environ["NPGAN_DATA_PATH"] = chosen.data_path
    return chosen


def folder(path):
    """For argparse: a folder that is there."""
    if not os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"there is no folder {path!r}")
    return path


def new_file(*endings):
    """For argparse: a path with one of the `endings`, of no folder but in one that can be written to."""
    def path(text):                                             # found out now, not after the training
        if os.path.isdir(text):
            raise argparse.ArgumentTypeError(f"{text} is a folder: give the path of a file")
        if os.path.splitext(text)[1] not in endings:
            raise argparse.ArgumentTypeError(f"must be a name ending in {' or '.join(endings)}, got {text!r}")
        writable_folder(os.path.dirname(os.path.abspath(text)))
        return text
    return path


def writable_folder(path):
    """For argparse: a folder that can be written to, which only trying shows."""
    try:
        tempfile.TemporaryFile(dir=path).close()
    except OSError:
        raise argparse.ArgumentTypeError(f"cannot write to the folder {path}: make it, or choose another") from None
    return path


def plain_generator(given, rng=None, average=True):
    """
    The `Checkpoint` that was `given`, or else the generator that comes with npgan, and its G, which draws from `rng`.

    Which it is gets printed.  DataError if there is neither, ValueError if G takes something given beside z; `average`
    as in `Checkpoint.generator`.
    """
    name = "mnist_generator.npz"
    path = finding.find(name) if given is None else given
    if path is None:
        raise finding.missing(name, [name], "no such file, nor was a checkpoint named")
    saved = checkpoint.load(path)
    print(f"reading {'the generator that comes with npgan, ' if given is None else ''}{path}", flush=True)
    G = saved.generator(average, rng)
    if type(G) is not Generator:
        raise ValueError(f"{saved.path}: expected a generator that takes z alone, found a {type(G).__name__}; name "
                         "another checkpoint")
    return saved, G


def go_on(path, game):
    """Restore the `game`, a `Train`, from the checkpoint `path`, and print how far it has come."""
    if not os.path.exists(path):
        raise DataError(path, "a checkpoint to go on from", "no such file", "leave out --resume to begin anew")
    checkpoint.restore(path, game)
    print(f"going on after epoch {game.epoch}", flush=True)


def whole(least):
    """For argparse: a whole number that is at least `least`."""
    def number(text):
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number >= {least}, got {text!r}")
        return int(text)
    return number


natural, positive_int = whole(0), whole(1)


class Progress:
    """
    An extension of `Train` that shows how far it is: a line that renews itself on a terminal, a few lines in a log.

    Parameters
    ----------
    max_epochs : int
    monitor : Monitor, optional
        The source of `channels`.
    channels : dict
        Channels of the monitor to show, by the words to show them with.
    """

    def __init__(self, max_epochs, monitor=None, channels=()):
        self.max_epochs, self.monitor, self.channels = max_epochs, monitor, dict(channels)
        self.terminal = sys.stderr.isatty()
        self.every = .2 if self.terminal else 15.
        self.start = self.shown = self.first = None

    def begin(self, train):
        """Start the clock, at the first event of a new run or of one that goes on."""
        if self.start is None:
            self.start, self.first = time.monotonic(), train.updates
            self.shown = self.start if self.terminal else -self.every
            done.clear()

    def on_monitor(self, train):
        """Close the line after training."""
        self.begin(train)
        if train.epoch >= self.max_epochs or train.stop:
            self.show(train)
            if train.checkpoint:
                done.append(train.checkpoint)
            if self.terminal:
                print(file=sys.stderr)

    def on_update(self, train):
        """Renew the line, a few times a second."""
        self.begin(train)
        if time.monotonic() - self.shown >= self.every:
            self.show(train)

    def show(self, train):
        """Epoch, batch, learning rate, time left and the chosen channels."""
        self.shown = time.monotonic()
        batches = -(-len(train.dataset) // train.batch_size)
        done, whole = train.updates - self.first, self.max_epochs * batches - self.first
        line = (f"epoch {train.epoch}/{self.max_epochs}  batch {train.updates - train.epoch * batches}/{batches}  "
                f"rate {train.step.rule_G.learning_rate:.4f}")
        if done:
            line += f"  {clock((self.shown - self.start) * (whole - done) / done)} left"
        for words, channel in self.channels.items():
            line += f"  {words} {self.monitor.history[channel][-1]:.3f}"
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1      # a longer line would scroll
            print(f"\r{line[:width]:<{width}}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def clock(seconds):
    """Minutes and seconds, or hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
