"""Measured sections beside what was predicted for them: what every analysis looks at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.doors import through, word
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.identity import hash_section
from mclstexp.core.section import UNKNOWN, Section
from mclstexp.data.autocorrelation import neighbour_weights
from mclstexp.evaluation.controls import CONTROLS
from mclstexp.evaluation.experiment import Experiment, experiment_of
from mclstexp.evaluation.results import RECORD
from mclstexp.evaluation.room_experiment import RoomExperiment
from mclstexp.evaluation.run_plan import safe_name
from mclstexp.evaluation.scored import scored
from mclstexp.io.guard import reading
from mclstexp.io.predictions import read_prediction

Which = Literal["predicted", "truth"]


@dataclass(frozen=True, eq=False)
class Pair:
    """One section, measured and predicted.

    Raises
    ------
    InputError
        If prediction and section name other spots or another order of them, or a predicted gene was not measured.
    """

    section: Section
    """What was measured."""
    predicted: AnnData
    """What `Predictor.predict` returned for its tiles, rows in their order."""
    measured: Float[np.ndarray, "n_spots n_genes"] | None = None
    """The truth, where it is on a scale that the counts of the predicted genes alone do not tell."""

    def __post_init__(self) -> None:
        if not np.array_equal(np.asarray(self.predicted.obs_names, str), self.section.tiles.ids):
            msg = (
                f"section {self.section.id}: a prediction of its {len(self.section)} spots in their order expected, "
                f"found {self.predicted.n_obs} others or another order: predict this section's tiles"
            )
            raise InputError(msg)
        if keys.PROVENANCE not in self.predicted.uns:
            msg = (
                f'section {self.section.id}: a prediction, which has uns["{keys.PROVENANCE}"], expected, found none '
                "there: give what predict returned"
            )
            raise InputError(msg)
        self.space(self.section.counts[:0])  # a gene that was not measured is said here

    @property
    def id(self) -> str:
        """Name of the section."""
        return self.section.id

    @property
    def patient(self) -> str | None:
        """Whom the section comes from; None where nobody said."""
        return self.section.patient

    @cached_property
    def space(self) -> ExpressionSpace:
        """The predicted genes and their scale, as the prediction's record says it."""
        return ExpressionSpace.of_prediction(self.predicted)

    @property
    def genes(self) -> tuple[str, ...]:
        """The predicted genes, in column order."""
        return self.space.genes

    @cached_property
    def truth(self) -> Float[np.ndarray, "n_spots n_genes"]:
        """Measured expression in `space`, float32."""
        return self.space(self.section.counts) if self.measured is None else self.measured.astype(np.float32)

    @cached_property
    def guess(self) -> Float[np.ndarray, "n_spots n_genes"]:
        """Predicted expression in `space`, float32."""
        return values_of(self.predicted, "predicted").astype(np.float32, copy=False)

    @property
    def bounds(self) -> tuple[Float[np.ndarray, "n_spots n_genes"], Float[np.ndarray, "n_spots n_genes"]] | None:
        """Quantiles of what was retrieved, as `retrieval.spread.with_quantiles` adds them; None without."""
        if keys.LOW not in self.predicted.layers:
            return None
        return np.asarray(self.predicted.layers[keys.LOW]), np.asarray(self.predicted.layers[keys.HIGH])

    @cached_property
    def weights(self) -> sparse.csr_matrix:
        """Weights of direct neighbours (see `neighbour_weights`), computed once."""
        return neighbour_weights(self.section.tiles.xy_um)


def values_of(of: Pair | AnnData, which: Which) -> Float[np.ndarray, "n_spots n_genes"]:
    """Return the expression of a section measured and predicted, or of a prediction alone.

    Raises
    ------
    InputError
        If the truth of a prediction alone is asked for.
    """
    if isinstance(of, Pair):
        return of.truth if which == "truth" else of.guess
    if which == "truth":
        msg = "a measured section (a Pair) expected where the truth is asked for, found a prediction alone: give both"
        raise InputError(msg)
    return np.asarray(of.X.toarray() if hasattr(of.X, "toarray") else of.X)


def over_patients(of_sections: pd.DataFrame, pairs: Sequence[Pair]) -> pd.Series:
    """Average columns that are sections' over the sections of each patient, then over patients; NaN is left out.

    Sections of unknown patients count together as one patient's.
    """
    return of_sections.T.groupby([pair.section.patient or UNKNOWN for pair in pairs]).mean().mean()


