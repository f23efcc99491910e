"""Who is let in: one word that works once, and few strangers at a time."""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import threading
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Final

_SOCKETS: Final = Path("/proc/net/tcp")
"""Linux: whose each connection of this machine is."""


class Ticket:
    """A word that is worth the token once.

    The address a browser is started with can be read by every user of this machine, in the list of processes; so it
    holds this instead. It is taken by the first who comes, and from no other user where the system tells who comes.
    """

    def __init__(self) -> None:
        self.word = secrets.token_urlsafe(24)
        self._left = threading.Semaphore(1)

    def takes(self, word: str, connection: socket.socket) -> bool:
        """Whether the word, which comes over a connection, is this one and may be used."""
        if not hmac.compare_digest(word.encode(), self.word.encode()) or _is_of_another_user(connection):
            return False
        return self._left.acquire(blocking=False)


class Strangers:
    """Connections that have not shown the token yet: the oldest is hung up on where there are too many.

    A program that opens connections and says nothing, or a letter a minute, would otherwise hold a thread with each.

    Parameters
    ----------
    most
        How many are let wait.
    """

    def __init__(self, most: int = 32) -> None:
        self._most, self._waiting, self._lock = most, OrderedDict[int, socket.socket](), threading.Lock()

    def add(self, connection: socket.socket) -> None:
        """Let one wait."""
        with self._lock:
            self._waiting[id(connection)] = connection
            while len(self._waiting) > self._most:
                with suppress(OSError):  # gone by itself
                    self._waiting.popitem(last=False)[1].shutdown(socket.SHUT_RDWR)

    def drop(self, connection: socket.socket) -> None:
        """Forget one that is known now, or gone."""
        with self._lock:
            self._waiting.pop(id(connection), None)


def _is_of_another_user(connection: socket.socket) -> bool:
    """Whether the other end belongs to somebody else on this machine; False where that cannot be told."""
    try:
        ends = [f":{connection.getpeername()[1]:04X}", f":{connection.getsockname()[1]:04X}"]
        rows = [row.split() for row in _SOCKETS.read_text("ascii").splitlines()[1:]]
    except (OSError, ValueError):
        return False
    owners = [int(row[7]) for row in rows if [row[1][-5:], row[2][-5:]] == ends]
    return bool(owners) and os.getuid() not in owners
