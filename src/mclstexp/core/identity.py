"""One identity: the keys of all that is cached, resumed, skipped or compared are made here.

A key is a hash of everything that a result depends on. Equal keys mean equal results; whatever moves a number, or a
name that is written beside it, moves the key. A key is compared, never assumed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import numpy as np
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Slide, Tiles, TileSpec

FORMAT: Final = 2
"""Rises when a key's parts or their encoding change: what was kept under the older ones is then made again."""
_LENGTH: Final = 32


def of(kind: str, *parts: Any) -> str:
    """Hash parts in order into a key of 32 hexadecimal digits.

    Every part is written with its kind and its length, so that no two lists of parts read alike. Equal numbers are
    alike whatever their type (1, 1.0, ``np.float32(1)``), as are lists and tuples, and mappings and sets in any
    order; arrays tell dtype and shape.

    Parameters
    ----------
    kind
        What the key is of; keys of unlike things are never equal.
    parts
        None, booleans, numbers, text, bytes, arrays, sparse matrices, dataclasses, and lists, sets and mappings of
        them.

    Raises
    ------
    InputError
        If a part is anything else (a method's option may be): what it depends on cannot be known.
    """
    digest = _Digest()
    digest.feed([FORMAT, kind, *parts])
    return digest.hexdigest()


def of_slide(slide: Slide) -> str:
    """Say which slide it is: its pixels, their scale, and where its coordinates begin; not its name."""
    return of("slide", *slide.known_by())


def of_tiles(tiles: Tiles) -> str:
    """Say which tiles they are: slide and its name, size and scale, places, array, ids."""
    where = (tiles.xy, tiles.array_xy, tiles.ids)
    return of("tiles", of_slide(tiles.slide), tiles.slide.id, _spec(tiles.spec), *where)


def of_section(section: Section) -> str:
    """Say which section it is: name, patient, tiles, counts, genes and labels; what is imputed, and by what."""
    counts = section.counts
    labels = np.asarray(counts.obs[keys.LABEL], str) if keys.LABEL in counts.obs else None
    parts = [section.id, section.patient, of_tiles(section.tiles), counts.X, section.genes, labels]
    if keys.EXPECTED_COUNTS in counts.obsm:
        expected = counts.obsm[keys.EXPECTED_COUNTS]
        parts += [list(expected.columns), expected.to_numpy(), counts.uns[keys.EXPECTED_COUNTS]]
    return of("section", *parts)


def of_features(slide: Slide, spec: TileSpec, *, sight: Mapping[str, Any]) -> str:
    """Say which embeddings they are, wherever on the slide.

    Parameters
    ----------
    slide
        Where pixels are read; one that turns its tiles says so in its fingerprint.
    spec
        Size and scale of the tiles.
    sight
        All that turns pixels into numbers: encoder, hash of its weights, precision, device.
    """
    return of("features", of_slide(slide), _spec(spec), dict(sight))


def of_fit(about: Mapping[str, Any], *, space: Any, sections: Sequence[Section]) -> str:
    """Say which fit it is.

    Parameters
    ----------
    about
        The method, all of its options, and what else moves its numbers: weights, precision, device, code (see
        `core.method.described`).
    space
        Panel and scale.
    sections
        The training sections, in order.
    """
    return of("fit", dict(about), space, [of_section(section) for section in sections])


def of_model(method: str, *, options: Mapping[str, Any], space: Any, spec: TileSpec, state: Any) -> str:
    """Say which fitted model it is: options, panel and scale, tiles, and everything learnt (its `State`)."""
    return of("model", method, dict(options), space, _spec(spec), state)


def hash_section(section: Section) -> str:
    """Hash what was measured and where: counts, genes, spots, positions (not the pixels).

    By this a model knows the sections it was trained on, read at any scale and whatever their image; saved models
    hold it. It is no key: much that moves a prediction is not in it.
    """
    digest = hashlib.sha256()
    counts = section.counts.X
    for part in (counts.indptr, counts.indices, counts.data, section.tiles.xy):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update("\n".join((*section.genes, *section.tiles.ids)).encode())
    return digest.hexdigest()[:16]


def _spec(spec: TileSpec) -> tuple[int, float]:
    return int(spec.size_px), float(spec.mpp)


class _Digest:
    """A hash that is fed values, each with its kind and length before it."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def hexdigest(self) -> str:
        return self._sha.hexdigest()[:_LENGTH]

    def feed(self, value: Any) -> None:
        atom = _atom(value)
        match value:
            case _ if atom is not None:
                self._put(*atom)
            case np.ndarray():
                self._feed_array(value)
            case Mapping():
                self._feed_all("mapping", sorted((_alone(name), part) for name, part in value.items()), pairs=True)
            case set() | frozenset():
                self._feed_all("set", sorted(_alone(part) for part in value))
            case list() | tuple():
                self._feed_all("list", value)
            case _ if sparse.issparse(value):
                matrix = sparse.csr_array(value)
                parts = (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data)
                self._feed_all("sparse", (matrix.shape, *parts))
            case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
                fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
                self._feed_all(f"dataclass {type(value).__qualname__}", [fields])
            case _:
                msg = (
                    "plain values (numbers, text, lists, mappings, arrays, dataclasses) expected as options, found "
                    f"{type(value).__name__}: give one of those"
                )
                raise InputError(msg)

    def _feed_array(self, array: np.ndarray) -> None:
        if array.dtype.kind in "UOST":  # the width of text is that of the longest
            self._feed_all("text array", [array.shape, *(str(item) for item in array.ravel().tolist())])
            return
        plain = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        self._put(f"array {plain.dtype.str} {plain.shape}", plain.tobytes())

    def _feed_all(self, kind: str, values: Iterable[Any], *, pairs: bool = False) -> None:
        values = list(values)
        self._put(kind, str(len(values)).encode())
        for value in values:
            for part in value if pairs else (value,):
                self.feed(part)

    def _put(self, kind: str, content: bytes) -> None:
        self._sha.update(f"{kind}:{len(content)}:".encode() + content)


def _atom(value: Any) -> tuple[str, bytes] | None:
    """Return kind and content of a value without parts."""
    match value:
        case None | bool() | np.bool_():
            return "constant", str(value).encode()
        case int() | float() | np.integer() | np.floating():
            return "number", _number(value)
        case str():
            return "text", value.encode("utf-8", "surrogatepass")
        case bytes():
            return "bytes", value
        case PurePath():
            return "path", str(value).encode("utf-8", "surrogateescape")
    return None


def _number(value: Any) -> bytes:
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and math.isfinite(number) and number.is_integer():
        number = int(number)
    return (number.hex() if isinstance(number, float) else str(number)).encode()


def _alone(value: Any) -> bytes:
    """Return a value's own hash, to put what has no order into one."""
    digest = _Digest()
    digest.feed(value)
    return digest._sha.digest()
