"""TOML: values of another kind, keys of another name, tables that come twice."""

from __future__ import annotations

from pathlib import Path
from random import Random

from fuzz.mutators.values import TEXTS

_VALUES = (
    *("nan", "inf", "-1", "0", "1.5", "99999999999999999999", "true", "[]", "{}", '""', "1979-05-27", "[[[[]]]]"),
    *('["a", 1]', "{ a = 1 }", '"${NOBODY_SET_THIS}"', '"../.."', "0x7fffffffffffffff"),
)


def mutate(path: Path, chance: Random) -> str:
    """Change a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    at = chance.choice([i for i, line in enumerate(lines) if line.strip()])
    before = lines[at]
    kind = chance.choice(("value", "value", "value", "text", "key", "remove", "twice", "open", "table", "nest"))
    key, equals, _ = before.partition("=")
    if kind == "value" and equals:
        lines[at] = f"{key}= {chance.choice(_VALUES)}"
    elif kind == "text" and equals:
        quoted = chance.choice(TEXTS).encode("unicode_escape").decode().replace("\\x", "\\u00").replace('"', "'")
        lines[at] = f'{key}= "{quoted}"'
    elif kind == "key" and equals:
        lines[at] = f"{key.strip()}x ={before.partition('=')[2]}"
    elif kind == "remove":
        del lines[at]
    elif kind == "twice":
        lines.insert(at, before)
    elif kind == "open":
        lines[at] = f'{before} "'
    elif kind == "nest" and equals:
        lines[at] = f"{key.strip()}.{key.strip()} ={before.partition('=')[2]}"
    else:
        lines[at] = chance.choice(("[x", "[methods]", "[[data]]", "[data.path]", "data = 1", "methods = []"))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{kind}: {before[:40]!r}"
