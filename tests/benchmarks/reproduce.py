"""
Runs every command that README.rst and the other .rst pages show, and compares what comes out with what they print.

Each command runs in full, as printed, in a fresh copy of the tree, with one BLAS thread unless the environment sets
another number.  It must end with the expected exit status and write the files that it names, and each number in
``printed_numbers.py`` must be in the pages and be the number that the command printed.  Data sets are found through
``NPGAN_DATA_PATH``.  Results stay below ``--output``.  A second call runs only the commands that have no result there
from the same code, so an interrupted call goes on where it was stopped.

    python tests/benchmarks/reproduce.py                                every command that takes minutes
    python tests/benchmarks/reproduce.py --only figure1.py --again      one script, anew
    python tests/benchmarks/reproduce.py --figures examples/figures     then replace shipped figures by those drawn

The exit status is 1 if a command failed or a number differs.
"""
import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from matplotlib import image
from printed_numbers import NUMBERS, SECONDS

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = "", "examples/", "examples/backprop_by_hand/", "tests/benchmarks/", "tests/"      # of the scripts
BLOCK = re.compile(r"(?:(?<=::\n\n)|(?<=:: sh\n\n)|(?<=:: bash\n\n)|(?<=:: console\n\n))"
                   r"(?:[ \t]+\S.*\n|[ \t]*\n)+")

