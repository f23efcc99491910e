"""Predictions of slides, read one at a time: the sum over their tiles, and which model made them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from scipy import sparse

from mclstexp.cohort.bridge.groups import Groups
from mclstexp.core import identity, keys
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.io.entries import entries
from mclstexp.io.guard import reading
from mclstexp.io.predictions import read_prediction

ROWS: Final = 1024
"""Tiles read at a time."""
_OF_MODEL: Final = (
    "method", "space", "options", "version", "numerics", "sections", "patients", "min_counts", "sample", "spec",
)  # fmt: skip
_OF_GENES: Final = (keys.VERDICT, keys.TRAINING_LOW, keys.TRAINING_HIGH)
_WHAT: Final = "a prediction (.h5ad)"


@dataclass(frozen=True, eq=False)
class Predicted:
    """A slide's prediction, summed over its tiles."""

    slide: str
    """Its name."""
    where: str
    """The file, for messages."""
    total: Float[np.ndarray, " n_genes"]
    """Sum of the expression at the tiles."""
    n_tiles: int
    """How many there are, without those that could not be decoded."""
    var: pd.DataFrame
    """What is said of each gene."""
    scale: str
    """In words."""
    made_by: dict[str, str]
    """What makes the model what it is, by name; each as text."""
    patients: tuple[str, ...]
    """From whom the model learnt."""
    sections: tuple[str, ...]
    """Of which sections."""

    @property
    def model(self) -> str:
        """Key of the model."""
        return identity.of("model of a prediction", self.made_by)


def predictions_in(found: AnnData | Path | str | Iterable[AnnData | Path | str]) -> list[AnnData | Path]:
    """List predictions: files, those that lie in a folder, and such as are in memory.

    Raises
    ------
    InputError
        If a folder has none, or there is none at all.
    """
    several = [found] if isinstance(found, AnnData | Path | str) else list(found)
    listed = [one for given in several for one in ([given] if isinstance(given, AnnData) else _files(Path(given)))]
    if not listed:
        msg = "predictions of slides or sections expected, found none: give files, a folder, or what predict returned"
        raise InputError(msg)
    return listed


def read_sum(prediction: AnnData | Path) -> Predicted:
    """Sum a prediction over its tiles, some rows at a time.

    Raises
    ------
    InputError
        If it cannot be read, is no prediction or of several slides, or a number is not finite where a tile was read.
    """
    return _read(prediction, None)[0]


def read_groups(
    prediction: AnnData | Path, groups: Groups
) -> tuple[Predicted, list[str], Float[np.ndarray, "k n_genes"], Float[np.ndarray, " k"]]:
    """Sum a prediction over the tiles of each group, some rows at a time.

    Returns
    -------
    What `read_sum` returns, and of each group the name, the sum, and how many tiles are in it.

    Raises
    ------
    InputError
        As `read_sum`, or if groups cannot be told.
    """
    return _read(prediction, groups)


def _read(
    prediction: AnnData | Path, groups: Groups | None
) -> tuple[Predicted, list[str], Float[np.ndarray, "k n_genes"], Float[np.ndarray, " k"]]:
    where = "the prediction" if isinstance(prediction, AnnData) else str(prediction)
    with _opened(prediction) as adata, reading(where, _WHAT):
        said = adata.uns.get(keys.PROVENANCE)
        if not isinstance(said, dict) or "space" not in said or keys.SECTION not in adata.obs:
            msg = f"{_WHAT} expected in {where}, found something else: give what predict wrote"
            raise InputError(msg)
        slides = [str(name) for name in adata.obs[keys.SECTION].unique()]
        if len(slides) != 1:
            msg = f"the prediction of one slide expected in {where}, found {len(slides)}: give a file for each"
            raise InputError(msg)
        names, parts = ([], np.empty((adata.n_obs, 0))) if groups is None else groups.of(adata, slide=slides[0])
        sums, weights = _summed(adata, np.column_stack([np.ones(adata.n_obs), parts]), where=where)
        var = adata.var.copy()
        found = Predicted(
            slide=slides[0],
            where=where,
            total=sums[0],
            n_tiles=int(weights[0]),
            var=var,
            scale=str(ExpressionSpace.of_prediction(adata)),
            made_by={
                **{name: _as_text(said.get(name)) for name in _OF_MODEL},
                "genes": _as_text([str(gene) for gene in var.index]),
                **{name: _as_text(_plain(var[name])) if name in var else "" for name in _OF_GENES},
            },
            patients=tuple(map(str, said.get("patients", ()))),
            sections=tuple(map(str, said.get("sections", ()))),
        )
        return found, names, sums[1:], weights[1:]


def require_one_model(first: Predicted, other: Predicted) -> None:
    """Refuse predictions that cannot stand in one table.

    Raises
    ------
    InputError
        If they are of two models or on two scales; the message says what differs.
    """
    differing = [name for name, said in first.made_by.items() if other.made_by[name] != said]
    if not differing:
        return
    one, two = ((read.made_by[differing[0]], read.where) for read in (first, other))
    what = "on one scale" if differing[0] == "space" else "of one model"
    how = f"{one[0]} and {two[0]}" if max(len(one[0]), len(two[0])) < 40 else "two"
    msg = (
        f"predictions {what} expected, found other {differing[0]} in {Path(two[1]).name} than in {Path(one[1]).name} "
        f"({how}): predict all slides with one model"
    )
    raise InputError(msg)


def _files(path: Path) -> list[AnnData | Path]:
    if path.suffix.lower() == ".zarr":
        msg = f"{_WHAT} expected, found {path}, of SpatialData: predict the slide as .h5ad"
        raise InputError(msg)
    if not path.is_dir():
        return [path]
    files: list[AnnData | Path] = [file for file in entries(path) if file.suffix.lower() == ".h5ad"]
    if not files:
        msg = f"predictions (.h5ad) expected in the folder {path}, found none: give what predict wrote"
        raise InputError(msg)
    return files


@contextmanager
def _opened(prediction: AnnData | Path) -> Iterator[AnnData]:
    if isinstance(prediction, AnnData):
        yield prediction
        return
    adata = read_prediction(prediction, backed=True)
    try:
        yield adata
    finally:
        adata.file.close()


def _summed(
    adata: AnnData, weights: Float[np.ndarray, "n k"], *, where: str
) -> tuple[Float[np.ndarray, "k n_genes"], Float[np.ndarray, " k"]]:
    """Return the sum over tiles by each of the weights, and the sum of these; lost tiles count for nothing."""
    lost = np.zeros(adata.n_obs, bool)
    if keys.UNREADABLE in adata.obs:
        lost = adata.obs[keys.UNREADABLE].to_numpy(bool)
    if lost.all():
        msg = f"tiles with a prediction expected in {where}, found none among {len(lost)}: predict the slide again"
        raise InputError(msg)
    total, matrix = np.zeros((weights.shape[1], adata.n_vars)), adata.X
    for start in range(0, adata.n_obs, ROWS):
        block: Any = matrix[start : start + ROWS]
        kept = ~lost[start : start + ROWS]
        values = np.asarray(block.toarray() if sparse.issparse(block) else block, np.float64)[kept]
        total += weights[start : start + ROWS][kept].T @ values
    if not np.isfinite(total[0]).all():
        gene = adata.var_names[~np.isfinite(total[0])][0]
        msg = f"finite numbers expected in {where}, found others for {gene}: predict the slide again"
        raise InputError(msg)
    return total, weights[~lost].sum(axis=0)


def _plain(column: pd.Series) -> list[str]:
    return [str(value) for value in column]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=_as_list)


def _as_list(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
