"""`Predictor`: what every method is, and the register that finds it by name."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self, final

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mclstexp._version import __version__
from mclstexp.core import identity, keys
from mclstexp.core.adaptation import Adaptation, warn_if_seen
from mclstexp.core.code import source_hash
from mclstexp.core.display import fitted_on
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace, require_finite
from mclstexp.core.gene_notes import said_of_all, training_range, var_of
from mclstexp.core.identity import hash_section
from mclstexp.core.imputed import imputation_of, imputed_genes
from mclstexp.core.measured import MIN_COUNTS, learnable, warn_of_blank_spots
from mclstexp.core.method import Method, State, chosen, described, options
from mclstexp.core.options import without_paths
from mclstexp.core.progress import in_order
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.room import Room
from mclstexp.core.section import UNKNOWN, Section, check_sections, require_tiles
from mclstexp.core.tiles import Tiles, TileSpec

__all__ = ["ROOM", "Predictor", "State", "options", "register", "registered"]

ROOM: Final[Room[Predictor]] = Room("mclstexp.methods")
register, registered = ROOM.register, ROOM.registered


class Predictor(Method):
    """A method that learns expression from sections and predicts it for tiles.

    Subclasses are dataclasses whose fields are their options: every option has a default and a sentence
    under it. They write `_fit`, `_predict`, `_get_state` and `_set_state`; the public methods check and are final.
    """

    transductive: ClassVar[bool] = False
    """Whether it learns something from the asked tiles as a set; such a method is judged only where that is let in."""

    space_: ExpressionSpace
    """Scale and panel of the predictions; set by `fit`."""
    spec_: TileSpec
    """Size and scale of the tiles it was fitted on; set by `fit`."""
    adaptation_: Adaptation | None = None  # what `adapt_model` added
    _workdir: Path | None = None

    @property
    def context_um(self) -> float:
        """How far (µm) a tile's prediction looks at other tiles; 0 means not at all."""
        return 0.0

    @property
    def sees(self) -> str:
        """What it sees of a place, in the words of a table; nothing where it does not say."""
        return ""

    @property
    def _learnt_from(self) -> str:
        return fitted_on(self.provenance_, self.genes_, self.spec_) if self.is_fitted else ""

    @property
    def genes_(self) -> tuple[str, ...]:
        """The predicted genes, in column order."""
        return self.space_.genes

    @final
    def fit(
        self,
        sections: Sequence[Section],
        *,
        space: ExpressionSpace | None = None,
        workdir: Path | None = None,
        min_counts: int = MIN_COUNTS,
    ) -> Self:
        """Learn from training sections; everything learnt is learnt from these alone.

        Parameters
        ----------
        sections
            Training sections, all read with one `TileSpec`.
        space
            Scale and panel; learnt from the sections by default (``ExpressionSpace.fit``), with their imputed genes.
        workdir
            Folder for checkpoints: an interrupted fit of the same (options, sections, space, encoder, precision,
            code) goes on from there. Each has a folder of its own in it.
        min_counts
            Spots with fewer counts are left out, which is warned of; 0 takes every spot as measured.

        Raises
        ------
        InputError
            If there is no section, names repeat, specs differ, a panel gene is missing or no spot has counts.
        """
        sections = check_sections(sections)
        specs = {section.tiles.spec for section in sections}
        if len(specs) > 1:
            msg = f"all training sections must be read with one tile spec, found {sorted(map(str, specs))}"
            raise InputError(msg)
        self.__dict__.pop("provenance_", None)
        taught = learnable(sections, min_counts=min_counts)
        self.space_ = self.default_space(taught) if space is None else space
        self.spec_ = sections[0].tiles.spec
        for section in taught:
            self.space_(section.counts[:0])  # a missing gene is said before hours of work
        taught = learnable(taught, min_counts=min_counts, space=self.space_)
        warn_of_blank_spots(sections, min_counts=min_counts, space=self.space_)
        about = described(self)
        self._workdir = None
        if workdir is not None:
            key = identity.of_fit({**about, "source": source_hash()}, space=self.space_, sections=taught)
            self._workdir = workdir / key
        with in_order([section.tiles.slide.id for section in taught]):
            self._fit(taught)
        imputed = imputation_of(taught, panel=self.space_.genes)
        ready_made = [section.id for section in sections if section.tiles.slide.stored is not None]
        self.provenance_ = {
            "method": self.name,
            "version": __version__,
            "options": without_paths(about["options"]),
            "numerics": about["numerics"],
            "sections": {section.id: hash_section(section) for section in sections},
            "min_counts": min_counts,
            "patients": sorted({section.patient or UNKNOWN for section in sections}),
            **({"ready_made_tiles": ready_made} if ready_made else {}),
            **({keys.IMPUTED: imputed} if imputed else {}),
            keys.TRAINING_RANGE: training_range(taught, self.space_),
        }
        return self

    @final
    def default_space(self, sections: list[Section]) -> ExpressionSpace:
        """Return what is learnt where nobody names a space: the method's own, and the sections' imputed genes."""
        return self._default_space(sections).joined(imputed_genes(sections), sections)

    @property
    def var_(self) -> pd.DataFrame:
        """What predictions say of each gene, see `core.gene_notes.var_of`."""
        return var_of(self.space_, self.provenance_)

    @final
    def predict(self, tiles: Tiles) -> ad.AnnData:
        """Predict expression at every tile.

        Parameters
        ----------
        tiles
            Where to look; read with the spec the method was fitted on (`Tiles.with_spec`).

        Returns
        -------
        AnnData (n_tiles, n_genes): `X` float32 in `space_`, `obs_names` the tiles' ids, `var` see `var_`,
        `obsm["spatial"]` in level-0 pixels, `uns["mclstexp"]` how it was made.

        Raises
        ------
        InputError
            If the method is not fitted, the tiles' spec differs, or a number is not finite: its weights went astray, in
            its fit or in its file.
        RuntimeError
            If the method returned a wrong shape.
        """
        self._check_tiles(tiles)
        warn_if_seen(self.provenance_, tiles)
        expression = self._expressed(tiles)
        if expression.shape != (expected := (len(tiles), len(self.genes_))):
            msg = f"{self.name} returned shape {expression.shape} (expected {expected})"
            raise RuntimeError(msg)
        require_finite(expression, name=self.name)
        obs = pd.DataFrame({keys.SECTION: tiles.slide.id}, index=pd.Index(tiles.ids.astype(object)))
        if tiles.array_xy is not None:
            obs[keys.ARRAY_COL], obs[keys.ARRAY_ROW] = tiles.array_xy.T
        return ad.AnnData(
            X=expression,
            obs=obs,
            var=self.var_,
            obsm={keys.SPATIAL: np.array(tiles.xy)},
            uns={keys.PROVENANCE: self._describe(tiles)},
        )

    @final
    def reference_distance(self, tiles: Tiles) -> NDArray[np.float32] | None:
        """Say how far each tile lies from the measured spots that a method retrieves from.

        A first sign of unfamiliar tissue, to be compared between tiles of one model: what nobody measured lies far
        from everything.

        Parameters
        ----------
        tiles
            As for `predict`.

        Returns
        -------
        (n_tiles,) 1 - cosine between the tile's embedding and the nearest spot's: 0 alike, 1 unrelated; the mean
        where several models are averaged. None for a method that keeps no spots.

        Raises
        ------
        InputError
            As `predict`.
        """
        self._check_tiles(tiles)
        return self._reference_distance(tiles)

    @final
    def retrieve(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        """Say which measured spots each tile's prediction is made of.

        Parameters
        ----------
        tiles
            As for `predict`.

        Returns
        -------
        One for each model that is averaged; none for a method that keeps no spots. `core.retrieval.strongest` joins
        them.

        Raises
        ------
        InputError
            As `predict`.
        """
        self._check_tiles(tiles)
        return self._retrievals(tiles)

    def _expressed(self, tiles: Tiles) -> NDArray[np.float32]:
        """Return what `_predict` does, adapted if the model was."""
        found = np.asarray(self._predict(tiles), dtype=np.float32)
        return self.adaptation_.apply(found) if self.adaptation_ else found

    def _check_tiles(self, tiles: Tiles) -> None:
        require_tiles(tiles)
        if not self.is_fitted:
            msg = f"{self.name or type(self).__name__} must be fitted before it predicts: call fit(sections) first"
            raise InputError(msg)
        if tiles.spec != self.spec_:
            msg = f"tiles must be read with {self.spec_}, found {tiles.spec}: use tiles.with_spec(model.spec_)"
            raise InputError(msg)

    def _describe(self, tiles: Tiles) -> dict[str, Any]:
        of_each = ("options", keys.IMPUTED, keys.VERDICTS, keys.TRAINING_RANGE)
        return {
            **{name: said for name, said in self.provenance_.items() if name not in of_each},
            **said_of_all(self.provenance_),
            # h5ad keeps no None and no nested tuple: options travel as text
            "options": {k: repr(v) for k, v in self.provenance_["options"].items()},
            **({keys.CHOSEN: found} if (found := {k: repr(v) for k, v in chosen(self).items()}) else {}),
            "space": self.space_.record(),
            "spec": dataclasses.asdict(self.spec_),
            "slide": tiles.slide.id,
            "slide_mpp": tiles.slide.mpp,
            "predicted_with": self._numerics(),
            # then wider views showed the tile itself
            **({} if tiles.slide.stored is None else {"ready_made_tiles": True}),
            **self._stamps(tiles),
        }

    def _stamps(self, tiles: Tiles) -> dict[str, Any]:  # noqa: ARG002  for those that do
        """Return what else a prediction says of how it was made, such as what the method saw."""
        return {}

    def _default_space(self, sections: list[Section]) -> ExpressionSpace:
        """Learn the space where the caller names none; a method that was published on another scale says so here."""
        return ExpressionSpace.fit(sections)

    @abstractmethod
    def _fit(self, sections: list[Section]) -> None:
        """Learn; `space_`, `spec_` and `_workdir` are set."""

    @abstractmethod
    def _predict(self, tiles: Tiles) -> NDArray[np.float32]:
        """Return (n_tiles, n_genes) expression in `space_`."""

    @abstractmethod
    def _get_state(self) -> State:
        """Return all that predicting needs beyond options, space and spec."""

    @abstractmethod
    def _set_state(self, state: State) -> None:
        """Take back what `_get_state` returned."""

    def _reference_distance(self, tiles: Tiles) -> NDArray[np.float32] | None:  # noqa: ARG002  for those that do
        """Return what `reference_distance` does; a method that retrieves overrides it."""
        return None

    def _retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:  # noqa: ARG002  for those that do
        """Return what `retrieve` does; a method that retrieves overrides it."""
        return ()
