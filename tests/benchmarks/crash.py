"""
Kills trainings of ``examples/digits.py``, goes on from their checkpoints, and compares with an undisturbed run.

The comparison is bit for bit: both thetas, velocities, the average, the streams, the monitor's history, the picture of
samples and the log-likelihoods that the script prints.  What is done to a run:

- SIGKILL at random moments of its training, whatever it is doing then;
- SIGKILL between every two system calls of a save, by ptrace; and between every two calls of a save to the layer of
  files, each time with everything lost that was not on the disk by then, as if the power had been cut;
- SIGINT and SIGTERM at random moments, then the very command that the run says to go on with;
- a disk that is full, a limit of the size of files, a folder that went away, and ones that cannot be written;
- another number of threads after it goes on, which is not bit for bit;
- KeyboardInterrupt and SIGINT at each line of small runs, which then have to go on or to say why not (interrupting.py).

Linux only, as ptrace is.
"""
import argparse
import ctypes
import functools
import io
import json
import os
import random
import re
import resource
import runpy
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "examples")]
DIGITS = str(ROOT / "examples" / "digits.py")

import numpy as np  # noqa: E402
from interrupting import interrupt_lines  # noqa: E402

from npgan import files  # noqa: E402
from npgan.checkpoint import archive  # noqa: E402

BRIEF = {"saving": [True], "stride": 240}                         # of the lines
OLD, NEW = "the older checkpoint", "the newer one"
PARTS = "saves", "disks", "threads", "signals", "kills", "lines"


# What a run leaves

def bits(folder, told):
    """All that two equal runs must have in common, by name, from their folder and what they `told`."""
    header, arrays = archive.read(folder / "digits.npz")
    state = header["state"]
    del state["train.seconds"], arrays["extensions[1].history/training_seconds_this_epoch"]
    return {**{name: array.tobytes() for name, array in arrays.items()}, "streams": header["streams"], "state": state,
            "picture": (folder / "digits.png").read_bytes(),
            "table": [line for line in told.splitlines() if " +- " in line]}


def saved_epoch(folder):
    """The epoch of the checkpoint in a folder, which must be whole; None if there is none."""
    path = folder / "digits.npz"
    return archive.read(path)[0]["state"]["train.epoch"] if path.exists() else None


# Processes of the script

class Script:
    """A process of ``digits.py`` in a folder, forked from this one, which has the modules loaded already."""

    def __init__(self, folder, *arguments):
        self.screen, terminal = os.openpty()
        self.told, self.began, self.trained = "", None, None
        self.process = os.fork()
        if self.process == 0:
            os.close(self.screen)
            os.chdir(folder)
            os.dup2(terminal, 1)
            os.dup2(terminal, 2)
            sys.argv = [DIGITS, *map(str, arguments)]
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
            status = 0
            try:
                runpy.run_path(DIGITS, run_name="__main__")
            except BaseException:
                try:
                    sys.excepthook(*sys.exc_info())
                except SystemExit as end:
                    status = end.code
            sys.stdout.flush()
            os._exit(status)
        os.close(terminal)

    def watch(self, seconds=float("inf")):
        """Read what it says until it ends, and kill it so many seconds after its first word; its status."""
        while True:
            left = min(1, max(0, self.began + seconds - time.monotonic())) if self.began else 1
            ready, _, _ = select.select([self.screen], [], [], left)
            if ready:
                try:
                    self.told += os.read(self.screen, 4096).decode()
                except OSError:                                     # EIO: it has ended
                    break
                self.began = self.began or time.monotonic()
                if "Parzen" in self.told:
                    self.trained = self.trained or time.monotonic()
            elif self.began and time.monotonic() >= self.began + seconds:
                os.kill(self.process, signal.SIGKILL)
                seconds = float("inf")
        _, status = os.waitpid(self.process, 0)
        os.close(self.screen)
        return os.waitstatus_to_exitcode(status)


