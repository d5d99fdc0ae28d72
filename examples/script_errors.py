"""How a gallery script ends on an error: in one line on standard error and an exit status, without a stack trace."""
import atexit
import builtins
import os
import shlex
import signal
import sys
import traceback
import warnings

NOBODY_READS = 141                          # exit status of Unix commands whose output nobody reads, as in `| head -1`
finished = []                               # checkpoints of trainings that are over while their script continues


def in_notebook():
    """Return whether Python is interactive (IPython, Jupyter, a prompt), where a script leaves no hooks behind."""
    return hasattr(builtins, "__IPYTHON__") or hasattr(sys, "ps1")


def install():
    """Report errors and warnings in one line each, from now on; do nothing in an interactive session."""
    if in_notebook():
        return
    sys.excepthook = end_in_one_line
    warnings.formatwarning = format_warning
    for name in "stdout", "stderr":
        if getattr(sys, name) is None:      # closed, for example by 2>&-
            setattr(sys, name, open(os.devnull, "w"))
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")       # for file names that the terminal cannot show
    atexit.register(flush)


def end_in_one_line(kind, error, trace):
    """
    Print one line and exit: status 2 after an error, 130 after Ctrl-C, 143 if SIGTERM ended a training.

    The line of an error that only a bug can raise names its place in the code.  With NPGAN_TRACEBACK=1 in the
    environment the whole stack trace is printed instead.
    """
    if issubclass(kind, BrokenPipeError):
        os._exit(NOBODY_READS)
    stopped = issubclass(kind, KeyboardInterrupt)
    status = 128 + getattr(error, "signal", signal.SIGINT) if stopped else 2
    if os.environ.get("NPGAN_TRACEBACK"):
        text = "".join(traceback.format_exception(kind, error, trace)).rstrip()
    elif stopped:
        text = describe_stop(error)
    else:
        text = describe_error(kind, error, trace)
    try:
        print(f"\n{text}", file=sys.stderr, flush=True)
        sys.stdout.flush()
    except OSError:                         # nobody reads the output, for example after Ctrl-C in a pipe
        os._exit(status)
    sys.exit(status)


def describe_error(kind, error, trace):
    """Return the line for an error: the script, the message, and a hint at what to do."""
    script, message = os.path.basename(sys.argv[0]), " ".join(str(error).split())
    backend = sys.modules.get("npgan.backend")
    if issubclass(kind, ModuleNotFoundError):
        hint = "install it with: python -m pip install ."
    elif backend is not None and backend.out_of_memory(error):
        hint = ("take a smaller --batch_size, --scale or --num_samples, where the script has them, or end other "
                "programs that fill the memory, or use --backend numpy")
    elif issubclass(kind, (ValueError, RuntimeError, OSError)):
        return f"{script}: error: {message}"
    else:
        last = traceback.extract_tb(trace)[-1]
        return (f"{script}: {kind.__name__}: {message.removesuffix('.')} ({last.filename}:{last.lineno}; "
                "NPGAN_TRACEBACK=1 shows the whole trace)")
    return f"{script}: error: {message.removesuffix('.')}; {hint}"


def describe_stop(error):
    """Return the line for a KeyboardInterrupt: the training's progress, its checkpoint, the command that resumes it."""
    message = str(error)
    if not hasattr(error, "signal"):        # not raised by a training
        message = " after the training, whose checkpoint is ".join(["stopped by hand", *finished])
    if "checkpoint is" not in message:
        return message
    command = ["python", *sys.argv]
    MPI = sys.modules.get("mpi4py.MPI")
    if MPI:
        command = ["mpiexec", "-n", str(MPI.COMM_WORLD.size), *command]
    if "--resume" not in sys.argv:
        command.append("--resume")
    return f"{message}; resume with: {shlex.join(command)}"


def format_warning(message, kind, filename, lineno, line=None):
    """Return a warning as one line, without its place in the code, which matters only to npgan's developers."""
    place = "" if issubclass(kind, UserWarning) else f" ({kind.__name__}, {filename}:{lineno})"
    return f"\n{os.path.basename(sys.argv[0])}: warning: {message}{place}\n"


def flush():
    """Write the rest of the output at exit; where nobody reads it, exit without Python's complaint."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(NOBODY_READS)
