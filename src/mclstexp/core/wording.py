"""How what was found is shown: short, on one line, with nothing in it that the reader's eye would miss."""

from __future__ import annotations

import os
import re
import sys
from typing import Final

SENTENCE: Final = 300
"""Characters of a message at most: a terminal, a table and a page have room for it."""
PLAIN_COLUMNS: Final = 80
"""Width of what is printed where there is no terminal."""
_VALUE: Final = 80
_GAP: Final = " … "
_PATH: Final = re.compile(r"(?:/[^/\s,:;'\"()]+){4,}")


def shown(value: object, limit: int = _VALUE) -> str:
    """Return a value as a message quotes it: as Python writes it, shortened in its middle."""
    if isinstance(value, str) and len(value) > 4 * limit:  # not all of a megabyte, to show a line
        value = value[: 2 * limit] + value[-2 * limit :]
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  whatever a strange value raises, it must not hide what is said of it
        text = f"a {type(value).__name__}"
    return shortened(visible(text), limit)


def sentence(text: str) -> str:
    """Return a message as it may leave the package: one line, `SENTENCE` characters at most, all of them visible.

    What is too long loses the folders in front of its files, and then its middle: what was expected stands in front
    of that, what to do behind it.
    """
    text = visible(" ".join(text.split()))
    if len(text) > SENTENCE:
        text = _PATH.sub(lambda path: "…/" + "/".join(path[0].split("/")[-2:]), text)
    return shortened(text, SENTENCE)


def unmarked(text: str) -> str:
    """Return a sentence of a docstring as people read it: without the marks around code."""
    return text.replace("``", "")


def shortened(text: str, limit: int) -> str:
    """Return a text of `limit` characters at most, without its middle if it is longer."""
    if len(text) <= limit:
        return text
    kept = limit - len(_GAP)
    return text[: kept - kept // 3].rstrip() + _GAP + text[len(text) - kept // 3 :].lstrip()


def visible(text: str) -> str:
    r"""Write what cannot be seen, or turns the direction of writing, as an escape: ``\u202e``, ``\n``.

    Such characters let a name pass for another, move the cursor of a terminal or reorder a page.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or (c.isspace() and c not in _MOVING) else _escape(c) for c in text)


def without_marks(text: str, escape: str = "\\u") -> str:
    """Write out only what turns, joins or hides letters, and control characters but tabs and ends of lines.

    Parameters
    ----------
    text
        Several lines, as of a page.
    escape
        What stands before the four digits; in JSON a second backslash, or it would be the character again.
    """
    return _MARKS.sub(lambda mark: f"{escape}{ord(mark[0]):04x}", text)


def without_places(text: str) -> str:
    """Cut absolute paths, also those within a text, to their last name: a page is mailed, a disk is not."""
    return _PLACE.sub(r"…/\1", text)


_MARKS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_PLACE: Final = re.compile(r"(?<![\w/:.…])(?:[A-Za-z]:[\\/]|~?/)(?:[^\\/\n\"<>|:;,()]+[\\/])+([^\\/\s\"'<>|:;,()]*)")
_MOVING: Final = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"


def _escape(character: str) -> str:
    if "\ud800" <= character <= "\udfff":
        return f"\\u{ord(character):04x}"
    return character.encode("unicode_escape").decode("ascii")


def print_width() -> int | None:
    """Return how wide what is printed to stdout may be: None is as wide as the terminal.

    A file or a pipe is as wide in every window: what reads it must not depend on where it was started.
    """
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PLAIN_COLUMNS