# Commands that never run here, and commands that run with --long: a regular expression and the reason.
APART = {
    r"-m (pip|venv)\b": "changes the environment",
    r"--live\b": "opens a window",
    r"bench_gpu\.py": "needs an NVIDIA GPU",
    r"\b[A-Z]{3,}$": "a pattern, not a command",
    r"gradient_check_peers\.py|bench_scaling\.py --figure": "writes a part of the documentation",
    r"train_digits\.py": "a file to edit",
    r"reproduce\.py": "this script",
}
LONG = {
    r"(?<!_)mnist\.py(?!.*--diagnose)": "hours",
    r"coordination\.py": "a quarter of an hour",
    r"tfd\.py": "half an hour, many hours at full width",
    r"cifar10_\w+\.py": "minutes with --settings processor, days without",
    r"(conditional|completion|inference|semi_supervised)\.py": "a quarter to half an hour each on MNIST",
    r"-m pytest( --strict-backend)?$": "the whole test suite",
    r"(bench_\w+|crash|damage|fuzz|repeat|mutants)\.py": "minutes to hours",
}
STATUS = {r"check\.py(?!.*--solutions)": 1}             # in a fresh tree the exercises are not solved
MOVE_FIRST_WEIGHTS = """
import os, runpy, sys
import numpy
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
from npgan import mlp
build, stream = mlp.MLP.__init__, numpy.random.RandomState(7)
def build_and_move(self, *arguments, **keywords):
    build(self, *arguments, **keywords)
    self.theta += 1e-7 * stream.normal(size=self.theta.shape).astype(self.theta.dtype)
mlp.MLP.__init__ = build_and_move
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def commands(text):
    """
    Return the commands in a page, each once, in the page's order; commands joined by ``&&`` are separate.

    Commands are lines of literal blocks and inline literals.  A script may be named without ``python`` and without its
    folder.

    Parameters
    ----------
    text : str
        A page in reStructuredText.
    """
    text += "\n"
    shown = [(match.start(), line.strip()) for match in BLOCK.finditer(text) for line in match[0].splitlines()]
    rest = BLOCK.sub(lambda match: " " * len(match[0]), text)
    shown += [(match.start(), " ".join(match[1].split())) for match in re.finditer(r"``([^`]+)``", rest)]
    shown.sort(key=lambda place_and_line: place_and_line[0])
    found = [as_command(part) for _, line in shown for part in line.split(" && ")]
    return list(dict.fromkeys(filter(None, found)))


def as_command(line):
    """Return the command in `line`, with ``python`` and the path of its script, or None if `line` is no command."""
    prefix, python, rest = re.fullmatch(r"((?:\w+=\S+ )*(?:mpiexec (?:-\w+ \S+ )*)?)(python3? )?(.*)", line).groups()
    words = rest.split()
    if python and words[:1] == ["-m"]:
        return f"{prefix}python {rest}"
    if not words or not re.fullmatch(r"[\w/]+\.py", words[0]):
        return None
    for folder in FOLDERS:
        path = folder + words[0]
        if (ROOT / path).is_file() and (python or is_script(ROOT / path)):
            return f"{prefix}python {' '.join([path, *words[1:]])}"
    return None


def is_script(path):
    """Return whether a file is a script, which has options, prints, or tests ``__name__``, rather than a module."""
    source = path.read_text(encoding="utf-8")
    return "__main__" in source or re.search(r"^(print\(|chosen = )", source, re.M) is not None


def short_name(command):
    """Return a command without ``python`` and without the folder of its script."""
    return re.sub(r"\bpython (-m )?(\S+/(?=\S+\.py))?", "", command)


def makers(command, every):
    """Return the checkpoints that a command reads, a dict: the one of `every` that writes it, or None, by file name."""
    found = {}
    for path in re.findall(r"(?<!--save_path )\b[\w.]+\.npz", command):
        saving = [other for other in every if f"--save_path {path}" in other]
        saving += [other for other in every if other.endswith(f"/{Path(path).stem}.py")]
        found[path] = saving[0] if saving else None
    return found


def first_match(table, command):
    """Return the value in `table` of the first regular expression found in the command, or None."""
    return next((value for pattern, value in table.items() if re.search(pattern, command)), None)


class Runner:
    """Runs commands in fresh copies of a tree and keeps what they print and write below a folder, one folder each."""

    def __init__(self, output, root=ROOT):
        self.output, self.root = Path(output), root
        self.code = digest(root)

    def folder(self, command):
        """Return the folder of a command's results."""
        return self.output / re.sub(r"[^\w.=-]+", "_", short_name(command))

    def result(self, command):
        """Return the result of a command that ran to its end with the same code, a dict, or None."""
        path = self.folder(command) / "result.json"
        result = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return result if result.get("code") == self.code else None

    def text(self, command, name):
        """Return what a command printed to ``stdout`` or ``stderr``."""
        return (self.folder(command) / f"{name}.txt").read_text(encoding="utf-8", errors="replace")

    def run(self, command, read=(), words=None):
        """
        Run a command in a fresh copy of the tree, and keep its result, its output and its new files.

        Parameters
        ----------
        command : str
        read : dict
            Commands that ran before, by the files of theirs that this one reads.
        words : list of str, optional
            Run these in place of the command's own words.
        """
        folder = self.folder(command)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        assigned, own_words = split(command)
        with tempfile.TemporaryDirectory() as copy:
            tree = Path(copy)
            copy_tree(self.root, tree)
            for path, maker in dict(read).items():
                if (self.folder(maker) / "files" / path).is_file():     # otherwise the command says what is missing
                    shutil.copy(self.folder(maker) / "files" / path, tree / path)
            environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ, **assigned,
                           "PYTHONPATH": copy, "PYTHONDONTWRITEBYTECODE": "1"}
            before, start = contents(tree), time.monotonic()
            with open(folder / "stdout.txt", "wb") as stdout, open(folder / "stderr.txt", "wb") as stderr:
                try:
                    status = subprocess.run(words or own_words, cwd=tree, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=stdout, stderr=stderr).returncode
                except OSError as error:                                # such as a machine without mpiexec
                    status = 127
                    stderr.write(str(error).encode())
            seconds = time.monotonic() - start
            written = [path for path, stamp in contents(tree).items() if before.get(path) != stamp]
            for path in written:
                (folder / "files" / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(tree / path, folder / "files" / path)
        result = {"command": command, "status": status, "seconds": round(seconds, 1), "written": written,
                  "code": self.code}
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def digest(root):
    """Return a digest of the library's and the examples' code."""
    paths = sorted(path for folder in ("npgan", "examples") for path in (root / folder).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def split(command):
    """Return the environment variables that a command sets, and its words, with this Python in place of ``python``."""
    words = shlex.split(command)
    assigned = [word for word in words if re.match(r"[A-Z_]+=", word)]
    return (dict(word.split("=", 1) for word in assigned),
            [sys.executable if word == "python" else word for word in words[len(assigned):]])


def copy_tree(root, target):
    """Copy the files that git tracks or does not ignore, or all where there is no git, into an empty folder."""
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=root, capture_output=True)
    if listed.returncode:
        shutil.copytree(root, target, dirs_exist_ok=True)
    for path in filter(None, listed.stdout.decode().split("\0")):
        if (root / path).is_file():                                     # a deleted file is still listed
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, target / path)


