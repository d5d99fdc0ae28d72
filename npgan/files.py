"""Files: the error for one that is not the expected one, and replacing a file all at once or not at all."""
import errno
import glob
import os
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST = 1000                      # characters of each part of a message
FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO       # what a disk says
LEFT = 3600                         # seconds after which a file that was begun will not be finished


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
        expected, found, remedy = (text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
                                   for text in map(str, (expected, found, remedy)))
        super().__init__(path, expected, found, remedy)
        self.path, self.expected, self.found, self.remedy = path, expected, found, remedy

    def __str__(self):
        return printable(f"{self.path}: expected {self.expected}, found {self.found}; {self.remedy}")


def printable(text):
    """The `text` in one line, without what a terminal would obey: a file may have put it there."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text.replace("\n", " "))


def size_of(path):
    """The bytes of the file `path`; OSError if it is no regular one: opening a pipe waits for who writes into it."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError("no regular file")
    return status.st_size


@contextmanager
def replacing(path):
    """
    A binary stream whose bytes become the file `path` at the end of the block, all at once or not at all.

    They are written beside it under a name of their own, so that neither a failure nor another process doing the same
    leaves half a file.  Such files that a killed process left, an hour old or more, are removed.  Of a symbolic link
    the file that it leads to is replaced; what is no file, such as a device, is refused.
    """
    path = Path(os.path.realpath(path))
    if path.exists():
        size_of(path)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        with open(temporary, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        for left in path.parent.glob(f".{'[0-9a-f]' * 8}-{glob.escape(path.name)}"):
            with suppress(OSError):                             # another process may have removed it
                if left.stat().st_mtime < time.time() - LEFT:
                    left.unlink()
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
            error.filename = str(path)                          # "File too large" does not say which
        raise
