"""
Finding, reading and checking the files of data sets; `npgan.datasets.fetching` downloads missing ones.

A file is searched for in the folders that NPGAN_DATA_PATH names, then in the project's own ``data``, then in the user's
cache, plain or as .gz.  A file is official if the MD5 sum of its uncompressed bytes is the known one.  A reader that
accepts other files too gives their rows a caveat.
"""
import hashlib
import os
import tarfile
import time
import zlib
from io import BytesIO
from itertools import chain
from pathlib import Path

from npgan.files import DataError, size_of

MEMBERS = 1000                      # the most members of an archive
MARGIN = 2**20                      # bytes of an archive beyond the wanted files: headers, a licence, a page
GROWTH = 2**16                      # bytes by which compression may lengthen a file
PACE = 2**25                        # bytes that a slow processor inflates in a second; ours inflate 2**27 to 2**29
INFLATED = 5 * 2**24                # bytes by which a .gz file of unknown length may grow
HTML = b"<!doctype html", b"<html"  # the start of a web page, sent in place of a file that has moved
REMEDY = "put the right file there, or remove it so that another is searched for"


def places():
    """
    Return the folders that are searched, first to last.

    NPGAN_DATA_PATH names one folder, or several with `os.pathsep` between them.

    Raises
    ------
    DataError
        If NPGAN_DATA_PATH names a folder that does not exist.
    """
    value = os.environ.get("NPGAN_DATA_PATH", "")
    whole = os.path.isdir(os.path.expanduser(value))            # the name of one folder may contain a colon
    named = [Path(os.path.expanduser(part)) for part in ([value] if whole else value.split(os.pathsep)) if part]
    for folder in named:
        if not folder.is_dir():
            raise DataError(folder, "a folder of data sets, as NPGAN_DATA_PATH says", "no such folder",
                            "make it, or change NPGAN_DATA_PATH")
    package = Path(__file__).resolve().parents[1]
    installed = package / "data"
    own = installed if installed.is_dir() else package.parent / "data"
    return [*named, own, *filter(None, [cache()])]


def cache():
    """Return the folder for downloads, npgan in XDG_CACHE_HOME or ~/.cache; None for a user without a home folder."""
    for folder in os.environ.get("XDG_CACHE_HOME", ""), "~/.cache":
        path = Path(os.path.expanduser(folder))
        if path.is_absolute():
            return path / "npgan"
    return None


def find(name):
    """Return the path of the first file called `name`, or `name` and .gz, in `places`, or None."""
    candidates = (place / (name + ending) for place in places() for ending in ("", ".gz"))
    return next(filter(os.path.isfile, candidates), None)


def missing(name, names, found="no such file", first=""):
    """
    Return the DataError for a file that no folder has.

    Parameters
    ----------
    name : str
    names : sequence of str
        All files that the data set needs.
    found : str
        What is there in its place.
    first : str
        The remedy's first words.
    """
    searched = ", ".join(map(str, places()))
    return DataError(places()[0] / name, "a file of the data set", f"{found} (searched {searched})",
                     f"{first}put {', '.join(names)}, plain or as .gz, below a folder and name that folder "
                     "in NPGAN_DATA_PATH")


def read(path, limit=None, md5=None, clock=None):
    """
    Return the bytes of a file, uncompressed if its name ends in .gz.

    Parameters
    ----------
    path : path
    limit : int, optional
        The most bytes to accept; at most one byte more is ever decompressed, and decompression may take no longer than
        such a file needs.  By default a plain file may have any length, and a .gz file may grow by 84 MB.
    md5 : str, optional
        The MD5 sum that these bytes must have.
    clock : Clock, optional
        Shared with whatever else is inflated of these bytes.

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        If this is no regular file, is a web page, cannot be read or decompressed, is longer, or has another sum.
    """
    path, more = Path(path), "more"
    try:
        size = size_of(path)
        if limit is None:
            limit, more = size + INFLATED, "more; if it is right, decompress it first"
        if size > limit + GROWTH:
            raise refusal(path, limit, md5, "more")
        with open(path, "rb") as stream:
            start = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
            stream.seek(0)
            if start.startswith(HTML):
                raise DataError(path, "data", "a web page (HTML)", REMEDY)
            data = gunzip(stream, limit, clock or Clock(limit)) if path.suffix == ".gz" else stream.read(limit + 1)
            if len(data) > limit:
                raise refusal(path, limit, md5, more)
    except (OSError, EOFError, zlib.error) as error:
        raise refusal(path, limit, md5, f"unreadable data ({error})") from error
    return accepted(path, data, limit, md5)


