"""
Ways to coordinate G and D: options of the authors' cost, switches that stop a player, and a trainer by epochs.

"Training could be accelerated greatly by devising better methods for coordinating G and D" (Section 7).  The released
code contains many such methods and uses none of them in its five models.  Here each is an option of `CoordinatedSteps`
or an extension of `Train`.  The losses are in `npgan.released.costs`, noise within G in `npgan.released.noise_layers`.
"""
from npgan.adversarial import discriminator_step, generator_step, stack
from npgan.backend import xp
from npgan.checks import check_nonnegative_int, check_positive_ints
from npgan.costs import NonSaturating
from npgan.released.costs import CrossEntropy, Thresholded


class CoordinatedSteps:
    """
    The update of the released code with all options of its cost, ``AdversaryCost2``: ``step(x, t)`` moves both players.

    Both gradients are taken at the same parameters, from one pass of m samples, as in `simultaneous_step`.  Without
    options its steps are those of `simultaneous_step`.

    Parameters
    ----------
    pair, rule_G, rule_D, generator_loss
        As in `algorithm_1`; the loss may be `Thresholded`, too.
    discriminator_loss : CrossEntropy or Lazy
        What D descends, a cost whose gradient is >= 0 on the samples.
    scale_grads, target_scale : bool and float
        Whether G's gradient is multiplied by max(1, target_scale / ||dC_G/dG(z)||), with the Frobenius norm over the
        minibatch.  It helps if D is far ahead and G's gradient is too small to move G.
    no_drop_in_d_for_g : bool
        Whether dC_G/dG(z) comes from a separate pass through D, without dropout.  It helps if the masks make G's
        gradient noisy, and costs another pass.  With `Blend` both terms come from that pass.  The released option
        differs: see Notes.
    noise_both : float
        tau >= 0: D receives x + tau e and G(z) + tau e', with e and e' drawn from N(0, I) by the stream of G's noise.
        It helps if D wins early by invisible differences, such as pixels that are exactly 0.
    alternate_g : bool
        Sets `now_train_generator` for every second update only: two steps of D to one of G.
    init_now_train_generator : bool
        The first value of that switch.
    ever_train_discriminator, ever_train_generator : bool
        False switches a player off for good.
    freeze : bool
        How a player is switched off.  False multiplies its gradient by 0, as the authors' code does: the velocity
        v <- mu v still moves the player, and its norm limits are enforced.  True skips the player's rule, so that its
        parameters and velocity stay bit-identical.

    Attributes
    ----------
    now_train_generator, now_train_discriminator : bool
        The switches.  Extensions such as `Cycler` set them.

    Notes
    -----
    In the released code ``no_drop_in_d_for_g`` does not leave dropout out.  Its separate pass calls
    ``d.dropout_fprop(S)`` without arguments, so that Pylearn2's defaults apply: fresh masks keep each input of every
    layer of D with probability .5 and multiply it by 2, whatever rates D has in its own training pass.
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
        """Return dC_G/dG(z) from a plain pass of the `samples` through D; `Thresholded` masks by logits `a_dropout`."""
        D, loss = self.pair.discriminator, self.generator_loss
        a = D.fprop(samples)
        dC_G = loss.grad(a, loss.mask(a_dropout)) if isinstance(loss, Thresholded) else loss.grad(a)
        return D.bprop(dC_G, params=False)

    def move(self, player, rule, on):
        """Update the `player` by its `rule`: if it is not `on`, with gradient 0, or not at all if it is frozen."""
        if not on and self.freeze:
            return
        if not on:
            player.grad[...] = 0
        rule.update(player)


class AlternatingEpochs:
    """
    Epochs that train D alone alternate with epochs that train both players; a trainer of the released code.

    The first epoch is D's.  In an epoch of both players, each k minibatches for steps of D are followed by one for a
    step of G; the count starts at 0 in each epoch.  It helps if D has fallen behind G, because D has whole epochs to
    catch up.

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
    Trains G on the first of every k updates only; an extension of `Train` (released code).

    After update t it sets G's switch to whether t mod k = 0, so that G's gradient is used in updates 1, k + 1, 2k + 1
    and so on.  It helps if D needs k steps to keep up with G.

    Parameters
    ----------
    k : int
    """

    argument_names = "k",

    def __init__(self, k):
        check_positive_ints(k=k)
        self.k = k

    def on_update(self, train):
        """Set the switch for the next update."""
        switch_generator(train.step, train.updates % self.k == 0)


class ActivateGenerator:
    """
    Sets G's switch once; an extension of `Train`.  With ``init_now_train_generator=False`` it gives D a head start.

    It has no lasting effect beside a `Cycler` or ``alternate_g``, which set the switch after each update.

    Parameters
    ----------
    active_after : int
        The number of epochs before the switch is set; 0 sets it before training.
    value : bool
        The new value of the switch.
    """

    argument_names = "active_after", "value"

    def __init__(self, active_after, value=True):
        self.active_after, self.value = check_nonnegative_int("active_after", active_after), bool(value)

    def on_monitor(self, train):
        """Set the switch after epoch `active_after`."""
        if train.epoch == self.active_after:
            switch_generator(train.step, self.value)


class ShrinkD:
    """
    Multiplies D's parameters by a factor after each update, the authors' ``shrink_d``; an extension of `Train`.

    theta_d <- f theta_d decays weights and biases at the rate 1 - f, which no learning rate scales, with a time
    constant of 1/(1 - f) updates.  It helps if D becomes ever more certain and G's gradient vanishes.

    Parameters
    ----------
    factor : float in (0, 1]
        f; with 1 the parameters stay as they are.
    """

    argument_names = "factor",

    def __init__(self, factor):
        if not 0 < factor <= 1:
            raise ValueError(f"factor must be in (0, 1], got {factor}; to keep D's parameters, leave the extension out")
        self.factor = float(factor)

    def on_update(self, train):
        """Multiply D's parameters by the factor."""
        D = train.step.pair.discriminator
        D.theta *= self.factor


def switch_generator(step, on):
    """Set the switch `now_train_generator` of a training `step` to `on`; raise ValueError if it has none."""
    if not hasattr(step, "now_train_generator"):
        raise ValueError(f"{type(step).__name__} has no switch now_train_generator for an extension to set; "
                         "CoordinatedSteps has one")
    step.now_train_generator = bool(on)


def frobenius_norm(a):
    """Return the root of the sum of squares of `a`, a 0-d array; float64 because small gradients' squares underflow."""
    return xp.sqrt(xp.square(a.astype("float64")).sum())
