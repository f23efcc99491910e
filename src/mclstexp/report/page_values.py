"""The maps of a page: values of genes as bytes, their scales and the limits of their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8

from mclstexp.analysis.pairs import Pair
from mclstexp.core.gene_blocks import blocks
from mclstexp.plotting.maps import robust_limits
from mclstexp.report.page_arrays import quantise, scales
from mclstexp.report.page_study import Study


@dataclass(frozen=True, eq=False)
class CodedMaps:
    """Maps of all genes of the page as bytes, gene by gene (see `quantise`), section by section."""

    truth: tuple[UInt8[np.ndarray, "n_genes _"], ...]
    """Measured."""
    predicted: tuple[UInt8[np.ndarray, "n_genes _"], ...]
    """Predicted."""
    width: tuple[UInt8[np.ndarray, "n_genes _"] | None, ...]
    """Half widths of the intervals; None for a section without."""
    scale: dict[str, Float[np.ndarray, "n_genes 2"]]
    """Lowest and highest of "value" and of "width"."""
    limits: dict[str, Float[np.ndarray, "n_genes ..."]]
    """Of colours: ends of "value" and "width", and the largest "difference"."""


@dataclass(frozen=True, eq=False)
class _Values:
    """One section on some genes; NaN where it has no such gene."""

    truth: Float[np.ndarray, "n_spots n_genes"]
    predicted: Float[np.ndarray, "n_spots n_genes"]
    width: Float[np.ndarray, "n_spots n_genes"] | None


def code_maps(study: Study, genes: Sequence[str]) -> CodedMaps:
    """Turn the maps of `genes` into bytes, some genes at a time: whole sections of numbers may be large."""
    n_spots = sum(len(pair.section) for pair in study.pairs)
    parts = [_coded(study, genes[some]) for some in blocks(len(genes), n_spots)]
    return CodedMaps(
        truth=_joined([part.truth for part in parts]),
        predicted=_joined([part.predicted for part in parts]),
        width=_joined([part.width for part in parts]),
        scale={name: np.concatenate([part.scale[name] for part in parts]) for name in parts[0].scale},
        limits={name: np.concatenate([part.limits[name] for part in parts]) for name in parts[0].limits},
    )


def _coded(study: Study, genes: Sequence[str]) -> CodedMaps:
    values = [_on_panel(study, pair, genes) for pair in study.pairs]
    shown = [array for found in values for array in (found.truth, found.predicted)]
    widths = [found.width for found in values if found.width is not None]
    scale = {"value": scales(*shown), "width": scales(*widths) if widths else np.zeros((len(genes), 2))}
    off = np.concatenate([found.predicted - found.truth for found in values])
    known = np.concatenate(widths) if widths else np.full((1, len(genes)), np.nan)
    return CodedMaps(
        truth=tuple(quantise(found.truth, scale["value"]) for found in values),
        predicted=tuple(quantise(found.predicted, scale["value"]) for found in values),
        width=tuple(None if found.width is None else quantise(found.width, scale["width"]) for found in values),
        scale=scale,
        limits={
            "value": np.array([_robust(column) for column in np.concatenate(shown).T]),
            "difference": np.array([max(map(abs, robust_limits(column))) for column in off.T]),
            "width": np.array([_robust(column) for column in known.T]),
        },
    )


def _joined(parts: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Put genes one below the other, section by section."""
    return tuple(None if found[0] is None else np.concatenate(found) for found in zip(*parts, strict=True))


def _on_panel(study: Study, pair: Pair, genes: Sequence[str]) -> _Values:
    at = pd.Index(pair.genes).get_indexer(pd.Index(genes))
    width = study.widths.get(pair.id)
    return _Values(_columns(pair.truth, at), _columns(pair.guess, at), None if width is None else _columns(width, at))


def _columns(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.where(at >= 0, values[:, at], np.float32(np.nan))


def _robust(values: np.ndarray) -> tuple[float, float]:
    """Return robust limits; of a gene that is the same nearly everywhere, the whole range."""
    known = values[np.isfinite(values)]
    if len(known) and np.ptp(known) > np.ptp(np.quantile(known, [0.01, 0.99])) == 0:
        return float(known.min()), float(known.max())
    return robust_limits(known)
