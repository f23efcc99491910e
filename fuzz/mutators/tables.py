"""Tables of text: cells, columns, rows, separators, encodings."""

from __future__ import annotations

from pathlib import Path
from random import Random

from fuzz.mutators.values import TEXTS


def mutate(path: Path, chance: Random) -> str:
    """Change a table as spreadsheets, scripts and people do."""
    text = path.read_text(encoding="utf-8")
    mark = "\t" if "\t" in text else ","
    rows = [line.split(mark) for line in text.splitlines()]
    kind = chance.choice(("cell", "cell", "cell", "column", "row", "header", "order", "extra", "short", "mark", "text"))
    row = chance.choice(rows)
    at = chance.randrange(len(row))
    if kind == "cell":
        row[at] = chance.choice(TEXTS).replace("\n", " ")
    elif kind == "column":
        for line in rows:
            del line[at : at + 1]
    elif kind == "row":
        rows.insert(chance.randrange(len(rows)), list(row))
    elif kind == "header":
        rows[0] = [rows[0][0]] * len(rows[0]) if chance.random() < 0.5 else []
    elif kind == "order":
        chance.shuffle(rows)
    elif kind == "extra":
        row.append("1")
    elif kind == "short":
        del row[at:]
    if kind == "mark":
        path.write_text(text.replace(mark, chance.choice((";", " ", "|", "\t", ","))), encoding="utf-8")
    elif kind == "text":
        return _as_text(path, text, chance)
    else:
        path.write_text("\n".join(mark.join(line) for line in rows) + "\n", encoding="utf-8", errors="replace")
    return f"table: {kind} at {at} ({row[at][:20]!r})" if at < len(row) else f"table: {kind}"


def _as_text(path: Path, text: str, chance: Random) -> str:
    kind = chance.choice(("BOM", "UTF-16", "latin", "CR", "quote", "nul", "empty", "header only", "long"))
    changed = {
        "BOM": b"\xef\xbb\xbf" + text.encode(),
        "UTF-16": text.encode("utf-16"),
        "latin": text.encode() + "µ\t1\n".encode("latin-1"),
        "CR": text.replace("\n", "\r").encode(),
        "quote": text.replace("\n", '\n"', 1).encode(),
        "nul": text.replace("\n", "\0\n", 1).encode(),
        "empty": b"",
        "header only": text.partition("\n")[0].encode() + b"\n",
        "long": text.encode() + b"1" * 300_000,
    }
    path.write_bytes(changed[kind])
    return f"table as text: {kind}"
