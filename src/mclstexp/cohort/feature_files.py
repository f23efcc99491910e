"""Features of tiles in files, one for each slide, streamed as bags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from safetensors import safe_open

from mclstexp.core.bag import CHUNK, Bag, made_alike
from mclstexp.core.errors import InputError
from mclstexp.io.guard import reading
from mclstexp.io.hdf5 import opened_hdf5

_ENDINGS: Final = (".h5", ".npy", ".safetensors")
_WHAT: Final = "features of a slide's tiles (n_tiles, dim)"
_NAME: Final = "features"
_MADE: Final = ("encoder", "mpp", "size_px")
"""What a file says of how its features were made."""
_KINDS: Final = "fiu"
_FEW: Final = 20
"""One tile in so many, or fewer, are read one by one."""


class FileBag(Bag):
    """The tiles of one patient in one or more files, read a few thousand at a time.

    Raises
    ------
    InputError
        If a file is no table of numbers with a row for each tile, or two have another width.
    """

    def __init__(self, files: Sequence[Path], *, coarser: Sequence[Bag] = ()) -> None:
        self.files, self.coarser = tuple(files), tuple(coarser)
        shapes = []
        made = []
        for file in self.files:
            with _opened(file) as table:
                shapes.append(tuple(table.shape))
                made.append((file.name, table.made))
        self.made = made_alike(made)
        if len({shape[1] for shape in shapes}) > 1:
            msg = f"features of one width for all slides of a patient expected, found {shapes[:3]}: embed them alike"
            raise InputError(msg)
        self.n_tiles, self.dim = sum(shape[0] for shape in shapes), shapes[0][1]

    def chunks(self) -> Iterator[Float[np.ndarray, "n dim"]]:
        """See `Bag.chunks`."""
        for file in self.files:
            with _opened(file) as table:
                for start in range(0, table.shape[0], CHUNK):
                    chunk = np.asarray(table[start : start + CHUNK], np.float32)
                    if not np.isfinite(chunk).all():
                        msg = f"finite features expected in {file}, found NaN or an infinite number: embed it again"
                        raise InputError(msg)
                    yield chunk

    def take(self, numbers: Sequence[int] | np.ndarray) -> Float[np.ndarray, "n dim"]:
        """See `Bag.take`; few of many tiles are read one by one, without the others."""
        numbers = np.asarray(numbers, np.intp)
        if len(numbers) * _FEW > self.n_tiles:
            return super().take(numbers)
        found, start = np.empty((len(numbers), self.dim), np.float32), 0
        for file in self.files:
            with _opened(file) as table:
                here = np.flatnonzero((numbers >= start) & (numbers < start + table.shape[0]))
                for row in here:
                    at = int(numbers[row]) - start
                    found[row] = np.asarray(table[at : at + 1], np.float32)[0]
                start += table.shape[0]
        return found


def feature_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by the slide they are of.

    Raises
    ------
    InputError
        If there is no such folder, none of its files holds features, or two are of one slide.
    """
    if not folder.is_dir():
        msg = f"a folder with features of each slide expected at {folder}, found none: check the path"
        raise InputError(msg)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _ENDINGS or path.name.startswith("."):
            continue
        if path.stem in found:
            msg = f"one file for each slide expected in {folder}, found {found[path.stem].name} and {path.name}"
            raise InputError(msg)
        found[path.stem] = path
    if not found:
        msg = f"files SLIDE{' or SLIDE'.join(_ENDINGS)} expected in {folder}, found none: check the folder"
        raise InputError(msg)
    return found


def bag_of(files: Sequence[Path], *, coarser: Sequence[Bag | None] = ()) -> FileBag | None:
    """Return the tiles in some files; None without files, or without a tile in them or in a wider scale."""
    if not files or None in coarser:
        return None
    bag = FileBag(files, coarser=[wider for wider in coarser if wider is not None])
    return bag if bag.n_tiles else None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the table of a file: it has a shape and can be sliced."""
    with reading(path, _WHAT):
        if path.suffix.lower() == ".npy":
            table = np.load(path, mmap_mode="r", allow_pickle=False)
            yield _Rows(table, table.shape, path, numbers=table.dtype.kind in _KINDS)
        elif path.suffix.lower() == ".safetensors":
            with safe_open(path, framework="numpy") as file:
                table = file.get_slice(_NAME)
                numbers = table.get_dtype()[0] in "FIU"  # F32, I64, U8
                yield _Rows(table, tuple(table.get_shape()), path, numbers=numbers, said=file.metadata() or {})
        else:
            with opened_hdf5(path, _WHAT) as file:
                table = file[_NAME]
                said = {**file.attrs, **table.attrs}
                yield _Rows(table, table.shape, path, numbers=table.dtype.kind in _KINDS, said=said)


class _Rows:
    """A table in a file, whatever the file's kind."""

    def __init__(
        self, table: Any, shape: tuple[int, ...], path: Path, *, numbers: bool, said: Mapping[str, Any] | None = None
    ) -> None:
        if len(shape) != 2 or not shape[1]:
            msg = f"{_WHAT} expected in {path}, found shape {shape}: give a row for each tile"
            raise InputError(msg)
        if not numbers:
            msg = f"{_WHAT} as real numbers expected in {path}, found another kind: embed it again"
            raise InputError(msg)
        self._table, self.shape = table, shape
        self.made = {part: value for part in _MADE if isinstance(value := (said or {}).get(part), str)}

    def __getitem__(self, rows: slice) -> Any:
        return self._table[rows.start : min(rows.stop, self.shape[0])]  # safetensors refuses to go beyond
