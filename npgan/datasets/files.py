"""
Finding, checking and fetching the files of data sets.

A file is searched for in the folders that NPGAN_DATA_PATH names, then in the project's own ``data``, then in a cache of
the user's, plain or as .gz.  It is trusted once the MD5 sum of its uncompressed bytes is the known one.
"""
import gzip
import hashlib
import http.client
import os
import secrets
import time
import zlib
from contextlib import contextmanager
from pathlib import Path
from urllib import request

TIMEOUT = 30                        # seconds without a byte
DEADLINE = 600                      # seconds for one file from one mirror


class DataError(ValueError):
    """
    A file that is missing, damaged, or not the one that was wanted.

    Parameters
    ----------
    path : path
        Where it is, or would be.
    expected, found : str
        What should be there and what is.
    remedy : str
        What the reader can do about it.
    """

    def __init__(self, path, expected, found, remedy):
        super().__init__(path, expected, found, remedy)
        self.path, self.expected, self.found, self.remedy = path, expected, found, remedy

    def __str__(self):
        return f"{self.path}: expected {self.expected}, found {self.found}; {self.remedy}".replace("\n", " ")


def places():
    """The folders that are searched, first to last."""
    named = [Path(folder) for folder in os.environ.get("NPGAN_DATA_PATH", "").split(os.pathsep) if folder]
    package = Path(__file__).resolve().parents[1]
    tree = package.parent
    own = tree / "data" if (tree / "setup.py").is_file() else package / "data"      # from the source tree, or installed
    return [*named, own, cache()]


def cache():
    """The folder that fetched files go to: npgan, in XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "npgan"


def find(name):
    """The path of the first file called `name`, or `name` and .gz, in `places`; None if there is none."""
    candidates = (place / (name + ending) for place in places() for ending in ("", ".gz"))
    return next(filter(os.path.isfile, candidates), None)


def missing(name, names, found="no such file"):
    """The DataError for the file `name` of a set that needs all of `names`, when `found` is what there was of it."""
    searched = ", ".join(map(str, places()))
    return DataError(places()[0] / name, "a file of the data set", f"{found} (searched {searched})",
                     f"put {', '.join(names)}, plain or as .gz, below a folder and name that folder in NPGAN_DATA_PATH")


def read(path, limit, md5=None):
    """
    The bytes of a file, uncompressed if its name ends in .gz.

    Parameters
    ----------
    path : path
    limit : int
        The most bytes to accept; no more than one further byte is ever decompressed, however many there are.
    md5 : str, optional
        The MD5 sum that these bytes must have.

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        If the file cannot be read or decompressed, is longer, or has another sum.
    """
    path = Path(path)
    expected = f"at most {limit} bytes" if md5 is None else f"{limit} bytes with the MD5 sum {md5}"
    remedy = "put the right file there, or remove it so that another is searched for"
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            data = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(path, expected, f"unreadable data ({error})", remedy) from error
    if len(data) > limit:
        raise DataError(path, expected, "more", remedy)
    if md5 is not None:
        md5_found = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if md5_found != md5:
            raise DataError(path, expected, f"{len(data)} bytes with {md5_found}", remedy)
    return data


def fetch(name, files, mirrors):
    """
    Bring a file's .gz into the cache from the first mirror that has the right one.

    Parameters
    ----------
    name : str
        The wanted one of `files`.
    files : dict of name to (int, str)
        Size and MD5 sum, both uncompressed, of every file of the set.
    mirrors : sequence of str
        HTTPS addresses of folders that hold the files as .gz.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If no mirror gave it: what each of them said, and which files to put where.
    """
    size, md5 = files[name]
    path = cache() / (name + ".gz")
    failures = []
    for mirror in mirrors:
        url = mirror + path.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as stream:
                download(url, stream, limit=size + 2**16)       # what does not compress grows, but by less than that
                stream.flush()
                read(stream.name, size, md5)
            return path
        except DataError as error:
            failures.append(f"{url} gave {error.found}")
        except (OSError, http.client.HTTPException) as error:
            failures.append(f"{url}: {error}")
    raise missing(name, files, "no such file, and no mirror that has it: " + "; ".join(failures))


def download(url, stream, limit):
    """Write to `stream` what is at `url`; DataError for more than `limit` bytes or longer than DEADLINE seconds."""
    end = time.monotonic() + DEADLINE
    with open_url(url) as response:
        while chunk := response.read1(2**16):                   # read1, unlike read, does not wait for all of them
            stream.write(chunk)
            if stream.tell() > limit:
                raise DataError(url, f"at most {limit} bytes", "more", "try another mirror")
            if time.monotonic() > end:
                raise DataError(url, f"all within {DEADLINE} s", f"only {stream.tell()} bytes", "try another mirror")


def open_url(url):
    """The response of `url`, an https address; unlike urllib's own opener it follows no redirection to plain http."""
    opener = request.OpenerDirector()
    for handler in (request.ProxyHandler, request.UnknownHandler, request.HTTPSHandler, request.HTTPRedirectHandler,
                    request.HTTPErrorProcessor, request.HTTPDefaultErrorHandler):
        opener.add_handler(handler())
    return opener.open(url, timeout=TIMEOUT)


@contextmanager
def replacing(path):
    """
    A binary stream whose bytes become the file `path` at the end of the block, all at once or not at all.

    They are written beside it under a name of their own, so that neither a failure nor another process doing the same
    leaves half a file.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        with open(temporary, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