def contents(tree):
    """Return the size and the time of each file below a folder, by its path from there."""
    return {path.relative_to(tree).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(tree.rglob("*")) if path.is_file() and ".pytest_cache" not in path.parts}


def announced(printed):
    """Return the names of the files that a script prints it wrote."""
    lines = [line.partition(";")[0] for line in re.findall(r"\bwrote (.*)", printed)]
    return [Path(name).name for line in lines for name in re.findall(r"[\w./-]+\.(?:png|gif|npz)\b", line)]


def differences(number, pages, printed):
    """Return, in words, each number of a `Number` that differs between the pages and a command's output."""
    found = []
    for where, text, pattern in (("the pages", pages, number.pages), ("the output", printed, number.output)):
        matches = {match.groups() for match in re.finditer(pattern, text)}
        if len(matches) != 1:
            return [f"{where}: {len(matches)} different matches of {pattern}"]
        found.append(matches.pop())
    bands = number.band if isinstance(number.band, tuple) else (number.band,) * len(found[0])
    wrong = []
    for wanted, came, band in zip(*found, bands):
        rounding = .5001 * 10. ** -len(wanted.partition(".")[2])
        if not abs(float(came.replace(",", "")) - float(wanted.replace(",", ""))) <= rounding + band:
            wrong.append(f"{wanted} in the pages, {came} came, band {band}")
    return wrong


def judge(command, runner, pages):
    """Return, in words, all that is wrong with a command that ran."""
    result, printed = runner.result(command), runner.text(command, "stdout")
    expected = first_match(STATUS, command) or 0
    if result["status"] != expected:
        last = last_line(runner.text(command, "stderr"))
        return [f"exit status {result['status']}, expected {expected}: {last}"]
    files = runner.folder(command) / "files"
    written = {Path(path).name for path in result["written"] if (files / path).stat().st_size}     # not empty
    wrong = [f"{name} was not written" for name in announced(printed) if name not in written]
    for number in NUMBERS:
        if number.command == short_name(command):
            wrong += differences(number, pages, one_line(printed))
    return wrong


def notes(command, runner, pages):
    """Return, in words, the pages' time for a command that ran, and each shipped figure that is not the drawn one."""
    times = re.findall(SECONDS.get(short_name(command), "(?!)"), pages)
    found = [f"{number} {unit} in the pages" for number, unit in times]
    found += [f"the shipped {shipped.name} is another"
              for drawn, shipped in figures(command, runner) if not same_picture(drawn, shipped)]
    return found


def figures(command, runner):
    """Return each figure that a command drew and of which one is shipped, with the shipped one, as pairs of paths."""
    pairs = []
    for path in runner.result(command)["written"]:
        name = Path(path).name
        if "--dataset" not in command or "--dataset ring" in command:
            name = name.replace("figure1_2d", "figure1_ring")
        for shipped in (ROOT / "examples/figures" / name, ROOT / "examples/figures" / f"figure2_{name}"):
            if shipped.suffix in (".png", ".gif") and shipped.is_file():
                pairs.append((runner.folder(command) / "files" / path, shipped))
    return pairs


def same_picture(one, other):
    """Return whether two pictures agree to 2 of 255 levels in each pixel, and two films in each byte."""
    if one.suffix == ".gif":
        return one.read_bytes() == other.read_bytes()
    one, other = image.imread(one), image.imread(other)
    return one.shape == other.shape and bool(np.abs(one - other).max() < 2.5 / 255)


def perturbations(command, runner, number):
    """
    Run an example that trains adversarial nets with `number` seeds, and once with its first weights moved by 1e-7.

    Return, in words, each run that failed or printed NaN; an empty list for other scripts, and for an example that took
    three minutes or more.
    """
    _, words = split(command)
    place = next((i for i, word in enumerate(words) if word.startswith("examples/")), None)
    if place is None or "npgan.adversarial" not in (ROOT / words[place]).read_text(encoding="utf-8"):
        return []
    if runner.result(command)["seconds"] >= 180:
        return []
    variants = {f"{command} --seed {seed}": None for seed in range(number)}
    variants[f"{command} (first weights moved)"] = [sys.executable, "-c", MOVE_FIRST_WEIGHTS, *words[place:]]
    wrong = []
    for variant, words in variants.items():
        if not runner.result(variant):
            runner.run(variant, words=words)
        status, printed = runner.result(variant)["status"], runner.text(variant, "stdout")
        if status or re.search(r"\bnan\b", printed, re.I):
            wrong.append(f"{short_name(variant)}: exit status {status}: {last_line(runner.text(variant, 'stderr'))}")
    return wrong


