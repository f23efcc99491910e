"""Two files or folders change places in one step, where the system can do that."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_AT_FDCWD = -100
_LINUX_EXCHANGE = 2
"""``RENAME_EXCHANGE`` of renameat2(2)."""
_MAC_SWAP = 2
"""``RENAME_SWAP`` of renamex_np(2)."""


def exchange(one: Path, other: Path) -> bool:
    """Let two paths of one file system change places; a process that is killed leaves both or neither changed.

    Returns
    -------
    Whether it was done: not every system and file system can.
    """
    first, second = os.fsencode(one), os.fsencode(other)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return bool(libc.renamex_np(first, second, _MAC_SWAP) == 0)
        return bool(libc.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _LINUX_EXCHANGE) == 0)
    except (OSError, AttributeError, TypeError):  # no such function, or no C library to ask
        return False
