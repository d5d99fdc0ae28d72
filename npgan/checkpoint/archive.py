"""
The file format of checkpoints: an .npz archive without pickles, arrays beside a ``header`` of JSON.

The header holds the version of the format, that of npgan, the SHA-256 sum of the arrays, and what the caller of `write`
gives.  The entries are not compressed, so that none of them is larger in memory than in the file.
"""
import errno
import hashlib
import io
import json
import math
import os
import zipfile
from contextlib import contextmanager

import numpy as np

from npgan import __version__
from npgan.files import DataError, printable, replacing, size_of

VERSION = 2                                         # 1 had the pieces of a maxout unit side by side
HEADER = 2**22                                      # bytes of JSON, which take up to 40 times as much memory
DIRECTORY = 2**18                                   # bytes of the archive's list of entries, likewise
WRONG_VALUES = ValueError, TypeError, LookupError, ArithmeticError, MemoryError     # what values from a file can cause
NOT_OFFERED = errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM        # by a file system, or to this user


class CheckpointError(DataError):
    """A file that is not a whole checkpoint, or not one of this run: what was expected, what was found, what to do."""


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


class MissingCheckpoint(CheckpointError):
    """There is no file at the path of a checkpoint."""

    def __str__(self):
        return printable(f"No file {self.path}; {self.remedy}")


def write(path, header, arrays):
    """
    Replace the file `path` by one with the `header` and the `arrays`, all at once or not at all.

    The folder is synchronised as well, where the system allows it.  Where it does not, a power cut soon afterwards may
    bring back the previous file.

    Parameters
    ----------
    path : path
    header : dict
        Numbers, strings, None, lists and dicts of those.
    arrays : dict of numpy array

    Raises
    ------
    OSError
        If the file cannot be written, or the header is longer than `read` accepts.
    """
    header = json.dumps({"version": VERSION, "npgan": __version__, **header, "sha256": digest(arrays)},
                        default=plain_number).encode()
    if len(header) > HEADER:
        raise OSError(f"cannot write the checkpoint {path}: settings and state take {len(header)} bytes of JSON, at "
                      f"most {HEADER} can be read back; keep long lists of numbers as arrays")
    try:
        with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:    # np.savez does not close a ZipFile
            for name, array in {"header": np.frombuffer(header, np.uint8), **arrays}.items():   # on a full disk
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array, order="C"), allow_pickle=False)
    except OSError as error:
        raise OSError(f"cannot write the checkpoint {path} ({error.strerror or error}), which is as it was; "
                      "make room, or choose a folder that exists and can be written to") from error
    synchronise(os.path.dirname(os.path.realpath(path)))


def synchronise(folder):
    """Write the list of files in `folder` to the disk, where the system allows that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise OSError(f"the checkpoint is written, but its folder {folder} cannot be synchronised "
                          f"({error.strerror or error}); check the disk") from error


def plain_number(value):
    """Return NumPy's number `value` as Python's, for JSON; raise TypeError if it is not a number."""
    if getattr(value, "ndim", None) != 0:
        raise TypeError(f"a checkpoint cannot keep {value!r:.80}; keep numbers, strings, None, lists and dicts of "
                        "those, or arrays")
    return value.item()


def read(path):
    """
    Return the header, a dict, and the arrays, a dict of numpy array that are not writable, of the file `path`.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, not a checkpoint, or of another version.
    """
    if not os.path.exists(path):
        raise MissingCheckpoint(path, "a checkpoint", "no file", "check the path, or train and save a run first")
    with errors_naming(path, Exception):            # zipfile, NumPy and json raise many kinds for damaged bytes
        arrays = read_entries(path)
        header = arrays.pop("header").tobytes()
        if len(header) > HEADER:
            raise ValueError(f"a header of {len(header)} bytes, more than {HEADER}")
        header = json.loads(header.decode("ascii"))
        if header["version"] != VERSION:
            raise CheckpointError(path, f"version {VERSION} of the format", f"version {header['version']}",
                                  f"open it with npgan {header['npgan']}, which wrote it")
        if header["sha256"] != digest(arrays):
            raise ValueError("arrays with another SHA-256 sum than the header's")
        return header, arrays


def read_entries(path):
    """Return the arrays of the .npz file `path`, by name."""
    size = size_of(path)
    with Sparing(open(path, "rb", buffering=0)) as stream, zipfile.ZipFile(stream) as archive:
        members, stream.limit = archive.infolist(), math.inf
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in members):
            raise ValueError("compressed entries")
        if sum(max(entry.file_size, entry.compress_size) for entry in members) > size:
            raise ValueError("entries larger than the file")
        return {entry.filename.removesuffix(".npy"): parse(archive.read(entry)) for entry in members}


class Sparing(io.BufferedReader):
    """A file that reads at most `limit` bytes at a time, since `zipfile` reads a list of entries of any length."""

    limit = DIRECTORY

    def read(self, size=-1):
        """Return the next `size` bytes; raise ValueError if they are more than the limit."""
        if size is not None and size > self.limit:
            raise ValueError(f"a list of entries of {size} bytes, more than {self.limit}")
        return super().read(size)


def parse(data):
    """Return the array in `data`, the bytes of an .npy file, without a copy."""
    stream = io.BytesIO(data)
    np.lib.format.read_magic(stream)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or fortran_order or math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"an array that should be {shape} of {dtype} in {len(data)} bytes")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape)


def digest(arrays):
    """Return the SHA-256 sum of the names, types, shapes and bytes of `arrays`, as a string."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        total.update(np.ascontiguousarray(arrays[name]))
    return total.hexdigest()


@contextmanager
def errors_naming(path, kinds=WRONG_VALUES):
    """Turn errors of the `kinds` within the block into a `CheckpointError` that names the file `path`."""
    try:
        yield
    except CheckpointError:
        raise
    except kinds as error:
        raise CheckpointError(path, "a whole checkpoint of npgan", f"{error} ({type(error).__name__})",
                              "use another file, or an earlier one") from error
