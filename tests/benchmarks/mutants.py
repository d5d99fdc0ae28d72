"""
Plants small faults in the rooms of npgan, one at a time, and counts the faults that the tests notice.

A fault, or mutant, is one changed operator, comparison or constant: + becomes -, < becomes <= or >=, 1 becomes 2.
Every mutant is drawn with a seed, is written into a copy of the tree, and is run against the tests of its room.  A
mutant is noticed if a test fails, or if the tests hang; the survivors are printed with file, line and change.  With
`--results` the outcomes are kept in a file, and the same command continues an interrupted run.

Docstrings, annotations, error messages and everything else within ``raise`` and ``warnings.warn`` are left alone, and
so are strings: no test should notice such a change.  A survivor is not always a gap in the tests: a mutant can be
equivalent (``n >= 1`` for whole numbers n > 0), or it can change the speed only.
"""
import argparse
import ast
import copy
import hashlib
import json
import os
import queue
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from importlib.util import cache_from_source
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Each room: its files in npgan/, and the tests that should notice a fault there, fastest first.
ROOMS = {
    "layers": ("checks.py layer.py layers.py", "test_layer test_layers"),
    "costs": ("costs.py released/costs.py", "test_costs"),
    "mlp": ("mlp.py", "test_mlp test_layer"),
    "adversarial": ("generator.py adversarial.py", "test_adversarial"),
    "learning_rule": ("learning_rule.py schedules.py", "test_learning_rule"),
    "parzen": ("parzen.py", "test_parzen"),
    "conv": ("conv.py transpose.py", "test_conv"),
    "kernels": ("kernels/*.py", "test_blas test_threads test_learning_rule test_parzen test_conv"),
    "train": ("train.py", "test_train"),
}

SWAPS = {
    ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div], ast.Div: [ast.Mult], ast.FloorDiv: [ast.Mult],
    ast.Mod: [ast.FloorDiv], ast.Pow: [ast.Mult], ast.LShift: [ast.RShift], ast.RShift: [ast.LShift],
    ast.BitAnd: [ast.BitOr], ast.BitOr: [ast.BitAnd], ast.BitXor: [ast.BitOr], ast.And: [ast.Or], ast.Or: [ast.And],
    ast.Lt: [ast.LtE, ast.GtE], ast.LtE: [ast.Lt, ast.Gt], ast.Gt: [ast.GtE, ast.LtE], ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.Is: [ast.IsNot], ast.IsNot: [ast.Is], ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
MEMORY = 6 * 2**30                          # bytes of address space for the tests of one mutant
SLOWEST = 5                                 # a mutant hangs if its tests take so many times as long as without it

Mutant = namedtuple("Mutant", "room file line change source")          # source: the whole file, mutated


