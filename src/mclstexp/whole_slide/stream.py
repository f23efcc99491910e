"""A slide through a model, block by block: memory follows the block, and what is done stays done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from mclstexp.core import identity, keys
from mclstexp.core.errors import InputError
from mclstexp.core.expression import require_finite
from mclstexp.core.predictor import Predictor, options
from mclstexp.core.tiles import Tiles
from mclstexp.data.recent_features import RecentFeatures
from mclstexp.io.provenance import source_hash
from mclstexp.sight.embed import features_kept_in
from mclstexp.whole_slide.blocks import Block, cut
from mclstexp.whole_slide.readable import ReadableSlide
from mclstexp.whole_slide.store import BlockStore

BLOCK_TILES: Final = {"cpu": 256, "cuda": 4096}
"""All that a killed process loses; many batches, so that the last one's filling costs little."""
MAX_UNREADABLE: Final = 0.01
"""Of more tiles than this share it is the slide that is damaged, and not a tile."""

OnProgress = Callable[[int, int], None]
"""Called with (tiles done, tiles in all) at the start, with what an earlier run had done, and after each block."""


@dataclass(frozen=True, eq=False)
class Streamed:
    """A slide's predictions, on disk."""

    store: BlockStore
    """The expression, in the order of the tiles; NaN where a tile was unreadable."""
    unreadable: Bool[np.ndarray, " n_tiles"]
    """Which tiles could not be decoded."""
    reference_distance: Float[np.ndarray, " n_tiles"] | None
    """See `Predictor.reference_distance`."""
    n_resumed: int
    """Tiles that an earlier, interrupted run had done."""
    reason: str
    """What the first tile that could not be read said."""


def stream(model: Predictor, tiles: Tiles, *, folder: Path, on_progress: OnProgress | None = None) -> Streamed:
    """Predict tiles of one slide block by block; a run that was killed resumes when it is run again.

    Embeddings of the last blocks stay in memory, so that what the rims of blocks share is computed once; nothing is
    kept in the cache on disk. The result equals that of a run that was never interrupted, and but for the rounding of
    sums (products of matrices of another shape round otherwise) that of `Predictor.predict` on all tiles at once.

    Parameters
    ----------
    model
        A fitted model.
    tiles
        Tiles of one slide, read with the model's spec.
    folder
        Where finished blocks are kept; ours alone, see `mclstexp.io.working.working_folder`.
    on_progress
        Called after each block.

    Raises
    ------
    InputError
        If more than 1 % of the tiles cannot be decoded, there is no room, or the method cannot take so many tiles.
    """
    n_tiles = BLOCK_TILES["cuda" if torch.cuda.is_available() else "cpu"]
    blocks = cut(tiles, n_tiles=n_tiles, context_um=model.context_um)
    key = identity.of("blocks", run_key(model), identity.of_tiles(tiles), n_tiles, source_hash())
    store = BlockStore(folder, key=key, shape=(len(tiles), len(model.genes_)))
    slide = ReadableSlide(tiles.slide)
    found = {block.number: kept for block in blocks if (kept := store.read(block.number, block.rows)) is not None}
    n_resumed = n_done = sum(len(block.rows) for block in blocks if block.number in found)
    recent = RecentFeatures()
    report = on_progress or (lambda *_: None)
    report(n_done, len(tiles))
    for block, row_px in zip(blocks, _still_needed(tiles, blocks), strict=True):
        if block.number not in found:
            recent.forget_above(row_px)
            expression, columns = _predict(model, replace(tiles, slide=slide), block, recent)
            store.write(block.number, block.rows, expression, columns)
            found[block.number] = columns
            n_done += len(block.rows)
            _check_readable(tiles, found, slide.reason)
            report(n_done, len(tiles))
    distance = None
    if all("reference_distance" in kept for kept in found.values()):
        distance = _gathered(blocks, found, "reference_distance", len(tiles)).astype(np.float32)
    unreadable = _gathered(blocks, found, "unreadable", len(tiles)).astype(bool)
    return Streamed(store, unreadable, distance, n_resumed=n_resumed, reason=slide.reason)


def _still_needed(tiles: Tiles, blocks: list[Block]) -> NDArray[np.float64]:
    """Return for each block the topmost row (pixels) that it or a later one looks at, three tiles of margin included.

    The margin is for methods that read parts of tiles and windows around them: what is forgotten is read again.
    """
    first = np.array([tiles.xy[np.concatenate([block.rows, block.rim]), 1].min() for block in blocks])
    return np.minimum.accumulate(first[::-1])[::-1] - 3 * tiles.spec.size_um / tiles.slide.mpp


def _predict(
    model: Predictor, tiles: Tiles, block: Block, recent: RecentFeatures
) -> tuple[Float[np.ndarray, "n g"], dict[str, NDArray]]:
    """Return the expression of a block's own rows, and columns about them."""
    asked = tiles.take(np.concatenate([block.rows, block.rim]))
    n_own, slide = len(block.rows), tiles.slide
    with features_kept_in(recent):
        # Predictor.predict would make an AnnData of the rim too
        expression = model._expressed(asked)[:n_own]
        distance = model.reference_distance(asked)
    assert isinstance(slide, ReadableSlide)
    unreadable = slide.unreadable(tiles.take(block.rows))
    require_finite(expression, name=model.name)
    expression = np.where(unreadable[:, None], np.float32(np.nan), expression)
    columns = {"unreadable": unreadable.astype(np.uint8)}
    if distance is not None:
        columns["reference_distance"] = np.where(unreadable, np.float32(np.nan), distance[:n_own]).astype(np.float32)
    return expression, columns


def _check_readable(tiles: Tiles, found: Mapping[int, Mapping[str, NDArray]], reason: str) -> None:
    n_bad = sum(int(columns["unreadable"].sum()) for columns in found.values())
    if n_bad > MAX_UNREADABLE * len(tiles):
        msg = (
            f"{tiles.slide.id}: at least {1 - MAX_UNREADABLE:.0%} readable tiles expected, found {n_bad} of "
            f"{len(tiles)} that are not ({reason}): copy the slide again"
        )
        raise InputError(msg)


def _gathered(
    blocks: list[Block], found: Mapping[int, Mapping[str, NDArray]], name: str, n_tiles: int
) -> NDArray[np.float64]:
    values = np.empty(n_tiles)
    for block in blocks:
        values[block.rows] = found[block.number][name]
    return values


def model_key(model: Predictor) -> str:
    """Say which fitted model it is, see `mclstexp.core.identity.of_model`."""
    return identity.of_model(
        model.name,
        options={name: repr(value) for name, value in options(model).items()},
        space=model.space_.to_dict(),
        spec=model.spec_,
        state=model._get_state(),
    )


def run_key(model: Predictor) -> str:
    """Say which fitted model it is and how it computes here: precision and device move its numbers too.

    What was half done on another machine, or in another precision, is not mixed with what is done here.
    """
    here = {name: said for name, said in model._numerics().items() if name != "checkpoint_sha256"}  # is in its state
    told = {name: said for name, said in model.provenance_.items() if name in (keys.VERDICTS, keys.ADAPTED)}
    key = identity.of("model here", model_key(model), here)
    return key if not told else identity.of("told", key, told)
