"""``task = "domains"``: ways to divide sections into regions, compared by labels that none of them is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Final

import pandas as pd
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.domain_finder import ROOM, DomainFinder
from mclstexp.core.errors import InputError
from mclstexp.core.method import Method
from mclstexp.core.room import Room
from mclstexp.core.section import Section
from mclstexp.domains.judge import METRICS, SEEN, divide, labels_to_meet, places_of, score_divisions, shown_to
from mclstexp.evaluation.room_experiment import RoomExperiment
from mclstexp.evaluation.turn import Turn

_SEED: Final = "domain, seed "
_SHUFFLED: Final = {f", {seen}": seen for seen in SEEN[1:]}
"""Ends of the labels of controls: the method itself, shown the looks, or the places, of other spots."""


@dataclass(frozen=True)
class Asked:
    """What is asked and how often."""

    n_domains: int | None = None
    """How many; as many as there are labels by default."""
    seeds: int = 5
    """How many times each method is run, from its own seed on."""
    shuffled: bool = True
    """Whether each method is run, as a control, with the image, or the places, of its spots shuffled too."""
    labels: dict[str, str] = field(default_factory=dict)
    """Column of obs with the labels, by section; "label" by default."""


@dataclass(frozen=True, eq=False)
class DomainTurn(Turn):
    """A section whose labels are hidden."""

    asked: Asked
    """What is asked."""

    @cached_property
    def labels(self) -> pd.Categorical:
        """What a person called each spot; no method is shown it."""
        column = self.asked.labels.get(self.section.id, keys.LABEL)
        if column not in self.section.counts.obs:
            msg = (
                f'section {self.section.id}: labels expected in obs["{column}"], found none: name their column, as '
                f'labels = {{ {self.section.id} = "region" }} in [asked]'
            )
            raise InputError(msg)
        return labels_to_meet(self.section, self.section.counts.obs[column].astype(object))

    @property
    def space(self) -> str:
        """Scale of the scores: labels have none."""
        return "labels"

    @property
    def identity(self) -> tuple[Any, ...]:
        """How often and for how many domains is asked, and the labels that answers are held against."""
        said = [None if pd.isna(label) else str(label) for label in self.labels]
        return (self.asked.n_domains, self.asked.seeds, said)

    def ask(self, method: Method, *, label: str = "") -> AnnData:
        """Have the section divided from several seeds; the answer holds the first one's domains, and each one's."""
        assert isinstance(method, DomainFinder)
        seen = next((name for end, name in _SHUFFLED.items() if label.endswith(end)), SEEN[0])
        number = self.asked.n_domains or self.labels.categories.size
        blind = self.section.counts.copy()
        blind.obs = blind.obs[[]]
        hidden = replace(self.section, counts=blind)
        features = method.look(hidden) if method.looks else None
        drawn = range(method.seed, method.seed + self.asked.seeds)
        found = [divide(method, hidden, features, seen=seen, seed=seed, number=number) for seed in drawn]
        for seed, one in zip(drawn, found, strict=True):
            found[0].obs[f"{_SEED}{seed}"] = one.obs[keys.DOMAIN]
        found[0].obs[keys.SECTION] = self.section.id
        return found[0]

    def mark(self, said: AnnData) -> pd.DataFrame:
        """Score the divisions, and take the mean over seeds."""
        divisions = [said.obs[name].array for name in said.obs if str(name).startswith(_SEED)]
        scores = score_divisions(divisions, self.labels, places_of(self.section))
        return pd.DataFrame({"gene": [""], **{name: [scores[name].mean()] for name in METRICS}})


@dataclass(frozen=True)
class DomainsExperiment(RoomExperiment):
    """A comparison of ways to find domains."""

    room: ClassVar[Room[Any]] = ROOM
    controls: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[str] = "kmeans"

    asked: Asked = field(default_factory=Asked)
    """What is asked and how often."""

    def make_methods(self) -> dict[str, Method]:
        """Make the methods by label, each followed by itself, shown what is shuffled."""
        made = {}
        for label, method in super().make_methods().items():
            made[label] = method
            assert isinstance(method, DomainFinder)
            for seen in shown_to(method, controls=self.asked.shuffled):
                if seen in SEEN[1:]:
                    made[f"{label}, {seen}"] = method
        return made

    def make_method(self, label: str) -> Method:
        """Make the one of `make_methods`, alone."""
        return self._make(next((label.removesuffix(end) for end in _SHUFFLED if label.endswith(end)), label))

    def is_control(self, label: str, method: Method) -> bool:
        """Whether a row is of a method that is shown what is shuffled."""
        return label.endswith(tuple(_SHUFFLED)) or super().is_control(label, method)

    def turns(self, sections: Sequence[Section]) -> list[Turn]:
        """Hide the labels of each section."""
        for name, value, least in (("seeds", self.asked.seeds, 1), ("n_domains", self.asked.n_domains, 2)):
            if value is not None and value < least:
                msg = f"{name} in [asked] of {least} or more expected, found {value}"
                raise InputError(msg)
        unknown = sorted(set(self.asked.labels) - {section.id for section in sections})
        if unknown:
            msg = f"labels in [asked] of sections that are read expected, found {unknown[0]!r}: name sections of [data]"
            raise InputError(msg)
        turns = [DomainTurn(section, "labels", "label", self.asked) for section in sections]
        for turn in turns:
            number = self.asked.n_domains or turn.labels.categories.size
            if number > len(turn.section):
                msg = f"n_domains in [asked] of at most {len(turn.section)} (spots) expected, found {number}"
                raise InputError(msg)
        return list(turns)

    def read_labelled(self) -> list[Section]:
        """Read the sections with the labels that answers are held against."""
        found = []
        for section in self.read():
            labels = DomainTurn(section, "labels", "label", self.asked).labels
            counts = section.counts.copy()
            counts.obs[keys.LABEL] = labels.astype(object)
            found.append(replace(section, counts=counts))
        return found

    def join(self, answers: Sequence[AnnData]) -> AnnData:
        """Return the one answer."""
        return answers[0]


EXPERIMENT = DomainsExperiment