class Candidates(ast.NodeVisitor):
    """The places of a module where a mutant can be planted: (node, replacement) in `found`."""

    def __init__(self):
        self.found = []

    def offer(self, node, **changes):
        replacement = copy.deepcopy(node)
        for name, value in changes.items():
            setattr(replacement, name, value)
        self.found.append((node, replacement))

    def visit_BinOp(self, node):
        text = [side for side in (node.left, node.right)
                if isinstance(side, ast.JoinedStr) or isinstance(getattr(side, "value", None), str)]
        if not text:
            for swap in SWAPS.get(type(node.op), []):
                self.offer(node, op=swap())
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        for swap in SWAPS.get(type(node.op), []):
            self.offer(node, op=swap())
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        self.offer(node, op=SWAPS[type(node.op)][0]())
        self.generic_visit(node)

    def visit_Compare(self, node):
        for i, op in enumerate(node.ops):
            for swap in SWAPS[type(op)]:
                self.offer(node, ops=[*node.ops[:i], swap(), *node.ops[i + 1:]])
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, (ast.Not, ast.USub)):
            self.found.append((node, node.operand))
        self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, bool):
            self.offer(node, value=not node.value)
        elif isinstance(node.value, (int, float)):
            self.offer(node, value=node.value + 1)

    def visit_Call(self, node):
        if ast.unparse(node.func) != "warnings.warn":
            self.generic_visit(node)

    def visit_FunctionDef(self, node):
        for part in [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(part)

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    def visit_Raise(self, node):
        pass

    def visit_JoinedStr(self, node):
        pass


class Planted(ast.NodeTransformer):
    """Puts `replacement` where `node` stands."""

    def __init__(self, node, replacement):
        self.node, self.replacement = node, replacement

    def visit(self, node):
        return self.replacement if node is self.node else self.generic_visit(node)


def files_of(room, tree):
    """Return the paths of the room's files in the `tree`."""
    patterns, _ = ROOMS[room]
    return sorted(path for pattern in patterns.split() for path in (tree / "npgan").glob(pattern))


def mutants_of(room, seed, number):
    """Draw `number` mutants of the room, or all of them if the room has fewer."""
    candidates = []
    for path in files_of(room, ROOT):
        module, visitor = ast.parse(path.read_text(encoding="utf-8")), Candidates()
        visitor.visit(module)
        candidates += [(path, module, node, replacement) for node, replacement in visitor.found]
    random.Random(f"{seed} {room}").shuffle(candidates)
    return [mutant_of(room, *candidate) for candidate in candidates[:number]]


def mutant_of(room, path, module, node, replacement):
    """Return the mutant of a `module` that has the `replacement` where `node` stands."""
    change = f"{ast.unparse(node)} -> {ast.unparse(replacement)}"
    if isinstance(node, ast.Constant):
        change += f" in {path.read_text(encoding='utf-8').splitlines()[node.lineno - 1].strip()}"
    mutated = copy.deepcopy(module, {id(node): node})               # a copy around the node itself
    mutated = Planted(node, replacement).visit(mutated)
    return Mutant(room, path.relative_to(ROOT).as_posix(), node.lineno, change, ast.unparse(mutated))


def copy_tree(folder):
    """Copy the tree into `folder`; the rooms' files lose their comments there, as the mutants do."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", "__pycache__", ".*cache", ".hypothesis"))
    for room in ROOMS:
        for path in files_of(room, folder):
            path.write_text(ast.unparse(ast.parse(path.read_text(encoding="utf-8"))), encoding="utf-8")


def run_tests(room, tree, limit=None):
    """Run the room's tests in the `tree`; return "passed", "failed" or "hung", their output and the seconds."""
    _, tests = ROOMS[room]
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:cacheprovider",
               *(f"tests/{name}.py" for name in tests.split())]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=tree, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, start_new_session=True,
                               preexec_fn=limit_memory)
    try:
        output, _ = process.communicate(timeout=limit)
        outcome = "failed" if process.returncode else "passed"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)                      # the processes that the tests started as well
        output, _ = process.communicate()
        outcome = "hung"
    return outcome, output, time.perf_counter() - start


def limit_memory():
    """In the child: stop a mutant that would fill the machine's memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def time_limit(room, tree):
    """Return the seconds after which a mutant of the room counts as hanging."""
    outcome, output, seconds = run_tests(room, tree)
    if outcome != "passed":
        raise SystemExit(f"the tests of {room} must pass before a mutant is planted:\n{output}")
    return max(30, SLOWEST * seconds)


def try_out(mutant, tree, limit):
    """Plant the mutant in the copy `tree`, run its room's tests, and remove the mutant; return outcome and seconds."""
    path = tree / mutant.file
    before = path.read_text(encoding="utf-8")
    compiled = Path(cache_from_source(path))
    compiled.unlink(missing_ok=True)            # compiled code is known by size and second, which a mutant may share
    path.write_text(mutant.source, encoding="utf-8")
    try:
        outcome, _, seconds = run_tests(mutant.room, tree, limit)
    finally:
        path.write_text(before, encoding="utf-8")
        compiled.unlink(missing_ok=True)
    return outcome, seconds


