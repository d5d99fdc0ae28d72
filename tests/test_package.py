"""The package as a whole: what importing it brings in, what it carries with it, how its tree is laid out."""
import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import npgan

PACKAGE = Path(npgan.__file__).parent
TREE = PACKAGE.parent


def python(code, cwd):
    """What a fresh interpreter in another folder prints, with no data folder of the user's."""
    path = f"{TREE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "PYTHONPATH": path, "NPGAN_DATA_PATH": ""}
    run = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_only_the_viewer_imports_matplotlib(tmp_path):
    paths = [path.relative_to(TREE) for path in PACKAGE.rglob("*.py")]
    rooms = {".".join(path.with_suffix("").parts) for path in paths if path.stem != "__init__"} - {"npgan.viewer"}
    assert {"npgan.backend", "npgan.datasets.digits"} < rooms
    assert python(f"import sys, {', '.join(rooms)}; print('matplotlib' in sys.modules)", tmp_path) == "False"


# The direction of imports.  A room is a module of npgan/, or a package with all its modules.

BELOW = {"section7", "released", "checkpoint", "mpi"}           # rooms that the paper's own mathematics does not import


def imported_rooms(path):
    """Return the rooms of npgan that a module imports anywhere, in its functions too."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("npgan.")}


@pytest.fixture(scope="module")
def imports():
    """The rooms that each room imports."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        found[room] = found.get(room, set()) | imported_rooms(path) - {room}
    del found["__init__"]
    return found


def test_imports_run_one_way_on_at_most_8_floors(imports):
    """A room stands one floor above the highest room that it imports; rooms that import each other have no floor."""
    left, floors = dict(imports), 0
    while left:
        floor = {room for room, others in left.items() if not others & set(left)}
        assert floor, f"these rooms import each other: {left}"
        left = {room: others for room, others in left.items() if room not in floor}
        floors += 1
    assert floors <= 8


def test_the_papers_mathematics_imports_nothing_built_on_it(imports):
    first_storey = {path.stem for path in PACKAGE.glob("*.py")} - BELOW - {"__init__"}
    assert {"adversarial", "conv", "parzen", "train"} < first_storey
    assert not {(room, other) for room in first_storey for other in imports[room] & BELOW}


def test_nothing_runs_what_a_file_says():
    """No pickles, no code made of text, no processes: neither in npgan nor in its scripts but the course's grader."""
    forbidden = {"eval", "exec", "compile", "__import__", "pickle", "marshal", "shelve", "dill", "joblib", "subprocess",
                 "system", "popen", "yaml", "runpy"}
    paths = [*PACKAGE.rglob("*.py"), *(TREE / "examples").glob("*.py")]
    assert len(paths) > 40
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = {getattr(node, name, None) for name in ("id", "attr", "module", "name")}
            assert not names & forbidden, f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".load", "read_array", "write_array")):
                arguments = [word.arg for word in node.keywords]
                assert not ast.unparse(node).startswith("np.") or "allow_pickle" in arguments, f"{path}:{node.lineno}"


def test_digits_are_found_from_anywhere(tmp_path):
    assert python("from npgan.datasets import digits; print(len(digits.load('train')))", tmp_path) == "1197"


@pytest.mark.skipif(not (TREE / ".git").exists() or shutil.which("git") is None, reason="not a git checkout")
def test_tree_holds_what_it_should():
    listing = subprocess.run(["git", "ls-files"], cwd=TREE, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip(f"git does not read this checkout: {listing.stderr.strip()}")
    found = {file.split("/")[0] for file in listing.stdout.splitlines() if not file.startswith(".")}
    assert found == {"setup.py", "README.rst", "LICENSE", "npgan", "examples", "tests", "data"}
