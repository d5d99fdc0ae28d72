"""
The numbers that README.rst and the other .rst pages print, each with the command that it comes from.

No number is repeated here: a row finds it in the pages by one regular expression, and in what the command prints by
another.  `reproduce.py` runs the commands and compares.
"""
import re
from typing import NamedTuple


class Number(NamedTuple):
    """
    Numbers that the pages print, and the command that prints them.

    `pages` and `output` are regular expressions with one group for each number.  `pages` is searched in the text of all
    pages together, `output` in what the command prints; in both, each run of white space is one space, and ``**`` is
    left out.  `band` is how far a number may lie from the pages' on a processor that rounds otherwise, beside the
    rounding of the digits in the pages: one for each group, or one for all.  It is 0 where the arithmetic is the same
    everywhere.
    """

    command: str
    pages: str
    output: str
    band: tuple = 0


def rows(command, names, pages, output, band):
    """Return a Number for each row of a table; `names` maps a row's name in the pages to its name in the output."""
    return [Number(command, re.escape(there) + pages, re.escape(here) + output, band) for there, here in names.items()]


N = r"(-?[\d,]*\.?\d+)"                            # a number
SCORE = rf" {N} ± {N} {N}"                         # in the pages: mean, standard error, sigma
PRINTED = rf" {N} \+- {N} ?\(?(?:sigma )?{N}"      # the same as the scripts print it
HASWELL, SKYLAKE = "OPENBLAS_CORETYPE=Haswell ", "OPENBLAS_CORETYPE=SkylakeX "
YOURS = rf"{N} \+- {N} on 1,000 samples of your G; sigma {N}, by 100 other digits {N} on 1,000 training digits"
JSD, DISTANCE = rf" JSD {N} nats", rf"points: Parzen.*?adversarial nets {N} {N}"
OPTIONS = "coordination.py --compare options --max_epochs 300 --seeds 3"

