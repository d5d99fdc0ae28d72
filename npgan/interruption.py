"""Ctrl-C (SIGINT) and SIGTERM, held until the update under way is done."""
import signal
import threading
from contextlib import contextmanager

SIGNALS = signal.SIGINT, signal.SIGTERM


class TrainingStopped(KeyboardInterrupt):
    """
    SIGINT or SIGTERM ended the training after the run was saved; the message names the checkpoint.

    Parameters
    ----------
    message : str
    signal : int
        The signal's number; a script's exit status is 128 + signal.
    """

    def __init__(self, message, signal):
        super().__init__(message)
        self.signal = signal


@contextmanager
def held_signals():
    """
    Hold the first SIGINT or SIGTERM: within ``with held_signals() as signals:`` it is only appended to `signals`.

    From then on signals have their usual effect, so a second one interrupts at once.  A signal that is ignored stays
    ignored.  In another thread than the main one, where Python handles no signals, the list stays empty.
    """
    signals, handlers = [], {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        handlers = {number: handler for number, handler in handlers.items()
                    if handler not in (signal.SIG_IGN, None)}       # None: a handler that was not set by Python

    def restore_handlers():
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def hold(number, frame):
        signals.append(signal.Signals(number))
        restore_handlers()

    try:
        for number in handlers:
            signal.signal(number, hold)
        yield signals
    finally:
        restore_handlers()