def read_pairs(results: Path | str, method: str | None = None, *, data: Path | str | None = None) -> list[Pair]:
    """Read a method's predictions of an evaluation and, again, the sections they were made for.

    Parameters
    ----------
    results
        A folder that ``mclstexp evaluate`` wrote.
    method
        Label of the method; by default ``mclstexp`` or, where it was not run, the first that is no control.
    data
        Where the sections lie, if not where the record says.

    Returns
    -------
    One pair per section that the method predicted, in the order of the data: its spots that hold counts, and the
    genes that were measured on it.

    Raises
    ------
    InputError
        If the folder holds no results or no predictions, the method is not among them, the sections cannot be
        read, or they are not those that were evaluated.
    """
    folder = Path(results)
    record = read_record(folder)
    label = _choose(record, method, where=folder)
    experiment = experiment_of(record["experiment"], where=str(folder / RECORD))
    if not isinstance(experiment, Experiment | RoomExperiment):
        msg = (
            f"an experiment on sections expected in {folder}, found one with task = {experiment.task!r}: its scores "
            "stand in summary.md"
        )
        raise InputError(msg)
    source = experiment.data if data is None else replace(experiment.data, path=str(data))
    pairs = []
    with through("file"):
        if isinstance(experiment, RoomExperiment):
            sections = replace(experiment, data=source).read()
        else:
            sections = source.read(experiment.tile)
    for section in sections:
        path = folder / "predictions" / safe_name(label) / f"{safe_name(section.id)}.h5ad"
        if not path.is_file():
            continue  # a fold that the method failed in
        if record["sections"].get(section.id) != hash_section(section):
            msg = (
                f"section {section.id}: the data that {folder} was made from expected, found others: "
                f"name where they lie ({word('data')}), or evaluate again"
            )
            raise InputError(msg)
        predicted = read_prediction(path)
        if isinstance(experiment, RoomExperiment):
            pairs.append(_answered_pair(section, predicted, experiment))
        else:
            pairs.append(_scored_pair(section, predicted, min_counts=experiment.data.min_counts))
    if not pairs:
        msg = f"predictions of {label!r} expected in {folder / 'predictions'}, found none: evaluate with predictions"
        raise InputError(msg)
    return pairs


def _scored_pair(section: Section, predicted: AnnData, *, min_counts: int) -> Pair:
    """Pair what was scored: spots that hold counts, genes that were measured."""
    space = ExpressionSpace.of_prediction(predicted)
    found = scored(section, list(dict.fromkeys((*section.genes, *space.genes))), space=space, min_counts=min_counts)
    if found.spots.all() and found.genes.all():
        return Pair(found.section, predicted)
    return Pair(found.section.take(found.spots), predicted[found.spots, found.genes].copy())


def _answered_pair(section: Section, said: AnnData, experiment: RoomExperiment) -> Pair:
    """Pair a section with what was said of its hidden genes or spots: the spots that were asked for."""
    if said.n_vars == 0:
        msg = f"section {section.id}: genes expected in an answer, found none: domains have no map of a gene"
        raise InputError(msg)
    section = section.take(np.isin(section.tiles.ids, np.asarray(said.obs_names, str)))
    return Pair(section, said[section.tiles.ids].copy(), experiment.measured(section, said))


def read_record(results: Path | str) -> dict[str, Any]:
    """Read how the results of an evaluation came about.

    Returns
    -------
    The content of ``experiment.json``: experiment, methods with their options, folds, hashes of sections, code.

    Raises
    ------
    InputError
        If there is none or it is damaged.
    """
    path = Path(results) / RECORD
    with reading(path, "the record of an evaluation"):
        record = json.loads(path.read_text(encoding="utf-8"))
        return {**record, **{part: record[part] for part in ("experiment", "methods", "sections")}}


def default_method(record: Mapping[str, Any]) -> str:
    """Return the label that is looked at where none is named; see `read_pairs`."""
    methods: Mapping[str, Mapping[str, Any]] = record["methods"]
    if "mclstexp" in methods:
        return "mclstexp"
    # a record of another question says which of its methods are controls
    controls = record.get("controls", [label for label, said in methods.items() if said["method"] in CONTROLS])
    return next((label for label in methods if label not in controls), next(iter(methods)))


def _choose(record: Mapping[str, Any], method: str | None, *, where: Path) -> str:
    methods: Mapping[str, Any] = record["methods"]
    if method is None:
        return default_method(record)
    if method not in methods:
        msg = f"a method of {where} ({', '.join(methods)}) expected, found {method!r}: name one"
        raise InputError(msg)
    return method