# Training amplifies rounding errors, so a run on another processor ends elsewhere: its bands are about three standard
# deviations over seeds.  Other computations, and trainings with the kernels of one processor, have a band of 0 or of a
# few units in the last digit.
NUMBERS = [
    *rows("digits.py", {"samples of the nets": "adversarial nets"}, SCORE, PRINTED, (2, .2, .03)),
    *rows("digits.py", {"training digits": "training rows", "a factorial Gaussian": "factorial Gaussian"},
          SCORE, PRINTED, 0),
    *rows("digits.py", {"k-means centres": "k-means centres"}, rf" {N} ± {N} (\.1\d) ", PRINTED, (.5, .1, .01)),
    Number("parzen_ll.py", rf"test log-likelihood: {N} \+- {N} nats \(sigma {N},",
           rf"test log-likelihood: {N} \+- {N} nats \(sigma {N},", (.05, .01, 0)),
    *rows("parzen_ll.py --sanity", {"training rows": "training rows", "k-means centres": "k-means centres",
          "factorial Gaussian": "factorial Gaussian", "G's, blurred by half a pixel": "G's, blurred by half a pixel",
          "G's, times .9": "G's, times .9", "G's, five times as many": "G's, five times as many"},
          rf" {N} ± {N} (\.\d\d\d)", PRINTED, (.1, .1, 0)),
    *rows("table1.py", {f" {seed}": f"seed {seed}, epoch 60" for seed in (1, 2, 3)},
          rf" \d+\.\d {N} ± {N} {N}", rf" {N} \+- {N} - sigma {N}", 0),
    *rows("table1.py", {f" {seed}": f"seed {seed}, epoch 60, raw" for seed in (1, 2, 3)},
          rf" \S+ \S+ ± \S+ \S+ \S+ ± \S+ \(sigma \S+\) {N} ± {N} \(sigma {N}\)", rf" {N} \+- {N} - sigma {N}", 0),
    Number("table1.py", rf"On the test rows, the authors' configuration has {N} ± {N} nats",
           rf"seed 0, epoch 60 {N} \+- {N}", 0),
    Number("table1.py", rf"on the finer grid\), and {N} ± {N} without averaging",
           rf"seed 0, epoch 60, raw {N} \+- {N}", 0),
    Number("table1.py", rf"paper's Table 1 has {N} ± {N} for these nets, {N} ± {N} for deep GSN, {N} ± {N} for "
           rf"DBN and {N} ± {N} for stacked CAE",
           rf"(?s)(?=.*Adversarial nets {N} \+- {N})(?=.*Deep GSN {N} \+- {N})(?=.*DBN {N} \+- {N})"
           rf"(?=.*Stacked CAE {N} \+- {N})^", 0),
    Number("parzen_ll.py seed1.npz --fine", rf" 1 \S+ {N} ± {N} {N} {N} ± {N} \(sigma {N}\)",
           rf"test log-likelihood: {N} \+- {N} nats \(sigma {N}.*claim: {N} \+- {N} nats \(sigma {N}",
           (10, .5, .03, 10, .5, .03)),
    Number("mnist.py --diagnose seed1.npz", rf"seed 1's average, {N} are nearest to a 1 and {N} to an 8 .*?where "
           rf"1,000 digits have {N} and {N}",
           rf"the average of G.*?labels \d+ {N} (?:\d+ ){{6}}{N} \d+ of samples \d+ {N} "
           rf"(?:\d+ ){{6}}{N} \d+ of data", (50, 30, 0, 0)),
    Number("figure1.py", rf"differ by {N} nats of Jensen-Shannon divergence \(total variation {N}\)",
           rf"\(d\){JSD}, total variation {N}", (.02, .08)),
    Number(HASWELL + "figure1.py", rf"differ by {N} nats of Jensen-Shannon divergence \(total variation {N}\), and D "
           rf"differs from 1/2 by at most {N} where",
           rf"\(d\){JSD}, total variation {N}, .*? \|D - 1/2\| at most {N}", 0),
    Number(HASWELL + "figure1.py", rf"In \(b\) D is within {N} of D\*, in \(a\) only within {N}\.",
           rf"(?=.*\(b\).*?D\*\| at most {N})(?=.*\(a\).*?D\*\| at most {N})^", 0),
    Number(SKYLAKE + "figure1.py", rf"\(d\) ends at {N} nats \(total variation {N}\), D is within {N} of D\* in \(b\) "
           rf"and {N} in \(a\)", rf"(?=.*\(d\){JSD}, total variation {N})(?=.*\(b\).*?D\*\| at most {N})"
           rf"(?=.*\(a\).*?D\*\| at most {N})^", 0),
    Number("figure1_2d.py", rf"Eight Gaussians: {N} nats after {N} iterations", rf"(?=.*{JSD})ring, {N} iterations",
           (.05, 0)),
    Number(HASWELL + "figure1_2d.py --dataset ring", rf"Eight Gaussians: {N} nats", JSD, 0),
    Number(HASWELL + "figure1_2d.py --dataset grid", rf"\(grid {N}, line", JSD, 0),
    Number(HASWELL + "figure1_2d.py --dataset line", rf"\(grid \S+, line {N}\)", JSD, 0),
    Number(SKYLAKE + "figure1_2d.py --dataset ring", rf"the plane's numbers are {N}, ", JSD, 0),
    Number(SKYLAKE + "figure1_2d.py --dataset grid", rf"the plane's numbers are \S+, {N} and", JSD, 0),
    Number(SKYLAKE + "figure1_2d.py --dataset line", rf"the plane's numbers are \S+, \S+ and {N}\.", JSD, 0),
    Number(HASWELL + "sharp.py", rf"half of the samples are within {N} of a point, nine of ten within {N},",
           DISTANCE, 0),
    Number(HASWELL + "sharp.py --seed 1", rf"each point has samples \(with ``--seed 1`` {N} and {N};", DISTANCE, 0),
    Number(SKYLAKE + "sharp.py", rf"with SkylakeX kernels {N} and {N},", DISTANCE, 0),
    Number(SKYLAKE + "sharp.py --seed 1", rf"with SkylakeX kernels \S+ and \S+, and with ``--seed 1`` {N} and {N}\)",
           DISTANCE, 0),
    *rows("check.py gan --solutions", {f" {steps}": f" {steps}" for steps in range(718, 7181, 718)},
          rf" {N} {N} {N}", rf" {N} {N} {N}", .35),
    Number("check.py gan --solutions", YOURS, YOURS, (2, .2, .03, 0)),
    Number("check.py gan --solutions", rf"{N} ± {N} nats with the solutions", rf"{N} \+- {N} on 1,000", (2, .2)),
    Number("conditional.py", rf"which classifies {N} % of the test digits correctly", rf"judges gets {N}% of", .3),
    Number("conditional.py", rf"assigns the given class to {N} % of {N} samples",
           rf"(?=.*samples {N}% are of the class)of {N} samples",
           (2, 0)),
    *rows("inference.py", {"===== z": "to x z", "the output of G's first layer, as by the authors' ``infer_layer``":
          "h0 (output of G's first layer)", "to make G(E(x)) look like x": "what remakes samples"},
          f" {N}", f" {N}", 1),
    *rows("inference.py", {f"no E: the {name}": name for name in ("nearest of 1,000 samples", "mean training digit")},
          f" {N}", f" {N}", .1),
    *rows("inference.py", {"no E: the nearest of 50,000 training digits": "nearest training digit"}, f" {N}",
          f" {N}", .1),
    *rows("completion.py --max_epochs 30", {
        "the left half": "right half missing", "the right half": "left half missing",
        "the upper half": "lower half missing", "the upper left quadrant": "one quadrant given",
        "all but the lower right one": "three quadrants given",
        "a fifth of the pixels": "a fifth of the pixels given", "nothing": "nothing given"},
        rf" {N} % {N} {N}", rf" all {N}% {N} {N}", (8, .03, .001)),
    Number("completion.py --max_epochs 30", rf"The classifier is right about {N} % of the whole digits",
           rf"of these 1,000 test digits {N}%", .4),
    *rows("semi_supervised.py rate.2.npz", {
        "linear, on raw pixels": "linear, raw pixels", "linear, on the units of D": "linear, units of D",
        "linear, on the units of E, of z": "linear, units of E", "linear, on the units of an untrained D":
        "linear, units of an untrained D", "a net of D's shape, from labels alone": "net of D's shape",
        "the same net, initialised as D": "the same, recapitated D"},
        rf" {N} ± {N} {N} ± {N} {N} ± {N}", rf" {N} \+- {N} {N} \+- {N} {N} \+- {N}", (2, .5, 1, .3, 1, .2)),
    *rows("coordination.py", {
        "nothing: Algorithm 1, k = 1, -log D, uniform": "base: Algorithm 1, k = 1, -log D, uniform z", "k = 2": "k = 2",
        "k = 5": "k = 5", "simultaneous, D's rate doubled": "simultaneous, D's rate doubled",
        "simultaneous, as released": "simultaneous, as released", "log(1 - D) for G": "log(1 - D)",
        "gaussian z": "gaussian", "spherical z": "spherical"}, rf" {N} ± {N} \d", rf" {N} \+- {N} \d", (2, 3)),
    Number(OPTIONS, rf"simultaneous steps with D's rate doubled, has {N} ± {N} nats",
           rf"base: simultaneous, D's rate doubled {N} \+- {N}", (2, 1)),
    *rows(OPTIONS, {
        "``scale_grads``, ``target_scale=.1``": "scale_grads, to .1", "``no_drop_in_d_for_g``": "no_drop_in_d_for_g",
        "``noise_both=.1``": "noise_both=.1", "``alternate_g``, ``Cycler(k)``": "alternate_g",
        "``SeparateSteps(generator_steps=2)``": "generator_steps=2", "``AlternatingEpochs``": "AlternatingEpochs",
        "``Blend(1, 1)``": "Blend(1, 1)", "``Thresholded(0)``": "Thresholded(0)",
        "``Thresholded(.3)``, ``Lazy(.3)``": "Thresholded(.3), Lazy(.3)", "``NoiseCat(100, 20)``": "NoiseCat, 20 more",
        "``Clusterize(.3)``": "Clusterize(.3)", "``IntrinsicDropout(.8)``": "IntrinsicDropout(.8)"},
        rf" {N} ± {N}", rf" {N} \+- {N}", (3, 2)),
    Number("tfd.py --scale .125 --pretrain_epochs 12 --max_epochs 6", rf"nearest training face is {N} to {N}; from "
           rf"a training face it is {N} to the nearest other one and {N} to any other,",
           rf"(?=.*training faces it is {N} to {N})(?=.*to the nearest other {N})(?=.*from face to face {N},)^",
           (2, 2, .05, .05)),
]
SECONDS = {             # times in the pages, in seconds or minutes: reported beside those measured, not asserted
    "digits.py": rf"seed 2014; {N} (seconds) on one core",
    "figure1.py": rf"The default runs take {N} and \S+ (seconds) of one core",
    "figure1_2d.py": rf"The default runs take \S+ and {N} (seconds) of one core",
    "conditional.py": rf"60 epochs, {N} (minutes) of one core",
    "inference.py": rf"The three trainings together took some {N} (minutes) of one core",
    "completion.py --max_epochs 30": rf"The run took {N} (minutes) of one core",
    "coordination.py": rf"All updates together took {N} (minutes) of one core",
    "tfd.py --scale .125 --pretrain_epochs 12 --max_epochs 6": rf"in the second, {N} (minutes) of one core",
}
