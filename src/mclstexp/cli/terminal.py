"""What the terminal shows: tables, lines, and one sentence where something cannot be used."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, TextIO


def cell(value: Any) -> str:
    """Write a value as short as a table needs it."""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value if value is not None else "")


def print_table(rows: Iterable[Sequence[str]], *, heading: Sequence[str] = (), title: str | None = None) -> None:
    """Print a table as wide as the terminal; without a heading its columns have no names."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(title=title, show_header=bool(heading), title_justify="left")
    for name in heading or [""] * len(rows[0]):
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as it is: "[2]" is no markup
    Console().print(table)


def say(text: str) -> None:
    """Print a line, plain, so that it can be piped; of the processes of `torchrun` only the first speaks."""
    if os.environ.get("RANK", "0") == "0":
        print(text)


def complain(text: str, *, debug: bool) -> None:
    """Say in one line what is wrong, after the traceback if that is wanted."""
    if debug:
        traceback.print_exc()
    print(f"mclstexp: {' '.join(text.split())}", file=sys.stderr)


def show_warning(  # noqa: PLR0917  the signature of warnings.showwarning
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Show what concerns the user; libraries' words to developers are not for them."""
    if issubclass(category, UserWarning):
        print(f"warning: {message}", file=sys.stderr)
