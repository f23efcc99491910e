"""What an experiment comes to: its sections, folds and methods, and where each finished part lies."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mclstexp.core import identity
from mclstexp.core.identity import hash_section
from mclstexp.core.method import options
from mclstexp.core.options import without_paths
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.data.folds import Fold
from mclstexp.evaluation.comparison import PLAN, Comparison, Keep, safe_name
from mclstexp.evaluation.exam import Exam, Rules, failure, prepare, references, too_small
from mclstexp.evaluation.experiment import TASKS, Experiment, experiment_of
from mclstexp.evaluation.harness import sit
from mclstexp.evaluation.parts import Parts
from mclstexp.evaluation.room_experiment import RoomExperiment
from mclstexp.evaluation.room_methods import RoomMethods
from mclstexp.evaluation.room_plan import RoomPlan
from mclstexp.evaluation.toml import read_genes
from mclstexp.io.guard import reading

__all__ = ["Plan", "plan_of", "read_plan", "safe_name"]


class Plan(Comparison):
    """A comparison of methods that predict expression from images."""

    experiment: Experiment
    methods: Mapping[str, Predictor]

    @cached_property
    def sections(self) -> list[Section]:
        """The sections, read when first asked for."""
        return self.experiment.data.read(self.experiment.tile)

    @cached_property
    def folds(self) -> dict[str, Fold]:
        """Folds by name."""
        return {fold.name: fold for fold in self.experiment.make_folds(self.sections)}

    @cached_property
    def rules(self) -> Rules:
        """How folds are prepared and marked."""
        return self.experiment.rules()

    @cached_property
    def parts(self) -> Parts:
        """The finished parts."""
        e = self.experiment
        about = {name: asdict(e)[name] for name in ("protocol", "transductive", "tile", "space", "gene_sets")}
        files = [e.space.genes, *(chosen.file for chosen in e.gene_sets.values())]
        about["min_counts"], about["data_set"] = e.data.min_counts, e.data.name
        about["genes"] = [read_genes(file) for file in files if file is not None]
        return Parts(self.folder, about={**about, "code": self.code}, predictions=e.predictions)

    def key(self, label: str, fold: str) -> str:
        """Return the key of a method's part."""
        return self.parts.key(label, self.method(label), self.folds[fold])

    def judge(self, label: str, fold: str, *, workdir: Path, keep: Keep) -> pd.DataFrame:
        """Let a method learn, answer and be marked."""
        return sit(self._exam(fold), self._predictor(label), label=label, workdir=workdir, keep=keep)

    def of_dead(self, label: str, fold: str, *, reason: str) -> pd.DataFrame:
        """Return the row of a method whose process died."""
        return failure(self._exam(fold), label=label, method=self._predictor(label), reason=reason)

    def beside(self, fold: str) -> tuple[pd.DataFrame, list[str]]:
        """Return ceilings and the depth oracle, and notes on the test sections."""
        exam = self._exam(fold)
        return references(exam), exam.notes

    def notes_on(self, section: Section) -> list[str]:
        """Say that a section is too small to be scored."""
        return [f"{section.id}: {sentence}" for sentence in too_small(section, self.rules)]

    def check(self) -> None:
        """Prepare the first fold."""
        self._exam(next(iter(self.folds)))

    def _exam(self, fold: str) -> Exam:
        return prepare(self.folds[fold], self.rules)

    def _predictor(self, label: str) -> Predictor:
        method = self.method(label)
        assert isinstance(method, Predictor)
        return method

    def gather_predictions(self) -> None:
        """Put the parts' predictions where results have them; what another run of this folder put there goes."""
        self.clear_predictions()
        for label in self.methods:
            for name, fold in self.folds.items():
                for number, section in enumerate(fold.test):
                    kept = self.parts.prediction(self.key(label, name), number)
                    if self.experiment.predictions and kept.is_file():
                        shutil.copyfile(kept, self.prediction_path(label, section.id))

    def record(self) -> dict[str, Any]:
        """Say how the scores come about, as plain JSON."""
        return {
            "experiment": asdict(self.experiment),
            "methods": {
                label: {"method": method.name, **without_paths(options(method))}
                for label, method in self.methods.items()
            },
            "folds": {
                name: {"by": fold.by, "train": [s.id for s in fold.train], "test": [s.id for s in fold.test]}
                for name, fold in self.folds.items()
            },
            "sections": {section.id: hash_section(section) for section in self.sections},
            "images": {section.id: section.tiles.slide.fingerprint() for section in self.sections},
            "patients": {section.id: section.patient for section in self.sections},
            "identity": {section.id: identity.of_section(section) for section in self.sections},
            "code": self.code,
        }


def plan_of(experiment: Experiment | RoomMethods, folder: Path, **code: Any) -> Comparison:
    """Lay an experiment of any question into a folder."""
    if isinstance(experiment, RoomExperiment):
        return RoomPlan(experiment, folder, **code)
    if isinstance(experiment, Experiment):
        return Plan(experiment, folder, **code)
    kind: type[Comparison] = importlib.import_module(TASKS[experiment.task]).PLAN
    return kind(experiment, folder, **code)


def read_plan(folder: Path) -> Comparison:
    """Read what `Comparison.write` left."""
    path = folder / PLAN
    with reading(path, "the plan of an evaluation"):
        content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return plan_of(experiment_of(content["experiment"], where=str(path)), folder, code=content["code"])
