"""A progress line for trainings, as an extension of `Train`."""
import shutil
import sys
import time

import script_errors


class Progress:
    """
    Show the progress of a training: a line that renews itself on a terminal, a line every 15 seconds in a log.

    Parameters
    ----------
    max_epochs : int
    monitor : Monitor, optional
        The source of `channels`.
    channels : dict
        The monitor's channels to show, by their labels.
    """

    def __init__(self, max_epochs, monitor=None, channels=()):
        self.max_epochs, self.monitor, self.channels = max_epochs, monitor, dict(channels)
        self.terminal = sys.stderr.isatty()
        self.every = .2 if self.terminal else 15.
        self.start = self.shown = self.first = None

    def begin(self, train):
        """Start the clock, at the first event of a training or of its resumption."""
        if self.start is None:
            self.start, self.first = time.monotonic(), train.updates
            self.shown = self.start if self.terminal else -self.every
            script_errors.finished.clear()

    def on_monitor(self, train):
        """Show the last line after the last epoch."""
        self.begin(train)
        if train.epoch >= self.max_epochs or train.stop:
            self.show(train)
            if train.checkpoint:
                script_errors.finished.append(train.checkpoint)
            if self.terminal:
                print(file=sys.stderr)

    def on_update(self, train):
        """Renew the line, if it is time."""
        self.begin(train)
        if time.monotonic() - self.shown >= self.every:
            self.show(train)

    def show(self, train):
        """Show epoch, minibatch, learning rate, time left and the chosen channels."""
        self.shown = time.monotonic()
        minibatches = -(-len(train.dataset) // train.batch_size)
        done, total = train.updates - self.first, self.max_epochs * minibatches - self.first
        line = (f"epoch {train.epoch}/{self.max_epochs}  batch {train.updates - train.epoch * minibatches}/"
                f"{minibatches}  rate {train.step.rule_G.learning_rate:.4f}")
        if done:
            line += f"  {clock((self.shown - self.start) * (total - done) / done)} left"
        for label, channel in self.channels.items():
            line += f"  {label} {self.latest(channel, train.epoch)}"
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1      # a longer line would scroll
            print(f"\r{line[:width]:<{width}}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def latest(self, channel, epoch):
        """Return the latest value of a channel as text, and its epoch where that is not the latest `epoch`."""
        history = self.monitor.history
        measured = history.get(f"{channel}_epoch", history["epoch"])[-1]
        value = f"{history[channel][-1]:.3f}"
        return value if measured == epoch else f"{value} (epoch {measured:.0f})"


def clock(seconds):
    """Return a time as minutes:seconds, or hours:minutes:seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
