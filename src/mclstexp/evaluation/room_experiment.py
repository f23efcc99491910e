"""An experiment of a question beside images, as a TOML file says it (``task = "impute"``)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from anndata import AnnData
from jaxtyping import Float

from mclstexp.core.errors import InputError
from mclstexp.core.measured import has_counts
from mclstexp.core.method import Method, options
from mclstexp.core.section import Section, check_sections
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.evaluation.room_methods import RoomMethods
from mclstexp.evaluation.turn import Turn
from mclstexp.io.bare_section import read_bare_section

BARE: Final = "counts"
"""``format`` in [data] of counts with places and no image."""
_TABLES: Final = (".tsv", ".tsv.gz")


@dataclass(frozen=True)
class RoomExperiment(RoomMethods):
    """A comparison of methods of one question, on one or more sections, as ``mclstexp evaluate`` runs it."""

    data: DataConfig = field(default_factory=DataConfig)
    """The sections; with format = "counts", or a table of counts (.tsv), counts with places are enough."""
    tile: TileSpec = field(default_factory=TileSpec)
    """Size and scale of the tiles, for methods that look."""
    encoder: str | None = None
    """Image encoder of every method that has one and is not given its own."""
    predictions: bool = True
    """Keep the answers (.h5ad) beside the scores."""

    def read(self) -> list[Section]:
        """Read the sections, without spots that hold too few counts.

        Raises
        ------
        InputError
            If they cannot be read, or a method looks at an image and there is none.
        """
        found = []
        for data in (self.data, *self.data.also):
            if is_bare(data):
                self._require_blind(data)
                path = Path(data.path)
                patient = {**self.data.patients, **data.patients}.get(_stem(path))
                found.append(read_bare_section(path, spec=self.tile, pitch_um=data.pitch_um, patient=patient))
            else:
                found += replace(data, also=()).read(self.tile)
        kept = (section.take(has_counts(section, min_counts=self.data.min_counts)) for section in check_sections(found))
        return list(kept)

    def read_labelled(self) -> list[Section]:
        """Read the sections, what a person called each spot in ``obs["label"]`` where that is known."""
        return self.read()

    @property
    def bare_ids(self) -> set[str]:
        """Names of the sections that are read without an image."""
        return {_stem(Path(data.path)) for data in (self.data, *self.data.also) if is_bare(data)}

    def _require_blind(self, data: DataConfig) -> None:
        for label, method in self.make_methods().items():
            require_blind(method, data, label=label)

    def _common(self) -> dict[str, Any]:
        return {**super()._common(), "encoder": self.encoder}

    @abstractmethod
    def turns(self, sections: Sequence[Section]) -> list[Turn]:
        """Say what is hidden in turn.

        Raises
        ------
        InputError
            If what is to be hidden is not there.
        """

    def measured(self, section: Section, said: AnnData) -> Float[np.ndarray, "n_spots n_genes"] | None:  # noqa: ARG002
        """Return the truth of what was said, where the counts of those genes alone do not tell its scale."""
        return None

    @abstractmethod
    def join(self, answers: Sequence[AnnData]) -> AnnData:
        """Lay a method's answers of the turns of one section together, each of what was hidden."""


def looks(method: Method) -> bool:
    """Whether a method of a question looks at the image: it says so, or it has an encoder."""
    said = getattr(method, "looks", None)
    return bool(options(method).get("encoder")) if said is None else bool(said)


def require_blind(method: Method, data: DataConfig, *, label: str) -> None:
    """Refuse counts alone for a method that looks.

    Raises
    ------
    InputError
        If it does.
    """
    if looks(method):
        msg = (
            f"a section with an image expected for method {label}, which looks at it, found counts alone at "
            f"{data.path}: give a section, or leave that method out"
        )
        raise InputError(msg)


def is_bare(data: DataConfig) -> bool:
    """Whether data are counts and places alone: said so, or a table of counts."""
    table = data.path.lower().endswith(_TABLES) and data.format is None and data.image is None
    return data.synthetic is None and (data.format == BARE or table)


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]
