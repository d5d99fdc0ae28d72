"""
Finding, checking and unpacking the files of data sets; `npgan.datasets.fetching` brings those that are nowhere.

A file is searched for in the folders that NPGAN_DATA_PATH names, then in the project's own ``data``, then in a cache of
the user's, plain or as .gz.  It is trusted once the MD5 sum of its uncompressed bytes is the known one; a reader that
takes others too gives what it read a caveat.
"""
import hashlib
import os
import time
import zlib
from io import BytesIO
from itertools import chain
from pathlib import Path

from npgan.files import DataError, size_of

MEMBERS = 1000                      # of an archive
MARGIN = 2**20                      # bytes of an archive beyond the files wanted of it: headers, a licence, a page
GROWTH = 2**16                      # bytes by which what does not compress may grow
PACE = 2**25                        # bytes that a slow processor inflates in a second; ours do 2**27 to 2**29
REMEDY = "put the right file there, or remove it so that another is searched for"


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


def read(path, limit, md5=None, clock=None):
    """
    The bytes of a file, uncompressed if its name ends in .gz.

    Parameters
    ----------
    path : path
    limit : int
        The most bytes to accept; no more than one further byte is ever decompressed, however many there are.  Nor does
        a .gz take longer than one of so many bytes can, whatever it is made of.
    md5 : str, optional
        The MD5 sum that these bytes must have.
    clock : Clock, optional
        Which goes on to what else is inflated of them.

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        If the file is no regular one, cannot be read or decompressed, is longer, or has another sum.
    """
    path = Path(path)
    try:
        if size_of(path) > limit + GROWTH:
            raise refusal(path, limit, md5, "more")
        with open(path, "rb") as stream:
            data = gunzip(stream, limit, clock or Clock(limit)) if path.suffix == ".gz" else stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise refusal(path, limit, md5, f"unreadable data ({error})") from error
    return accepted(path, data, limit, md5)


def gunzip(stream, limit, clock):
    """
    The bytes in `stream`, an open .gz file, of members with zeros between them; at most one more than `limit`.

    The `clock`, a `Clock`, stops what takes too long.
    """
    data = BytesIO()
    pieces = iter(lambda: stream.read(2**16), b"")
    for piece in pieces:
        while piece := piece.lstrip(b"\0"):
            piece = inflate(chain([piece], pieces), data, limit, clock, zlib.MAX_WBITS | 16)
            if data.tell() > limit:
                return data.getvalue()
    return data.getvalue()


def inflate(pieces, data, limit, clock, wbits=zlib.MAX_WBITS):
    """
    Write what is deflated in `pieces` to `data`, until it holds `limit` + 1 bytes, and give what follows in the piece.

    The `clock`, a `Clock`, stops what takes too long; `wbits` tells gzip's form from zlib's, as zlib wants it.
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
    The processor's time for inflating `limit` bytes, at most 5 s: plenty for files that are what they should be.

    Millions of members or blocks of deflated data may hold next to nothing, and each costs its time: no count of bytes
    bounds that.  What else the machine does takes none of this time.
    """

    def __init__(self, limit):
        self.seconds = min(5, .5 + limit / PACE)
        self.end = time.thread_time() + self.seconds

    def check(self):
        """TimeoutError once the time is over."""
        if time.thread_time() > self.end:
            raise TimeoutError(f"takes more than {self.seconds:.1f} s to decompress; if it is right, store it plain")


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
    data, found = read(path, limit), {}
    try:
        for name, contents in members(data):
            name = f"{path.parent.name}/{name}"
            if name in files:
                found[name] = bytes(contents[:files[name][0] + 1])
    except ValueError as error:
        raise DataError(path, "a tar archive", f"unreadable data ({error})", REMEDY) from error
    for name, known in files.items():
        member = path / Path(name).name
        if name not in found:
            raise refusal(member, *known, "no such file in the archive")
        accepted(member, found[name], *known)
    return found


def members(data):
    """
    Name and contents of each regular file in `data`, a tar archive, as far as a block of zeros, if there is one.

    A member is a header of 512 bytes, where the name is at 0, the size at 124, a sum of the header at 148, the kind at
    156, and in POSIX's form the folder of a long name at 345; then the contents, filled up to blocks of 512 bytes.
    Members that say more about the next one are passed over as all that is no file: no wanted name needs them, and
    tarfile may take minutes for them.
    """
    data, at = memoryview(data), 0
    for _ in range(MEMBERS):
        header = bytes(data[at:at + 512])
        if not header.strip(b"\0"):
            return
        size, total = (int(header[start:stop].strip(b" \0") or b"0", 8) for start, stop in ((124, 136), (148, 156)))
        if total != sum(header[:148]) + sum(b" " * 8) + sum(header[156:]):
            raise ValueError(f"a header with another sum at byte {at}")
        start, at = at + 512, at + 512 + size + -size % 512
        if not 0 <= size <= len(data) - start:
            raise ValueError(f"a member of {size} bytes where {len(data) - start} are left")
        if header[156:157] in (b"0", b"\0", b"7"):
            folder = header[345:500] if header[257:263] == b"ustar\0" else b""
            parts = [part.split(b"\0")[0].decode("latin-1") for part in (folder, header[:100])]
            yield "/".join(filter(None, parts)), data[start:start + size]
    raise ValueError(f"more than {MEMBERS} members")
