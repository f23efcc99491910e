"""What an experiment of a question beside images comes to: its turns, and the tidy scores of each answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mclstexp.core import identity
from mclstexp.core.identity import hash_section
from mclstexp.core.method import options
from mclstexp.core.options import without_paths
from mclstexp.core.section import Section
from mclstexp.evaluation.comparison import Comparison, Keep
from mclstexp.evaluation.exam import spent
from mclstexp.evaluation.parts import Parts
from mclstexp.evaluation.room_experiment import RoomExperiment
from mclstexp.evaluation.score_table import COLUMNS
from mclstexp.evaluation.turn import Turn
from mclstexp.io.predictions import read_prediction, write_prediction
from mclstexp.io.writing import is_of_writing

_log = logging.getLogger(__name__)


class RoomPlan(Comparison):
    """A comparison of methods of one question, each fold a turn of what is hidden."""

    experiment: RoomExperiment

    @cached_property
    def sections(self) -> list[Section]:
        """The sections, read when first asked for."""
        return self.experiment.read()

    @property
    def shown(self) -> list[Section]:
        """Those that have an image; reading the others warns as well."""
        read = self.sections
        return [section for section in read if section.id not in self.experiment.bare_ids]

    @cached_property
    def folds(self) -> dict[str, Turn]:
        """Turns by name; the section stands in it where there are several."""
        turns = self.experiment.turns(self.sections)
        several = len(self.sections) > 1
        return {f"{turn.section.id}, {turn.name}" if several else turn.name: turn for turn in turns}

    @cached_property
    def parts(self) -> Parts:
        """The finished parts."""
        e = self.experiment
        about = {"task": e.task, "data_set": e.data.name, "code": self.code}
        return Parts(self.folder, about=about, predictions=e.predictions)

    @cached_property
    def _identities(self) -> dict[str, str]:
        return {section.id: identity.of_section(section) for section in self.sections}

    def key(self, label: str, fold: str) -> str:
        """Return the key of a method's part."""
        turn = self.folds[fold]
        about = (fold, turn.by, turn.space, self._identities[turn.section.id], *turn.identity)
        return self.parts.key_of(label, self.method(label), *about)

    def judge(self, label: str, fold: str, *, workdir: Path, keep: Keep) -> pd.DataFrame:  # noqa: ARG002
        """Put the question to a method that knows nothing of other turns, and mark its answer."""
        turn, method, start = self.folds[fold], self.method(label), time.perf_counter()
        try:
            said = turn.ask(type(method)(**options(method)), label=label)
        except Exception as error:  # anybody's method may raise anything; the log has where
            if is_of_writing(error):  # not the method failed, but the disk
                raise
            _log.warning("%s failed in fold %s", label, fold, exc_info=True)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return self.of_dead(label, fold, reason=reason)
        costs = spent(time.perf_counter() - start)
        keep(said, turn.section.id)
        where = self._where(label, fold)
        return pd.concat([_of_run(costs, where), _tidy(turn.mark(said), where, turn)], ignore_index=True)

    def of_dead(self, label: str, fold: str, *, reason: str) -> pd.DataFrame:
        """Return the row of a method whose process died."""
        return _of_run({"failed": np.nan}, {**self._where(label, fold), "reason": reason})

    def beside(self, fold: str) -> tuple[pd.DataFrame, list[str]]:
        """Return the rows no method can earn."""
        turn = self.folds[fold]
        tables = [_tidy(table, self._where(label, fold), turn) for label, table in turn.references().items()]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS)), []

    def _where(self, label: str, fold: str) -> dict[str, Any]:
        """Return the columns that all rows of a table share; without a method of that label it is a reference."""
        turn, method = self.folds[fold], self.methods.get(label)
        control = method is not None and self.experiment.is_control(label, method)
        return {
            "method": label,
            "kind": "reference" if method is None else "control" if control else "method",
            "fold": fold,
            "by": turn.by,
            "protocol": "strict",
            "space": turn.space,
            "transductive": False,
            "tuned": method is not None and self.experiment.data.name.strip().casefold() in method.tuned_on,
            "sees": "",
            "reason": "",
        }

    def notes_on(self, section: Section) -> list[str]:  # noqa: ARG002  every section that can be asked of is scored
        """Say nothing more."""
        return []

    def check(self) -> None:
        """Say what is hidden in turn."""
        assert self.folds

    def gather_predictions(self) -> None:
        """Lay the answers of a section's turns together, where results have them."""
        self.clear_predictions()
        if not self.experiment.predictions:
            return
        for label in self.methods:
            for section in self.sections:
                folds = [fold for fold, turn in self.folds.items() if turn.section.id == section.id]
                paths = [self.parts.prediction(self.key(label, fold), 0) for fold in folds]
                answers = [read_prediction(path) for path in paths if path.is_file()]
                if answers:
                    write_prediction(self.experiment.join(answers), self.prediction_path(label, section.id))

    def record(self) -> dict[str, Any]:
        """Say how the scores come about, as plain JSON."""
        return {
            "experiment": asdict(self.experiment),
            "methods": {
                label: {"method": method.name, **without_paths(options(method))}
                for label, method in self.methods.items()
            },
            "folds": {
                name: {"by": turn.by, "train": turn.learnt_from, "test": [turn.section.id]}
                for name, turn in self.folds.items()
            },
            "turns": {name: identity.of("turn", *turn.identity) for name, turn in self.folds.items()},
            "sections": {section.id: hash_section(section) for section in self.sections},
            "images": {section.id: section.tiles.slide.fingerprint() for section in self.sections},
            "patients": {section.id: section.patient for section in self.sections},
            "identity": self._identities,
            "question": self.experiment.room.question,
            "controls": [label for label, method in self.methods.items() if self.experiment.is_control(label, method)],
            "code": self.code,
        }


def _of_run(values: Mapping[str, float], where: Mapping[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame({"metric": list(values), "value": np.array(list(values.values()), np.float64)})
    return table.assign(**where, patient="", section="", gene="")[list(COLUMNS)]


def _tidy(marked: pd.DataFrame, where: Mapping[str, Any], turn: Turn) -> pd.DataFrame:
    """Turn columns of metrics into rows of the table of scores."""
    table = marked.melt(id_vars="gene", var_name="metric", value_name="value").astype({"value": np.float64})
    place = {"patient": turn.section.patient or "", "section": turn.section.id}
    return table.assign(**where, **place)[list(COLUMNS)]
