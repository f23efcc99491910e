"""Damages one file of a folder, by what the file is."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from fuzz.mutators import (
    archives,
    content,
    geojson,
    hdf5,
    images,
    json_text,
    names,
    parquet,
    tables,
    tensors,
    tiff,
    toml,
)

Mutator = Callable[[Path, Random], str]
"""Changes a file; returns what it did. May raise if the file is too broken for it already."""

_BY_ENDING: dict[str, Sequence[Mutator]] = {
    ".h5": [hdf5.mutate],
    ".h5ad": [hdf5.mutate],
    ".json": [json_text.mutate],
    ".geojson": [json_text.mutate, geojson.mutate],
    ".zattrs": [json_text.mutate],
    ".zarray": [json_text.mutate, json_text.mutate_codec],
    ".zgroup": [json_text.mutate],
    ".safetensors": [tensors.mutate],
    ".tif": [tiff.mutate],
    ".tiff": [tiff.mutate],
    ".svs": [tiff.mutate],
    ".png": [images.mutate],
    ".jpg": [images.mutate],
    ".csv": [tables.mutate],
    ".tsv": [tables.mutate],
    ".mtx": [tables.mutate],
    ".txt": [tables.mutate],
    ".toml": [toml.mutate],
    ".parquet": [parquet.mutate],
    ".zip": [archives.mutate],
    ".tar": [archives.mutate],
}


def damage(folder: Path, patterns: Sequence[str], chance: Random) -> str:
    """Damage one file, or few, and say how.

    Parameters
    ----------
    folder
        Its files may be changed, removed and replaced.
    patterns
        Globs of the files that may be.
    chance
        Decides everything.
    """
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    done = []
    for _ in range(chance.choice((1, 1, 1, 2))):
        path = chance.choice(files)
        if not path.is_file():  # the first damage took it away
            continue
        mutate = _choose(path, chance)
        try:
            done.append(f"{path.relative_to(folder)}: {mutate(path, chance)}")
        except Exception as error:
            done.append(f"{path.relative_to(folder)}: {content.mutate(path, chance)} (not {type(error).__name__})")
    return "; ".join(done)


def _choose(path: Path, chance: Random) -> Mutator:
    if path.suffix == ".gz" and chance.random() < 0.7:
        inner = _BY_ENDING.get(Path(path.stem).suffix.lower(), [content.mutate])
        return _packed(chance.choice(inner))
    own = _BY_ENDING.get(path.suffix.lower() or path.name, [])
    kinds = [*own, content.mutate, names.mutate]
    weights = [6.0 / max(1, len(own))] * len(own) + [2.0, 0.5]
    return chance.choices(kinds, weights)[0]


def _packed(mutate: Mutator) -> Mutator:
    """Damage what lies inside a gzipped file."""

    def inside(path: Path, chance: Random) -> str:
        plain = path.with_suffix("")
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        said = mutate(plain, chance)
        path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
        plain.unlink()
        return f"inside: {said}"

    return inside
