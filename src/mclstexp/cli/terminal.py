"""What the terminal shows: tables, lines, and one sentence where something cannot be used."""

from __future__ import annotations

import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final, TextIO

from mclstexp.core.progress import hushed, is_hushed
from mclstexp.core.wording import print_width, sentence, visible

if TYPE_CHECKING:
    from mclstexp.whole_slide.ledger import SlideEvent


_OF_LIBRARIES: Final = re.compile(r"(Observation|Variable) names are not unique")
"""Warnings whose advice is a call in Python; what it matters for is said by whom it matters to."""
_WHOLE: Final = 24
"""Letters of a cell that is not broken."""


def cell(value: Any) -> str:
    """Write a value as short as a table needs it."""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value if value is not None else "")


def print_table(rows: Iterable[Sequence[str]], *, heading: Sequence[str] = (), title: str | None = None) -> None:
    """Print a table as wide as the terminal, or of 80 columns; without a heading its columns have no names.

    Cells that are short stay whole, if need be under a heading of several lines; what is longer is folded.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(title=title, show_header=bool(heading), title_justify="left")
    names = [visible(name) for name in heading or [""] * len(rows[0])]
    widths = [max([1, *map(len, name.split()), *(len(row[at]) for row in rows)]) for at, name in enumerate(names)]
    console = Console(width=print_width())
    room = console.width - 3 * len(names) - 1  # between the borders
    fits = sum(min(width, _WHOLE) for width in widths) <= room
    for name, width in zip(names, widths, strict=True):
        whole = fits and width <= _WHOLE
        table.add_column(Text("\n".join(wrap(name, width)) if whole else name), overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(Text(visible(text)) for text in row))  # as it is: "[2]" is no markup
    console.print(table)


@contextmanager
def task_progress(title: str) -> Iterator[Callable[[str, str, str], None]]:
    """Show what is being judged, on stderr; yields the callback for ``run_experiment(on_event=…)``.

    Without a terminal each finished part is a line, so that a log says how far it got.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console, quiet = Console(stderr=True), is_hushed()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar, hushed():
        task = bar.add_task(title, total=None)

        def on_event(label: str, fold: str, state: str) -> None:
            if state.startswith("of "):
                bar.update(task, total=int(state[3:]))
            elif state == "begun":
                bar.update(task, description=f"{title} {label}, {fold}")
            else:
                bar.advance(task)
                if not (quiet or console.is_terminal):
                    print(f"{label}, {fold}: {state}", file=sys.stderr)

        yield on_event


@contextmanager
def tile_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a slide is, on stderr: tiles, tiles per second, time left; yields ``on_progress``.

    Without a terminal each tenth is a line. Tiles an earlier run had done do not count as fast.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console, quiet, started, first, tenth = Console(stderr=True), is_hushed(), 0.0, 0, 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} tiles, {task.fields[rate]:.1f} a second"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar, hushed():
        task = bar.add_task(title, total=None, rate=0.0)

        def on_progress(done: int, total: int) -> None:
            nonlocal started, first, tenth
            if not started:
                started, first = time.monotonic(), done
            rate = (done - first) / max(time.monotonic() - started, 1e-9)
            bar.update(task, completed=done, total=total, rate=rate)
            if not (quiet or console.is_terminal) and done * 10 // total > tenth:
                tenth = done * 10 // total
                left = (total - done) / rate if rate else 0
                print(f"{title}: {done} of {total} tiles, {rate:.1f} a second, {left:.0f} s left", file=sys.stderr)

        yield on_progress


@contextmanager
def slides_progress(title: str) -> Iterator[Callable[[SlideEvent], None]]:
    """Show how far many slides are, on stderr; yields the callback for ``predict_slides(on_event=…)``.

    A slide that failed is a line at once. Without a terminal each finished one is.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console, quiet = Console(stderr=True), is_hushed()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} slides {task.fields[now]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar, hushed():
        task = bar.add_task(title, total=None, now="")

        def on_event(event: SlideEvent) -> None:
            if event.state == "planned":
                bar.update(task, completed=event.n_done, total=event.n_total)
            elif event.state == "tiles":
                bar.update(task, now=f"· {event.slide}: {event.n_done}/{event.n_total} tiles")
            elif event.state in ("done", "failed"):
                bar.advance(task)
                if event.state == "failed" or event.reason or not (quiet or console.is_terminal):
                    reason = f" ({event.reason})" if event.reason else ""
                    bar.console.print(f"{event.slide}: {event.state}{reason}", markup=False, highlight=False)

        yield on_event


def say(text: str) -> None:
    """Print a line, plain, so that it can be piped; of the processes of `torchrun` only the first speaks."""
    if os.environ.get("RANK", "0") == "0":
        print(visible(text))


def warn(text: str) -> None:
    """Say on stderr what concerns the user."""
    if os.environ.get("RANK", "0") == "0":
        print(f"warning: {text}", file=sys.stderr)


def complain(text: str, *, debug: bool) -> None:
    """Say in one line what is wrong, after the traceback if that is wanted."""
    if debug:
        traceback.print_exc()
    print(f"mclstexp: {sentence(text)}", file=sys.stderr)


def show_warning(  # noqa: PLR0917  the signature of warnings.showwarning
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Show what concerns the user; libraries' words to developers are not for them."""
    if issubclass(category, UserWarning) and not _OF_LIBRARIES.match(str(message)):
        print(f"warning: {visible(str(message))}", file=sys.stderr)
