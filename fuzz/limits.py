"""Time and memory that reading one small file may take."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MEMORY_MB: Final = 3000
"""More than the process holds already. No input here is larger than a few MB."""


class OutOfTimeError(BaseException):
    """No `Exception`: nothing that guards against bad files may take it for one."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise `OutOfTimeError` in the block after that many seconds; what never returns to Python is not reached."""

    def ring(*_: object) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def limit_memory() -> None:
    """Let this process grow by `MEMORY_MB`; beyond it a request for memory fails (only where Linux tells its size)."""
    if sys.platform != "linux":
        return
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY_MB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def in_memory() -> str | None:
    """Return a folder in memory where there is one: quicker, and SIGKILL takes nothing from it that was written."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
