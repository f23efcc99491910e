"""Files a configuration is read from: TOML with environment variables, and lists of genes."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mclstexp.core.errors import InputError
from mclstexp.io.guard import guarded


@guarded("a configuration (.toml)")
def read_toml(path: Path | str) -> dict[str, Any]:
    """Read a TOML file, environment variables written ``${NAME}`` replaced in every text."""
    path = Path(path)
    if not path.is_file():
        msg = f"a configuration (.toml) expected at {path}, found no such file: check the path"
        raise InputError(msg)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        reason = str(error).rstrip(".")
        msg = f"a configuration in TOML expected in {path}, found an error ({reason}): correct it"
        raise InputError(msg) from error
    return _expand(content, where=path)


@guarded("a list of genes (text, one name a line)")
def read_genes(path: Path | str) -> list[str]:
    """Read gene names, one a line; empty lines and what follows ``#`` are passed over."""
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        msg = f"a list of genes (text, one name a line) expected at {path}, found none: check the path"
        raise InputError(msg) from error
    genes = [name for line in lines if (name := line.partition("#")[0].strip())]
    if not genes:
        msg = f"a list of genes (text, one name a line) expected in {path}, found no name"
        raise InputError(msg)
    return genes


def named_genes(said: str) -> list[str]:
    """Return the genes that a text names: a file with one a line, or names parted by commas."""
    path = Path(said)
    if path.is_file() or path.suffix in (".txt", ".csv", ".tsv") or "/" in said:
        return read_genes(path)
    return [name.strip() for name in said.split(",") if name.strip()]


def _expand(value: Any, *, where: Path) -> Any:
    if isinstance(value, Mapping):
        return {name: _expand(part, where=where) for name, part in value.items()}
    if isinstance(value, list):
        return [_expand(part, where=where) for part in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    expanded = os.path.expandvars(value)
    if "${" in expanded:
        name = expanded.partition("${")[2].partition("}")[0]
        msg = f"{where} needs the environment variable {name}, found it not set: export {name}=…"
        raise InputError(msg)
    return expanded
