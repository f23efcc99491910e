"""What becomes of patients: cohorts looked at, models compared, fitted and asked."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mclstexp.api.experiments import run_experiment
from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.bridge.overlap import EXPRESSION, entry_of, learnable, notes_on, require_same_origin
from mclstexp.cohort.checks import check_cohort, overview
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.experiment import Division, Intervals, OutcomeExperiment
from mclstexp.cohort.marks import HORIZONS, asked_months, horizons_of
from mclstexp.cohort.table import Cohort
from mclstexp.cohort.table import read_cohort as read_from
from mclstexp.cohort.unlike import notes_on_patients
from mclstexp.core.options import typed_options
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.runner import OnEvent
from mclstexp.io.atomic import atomic_path
from mclstexp.io.outcome_models import load_outcome_model, save_outcome_model
from mclstexp.io.targets import require_free_file
from mclstexp.whole_slide.features import Embedding, OnSlide, Spread, embed_slides

DEFAULTS = ("km",)
"""Models that are compared unasked, whatever there is; the clinic joins them where covariates are known."""


def read_cohort(path: Path | str, *, outcome: str = "", **columns: Any) -> Cohort:
    """Read a cohort from a table of patients; what is worth knowing of it is warned of.

    Parameters
    ----------
    path
        The table (.csv, .tsv or .parquet): a row for each patient, or for each slide.
    outcome
        NAME:TIME,EVENT, columns of follow-up and of 1 (it came) or 0; or NAME:COLUMN of yes and no or of numbers.
    columns
        The other fields of `cohort.config.CohortConfig`: patient, slide, site, fold, covariates, unit, where, features,
        expression, gene_sets, pathways, allow_overlap.

    Raises
    ------
    InputError
        As `cohort.table.read_cohort`.
    """
    cohort = read_from(cohort_config(path, outcome=outcome, **columns))
    for note in check_cohort(cohort):
        warnings.warn(note, stacklevel=2)
    return cohort


def cohort_config(path: Path | str, **said: Any) -> CohortConfig:
    """Return a configuration of what was said; None is what was not.

    Raises
    ------
    InputError
        If there is no such field (the nearest is named), or a value does not fit.
    """
    given = {name: value for name, value in said.items() if value is not None}
    return CohortConfig(path=str(path), **typed_options(CohortConfig, given, where="a cohort"))


def look_at_cohort(config: CohortConfig) -> tuple[dict[str, str], list[str]]:
    """Return a cohort in numbers, and what is worth knowing of it in sentences.

    Raises
    ------
    InputError
        As `cohort.table.read_cohort`.
    """
    cohort = read_from(config)
    return overview(cohort), check_cohort(cohort)


def embed_cohort(
    cohort: CohortConfig | Cohort,
    slides: str,
    *,
    encoder: str,
    out: Path | str,
    spec: TileSpec = TileSpec(),  # noqa: B008  frozen
    on_slide: OnSlide | None = None,
    spread: Spread | None = None,
) -> dict[str, str]:
    """Embed every tile of a cohort's slides, a file for each; run it again to go on after an interruption.

    Parameters
    ----------
    cohort
        Whose slides.
    slides
        Where they lie: a folder, a glob or a table, here or in an object store; files are named as the cohort names
        its slides.
    encoder
        Frozen image encoder.
    out
        Folder for the files, as a cohort's ``features`` takes it.
    spec
        Size and scale of the tiles.
    on_slide
        Hears what becomes of each slide.
    spread
        Of `whole_slide.ray_features.on_ray`, spreads them over a Ray cluster; by default they are embedded here.

    Returns
    -------
    Why each slide that failed did, by name.

    Raises
    ------
    InputError
        As `whole_slide.features.embed_slides`.
    """
    read = read_from(cohort) if isinstance(cohort, CohortConfig) else cohort
    names = [name for of in read.slides.values() for name in of]
    how = Embedding(encoder, spec)
    return embed_slides(slides, Path(out), how=how, only=names, on_slide=on_slide, spread=spread)


def usual_models(config: CohortConfig) -> tuple[str, ...]:
    """Return the models that are compared unasked: those for which there is something to look at."""
    scores, tiles = config.pathways or config.gene_sets, config.features
    found: list[str] = []
    found += ["pathway_scores", "clinical+pathway_scores"] if scores else []
    found += ["mean_features", "prototype_shares"] if tiles else []
    found += ["prototype_x_pathway", "clinical+prototype_x_pathway"] if scores and tiles else []
    return (*DEFAULTS, *found)


def evaluate_outcome(
    config: CohortConfig,
    *,
    out: Path | str,
    models: Sequence[str] | Mapping[str, Mapping[str, Any]] = (),
    folds: Division = Division(),  # noqa: B008  frozen, as the next
    intervals: Intervals = Intervals(),  # noqa: B008
    overwrite: bool = False,
    **run: Any,
) -> pd.DataFrame:
    """Compare models of an outcome on patients that none was shown; run it again to go on after an interruption.

    Parameters
    ----------
    config
        The cohort.
    out
        Folder for the results.
    models
        Names of `cohort.list_outcome_models`, or ``clinical+NAME``, each with its options if it is to have other than
        its own (as under ``[methods.NAME]`` of a file); `usual_models` by default. The training patients' curve and the
        clinic stand beside them.
    folds, intervals
        What is held out, and how intervals are made.
    overwrite
        Whether results that are already there are replaced.
    run
        jobs, seed, and what hears of progress (on_event, on_warning): see `run_experiment`.

    Returns
    -------
    The summary, see `cohort.summary.summarise_outcome`.

    Raises
    ------
    InputError
        If cohort, models or the place cannot be used, or another run is at it.
    """
    chosen = models or usual_models(config)
    experiment = OutcomeExperiment(
        data=config,
        folds=folds,
        intervals=intervals,
        methods={name: dict(chosen[name]) if isinstance(chosen, Mapping) else {} for name in chosen},
        seed=run.pop("seed", None),
    )
    return run_experiment(experiment, out=out, overwrite=overwrite, **run)


def fit_outcome(
    cohort: CohortConfig | Cohort,
    model: str | OutcomeModel = "clinical",
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    on_warning: Callable[[str], None] | None = None,
) -> OutcomeModel:
    """Fit a model of outcomes on all patients of a cohort, and save it where a folder is named.

    Parameters
    ----------
    cohort
        With its outcome.
    model
        A name of `cohort.list_outcome_models`, ``clinical+NAME``, or a model with options of its own.
    out
        Folder for the model.
    overwrite
        Whether a model that is already there is replaced.
    on_warning
        Takes each sentence that is worth knowing of the cohort; by default they are warned of.

    Raises
    ------
    InputError
        If the cohort cannot be used, as where its expression was predicted by a model that learnt from its patients, or
        the place not be written to.
    """
    read = read_from(cohort) if isinstance(cohort, CohortConfig) else cohort
    for note in check_cohort(read):
        (on_warning or warnings.warn)(note)
    made = create_outcome_model(model) if isinstance(model, str) else model
    fitted = made.fit(read.patients, learnable(read))
    fitted.provenance_["cohort"] = read.name
    fitted.provenance_["outcome_name"] = "" if read.outcome is None else read.outcome.name
    if read.origin is not None:
        fitted.provenance_[EXPRESSION] = entry_of(read.origin)
    fitted.provenance_[HORIZONS] = list(horizons_of(read.known))
    if out is not None:
        save_outcome_model(fitted, out, overwrite=overwrite)
    return fitted


def predict_outcome(
    model: OutcomeModel | Path | str,
    cohort: CohortConfig | Cohort,
    *,
    out: Path | str | None = None,
    at_months: Sequence[float] = (),
    overwrite: bool = False,
) -> pd.DataFrame:
    """Say what will become of patients.

    Parameters
    ----------
    model
        Fitted, or the folder of one.
    cohort
        The patients; an outcome is not looked at.
    out
        CSV file.
    at_months
        When survival is asked for; by default where the training patients were looked at.
    overwrite
        Whether a file that is already there is replaced.

    Returns
    -------
    A row per patient: "patient", "risk" (higher: the event is sooner or more likely; 0 is the mean of the training
    patients), "group" (above the training patients' median or not), and "survival_12" and so on, or "value".

    Raises
    ------
    InputError
        If the model cannot be read, something that it takes is not there, expression was predicted by another model
        than it learnt from, or the place cannot be written to.
    """
    if out is not None:
        made_of = [cohort.path] if isinstance(cohort, CohortConfig) else []
        require_free_file(Path(out), what="the predictions", overwrite=overwrite, endings=(".csv",), made_of=made_of)
    fitted = model if isinstance(model, OutcomeModel) else load_outcome_model(model)
    if isinstance(cohort, CohortConfig) and cohort.covariates is None:
        cohort = replace(cohort, covariates=fitted.columns_.get("covariates", ()))
    read = read_from(cohort) if isinstance(cohort, CohortConfig) else cohort
    require_same_origin(fitted, read)
    months = asked_months(fitted, at_months)
    for note in notes_on_patients(read.patients, fitted):
        warnings.warn(note, stacklevel=2)
    said = fitted.predict(read.patients, at_months=months)
    known = sorted(set(fitted.provenance_["patients"]) & set(said.ids))
    if known:
        text = f"{len(known)} of {len(said.ids)} patients were in the model's training ({', '.join(known[:3])})"
        warnings.warn(f"{text}: what it says of them is no forecast", stacklevel=2)
    if read.origin is not None and fitted.takes & {"genes", "pathways"}:
        for note in notes_on(read.origin, read.slides)[1:]:  # that it is the image again was said of the training
            warnings.warn(note, stacklevel=2)
    table = pd.DataFrame({"patient": said.ids, "risk": said.risk, "group": said.group})
    if said.value is not None:
        table["value"] = said.value
    for number, month in enumerate(said.at_months):
        assert said.survival is not None
        table[f"survival_{month:g}"] = said.survival[:, number]
    if out is not None:
        with atomic_path(Path(out)) as path:
            table.to_csv(path, index=False)
    return table


__all__ = ["OnEvent", "evaluate_outcome", "fit_outcome", "look_at_cohort", "predict_outcome", "read_cohort"]
