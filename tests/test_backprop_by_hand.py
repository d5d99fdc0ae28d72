"""The course: its solutions are right, each mistake planted is called by its name, and others are not."""
import ast
import doctest
import importlib
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from differences import central_difference
from matplotlib.image import imread
from numpy.testing import assert_allclose

ROOT = Path(__file__).resolve().parents[1]
COURSE = ROOT / "examples" / "backprop_by_hand"
sys.path.insert(0, str(COURSE))
from grading import EXERCISES, grader, written  # noqa: E402
from players import Affine, Maxout, Player, Rectifier, Sigmoid  # noqa: E402
from train_digits import nets  # noqa: E402

STEMS = {task.name: exercise.stem for exercise in EXERCISES for task in exercise.tasks}
TASKS = {task.name: task for exercise in EXERCISES for task in exercise.tasks}
SOLUTIONS = written.Written(COURSE / "solutions")


def process(*arguments, cwd=None):
    """The finished process of check.py."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, COURSE / "check.py", *map(str, arguments)], cwd=cwd, env=env,
                          capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture
def check(capsys, monkeypatch):
    """check.py's main, run within this process: its exit status and what it printed."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)              # which examples/script_errors.py replaces
    main = importlib.import_module("check").main

    def run(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        return SimpleNamespace(returncode=status, stdout=said.out, stderr=said.err)

    return run


def planted(folder, code):
    """A folder of solutions, in which the function that `code` defines is another."""
    name = re.search(r"def (\w+)", code)[1]
    shutil.copytree(COURSE / "solutions", folder, dirs_exist_ok=True)
    with (folder / f"{STEMS[name]}.py").open("a") as file:
        file.write(f"\n\nimport numpy as np\n\n{code}\n")
    return name, written.Written(folder)


def verdict(folder, code):
    name, answers_of = planted(folder, code)
    return grader.grade(TASKS[name], STEMS[name], answers_of)


# The solutions

@pytest.mark.parametrize("name", TASKS)
def test_the_solution_is_right(name):
    found = grader.grade(TASKS[name], STEMS[name], SOLUTIONS)
    assert found.status == written.RIGHT, found
    assert ("slopes agree" in found.paragraphs[0]) == (TASKS[name].slopes is not None)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_an_exercise_fits_on_a_screen_and_its_worked_numbers_are_right(exercise):
    text = (COURSE / f"{exercise.stem}.py").read_text()
    assert len(text.splitlines()) <= 56
    solved = {"np": np, **vars(SOLUTIONS.load(exercise.stem))}
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert [f.name for f in functions] == [task.name for task in exercise.tasks]
    for function in functions:
        worked = doctest.DocTestParser().get_doctest(ast.get_docstring(function), solved, function.name, None, 0)
        assert worked.examples
        assert doctest.DocTestRunner(verbose=False).run(worked).failed == 0


# Mistakes that it knows.  Each is written as a learner would, none as the grader alters the right answer.

GAME = """
def algorithm_1(G, D, data, noise, num_iterations, k):
    from ex08_two_players import discriminator_grad, generator_grad
    for _ in range(num_iterations):
        for _ in range(k):
            z, x = noise(), data()
            a = D.fprop(np.concatenate([x, G.fprop(z)]))
            D.bprop(np.concatenate(discriminator_grad(a[:len(x)], a[len(x):])))
            D.descend()
        a = D.fprop(G.fprop(noise()))
        G.bprop(D.bprop(generator_grad(a)))
        G.descend()
"""
CONVOLUTION = """
def convolution_bprop(dz, s, W):
    ds, dW = np.zeros_like(s), np.zeros_like(W)
    I, J = dz.shape[1:3]
    for r in range(len(W)):
        for q in range(len(W[0])):
            dW[r, q] = np.einsum("eijc,eijn->cn", s[:, r:r + I, q:q + J], dz)
            ds[:, r:r + I, q:q + J] += dz @ W[r, q].T
    return ds, dW
"""
PARZEN = """
def log_likelihood(x, samples, sigma):
    c = -((x[:, None] - samples) ** 2).sum(axis=2) / (2 * sigma ** 2)
    o = c.max(axis=1, keepdims=True)
    d = x.shape[1]
    return o[:, 0] + np.log(np.exp(c - o).mean(axis=1)) - d * np.log(sigma * np.sqrt(2 * np.pi))
"""


def changed(code, *parts):
    """The code with each part replaced by the next."""
    for before, after in zip(parts[::2], parts[1::2]):
        assert before in code
        code = code.replace(before, after)
    return code


def line(signature, body):
    return f"def {signature}:\n    {body}"


AFFINE, MAXOUT = "affine_bprop(dz, s, W)", "maxout_bprop(dh, z, num_pieces)"
PIECES = "z3 = z.reshape(len(z), num_pieces, -1)\n    "
MOMENTUM = "momentum(theta, v, dtheta, learning_rate, mu)"
PLANTS = [
    ("forgot the bias", line("affine_fprop(s, W, b)", "return s.dot(W)")),
    ("wrong axis in the bias sum", line(AFFINE, "return dz @ W.T, s.T @ dz, dz.sum(1)")),
    ("forgot the sum over the rows", line(AFFINE, "return dz @ W.T, s.T @ dz, dz")),
    ("summed over everything", line(AFFINE, "return dz @ W.T, s.T @ dz, np.sum(dz)")),
    ("one axis too many or too few", line(AFFINE, "return dz @ W.T, s.T @ dz, dz.sum(axis=0, keepdims=True)")),
    ("averaged twice", line(AFFINE, "return dz @ W.T, s.T @ dz / len(s), dz.mean(axis=0)")),
    ("transposed", line(AFFINE, "return dz @ W.T, dz.T @ s, dz.sum(axis=0)")),
    ("transposed", line(AFFINE, "return dz @ W, s.T @ dz, dz.sum(axis=0)")),
    ("forgot dz", line(AFFINE, "return np.ones_like(dz) @ W.T, s.T @ np.ones_like(dz), 0 * dz.sum(0) + len(dz)")),
    ("outputs in another order", line(AFFINE, "return s.T @ dz, dz @ W.T, dz.sum(axis=0)")),
    ("number of outputs", line(AFFINE, "return dz @ W.T, s.T @ dz")),
    ("returns nothing", line(AFFINE, "ds = dz @ W.T")),
    ("0 everywhere", line(AFFINE, "return dz @ W.T, s.T @ dz, np.zeros(W.shape[1])")),
    ("another shape", line(AFFINE, "return dz @ W.T, (s.T @ dz).ravel(), dz.sum(axis=0)")),
    ("modified its input", line("rectifier_bprop(dh, z)", "dh[z <= 0] = 0\n    return dh")),
    ("missing mask", line("rectifier_bprop(dh, z)", "return dh.copy()")),
    ("forgot dh", line("rectifier_bprop(dh, z)", "return np.where(z > 0, 1., 0.)")),
    ("the mask the wrong way round", line("rectifier_bprop(dh, z)", "return np.where(z > 0, 0., dh)")),
    ("dh twice", line("rectifier_bprop(dh, z)", "return dh * dh * (z > 0)")),
    ("half of the slope", line("sigmoid_bprop(dh, h)", "return dh * (1 - h)")),
    ("forgot the slope", line("sigmoid_bprop(dh, h)", "return 1. * dh")),
    ("sign", line("sigmoid_bprop(dh, h)", "return dh * h * (h - 1)")),
    ("right up to a constant factor", line("sigmoid_bprop(dh, h)", "return 2 * dh * h * (1 - h)")),
    ("right up to a constant", line("sigmoid_bprop(dh, h)", "return dh * h * (1 - h) + 1e-3")),
    ("not finite", line("cross_entropy(a, y)", "return np.mean(y * np.log(1 + np.exp(-a)) + (1 - y) * np.log(1 + "
                                                 "np.exp(a)))")),
    ("labels exchanged", line("cross_entropy(a, y)", "return np.mean((1 - y) * np.logaddexp(0, -a) + y * np.logaddexp("
                                                       "0, a))")),
    ("summed, not averaged", line("cross_entropy_grad(a, y)", "return 1 / (1 + np.exp(-a)) - y")),
    ("the slope by D, not by a", line("cross_entropy_grad(a, y)", "D = 1 / (1 + np.exp(-a))\n"
                                      "    return ((1 - y) / (1 - D) - y / D) / len(a)")),
    ("the sigmoid's slope once too often", line("cross_entropy_grad(a, y)", "D = 1 / (1 + np.exp(-a))\n"
                                                "    return (D - y) * D * (1 - D) / len(a)")),
    ("another layout", line("maxout_fprop(z, num_pieces)", "return z.reshape(len(z), -1, num_pieces).max(axis=2)")),
    ("gradient to the wrong piece", line(MAXOUT, PIECES + "w = z3.argmin(axis=1)\n    return (dh[:, None] * (np.arange("
                                         "num_pieces)[:, None] == w[:, None])).reshape(z.shape)")),
    ("gradient to the wrong piece", line(MAXOUT, PIECES + "dz = np.zeros_like(z3)\n    dz[:, 0] = dh\n"
                                         "    return dz.reshape(z.shape)")),
    ("gradient to every piece", line(MAXOUT, "return np.tile(dh, num_pieces)")),
    ("gradient to every tied piece", line(MAXOUT, PIECES + "return (dh[:, None] * (z3 == z3.max(1)[:, None])).reshape("
                                          "z.shape)")),
    ("missing 1/p", line("dropout_fprop(s, mask, include_prob)", "return np.where(mask, s, 0.)")),
    ("missing 1/p", line("dropout_bprop(dh, mask, include_prob)", "return dh * mask")),
    ("missing mask", line("dropout_bprop(dh, mask, include_prob)", "return dh / include_prob")),
    ("p in place of 1/p", line("dropout_bprop(dh, mask, include_prob)", "return dh * mask * include_prob")),
    ("forgot the old velocity", line(MOMENTUM, "v = -learning_rate * dtheta\n    return theta + v, v")),
    ("follows from v_new", line(MOMENTUM, "v = mu * v + learning_rate * dtheta\n    return theta + v, v")),
    ("uphill", line(MOMENTUM, "v = mu * v + learning_rate * dtheta\n    return theta + v, v")),
    ("moved by the old velocity", line(MOMENTUM, "return theta + v, mu * v - learning_rate * dtheta")),
    ("modified its input", line(MOMENTUM, "v *= mu\n    v -= learning_rate * dtheta\n    return theta + v, v")),
    ("averaged over 2m", line("discriminator_grad(a_data, a_samples)", "m = 2 * len(a_data)\n    "
                              "return -1 / (1 + np.exp(a_data)) / m, 1 / (1 + np.exp(-a_samples)) / m")),
    ("uphill", line("discriminator_grad(a_data, a_samples)", "m = len(a_data)\n    "
                    "return 1 / (1 + np.exp(a_data)) / m, -1 / (1 + np.exp(-a_samples)) / m")),
    ("the loss that saturates", line("generator_grad(a)", "return -1 / (1 + np.exp(-a)) / len(a)")),
    ("G helps D", line("generator_grad(a)", "return 1 / (1 + np.exp(-a)) / len(a)")),
    ("the cost in place of the value", line("value(a_data, a_samples)", "return np.logaddexp(0, -a_data).mean() + "
                                            "np.logaddexp(0, a_samples).mean()")),
    ("D moves in G's step", GAME + "        D.descend()\n"),
    ("the noise of D's step again", changed(GAME, "G.fprop(noise())", "G.fprop(z)")),
    ("labels exchanged", changed(GAME, "[x, G.fprop(z)]", "[G.fprop(z), x]")),
    ("G moves k times", changed(GAME, "        a = D.fprop(G", "            a = D.fprop(G",
                                "        G.bprop", "            G.bprop",
                                "        G.descend", "            G.descend")),
    ("k is ignored", changed(GAME, "range(k)", "range(1)")),
    ("G never moves", changed(GAME, "        G.descend()\n", "")),
    ("overwritten, not added", changed(CONVOLUTION, "+= dz", "= dz")),
    ("flipped kernels", changed(CONVOLUTION, "dz @ W[r, q].T", "dz @ W[-1 - r, -1 - q].T")),
    ("averaged twice", changed(CONVOLUTION, '"eijc,eijn->cn", s[:, r:r + I, q:q + J], dz)',
                               '"eijc,eijn->cn", s[:, r:r + I, q:q + J], dz) / len(s)')),
    ("forgot the stride", "def deconvolution_fprop(s, W, stride):\n    (m, I, J, n), (K, Q, C, _) = s.shape, W.shape\n"
                          "    h = np.zeros((m, I + K - 1, J + Q - 1, C))\n    for i, j in np.ndindex(I, J):\n"
                          "        h[:, i:i + K, j:j + Q] += np.einsum('mn,rqcn->mrqc', s[:, i, j], W)\n    return h"),
    ("forgot the 1/N", changed(PARZEN, ".mean(axis=1)", ".sum(axis=1)")),
    ("forgot the 2", changed(PARZEN, "(2 * sigma ** 2)", "sigma ** 2")),
    ("forgot d", changed(PARZEN, "- d * np.log", "- np.log")),
    ("not finite", changed(PARZEN, "o[:, 0] + ", "", "c - o", "c")),
]


@pytest.mark.parametrize("kind, code", PLANTS, ids=[f"{i} {kind}" for i, (kind, _) in enumerate(PLANTS)])
def test_names_the_mistake(tmp_path, kind, code):
    found = verdict(tmp_path, code)
    assert found.status == written.WRONG
    assert kind in found.kinds, found
    assert not {"cause unknown"} & set(found.kinds), found
    for label in found.reread:
        assert written.derivation(STEMS[found.name], label)[1].startswith(label)


def test_at_least_twelve_kinds_are_planted():
    assert len({kind for kind, _ in PLANTS}) >= 12


# Mistakes that it does not know, thought of when it was finished

STRANGERS = [
    ("dz", line("sigmoid_bprop(dh, h)", "return dh * (1 - h ** 2)")),
    ("dW[0, 1]", line(AFFINE, "dW = s.T @ dz\n    dW[0, 1] += .5\n    return dz @ W.T, dW, dz.sum(axis=0)")),
    ("ds", changed(CONVOLUTION, "return ds", "return np.roll(ds, 1, axis=2)")),
    ("v_new", line(MOMENTUM, "v = np.sign(mu * v - learning_rate * dtheta)\n    return theta + v, v")),
    ("log p", changed(PARZEN, "** 2).sum(axis=2) /", "** 2).max(axis=2) /")),
    ("da", line("cross_entropy_grad(a, y)", "return (np.tanh(a) - y) / len(a)")),
]


@pytest.mark.parametrize("at, code", STRANGERS, ids=[at for at, _ in STRANGERS])
def test_admits_that_it_does_not_know(tmp_path, at, code):
    found = verdict(tmp_path, code)
    assert found.status == written.WRONG and "cause unknown" in found.kinds, found
    assert not set(found.kinds) - {"cause unknown", "follows from v_new"}, found
    text = "\n".join(found.paragraphs)
    assert "wrong, cause unknown." in text
    assert re.search(rf"Worst at {re.escape(at)}.*: yours \S+, (the numeric slope is|wanted) \S+\.", text), text


def answers(task, name):
    """For each mistake in an output, the altered answers in all cases, without those in which it is not defined."""
    runs = []
    for inputs in task.cases:
        I = SimpleNamespace(**inputs)
        right = task.right(I)
        right = right if isinstance(right, tuple) else (right,)
        runs.append((I, {n: np.asarray(r, float) for n, r in zip(task.outputs, right)}))
    for mistake in task.mistakes:
        if mistake.output == name:
            found = []
            for I, right in runs:
                try:
                    with np.errstate(all="ignore"):
                        found.append(np.asarray(mistake.altered(I, right, right), float))
                except ValueError:
                    found.append(None)
            yield mistake, found
    yield None, [right[name] for _, right in runs]


@pytest.mark.parametrize("name", TASKS)
def test_no_two_mistakes_look_alike(name):
    """Nor any like the right answer; but for those defined by the learner's own, which here is right."""
    def alike(a, b):
        return all(grader.close(x, y) for x, y in zip(a, b)
                   if x is not None and y is not None and np.isfinite([x.sum(), y.sum()]).all())

    for output in TASKS[name].outputs:
        for (one, a), (other, b) in itertools.combinations(answers(TASKS[name], output), 2):
            if one.kind not in ("gradient to the wrong piece", "follows from v_new") and (
                    other is None or other.kind not in ("gradient to the wrong piece", "follows from v_new")):
                assert not alike(a, b), (output, one.kind, other and other.kind)


def test_every_mistake_points_at_a_line_that_is_there():
    for name, task in TASKS.items():
        for label in {*task.outputs.values(), *(m.line for m in task.mistakes if m.line), *filter(None, [task.stable])}:
            assert written.derivation(STEMS[name], label)[1].startswith(label)


def test_a_tie_may_go_to_any_piece(tmp_path):
    last = (PIECES + "w = num_pieces - 1 - z3[:, ::-1].argmax(axis=1)\n    "
            "return (dh[:, None] * (np.arange(num_pieces)[:, None] == w[:, None])).reshape(z.shape)")
    assert verdict(tmp_path, line(MAXOUT, last)).status == written.RIGHT


# What happens before there is an answer

@pytest.fixture
def seeded():
    """NumPy's own stream starts from a seed, and goes on afterwards as if nothing was drawn."""
    state = np.random.get_state()
    np.random.seed(2014)
    yield
    np.random.set_state(state)


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("code, status, words", [
    (line("sigmoid_bprop(dh, h)", "raise NotImplementedError"), written.UNWRITTEN,
     "sigmoid_bprop in ex03_sigmoid.py, line 1"),
    (line("sigmoid_bprop(dh, h)", "return dh * hh"), written.STOPPED, "ex03_sigmoid.py, line 16:  return dh * hh\n"
                                                                      "NameError: name 'hh' is not defined"),
    (line("sigmoid_bprop(dh, h)", "return dh @ h"), written.STOPPED, "Is one of them to be transposed?"),
    (line("sigmoid_bprop(dh)", "return dh"), written.STOPPED, "It does not take its arguments (dh, h)"),
    (line("sigmoid_bprop(dh, h)", "return dh * h * (1 - h"), written.STOPPED,
     "Python cannot read ex03_sigmoid.py, line 1"),
    (line("sigmoid_bprop(dh, h)", "while True:\n        pass"), written.STOPPED, "line 1"),
    (line("sigmoid_bprop(dh, h)", "raise SystemExit"), written.STOPPED, "SystemExit: without a word"),
    (line("sigmoid_bprop(dh, h)", "return 'dz'"), written.WRONG, "no array of numbers"),
    (line("sigmoid_bprop(dh, h)", "return dh * h * (1 - h) * np.random.uniform()"), written.WRONG, "two answers"),
])
def test_mishaps_are_told_in_plain_words(tmp_path, monkeypatch, code, status, words):
    if "while True" in code:                                            # the others may take their time
        monkeypatch.setattr(written, "SECONDS", .2)
    found = verdict(tmp_path, code)
    assert found.status == status
    assert words in found.paragraphs[0]


def test_what_the_learner_prints_is_shown_once(tmp_path, capsys):
    found = verdict(tmp_path, line("sigmoid_bprop(dh, h)", "print(dh.shape)\n    return dh * h * (1 - h)"))
    assert found.status == written.RIGHT
    assert capsys.readouterr().out == "(5, 4)\n"


def test_an_exercise_may_use_another_that_is_not_written(tmp_path):
    _, answers_of = planted(tmp_path, line("cross_entropy_grad(a, y)", "raise NotImplementedError"))
    found = grader.grade(TASKS["generator_grad"], STEMS["generator_grad"], answers_of)
    assert found.status == written.UNWRITTEN and "cross_entropy_grad in ex04_cross_entropy.py" in found.paragraphs[0]


# check.py

def test_nothing_is_written_yet():
    done = process()
    assert done.returncode == 1
    assert len(re.findall(r"^ +\d+  \w+ +(?:not written yet|waits for another)$", done.stdout, re.MULTILINE)) == 12
    assert "affine_fprop  not written yet: affine_fprop in ex01_affine.py, line " in done.stdout


def test_the_solutions_are_all_right(check):
    done = check("--solutions")
    assert done.returncode == 0
    assert len(re.findall(r"^ +\d+  \w+ +right$", done.stdout, re.MULTILINE)) == 12


def test_a_right_answer_has_npgans_beside_it(check):
    for name in "maxout", "5":
        done = check(name, "--solutions")
        assert done.returncode == 0
        assert "wins = np.arange(num_pieces)" in done.stdout
        assert "Maxout.bprop, npgan/layers.py:" in done.stdout and "xp.multiply(dh, wins, out=piece)" in done.stdout


def test_a_wrong_answer_is_told_with_the_line_to_read(tmp_path, check):
    planted(tmp_path, line(AFFINE, "return dz @ W.T, s.T @ dz, dz.sum(axis=1)"))
    done = check("affine", "--answers", tmp_path)
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "ds and dW are right. db is wrong: wrong axis in the bias sum." in said
    number, text = written.derivation("ex01_affine", "(4)")
    assert f"Read again, in line {number} of ex01_affine.py: {' '.join(text.split())}" in said
    assert "npgan" not in done.stdout.replace("npgan/examples", "")


def test_a_right_answer_may_be_somebody_elses_function(tmp_path, check):
    planted(tmp_path, line("sigmoid_fprop(z)", "pass") + "\n\nfrom scipy.special import expit as sigmoid_fprop")
    done = check("sigmoid", "--answers", tmp_path)
    assert done.returncode == 0 and "You wrote, <ufunc 'expit'>" in done.stdout


def test_a_file_that_python_cannot_read_is_told_once(tmp_path, check):
    planted(tmp_path, "def affine_fprop(s, W, b)")
    done = check("affine", "--answers", tmp_path)
    assert done.returncode == 1 and done.stdout.count("cannot read") == 1


def test_algorithm_1_waits_for_the_players(tmp_path, check):
    planted(tmp_path, line("generator_grad(a)", "return a"))
    done = check("algorithm_1", "--answers", tmp_path)
    assert done.returncode == 1 and "uses exercise 8, the two players, which is not right yet" in done.stdout


@pytest.mark.parametrize("arguments, words", [
    (["softmax"], "no exercise is called 'softmax'"),
    (["gan", "--max_epochs", "0"], "--max_epochs: must be a whole number >= 1, got '0'"),
    (["gan", "--save_path", "gan.doc"], "--save_path: must be a name ending in .png or .pdf or .svg"),
])
def test_a_wrong_option_ends_in_one_line(arguments, words, check):
    done = check(*arguments)
    assert done.returncode == 2 and words in done.stderr.splitlines()[-1]


# The GAN

def test_the_gan_trains_judges_and_draws(tmp_path):
    done = process("gan", "--solutions", "--max_epochs", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^ +\d+  -\d\.\d{3}  ", done.stdout, re.MULTILINE)) == 10
    number = float(re.search(r"(-?[\d.]+) \+- [\d.]+ +on 1,000 samples", done.stdout)[1])
    real = float(re.search(r"(-?[\d.]+) +on 1,000 training digits", done.stdout)[1])
    assert number < real == pytest.approx(26.8, abs=.5)
    assert imread(tmp_path / "backprop_gan.png")[..., :3].std() > .1


def test_the_gan_wants_its_exercises_right(tmp_path, check):
    planted(tmp_path, line("dropout_bprop(dh, mask, include_prob)", "return dh * mask"))
    done = check("gan", "--answers", tmp_path)
    assert done.returncode == 1 and "missing 1/p" in done.stdout and "steps" not in done.stdout


def test_the_gan_is_made_of_the_learners_functions_alone():
    for name in "players", "train_digits":
        tree = ast.parse((COURSE / f"{name}.py").read_text())
        modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        modules |= {f"{node.module}.{alias.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                    for alias in node.names}
        assert modules <= {"check", "math", "sys", "time", "numpy", "types.SimpleNamespace", "npgan.viewer",
                           "npgan.datasets.digits",
                           *(f"players.{layer}" for layer in "Affine Dropout Maxout Player Rectifier Sigmoid".split())}


def test_a_players_gradients_are_those_of_its_forward_pass():
    f = SimpleNamespace(**{name: SOLUTIONS.function(STEMS[name], name) for name in TASKS})
    rng = np.random.default_rng(1)
    player = Player(f, [Affine(f, 3, 6, rng), Maxout(f, 2), Affine(f, 3, 4, rng), Rectifier(f), Affine(f, 4, 2, rng),
                        Sigmoid(f)], .1, .5)
    for layer in player.layers:
        layer.params = [rng.normal(size=p.shape) for p in layer.params]
    s, R = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    player.fprop(s)
    ds = player.bprop(R)
    arrays = [s] + [p for layer in player.layers for p in layer.params]
    grads = [ds] + [g for layer in player.layers for g in layer.grads]
    for array, grad in zip(arrays, grads):
        assert_allclose(grad, central_difference(lambda: (R * player.fprop(s)).sum(), array), rtol=1e-6, atol=1e-8)


def test_a_players_average_is_of_its_own_parameters():
    f = SimpleNamespace(**{name: SOLUTIONS.function(STEMS[name], name) for name in TASKS})
    player = Player(f, [Affine(f, 1, 1, np.random.default_rng(1))], learning_rate=1., mu=0., decay=.5)
    player.layers[0].params = [np.array([[0.]]), np.array([0.])]
    for _ in range(3):                                          # theta is -1, -2, -3
        player.layers[0].grads = [np.array([[1.]]), np.array([1.])]
        player.descend()
    assert_allclose(player.plain(np.array([[1.]]), average=True), 2 * [-1 * 1 / 7 - 2 * 2 / 7 - 3 * 4 / 7][0])
    assert_allclose(player.plain(np.array([[1.]])), -6.)


def test_solutions_and_exercises_are_the_same_files():
    names = {path.name for path in COURSE.glob("ex*.py")}
    assert names == {path.name for path in (COURSE / "solutions").glob("*.py")} == {f"{e.stem}.py" for e in EXERCISES}


# What is told and drawn

def test_the_way_through_it_takes_two_hours():
    text = (COURSE / "README.rst").read_text()
    told = dict(re.findall(r"^\d+ +``(\w+)`` +(\d+) ", text, re.MULTILINE))
    assert list(told) == [exercise.name for exercise in EXERCISES]
    for exercise in EXERCISES:
        assert f"({told[exercise.name]} minutes)" in (COURSE / f"{exercise.stem}.py").read_text().splitlines()[1]
    assert sum(map(int, told.values())) + 5 == 120                              # the last five for the GAN
    for picture in re.findall(r"image:: (\S+)", text):
        assert (COURSE / picture).exists()


def test_draws_what_the_gan_is_made_of(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, COURSE / "draw.py", "--save_path", str(tmp_path)], env=env, cwd=tmp_path,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name in "backprop_graph.png", "backprop_flow.png":
        assert imread(tmp_path / name).shape == imread(ROOT / "examples" / "figures" / name).shape
    script, rng = (COURSE / "draw.py").read_text(), np.random.default_rng(1)
    for player in nets(None, np.full((2, 64), .5), rng, rng):
        params = [p for layer in player.layers for p in layer.params]
        assert f"{sum(p.size for p in params):,} numbers" in script
