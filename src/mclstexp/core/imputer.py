"""`Imputer`: what every method is that says of genes nobody measured on a section where they are active."""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool, Float

from mclstexp._version import __version__
from mclstexp.core import identity, keys
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.method import Method, options
from mclstexp.core.pairing import MIN_SPOTS, TARGET_SUM, Pairing, pair
from mclstexp.core.room import Room
from mclstexp.core.section import as_counts

ROOM: Final[Room[Imputer]] = Room("mclstexp.imputation", question="imputation")
register = ROOM.register
_KEPT: Final = (keys.ARRAY_COL, keys.ARRAY_ROW, keys.LABEL, keys.SECTION, keys.PATIENT)


@dataclass(frozen=True, eq=False)
class Imputed:
    """What a method says of the genes that it was asked for."""

    values: Float[np.ndarray, "n_spots n_targets"]
    """On the scale of `Pairing`: ln(1 + 10⁴ · share)."""
    sd: Float[np.ndarray, "n_spots n_targets"] | None = None
    """Standard deviation of its own draws, where it draws."""


class Imputer(Method):
    """A method that imputes genes which a section lacks, from a reference that has them.

    Subclasses are dataclasses whose fields are their options: every option has a default and a sentence under it. They
    write `_impute`; the public method checks and is final. Nothing is kept between calls: what is learnt holds for one
    section and one reference, and the answer is all of it.
    """

    @final
    def impute(self, counts: AnnData, reference: AnnData, *, genes: Sequence[str] | None = None) -> AnnData:
        """Say how much of each gene each spot holds.

        Parameters
        ----------
        counts
            (n_spots, n) raw counts of one section: `Section.counts`, or those of one without an image.
        reference
            (n_cells, n) raw counts of single cells of such tissue, or of spots of another section.
        genes
            What is imputed; by default the genes of the reference that the section lacks. One that the section has is
            hidden from the method altogether (totals, choice of genes, scaling).

        Returns
        -------
        AnnData (n_spots, n_genes): `X` float32 in ln(1 + 10⁴ · share), ``var["in_section"]``,
        ``uns["mclstexp"]`` how it was made, ``layers["sd"]`` where the method draws, and the spots' places.

        Raises
        ------
        InputError
            If the two share no or too few genes, a gene is named twice or is not in the reference, or there are not
            enough spots or cells with counts.
        RuntimeError
            If the method returned a wrong shape or a number that is not finite.
        """
        genes = [genes] if isinstance(genes, str) else genes
        kept = measured_spots(counts[:, ~counts.var_names.isin(list(genes or ()))])
        known = pair(counts[kept], reference, genes=genes)
        found = self._impute(known)
        shape = (int(kept.sum()), len(known.targets))
        for values in (found.values, found.sd):
            if values is not None and (values.shape != shape or not np.isfinite(values).all()):
                msg = f"{self.name} returned shape {values.shape} (expected {shape}) or numbers that are not finite"
                raise RuntimeError(msg)
        targets = pd.Index(known.targets, dtype=object)
        imputed = ad.AnnData(
            X=_everywhere(found.values, kept),
            obs=counts.obs.loc[:, counts.obs.columns.isin(_KEPT)].copy(),
            var=pd.DataFrame({keys.IN_SECTION: targets.isin(counts.var_names)}, index=targets),
            uns={keys.PROVENANCE: self._describe(counts, reference, known)},
        )
        if keys.SPATIAL in counts.obsm:
            imputed.obsm[keys.SPATIAL] = np.asarray(counts.obsm[keys.SPATIAL])
        if found.sd is not None:
            imputed.layers[keys.SD] = _everywhere(found.sd, kept)
        return imputed

    def _describe(self, counts: AnnData, reference: AnnData, known: Pairing) -> dict[str, Any]:
        seen = counts[:, ~counts.var_names.isin(known.targets)]
        return {
            "question": "impute",
            "method": self.name,
            "version": __version__,
            # h5ad keeps no None and no nested tuple: options travel as text
            "options": {name: repr(value) for name, value in options(self).items()},
            "numerics": self._numerics(),
            "section": _hash(seen),
            "reference": _hash(reference),
            "n_spots": counts.n_obs,
            "n_cells": len(known.cells),
            "n_genes_learnt_from": len(known.genes),
            "space": ExpressionSpace(known.targets, target_sum=TARGET_SUM, log_base=math.e).record(),
        }

    @abstractmethod
    def _impute(self, known: Pairing) -> Imputed:
        """Return (n_spots, n_targets) values; all that may be looked at is in `known`."""


def measured_spots(counts: AnnData) -> Bool[np.ndarray, " n_spots"]:
    """Say which spots hold counts; says aloud how many do not.

    Raises
    ------
    InputError
        If hardly any does.
    """
    kept = np.asarray(as_counts(counts.X, where="the section").sum(axis=1)).ravel() > 0
    if kept.sum() < MIN_SPOTS:
        msg = (
            f"at least {MIN_SPOTS} spots with counts of genes that are not asked for expected, found {kept.sum()} of "
            f"{len(kept)}: give the section's raw counts"
        )
        raise InputError(msg)
    if not kept.all():
        n_blank = int((~kept).sum())
        text = f"{n_blank} of {len(kept)} spots have no counts: nothing is learnt of them, they get each gene's mean"
        warnings.warn(text, stacklevel=3)
    return kept


def _everywhere(
    values: Float[np.ndarray, "n_kept n"], kept: Bool[np.ndarray, " n_spots"]
) -> Float[np.ndarray, "n_spots n"]:
    whole = np.broadcast_to(values.mean(axis=0), (len(kept), values.shape[1])).astype(np.float32)
    whole[kept] = values
    return whole


def _hash(counts: AnnData) -> str:
    matrix = as_counts(counts.X, where="counts")
    return identity.of("counts", matrix, list(map(str, counts.var_names)), list(map(str, counts.obs_names)))
