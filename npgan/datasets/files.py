"""
Finding, checking and fetching the files of data sets.

A file is searched for in the folders that NPGAN_DATA_PATH names, then in the project's own ``data``, then in a cache of
the user's, plain or as .gz.  It is trusted once the MD5 sum of its uncompressed bytes is the known one; a reader that
takes others too gives what it read a caveat.
"""
import glob
import gzip
import hashlib
import http.client
import os
import secrets
import tarfile
import time
import zlib
from contextlib import contextmanager, suppress
from io import BytesIO
from itertools import islice
from pathlib import Path
from urllib import request

TIMEOUT = 30                        # seconds without a byte
DEADLINE = 600                      # seconds for one file from one mirror, and one more for each SLOWEST bytes of it
SLOWEST = 40000                     # the University of Toronto's server has been seen at 50000
MARGIN = 2**20                      # bytes of an archive beyond the files wanted of it: headers, a licence, a page
LEFT = 3600                         # seconds after which a file that was begun will not be finished
REMEDY = "put the right file there, or remove it so that another is searched for"


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
        return printable(f"{self.path}: expected {self.expected}, found {self.found}; {self.remedy}")


def printable(text):
    """The `text` in one line, without what a terminal would obey: a file may have put it there."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text.replace("\n", " "))


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


def missing(name, names, found="no such file", first=""):
    """The DataError for the file `name`, of a set of `names`: what was `found` of it, what to do `first`."""
    searched = ", ".join(map(str, places()))
    return DataError(places()[0] / name, "a file of the data set", f"{found} (searched {searched})",
                     f"{first}put {', '.join(names)}, plain or as .gz, below a folder and name that folder "
                     "in NPGAN_DATA_PATH")


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
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            data = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise refusal(path, limit, md5, f"unreadable data ({error})") from error
    return accepted(path, data, limit, md5)


def accepted(path, data, limit, md5=None):
    """These `data` of the file `path`, unless they are more than `limit` bytes or have another sum than `md5`."""
    if len(data) > limit:
        raise refusal(path, limit, md5, "more")
    if md5 is not None and checksum(data) != md5:
        raise refusal(path, limit, md5, f"{len(data)} bytes with {checksum(data)}")
    return data


def refusal(path, limit, md5, found):
    """The DataError for the file `path` where not `limit` bytes or the sum `md5` but something else is `found`."""
    expected = f"at most {limit} bytes" if md5 is None else f"{limit} bytes with the MD5 sum {md5}"
    return DataError(path, expected, found, REMEDY)


def checksum(data):
    """The MD5 sum of `data`, in hexadecimal."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def unpack(path, files):
    """
    The bytes of files in a tar archive, plain or .gz.

    The archive is read in memory and nothing is written, so that names, links and devices in it lead nowhere.

    Parameters
    ----------
    path : path
    files : dict of str to (int, str or None)
        By their names as if the archive had been unpacked where it lies, its folder included: the most bytes of each
        file, and the MD5 sum that they must have, if any.

    Returns
    -------
    dict of str to bytes

    Raises
    ------
    DataError
        If the archive cannot be read, is much longer than `files`, or lacks one of them or has another in its place.
    """
    path = Path(path)
    limit = sum(size for size, _ in files.values()) + MARGIN
    stream, found = BytesIO(read(path, limit)), {}
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in islice(archive, 1000):                # a header that lies may lead tarfile in circles
                name = f"{path.parent.name}/{member.name}"
                if name in files and member.isreg():
                    found[name] = archive.extractfile(member).read(files[name][0] + 1)
    except Exception as error:                                  # of many kinds, where headers lie
        raise DataError(path, "a tar archive", f"unreadable data ({error})", REMEDY) from error
    for name, known in files.items():
        member = path / Path(name).name
        if name not in found:
            raise refusal(member, *known, "no such file in the archive")
        accepted(member, found[name], *known)
    return found


def fetch(name, files, mirrors):
    """
    Bring a file's .gz into the cache from the first mirror that has the right one.

    Parameters
    ----------
    name : str
        The wanted one of `files`, or a tar archive that holds them all.
    files : dict of str to (int, str)
        Size and MD5 sum, both uncompressed, of every file of the set.
    mirrors : sequence of str
        HTTPS addresses of folders that hold the .gz.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If no mirror gave it: what each of them said, and which files to put where.
    """
    path = cache() / (name + ".gz")
    size = files[name][0] if name in files else sum(size for size, _ in files.values()) + MARGIN
    failures = []
    for mirror in mirrors:
        url = mirror + path.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as stream:
                download(url, stream, limit=size + 2**16)       # what does not compress grows, but by less than that
                stream.flush()
                if name in files:
                    read(stream.name, *files[name])
                else:
                    unpack(stream.name, files)
            return path
        except DataError as error:
            failures.append(f"{url} gave {error.found}")
        except (OSError, ValueError, http.client.HTTPException) as error:       # ValueError: redirected to no address
            failures.append(f"{url}: {error}")
    raise missing(name, files if name in files else [name],
                  "no such file, and no mirror that has it: " + "; ".join(failures))


def download(url, stream, limit):
    """Write to `stream` what is at `url`; DataError for more than `limit` bytes, or for a mirror that drips."""
    seconds = DEADLINE + limit // SLOWEST
    end = time.monotonic() + seconds
    with open_url(url) as response:
        while chunk := response.read1(2**16):                   # read1, unlike read, does not wait for all of them
            stream.write(chunk)
            if stream.tell() > limit:
                raise DataError(url, f"at most {limit} bytes", "more", "try another mirror")
            if time.monotonic() > end:
                raise DataError(url, f"all within {seconds} s", f"only {stream.tell()} bytes", "try another mirror")


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
    leaves half a file.  Such files that a killed process left, an hour old or more, are removed.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        with open(temporary, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        for left in path.parent.glob(f".????????-{glob.escape(path.name)}"):
            with suppress(OSError):                             # another process may have removed it
                if left.stat().st_mtime < time.time() - LEFT:
                    left.unlink()
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
