"""gimVI (Lopez and others 2019), through scvi-tools: spots and cells in one latent space, each with its own decoder."""

from __future__ import annotations

import importlib
import logging
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from jaxtyping import Float
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.imputer import Imputed, Imputer, register
from mclstexp.core.pairing import TARGET_SUM, Pairing
from mclstexp.training.progress import epoch_progress


@register("gimvi")
@dataclass
class GimVI(Imputer):
    """A joint variational autoencoder of spots and cells (Lopez and others 2019); needs the extra ``gimvi``."""

    needs = ("scvi",)

    max_epochs: int = 200
    """Passes over spots and cells."""
    n_latent: int = 10
    """Numbers that a spot or cell is described by."""
    learning_rate: float = 1e-3
    """Of Adam."""
    seed: int = 0
    """Of weights, batches and dropout."""

    def __post_init__(self) -> None:
        if self.max_epochs < 1 or self.n_latent < 1 or not self.learning_rate > 0:
            msg = (
                "max_epochs and n_latent of 1 and a learning_rate above 0 at least expected, found "
                f"{self.max_epochs}, {self.n_latent} and {self.learning_rate}"
            )
            raise InputError(msg)

    def _impute(self, known: Pairing) -> Imputed:
        model_class = _gimvi()
        cells = counts_of_shares(
            sparse.hstack([sparse.csr_matrix(known.cells), known.asked], format="csr"), known.cell_depth
        )
        spots = counts_of_shares(sparse.csr_matrix(known.spots), known.depth)
        held = _annotated(cells, (*known.genes, *known.targets)), _annotated(spots, known.genes)
        shown = epoch_progress(self.name, self.max_epochs)
        with _quiet(), _seeded(self.seed), shown as on_epoch:
            for counts in held:
                model_class.setup_anndata(counts)
            model = model_class(*held, n_latent=self.n_latent)
            model.train(
                max_epochs=self.max_epochs,
                accelerator="cpu",
                plan_kwargs={"lr": self.learning_rate},
                enable_progress_bar=False,
                enable_model_summary=False,
                enable_checkpointing=False,
                logger=False,
                callbacks=[_each_epoch(on_epoch)],
            )
            share = model.get_imputed_values(normalized=True, deterministic=True)[1]
        # shares of the genes it has seen, which are some of all
        part = np.asarray(cells[:, : len(known.genes)].sum()) / np.expm1(known.cell_depth).sum()
        return Imputed(np.log1p(TARGET_SUM * part * np.asarray(share[:, len(known.genes) :], np.float64)))


def _gimvi() -> Any:
    try:
        with _quiet():
            return importlib.import_module("scvi.external").GIMVI
    except ImportError as error:
        msg = f"scvi-tools expected for the method gimvi, found none ({error}): pip install 'mclstexp[gimvi]'"
        raise InputError(msg) from error


def _each_epoch(on_epoch: Callable[[int], None]) -> Any:
    callbacks = importlib.import_module("lightning.pytorch.callbacks")
    return callbacks.LambdaCallback(on_train_epoch_end=lambda trainer, _: on_epoch(trainer.current_epoch + 1))


def counts_of_shares(values: sparse.csr_matrix, depth: Float[np.ndarray, " n"]) -> sparse.csr_matrix:
    """Take logarithms of shares back to the whole numbers they were made of."""
    totals = np.repeat(np.expm1(depth), np.diff(values.indptr))
    found = values.copy()
    found.data = np.rint(np.expm1(values.data) / TARGET_SUM * totals).astype(np.float32)
    return found.astype(np.float32)


def _annotated(counts: sparse.csr_matrix, genes: tuple[str, ...]) -> AnnData:
    names = [str(i) for i in range(counts.shape[0])]
    return AnnData(counts, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=pd.Index(genes, dtype=object)))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Start all random numbers that scvi-tools draws from; the caller's go on afterwards as if none had been drawn."""
    held = random.getstate(), np.random.get_state()  # noqa: NPY002  scvi-tools draws from the global one
    try:
        with torch.random.fork_rng(devices=[]):
            importlib.import_module("scvi").settings.seed = seed
            yield
    finally:
        random.setstate(held[0])
        np.random.set_state(held[1])  # noqa: NPY002


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what scvi-tools and Lightning say to developers."""
    names = ("lightning", "lightning.fabric", "lightning.pytorch", "pytorch_lightning", "scvi")
    levels = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for name in names:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
