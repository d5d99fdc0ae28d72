"""
Who moves, when, and by which pass: the options of the authors' cost, their switches, their trainer by epochs.

"Training could be accelerated greatly by devising better methods for coordinating G and D" (Section 7).  The released
code has tried many, none of them in the five models; here each is an option of `CoordinatedSteps` or an extension of
`Train`.  The losses that it tried stand in `npgan.costs`, the noise within G in `npgan.released.noise_layers`.
"""
from npgan.adversarial import discriminator_step, generator_step, stack
from npgan.backend import xp
from npgan.checks import check_nonnegative_int, check_positive_ints
from npgan.costs import NonSaturating
from npgan.released.costs import CrossEntropy, Thresholded


class CoordinatedSteps:
    """
    The update of the released code with all options of its cost, ``AdversaryCost2``: ``step(x, t)`` moves both players.

    Both gradients are taken at the same parameters, by one pass of m samples, as in `simultaneous_step`; with no option
    given it makes the same steps, in more time, as it writes every gradient out.

    Parameters
    ----------
    pair, rule_G, rule_D, generator_loss
        As in `algorithm_1`; the loss may be `Thresholded`, too.
    discriminator_loss : CrossEntropy or Lazy
        What D descends, a cost whose gradient is >= 0 on the samples.
    scale_grads, target_scale : bool and float
        G's gradient times max(1, target_scale / ||dC_G/dG(z)||), the Frobenius norm over the minibatch: never smaller
        than it was.  It helps where D is far ahead and what reaches G is too small to move it.
    no_drop_in_d_for_g : bool
        dC_G/dG(z) from a pass of its own through D, without dropout.  It helps where the masks make G's gradient noisy,
        at the price of another pass.  With `Blend` both of its terms come from that pass.
    noise_both : float
        tau >= 0; data and samples reach D as x + tau e and G(z) + tau e', with e and e' from N(0, I) of the stream of
        G's noise.  It helps where D tells the two apart by what no eye sees, such as pixels exactly 0, and wins early.
    alternate_g : bool
        Sets `now_train_generator` for every second update only: two steps of D to one of G.
    init_now_train_generator : bool
        Where that switch starts.
    ever_train_discriminator, ever_train_generator : bool
        False is a switch that stays off.
    freeze : bool
        What it is to be switched off.  In the authors' code, and here if False, the gradient is multiplied by 0: the
        velocity v <- mu v goes on to move the player, and its norm limits hold.  If True the player's rule is not asked
        at all, and each bit of its parameters and its velocity stays as it is.

    Attributes
    ----------
    now_train_generator, now_train_discriminator : bool
        The switches, which extensions such as `Cycler` set.
    """

    argument_names = ("generator_loss", "discriminator_loss", "scale_grads", "target_scale", "no_drop_in_d_for_g",
                      "noise_both", "alternate_g", "ever_train_discriminator", "ever_train_generator", "freeze")
    state_names = "now_train_generator", "now_train_discriminator"

    def __init__(self, pair, rule_G, rule_D, *, generator_loss=NonSaturating(), discriminator_loss=None,
                 scale_grads=False, target_scale=.1, no_drop_in_d_for_g=False, noise_both=0., alternate_g=False,
                 init_now_train_generator=True, ever_train_discriminator=True, ever_train_generator=True, freeze=False):
        if not 0 < target_scale < float("inf"):
            raise ValueError(f"target_scale must be a number > 0, got {target_scale}")
        if not 0 <= noise_both < float("inf"):
            raise ValueError(f"noise_both is a standard deviation and must be a number >= 0, got {noise_both}")
        self.pair, self.rule_G, self.rule_D = pair, rule_G, rule_D
        self.generator_loss, self.discriminator_loss = generator_loss, discriminator_loss or CrossEntropy()
        self.scale_grads, self.target_scale = scale_grads, float(target_scale)
        self.no_drop_in_d_for_g, self.noise_both, self.alternate_g = no_drop_in_d_for_g, float(noise_both), alternate_g
        self.ever_train_discriminator, self.ever_train_generator = ever_train_discriminator, ever_train_generator
        self.freeze = freeze
        self.init_now_train_generator = bool(init_now_train_generator)
        self.now_train_generator, self.now_train_discriminator = self.init_now_train_generator, True

    def __call__(self, x, t):
        G, D = self.pair.generator, self.pair.discriminator
        m = len(x)
        x, z = G.with_noise(x)
        rows = stack(x, G.fprop(z))
        if self.noise_both:
            rows += self.noise_both * G.rng.normal(rows.shape)
        a = D.dropout_fprop(rows)
        a_samples = a[m:]

        dC_D = self.discriminator_loss.grad(a)
        if self.no_drop_in_d_for_g:
            D.bprop(dC_D, inputs=False)
            dS = self.without_dropout(rows[m:], a_samples)
        else:                                           # one backward pass for both, see simultaneous_step
            dC_D[m:] = xp.maximum(dC_D[m:], 1e-25)
            dS = D.bprop(dC_D, inputs=slice(m, None))[m:] * (self.generator_loss.grad(a_samples) / dC_D[m:])
        G.bprop(dS, inputs=False)
        if self.scale_grads:
            G.grad[...] *= xp.maximum(1, self.target_scale / (frobenius_norm(dS) + 1e-25))

        self.move(D, self.rule_D, self.ever_train_discriminator and self.now_train_discriminator)
        self.move(G, self.rule_G, self.ever_train_generator and self.now_train_generator)
        if self.alternate_g:
            self.now_train_generator = self.init_now_train_generator == (t % 2 == 0)         # for update t + 1

    def without_dropout(self, samples, a_dropout):
        """dC_G/dG(z) by a plain pass of the `samples` through D; a loss that masks goes by the logits `a_dropout`."""
        D, loss = self.pair.discriminator, self.generator_loss
        a = D.fprop(samples)
        dC_G = loss.grad(a, loss.mask(a_dropout)) if isinstance(loss, Thresholded) else loss.grad(a)
        return D.bprop(dC_G, params=False)

    def move(self, player, rule, on):
        """Let its `rule` move the `player`, by its gradient if it is `on`, by 0 or not at all if it is off."""
        if on or not self.freeze:
            if not on:
                player.grad[...] = 0
            rule.update(player)