def gunzip(stream, limit, clock):
    """
    Return the bytes in all members of a .gz file, but at most one byte more than `limit`.

    Parameters
    ----------
    stream : binary stream
        The open file.
    limit : int
    clock : Clock
    """
    data = BytesIO()
    pieces = iter(lambda: stream.read(2**16), b"")
    for piece in pieces:
        while piece := piece.lstrip(b"\0"):                     # zeros may fill the space between members
            piece = inflate(chain([piece], pieces), data, limit, clock, zlib.MAX_WBITS | 16)
            if data.tell() > limit:
                return data.getvalue()
    return data.getvalue()


def inflate(pieces, data, limit, clock, wbits=zlib.MAX_WBITS):
    """
    Inflate deflated `pieces` into the stream `data` until it holds `limit` + 1 bytes.

    Parameters
    ----------
    pieces : iterator of bytes
    data : BytesIO
    limit : int
    clock : Clock
    wbits : int
        zlib's number for the format, zlib's own or gzip's.

    Returns
    -------
    bytes
        The rest of the piece in which the deflated data end.
    """
    inflater = zlib.decompressobj(wbits)
    for piece in pieces:
        data.write(inflater.decompress(piece, limit + 1 - data.tell()))
        clock.check()
        if inflater.eof or data.tell() > limit:
            return inflater.unused_data
    raise EOFError("compressed data end too early")


class Clock:
    """
    A limit on the processor's time for inflating `limit` bytes: 5 s or less, plenty for a right file.

    Millions of gzip members or deflated blocks may hold no byte at all, and each costs time.  A limit on the number of
    bytes does not bound that time.  Other processes do not use up this limit.
    """

    def __init__(self, limit):
        self.seconds = min(5, .5 + limit / PACE)
        self.end = time.thread_time() + self.seconds

    def check(self):
        """Raise TimeoutError once the time is over."""
        if time.thread_time() > self.end:
            raise TimeoutError(f"takes more than {self.seconds:.1f} s to decompress; if it is right, store it plain")


def accepted(path, data, limit, md5=None):
    """Return `data`, the bytes of the file `path`; DataError for more than `limit` or another sum than `md5`."""
    if len(data) > limit:
        raise refusal(path, limit, md5, "more")
    if md5 is not None and checksum(data) != md5:
        raise refusal(path, limit, md5, f"{len(data)} bytes with {checksum(data)}")
    return data


def refusal(path, limit, md5, found):
    """Return the DataError for the file `path`, of at most `limit` bytes or with the sum `md5`, and what was found."""
    expected = f"at most {limit} bytes" if md5 is None else f"{limit} bytes with the MD5 sum {md5}"
    return DataError(path, expected, found, REMEDY)


def checksum(data):
    """Return the MD5 sum of `data`, in hexadecimal."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def unpack(path, files):
    """
    Return the bytes of files in a tar archive, plain or .gz.

    The archive is read in memory and nothing is written, so its names, links and devices can do no harm.

    Parameters
    ----------
    path : path
    files : dict of str to (int, str or None)
        The most bytes of each file, and the MD5 sum that it must have, if any.  The names are those that the files
        would have if the archive were unpacked in its own folder, with the name of that folder.

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
    data, found = read(path, limit), {}
    try:
        for name, contents in members(data):
            name = f"{path.parent.name}/{name}"
            if name in files:
                found[name] = bytes(contents[:files[name][0] + 1])
    except (ValueError, tarfile.HeaderError) as error:
        raise DataError(path, "a tar archive", f"unreadable data ({error})", REMEDY) from error
    for name, known in files.items():
        member = path / Path(name).name
        if name not in found:
            raise refusal(member, *known, "no such file in the archive")
        accepted(member, found[name], *known)
    return found


def members(data):
    """
    Yield name and contents of each regular file in `data`, a tar archive.

    A member is a header of 512 bytes and its contents, filled up to blocks of 512 bytes; a block of zeros may end the
    archive.  Each header is parsed on its own by the standard library, one after another: a pax header, which describes
    the next member, may hold millions of lines, over which `tarfile.open` takes minutes, and no wanted name needs one.
    """
    data, at = memoryview(data), 0
    for _ in range(MEMBERS):
        header = bytes(data[at:at + tarfile.BLOCKSIZE])
        if not header.strip(b"\0"):
            return
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        start = at + tarfile.BLOCKSIZE
        if not 0 <= member.size <= len(data) - start:
            raise ValueError(f"a member of {member.size} bytes where {len(data) - start} are left")
        if member.isreg():
            yield member.name, data[start:start + member.size]
        at = start + member.size + -member.size % tarfile.BLOCKSIZE
    raise ValueError(f"more than {MEMBERS} members")
