"""What was said of a section by imputation, enhancement or domains, laid beside what was measured there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from scipy import sparse
from scipy.spatial import cKDTree

from mclstexp.core import keys
from mclstexp.core.enhancer import measured_beside
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pairing import log_shares
from mclstexp.core.panel import by_variability
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.places import misplaced
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.domains.agreement import annotated

N_GENES: Final = 200
"""Measured genes beside domains: the most variable."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A section and what was said of it, place by place; NaN where nothing was measured, or said."""

    section: Section
    """The places; counts are 0 at those that nobody measured."""
    genes: tuple[str, ...]
    """What is shown, in order."""
    truth: Float[np.ndarray, "n_places n_genes"]
    """Measured."""
    said: Float[np.ndarray, "n_places n_genes"]
    """Imputed, or enhanced."""
    unit: str
    """Of both."""
    why: tuple[str, ...]
    """What is worth knowing of each gene."""
    pcc: Float[np.ndarray, " n_genes"]
    """Of measured and said, where that says something."""
    domains: Mapping[str, list[str | None]] = field(default_factory=dict)
    """Each place's domain ("predicted") and label ("labels")."""


def beside(section: Section, said: AnnData) -> Answer:
    """Lay an answer beside the section that it is about.

    Raises
    ------
    InputError
        If it is no answer of ``impute``, ``enhance`` or ``domains``, or is about spots that the section has not.
    """
    question = said.uns[keys.PROVENANCE].get("question")
    if question not in _OF:
        found = "one of another question" if question else "a prediction of an image: look at it with mclstexp view"
        msg = f"an answer of impute, enhance or domains expected, found {found}"
        raise InputError(msg)
    return _OF[str(question)](section, said)


def _imputed(section: Section, said: AnnData) -> Answer:
    section = _at_spots(section, said)
    if keys.EXPECTED_PCC in said.var:
        said = said[:, np.argsort(-said.var[keys.EXPECTED_PCC].to_numpy(float), kind="stable")]
    at = section.counts.var_names.get_indexer(said.var_names)
    truth = np.where(at >= 0, log_shares(section.counts.X)[:, at].toarray(), np.nan)
    values = np.asarray(said.X, np.float64)
    measured = ["it was measured here, and hidden when it was imputed" if place >= 0 else "" for place in at]
    return Answer(
        section,
        tuple(map(str, said.var_names)),
        truth,
        values,
        "ln(1 + 10⁴ · share of counts)",
        tuple(here or _expected(row) for here, (_, row) in zip(measured, said.var.iterrows(), strict=True)),
        np.where(at >= 0, pearson_per_gene(np.nan_to_num(truth), values), np.nan),
    )


def _expected(row: pd.Series) -> str:
    unknown = "nobody measured it here"
    score, given_depth = (row.get(name, np.nan) for name in (keys.EXPECTED_PCC, keys.EXPECTED_PCC_DEPTH))
    return f"{unknown}; expected PCC {score:.2f}, {given_depth:.2f} given depth" if np.isfinite(score) else unknown


def _enhanced(section: Section, said: AnnData) -> Answer:
    space, names = ExpressionSpace.of_prediction(said), pd.Index(section.tiles.ids)
    at = names.get_indexer(said.obs_names)
    xy = np.asarray(said.obsm[keys.SPATIAL], np.float64)
    if (
        misplaced(xy).any()
        or not (at >= 0).any()
        or not np.allclose(xy[at >= 0], section.tiles.xy[at[at >= 0]], atol=1)
    ):
        msg = f"places about the spots of section {section.id} expected, found none: give the section it was made from"
        raise InputError(msg)
    truth = np.full(said.shape, np.nan)
    truth[at >= 0] = measured_beside(said, section.counts[at[at >= 0]])
    there = sparse.csr_matrix((np.ones((at >= 0).sum()), (np.flatnonzero(at >= 0), at[at >= 0])), (len(at), len(names)))
    counts = AnnData(sparse.csr_matrix(there @ section.counts.X), obs=said.obs[[]].copy(), var=section.counts.var)
    apart = cKDTree(xy).query(xy, k=2)[0][:, 1]
    counts.uns[keys.PITCH_UM] = float(np.median(apart)) * section.tiles.slide.mpp
    tiles = Tiles(slide=section.tiles.slide, xy=xy, ids=np.asarray(said.obs_names, str), spec=section.tiles.spec)
    why = "measured spots were given to the method: a PCC of them would say nothing"
    nothing = np.full(said.n_vars, np.nan)
    whole = replace(section, tiles=tiles, counts=counts)
    return Answer(whole, space.genes, truth, np.asarray(said.X), str(space), (why,) * said.n_vars, nothing)


def _divided(section: Section, said: AnnData) -> Answer:
    section = _at_spots(section, said)
    order = by_variability([section.counts.X.astype(np.float64)], names=np.asarray(section.genes, str))[:N_GENES]
    space = ExpressionSpace(tuple(section.genes[place] for place in order))
    truth = space(section.counts).astype(np.float64)
    domains = {"predicted": _named(said.obs[keys.DOMAIN])}
    labels = annotated(section.counts)
    if labels is not None:
        domains["labels"] = _named(labels)
    nothing = np.full(len(order), np.nan)
    why = ("it was measured; domains say nothing of single genes",) * len(order)
    return Answer(section, space.genes, truth, np.full(truth.shape, np.nan), str(space), why, nothing, domains)


def _named(domains: pd.Series) -> list[str | None]:
    return [None if pd.isna(name) else str(name) for name in domains]


def _at_spots(section: Section, said: AnnData) -> Section:
    at = pd.Index(section.tiles.ids).get_indexer(said.obs_names)
    if (at < 0).any():
        msg = (
            f"an answer about spots of section {section.id} expected, found {(at < 0).sum()} of {len(at)} others "
            f"({said.obs_names[at < 0][0]}, …): give the section it was made from"
        )
        raise InputError(msg)
    return section.take(at)


_OF: Final[dict[str, Callable[[Section, AnnData], Answer]]] = {
    "impute": _imputed,
    "enhance": _enhanced,
    "domains": _divided,
}


def facts_of(said: AnnData) -> dict[str, Any]:
    """Return how an answer was made, as people read it."""
    made = said.uns[keys.PROVENANCE]
    options = {f"option {name}": str(value) for name, value in made.get("options", {}).items()}
    shown = {name: str(made[name]) for name in ("question", "method", "version", "n_domains", "number") if name in made}
    return {**shown, **options}
