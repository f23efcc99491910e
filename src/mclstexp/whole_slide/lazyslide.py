"""LazySlide's world (the extra ``mclstexp[wsi]``): a store's tiles and features are taken, predictions go into it.

A store calls tiles by their upper left corners; here and in the AnnData returned, ``obsm["spatial"]`` holds centres.
"""

from __future__ import annotations

import warnings
from typing import Any, Final, final

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from numpy.typing import ArrayLike, NDArray

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.data.features import places
from mclstexp.data.recent_features import RecentFeatures
from mclstexp.sight.embed import features_kept_in
from mclstexp.whole_slide.grid import check_scale
from mclstexp.whole_slide.wsi_tiles import (
    INSTANCE_KEY,
    REGION_KEY,
    difference,
    encoder_name,
    hold,
    read_features,
    tiles_of,
)

ALIKE: Final = 0.3
"""Features that differ by more are not taken for this package's unasked; see `predict_wsi`."""


def predict_wsi(
    model: Predictor,
    wsi: Any,
    *,
    tile_key: str = "tiles",
    feature_key: str | None = None,
    key_added: str | None = None,
) -> AnnData:
    """Predict expression at the tiles of a `WSIData` store and write it into the store.

    Features of the model's encoder that the store holds are used for the tiles themselves; what else a method looks
    at (wider views, symmetries, parts) is computed from the pixels. Features of the same weights need not be the
    same: on CMU-1-Small-Region with EfficientNet-Lite0 LazySlide's differ from ours by 45 % of their length, for its
    transform (timm's for evaluation) shows the encoder the middle 7/8 of a tile; another resampling of the same
    pixels makes 8–22 %, the same pixels in bfloat16 4 %, float16 nothing. On HER2ST, PCC with the truth hardly moved
    by that crop (ridge 0.143 to 0.140) but fell to 0.093 under another normalisation of colour. So eight tiles are
    computed and compared: features further off than `ALIKE` are passed over unless `feature_key` names them.

    The tiles of a store are held in memory at once; for a slide of very many, see `mclstexp.predict_slide`.

    Parameters
    ----------
    model
        A fitted model.
    wsi
        A ``wsidata.WSIData`` over a slide file. It is not written to disk: call its ``write``.
    tile_key
        Name of the tiles; of any stride, but covering as much tissue as the model's.
    feature_key
        Table of features to use, with or without ``_{tile_key}``; by default the one named after the encoder
        (``densenet121_tiles``), where there is one.
    key_added
        Name of the table written; ``{method}_{tile_key}`` by default.

    Returns
    -------
    The table that was written: ``X`` (n_tiles, n_genes), ``obsm["spatial"]`` tile centres in level-0 pixels,
    ``obs["tile_id"]`` and ``obs["library_id"]`` say which shapes it describes.

    Raises
    ------
    InputError
        If the extra is not installed, the model is not fitted, there are no such tiles or features, or the tiles are
        of another size.
    """
    parse = _table_model().parse
    spec = _spec(model)
    tiles, _ = tiles_of(wsi, tile_key, spec=spec)
    check_scale(tiles.slide, spec, allowed=False)
    with features_kept_in(_given(model, wsi, tiles, tile_key=tile_key, feature_key=feature_key)):
        predicted = model.predict(tiles)
        distance = model.reference_distance(tiles)
    if distance is not None:
        predicted.obs[keys.REFERENCE_DISTANCE] = distance
    shapes = wsi.shapes[tile_key]
    predicted.obs[INSTANCE_KEY] = shapes.get(INSTANCE_KEY, shapes.index).to_numpy()
    predicted.obs[REGION_KEY] = pd.Categorical([tile_key] * len(tiles))
    table = parse(predicted, region=tile_key, region_key=REGION_KEY, instance_key=INSTANCE_KEY)
    wsi.tables[key_added or f"{model.name}_{tile_key}"] = table
    return table


def as_feature_model(model: Predictor, wsi: Any = None, *, tile_key: str = "tiles") -> FeatureModel:
    """Make of a fitted model one that ``zs.tl.feature_prediction`` takes.

    Parameters
    ----------
    model
        A fitted model.
    wsi
        The ``wsidata.WSIData`` it will be applied to. With it every method works, sizes are checked, and features
        that differ from this package's (see `predict_wsi`) are warned of. Without it the adapter serves any number
        of stores, but only for methods that look at a tile's own features alone, and nothing can be checked.
    tile_key
        Name of the tiles in that store.

    Raises
    ------
    InputError
        If the model is not fitted, or the tiles of the store cannot be used.
    """
    return FeatureModel(model, wsi, tile_key=tile_key)