class AlternatingEpochs:
    """
    Epochs of D alone, by turns with epochs of both, of which the first is D's; one of the released code's trainers.

    In an epoch of both, k steps of D alternate with one of G, each on a minibatch of its own, beginning anew with each
    epoch.  It helps where D has fallen behind G: it has whole epochs to catch up.

    Parameters
    ----------
    pair, rule_G, rule_D, generator_loss
        As in `algorithm_1`.
    discriminator_steps : int
        k.
    """

    argument_names = "discriminator_steps", "generator_loss"
    state_names = "both", "start"

    def __init__(self, pair, rule_G, rule_D, *, discriminator_steps=1, generator_loss=NonSaturating()):
        check_positive_ints(discriminator_steps=discriminator_steps)
        self.pair, self.rule_G, self.rule_D, self.generator_loss = pair, rule_G, rule_D, generator_loss
        self.discriminator_steps, self.both, self.start = discriminator_steps, False, 0

    def on_monitor(self, train):
        """`Train` calls it before training and after each epoch, before the extensions' own."""
        batches = -(-len(train.dataset) // train.batch_size)
        if batches <= self.discriminator_steps:
            raise ValueError(f"an epoch of {batches} minibatches ends before G's turn comes, after "
                             f"{self.discriminator_steps} of D; take a smaller batch_size or fewer steps of D")
        self.both, self.start = train.epoch % 2 == 1, train.updates

    def __call__(self, x, t):
        x, z = self.pair.generator.with_noise(x)
        if self.both and (t - self.start) % (self.discriminator_steps + 1) == 0:
            generator_step(self.pair, self.rule_G, z, self.generator_loss)
        else:
            discriminator_step(self.pair, self.rule_D, x, z)


class Cycler:
    """
    Of every k updates the first alone is G's, as an extension of `Train` (released code).

    After update t G's switch is on if t mod k = 0: its gradient is used on updates 1, k + 1, 2k + 1 and so on.
    It helps where D needs k steps to keep up, and G's, which is small, is to coast meanwhile.

    Parameters
    ----------
    k : int
    """

    argument_names = "k",

    def __init__(self, k):
        check_positive_ints(k=k)
        self.k = k

    def on_update(self, train):
        """Call after each update."""
        switch_generator(train.step, train.updates % self.k == 0)


class ActivateGenerator:
    """
    Sets G's switch once, as an extension of `Train`; with ``init_now_train_generator=False`` D has a head start.

    Not so beside a `Cycler` or with ``alternate_g``, which set the switch after each update.

    Parameters
    ----------
    active_after : int
        After how many epochs; 0 is before training.
    value : bool
        On or off.
    """

    argument_names = "active_after", "value"

    def __init__(self, active_after, value=True):
        self.active_after, self.value = check_nonnegative_int("active_after", active_after), bool(value)

    def on_monitor(self, train):
        """Set the switch, if it is time to."""
        if train.epoch == self.active_after:
            switch_generator(train.step, self.value)


class ShrinkD:
    """
    D's parameters, biases too, times a factor after each update, the authors' ``shrink_d``; an extension of `Train`.

    theta_d <- f theta_d is a decay of D's weights at the rate 1 - f, which no learning rate scales; it forgets with a
    time constant of 1/(1 - f) updates.  It helps where D grows surer and surer and G's gradient vanishes.

    Parameters
    ----------
    factor : float in (0, 1]
        f; 1 shrinks nothing.
    """

    argument_names = "factor",

    def __init__(self, factor):
        if not 0 < factor <= 1:
            raise ValueError(f"factor must be in (0, 1], got {factor}; leave the extension out to shrink nothing")
        self.factor = float(factor)

    def on_update(self, train):
        """Call after each update, norm limits included."""
        D = train.step.pair.discriminator
        D.theta *= self.factor


def switch_generator(step, on):
    """Put the switch `now_train_generator` of a training `step` that has one `on` or off."""
    if not hasattr(step, "now_train_generator"):
        raise ValueError(f"{type(step).__name__} has no switch now_train_generator for an extension to set; "
                         "CoordinatedSteps has one")
    step.now_train_generator = bool(on)


def frobenius_norm(a):
    """The root of the sum of squares, a 0-d array; in float64, as the squares of what reaches G may be too small."""
    return xp.sqrt(xp.square(a.astype("float64")).sum())
