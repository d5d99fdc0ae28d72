"""
What the benchmarks share: ways of doing one thing are timed in turns, each in a process of its own.

BLAS libraries leave their threads spinning for a while, and two in one process fight for the cores.  So each way is a
child process that waits for its turn; a round is one turn of every way, after a pause in which the last one's threads
go to sleep.  All get the same number of threads.  Ratios are taken within a round.
"""
import argparse
import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from importlib import metadata

VARIABLES = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"


def optional(name):
    """The module `name`, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def options(description, **more):
    """The benchmark's arguments, read from the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=cores(), help="of BLAS and of the peers")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    for name, default in more.items():
        if default is False:
            parser.add_argument(f"--{name.replace('_', '-')}", action="store_true")
        else:
            parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()


def answer(question):
    """In a child: what `question` returns, whenever a line comes."""
    print(json.dumps("ready"), flush=True)
    for _ in sys.stdin:
        print(json.dumps(question()), flush=True)


def serve(function, repeat):
    """In a child: `repeat` timed calls of `function` at each turn, after two that are not counted."""
    def turn():
        seconds = []
        for _ in range(repeat + 2):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds[2:], "peak": peak()}

    turn()
    answer(turn)


def peak():
    """The most bytes that this process has held; only Linux leaves out what its parent held when it began."""
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def in_turns(names, chosen, pause=.3):
    """The answers of one child per name, `chosen.rounds` each."""
    environment = {**os.environ, **dict.fromkeys(VARIABLES, str(chosen.threads))}
    children = {}
    for name in names:
        command = [sys.executable, sys.argv[0], "--serve", name, "--threads", str(chosen.threads)]
        command += [f"--{key.replace('_', '-')}" if value is True else f"--{key}={value}"
                    for key, value in vars(chosen).items()
                    if key not in ("serve", "threads", "json") and value is not None and value is not False]
        children[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                          env=environment)
        if not children[name].stdout.readline():
            raise SystemExit(f"{name} did not start")
    answers = {name: [] for name in names}
    for _ in range(chosen.rounds):
        for name, child in children.items():
            time.sleep(pause)
            child.stdin.write("\n")
            child.stdin.flush()
            answers[name].append(json.loads(child.stdout.readline()))
    for child in children.values():
        child.stdin.close()
        child.wait()
    return answers


def spread(values):
    """Minimum, median and maximum."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def summary(answers, floor):
    """Of each way: milliseconds, the ratio to `floor` round by round, and the process's peak memory in MB."""
    medians = {name: [statistics.median(answer["seconds"]) for answer in of] for name, of in answers.items()}
    return {name: {"ms": spread([1e3 * s for s in of]), "ratio": spread([s / f for s, f in zip(of, medians[floor])]),
                   "peak MB": max(answer["peak"] for answer in answers[name]) / 1e6}
            for name, of in medians.items()}


def table(found, floor):
    """Prints a `summary`."""
    print(f"{'':34}{'milliseconds':>25}  {'times ' + floor:>25}")
    print(f"{'':34}" + f"{'median':>9}{'min':>8}{'max':>8}  " * 2 + "peak MB")
    for name, row in found.items():
        print(f"{name:34}" + "  ".join(f"{row[part]['median']:9.2f}{row[part]['min']:8.2f}{row[part]['max']:8.2f}"
                                       for part in ("ms", "ratio")) + f"{row['peak MB']:9.0f}")


def machine(threads):
    """Where and with what this ran."""
    versions = {}
    for name in "numpy", "scipy", "torch", "jax":
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)             # without the seconds that an import of torch takes
    return {"python": platform.python_version(), **versions, "processor": processor(), "cores": os.cpu_count(),
            "threads": threads}


def processor():
    """The processor's name, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
