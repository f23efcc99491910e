"""Processes that work for this one: they end when it does, and how each ended is said in words."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Crew:
    """The processes at work, so that all of them end when the run does."""

    at_work: set[subprocess.Popen] = field(default_factory=set)
    """Those that were started."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while one is started, or all are ended."""
    dismissed: bool = False
    """Whether the run is over."""

    def start(self, command: Sequence[str], *, env: Mapping[str, str], log: int) -> subprocess.Popen | None:
        """Start a process with pipes as its stdin and stdout; None once the crew is dismissed.

        The end of its stdin is the end of this process, however that came about: it should then leave.
        """
        with self.lock:
            if self.dismissed:
                return None
            process = subprocess.Popen(  # noqa: S603  our own module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=dict(env), text=True
            )
            self.at_work.add(process)
            return process

    def dismiss(self) -> None:
        """End all of them at once and start none any more."""
        with self.lock:
            self.dismissed = True
            for process in self.at_work:
                process.kill()


def lines_of_the_run(pipe: int = 0) -> Iterator[str]:
    """Yield the lines that the run sends to the process that it started, which calls this, until the run has ended.

    `sys.stdin` is left alone: Python ends in a fatal error where a thread still waits in it.
    """
    rest = b""
    while read := os.read(pipe, 65536):
        *lines, rest = (rest + read).split(b"\n")
        yield from (line.decode() for line in lines)


def leave_signals_to_the_run() -> None:
    """Ignore Ctrl-C and SIGTERM, which reach all processes of a terminal or a job: the run ends those it started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def share_of_cores(n_processes: int) -> int:
    """Return how many threads each of some processes has: twice as many threads as cores is slower than one each."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // n_processes)


def environment(n_processes: int) -> dict[str, str]:
    """Return the environment of one of some processes, with its share of the cores; alone it takes what it finds."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    share = dict.fromkeys(names, str(share_of_cores(n_processes))) if n_processes > 1 else {}
    return {**os.environ, **share}


def how_it_ended(code: int) -> str:
    """Say what a process's exit code means."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = ": was there memory enough?" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with exit code {code}; the log says why"
