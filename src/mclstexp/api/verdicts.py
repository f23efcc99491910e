"""Verdicts travel: what an evaluation found of each gene goes with models and their predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from mclstexp.analysis.gene_ranking import rank_genes
from mclstexp.analysis.pairs import read_pairs, read_record
from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.options import without_paths
from mclstexp.core.predictor import Predictor, options
from mclstexp.core.section import UNKNOWN
from mclstexp.core.wording import shown
from mclstexp.io.models import load_model
from mclstexp.methods import list_methods

_COLUMNS: Final = {keys.TESTED_PCC: "pcc", keys.CEILING: "ceiling", keys.CEILING_SHARE: "share"}


def read_verdicts(results: Path | str, model: Predictor) -> dict[str, Any]:
    """Judge each gene by an evaluation of a model's method with its very options, see `analysis.rank_genes`.

    Parameters
    ----------
    results
        A folder that ``mclstexp evaluate`` wrote, with predictions.
    model
        Fitted or not; of it the method, the options and (if fitted) the scale are looked at.

    Returns
    -------
    What `tell` gives to the model: "genes", of each "verdict", "tested_pcc", "ceiling" and "share"; "label",
    "tested_on" (patients), "n_sections", and "results" (hash of each tested section).

    Raises
    ------
    InputError
        If there are no results or predictions, the method was not evaluated with these options, or on another scale.
    """
    record = read_record(results)
    label = _label(record, model, where=Path(results))
    pairs = read_pairs(results, label)
    scale = pairs[0].space.scale
    if model.is_fitted and scale != model.space_.scale:
        msg = f"results on the scale {model.space_.scale!r} expected in {results}, found {scale!r}: evaluate on it"
        raise InputError(msg)
    table = rank_genes(pairs)
    return {
        "label": label,
        "tested_on": sorted({pair.patient or UNKNOWN for pair in pairs}),
        "n_sections": len(pairs),
        "results": {pair.id: str(record["sections"][pair.id]) for pair in pairs},
        "genes": [str(gene) for gene in table.index],
        keys.VERDICT: [str(verdict) for verdict in table["verdict"]],
        **{name: _plain(table[column]) for name, column in _COLUMNS.items()},
    }


def tell(model: Predictor, verdicts: Mapping[str, Any]) -> Predictor:
    """Let a fitted model say of each gene what `read_verdicts` found; its predictions carry it in ``var``.

    Raises
    ------
    InputError
        If none of its genes was tested.
    """
    if not set(model.genes_) & set(verdicts["genes"]):
        msg = f"verdicts on some of the model's {len(model.genes_)} genes expected, found none: evaluate with its panel"
        raise InputError(msg)
    model.provenance_[keys.VERDICTS] = dict(verdicts)
    return model


def told_model(run: Path | str, results: Path | str) -> Predictor:
    """Read a model and let it say what an evaluation of its method found; see `read_verdicts` and `tell`."""
    model = load_model(run, methods=list_methods())
    return tell(model, read_verdicts(results, model))


def _label(record: Mapping[str, Any], model: Predictor, *, where: Path) -> str:
    """Return under what label the model's method was evaluated with its options."""
    wanted = _as_json(without_paths(options(model)))
    found = {label: dict(said) for label, said in record["methods"].items() if said.get("method") == model.name}
    differing = ""
    for label, said in found.items():
        said.pop("method")
        other = [name for name, value in _as_json(without_paths(said)).items() if wanted.get(name) != value]
        if not other:
            return label
        differing = f"{other[0]} = {shown(said[other[0]])}, where the model has {shown(wanted.get(other[0]))}"
    how = f"it with {differing}" if differing else f"others ({', '.join(record['methods'])})"
    msg = f"an evaluation of {model.name} with the model's options expected in {where}, found {how}: evaluate that"
    raise InputError(msg)


def _as_json(said: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(said, default=str))


def _plain(column: pd.Series) -> list[float | None]:
    return [None if pd.isna(value) else round(float(value), 6) for value in column]
