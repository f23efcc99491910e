"""What an experiment comes to: its sections, folds and methods, and where each finished part lies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from mclstexp.core.code import source_hash
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.data.folds import Fold
from mclstexp.evaluation.exam import Rules
from mclstexp.evaluation.experiment import Experiment, experiment_of
from mclstexp.evaluation.parts import Parts
from mclstexp.evaluation.toml import read_genes
from mclstexp.io.atomic import atomic_path
from mclstexp.io.guard import reading
from mclstexp.io.provenance import code_version

PLAN: Final = "plan.json"


@dataclass(frozen=True)
class Plan:
    """An experiment in the folder where it runs; equal in every process that takes part."""

    experiment: Experiment
    """What is compared."""
    folder: Path
    """Where parts and predictions go while it runs."""
    code: dict[str, str] = field(default_factory=lambda: {**code_version(), "source": source_hash()})
    """The code that runs it, looked up once: files may be edited meanwhile."""

    @cached_property
    def methods(self) -> dict[str, Predictor]:
        """Methods by label, controls included."""
        return self.experiment.make_methods()

    def method(self, label: str) -> Predictor:
        """Return one method; made alone where the others are not made yet."""
        if "methods" in self.__dict__:
            return self.methods[label]
        if label not in self._alone:
            self._alone[label] = self.experiment.make_method(label)
        return self._alone[label]

    @cached_property
    def _alone(self) -> dict[str, Predictor]:
        return {}

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

    def gather_predictions(self) -> None:
        """Put the parts' predictions where results have them; what another run of this folder put there goes."""
        folder = self.folder / "predictions"
        shutil.rmtree(folder, ignore_errors=True)
        for label in self.methods:
            for name, fold in self.folds.items():
                for number, section in enumerate(fold.test):
                    kept = self.parts.prediction(self.key(label, name), number)
                    if self.experiment.predictions and kept.is_file():
                        target = folder / safe_name(label) / f"{safe_name(section.id)}.h5ad"
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(kept, target)

    def write(self) -> None:
        """Leave the plan in its folder for the processes that take part."""
        with atomic_path(self.folder / PLAN, ours=True) as path:
            content = {"experiment": asdict(self.experiment), "code": self.code}
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_plan(folder: Path) -> Plan:
    """Read what `Plan.write` left."""
    path = folder / PLAN
    with reading(path, "the plan of an evaluation"):
        content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Plan(experiment_of(content["experiment"], where=str(path)), folder, content["code"])


def safe_name(name: str) -> str:
    """Spell a label or a section's name as a file name."""
    return "".join(letter if letter.isalnum() or letter in "._- +" else "_" for letter in name)
