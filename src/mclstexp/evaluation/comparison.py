"""A comparison in the folder where it runs: what its runner, its workers and its results ask of any question's."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

import pandas as pd
from anndata import AnnData

from mclstexp.core.code import source_hash
from mclstexp.core.method import Method
from mclstexp.core.section import Section
from mclstexp.evaluation.parts import Parts
from mclstexp.evaluation.results import read_results, summarise_scores, write_results
from mclstexp.io.atomic import atomic_path
from mclstexp.io.provenance import code_version

PLAN: Final = "plan.json"
Keep = Callable[[AnnData, str], None]
"""Takes a prediction and the id of its section."""


@dataclass(frozen=True)
class Comparison(ABC):
    """An experiment in the folder where it runs; equal in every process that takes part."""

    experiment: Any
    """What is compared."""
    folder: Path
    """Where parts and predictions go while it runs."""
    code: dict[str, str] = field(default_factory=lambda: {**code_version(), "source": source_hash()})
    """The code that runs it, looked up once: files may be edited meanwhile."""

    per_gene: ClassVar[bool] = True
    """Whether scores are of genes, as figures of them are drawn."""

    @cached_property
    def methods(self) -> Mapping[str, Method]:
        """Methods by label, controls included."""
        made: Mapping[str, Method] = self.experiment.make_methods()
        return made

    def method(self, label: str) -> Method:
        """Return one method; made alone where the others are not made yet."""
        if "methods" in self.__dict__:
            return self.methods[label]
        if label not in self._alone:
            self._alone[label] = self.experiment.make_method(label)
        return self._alone[label]

    @cached_property
    def _alone(self) -> dict[str, Method]:
        return {}

    @property
    @abstractmethod
    def sections(self) -> list[Section]:
        """The sections, read when first asked for."""

    @property
    def shown(self) -> list[Section]:
        """Those that have an image."""
        return self.sections

    @property
    @abstractmethod
    def folds(self) -> Mapping[str, Any]:
        """What is held out, by name."""

    @property
    @abstractmethod
    def parts(self) -> Parts:
        """The finished parts."""

    @abstractmethod
    def key(self, label: str, fold: str) -> str:
        """Return the key of a method's part."""

    @abstractmethod
    def judge(self, label: str, fold: str, *, workdir: Path, keep: Keep) -> pd.DataFrame:
        """Let a method answer and mark it; whatever goes wrong in the method is a row and not the end."""

    @abstractmethod
    def of_dead(self, label: str, fold: str, *, reason: str) -> pd.DataFrame:
        """Return the row of a method whose process died."""

    @abstractmethod
    def beside(self, fold: str) -> tuple[pd.DataFrame, list[str]]:
        """Return the rows no method can earn, and what is worth saying of what is tested."""

    @abstractmethod
    def notes_on(self, section: Section) -> list[str]:
        """Say what of a section is not scored."""

    @abstractmethod
    def check(self) -> None:
        """Go as far as a refusal can come that only the data can cause."""

    @abstractmethod
    def gather_predictions(self) -> None:
        """Put the parts' predictions where results have them; what another run of this folder put there goes."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Say how the scores come about, as plain JSON."""

    def prediction_path(self, label: str, section: str) -> Path:
        """Return where the results have a method's prediction of a section."""
        target = self.folder / "predictions" / safe_name(label) / f"{safe_name(section)}.h5ad"
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def clear_predictions(self) -> None:
        """Remove what another run of this folder gathered."""
        shutil.rmtree(self.folder / "predictions", ignore_errors=True)

    def write_results(self, scores: pd.DataFrame, folder: Path, *, record: Mapping[str, Any]) -> pd.DataFrame:
        """Write all results into a new folder, and return the summary; see `results.write_results`."""
        return write_results(scores, folder, record=record, run_folder=self.folder)

    def read_summary(self, folder: Path) -> pd.DataFrame:
        """Return the summary of results that were written.

        Raises
        ------
        InputError
            If there are none or they are damaged.
        """
        return summarise_scores(read_results(folder))

    def write(self) -> None:
        """Leave the plan in its folder for the processes that take part."""
        with atomic_path(self.folder / PLAN, ours=True) as path:
            content = {"experiment": asdict(self.experiment), "code": self.code}
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def safe_name(name: str) -> str:
    """Spell a label or a section's name as a file name."""
    return "".join(letter if letter.isalnum() or letter in "._- +" else "_" for letter in name)
