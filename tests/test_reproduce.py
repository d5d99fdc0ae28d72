"""The documented commands are found, run and compared with what the pages print."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

BENCHMARKS = Path(__file__).with_name("benchmarks")
sys.path.insert(0, str(BENCHMARKS))
import printed_numbers  # noqa: E402
import reproduce  # noqa: E402
from printed_numbers import Number  # noqa: E402

PAGE = """
Run ``python examples/toy.py --seed
3`` or ``examples/digits.py``; ``digits.py --max_epochs 4`` is shorter, and ``npgan/mlp.py`` is no script::

    python -m pip install . && python examples/digits.py
    pages and other lines

.. code-block:: python

    python = "python examples/theory.py"

``OPENBLAS_CORETYPE=Haswell python examples/figure1.py``, ``mpiexec -n 2 python examples/mnist.py`` and ``--long``.
"""


def test_commands_are_found_in_literals_and_literal_blocks():
    assert reproduce.commands(PAGE) == [
        "python examples/toy.py --seed 3", "python examples/digits.py", "python examples/digits.py --max_epochs 4",
        "python -m pip install .", "OPENBLAS_CORETYPE=Haswell python examples/figure1.py",
        "mpiexec -n 2 python examples/mnist.py"]


def test_every_page_is_read_and_every_example_is_shown():
    found = {command for page in reproduce.read_pages() for command in reproduce.commands(page)}
    for name in ("digits", "figure1", "figure1_2d", "helvetica", "mnist", "sick_games", "theory", "sharp"):
        assert f"python examples/{name}.py" in found
    assert "python examples/backprop_by_hand/check.py gan" in found
    assert any("--learning_rate .2 --max_epochs 60 --seed 1 --save_path seed1.npz" in command for command in found)


@pytest.mark.parametrize("number", printed_numbers.NUMBERS, ids=lambda number: number.command)
def test_every_row_of_the_table_finds_its_numbers_in_the_pages(number):
    assert reproduce.as_command(number.command)
    pages = reproduce.one_line(" ".join(reproduce.read_pages()))
    found = {match.groups() for match in re.finditer(number.pages, pages)}
    assert len(found) == 1
    bands = number.band if isinstance(number.band, tuple) else [number.band] * len(*found)
    assert len(*found) == len(bands) == re.compile(number.output).groups


@pytest.mark.parametrize("came, band, right", [
    ("22.31", 0, True), ("22.34", 0, True), ("22.36", 0, False), ("22.24", 0, False), ("-22.3", 0, False),
    ("23.3", 1, True), ("23.4", 1, False), ("nan", 1, False)])
def test_a_number_agrees_when_it_rounds_to_the_digits_in_the_pages_or_lies_in_the_band(came, band, right):
    number = Number("digits.py", r"nets (\S+) nats", r"samples: (\S+)", band)
    wrong = reproduce.differences(number, "The nets 22.3 nats.", f"samples: {came}")
    assert wrong == ([] if right else [f"22.3 in the pages, {came} came, band {band}"])


def test_a_number_that_left_the_pages_or_the_output_is_reported():
    number = Number("digits.py", r"nets (\S+) nats", r"samples: (\S+)")
    for pages, printed, told in (("no nets", "samples: 1", f"the pages: 0 different matches of {number.pages}"),
                                 ("nets 1 nats", "x", f"the output: 0 different matches of {number.output}"),
                                 ("nets 1 nats nets 2 nats", "samples: 1",
                                  f"the pages: 2 different matches of {number.pages}")):
        assert reproduce.differences(number, pages, printed) == [told]


def test_files_announced_by_a_script_are_found():
    printed = "epoch 3\nORL: wrote a.npz and /tmp/b.png after 5 updates\nwrote c.gif; rows of d.png\n"
    assert reproduce.announced(printed) == ["a.npz", "b.png", "c.gif"]


def test_a_checkpoint_leads_to_the_command_that_writes_it():
    every = ["python examples/mnist.py --seed 1 --save_path seed1.npz", "python examples/mnist.py",
             "python examples/parzen_ll.py seed1.npz", "python examples/parzen_ll.py mnist.npz"]
    assert reproduce.makers(every[2], every) == {"seed1.npz": every[0]}
    assert reproduce.makers(every[3], every) == {"mnist.npz": every[1]}
    assert reproduce.makers("python examples/parzen_ll.py nope.npz", every) == {"nope.npz": None}
    assert reproduce.makers(every[0], every) == {}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small tree with a page and three scripts, of which one fails; `reproduce` works on it."""
    root = tmp_path / "tree"
    (root / "examples").mkdir(parents=True)
    (root / "README.rst").write_text("``python examples/fails.py``, ``python examples/works.py`` gives 1.5 nats and "
                                     "``python examples/reads.py works.npz`` 7.\n")
    (root / "examples/works.py").write_text("open('works.npz', 'w').write('7')\nprint('1.5 nats\\nwrote works.npz')")
    (root / "examples/fails.py").write_text("print('wrote nothing.png')\nraise SystemExit('out of luck')")
    (root / "examples/reads.py").write_text("import sys\nprint('read', open(sys.argv[1]).read(), 'wrote gone.png')")
    monkeypatch.setattr(reproduce, "ROOT", root)
    monkeypatch.setattr(reproduce, "NUMBERS", [Number("works.py", r"gives (\S+) nats", r"(\S+) nats")])
    monkeypatch.setattr(reproduce.read_pages, "__defaults__", (root,))
    monkeypatch.setattr(reproduce.Runner.__init__, "__defaults__", (root,))
    return root


