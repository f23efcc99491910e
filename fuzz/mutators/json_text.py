"""JSON: a node changed, lost, renamed or doubled; and text that is nearly JSON."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from fuzz.mutators.values import TEXTS, any_value, deep


def mutate(path: Path, chance: Random) -> str:
    """Change one node of a JSON file, or its text."""
    text = path.read_text(encoding="utf-8")
    if chance.random() < 0.15:
        changed, said = _as_text(text, chance)
        path.write_bytes(changed)
        return said
    content = json.loads(text)
    content, said = change_node(content, chance)
    path.write_text(json.dumps(content), encoding="utf-8")
    return said


def change_node(content: Any, chance: Random) -> tuple[Any, str]:
    """Change one node of plain data, chosen evenly among all; return the data and what was done."""
    nodes = list(_nodes(content))
    if not nodes:
        return any_value(chance), "the whole replaced"
    holder, key = chance.choice(nodes)
    kind = chance.choice(("replace", "replace", "replace", "remove", "rename", "list", "text"))
    before = repr(holder[key])[:40]
    if kind == "remove":
        del holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        holder[chance.choice(TEXTS)] = holder.pop(key)
    elif kind == "list":
        holder[key] = [holder[key]]
    elif kind == "text":
        holder[key] = str(holder[key])
    else:
        holder[key] = any_value(chance)
    return content, f"{kind} {str(key)[:40]} (was {before})"


def mutate_codec(path: Path, chance: Random) -> str:
    """Let a zarr array name another codec or shape."""
    content = json.loads(path.read_text(encoding="utf-8"))
    part = chance.choice(("compressor", "filters", "shape", "dtype", "chunks"))
    bad = {
        "compressor": {"id": chance.choice(("pickle", "nobody", "json2", "zlib"))},
        "filters": [{"id": chance.choice(("pickle", "vlen-array", "nobody"))}],
        "shape": chance.choice(([2**40], [-1], [], [0], "x")),
        "dtype": chance.choice(("|O", "<f16", "nothing", [["a", "<i4"]])),
        "chunks": chance.choice(([0], [2**40], [-1], [])),
    }
    content[part] = bad[part]
    path.write_text(json.dumps(content), encoding="utf-8")
    return f"{part} = {bad[part]}"


def _nodes(content: Any) -> Any:
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(pairs):
        yield content, key
        yield from _nodes(value)


def _as_text(text: str, chance: Random) -> tuple[bytes, str]:
    kind = chance.choice(("cut", "BOM", "UTF-16", "comma", "deep", "not JSON", "null", "two"))
    changed = {
        "cut": text[: len(text) // 2].encode(),
        "BOM": b"\xef\xbb\xbf" + text.encode(),
        "UTF-16": text.encode("utf-16"),
        "comma": text.rstrip().removesuffix("}").encode() + b",}",
        "deep": json.dumps(deep(200)).encode() if chance.random() < 0.5 else b"[" * 100_000,
        "not JSON": text.replace('"', "'").encode(),
        "null": b"null",
        "two": (text + text).encode(),
    }
    return changed[kind], f"text: {kind}"
