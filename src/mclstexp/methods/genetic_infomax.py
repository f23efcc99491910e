"""Genetic InfoMax (arXiv 2309.15132) for expression: image and genome-ordered genes share what can be told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import nn

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State, register
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_arrays, stored_number, stored_patients, stored_texts
from mclstexp.core.tiles import Tiles
from mclstexp.io.gene_positions import read_gene_positions
from mclstexp.nn.device import torch_device
from mclstexp.nn.genome import GenomeEncoder, GenomeOrder
from mclstexp.nn.heads import Reduction
from mclstexp.nn.trans_modal import TransModal, image_traits
from mclstexp.retrieval.bank import ReferenceBank
from mclstexp.sight.feature_predictor import FeaturePredictor
from mclstexp.sight.numerics import numerics
from mclstexp.training.aligned import fit_reduction, flat_state, unflatten
from mclstexp.training.choice import choose, mean_pcc
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.trans_modal import fit_trans_modal

EPOCHS = (5, 10, 20, 40)
"""What is tried on held-out training sections where `epochs` is left open."""
USUAL_EPOCHS = 20
Values = Float[np.ndarray, "n_tiles _"]


@register("genetic_infomax")
@dataclass
class GeneticInfoMax(FeaturePredictor):
    """Traits of tiles that share most information with their spot's genes; expression of the nearest spots.

    The paper embeds brain images and genotypes; here a tile's features and its spot's genes, in the order of the
    genome where `gene_positions` are given. InfoNCE between the two, with variance and covariance terms on the traits;
    then the mean of the spots retrieved by cosine, as in `bleep`. Of the paper abstract and first page could be read,
    and no code was released: options marked (ours) have values of our own, for the paper's were not available.
    """

    n_components: int | None = 128
    """Principal components of the features that the trait encoder sees; None: the features themselves."""
    gene_encoder: Literal["linear", "genome"] = "linear"
    """"linear": one layer of standardised expression, in no order; "genome": windows along the chromosomes as a
    Transformer's tokens, which needs `gene_positions`."""
    gene_positions: str = ""
    """Table of gene, chromosome, start and end (.tsv, .csv), for "genome"; genes that it lacks have a window of their
    own."""
    window: int = 32
    """Genes in a window (ours)."""
    n_traits: int = 32
    """Length of what is learnt of a tile (ours)."""
    dim: int = 32
    """Length of the embeddings that are compared (ours)."""
    temperature: float = 0.2
    """What cosines are divided by in the loss (ours)."""
    spread: float = 0.1
    """Weight of the variance and covariance terms on the traits (ours)."""
    estimator: Literal["infonce", "jensen_shannon"] = "infonce"
    """Bound of mutual information: "infonce" or "jensen_shannon" (ours)."""
    k: int = 50
    """Spots retrieved for a tile."""
    epochs: int | None = None
    """Passes over the training spots; None: chosen on held-out training sections, 20 where there is but one."""
    batch_size: int = 256
    """Spots contrasted with each other (ours)."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW (ours)."""
    weight_decay: float = 1e-2
    """Decoupled weight decay (ours)."""
    device: str = "auto"
    """Where torch computes: "cpu", "cuda", or "auto" for a GPU where there is one."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_components", "window", "n_traits", "dim", "k", "epochs", "batch_size"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                msg = f"genetic_infomax option {name} must be at least 1, found {getattr(self, name)}"
                raise InputError(msg)
        if not self.temperature > 0:
            msg = f"genetic_infomax option temperature must be positive, found {self.temperature}"
            raise InputError(msg)
        if self.gene_encoder == "genome" and not self.gene_positions:
            msg = "a table of gene_positions expected with the gene_encoder genome, found none: name its file"
            raise InputError(msg)

    def _numerics(self) -> dict[str, str]:
        file = Path(self.gene_positions) if self.gene_positions else None
        known = hashlib.sha256(file.read_bytes()).hexdigest() if file is not None and file.is_file() else None
        return numerics(self, encoder=self.encoder, gene_positions_sha256=known)

    def _fit(self, sections: list[Section]) -> None:
        order = self._order()
        self._learn_sight(sections)
        tried = EPOCHS if self.epochs is None else (self.epochs,)

        def score(fitted_on: list[Section], held_out: list[Section], epochs: int) -> float:
            model, bank = self._train(fitted_on, order, epochs=epochs)
            return mean_pcc(
                held_out, lambda s: bank.query(self._queries(model, self._look(s.tiles)), k=self.k), space=self.space_
            )

        self.epochs_ = choose(sections, tried, score, usual=USUAL_EPOCHS, seed=self.seed)
        self.model_, self.bank_ = self._train(sections, order, epochs=self.epochs_, workdir=self._workdir)

    def _order(self) -> GenomeOrder | None:
        if self.gene_encoder == "linear":
            return None
        places = read_gene_positions(self.gene_positions).reindex(list(self.space_.genes))
        if places["position"].isna().all():
            msg = f"positions of the panel's genes expected in {self.gene_positions}, found none: take another table"
            raise InputError(msg)
        number = pd.factorize(places["chromosome"], sort=True)[0]
        return GenomeOrder.of(number, places["position"].to_numpy(), width=self.window)

    def _train(
        self, sections: Sequence[Section], order: GenomeOrder | None, *, epochs: int, workdir: Path | None = None
    ) -> tuple[TransModal, ReferenceBank]:
        device = torch_device(self.device)
        expression = np.concatenate([self.space_(section.counts) for section in sections])
        spread = expression.std(axis=0)
        standard = torch.from_numpy((expression - expression.mean(axis=0)) / np.where(spread > 0, spread, 1)).to(device)
        features = self._look_at(sections)
        reduction = None
        if self.n_components is not None:
            found = fit_reduction(
                features, n_components=self.n_components, seed=self.seed, standardise=not self.slide_scale
            )
            reduction = Reduction(*map(torch.from_numpy, found))
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            model = self._build(reduction, n_features=features.shape[1], order=order).to(device)
        options = TrainingOptions(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            clip_norm=None,
            seed=self.seed,
        )
        fit_trans_modal(
            model,
            torch.from_numpy(features).to(device),
            standard,
            options=options,
            spread=self.spread,
            estimator=self.estimator,
            workdir=workdir,
        )
        with torch.inference_mode():
            keys = torch.cat([model.eval().embed_other(part) for part in standard.split(4096)]).cpu().numpy()
        bank = ReferenceBank(
            keys=keys,
            expression=expression,
            section_ids=tuple(section.id for section in sections for _ in range(len(section))),
            patients=tuple(section.patient for section in sections for _ in range(len(section))),
        )
        return model, bank

    def _build(self, reduction: Reduction | None, *, n_features: int, order: GenomeOrder | None) -> TransModal:
        n_seen = n_features if reduction is None else reduction.components.shape[1]
        first: nn.Module = nn.Identity() if reduction is None else reduction
        image = nn.Sequential(first, *image_traits(n_seen, self.n_traits))
        if order is None:
            genes: nn.Module = nn.Linear(len(self.space_.genes), self.dim)
        else:
            genes = GenomeEncoder(order, out=self.dim)
        return TransModal(
            image, genes, n_traits=self.n_traits, n_other=self.dim, dim=self.dim, temperature=self.temperature
        )

    @torch.inference_mode()
    def _queries(self, model: TransModal, features: Values) -> Values:
        inputs = torch.from_numpy(features).to(torch_device(self.device))
        return model.eval().embed_images(inputs).cpu().numpy()

    def _asked(self, tiles: Tiles) -> Values:
        return self._queries(self.model_, self._look(tiles))

    def _predict(self, tiles: Tiles) -> Values:
        return self.bank_.query(self._asked(tiles), k=self.k, device=str(torch_device(self.device)))

    def _reference_distance(self, tiles: Tiles) -> Float[np.ndarray, " n_tiles"]:
        return self.bank_.distance(self._asked(tiles), device=str(torch_device(self.device)))

    def _retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        return (self.bank_.retrieve(self._asked(tiles), k=self.k, device=str(torch_device(self.device))),)

    def _get_state(self) -> State:
        arrays = {"bank.keys": self.bank_.keys, "bank.expression": self.bank_.expression}
        seen = nn.ModuleDict({"image": self.model_.image, "head": self.model_.image_head})
        arrays |= {f"model.{name}": array for name, array in flat_state(seen).items()}
        origins = {"section_ids": list(self.bank_.section_ids), "patients": list(self.bank_.patients)}
        return State(arrays=arrays, meta={"epochs": self.epochs_, **origins}).joined(self._sight_state())

    def _set_state(self, state: State) -> None:
        self._take_sight(state)
        self.epochs_ = stored_number(state, "epochs")
        weights = unflatten(state.arrays, "model.")
        reduction, first = None, "1"
        if "image.0.mean" in weights:
            reduction = Reduction(weights["image.0.mean"], weights["image.0.components"])
        n_features = weights[f"image.{first}.weight"].shape[1] if reduction is None else len(reduction.mean)
        # the genes' encoder made the bank's keys and is asked no more
        self.model_ = self._build(reduction, n_features=n_features, order=None)
        nn.ModuleDict({"image": self.model_.image, "head": self.model_.image_head}).load_state_dict(weights)
        self.model_.eval().to(torch_device(self.device))
        keys, expression = stored_arrays(
            state, {"bank.keys": "spots dim", "bank.expression": "spots genes"}, genes=len(self.genes_)
        )
        self.bank_ = ReferenceBank(
            keys=keys,
            expression=expression,
            section_ids=stored_texts(state, "section_ids"),
            patients=stored_patients(state),
        )