def digest_of_tree():
    """Return a digest of npgan/ and tests/: outcomes count only for the state in which they were found."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "npgan").rglob("*.py"), *(ROOT / "tests").glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def measure(mutants, jobs, results):
    """Return a record of each mutant; append the new records to the file `results`, one JSON object a line."""
    tree_digest = digest_of_tree()

    def key(mutant):
        return hashlib.sha256((tree_digest + mutant.room + mutant.source).encode()).hexdigest()

    known = {}
    if results.exists():
        known = {record["key"]: record for record in map(json.loads, results.read_text(encoding="utf-8").splitlines())}
    todo = [mutant for mutant in mutants if key(mutant) not in known]
    free_trees, limits = queue.SimpleQueue(), {}

    def with_tree(function, *args):
        tree = free_trees.get()
        try:
            return function(*args, tree)
        finally:
            free_trees.put(tree)

    def record(mutant):
        outcome, seconds = with_tree(lambda tree: try_out(mutant, tree, limits[mutant.room]))
        found = {"key": key(mutant), "room": mutant.room, "file": mutant.file, "line": mutant.line,
                 "change": mutant.change, "outcome": outcome, "seconds": round(seconds, 1)}
        known[found["key"]] = found
        print(json.dumps(found), file=lines, flush=True)
        print(f"{mutant.file}:{mutant.line}  {mutant.change}: {outcome}, {seconds:.1f} s", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as scratch, open(results, "a", encoding="utf-8") as lines, \
            ThreadPoolExecutor(jobs) as pool:
        for i in range(jobs):
            copy_tree(Path(scratch, str(i)))
            free_trees.put(Path(scratch, str(i)))
        try:
            rooms = sorted({mutant.room for mutant in todo})
            limits.update(zip(rooms, pool.map(lambda room: with_tree(time_limit, room), rooms)))
            list(pool.map(record, todo))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [known[key(mutant)] for mutant in mutants]


def shares(records):
    """Count, by room and in all, the mutants planted and noticed."""
    found = {}
    for record in records:
        for name in record["room"], "all":
            row = found.setdefault(name, {"planted": 0, "noticed": 0})
            row["planted"] += 1
            row["noticed"] += record["outcome"] != "passed"
    found["all"] = found.pop("all")                                 # the last line
    return found


def show(records):
    """Print the table of rooms, and the mutants that survived."""
    print(f"{'room':14}{'planted':>9}{'noticed':>9}{'share':>9}")
    for name, row in shares(records).items():
        print(f"{name:14}{row['planted']:9}{row['noticed']:9}{row['noticed'] / row['planted']:9.1%}")
    print("\nnot noticed:")
    for record in sorted((record for record in records if record["outcome"] == "passed"),
                         key=lambda record: (record["file"], record["line"])):
        print(f"{record['file']}:{record['line']}  {record['change']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=200, help="mutants in all, the same number in each room")
    parser.add_argument("--only", choices=ROOMS, metavar="ROOM", help=f"plant them in one of {', '.join(ROOMS)}")
    parser.add_argument("--seed", type=int, default=2014)
    parser.add_argument("--jobs", type=int, default=1, help="mutants tried at the same time")
    parser.add_argument("--results", type=Path, help="keep the outcomes in this file, and continue from it")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    chosen = parser.parse_args()
    rooms = [chosen.only] if chosen.only else list(ROOMS)
    mutants = []
    for i, room in enumerate(rooms):
        mutants += mutants_of(room, chosen.seed, (chosen.number + i) // len(rooms))
    results = chosen.results or Path(tempfile.mkdtemp(), "results")
    records = measure(mutants, chosen.jobs, results)
    if chosen.json:
        print(json.dumps({"seed": chosen.seed, "rooms": shares(records), "mutants": records}))
    else:
        show(records)


if __name__ == "__main__":
    main()
