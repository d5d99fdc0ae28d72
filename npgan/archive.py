"""
The files of checkpoints: .npz without pickles, arrays beside a ``header`` of JSON, in bytes.

The header holds the versions of the format and of npgan, the SHA-256 sum of the arrays, and what `write` is told.  The
entries are not compressed, so that none is larger in memory than in the file; nothing that a file says is trusted.
"""
import hashlib
import io
import json
import math
import os
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from npgan import __version__
from npgan.datasets.files import DataError, replacing

VERSION = 2                                             # 1 had the pieces of a maxout unit side by side


class CheckpointError(DataError):
    """A file that is no whole checkpoint, or not one of this run: what was expected, what was found, what to do."""


def write(path, header, arrays):
    """Replace the file `path` by one of the `header` and the `arrays`, all at once or not at all."""
    header = json.dumps({"version": VERSION, "npgan": __version__, **header, "sha256": digest(arrays)}).encode()
    try:
        with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:    # np.savez, closed on a full disk
            for name, array in {"header": np.frombuffer(header, np.uint8), **arrays}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array, order="C"), allow_pickle=False)
        if os.name == "posix":                                  # the folder, too, must reach the disk
            folder = os.open(Path(path).parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    except OSError as error:
        raise OSError(f"cannot write the checkpoint {path} ({error.strerror or error}), which is as it was; "
                      "make room, or choose a folder that exists and can be written to") from error


def read(path):
    """The header and the arrays of the file `path`, which `write` wrote; the arrays are not writable."""
    with blaming(path):
        arrays = entries(path)
        header = json.loads(arrays.pop("header").tobytes())
        if header["version"] != VERSION:
            raise CheckpointError(path, f"version {VERSION} of the format", f"version {header['version']}",
                                  f"open it with npgan {header['npgan']}, which wrote it")
        if header["sha256"] != digest(arrays):
            raise ValueError("arrays with another SHA-256 sum than the header's")
        return header, arrays


def entries(path):
    """The arrays of an .npz file `path`, by name."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in members):
            raise ValueError("compressed entries")
        if sum(entry.file_size for entry in members) > os.path.getsize(path):
            raise ValueError("entries larger than the file")
        return {entry.filename.removesuffix(".npy"): parse(archive.read(entry)) for entry in members}


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
