"""What the gallery scripts share: their options, reading a generator, resuming a training."""
import argparse
import os
import sys
import tempfile

import script_errors

try:
    from matplotlib import style

    from npgan import backend, checkpoint
    from npgan.adversarial import Generator
    from npgan.datasets import finding
except (ImportError, ValueError, RuntimeError):     # a package is missing, or NPGAN_BACKEND is wrong
    if not script_errors.in_notebook():
        script_errors.end_in_one_line(*sys.exc_info())
    raise

PICTURES = ".png", ".pdf", ".svg"
RESUME = "resume the training from the checkpoint {}, bit for bit; all other options must be as before, {}"


def file_path(path):
    """For argparse: the path of an existing file, which is empty where a shell's variable was not set."""
    if not path:
        raise argparse.ArgumentTypeError("must be the path of a file, got ''")
    return path


CHECKPOINT = {"nargs": "?", "type": file_path, "help": "default: the generator that comes with npgan"}


def options(description, max_epochs=None, save_path=None, seed=2014, **more):
    """
    Parse the options of a script, set the backend and the data path by them, and report errors in one line from now on.

    Parameters
    ----------
    description : str
        The script's docstring.
    max_epochs, save_path, seed
        Defaults.  A script without training or output leaves out the first or second.  Where the default number of
        epochs depends on other options, `max_epochs` is a text for the help, and the option is None unless given.
    more : dict
        Further options: the name, then the keyword arguments of ``add_argument``; one with ``nargs`` has no dashes.

    Returns
    -------
    argparse.Namespace
    """
    script_errors.install()
    style.use("default")                    # with ``image.origin: lower`` pictures would be upside down
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
    """For argparse: an existing folder."""
    if not os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"there is no folder {path!r}")
    return path


def new_file(*endings):
    """For argparse: the path of a file to write, with one of the `endings`, in a folder that can be written to."""
    def path(text):                                             # checked now, not after the training
        if os.path.isdir(text):
            raise argparse.ArgumentTypeError(f"{text} is a folder: give the path of a file")
        if os.path.splitext(text)[1].lower() not in endings:
            raise argparse.ArgumentTypeError(f"must be a name ending in {' or '.join(endings)}, got {text!r}")
        writable_folder(os.path.dirname(os.path.abspath(text)))
        return text
    return path


def writable_folder(path):
    """For argparse: a folder that can be written to, which only a trial shows."""
    try:
        tempfile.TemporaryFile(dir=path).close()
    except OSError:
        raise argparse.ArgumentTypeError(f"cannot write to the folder {path}: make it, or choose another") from None
    return path


def whole(least):
    """For argparse: a whole number that is at least `least`."""
    def number(text):
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number >= {least}, got {text!r}")
        return int(text)
    return number


natural, positive_int = whole(0), whole(1)


def plain_generator(path, rng=None, average=True):
    """
    Read a generator that takes z alone, and print where it comes from.

    Parameters
    ----------
    path : str or None
        A checkpoint; None for the generator that comes with npgan.
    rng, average
        As in `Checkpoint.generator`.

    Returns
    -------
    saved : Checkpoint
    G : Generator

    Raises
    ------
    DataError
        If there is no such file.
    ValueError
        If the generator takes something beside z.
    """
    name, source = "mnist_generator.npz", ""
    if path is None:
        path, source = finding.find(name), "the generator that comes with npgan, "
        if path is None:
            raise finding.missing(name, [name], "no such file, and no checkpoint was named")
    saved = checkpoint.load(path)
    print(f"reading {source}{path}", flush=True)
    G = saved.generator(average, rng)
    if type(G) is not Generator:
        raise ValueError(f"{saved.path}: expected a generator that takes z alone, found a {type(G).__name__}; name "
                         "another checkpoint")
    return saved, G


def resume(path, train, chosen):
    """
    Restore a `Train` from the checkpoint `path`, and print how far it has come.

    If a setting differs from the saved run, the error names the option of `chosen` that has that setting's value.
    """
    if not os.path.exists(path):
        raise ValueError(f"No file {path}; leave out --resume to start a new training")
    try:
        checkpoint.restore(path, train)
    except checkpoint.SettingsDiffer as error:
        names = [f"--{name}" for name, value in vars(chosen).items()
                 if value == error.here and type(value) is type(error.here)]
        if not names:
            raise
        raise ValueError(f"{path} was saved with {' or '.join(names)} {error.saved}, this run has {error.here}; give "
                         "all options as before, or leave out --resume and choose another --save_path") from error
    print(f"resuming after epoch {train.epoch}, update {train.updates}", flush=True)
