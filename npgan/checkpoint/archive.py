"""
The files of checkpoints: .npz without pickles, arrays beside a ``header`` of JSON, in bytes.

The header holds the versions of the format and of npgan, the SHA-256 sum of the arrays, and what `write` is told.  The
entries are not compressed, so that none is larger in memory than in the file; nothing that a file says is trusted.
"""
import errno
import hashlib
import io
import json
import math
import os
import re
import zipfile
from contextlib import contextmanager

import numpy as np

from npgan import __version__
from npgan.files import DataError, replacing, size_of

VERSION = 2                                             # 1 had the pieces of a maxout unit side by side
DIRECTORY, ENTRIES = 2**20, 2000                        # bytes of an archive's list of entries, and entries, at most
HEADER = 2**25                                          # bytes of a header: 10,000 epochs of 160 channels
HEADER_MARKS = {b",": 2 * 10**6, b'"': 10**5, b"[": 10**5, b"{": 10**5, b"\\": 10**5}    # each costs memory, or time
STRING = rb'(?s)"[^"\\]*(?:\\.[^"\\]*)*"?'               # of JSON; it cannot fail, so nothing is looked at twice
LONGEST = 2**20                                         # bytes of a string, which may come to be quoted
NOT_OFFERED = errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM        # by a file system, or to this user


class CheckpointError(DataError):
    """A file that is no whole checkpoint, or not one of this run: what was expected, what was found, what to do."""


class SettingsDiffer(CheckpointError):
    """
    A checkpoint of a run with other settings.

    Parameters
    ----------
    path : path
    setting : str
        The place of the first setting that differs, such as "extensions[3].saturate".
    saved, here : number, str, list, dict or None
        Its values in the checkpoint and in this run.
    """

    def __init__(self, path, setting, saved, here):
        super().__init__(path, f"{setting} = {here!r} as in this run", f"{saved!r}",
                         "build this run as the saved one was built, or save it under another name")
        self.setting, self.saved, self.here = setting, saved, here


def write(path, header, arrays):
    """
    Replace the file `path` by one of the `header` and the `arrays`, all at once or not at all.

    Its folder is synchronised, too, where the system offers that; where not, nothing better can be done, and a power
    cut just after may bring the file before back.
    """
    header = json.dumps({"version": VERSION, "npgan": __version__, **header, "sha256": digest(arrays)},
                        default=number_in).encode()
    try:
        check_size(header)
    except ValueError as error:
        raise OSError(f"cannot write the checkpoint {path}, which is as it was: {error}") from error
    try:
        with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:    # np.savez, closed on a full disk
            for name, array in {"header": np.frombuffer(header, np.uint8), **arrays}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array, order="C"), allow_pickle=False)
    except OSError as error:
        raise OSError(f"cannot write the checkpoint {path} ({error.strerror or error}), which is as it was; "
                      "make room, or choose a folder that exists and can be written to") from error
    try:
        synchronise(os.path.dirname(os.path.realpath(path)))
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise OSError(f"the checkpoint {path} is written, but its folder cannot be synchronised "
                          f"({error.strerror or error}); look after the disk") from error


def synchronise(folder):
    """Have what the `folder` says of its files reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def number_in(value):
    """The plain number in NumPy's `value`, for JSON; TypeError if it is no number."""
    if getattr(value, "ndim", None) != 0:
        raise TypeError(f"a checkpoint cannot keep {value!r:.80}; keep numbers, strings, None, lists and dicts of "
                        "those, or arrays")
    return value.item()


def check_size(header):
    """Refuse a `header`, bytes of JSON, that would take much more memory than that of a run can."""
    if len(header) > HEADER or any(header.count(mark) > limit for mark, limit in HEADER_MARKS.items()):
        raise ValueError(f"a header of {len(header)} bytes, longer or in more parts than a checkpoint can have; "
                         "a Monitor with a larger every makes it shorter")
    longest = max((len(string[0]) for string in re.finditer(STRING, header)), default=0)
    if longest > LONGEST:
        raise ValueError(f"a string of {longest} bytes, longer than any that a checkpoint keeps")


def read(path):
    """The header and the arrays of the file `path`, which `write` wrote; the arrays are not writable."""
    with blaming(path):
        arrays = entries(path)
        header = arrays.pop("header").tobytes()
        check_size(header)
        header = json.loads(header.decode("ascii"))
        if header["version"] != VERSION:
            raise CheckpointError(path, f"version {VERSION} of the format", f"version {header['version']}",
                                  f"open it with npgan {header['npgan']}, which wrote it")
        if header["sha256"] != digest(arrays):
            raise ValueError("arrays with another SHA-256 sum than the header's")
        return header, arrays


def entries(path):
    """The arrays of an .npz file `path`, by name."""
    size = size_of(path)
    with Sparing(open(path, "rb", buffering=0)) as stream, zipfile.ZipFile(stream) as archive:
        members, stream.limit = archive.infolist(), math.inf
        if len(members) > ENTRIES:
            raise ValueError(f"{len(members)} entries")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in members):
            raise ValueError("compressed entries")
        if sum(max(entry.file_size, entry.compress_size) for entry in members) > size:
            raise ValueError("entries larger than the file")
        return {entry.filename.removesuffix(".npy"): parse(archive.read(entry)) for entry in members}


class Sparing(io.BufferedReader):
    """A file that reads at most `limit` bytes at once, for `zipfile` reads a whole directory, and of any size."""

    limit = DIRECTORY

    def read(self, size=-1):
        """The next `size` bytes."""
        if size is not None and size > self.limit:
            raise ValueError(f"a list of entries of {size} bytes")
        return super().read(size)


def parse(data):
    """The array in `data`, the bytes of an .npy file, without a copy."""
    stream = io.BytesIO(data)
    np.lib.format.read_magic(stream)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or fortran_order or math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"an array that should be {shape} of {dtype} in {len(data)} bytes")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape)


def digest(arrays):
    """One SHA-256 sum of the names, types, shapes and bytes of arrays."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        total.update(np.ascontiguousarray(arrays[name]))
    return total.hexdigest()


@contextmanager
def blaming(path):
    """What fails within is the fault of the file `path`; zip, .npy, JSON and constructors raise all kinds of errors."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(path, "a whole checkpoint of npgan", f"{error} ({type(error).__name__})",
                              "use another file, or an earlier one") from error
