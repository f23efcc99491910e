"""An experiment: a comparison of methods, the whole of it, as a TOML file says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mclstexp.core.errors import InputError
from mclstexp.core.options import build
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold
from mclstexp.evaluation.config import DataConfig, FoldsConfig, GeneSetConfig, SpaceConfig, make_method
from mclstexp.evaluation.exam import CONTROLS, Rules, scorable
from mclstexp.evaluation.harness import check_methods, make_control, missing_controls
from mclstexp.evaluation.toml import read_toml
from mclstexp.methods import load_method_file

_NOT_OPTIONS = ("method", "preset", "file")


def _usual_sets() -> dict[str, GeneSetConfig]:
    return {"heg50": GeneSetConfig(heg=50), "hvg50": GeneSetConfig(hvg=50), "svg50": GeneSetConfig(svg=50)}


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
        made = {**missing_controls(made, encoder=self.encoder), **made}
        check_methods(made, transductive=self.transductive)
        return made

    def make_method(self, label: str) -> Predictor:
        """Make the one of `make_methods`, alone where that can be: each brings libraries that take time to import."""
        if label in self.methods:
            return self._make(label)
        if label in CONTROLS and self.encoder is not None:
            return make_control(label, encoder=self.encoder)
        return self.make_methods()[label]

    def _make(self, label: str) -> Predictor:
        given = self.methods[label]
        options = {name: value for name, value in given.items() if name not in _NOT_OPTIONS}
        name = str(given.get("method", load_method_file(given["file"]) if "file" in given else label))
        common = {"seed": self.seed, "encoder": self.encoder}
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


def read_experiment(path: Path | str) -> Experiment:
    """Read an experiment file; what it names is checked before anything runs.

    Raises
    ------
    InputError
        If it is no TOML, has an unknown key or a value that does not fit, or names a variable that is not set.
    """
    return experiment_of(read_toml(path), where=str(path))


def experiment_of(content: Mapping[str, Any], *, where: str) -> Experiment:
    """Make an experiment of what a file says; see `read_experiment`."""
    return build(Experiment, content, where=where)