def command(*arguments, **keywords):
    """The finished process of ``digits.py``, started afresh."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **keywords.pop("environment", {})}
    return subprocess.run([sys.executable, DIGITS, *map(str, arguments)], env=environment, capture_output=True,
                          text=True, timeout=600, **keywords)


# Killed at random

def killed_at_random(kills, epochs, undisturbed, length, rng):
    """Kill a run `kills` times anew, each at a moment of its `length`, in seconds, go on, and compare."""
    found = {"kills": kills, "equal": 0, "within a save": 0, "before the first save": 0, "after training": 0,
             "most epochs lost": 0}
    for i in range(kills):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            run = Script(folder, "--max_epochs", epochs)
            status = run.watch(rng.uniform(0, length))
            assert status in (-signal.SIGKILL, 0), run.told
            found["within a save"] += any(folder.glob(".*-digits.npz"))
            epoch = saved_epoch(folder)
            if epoch is None:
                found["before the first save"] += 1
            shown = re.findall(rf"epoch (\d+)/{epochs}", run.told)
            begun = min(epochs, int(shown[-1]) + 1) if shown else 0
            found["after training"] += epoch == epochs
            found["most epochs lost"] = max(found["most epochs lost"], begun - (epoch or 0))
            run = Script(folder, "--max_epochs", epochs, *["--resume"] * (epoch is not None))
            status = run.watch()
            assert status == 0, run.told
            found["equal"] += bits(folder, run.told) == undisturbed
        if sys.stderr.isatty() or i % 20 == 19:
            print(f"{found['equal']} of {i + 1}", file=sys.stderr, flush=True)
    return found


# Killed within a save

TRACEME, SYSCALL = 0, 24


def killed_at_system_calls(before, after):
    """Kill a save of `after` in place of `before` at every entry to and exit from the kernel."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    found = {"kills": 0, OLD: 0, NEW: 0}
    with quick() as folder:
        path = Path(folder) / "run.npz"
        while True:
            archive.write(path, *before)
            process = os.fork()
            if process == 0:
                ptrace(TRACEME, 0, None, None)
                os.kill(os.getpid(), signal.SIGSTOP)
                archive.write(path, *after)
                os._exit(0)
            os.waitpid(process, 0)
            for _ in range(found["kills"] + 1):
                ptrace(SYSCALL, process, None, None)
                _, status = os.waitpid(process, 0)
                if os.WIFEXITED(status):
                    return found
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            found["kills"] += 1
            found[judge(path, before, after)] += 1
            clear(folder)


def judge(path, before, after):
    """Which of two checkpoints the file holds; it must be whole, and one of them."""
    _, arrays = archive.read(path)
    sums = [archive.digest(saved[1]) for saved in (before, after)]
    return (OLD, NEW)[sums.index(archive.digest(arrays))]


def quick():
    """A folder in memory, where there is one: what a kill leaves is in the system's hands, whatever the disk."""
    return tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def clear(folder):
    """Remove what killed saves began."""
    for left in Path(folder).glob(".*"):
        left.unlink()


