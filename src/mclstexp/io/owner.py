"""`Owner`: a process that something unfinished on disk belongs to, known again after it has died."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_WRITTEN: Final = re.compile(r"([0-9a-f]{8})-(\d+)-(\d+)")


@dataclass(frozen=True)
class Owner:
    """A process of some machine."""

    machine: str
    """Which machine, or which container of it: processes of another cannot be asked after."""
    pid: int
    """Its number there."""
    start: int
    """When it started, as the kernel counts; 0 where it does not say. Numbers are given again, this is not."""

    def __str__(self) -> str:
        return f"{self.machine}-{self.pid}-{self.start}"

    @classmethod
    def me(cls) -> Owner:
        """Return this process; a fork of it is another."""
        return cls(_machine(), os.getpid(), _start(os.getpid()) or 0)

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Read what `str` wrote; None for anything else."""
        found = _WRITTEN.fullmatch(text)
        return None if found is None else cls(found[1], int(found[2]), int(found[3]))

    def is_near(self) -> bool:
        """Whether it is, or was, of this machine."""
        return self.machine == _machine()

    def is_gone(self) -> bool:
        """Whether it is known to have ended; False of a process of another machine."""
        if not self.is_near() or os.name == "nt":  # there os.kill would end it
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # another user's
            pass
        start = _start(self.pid)
        return start is None or start != self.start


def _machine() -> str:
    """Return a short name of this machine and of the set of processes that is seen from here."""
    seen = ""
    with suppress(OSError):
        seen = str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(f"{socket.gethostname()} {seen}".encode()).hexdigest()[:8]


def _start(pid: int) -> int | None:
    """Return when a process started; None if it has ended, 0 where nothing tells."""
    if not Path("/proc/self/stat").exists():
        return 0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])  # a zombie writes no more
