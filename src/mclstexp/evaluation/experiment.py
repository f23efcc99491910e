"""An experiment: a comparison of methods, the whole of it, as a TOML file says it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from mclstexp.core.errors import InputError
from mclstexp.core.options import build, suggest
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold
from mclstexp.evaluation.config import DataConfig, FoldsConfig, GeneSetConfig, SpaceConfig, make_method
from mclstexp.evaluation.controls import COMMON, CONTROLS, at_sight, common_sight, make_control, missing_controls
from mclstexp.evaluation.exam import Rules, scorable
from mclstexp.evaluation.harness import check_methods
from mclstexp.evaluation.room_methods import NOT_OPTIONS, RoomMethods
from mclstexp.evaluation.toml import read_toml
from mclstexp.methods import load_method_file, preset_options
from mclstexp.sight.feature_predictor import learns_from_pixels
from mclstexp.sight.sight import Sight

PREDICT: Final = "predict"
"""The task that is meant where a file names none: expression from images."""
TASKS: Final[Mapping[str, str]] = {
    "impute": "mclstexp.imputation.experiment",
    "enhance": "mclstexp.enhancement.experiment",
    "domains": "mclstexp.domains.experiment",
    "outcome": "mclstexp.cohort.experiment",
}
"""The other tasks, by the module whose `EXPERIMENT` says what a file of theirs holds, and whose `PLAN`, if it has one,
how it runs."""


def _usual_sets() -> dict[str, GeneSetConfig]:
    return {"heg50": GeneSetConfig(heg=50), "hvg50": GeneSetConfig(hvg=50), "svg50": GeneSetConfig(svg=50)}


@dataclass(frozen=True)
class SightConfig(Sight):
    """One sight for every method on frozen features: then a table compares what is learnt, and not what is seen."""

    encoder: str = ""
    """Image encoder; that of the experiment by default."""
    own_too: bool = False
    """Compare each method at its own sight too; labels at this one then end in ", common sight"."""

    def options(self) -> dict[str, Any]:
        """Return the options of methods that it stands for."""
        said = {name: value for name, value in vars(self).items() if name != "own_too"}
        return said if self.encoder else {name: value for name, value in said.items() if name != "encoder"}


@dataclass(frozen=True)
class Experiment:
    """A comparison of methods: the whole of it, as ``mclstexp evaluate`` runs it."""

    title: str = ""
    """What is asked."""
    protocol: Literal["strict", "paper"] = "strict"
    """"strict": everything learnt on training sections; "paper": the published evaluation, to meet old numbers."""
    transductive: bool = False
    """Let in steps that look at the test sections as a whole; their rows are stamped."""
    data: DataConfig = field(default_factory=DataConfig)
    """The sections."""
    tile: TileSpec = field(default_factory=TileSpec)
    """Size and scale of the tiles."""
    folds: FoldsConfig = field(default_factory=FoldsConfig)
    """What is held out."""
    space: SpaceConfig = field(default_factory=SpaceConfig)
    """Panel and scale."""
    gene_sets: dict[str, GeneSetConfig] = field(default_factory=_usual_sets)
    """Gene sets by name; the training sections' 50 genes of highest mean, variance and spatial pattern by default."""
    encoder: str | None = None
    """Image encoder of every method that has one and is not given its own."""
    sight: SightConfig | None = None
    """The common sight, of every method that is not given its own; by default each looks as it was published, and
    controls besides as the method does that sees the most."""
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Options by label; ``method`` names the method where the label does not, ``preset`` a set of options to start
    from, ``file`` a Python file with a method of one's own."""
    predictions: bool = True
    """Keep the predictions (.h5ad) beside the scores."""
    seed: int | None = None
    """Seed of every method that has one and is not given its own."""

    def make_methods(self) -> dict[str, Predictor]:
        """Make the methods by label, controls first.

        Raises
        ------
        InputError
            If there is none, or a method or option is not known or does not fit.
        """
        if not self.methods:
            msg = "at least one method expected, found none: add a table [methods.mclstexp]"
            raise InputError(msg)
        made = {label: self._make(label) for label in self.methods}
        if self.sight is not None and self.sight.own_too:
            seen = self.sight.options()
            common = {label + COMMON: at_sight(method, seen) for label, method in made.items()}
            made |= {label: method for label, method in common.items() if method is not None}
        made = {**missing_controls(made, encoder=self.encoder, sight=self._common(made)), **made}
        check_methods(made, transductive=self.transductive)
        return made

    def make_method(self, label: str) -> Predictor:
        """Make the one of `make_methods`, alone where that can be: each brings libraries that take time to import."""
        if label in self.methods:
            return self._make(label)
        base = label.removesuffix(COMMON)
        if self.encoder is not None and (label in CONTROLS or (self.sight is not None and base not in self.methods)):
            return make_control(label, encoder=self.encoder, sight=self._common({}))
        if self.sight is not None and base in self.methods:
            method = at_sight(self._make(base), self.sight.options())
            if method is not None:
                return method
        return self.make_methods()[label]

    def _common(self, made: Mapping[str, Predictor]) -> Sight | None:
        """Return the common sight: what was asked for, or that of the method which sees the most."""
        if self.sight is None:
            return common_sight(made.values())
        return Sight(**self.sight.options())

    def _make(self, label: str) -> Predictor:
        given = self.methods[label]
        options = {name: value for name, value in given.items() if name not in NOT_OPTIONS}
        name = str(given.get("method", load_method_file(given["file"]) if "file" in given else label))
        common: dict[str, Any] = {"seed": self.seed, "encoder": self.encoder}
        shown = {**preset_options(name, given.get("preset")), **options}
        if self.sight is not None and not self.sight.own_too and not learns_from_pixels(shown):
            common |= self.sight.options()
        return make_method(name, options, preset=given.get("preset"), common=common)

    def make_folds(self, sections: Sequence[Section]) -> list[Fold]:
        """Make the folds, without sections too small to score; by default by patient, under "paper" by section."""
        folds = self.folds.make(sections, usual="section" if self.protocol == "paper" else "patient")
        return scorable(folds, self.rules())

    def rules(self) -> Rules:
        """Return how folds are prepared and marked."""
        return Rules(
            protocol=self.protocol,
            space=self.space.rule(),
            gene_sets={name: chosen.rule() for name, chosen in self.gene_sets.items()},
            transductive=self.transductive,
            data_set=self.data.name,
            min_counts=self.data.min_counts,
            min_spots=self.folds.min_spots,
        )


def read_experiment(path: Path | str) -> Experiment | RoomMethods:
    """Read an experiment file; what it names is checked before anything runs.

    Raises
    ------
    InputError
        If it is no TOML, has an unknown key or a value that does not fit, or names a variable that is not set.
    """
    return experiment_of(read_toml(path), where=str(path))


def experiment_of(content: Mapping[str, Any], *, where: str) -> Experiment | RoomMethods:
    """Make an experiment of what a file says; see `read_experiment`."""
    task = content.get("task", PREDICT)
    if task == PREDICT:
        return build(Experiment, {name: value for name, value in content.items() if name != "task"}, where=where)
    if task not in TASKS:
        msg = f"{where}: a known task expected, found {task!r}: {suggest(str(task), [PREDICT, *TASKS])}"
        raise InputError(msg)
    kind: type[RoomMethods] = importlib.import_module(TASKS[task]).EXPERIMENT
    return build(kind, content, where=where)
