"""
Coverage-guided fuzzing of npgan's readers by atheris (``python -m pip install atheris``), some minutes for each.

What may come of a file is told in ``damage.py``: here, too, each ends in a DataError or gives arrays as they should be.
A target is a way to make a file of the fuzzer's bytes: as they are, or deflated, or as choices of ``damage.py``'s lies
in tar headers and checkpoints, so that no sum keeps them out.  Inputs that found something are kept in a folder.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path

try:
    import atheris
except ModuleNotFoundError:
    sys.exit(f"{__doc__}\nfuzz.py: error: the package atheris is not installed: python -m pip install atheris")
import matplotlib  # noqa: F401  as NumPy and SciPy with it, not to be instrumented
import scipy.io  # noqa: F401

with atheris.instrument_imports(include=["npgan", "zipfile", "tarfile", "gzip"]):
    import damage

    from npgan.datasets import finding, matlab
    from npgan.files import DataError


class Choices:
    """Stands for a random.Random, whose numbers the fuzzer chooses."""

    def __init__(self, data):
        self.provider = atheris.FuzzedDataProvider(data)

    def random(self):
        return self.provider.ConsumeProbability()

    def randrange(self, n):
        return self.provider.ConsumeIntInRange(0, n - 1)

    def choice(self, things):
        return things[self.randrange(len(things))]

    def expovariate(self, rate):
        return self.randrange(2000)

    def randbytes(self, n):
        return self.provider.ConsumeBytes(n)


def targets(folder):
    """Of each target the path of the file, what makes its bytes, the reader, and a seed."""
    valid = damage.valid_files(folder)
    run, data, read = valid["checkpoint"]
    conv, net, sample = valid["generator, conv"]
    tar, archive, unpack = valid["CIFAR-10's archive"]
    small = damage.struct.pack(">4I", 2051, 2, 2, 2) + bytes(8)
    mat = damage.faces(False)[:2304]

    def variables(path):
        return matlab.read(path, ("images", "folds", "labs_ex"), 2**20)

    def deflated(data):
        data = zlib.compress(data, 1)
        return mat[:128] + damage.struct.pack("<II", 15, len(data)) + data

    return {
        "IDX": (folder / "x", bytes, damage.idx, small),
        "IDX.gz": (folder / "x.gz", bytes, damage.idx, damage.gzip.compress(small)),
        "MATLAB": (folder / "x.mat", bytes, variables, mat),
        "MATLAB, deflated": (folder / "x.mat", deflated, variables, mat[128:]),
        "tar": (folder / "x.tar", bytes, lambda path: finding.unpack(path, {f"{folder.name}/a": (100, None)}),
                damage.gzip.decompress(archive)[:1024]),
        "tar, lies": (tar, lambda choices: damage.within_tar(archive, Choices(choices)), unpack, bytes(16)),
        "checkpoint": (run, bytes, read, data),
        "checkpoint, lies": (run, lambda choices: damage.within_npz(data, Choices(choices)), read, bytes(16)),
        "generator, lies": (conv, lambda choices: damage.within_npz(net, Choices(choices)), sample, bytes(16)),
    }


def fuzz(name, options):
    """Fuzz one target, in this process, until the time is over."""
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        path, make, read, _ = targets(Path(folder))[name]

        def one(data):
            path.write_bytes(make(data))
            try:
                read(path)
            except DataError:
                pass

        atheris.Setup([sys.argv[0], *options], one)
        atheris.Fuzz()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="for all targets, default %(default)s")
    parser.add_argument("--keep", metavar="FOLDER", default="fuzz", help="default %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    chosen, options = parser.parse_known_args()
    if chosen.target:
        return fuzz(chosen.target, options)
    with tempfile.TemporaryDirectory() as folder:
        seeds = {name: target[3] for name, target in targets(Path(folder)).items()}
    rows, start = {}, time.monotonic()
    for name, seed in seeds.items():
        kept, corpus = (Path(chosen.keep) / re.sub(r"\W+", "_", name) / part for part in ("found", "corpus"))
        for place in kept, corpus:
            place.mkdir(parents=True, exist_ok=True)
        (corpus / "seed").write_bytes(seed)
        seconds = max(1, round(60 * chosen.minutes / len(seeds)))
        done = subprocess.run([sys.executable, __file__, "--target", name, f"-max_total_time={seconds}", "-timeout=5",
                               "-rss_limit_mb=2048", "-max_len=65536", "-print_final_stats=1",
                               f"-artifact_prefix={kept}/", str(corpus)], capture_output=True, text=True)
        told = done.stdout + done.stderr
        runs = re.findall(r"number_of_executed_units: (\d+)|^#(\d+)", told, re.MULTILINE)
        rows[name] = {"files": max(int(a or b) for a, b in runs), "found": len(list(kept.iterdir())),
                      "branches": max(map(int, re.findall(r"cov: (\d+)", told)), default=0)}
        if rows[name]["found"]:
            rows[name]["says"] = re.findall(r"^ *=== Uncaught Python exception: ===\n(.*)", told, re.MULTILINE)[:1]
    rows["minutes"] = round((time.monotonic() - start) / 60, 1)
    if chosen.json:
        print(json.dumps(rows))
    else:
        for name, row in rows.items():
            print(f"{name:20} {row}")


if __name__ == "__main__":
    main()
