"""
Grades the exercises of "Backprop by hand", and prints what it finds in plain words.

    python examples/backprop_by_hand/check.py                   how far you are, and what is next
    python examples/backprop_by_hand/check.py affine            one exercise, by its name or number
    python examples/backprop_by_hand/check.py gan               the last step: trains a GAN made of your functions
    python examples/backprop_by_hand/check.py --solutions       the same for our solutions; also with an exercise or gan

Ends with status 0 where all it looked at is right, 1 where something is wrong or not written yet, 2 for a wrong option.
"""
import argparse
import os
import sys
import textwrap
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # products as small as these are fastest on one thread

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import common
import script_errors

from grading import EXERCISES
from grading.grader import Verdict, grade
from grading.written import HELD_UP, RIGHT, STOPPED, WRONG, Trouble, Written, derivation, source

WIDTH = 100
OPTIONAL = "convolution", "deconvolution"        # which the GAN does without


def judge(exercise, written):
    """The verdicts on an exercise's functions; where it builds on one that is not right, a word about that."""
    for stem in exercise.needs:
        other = next(e for e in EXERCISES if e.stem == stem)
        if any(verdict.status != RIGHT for verdict in judge(other, written)):
            words = f"It uses exercise {number(other)}, {other.title}, which is not right yet.  That one first."
            return [Verdict(task.name, HELD_UP, (), (words,)) for task in exercise.tasks]
    return [grade(task, exercise.stem, written) for task in exercise.tasks]


def number(exercise):
    return EXERCISES.index(exercise) + 1


def show(exercise, verdicts, written):
    """Print the verdicts, the lines to read again, and, if all is right, npgan's code below the learner's."""
    path = written.folder / f"{exercise.stem}.py"
    print(f"Exercise {number(exercise)} of {len(EXERCISES)}, {exercise.title}: {short(path)}\n")
    if len({verdict.paragraphs for verdict in verdicts}) == 1 and verdicts[0].status == STOPPED:
        verdicts = [verdicts[0]._replace(name="all of it")]             # such as a file that Python cannot read
    indent = " " * (max(len(verdict.name) for verdict in verdicts) + 4)
    for verdict in verdicts:
        told = "\n".join(verdict.paragraphs).split("\n")
        lines = [part for line in told for part in textwrap.wrap(line, WIDTH - len(indent))]
        lines[0] = f"  {verdict.name}".ljust(len(indent)) + lines[0]
        print(f"\n{indent}".join(lines))
        for line in verdict.reread:
            where, words = derivation(exercise.stem, line)
            print(f"{indent}Read again, in line {where} of {exercise.stem}.py:\n{indent}    {words}")
        print()
    if all(verdict.status == RIGHT for verdict in verdicts):
        beside(exercise, written)


def beside(exercise, written):
    """Print what the learner wrote, and the same in npgan."""
    who = "Our solution" if written.folder.name == "solutions" else "You wrote"
    theirs = [written.function(exercise.stem, task.name) for task in exercise.tasks]
    for title, things in ((who, theirs), ("The same in npgan", exercise.twins)):
        for thing in things:
            name, text, path, line = source(thing)
            place = f", {short(path)}:{line}\n\n{textwrap.indent(text, '    ')}" if text else ""
            print(f"{title}, {name}{place}\n")
    print(textwrap.fill(exercise.note, WIDTH))


def short(path):
    """A path as seen from the tree's root, where it lies within."""
    root = HERE.parents[1]
    return path.relative_to(root).as_posix() if root in path.parents else str(path)


def overview(written):
    """Print a line for each exercise, and all about the first that is not right."""
    first = None
    for exercise in EXERCISES:
        verdicts = judge(exercise, written)
        states = [v.status for v in verdicts if v.status != RIGHT]
        state = RIGHT if not states else states[0] if len(set(states)) == 1 and states[0] != WRONG else "not right yet"
        print(f"  {number(exercise):2}  {exercise.name:16}{state}")
        if states and first is None:
            first = exercise, verdicts
    print()
    if first:
        show(*first, written)
        return 1
    print(f"All {len(EXERCISES)} are right.  You have written a GAN; see it learn:\n\n"
          f"    python {short(HERE / 'check.py')} gan{' --solutions' if written.folder.name == 'solutions' else ''}")
    return 0


def train(written, chosen):
    """Train the GAN, if all that it is made of is right."""
    needed = [exercise for exercise in EXERCISES if exercise.name not in OPTIONAL]
    for exercise in needed:
        verdicts = judge(exercise, written)
        if any(verdict.status != RIGHT for verdict in verdicts):
            print("The GAN is made of exercises 1 to 9 and 12.  One of them is not right yet:\n")
            show(exercise, verdicts, written)
            return 1
    import train_digits
    try:
        train_digits.main(written, needed, chosen.max_epochs, chosen.seed, chosen.save_path)
    except Trouble as trouble:
        print(trouble)
        return 1
    return 0


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = {**{e.name: e for e in EXERCISES}, **{str(number(e)): e for e in EXERCISES}}
    parser.add_argument("exercise", nargs="?", help=f"{', '.join(e.name for e in EXERCISES)}; a number; or gan")
    parser.add_argument("--solutions", action="store_true", help="look at our solutions in place of what you wrote")
    parser.add_argument("--answers", type=Path, default=HERE, help="a folder with your files, if they lie elsewhere")
    parser.add_argument("--max_epochs", type=common.positive_int, default=600, help="of the GAN, default %(default)s")
    parser.add_argument("--seed", type=common.natural, default=2014, help="of the GAN, default %(default)s")
    parser.add_argument("--save_path", type=common.new_file(*common.PICTURES), default="backprop_gan.png",
                        help="where its samples are drawn, default %(default)s")
    chosen = parser.parse_args(arguments)
    if chosen.exercise not in (None, "gan", *names):
        parser.error(f"no exercise is called {chosen.exercise!r}; there are {', '.join(e.name for e in EXERCISES)}, "
                     f"their numbers 1 to {len(EXERCISES)}, and gan")
    written = Written(HERE / "solutions" if chosen.solutions else chosen.answers)
    if chosen.exercise is None:
        return overview(written)
    if chosen.exercise == "gan":
        return train(written, chosen)
    exercise = names[chosen.exercise]
    verdicts = judge(exercise, written)
    show(exercise, verdicts, written)
    return int(any(verdict.status != RIGHT for verdict in verdicts))


if __name__ == "__main__":
    script_errors.install()
    sys.exit(main())
