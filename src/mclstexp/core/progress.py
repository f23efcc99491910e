"""How far a long wait is: a bar on a terminal, a line now and then where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import Progress, TextColumn

SILENT_S: Final = 30.0
"""Seconds after which a word is said where there is no terminal."""


@contextmanager
def counted(label: str, total: int, *, unit: str, show: bool = True) -> Iterator[Callable[[int, str], None]]:
    """Show how many of `total` are done, on stderr, as a bar or as a line each half minute.

    Yields
    ------
    What is called with the number that are done and a word about the last of them, which may be empty.
    """
    console, said = Console(stderr=True), time.monotonic()
    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[word]}"))
    with Progress(*columns, console=console, transient=True, disable=not (show and console.is_terminal)) as bar:
        task = bar.add_task(label, total=total, word="")

        def on_done(done: int, word: str = "") -> None:
            nonlocal said
            bar.update(task, completed=done, word=word)
            if show and not console.is_terminal and time.monotonic() - said >= SILENT_S:
                print(", ".join(filter(None, (f"{label}: {unit} {done} of {total}", word))), file=sys.stderr)
                said = time.monotonic()

        yield on_done