@final
class FeatureModel:
    """A fitted model with LazySlide's ``FeaturePredictionModelProtocol``; made by `as_feature_model`.

    Attributes
    ----------
    name
        The method; the table written is called ``{name}_{tile_key}``.
    features_model_name
        Whose features it takes: the encoder's name in timm; None for a method without an encoder.
    needs_coords
        Whether it is told the tiles' corners.
    whole_slide
        Whether it must see all tiles at once: true of methods that look at other tiles.
    """

    def __init__(self, model: Predictor, wsi: Any = None, *, tile_key: str = "tiles") -> None:
        self.model, self.name, self._spec = model, model.name, _spec(model)
        self._encoder: str | None = getattr(model, "encoder", None)
        self.features_model_name = encoder_name(self._encoder) if self._encoder else None
        self.needs_coords = wsi is not None
        self.whole_slide = model.context_um > 0 or model.transductive
        self._known = None if wsi is None else tiles_of(wsi, tile_key, spec=self._spec)
        self._compared = False

    def predict(
        self,
        features: ArrayLike,
        coords: ArrayLike | None = None,
        *args: Any,  # noqa: ARG002  the protocol's
        **kwargs: Any,  # noqa: ARG002
    ) -> dict[str, NDArray[np.float32]]:
        """Predict from features.

        Parameters
        ----------
        features
            (n_tiles, dim) of the encoder.
        coords
            (n_tiles, 2) upper left corners in level-0 pixels, as LazySlide gives them; needed where the adapter was
            made with a store.

        Returns
        -------
        For each gene (n_tiles,) float32, in the model's `space_`.

        Raises
        ------
        InputError
            If features or places are not those of the model, or it needs pixels and has no slide.
        """
        values = np.asarray(features, np.float32)
        if values.ndim != 2 or not np.isfinite(values).all():
            msg = f"(n_tiles, dim) finite features expected, found {values.shape} or NaN: extract them again"
            raise InputError(msg)
        tiles = self._tiles(len(values), coords)
        store = hold(tiles, self._encoder, values) if self._encoder else RecentFeatures()
        if self._encoder and self._known is not None and not self._compared:
            self._compared = True
            _warn_if_unlike(difference(tiles, self._encoder, values), self._encoder)
        # the runner's autocast is for its own networks: ours settle their precision themselves
        with features_kept_in(store), torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            expression = self.model._expressed(tiles)
        return dict(zip(self.model.genes_, expression.T, strict=True))

    def get_transform(self) -> None:
        """Return nothing: it takes features, no images."""

    def to(self, device: Any) -> FeatureModel:  # noqa: ARG002  the protocol's
        """Return itself: a method computes where its option ``device`` says."""
        return self

    def try_compile(self, **compile_kws: Any) -> None:
        """Do nothing: compiled code rounds differently."""

    def _tiles(self, n_tiles: int, coords: ArrayLike | None) -> Tiles:
        if self._known is None:
            xy = np.column_stack([np.arange(n_tiles), np.zeros(n_tiles)]).astype(np.float64)
            return Tiles(NoPixels(self.name), xy, np.arange(n_tiles).astype(np.str_), spec=self._spec)
        tiles, corners = self._known
        if coords is None:
            msg = f"the corners of {n_tiles} tiles expected beside their features, found none: give coords"
            raise InputError(msg)
        rows = {place: row for row, place in enumerate(places(corners).tolist())}
        index = [rows.get(place, -1) for place in places(np.asarray(coords, np.float64)).tolist()]
        if -1 in index or len(index) != n_tiles:
            msg = (
                f"tiles of {tiles.slide.id}, for which this adapter was made, expected, found others: make one for "
                "each store, as_feature_model(model, wsi)"
            )
            raise InputError(msg)
        return tiles.take(np.array(index, dtype=int))


@final
class NoPixels(Slide):
    """The slide behind features that came alone: whoever asks it for anything is told what to do."""

    def __init__(self, method: str) -> None:
        self.id = "features"
        self._method = method

    def __getattr__(self, name: str) -> Any:
        if name in ("mpp", "size_px"):
            raise InputError(self._refusal("places in µm"))
        raise AttributeError(name)

    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:  # noqa: ARG002
        """Refuse."""
        raise InputError(self._refusal("pixels"))

    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:  # noqa: ARG002
        """Refuse."""
        raise InputError(self._refusal("pixels"))

    def fingerprint(self) -> str:
        """Return a name for what has no content."""
        return "no pixels"

    def known_by(self) -> tuple[Any, ...]:
        """Return that name alone; features that came alone are kept for one call."""
        return (self.fingerprint(),)

    def _refusal(self, what: str) -> str:
        return (
            f"{what} of the slide expected by this {self._method} model beside the features of its tiles, found "
            "features alone: make the adapter with the store, as_feature_model(model, wsi), or use predict_wsi"
        )


def _given(model: Predictor, wsi: Any, tiles: Tiles, *, tile_key: str, feature_key: str | None) -> RecentFeatures:
    """Return what the store knows of the tiles already, for `embed_tiles` to find."""
    encoder: str | None = getattr(model, "encoder", None)
    names = [feature_key] if feature_key else [encoder_name(encoder), encoder] if encoder else []
    there = [key for name in names for key in (name, f"{name}_{tile_key}") if key in wsi.tables]
    if feature_key and not there:
        known = ", ".join(sorted(wsi.tables)) or "none"
        msg = f"{wsi.name}: features in tables[{feature_key!r}] expected, found {known}: name another feature_key"
        raise InputError(msg)
    if not there or encoder is None:
        return RecentFeatures()
    rows, features = read_features(wsi.tables[there[0]], tiles, tile_key=tile_key)
    held = hold(tiles.take(rows), encoder, features)
    off = difference(tiles.take(rows), encoder, features)
    _warn_if_unlike(off, there[0], used=feature_key is not None)
    return RecentFeatures() if off > ALIKE and feature_key is None else held


def _warn_if_unlike(off: float, what: str, *, used: bool = True) -> None:
    if off > ALIKE:
        fate = "predictions from them are less certain" if used else "they are computed anew"
        text = (
            f"features {what} differ by {off:.0%} from those the model learnt from (another preprocessing, or other "
            f"weights under one name): {fate}"
        )
        warnings.warn(text, stacklevel=3)


def _spec(model: Predictor) -> TileSpec:
    if not model.is_fitted:
        msg = f"{model.name} must be fitted before it predicts: call fit(sections) first"
        raise InputError(msg)
    return model.spec_


def _table_model() -> Any:
    try:
        from spatialdata.models import TableModel  # noqa: PLC0415  slow, and an extra
    except ModuleNotFoundError as error:
        msg = "writing into a WSIData needs wsidata and spatialdata, found none: pip install 'mclstexp[wsi]'"
        raise InputError(msg) from error
    return TableModel
