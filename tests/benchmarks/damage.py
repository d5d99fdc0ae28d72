"""
Damages the files that npgan reads, in ten thousands of ways, and watches what becomes of them.

Every reader gets a small valid file: IDX and IDX.gz, CIFAR-10's binary files and archive, TFD's .mat (plain, deflated
and .gz), the embedded digits, a run's checkpoint, generators of every kind with layers of every kind.  Then the same,
cut at every length up to 4 KB, and

- truncated at random, bits flipped, runs of bytes overwritten, taken out, put in or repeated;
- any word in it made huge, negative or another one that lies, before it is compressed and summed up anew: so are sizes
  and counts in headers of IDX, .mat, tar, zip and .npy, and any values in a checkpoint's JSON, to which the parameters
  may be made to fit;
- bombs of zeros, and of millions of things that hold nothing: gzip members, deflated blocks, lines of a pax header,
  dimensions; tar members with absolute and parent paths and links, arrays of objects, pickles;
- forgeries: nets that are deep, long or huge, strings of 30 MB, numbers of 400 digits, random streams that stand still,
  zip entries that lie over one another.

Each must end in a DataError, of which CheckpointError is one, that names the file, or give arrays of the shape, the
range and, where one is known, the sum that they should have.  Nothing else may be raised; it may take no more than 5 s
of the processor's time, a minute in all, or 200 MB above what there was before; and Python must neither run code,
unpickle, start a process, connect, nor write or remove a file, which an audit hook watches.  The files are read in a
child process, which ends by a signal where one takes too long, be it within C; another goes on.  Linux only.
"""
import argparse
import gzip
import hashlib
import io
import json
import multiprocessing
import os
import pickle
import random
import resource
import signal
import struct
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
import zlib
from contextlib import suppress
from functools import partial
from itertools import islice
from operator import getitem
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from npgan import checkpoint  # noqa: E402
from npgan.adversarial import AdversaryPair, Generator, SeparateSteps  # noqa: E402
from npgan.backend import RandomStream  # noqa: E402
from npgan.checkpoint import archive  # noqa: E402
from npgan.checkpoint.description import build_layer, drawing_zeros  # noqa: E402
from npgan.conv import Deconv, MaxoutConv  # noqa: E402
from npgan.datasets import Dataset, cifar10, digits, fetching, finding, mnist, tfd  # noqa: E402
from npgan.files import DataError  # noqa: E402
from npgan.layers import Dropout, Linear, Maxout, RectifiedLinear, Sigmoid  # noqa: E402
from npgan.learning_rule import Momentum  # noqa: E402
from npgan.mlp import MLP  # noqa: E402
from npgan.monitor import Monitor  # noqa: E402
from npgan.released.noise_layers import Clusterize, IntrinsicDropout, NoiseCat  # noqa: E402
from npgan.schedules import ExponentialDecay, MomentumAdjustor, PolyakAverage  # noqa: E402
from npgan.section7 import conditional  # noqa: E402
from npgan.section7.completion import CompletingGenerator  # noqa: E402
from npgan.train import Train  # noqa: E402
from npgan.transpose import Transpose  # noqa: E402

SECONDS, PATIENCE, MEGABYTES = 5, 60, 200
LONGEST, DEATHS = 10**4, 20         # characters of a message; how many files of one kind may end the process
WORDS = [0, 1, 2, 3, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**16, 2**24, *(2**31 + i for i in (-1, 0, 1)), 2**32 - 8,
         2**32 - 1]
TYPES = ["|O", "<f8", "<c8", "|V0", "|S0", "<U4", "<M8[s]", "x", [("a", "<f4")], "<f2", "<i4"]
SHAPES = [(), (-1,), (2**62,), (2**31, 2**31), (0,), (7, 0), (1.5,), 3]
# four deflated blocks that hold nothing, each with its own table of Huffman's codes
NOTHING = bytes.fromhex("04c0810800000000207fea2f0170200200000000c89ffa"
                        "4b001c880000000000f2a7fe120007220000000080fca9bf")
