"""Processes that tests start: none outlives its test, and what a shell has set for signals does not matter."""

import subprocess
import sys
from contextlib import contextmanager

from mclstexp.io.owner import Owner

HEARD, IGNORED = "signal.default_int_handler", "signal.SIG_IGN"


@contextmanager
def started(command, **options):
    """Start a process that ends with the block, however that ends."""
    with subprocess.Popen([str(word) for word in command], **options) as process:
        try:
            yield process
        finally:
            process.kill()  # nothing, if it has ended


def python(program, *words, sigint=HEARD):
    """A command that runs a program in this Python; `nohup` and many a CI system would have it ignore SIGINT."""
    return [sys.executable, "-c", f"import signal\nsignal.signal(signal.SIGINT, {sigint})\n{program}", *words]


def mclstexp(*words, sigint=HEARD):
    """A command that runs `mclstexp` with some words."""
    return python("from mclstexp.__main__ import main\nmain()", *words, sigint=sigint)


def half_written(target):
    """Leave what a process leaves that dies while it writes `target`."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait(timeout=30)
    scratch = target.with_name(f".{target.name}.{Owner(Owner.me().machine, process.pid, 1)}.abcdefgh")
    scratch.mkdir(parents=True)
    (scratch / target.name).write_text("half")
    return scratch
