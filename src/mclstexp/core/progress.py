"""How far a long wait is: a bar at a terminal, a line in a notebook, a line now and then in a log.

What is waited for lies deep within methods; whether it is shown is not handed down to them but one for the process.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.progress import Progress

SILENT_S: Final = 30.0
"""Seconds after which a word is said where nobody looks on."""
_REFRESH_S: Final = 0.5
_QUIET_ENV: Final = "MCLSTEXP_QUIET"

_hushed = 0
_open: list[_Wait] = []
_order: dict[str, str] = {}


@contextmanager
def hushed(*, when: bool = True) -> Iterator[None]:
    """Say nothing of any wait within the block: somebody does already, or it is not wanted."""
    global _hushed  # noqa: PLW0603  one terminal, one process
    _hushed += when
    try:
        yield
    finally:
        _hushed -= when


def is_hushed() -> bool:
    """Whether nothing of any wait is to be said."""
    return bool(_hushed or os.environ.get(_QUIET_ENV))


@contextmanager
def in_order(names: Sequence[str]) -> Iterator[None]:
    """Let waits for what has one of these names say which of how many it is."""
    before = dict(_order)
    _order.update({name: f", {number} of {len(names)}" for number, name in enumerate(names, 1)} if names[1:] else {})
    try:
        yield
    finally:
        _order.clear()
        _order.update(before)


def step(text: str) -> None:
    """Say at once what begins, where somebody looks on."""
    if not is_hushed() and not _open and (_at_terminal() or _in_notebook()):
        print(f"{text} …", file=sys.stderr, flush=True)


@contextmanager
def counted(label: str, total: int, *, unit: str, show: bool = True) -> Iterator[Callable[[int, str], None]]:
    """Show how many of `total` are done and how long it will take, on stderr.

    Within a wait that counts the same unit, what is done is counted there; within any other nothing is shown.

    Yields
    ------
    What is called with the number that are done and a word about the last of them, which may be empty.
    """
    outer = _open[-1] if _open else None
    done_before = 0

    def on_done(done: int, word: str = "") -> None:
        nonlocal done_before
        wait.add(done - done_before, word)
        done_before = done

    if outer is not None:
        wait = outer if outer.unit == unit else _Wait(label, total, unit, show=False)
        yield on_done
        return
    wait = _Wait(label + _order.get(label.rpartition(" ")[2], ""), total, unit, show=show and not is_hushed())
    _open.append(wait)
    try:
        yield on_done
    finally:
        _open.remove(wait)
        wait.close()


def known(number: int, *, unit: str) -> None:
    """Count what need not be done, in the wait that is open."""
    if _open and _open[-1].unit == unit:
        _open[-1].skip(number)


class _Wait:
    """One wait; nothing is drawn before the first of it is done, for what is cached is there at once."""

    def __init__(self, label: str, total: int, unit: str, *, show: bool) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = self.skipped = 0
        self._show = show
        self._began = self._said = time.monotonic()
        self._drawn: tuple[Progress, Any] | None = None
        self._end = ExitStack()

    def skip(self, number: int) -> None:
        self.skipped += number
        self.done += number

    def add(self, number: int, word: str) -> None:
        self.done += number
        if not self._show:
            return
        if _at_terminal():
            self._draw(word)
            return
        now = time.monotonic()
        if now - self._said < (_REFRESH_S if _in_notebook() else SILENT_S):
            return
        self._said = now
        text = ", ".join(filter(None, (f"{self.label}: {self.unit} {self.done} of {self.total}", self._left(), word)))
        print(f"\r{text:<79}" if _in_notebook() else text, file=sys.stderr, end="" if _in_notebook() else "\n")

    def close(self) -> None:
        self._end.close()
        if self._show and _in_notebook() and self._said > self._began:
            print("\r" + " " * 79, end="\r", file=sys.stderr)

    def _left(self) -> str:
        worked = self.done - self.skipped
        if not worked:
            return ""
        return f"{(self.total - self.done) / worked * (time.monotonic() - self._began):.0f} s left"

    def _draw(self, word: str) -> None:
        from rich.console import Console
        from rich.progress import Progress, TextColumn

        if self._drawn is None:
            columns = (*Progress.get_default_columns(), TextColumn("{task.fields[word]}"))
            bar = self._end.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
            self._drawn = bar, bar.add_task(self.label, total=self.total, completed=self.skipped, word="")
        bar, task = self._drawn
        bar.update(task, completed=self.done, word=word)


def _at_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"