class Faults:
    """
    A layer over the calls by which files are written, which kills the process before call number `at`.

    Then all is lost that was not synchronised: a file written since has none of those bytes, if `lost` is 1, or half
    of them.  A call to write is torn in the midst, too.
    """

    def __init__(self, at, lost):
        self.at, self.lost, self.calls = at, lost, 0
        self.written, self.synchronised, self.paths = {}, {}, {}
        self.real = {name: getattr(os, name) for name in ("fsync", "replace", "open", "close")}
        files.open = self.open
        os.fsync, os.replace, os.open, os.close = self.fsync, self.replace, self.counted("open"), self.counted("close")

    def count(self):
        self.calls += 1
        if self.calls == self.at:
            for number, path in self.paths.items():
                safe = self.synchronised[number]
                os.truncate(path, safe + int((self.written[number] - safe) * (1 - self.lost)))
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(self, name):
        def call(*arguments):
            self.count()
            return self.real[name](*arguments)
        return call

    def open(self, path, mode):
        self.count()
        faults = self

        class Raw(io.FileIO):
            def write(self, data):
                faults.count()
                half = memoryview(data).cast("B")
                half = half[:len(half) // 2 + 1]                    # whoever writes has to ask for the rest
                done = super().write(half)
                faults.written[self.fileno()] = max(faults.written[self.fileno()], self.tell())
                return done

        raw = Raw(path, "xb")
        self.paths[raw.fileno()], self.written[raw.fileno()], self.synchronised[raw.fileno()] = path, 0, 0
        return io.BufferedWriter(raw)

    def fsync(self, number):
        self.count()
        self.real["fsync"](number)
        if number in self.paths:
            self.synchronised[number] = self.written[number]

    def replace(self, source, target):
        self.count()
        self.real["replace"](source, target)
        self.paths = {number: target if path == source else path for number, path in self.paths.items()}


def power_cut(before, after):
    """Cut the power before every call of a save of `after` in place of `before`, twice."""
    found = {"cuts": 0, OLD: 0, NEW: 0}
    with quick() as folder:
        path = Path(folder) / "run.npz"
        for lost in 1, .5:
            at = 0
            while True:
                at += 1
                archive.write(path, *before)
                process = os.fork()
                if process == 0:
                    Faults(at, lost)
                    archive.write(path, *after)
                    os._exit(0)
                _, status = os.waitpid(process, 0)
                if status == 0:
                    break
                assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
                found["cuts"] += 1
                found[judge(path, before, after)] += 1
                clear(folder)
    return found


# Stopped

def stopped(times, epochs, undisturbed, rng):
    """Send each of the two signals in `times` trainings, then do as the run says."""
    found = {}
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        equal = told = sent = 0
        while sent < times:
            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                environment = {**os.environ, "PYTHONPATH": str(ROOT)}
                process = subprocess.Popen([sys.executable, DIGITS, "--max_epochs", str(epochs)], cwd=folder, text=True,
                                           env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                process.stderr.readline()                           # it trains now
                time.sleep(rng.uniform(0, .5))
                process.send_signal(number)
                _, said = process.communicate(timeout=600)
                if f"epoch {epochs}/{epochs}" in said:
                    continue                                        # it had ended its training before
                sent += 1
                *_, last = said.strip().splitlines()
                told += process.returncode == status and "the last good checkpoint is digits.npz; resume with: " in last
                python, *go_on = shlex.split(last.split("resume with: ")[1])
                done = subprocess.run([sys.executable, *go_on], cwd=folder, env=environment, capture_output=True,
                                      text=True, timeout=600)
                assert python == "python" and done.returncode == 0, done.stderr
                equal += bits(folder, done.stdout) == undisturbed
        found[signal.Signals(number).name] = {"sent": sent, f"status {status} and the command": told, "equal": equal}
    return found


# Refused by the disk

def refused(epochs):
    """The last line of runs whose checkpoint cannot be written, by what is wrong; each must name the last good one."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def check(name, *arguments, good=None, **keywords):
            done = command(*arguments, **keywords)
            last = done.stderr.strip().splitlines()[-1]
            whole = good is None or archive.read(good)
            assert done.returncode == 2 and "Traceback" not in done.stderr and whole, done.stderr
            found[name] = last

        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, resource.RLIM_INFINITY))

        stopped = folder / "stopped"
        stopped.mkdir()
        run = Script(stopped, "--max_epochs", epochs)
        while saved_epoch(stopped) is None:
            time.sleep(.01)
        os.kill(run.process, signal.SIGKILL)
        run.watch()
        size = (stopped / "digits.npz").stat().st_size
        check("a limit of the size of files", "--max_epochs", epochs, "--resume", cwd=stopped, preexec_fn=limited,
              good=stopped / "digits.npz")
        (folder / "file").touch()
        check("a file where the folder should be", "--save_path", "file/digits.png", cwd=folder)
        check("a folder that the system keeps to itself", "--save_path", "/proc/digits.png", cwd=folder)
        disk = folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size * 3 // 2}", "tmpfs", disk]
        if os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0:
            try:
                shutil.copy(stopped / "digits.npz", disk)
                check("a full disk", "--max_epochs", epochs, "--resume", cwd=disk, good=disk / "digits.npz")
            finally:
                subprocess.run(["umount", disk], check=True)
        else:
            found["a full disk"] = "not tried: a tmpfs cannot be mounted here"
    return found


# Another number of threads

def other_threads(epochs):
    """How far two runs from one checkpoint are apart after an epoch with 1 thread and with 2: max |a - b| / max |a|."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        alone, together = folder / "1", folder / "2"
        alone.mkdir()
        run = Script(alone, "--max_epochs", epochs)
        while (saved_epoch(alone) or 0) < epochs - 1:
            time.sleep(.005)
        os.kill(run.process, signal.SIGKILL)
        run.watch()
        epoch = saved_epoch(alone)
        shutil.copytree(alone, together)
        said = {}
        for where, threads in ((alone, "1"), (together, "2")):
            done = command("--max_epochs", epochs, "--resume", cwd=where, environment={"OPENBLAS_NUM_THREADS": threads})
            assert done.returncode == 0, done.stderr
            said[threads] = "not bit for bit" in done.stderr
        a, b = (archive.read(where / "digits.npz")[1] for where in (alone, together))
    return {"epochs": epochs - epoch, "told": said == {"1": False, "2": True},
            **{name: float(np.abs(a[name] - b[name]).max() / np.abs(a[name]).max()) for name in ("theta_g", "theta_d")}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--signals", type=int, default=10, help="of each kind, default %(default)s")
    parser.add_argument("--epochs", type=int, default=8, help="of a run, default %(default)s")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--short", action="store_true", help="small files within which saves are killed, fewer checks")
    parser.add_argument("--seed", type=int, default=2014, help="of the moments")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    chosen = parser.parse_args()
    rng, start, found = random.Random(chosen.seed), time.monotonic(), {}
    if "lines" in chosen.only:
        report = None if chosen.json else functools.partial(print, file=sys.stderr, flush=True)
        found["interrupted at each line"] = interrupt_lines(report=report, **(BRIEF if chosen.short else {}))
    if set(chosen.only) > {"lines"} or "lines" not in chosen.only:
        found.update(disturb(chosen, rng))
    found["minutes"] = round((time.monotonic() - start) / 60, 1)
    if chosen.json:
        print(json.dumps(found))
    else:
        for name, rows in found.items():
            print(f"{name}: {rows}" if not isinstance(rows, dict) else
                  "\n  ".join([name, *(f"{what}: {number}" for what, number in rows.items())]))


def disturb(chosen, rng):
    """Disturb trainings of ``digits.py`` as the options `chosen` say, at moments drawn by `rng`; what was found."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)                    # the shell has it ignored by what it puts behind

    import common  # noqa: F401  its hook, and what the script needs, are loaded once for all forks

    import matplotlib.backends.backend_agg  # noqa: F401

    from npgan import checkpoint, initialisation, monitor, parzen, viewer  # noqa: F401
    sys.excepthook = sys.__excepthook__
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        length, checkpoints = 0, []
        for _ in range(1 if chosen.short else 2):                   # both are equal; the second is timed
            run = Script(folder, "--max_epochs", chosen.epochs)
            assert run.watch() == 0, run.told
            length = run.trained - run.began
            checkpoints.append(bits(folder, run.told))
        undisturbed = checkpoints[-1]
        assert checkpoints[0] == undisturbed
        header, arrays = archive.read(folder / "digits.npz")
        header = {name: value for name, value in header.items() if name not in ("version", "npgan", "sha256")}
    if chosen.short:
        header = {}
        arrays = {name: array[:20] for name, array in arrays.items() if ".history/" not in name}
    before, after = (header, arrays), (header, {name: array + array.dtype.type(1) for name, array in arrays.items()})
    found = {}
    if "saves" in chosen.only:
        found["within a save, at every system call"] = killed_at_system_calls(before, after)
        found["the power cut at every call of a save"] = power_cut(before, after)
    if "disks" in chosen.only:
        found["refused by the disk"] = refused(20)
    if "threads" in chosen.only:
        found["other threads"] = other_threads(4)
    if "signals" in chosen.only:
        found["signals"] = stopped(chosen.signals, chosen.epochs, undisturbed, rng)
    if "kills" in chosen.only:
        found["at random moments"] = killed_at_random(chosen.kills, chosen.epochs, undisturbed, length, rng)
    return found


if __name__ == "__main__":
    main()
