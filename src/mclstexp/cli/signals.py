"""SIGTERM, with which schedulers and service managers end a command: as gentle as Ctrl-C, and not without a word."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM came; what minds an interruption minds this too."""


@contextmanager
def sigterm_heard() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` within the block.

    Where it is ignored or handled already, or outside the main thread, nothing changes.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  the signature of a handler
    raise Terminated