def rows(tmp_path, capsys, *arguments):
    """Run `reproduce` and return its exit status and the rows of its JSON by command."""
    status = reproduce.main(["--output", str(tmp_path / "output"), "--json", *arguments])
    told = json.loads(capsys.readouterr().out)
    return status, {reproduce.short_name(row["command"]): row for row in told["commands"]}


def test_a_command_that_fails_stops_no_other(tree, tmp_path, capsys):
    before = sorted(path for path in tree.rglob("*"))
    status, found = rows(tmp_path, capsys)
    assert status == 1
    assert found["fails.py"]["wrong"] == ["exit status 1, expected 0: out of luck"]
    assert found["works.py"]["wrong"] == [] and found["works.py"]["written"] == ["works.npz"]
    assert found["reads.py works.npz"]["wrong"] == ["gone.png was not written"]
    assert sorted(path for path in tree.rglob("*")) == before                       # scripts run in a copy


def test_a_wrong_number_in_the_pages_is_found(tree, tmp_path, capsys):
    assert rows(tmp_path, capsys, "--only", "works.py")[0] == 0
    page = tree / "README.rst"
    page.write_text(page.read_text().replace("1.5", "1.6"))
    status, found = rows(tmp_path, capsys, "--only", "works.py")
    assert status == 1 and found["works.py"]["wrong"] == ["1.6 in the pages, 1.5 came, band 0"]


def test_a_second_call_runs_only_what_has_no_result_from_the_same_code(tree, tmp_path, capsys):
    calls = tmp_path / "calls"
    works = tree / "examples/works.py"
    works.write_text(works.read_text() + f"\nopen({str(calls)!r}, 'a').write('1')")
    rows(tmp_path, capsys, "--only", "works.py")
    assert rows(tmp_path, capsys)[1]["works.py"]["wrong"] == [] and calls.read_text() == "1"
    rows(tmp_path, capsys, "--only", "works.py", "--again")
    assert calls.read_text() == "11"
    works.write_text("print('2.5 nats')")
    assert rows(tmp_path, capsys)[1]["works.py"]["wrong"] == ["1.5 in the pages, 2.5 came, band 0"]


def test_pictures_agree_within_two_levels(tmp_path):
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    picture = np.full((2, 3, 3), 100, np.uint8)
    image.imsave(one, picture)
    for level, same in ((100, True), (102, True), (103, False)):
        picture[1, 1, 1] = level
        image.imsave(other, picture)
        assert reproduce.same_picture(one, other) is same
    image.imsave(other, picture[:1])
    assert not reproduce.same_picture(one, other)


def test_moved_first_weights_are_those_of_every_net(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from npgan import backend, layers, mlp\n"
                      "net = mlp.MLP([layers.Linear(2, 1, .05, backend.RandomStream(0))])\n"
                      "print(*net.theta)")
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parents[1]), "NPGAN_BACKEND": ""}
    printed = [subprocess.run([sys.executable, *words, str(script)], capture_output=True, text=True, env=environment,
                              check=True).stdout.split() for words in ([], ["-c", reproduce.MOVE_FIRST_WEIGHTS])]
    assert all(0 < abs(float(one) - float(other)) < 1e-6 for one, other in zip(*printed))
