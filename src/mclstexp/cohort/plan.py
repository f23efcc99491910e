"""What an experiment on a cohort comes to: folds of patients, each model's answers, their marks and the results."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.cohort.answers import answer_rows, as_anndata
from mclstexp.cohort.bridge.overlap import learnable
from mclstexp.cohort.checks import check_cohort
from mclstexp.cohort.explained import ENTRY, Explained, showable
from mclstexp.cohort.fingerprint import fingerprint
from mclstexp.cohort.fold_checks import check_folds
from mclstexp.cohort.folds import OutcomeFold, make_folds
from mclstexp.cohort.kept import kept_in
from mclstexp.cohort.marks import asked_times, horizons_of, mark
from mclstexp.cohort.results import read_summary, write_explained, write_outcome_results
from mclstexp.cohort.survival.resampled import MIN_UNITS
from mclstexp.cohort.table import Cohort, read_cohort
from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.method import Method, options
from mclstexp.core.options import suggest, without_paths
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.core.section import Section
from mclstexp.evaluation.comparison import Comparison, Keep
from mclstexp.evaluation.exam import spent
from mclstexp.evaluation.parts import Parts
from mclstexp.evaluation.score_table import COLUMNS
from mclstexp.io.predictions import read_prediction
from mclstexp.io.writing import is_of_writing

_log = logging.getLogger(__name__)
_KEPT = "prototypes"
"""Folder, of a run, of what its models have in common."""


class OutcomePlan(Comparison):
    """A comparison of models of an outcome, each fold patients that they have not seen."""

    per_gene: ClassVar[bool] = False

    @cached_property
    def cohort(self) -> Cohort:
        """The cohort, read when first asked for."""
        cohort = read_cohort(self.experiment.data)
        assert len(learnable(cohort))
        return cohort

    @cached_property
    def methods(self) -> Mapping[str, Method]:
        """Models by label; controls that this cohort or outcome has no use for are left out."""
        made: Mapping[str, Method] = self.experiment.make_methods()
        asked = self.experiment.methods
        return {label: method for label, method in made.items() if label in asked or self._is_of_use(method)}

    def _is_of_use(self, method: Method) -> bool:
        assert isinstance(method, OutcomeModel)
        lacks = "covariates" in method.takes and not self.cohort.patients.covariates.shape[1]
        return self.cohort.known.kind in method.kinds and not lacks

    @property
    def sections(self) -> list[Section]:
        """None: what is judged is patients."""
        return []

    @property
    def shown(self) -> list[Section]:
        """None; what is worth knowing of the cohort and its folds is warned of."""
        for note in [*check_cohort(self.cohort), *check_folds(self.cohort, list(self.folds.values()))]:
            warnings.warn(note, stacklevel=2)
        return []

    @cached_property
    def folds(self) -> dict[str, OutcomeFold]:
        """Folds by name."""
        e = self.experiment
        return {fold.name: fold for fold in make_folds(self.cohort, **asdict(e.folds), seed=e.seed or 0)}

    @cached_property
    def horizons(self) -> tuple[float, ...]:
        """Months at which survival is looked at."""
        return tuple(sorted(self.experiment.horizons)) or horizons_of(self.cohort.known)

    @cached_property
    def parts(self) -> Parts:
        """The finished parts."""
        about = {"task": self.experiment.task, "data_set": self.experiment.data.name, "code": self.code}
        return Parts(self.folder, about=about, predictions=True)

    @cached_property
    def _identity(self) -> str:
        return fingerprint(self.cohort)

    def key(self, label: str, fold: str) -> str:
        """Return the key of a model's part."""
        of = self.folds[fold]
        return self.parts.key_of(
            label, self.method(label), of.name, of.by, of.train, of.test, self._identity, self.horizons
        )

    def judge(self, label: str, fold: str, *, workdir: Path, keep: Keep) -> pd.DataFrame:  # noqa: ARG002
        """Let a model learn from the training patients, ask it of the others, and mark it."""
        of, method, start = self.folds[fold], self.method(label), time.perf_counter()
        cohort, name = self.cohort, self.cohort.name
        train = cohort.known.subset(of.train)
        try:
            model = type(method)(**options(method))
            assert isinstance(model, OutcomeModel)
            with kept_in(self.folder / _KEPT):
                model.fit(cohort.patients.subset(of.train), train)
                at_months = asked_times(train, self.horizons)
                said = model.predict(cohort.patients.subset(of.test), at_months=at_months)
        except Exception as error:  # anybody's method may raise anything; the log has where
            if is_of_writing(error):  # not the method failed, but the disk
                raise
            _log.warning("%s failed in fold %s", label, fold, exc_info=True)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return self.of_dead(label, fold, reason=reason)
        costs = {**spent(time.perf_counter() - start), "n_parameters": n_parameters(model)}
        costs |= {"n_train": len(train), "events_train": train.n_events}
        marks = mark(said, cohort.known.subset(of.test), train=train, horizons=self.horizons)
        about = {"question": "outcome", "method": method.name, "fold": fold, ENTRY: showable(model)}
        keep(as_anndata(said, of=name, about=about), name)
        where = self._where(label, fold)
        return pd.concat([_rows(costs, where), _rows(marks, {**where, "section": name})], ignore_index=True)

    def of_dead(self, label: str, fold: str, *, reason: str) -> pd.DataFrame:
        """Return the row of a model whose process died."""
        return _rows({"failed": np.nan}, {**self._where(label, fold), "reason": reason})

    def beside(self, fold: str) -> tuple[pd.DataFrame, list[str]]:  # noqa: ARG002  what all could reach is not known
        """Return nothing: there is no row that no model can earn."""
        return pd.DataFrame(columns=list(COLUMNS)), []

    def notes_on(self, section: Section) -> list[str]:  # noqa: ARG002  there is none
        """Say nothing."""
        return []

    def check(self) -> None:
        """Say what is held out in turn, and against what all are held."""
        assert self.folds
        if self.experiment.intervals.draws < 1:
            msg = f"draws of 1 or more expected in [intervals], found {self.experiment.intervals.draws}"
            raise InputError(msg)
        if self.experiment.intervals.unit == "site":
            n_sites = len(set(self.cohort.patients.sites or ()))
            if n_sites < MIN_UNITS:
                msg = f"{MIN_UNITS} sites or more expected to draw sites, found {n_sites}: draw patients"
                raise InputError(msg)
        if any(not months > 0 for months in self.experiment.horizons):
            msg = f"horizons above 0 (months) expected, found {list(self.experiment.horizons)}"
            raise InputError(msg)
        if self.experiment.baseline not in self.methods and "clinical" in self.methods:
            known = suggest(self.experiment.baseline, self.methods)
            msg = f"a model of this experiment as baseline expected, found {self.experiment.baseline!r}: {known}"
            raise InputError(msg)

    def gather_predictions(self) -> None:
        """Leave nothing here: `write_results` lays answers out as a table."""
        self.clear_predictions()

    def answers(self) -> pd.DataFrame:
        """Return what every model said of every patient it was asked for, and what came."""
        tables = [
            answer_rows(kept, self.cohort, fold, label=label, horizons=self.horizons)
            for label, fold, kept in self._kept()
        ]
        if not tables:
            return pd.DataFrame(columns=["patient", "repeat", "fold", "method", "risk", "group"])
        return pd.concat(tables, ignore_index=True)

    def explained(self) -> list[Explained]:
        """Return what models showed of what they learnt in each fold."""
        return [
            Explained(label, fold.repeat, fold.name, kept.uns[keys.PROVENANCE].get(ENTRY, {}))
            for label, fold, kept in self._kept()
        ]

    def _kept(self) -> Iterator[tuple[str, OutcomeFold, AnnData]]:
        for label in self.methods:
            for name, fold in self.folds.items():
                path = self.parts.prediction(self.key(label, name), 0)
                if path.is_file():
                    yield label, fold, read_prediction(path)

    def write_results(self, scores: pd.DataFrame, folder: Path, *, record: Mapping[str, Any]) -> pd.DataFrame:
        """Write all results into a new folder, and return the summary; see `results.write_outcome_results`."""
        e = self.experiment
        summary = write_outcome_results(
            scores,
            self.answers(),
            folder,
            record=record,
            run_folder=self.folder,
            how={**asdict(e.intervals), "baseline": e.baseline, "seed": e.seed or 0},
            cohort=self.cohort,
        )
        write_explained(self.explained(), folder, cohort=self.cohort)
        return summary

    def read_summary(self, folder: Path) -> pd.DataFrame:
        """Return the summary of results that were written."""
        return read_summary(folder)

    def record(self) -> dict[str, Any]:
        """Say how the scores come about, as plain JSON."""
        cohort, known = self.cohort, self.cohort.known
        return {
            "experiment": asdict(self.experiment),
            "question": "outcome",
            "methods": {
                label: {"method": method.name, **without_paths(options(method))}
                for label, method in self.methods.items()
            },
            "controls": [label for label, method in self.methods.items() if self.experiment.is_control(label, method)],
            "cohort": {
                "name": cohort.name,
                "outcome": None if cohort.outcome is None else cohort.outcome.name,
                "kind": known.kind,
                "n_patients": len(cohort),
                "n_events": known.n_events,
                "covariates": list(cohort.patients.covariates),
                "identity": self._identity,
                **({} if cohort.origin is None else {"expression": asdict(cohort.origin)}),
            },
            "horizons": list(self.horizons),
            "folds": {
                name: {"by": fold.by, "repeat": fold.repeat, "test": list(fold.test)}
                for name, fold in self.folds.items()
            },
            "sections": {},
            "code": self.code,
        }

    def _where(self, label: str, fold: str) -> dict[str, Any]:
        method, data_set = self.method(label), self.experiment.data.name.strip().casefold()
        known = self.cohort.outcome
        return {
            "method": label,
            "kind": "control" if self.experiment.is_control(label, method) else "method",
            "fold": fold,
            "by": self.folds[fold].by,
            "protocol": "strict",
            "space": "" if known is None else known.name,
            "transductive": False,
            "tuned": data_set in method.tuned_on,
            "sees": "",
            "reason": "",
        }


def n_parameters(model: OutcomeModel) -> int:
    """Count what a model learnt: its coefficients where it shows them, else all numbers that it keeps."""
    if not model.takes:
        return 0
    table = model.explain().get("coefficients")
    return len(table) if table is not None else sum(array.size for array in model._get_state().arrays.values())


def _rows(values: Mapping[str, float], where: Mapping[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame({"metric": list(values), "value": np.array(list(values.values()), np.float64)})
    return table.assign(**{"patient": "", "section": "", "gene": "", **where})[list(COLUMNS)]
