"""SIGINT and SIGTERM, by which a person or a scheduler ends a training: noted, so that it can be saved first."""
import signal
import threading
from contextlib import contextmanager

SIGNALS = {signal.SIGINT: "SIGINT", signal.SIGTERM: "SIGTERM"}


class TrainingStopped(KeyboardInterrupt):
    """
    SIGINT or SIGTERM ended the training, which is saved as the message says.

    Parameters
    ----------
    message : str
    signal : int
        Which of them; a script's exit status is then 128 + signal.
    """

    def __init__(self, message, signal):
        super().__init__(message)
        self.signal = signal


@contextmanager
def noted(wanted=True):
    """
    Within ``with noted() as signals:`` the first SIGINT or SIGTERM does nothing but join the list `signals`.

    The next one acts as ever.  A signal that is ignored stays so, and in another thread than the main one, where Python
    hears no signals, or if it is not `wanted`, the list stays empty.
    """
    signals, before = [], {}
    if wanted and threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        before = {number: handler for number, handler in handlers.items()
                  if handler not in (signal.SIG_IGN, None)}     # None is one that Python did not set

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number, frame):
        signals.append(number)
        restore()

    try:
        for number in before:                                   # whose handlers are known: `note` may be called at once
            signal.signal(number, note)
        yield signals
    finally:
        restore()