NUMBERS = [b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\xff\xff\x7f\x7f", b"\1\0\0\0"]     # inf, nan, the largest, the smallest


# What is read, by small files in the places of the real ones

def game():
    """A small run with everything in its state that a run can have."""
    noise, masks = RandomStream([1, 1]), RandomStream([1, 2])
    G = Generator(MLP([RectifiedLinear(3, 5, 1., noise, left_slope=.1), Sigmoid(5, 4, 1., noise)]), "uniform", noise)
    D = MLP([Dropout(.8, rng=masks), Maxout(4, 3, 2, 1., masks, max_col_norm=2.), Linear(3, 1, 1., masks)])
    rules, data = (Momentum(.1, .5), Momentum(.1, .5)), Dataset(np.random.RandomState(1).uniform(size=(25, 4)))
    extensions = [PolyakAverage(G, .9), Monitor({"train": data}), ExponentialDecay(rules, 1.01, .01),
                  MomentumAdjustor(rules, .7, 1, 4)]
    return Train(SeparateSteps(AdversaryPair(G, D), *rules, discriminator_steps=2), data, 10, RandomStream([1, 3]),
                 extensions)


def generators():
    """Small generators by name, with layers of every kind; kernels of 1 x 1 fit into files that lie about the rest."""
    rng = RandomStream([2, 1])
    drawn = {"irange": .1, "rng": rng}
    within = MLP([Maxout(7, 6, 2, **drawn), MLP([Linear(6, 4, **drawn)])])
    noisy = MLP([RectifiedLinear(3, 5, **drawn), NoiseCat(5, 2, rng=rng), Clusterize(.1, rng), within,
                 IntrinsicDropout(.5, rng=rng), Dropout(.5, rng=rng), Sigmoid(4, 4, **drawn)])
    conv = MLP([Linear(3, 8, **drawn), Deconv((2, 2, 2), 3, (3, 3), output_stride=(2, 2), pad_out=1, **drawn),
                Transpose((3, 3, 3), (1, 2, 0)), MaxoutConv((3, 3, 3), 2, 2, (2, 2), (2, 2), (1, 1), pad=1, **drawn),
                MaxoutConv((3, 3, 2), 1, 1, (1, 1), (1, 1), (1, 1), tied_b=True, **drawn),
                Deconv((3, 3, 1), 1, (1, 1), tied_b=True, **drawn), Sigmoid(9, 4, **drawn)])
    given = MLP([conditional.ConditionalDropout(.5, rng=rng, ncond=2), conditional.Conditional(5, 6, ncond=2, **drawn),
                 conditional.ConditionalMaxout(6, 4, 2, ncond=2, **drawn),
                 conditional.ConditionalRectifiedLinear(4, 3, ncond=1, **drawn), Sigmoid(3, 4, **drawn)])
    rest = MLP([Linear(11, 4, **drawn), Sigmoid(4, 4, **drawn)])
    return {"generator, noisy": Generator(noisy, "gaussian", rng), "generator, conv": Generator(conv, rng=rng),
            "generator, given": conditional.ConditionalGenerator(given, 2, "spherical", rng),
            "generator, rest": CompletingGenerator(rest, (2, 2), rng=rng)}


def rows_of(data, width, low, high):
    """The arrays of a Dataset, which must be of that width and within that range."""
    assert data.X.ndim == 2 and data.X.shape[1] == width and low <= data.X.min() <= data.X.max() <= high
    return data.X


def idx(path):
    array = mnist.read_idx(path)
    assert array.dtype == np.uint8 and array.ndim in (1, 3)
    return array


def run(path):
    """
    All that can be made of a run's checkpoint: its players, who compute, its history, and the run, which is resumed.

    Training a forged state may end in any error, as long as it ends.
    """
    saved = checkpoint.load(path)
    pair, history = saved.pair(average=False), saved.history
    assert all(isinstance(values, list) for values in history.values())
    train = game()
    with np.errstate(all="ignore"), warnings.catch_warnings():      # huge numbers may overflow
        warnings.simplefilter("ignore", UserWarning)
        logits = pair.discriminator.dropout_fprop(players(saved))
        assert logits.shape == (5, 1)
        checkpoint.restore(path, train)
        with suppress(Exception):
            train.main_loop(train.epoch + 1)
    return logits


def players(saved, m=5):
    G = saved.generator()
    with np.errstate(all="ignore"):
        x = G.sample(m if type(G) is Generator else np.zeros((m, int(G.ncond)), np.float32))
    assert x.shape == (m, G.mlp.dim) and not ((x < 0) | (x > 1)).any()      # NaN where huge parameters cancel out
    return x


def valid_files(folder):
    """Path, bytes and reader of each kind of file, by name; the limits of sizes become those of the small files."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    fetching.open_url = no_network
    found, rng = {}, np.random.RandomState(0)
    pictures = rng.randint(0, 256, (10, 28, 28)).astype(np.uint8)
    pictures = struct.pack(">4I", 2051, *pictures.shape) + pictures.tobytes()
    found["IDX"] = folder / "x-idx3", pictures, idx
    found["IDX.gz"] = folder / "x-idx3.gz", gzip.compress(pictures), idx

    records = rng.randint(0, 256, (2, 3073)).astype(np.uint8)
    records[:, 0] %= 10
    records = records.tobytes()
    cifar10.FILES = {name: (len(records), hashlib.md5(records).hexdigest()) for name in cifar10.FILES}
    *others, test = cifar10.FILES
    (folder / test).parent.mkdir(parents=True)
    for name in others:
        (folder / name).write_bytes(records)

    def cifar(folder):
        return in_folder(folder, lambda: rows_of(cifar10.load("test", gcn=None), 3072, 0, 1))

    found["CIFAR-10"] = folder / test, records, lambda path: cifar(folder)

    unpacked = folder / "archive"
    (unpacked / "cifar10").mkdir(parents=True)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in cifar10.FILES:
            info = tarfile.TarInfo(name[len("cifar10/"):])
            info.size = len(records)
            tar.addfile(info, io.BytesIO(records))
    found["CIFAR-10's archive"] = (unpacked / f"{cifar10.ARCHIVE}.gz", gzip.compress(stream.getvalue()),
                                   lambda path: cifar(unpacked))
    tfd.LIMIT = 5 * 2**24
    for name, ending, deflated, wrap in (("TFD", "", False, bytes), ("TFD, deflated", "", True, bytes),
                                         ("TFD.gz", ".gz", True, gzip.compress)):
        where = folder / name.replace(", ", "-")
        path = where / f"{tfd.NAME}{ending}"
        path.parent.mkdir(parents=True)
        found[name] = (path, wrap(faces(deflated)),
                       lambda path, where=where: in_folder(where, lambda: rows_of(tfd.load("train"), 2304, 0, 1)))

    embedded = (ROOT / "data" / digits.NAME).read_bytes()
    (folder / "digits").mkdir()

    def exactly(path):
        X = in_folder(folder / "digits", lambda: digits.load("train").X)
        assert path.read_bytes() == embedded and X.shape == (1197, 64)
        return X

    found["digits"] = folder / "digits" / digits.NAME, embedded, exactly
    train = game()
    train.main_loop(2)
    path = folder / "run.npz"
    checkpoint.save(path, train)
    found["checkpoint"] = path, path.read_bytes(), run
    for name, G in {"generator": train.step.pair.generator, **generators()}.items():
        path = folder / f"{name.replace(', ', '-')}.npz"
        checkpoint.save_generator(path, G, note={"seed": 1})
        found[name] = path, path.read_bytes(), lambda path: players(checkpoint.load(path), 1)
    return found


def faces(deflated, n=12, kind="u1", last=0):
    """A file in the layout of TFD's, of `n` pictures with `last` in the corner of the last; most are for training."""
    from scipy.io import savemat
    rng, stream, number = np.random.RandomState(0), io.BytesIO(), np.arange(n)[:, None]
    images = rng.randint(0, 256, (n, 48, 48)).astype(kind)
    images[-1, -1, -1] = last
    savemat(stream, {"images": images, "folds": np.tile(np.where(number < 12, number % 4, 1), 5).astype("u1"),
                     "labs_ex": (number % 7 + 1).astype("i2")}, do_compression=deflated)
    return stream.getvalue()


def in_folder(folder, function):
    finding.places = lambda: [folder, folder / "cache"]         # where data sets are looked for
    return function()


def no_network(url, seconds):
    raise OSError("no network here")


# Damage; every function takes bytes and a random.Random

def truncated(data, rng):
    return data[:rng.randrange(len(data))]


def flipped(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        data[near(rng, len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def word(data, rng):
    """A word of 2, 4 or 8 bytes, either end first, becomes another one or a little more or less than it was."""
    kind = rng.choice(["<H", "<I", "<Q", ">H", ">I", ">Q"])
    size = struct.calcsize(kind)
    if len(data) < size:
        return data
    at = min(near(rng, len(data)), len(data) - size)
    before, = struct.unpack_from(kind, data, at)
    value = rng.choice([*WORDS, before + 1, before - 1, before * 2, -before, 2**63, 2**64 - 1]) % 256**size
    return data[:at] + struct.pack(kind, value) + data[at + size:]


def near(rng, n):
    """A place below n, mostly near one of the ends, where headers are."""
    way = rng.random()
    return (rng.randrange(n) if way < .3 else min(int(rng.expovariate(.01)), n - 1) if way < .8 else
            max(0, n - 1 - int(rng.expovariate(.01))))


def moved(data, rng):
    """A run of bytes overwritten, taken out, put in or repeated."""
    start = near(rng, len(data))
    stop = start + rng.choice([1, 4, 8, 100, 1000])
    run = data[start:stop]
    return rng.choice([data[:start] + bytes(len(run)) + data[stop:], data[:start] + b"\xff" * len(run) + data[stop:],
                       data[:start] + data[stop:], data[:stop] + data[start:], data + run, data + data,
                       data[:start] + rng.randbytes(64) + data[start:]])


PLAIN = [truncated, flipped, word, moved]


def within_gz(change):
    return lambda data, rng: gzip.compress(change(gzip.decompress(data), rng), 1)


def within_mat(data, rng):
    """Damage within a deflated variable."""
    size, = struct.unpack_from("<I", data, 132)
    inner = rng.choice(PLAIN)(zlib.decompress(data[136:136 + size]), rng)
    inner = zlib.compress(inner, 1)
    return data[:128] + struct.pack("<II", 15, len(inner)) + inner + data[136 + size:]


def within_tar(data, rng):
    """A member's header made to lie, with its sum in order."""
    data = bytearray(gzip.decompress(data))
    start = 512 * rng.choice([i for i in range(len(data) // 512) if data[512 * i + 257:512 * i + 262] == b"ustar"])
    what = rng.randrange(4)
    if what == 0:
        size = rng.choice([-1, -512, 0, 1, 2**33 - 1, 2**40, 2**62, rng.randrange(10**5)])
        data[start + 124:start + 136] = (size % 256**12).to_bytes(12, "big") if size < 0 or size >= 8**11 else (
            b"%011o\0" % size)
    elif what == 1:
        name = rng.choice([b"/etc/x", b"../../x", b"cifar-10-batches-bin/../../../x", b"/", b"", b"\xff" * 100, b"."])
        data[start:start + 100] = name.ljust(100, b"\0")
    elif what == 2:
        data[start + 156] = rng.choice(b"01234567xgLKSDVM\xff")
        data[start + 157:start + 257] = rng.choice([b"/etc/passwd", b"../..", b""]).ljust(100, b"\0")
    else:
        data[start + rng.randrange(512)] = rng.randrange(256)
    data[start + 148:start + 156] = b" " * 8
    data[start + 148:start + 156] = b"%06o\0 " % sum(data[start:start + 512])
    return gzip.compress(bytes(data), 1)


def npy(header, data):
    """The bytes of an .npy file with any header."""
    text = repr(header).encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


def of_type(kind, array):
    """The bytes of an .npy file of the `array`, as numbers of a `kind`."""
    return npy({"descr": kind, "fortran_order": False, "shape": array.shape}, array.astype(kind).tobytes())


def opened(data):
    """The header and the other entries in the bytes of a checkpoint."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        entries = {entry.filename: file.read(entry) for entry in file.infolist()}
    return json.loads(archive.parse(entries.pop("header.npy")).tobytes()), entries


def sealed(header, entries, rng=None):
    """The bytes of a checkpoint, with the sum of its arrays in order; with an `rng` some of its directory may lie."""
    arrays = {}
    for name, entry in entries.items():
        with suppress(Exception):                                   # what is no array has no sum
            arrays[name.removesuffix(".npy")] = archive.parse(entry)
    with suppress(Exception):
        header["sha256"] = archive.digest(arrays) if len(arrays) == len(entries) else "0"
    header = of_type("|u1", np.frombuffer(json.dumps(header).encode(), np.uint8))
    stream, way = io.BytesIO(), zipfile.ZIP_DEFLATED if rng and rng.random() < .1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", way) as file:
        for name, entry in {"header.npy": header, **entries}.items():
            file.writestr(name, entry)
        if rng and rng.random() < .2:
            info, key = rng.choice(file.filelist), rng.choice(["file_size", "compress_size", "header_offset", "CRC"])
            setattr(info, key, rng.choice([0, 1, getattr(info, key) + 1, 2**31, getattr(file.filelist[0], key)]))
            info.filename = rng.choice(["", "", "", "/", "../"]) + rng.choice([info.filename] * 4 + ["theta_g.npy"])
    return stream.getvalue()


def within_npz(data, rng):
    """Values of the JSON or the header of an array made to lie, with all sums in order."""
    header, entries = opened(data)
    run = header["run"]
    if rng.random() < .7:
        for _ in range(rng.choice([1, 1, 2, 3])):
            lie(run if run and rng.random() < .5 else header, rng)
        if rng.random() < .5:
            fit(header, entries)
    else:
        name = rng.choice(list(entries))
        array = archive.parse(entries[name])
        entries[name] = rng.choice([
            npy({"descr": array.dtype.str, "fortran_order": rng.choice([False, True, 1, "x"]),
                 "shape": rng.choice([array.shape, *SHAPES])}, array.tobytes()),
            npy({"descr": rng.choice(TYPES), "fortran_order": False, "shape": array.shape}, array.tobytes()),
            npy({"descr": "<f4", "fortran_order": False, "shape": array.shape}, rng.choice(NUMBERS) * array.size),
            of_type("<f8", np.full(array.shape, 1e300)),
            pickled(), flipped(entries[name], rng), word(entries[name], rng), truncated(entries[name], rng), b""])
    return sealed(header, entries, rng)


def fit(header, entries):
    """Make theta_g as long as the generator in the header has it, if that can be told and is below 2^23."""
    with suppress(Exception):
        rng, left = RandomStream(1), {"parameters": 2**23, "layers": 1000, "numbers": 2**25, "width": 0}
        with drawing_zeros(rng, 2**23):
            net = build_layer(header["run"]["generator"]["mlp"], rng, left)
        theta = archive.parse(entries["theta_g.npy"])
        entries["theta_g.npy"] = of_type("<f4", np.resize(theta, net.theta.shape))


def lie(value, rng):
    """Change one value somewhere in a JSON object."""
    while True:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = rng.choice(list(keys))
        if isinstance(value[key], (dict, list)) and value[key] and rng.random() < .9:
            value = value[key]
            continue
        before = value[key] if isinstance(value[key], (int, float)) else 1
        value[key] = rng.choice([None, True, -1, 0, .5, -before, before + 1, 64, 2**11, 2**13, 2**20, 2**26, 2**31,
                                 2**63, 10**30, 10**400, 1e308, float("nan"), float("inf"), "", "x",
                                 "__import__('os')", [], {}, [[]], [value[key]], {"kind": "MLP"}, deep(500),
                                 [1] * 1000])
        if isinstance(value, dict) and rng.random() < .2:
            del value[key]
        return


def deep(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


class Run:
    """What a pickle may do."""

    def __reduce__(self):
        return os.system, ("touch /tmp/npgan-was-here",)


def pickled():
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array([Run(), None]), allow_pickle=True)
    return stream.getvalue()


def bombs(path, data, size):
    """Files that promise more than they should, `size` MB, and hostile ones, for the kind of file at that path."""
    zeros = bytes(2**20)
    if path.suffix == ".gz":
        stream = io.BytesIO()
        with gzip.open(stream, "wb", 1) as file:
            for _ in range(size):
                file.write(zeros)
        bomb = stream.getvalue()
        yield bomb
        yield data + bomb
        yield gzip.compress(gzip.decompress(data)[:200]) + bomb
        yield gzip.compress(b"") * 3500 * size
        yield gzip.compress(b"")[:10] + NOTHING * 700 * size
    if path.name.endswith(".mat.gz"):                               # deflated twice, and each time much that is nothing
        deflate, tail = zlib.compressobj(1, wbits=-15), zlib.compress(b"")[:2] + NOTHING * 700 * size
        mat = gzip.decompress(data)[:128] + struct.pack("<II", 15, len(tail)) + tail
        yield (gzip.compress(b"")[:10] + deflate.compress(mat) + deflate.flush(zlib.Z_FULL_FLUSH)
               + NOTHING * 700 * size + b"\3\0" + struct.pack("<II", zlib.crc32(mat), len(mat)))
    if ".tar" in path.suffixes:
        for lines in 100_000, 10_000 * size:
            pax = tarfile.TarInfo("pax")
            pax.type, pax.size = tarfile.XHDTYPE, 6 * lines
            yield gzip.compress(pax.tobuf() + b"6 a=b\n" * lines + bytes(-6 * lines % 512) + gzip.decompress(data), 1)
    if path.suffix == ".mat":
        deflate = zlib.compressobj(1)
        bomb = b"".join(deflate.compress(zeros) for _ in range(size)) + deflate.flush()
        yield data[:128] + struct.pack("<II", 15, len(bomb)) + bomb
        yield data[:128] + (struct.pack("<II", 15, len(bomb)) + bomb) * 5
        yield data[:128] + bytes(tfd.LIMIT - 200)
        yield faces(False, 7 * size, "f8", .5)
        yield data[:128] + (struct.pack("<II", 15, 8) + zlib.compress(b"")) * 10**6
        nothing = zlib.compress(b"")[:2] + NOTHING * 700 * size
        yield data[:128] + struct.pack("<II", 15, len(nothing)) + nothing
        for dimensions, name in (10_000 * size, 1), (1, 50_000 * size):
            parts = [(6, struct.pack("<II", 6, 0)), (5, struct.pack("<I", 1) * dimensions), (1, b"x" * name), (2, b"1")]
            parts = b"".join(struct.pack("<II", kind, len(part)) + part + bytes(-len(part) % 8) for kind, part in parts)
            yield data[:128] + struct.pack("<II", 14, len(parts)) + parts
    if path.suffix == ".npz":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file, file.open("header.npy", "w") as entry:
            for _ in range(size):
                entry.write(zeros)
        yield stream.getvalue()
        yield data[:-22] + struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 65535, 65535, 2**32 - 1, 0, 0)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as file:
            for i in range(10000):
                file.writestr(f"{i}.npy", b"")
        yield stream.getvalue()
        yield from forged_runs(data) if path.name == "run.npz" else ()
        yield from forged_generators(data, size) if path.name == "generator.npz" else ()
    yield pickle.dumps(Run())
    yield pickled()
    yield b""
    yield b"<html>moved</html>" * 500


# Forgeries

LINEAR = {"kind": "Linear", "nvis": 1, "dim": 1}
CONV = {"kind": "MaxoutConv", "num_channels": 1, "num_pieces": 1, "kernel_shape": [1, 1], "pool_shape": [1, 1],
        "pool_stride": [1, 1], "tied_b": True}
NET = LINEAR
for _ in range(100):
    NET = {"kind": "MLP", "layers": [NET]}
NETS = [[NET], [LINEAR] * 6000, [LINEAR] + [{"kind": "Clusterize", "scale": 1.}] * 6000,
        [{**CONV, "input_shape": [8192, 8191, 1], "tied_b": False}] * 9,
        [{**CONV, "input_shape": [2048, 2048, 1], "tied_b": False}] * 90,
        [{**CONV, "input_shape": [1448, 1448, 1], "kernel_shape": [700, 700]}],
        [LINEAR, {**CONV, "input_shape": [1, 1, 1], "pad": 4000, "pool_shape": [8001, 8001]}],
        [LINEAR, {"kind": "NoiseCat", "nvis": 1, "new_dim": 2**26 - 1, "std": 1.},
         {**CONV, "input_shape": [8192, 8192, 1], "kernel_stride": [8192, 8192]}],
        [LINEAR, {"kind": "NoiseCat", "nvis": 1, "new_dim": 2**22 - 1, "std": 1.},  # as large as can be
         *[{**CONV, "input_shape": [2048, 2048, 1]}] * 40, {"kind": "Sigmoid", "nvis": 2**22, "dim": 1}],
        [LINEAR, *[{**CONV, "input_shape": [1, 1, 1], "pad": 1400, "pool_shape": [2801, 2801]}] * 40,
         {"kind": "Sigmoid", "nvis": 1, "dim": 1}]]


def everywhere(value, number):
    """`number` in the place of each in a JSON object."""
    if isinstance(value, dict):
        return {key: everywhere(each, number) for key, each in value.items()}
    return [everywhere(each, number) for each in value] if isinstance(value, list) else number


def forged_runs(data):
    """Checkpoints of a run in a state in which no run can be, or hardly one."""
    state = opened(data)[0]["state"]
    states = [{key: everywhere(value, number)} for key, value in state.items() for number in (10**400, 2**53, 10**15)]
    states += [{key: dict.fromkeys(value, [])} for key, value in state.items() if isinstance(value, dict)]
    states += [{"train.epoch": epoch, "train.updates": updates}
               for epoch, updates in ((1, 6), (2, 7), (10**15, 3 * 10**15))]
    for changes in states:
        header, entries = opened(data)
        header["state"].update(changes)
        yield sealed(header, entries)

    still = (2**64 - 1) << 64                                       # PCG64 gives one number for ever, and is never done
    places = [{"state": {"state": still, "inc": still * (1 - 0x2360ed051fc65da44385df649fccf645) % 2**128}}]
    places += [{"state": {key: number}} for key in ("state", "inc")
               for number in (0, 1.5, True, 2, -1, 2**128, 10**400, None, "1", [1])]
    places += [{key: value} for key in ("has_uint32", "uinteger", "bit_generator")
               for value in (1.5, True, 2, -1, 2**32, 10**400, None, "1", [1])]
    for place in places:
        header, entries = opened(data)
        for stream in header["streams"]:
            stream.update({**place, "state": {**stream["state"], **place.get("state", {})}})
        yield sealed(header, entries)

    header, entries = opened(data)
    header["run"]["discriminator"]["layers"][-1]["kind"] = "Sigmoid"
    yield sealed(header, entries)
    header, entries = opened(data)
    header["run"]["generator"]["mlp"]["layers"][-1]["dim"] = 2      # D takes 4
    fit(header, entries)
    yield sealed(header, entries)
    for name in "theta_g", "theta_d":
        header, entries = opened(data)
        header["averages"], signs = {}, np.resize([1, -1], archive.parse(entries[f"{name}.npy"]).shape)
        entries[f"{name}.npy"] = of_type("<f8", 1e300 * signs)
        yield sealed(header, entries)


def forged_generators(data, size):
    """Files of a generator with nets, strings and directories that are too large, or pretend to be."""
    text = "x" * (50_000 * size)
    nets = [{"run": {"generator": {"noise": "uniform", "mlp": {"kind": "MLP", "layers": layers}}}} for layers in NETS]
    strings = [long for string in (text, "\U0001f600" + text, "\7" * (len(text) // 6), "\\" * (len(text) // 2))
               for long in ({"version": string}, {"npgan": string, "version": 1}, {"note": string}, {string: 1},
                            {"run": {"generator": {"mlp": {"kind": string}}}})]
    longest = "\U0001f600" + "\x7f" * (4 * 10**6)                    # as long as a header may be
    parts = [{"note": [{"": 0}] * 400_000}, {"note": [[]] * 10**6}, {"version": longest},
             {"npgan": longest, "version": 1}]
    for changes in nets + strings + parts:
        header, entries = opened(data)
        header.update(changes)
        fit(header, entries)
        yield sealed(header, entries)
    body = of_type("|u1", np.zeros(34_000 * size))
    for times in 2, 1000:                                           # many entries, each of which takes all for its own
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as file:
            file.writestr("header.npy", body)
            info = file.filelist[0]
            info.file_size //= times + 1                            # so that their sum is no more than the file
            info.CRC = zlib.crc32(body[:info.file_size])
            file.filelist *= times
        yield stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for i in range(1990):
            file.writestr(f"{i}.npy", of_type("<f8", np.zeros((0, 2**40))))
    yield stream.getvalue()


# Watching

FORBIDDEN = "exec", "pickle", "os.", "subprocess", "socket", "shutil", "import"


class Watch:
    """An audit hook that writes down what a reader must not do."""

    def __init__(self):
        self.on, self.seen = False, []
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        if not self.on:
            return
        if event == "open":
            path, mode, flags = arguments
            forbidden = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        else:
            forbidden = event.startswith(FORBIDDEN) and event not in ("os.listdir", "os.scandir")
        if forbidden:
            self.seen.append(f"{event} {str(arguments)[:100]}")


def megabytes():
    """The most memory that this process has had since it was last asked."""
    kilobytes = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    Path("/proc/self/clear_refs").write_text("5")
    return kilobytes / 2**10


def judge(watch, path, read):
    """Read the file at `path`: a word on how it ended, the seconds it took, and what was wrong."""
    megabytes()
    before, start, wrong, watch.on = megabytes(), time.process_time(), [], True
    signal.setitimer(signal.ITIMER_PROF, SECONDS)                   # whose signal ends the process
    try:
        read(path)
        end = "read"
    except DataError as error:
        end = "refused"
        if not str(error).startswith(str(path)) and str(path.parent) not in str(error):
            wrong.append(f"names another file: {error}")
        if len(str(error)) > LONGEST:
            wrong.append(f"a message of {len(str(error))} characters")
    except BaseException as error:
        end = "raised"
        wrong.append(f"{type(error).__name__}: {error}")
    finally:
        watch.on = False
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds, more = time.process_time() - start, megabytes() - before
    if watch.seen:
        wrong.append(str(watch.seen))
        watch.seen.clear()
    if more > MEGABYTES:
        wrong.append(f"{more:.0f} MB more than before")
    return end, seconds, "; ".join(wrong)[:300]


def feed(pipe, watch, path, read, made):
    """Judge the files that the functions `made` make, one after another at `path`, and tell of each."""
    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))          # no more than the machine has
    for make in made:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        path.write_bytes(make())
        pipe.send(judge(watch, path, read))


def outcomes(watch, path, read, made):
    """What `judge` says of each file that the functions in ``made()`` make; a child that dies of one is replaced."""
    fork, count = multiprocessing.get_context("fork"), 0
    for _ in range(DEATHS):
        here, there = fork.Pipe(duplex=False)
        child = fork.Process(target=feed, args=(there, watch, path, read, islice(made(), count, None)))
        child.start()
        there.close()
        with suppress(EOFError):
            while True:
                yield here.recv()
                count += 1
        child.join()
        if child.exitcode == 0:
            return
        if child.exitcode > 0:
            raise RuntimeError("no reader failed, but what feeds it")
        ends = {-signal.SIGPROF: f"takes more than {SECONDS} s of the processor's time",
                -signal.SIGALRM: f"takes more than {PATIENCE} s"}
        yield "died", SECONDS, ends.get(child.exitcode, f"ends the process with code {child.exitcode}")
        count += 1
    raise RuntimeError(f"{DEATHS} files of one kind ended the process, and no more are tried")


def at_random(changes, data, seed):
    rng = random.Random(seed)
    return rng.choice(changes)(data, rng)


def damaged(name, path, data, share, chosen):
    """Functions that make the damaged files of a kind, `share` of them at random; the same in each run."""
    for length in range(min(chosen.truncate, len(data))):
        yield partial(getitem, data, slice(length))
    changes = list(PLAIN)
    if path.suffix == ".gz":
        changes += [within_gz(change) for change in PLAIN] * 2
    if "archive" in name:
        changes += [within_tar] * 8
    if name == "TFD, deflated":
        changes += [within_mat] * 4
    if path.suffix == ".npz":
        changes += [within_npz] * 12
    for i in range(share):
        yield partial(at_random, changes, data, f"{chosen.seed} {name} {i}")
    for bomb in bombs(path, data, chosen.bomb):
        yield partial(bytes, bomb)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=14000, help="besides truncations at every length")
    parser.add_argument("--truncate", type=int, default=4096, help="every length up to this, default %(default)s")
    parser.add_argument("--bomb", type=int, default=600, help="MB of zeros, default %(default)s")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="kinds whose names begin so, such as generator")
    parser.add_argument("--seed", type=int, default=2014)
    parser.add_argument("--keep", metavar="FOLDER", help="write files there that did what they should not")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    chosen = parser.parse_args()
    start, watch, rows, violations = time.monotonic(), Watch(), {}, []
    warnings.simplefilter("error")
    if chosen.keep:
        Path(chosen.keep).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        valid = valid_files(Path(folder))
        for path, data, read in valid.values():
            path.write_bytes(data)
            read(path)
        share = -(-chosen.files // len(valid))
        if chosen.only:
            valid = {name: kind for name, kind in valid.items() if name.startswith(tuple(chosen.only))}
        for name, (path, data, read) in valid.items():
            row = rows[name] = {"files": 0, "refused": 0, "read": 0, "violations": 0, "slowest, s": 0.}
            tree, made = sorted(Path(folder).rglob("*")), partial(damaged, name, path, data, share, chosen)
            for i, (end, seconds, wrong) in enumerate(outcomes(watch, path, read, made)):
                row["files"] += 1
                row["slowest, s"] = max(row["slowest, s"], round(seconds, 2))
                if end in row:
                    row[end] += 1
                if wrong:
                    row["violations"] += 1
                    violations.append((f"{name}, file {i}", wrong))
                    if chosen.keep:
                        make = next(islice(made(), i, None))
                        (Path(chosen.keep) / f"{path.stem}-{i}{path.suffix}").write_bytes(make())
            path.write_bytes(data)
            read(path)                                              # and the whole one is still read
            if sorted(Path(folder).rglob("*")) != tree or Path("/tmp/npgan-was-here").exists():
                row["violations"] += 1
                violations.append((name, "wrote something"))
    total = {key: sum(row[key] for row in rows.values()) for key in ("files", "refused", "read", "violations")}
    found = {**rows, "all": {**total, "slowest, s": max(row["slowest, s"] for row in rows.values())},
             "minutes": round((time.monotonic() - start) / 60, 1), "wrong": violations}
    if chosen.json:
        print(json.dumps(found))
        return
    for name, row in found.items():
        if name == "wrong":
            print("\n".join(": ".join(case) for case in row[:50]))
        else:
            print(f"{name:20} {row}")


if __name__ == "__main__":
    main()
