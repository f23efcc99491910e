"""Tissue states: a codebook, learnt on training sections, that names the kind of tissue at each place of any slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import anndata as ad
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from mclstexp.core import keys
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section, check_sections
from mclstexp.core.tiles import Tiles
from mclstexp.methods.codebook import CodebookPredictor, patient_weights
from mclstexp.nn.quantise import Quantiser
from mclstexp.sight.fitted import FittedSight
from mclstexp.sight.sight import Sight
from mclstexp.training.residual_kmeans import Directions, fit_quantiser, levels_of, quantise

On = Literal["image", "expression", "joint"]
Codes = Int[np.ndarray, "n n_levels"]
STATE: Final = "state"
"""obs: code of the first level as text, "1" the largest in training; with _2, _3 the path down to a finer one."""
DISTANCE: Final = "distance"
"""obs: how far a tile's looks lie from what its codes stand for, in shares of the training spots' mean."""


@dataclass(frozen=True, eq=False)
class TissueCodebook:
    """States of measured spots, by how they look, by what they express, or by both.

    Where nothing was measured, states come from a fitted method ``codebook``: see `states_of`.
    """

    on: On
    """What is divided."""
    sight: FittedSight | None
    """What is seen of a place; None where nothing is."""
    space: ExpressionSpace | None
    """Scale and panel; None where expression is not looked at."""
    blocks: tuple[Directions, ...]
    """To principal components, of features and of expression; of both, each varies as much in all."""
    quantiser: Quantiser
    """The codes."""
    learnt_from: tuple[str, ...]
    """Names of the training sections."""

    @classmethod
    def fit(
        cls,
        sections: Sequence[Section],
        *,
        on: On = "expression",
        sizes: Sequence[int] = (8, 32, 128),
        sight: Sight = Sight(),  # noqa: B008  frozen
        n_components: int = 20,
        seed: int = 0,
    ) -> TissueCodebook:
        """Learn states from training sections, patients alike however many spots they have.

        Parameters
        ----------
        sections
            Training sections.
        on
            What is divided.
        sizes
            Codes at each level, coarse to fine; one level is k-means.
        sight
            What is seen of a place.
        n_components
            Principal components of features, and of expression.
        seed
            Start of the random numbers.

        Raises
        ------
        InputError
            If sections share no gene, or there is no section or no code.
        """
        sections = check_sections(sections)
        space = None if on == "image" else ExpressionSpace.fit(sections)
        seen = None if on == "expression" else FittedSight.fit(sight, [section.tiles for section in sections])
        raw = [_raw(section, seen, space) for section in sections]
        blocks = []
        for number, rows in enumerate(np.concatenate(parts) for parts in zip(*raw, strict=True)):
            looks = number == 0 and seen is not None
            directions = Directions.principal(rows, n_components, standardise=looks and not sight.slide_scale)
            blocks.append(_of_unit_spread(directions, rows) if on == "joint" else directions)
        rows = np.concatenate([_together(parts, blocks) for parts in raw])
        quantiser = fit_quantiser(rows, sizes, weights=patient_weights(sections), seed=seed)
        return cls(on, seen, space, tuple(blocks), quantiser, tuple(section.id for section in sections))

    def tokens(self, section: Section) -> Codes:
        """Return each spot's codes, coarse to fine.

        Raises
        ------
        InputError
            If a gene of the panel is missing.
        """
        rows = _together(_raw(section, self.sight, self.space), self.blocks)
        return quantise(self.quantiser, rows)[0]

    def describe(self, section: Section) -> ad.AnnData:
        """Return the states of a section's spots, see `laid_out`."""
        found = laid_out(self.tokens(section), section.tiles, sizes=[len(c) for c in levels_of(self.quantiser)])
        found.uns[keys.PROVENANCE] = {"question": "states", "on": self.on, "learnt_from": list(self.learnt_from)}
        return found


def states_of(model: CodebookPredictor, tiles: Tiles) -> ad.AnnData:
    """Return the states of tiles, measured or not, as a fitted method ``codebook`` names them.

    Parameters
    ----------
    model
        The fitted method; it says from whom states were learnt.
    tiles
        Where to look.

    Returns
    -------
    See `laid_out`; ``obs["distance"]`` is how far a tile's looks lie from what its codes stand for, in shares of the
    training spots' mean. ``uns["mclstexp"]`` says how it was made, as a prediction's does.

    Raises
    ------
    InputError
        As `Predictor.predict`.
    """
    codes, distance = model.codes(tiles)
    found = laid_out(codes, tiles, sizes=[len(codes) for codes in levels_of(model.quantiser_)])
    found.obs[DISTANCE] = distance.astype(np.float32)
    said = {name: value for name, value in model._describe(tiles).items() if name != "space"}  # membership has no unit
    found.uns[keys.PROVENANCE] = {**said, "question": "states"}
    return found


def laid_out(codes: Codes, tiles: Tiles, *, sizes: Sequence[int]) -> ad.AnnData:
    """Lay codes out as a prediction is, so that whatever shows one shows them.

    Parameters
    ----------
    codes
        Of each tile, coarse to fine.
    tiles
        Where they are.
    sizes
        How many codes there are at each level.

    Returns
    -------
    AnnData (n_tiles, n_states): `X` is 1 where a tile is of a state of the first level; ``obs["state"]``,
    ``obs["state_2"]`` and so on name the codes (categorical: "3", "3.17"); ``obsm["tokens"]`` their numbers.
    """
    obs = pd.DataFrame({keys.SECTION: tiles.slide.id}, index=pd.Index(tiles.ids.astype(object)))
    for level in range(codes.shape[1]):
        paths, place = np.unique(codes[:, : level + 1], axis=0, return_inverse=True)
        names = [".".join(str(code + 1) for code in path) for path in paths]
        obs[STATE if level == 0 else f"{STATE}_{level + 1}"] = pd.Categorical.from_codes(place.ravel(), pd.Index(names))
    if tiles.array_xy is not None:
        obs[keys.ARRAY_COL], obs[keys.ARRAY_ROW] = tiles.array_xy.T
    var = pd.DataFrame(index=pd.Index([f"state {number + 1}" for number in range(sizes[0])], dtype=object))
    member = (codes[:, :1] == np.arange(sizes[0])).astype(np.float32)
    return ad.AnnData(member, obs=obs, var=var, obsm={keys.SPATIAL: np.array(tiles.xy), "tokens": codes})


def composition(codes: Codes, size: int) -> Float[np.ndarray, " size"]:
    """Return the share of each state of the first level: what a section is made of, comparable between sections."""
    return np.bincount(codes[:, 0], minlength=size) / max(len(codes), 1)


def _raw(section: Section, seen: FittedSight | None, space: ExpressionSpace | None) -> list[Float[np.ndarray, "n _"]]:
    looks = [] if seen is None else [seen.look(section.tiles).values]
    return looks + ([] if space is None else [space(section.counts)])


def _together(parts: Sequence[Float[np.ndarray, "n _"]], blocks: Sequence[Directions]) -> Float[np.ndarray, "n dim"]:
    return np.concatenate([block.apply(part) for block, part in zip(blocks, parts, strict=True)], axis=1)


def _of_unit_spread(directions: Directions, rows: Float[np.ndarray, "n _"]) -> Directions:
    spread = float(np.sqrt(directions.apply(rows).var(axis=0).sum())) or 1.0
    return Directions(directions.coef / spread, directions.intercept / spread)
