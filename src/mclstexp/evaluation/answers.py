"""One section's truth and the answers given for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section
from mclstexp.data.autocorrelation import neighbour_weights


@dataclass(frozen=True, eq=False)
class Answers:
    """One section's truth and what was predicted for it: all that a metric may look at."""

    truth: Float[np.ndarray, "n_spots n_genes"]
    """Measured expression."""
    log_truth: Float[np.ndarray, "n_spots n_genes"]
    """The same on the log scale, whatever the prediction's."""
    residual_truth: Float[np.ndarray, "n_spots n_genes"]
    """The same as residuals of counts, whatever the prediction's scale."""
    predicted: Float[np.ndarray, "n_spots n_genes"]
    """Predicted expression, in the same space."""
    counts: Float[np.ndarray, "n_spots n_genes"]
    """Raw counts of the panel."""
    depth: Float[np.ndarray, " n_spots"]
    """Total raw count of each spot over all measured genes, of the panel or not."""
    train_mean: Float[np.ndarray, " n_genes"]
    """Mean expression over the training spots."""
    xy_um: Float[np.ndarray, "n_spots 2"]
    """Where the spots lie."""
    array_xy: Float[np.ndarray, "n_spots 2"] | None = None
    """(array column, array row) on the capture array, where there is one."""

    @classmethod
    def collect(
        cls,
        section: Section,
        predicted: ArrayLike,
        *,
        space: ExpressionSpace,
        residual_space: ExpressionSpace,
        train_mean: Float[np.ndarray, " n_genes"],
    ) -> Self:
        """Put a section's truth beside what was predicted for it.

        Parameters
        ----------
        section
            The section that was predicted.
        predicted
            (n_spots, n_genes) in `space`, rows in the section's order.
        space
            Panel and scale of prediction and truth.
        residual_space
            The same panel on residuals, learnt from training sections.
        train_mean
            (n_genes,) mean expression over the training spots.

        Raises
        ------
        InputError
            If the prediction has another shape than the truth, or a gene of the panel was not measured.
        """
        truth = space(section.counts)
        if np.shape(predicted) != truth.shape:
            msg = (
                f"section {section.id}: a prediction of shape {truth.shape} (spots, genes of the panel) expected, "
                f"found {np.shape(predicted)}: predict this section's tiles with a model of this panel"
            )
            raise InputError(msg)
        return cls(
            truth=truth,
            log_truth=truth if space.scale == "log" else space.on_log()(section.counts),
            residual_truth=truth if space == residual_space else residual_space(section.counts),
            predicted=np.asarray(predicted, np.float32),
            counts=space.panel(section.counts).astype(np.float32).toarray(),
            depth=np.asarray(section.counts.X.sum(axis=1), np.float64).ravel(),
            train_mean=np.asarray(train_mean, np.float32),
            xy_um=section.tiles.xy_um,
            array_xy=section.tiles.array_xy,
        )

    @cached_property
    def weights(self) -> sparse.csr_matrix:
        """Weights of direct neighbours (see `neighbour_weights`), computed once."""
        return neighbour_weights(self.xy_um)
