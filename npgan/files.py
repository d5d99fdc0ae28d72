"""Files: the error for an unexpected file, and replacing a file all at once or not at all."""
import errno
import glob
import os
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST = 1000                      # characters of each part of a message
FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO       # a disk that takes no more
LEFT = 3600                         # seconds after which nobody will finish a temporary file


class DataError(ValueError):
    """
    A file is missing, damaged, or not the expected one.

    Parameters
    ----------
    path : path
        The path of the file, which may be missing.
    expected, found : str
        The expected contents, and the actual ones.
    remedy : str
        What the user can do.
    """

    def __init__(self, path, expected, found, remedy):
        expected, found, remedy = (text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
                                   for text in map(str, (expected, found, remedy)))
        super().__init__(path, expected, found, remedy)
        self.path, self.expected, self.found, self.remedy = path, expected, found, remedy

    def __str__(self):
        return printable(f"{self.path}: expected {self.expected}, found {self.found}; {self.remedy}")


def printable(text):
    """Return the `text` in one line, with a terminal's control characters escaped: it may come from a file."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text.replace("\n", " "))


def size_of(path):
    """Return the size of the file `path`; raise OSError unless it is regular, since opening a pipe may block."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError("no regular file")
    return status.st_size


@contextmanager
def replacing(path):
    """
    Yield a binary stream whose bytes become the file `path` at the end of the block, all at once or not at all.

    They are written into a temporary file in the same folder, so that neither an error nor another process that writes
    the same file can leave half a file.  Temporary files that killed processes left are removed after an hour.  Behind
    a symbolic link its target is replaced.  A path that is not a regular file, such as a device, is refused.
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