def last_line(text):
    """Return the last line of a text."""
    return text.strip().rpartition("\n")[2]


def one_line(text):
    """Return a text with each run of white space replaced by one space, and without ``**``."""
    return " ".join(text.replace("**", "").split())


def read_pages(root=ROOT):
    """Return the text of every .rst page below the tree's root and its folders, in one list."""
    folders = [root / name for name in ("data", "examples", "tests")]
    paths = [*root.glob("*.rst"), *(path for folder in folders for path in folder.rglob("*.rst"))]
    return [path.read_text(encoding="utf-8") for path in sorted(paths)]


def choose(every, chosen):
    """Return the commands to run, each after those whose files it reads, and a dict: the reason to leave one out."""
    wanted, apart = [], {}
    for command in every:
        if chosen.only and not any(word in short_name(command) for word in chosen.only):
            continue
        read = makers(command, every)
        reasons = [first_match(APART, command)]
        if None in read.values():
            reasons.append(f"no command in the pages writes {' '.join(read)}")
        elif not chosen.long:
            reasons += [first_match(LONG, each) for each in (command, *read.values())]
        if any(reasons):
            apart[short_name(command)] = next(filter(None, reasons))
        else:
            wanted += [*read.values(), command]
    return list(dict.fromkeys(wanted)), apart


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only commands that contain one of these words")
    parser.add_argument("--long", action="store_true", help="also the commands that take long")
    parser.add_argument("--jobs", type=int, default=1, help="commands at a time, default %(default)s")
    parser.add_argument("--output", default=Path(tempfile.gettempdir()) / "npgan_reproduce", type=Path,
                        help="where results are kept, default %(default)s")
    parser.add_argument("--again", action="store_true", help="run also what has a result there")
    parser.add_argument("--figures", type=Path, metavar="FOLDER", help="copy the drawn figures that are shipped there")
    parser.add_argument("--seeds", type=int, metavar="N", help="also run the examples that train adversarial nets in "
                        "less than three minutes with N seeds and with moved first weights: none may reach NaN")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    chosen, pages = parser.parse_args(arguments), read_pages()
    shown = [each for page in pages for each in commands(page)] + [as_command(number.command) for number in NUMBERS]
    every = list(dict.fromkeys(shown))
    wanted, apart = choose(every, chosen)
    runner, text = Runner(chosen.output), one_line(" ".join(pages))

    def row(command):
        """Run a command unless it has a result, and return its row of the table, a dict."""
        if chosen.again or not runner.result(command):
            runner.run(command, makers(command, every))
        wrong = judge(command, runner, text)
        if chosen.seeds:
            wrong += perturbations(command, runner, chosen.seeds)
        result = runner.result(command)
        if not chosen.json:
            print(f"{short_name(command):<60}{result['seconds']:8.1f} s  {result['status']:>3}  "
                  f"{'; '.join(wrong) or 'as in the pages'}", *notes(command, runner, text), sep="\n    ", flush=True)
        return {**result, "wrong": wrong, "notes": notes(command, runner, text)}

    first = [command for command in wanted if any(command in makers(other, every).values() for other in wanted)]
    with ThreadPoolExecutor(chosen.jobs) as pool:
        found = list(pool.map(row, first)) + list(pool.map(row, [each for each in wanted if each not in first]))
    if chosen.figures:
        for drawn, shipped in (pair for command in wanted for pair in figures(command, runner)):
            shutil.copy(drawn, chosen.figures / shipped.name)
    if chosen.json:
        print(json.dumps({"commands": found, "apart": apart}))
    else:
        print("\nNot run:", *(f"{name:<60}{reason}" for name, reason in apart.items()), sep="\n")
    return int(any(each["wrong"] for each in found))


if __name__ == "__main__":
    sys.exit(main())
