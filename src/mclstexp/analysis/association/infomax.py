"""Traits for a scan by Genetic InfoMax: what an image shares with genotypes or genes, learnt from other individuals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.analysis.association.associate import TRAINED_ON
from mclstexp.analysis.association.columns import as_columns
from mclstexp.core.errors import InputError
from mclstexp.nn.genome import GenomeEncoder, GenomeOrder, calls
from mclstexp.nn.trans_modal import Estimator, TransModal, image_traits
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.trans_modal import fit_trans_modal


@dataclass(frozen=True)
class InfoMaxOptions:
    """How traits are learnt; the paper's values were not available."""

    n_traits: int = 8
    """How many."""
    encoder: Literal["linear", "genome"] = "linear"
    """Of the markers: one layer, or a Transformer over windows of the genome, which overfits below ten thousand
    individuals."""
    window: int = 32
    """Markers in a window."""
    spread: float = 0.1
    """Weight of the terms that make each trait vary by itself."""
    estimator: Estimator = "infonce"
    """Bound of mutual information."""
    temperature: float = 0.2
    """What cosines are divided by."""
    steps: int = 250
    """Batches."""
    batch_size: int = 256
    """Individuals contrasted with each other."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
    seed: int = 0
    """Start of the random numbers."""


@dataclass(frozen=True, eq=False)
class InfoMaxTraits:
    """What was learnt, and from whom."""

    model: TransModal
    mean: Float[np.ndarray, " n_features"]
    spread: Float[np.ndarray, " n_features"]
    features: tuple[str, ...]
    who: tuple[str, ...]
    """The individuals from whom it was learnt: a scan of theirs is refused."""

    @classmethod
    def fit(
        cls,
        images: pd.DataFrame,
        markers: pd.DataFrame,
        *,
        positions: pd.DataFrame | None = None,
        options: InfoMaxOptions = InfoMaxOptions(),
    ) -> Self:
        """Learn traits of images that tell of markers.

        Parameters
        ----------
        images, markers
            A row for each individual, in one order.
        positions
            "chromosome" and "position" (base pairs) by marker, for the encoder "genome", which takes markers for
            genotypes: 0, 1 or 2.
        options
            How.

        Raises
        ------
        InputError
            If tables differ in their rows, or positions are missing.
        """
        seen, told = as_columns(images, what="images"), as_columns(markers, what="markers", fill=True)
        if not seen.index.equals(told.index):
            msg = "images and markers of the same individuals, in one order, expected, found others: align them"
            raise InputError(msg)
        values = seen.to_numpy()
        mean, spread = values.mean(axis=0), values.std(axis=0)
        spread = np.where(spread > 0, spread, 1)
        others = told.to_numpy()
        size = others.std(axis=0)
        standard = torch.from_numpy((others - others.mean(axis=0)) / np.where(size > 0, size, 1)).float()
        with torch.random.fork_rng():
            torch.manual_seed(options.seed)
            genes: nn.Module = nn.Linear(standard.shape[1], 32)
            if options.encoder == "genome":
                genes, standard = _genome(told, positions, options), calls(torch.from_numpy(others).float())
            image = image_traits(values.shape[1], options.n_traits)
            model = TransModal(image, genes, n_traits=options.n_traits, n_other=32, temperature=options.temperature)
        batch = min(options.batch_size, len(values))
        training = TrainingOptions(
            epochs=math.ceil(options.steps / (len(values) // batch)),
            batch_size=batch,
            learning_rate=options.learning_rate,
            seed=options.seed,
        )
        fit_trans_modal(
            model,
            torch.from_numpy((values - mean) / spread).float(),
            standard,
            options=training,
            spread=options.spread,
            estimator=options.estimator,
        )
        return cls(model.eval(), mean, spread, tuple(map(str, seen.columns)), tuple(map(str, seen.index)))

    @torch.inference_mode()
    def traits(self, images: pd.DataFrame) -> pd.DataFrame:
        """Return the traits of images; the table says from whom they were learnt, and `associate` refuses these.

        Raises
        ------
        InputError
            If these are other features.
        """
        seen = as_columns(images, what="images")
        if tuple(map(str, seen.columns)) != self.features:
            msg = f"the {len(self.features)} features that traits were learnt from expected, found others: give those"
            raise InputError(msg)
        found: Tensor = self.model.image(torch.from_numpy((seen.to_numpy() - self.mean) / self.spread).float())
        names = [f"trait {k + 1}" for k in range(found.shape[1])]
        table = pd.DataFrame(found.double().numpy(), index=seen.index, columns=names)
        table.attrs[TRAINED_ON] = self.who
        return table


def _genome(markers: pd.DataFrame, positions: pd.DataFrame | None, options: InfoMaxOptions) -> GenomeEncoder:
    if positions is None or not {"chromosome", "position"} <= set(positions):
        msg = "chromosome and position of the markers expected with the encoder genome, found none: give positions"
        raise InputError(msg)
    places = positions.reindex(markers.columns)
    number = pd.factorize(places["chromosome"], sort=True)[0]
    order = GenomeOrder.of(number, places["position"].to_numpy(np.float64), width=options.window)
    return GenomeEncoder(order, channels=3, out=32)
