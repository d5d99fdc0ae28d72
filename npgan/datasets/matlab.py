"""Arrays of real numbers in MATLAB's files of versions 5 to 7; variables of other kinds are passed over."""
import struct
import zlib
from io import BytesIO
from itertools import islice

import numpy as np

from npgan.datasets import finding
from npgan.files import DataError

NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
VARIABLE, COMPRESSED = 14, 15
MOST = 1000                         # variables; millions of empty ones would fit into a file


def read(path, names, limit):
    """
    Return the arrays of real numbers with these names.

    A file is a header of 128 bytes, whose last four give the version and the byte order, and a sequence of elements.
    An element is its type and its length, 4 bytes each, and its contents.  The contents of a variable are elements
    again: flags, dimensions, name, and numbers with the first index fastest.  A compressed element contains another
    element, deflated.

    Parameters
    ----------
    path : path
    names : sequence of str
    limit : int
        The most bytes to accept, both in the file and in all its variables decompressed.

    Returns
    -------
    list of numpy array
        In the order of `names`, read-only.

    Raises
    ------
    DataError
        If the file is of another kind or version, too long, or damaged, or if one of the names belongs to no array of
        real numbers.
    """
    clock = finding.Clock(limit)
    data = memoryview(finding.read(path, limit, clock=clock))
    order = {b"\0\1IM": "<", b"\1\0MI": ">"}.get(bytes(data[124:128]))
    if order is None:
        raise DataError(path, "a MATLAB file of version 5 to 7, with IM or MI at the end of its header",
                        str(bytes(data[124:128])), "put such a file there; MATLAB writes one by save with -v7")
    found, left = {}, limit
    try:
        for number, (kind, contents) in enumerate(_elements(data[128:], order)):
            if number == MOST or left <= 0:
                raise ValueError(f"more than {MOST} variables, or {limit} bytes")
            if kind == COMPRESSED:
                inflated = BytesIO()
                pieces = (contents[at:at + 2**16] for at in range(0, len(contents), 2**16))
                finding.inflate(pieces, inflated, left, clock)
                left -= inflated.tell()
                kind, contents = next(_elements(memoryview(inflated.getvalue()), order), (None, b""))
            if kind == VARIABLE:
                name, array = _variable(contents, order)
                if name in names:
                    found[name] = array
    except (ValueError, KeyError, EOFError, TimeoutError, struct.error, zlib.error) as error:
        raise DataError(path, "a whole MATLAB file", f"unreadable data ({error})", finding.REMEDY) from error
    for name in names:
        if found.get(name) is None:
            raise DataError(path, f"real numbers as the variable {name}",
                            "something else" if name in found else "no variable of that name", finding.REMEDY)
    return [found[name] for name in names]


def _elements(data, order):
    """
    Yield type and contents of each element in `data`.

    A short element has its length in the upper half of its type, and up to 4 bytes of contents after that.
    """
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        start = at + 8
        if kind >> 16:
            kind, size, start = kind & 0xffff, kind >> 16, at + 4
        end = start + size
        if end > len(data):
            raise ValueError(f"an element of {size} bytes where {len(data) - start} are left")
        yield kind, data[start:end]
        at = end if kind == COMPRESSED else end + (at - end) % 8        # all others begin 8, 16, ... bytes on


def _variable(contents, order):
    """Return name and array of a variable, None if complex or of a class outside 6 to 15, the classes of numbers."""
    elements = _elements(contents, order)
    (_, flags), (_, shape), (_, name) = islice(elements, 3)
    flags, = struct.unpack_from(order + "I", flags)
    if len(name) > 64 or len(shape) > 4 * 64:                   # MATLAB's longest name has 63, NumPy's shape 64
        raise ValueError(f"a name of {len(name)} bytes, and {len(shape) // 4} dimensions")
    name = bytes(name).decode("latin-1")
    if not 6 <= flags & 0xff <= 15 or flags & 0x800:
        return name, None
    (kind, numbers), = islice(elements, 1)
    shape = np.frombuffer(shape, order + "u4")
    return name, np.frombuffer(numbers, order + NUMBERS[kind]).reshape(shape, order="F")
