"""One place seen at several widths: embeddings of the tissue around a tile, read from the slide's pixels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.sight.embed import embed_tiles, fixed_size_px
from mclstexp.sight.symmetries import embed_symmetries


@final
class _TileAlone(Slide):
    """Ready-made tiles, also read at other scales, and cut smaller; nothing around them."""

    def __init__(self, slide: Slide) -> None:
        assert slide.stored is not None, slide.id
        self.id, self.mpp, self.size_px, self.stored = slide.id, slide.mpp, slide.size_px, slide.stored
        self._slide, self._stored = slide, slide.stored

    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:
        """Return the middle of the tile centred on `xy`, as wide as `spec`."""
        tile = Image.fromarray(self._slide.read(xy, self._stored))
        margin = max(0.0, (1 - spec.size_um / self._stored.size_um) * self._stored.size_px / 2)
        box = (margin, margin, self._stored.size_px - margin, self._stored.size_px - margin)
        return np.asarray(tile.resize((spec.size_px, spec.size_px), Image.Resampling.BILINEAR, box=box))

    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:
        """See `Slide.thumbnail`."""
        return self._slide.thumbnail(max_size_px)

    def fingerprint(self) -> str:
        """See `Slide.fingerprint`; kept apart from a slide's, which shows what lies around a tile."""
        return f"{self._slide.fingerprint()}, tiles alone"


def embed_views(
    tiles: Tiles, encoder: str, *, widths: Sequence[float], size_px: int | None = None, symmetric: bool = False
) -> Float[np.ndarray, "n_tiles n_features"]:
    """Embed each place at several widths, all centred on it; each is cached as a tile of its own size and scale.

    Wider views show the tissue around a place at a lower magnification. They read pixels alone, so that a tile's
    views depend on no other tile that is asked. Of ready-made tiles nothing wider exists: such a view then shows the
    tile itself, and a warning says so.

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
    if tiles.slide.stored is not None:
        if max(widths, default=1) > 1:
            text = (
                "of ready-made tiles nothing wider can be seen: wider views show the tile itself, and predict less well"
            )
            warnings.warn(text, stacklevel=2)
        widths = [min(width, 1.0) for width in widths]
        tiles = replace(tiles, slide=_TileAlone(tiles.slide))
    specs = [TileSpec(size_px, width * tiles.spec.size_um / size_px) for width in widths]
    views = [tiles.with_spec(spec) for spec in specs]
    parts = [embed_symmetries(v, encoder).mean(axis=1) if symmetric else embed_tiles(v, encoder) for v in views]
    return np.concatenate([np.zeros((len(tiles), 0), np.float32), *parts], axis=1)
