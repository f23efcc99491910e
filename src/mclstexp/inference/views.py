"""One place seen at several widths: embeddings of the tissue around a tile, read from the slide's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.inference.embed import embed_tiles, fixed_size_px
from mclstexp.inference.symmetries import embed_symmetries


def embed_views(
    tiles: Tiles, encoder: str, *, widths: Sequence[float], size_px: int | None = None, symmetric: bool = False
) -> Float[np.ndarray, "n_tiles n_features"]:
    """Embed each place at several widths, all centred on it; each is cached as a tile of its own size and scale.

    Wider views show the tissue around a place at a lower magnification. They read pixels alone, so that a tile's
    views depend on no other tile that is asked.

    Parameters
    ----------
    tiles
        Where to look.
    encoder
        A name of `create_encoder`.
    widths
        Widths of the views as multiples of the tile's.
    size_px
        Side of a view in pixels; by default half the tile's, which costs a quarter of its time, or the only size the
        encoder takes.
    symmetric
        Average the embeddings of a view's eight symmetries, for eight times the work.

    Returns
    -------
    (n_tiles, len(widths) · dim) float32, one width after the other.
    """
    size_px = size_px or fixed_size_px(encoder) or max(1, tiles.spec.size_px // 2)
    specs = [TileSpec(size_px, width * tiles.spec.size_um / size_px) for width in widths]
    views = [tiles.with_spec(spec) for spec in specs]
    parts = [embed_symmetries(v, encoder).mean(axis=1) if symmetric else embed_tiles(v, encoder) for v in views]
    return np.concatenate([np.zeros((len(tiles), 0), np.float32), *parts], axis=1)
