"""From expression to features: the spots whose expression is as asked say what their tissue looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float, Int

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.generator import Generator
from mclstexp.core.measured import learnable
from mclstexp.core.options import suggest
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section

N_NEAR: Final = 10
"""Spots that are asked what tissue of an expression looks like."""
LEAST_TOLD: Final = 0.05
"""Share of features' variance that expression must tell of tissue that was left out; below, a picture would be made
up."""
_MOST_NEAR: Final = 50
_LEAST_SPREAD: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Profiles:
    """Expression and features of the same spots."""

    genes: tuple[str, ...]
    """Columns of `expression`."""
    expression: Float[np.ndarray, "n_spots n_genes"]
    """Measured or predicted, on a log scale."""
    features: Float[np.ndarray, "n_spots n_features"]
    """Of the tiles, as the generator takes them."""
    section: Int[np.ndarray, " n_spots"]
    """Number of the section each lies on."""
    spot: Int[np.ndarray, " n_spots"]
    """Its number there."""
    sections: tuple[Section, ...]
    """With the spots that are counted."""
    owner: tuple[str, ...]
    """Of each section: its individual, or itself where not even two individuals are known."""

    @classmethod
    def of(cls, sections: Sequence[Section], generator: Generator, *, model: Predictor | None = None) -> Self:
        """Take spots of sections.

        Parameters
        ----------
        sections
            Whose spots are asked; those of the generator's training, or others.
        generator
            Fitted; it says which features.
        model
            Its predictions at the spots take the place of what was measured: what comes out is what the model thinks.
        """
        sections = learnable(list(sections))
        if model is None:
            space = ExpressionSpace.fit(sections)
            genes, parts = space.genes, [space(section.counts) for section in sections]
        else:
            genes = model.genes_
            parts = [np.asarray(model.predict(one.tiles.with_spec(model.spec_)).X) for one in sections]
        patients = {section.patient for section in sections}
        by_patient = None not in patients and len(patients) > 1
        return cls(
            tuple(genes),
            np.concatenate(parts).astype(np.float64),
            np.concatenate([generator.look(section.tiles) for section in sections]),
            np.concatenate([np.full(len(section), number) for number, section in enumerate(sections)]),
            np.concatenate([np.arange(len(section)) for section in sections]),
            tuple(sections),
            tuple(str(section.patient) if by_patient else section.id for section in sections),
        )

    def like(self, profile: Float[np.ndarray, " n_genes"], *, n: int = N_NEAR) -> Int[np.ndarray, " n"]:
        """Return the spots whose expression goes along best with a profile, over genes, as z-scores among spots.

        Parameters
        ----------
        profile
            Of `genes`, on the scale of `expression`.
        n
            How many.
        """
        profile = np.asarray(profile, np.float64)
        if profile.shape != (len(self.genes),) or not np.isfinite(profile).all():
            msg = (
                f"a profile of {len(self.genes)} finite numbers expected, found {profile.shape}: give one for each gene"
            )
            raise InputError(msg)
        centre, spread = self.expression.mean(axis=0), self._spread
        return np.argsort(-_correlation((profile - centre) / spread, self._scores), kind="stable")[:n]

    def at(self, gene: str, quantile: float, *, n: int = N_NEAR) -> Int[np.ndarray, " n"]:
        """Return the spots about a quantile of a gene, by all genes that go along with it.

        A single gene's count at a spot is mostly noise. The regression of every gene on this one says how far along the
        gene's own programme a spot lies; spots about that quantile of it are taken.

        Parameters
        ----------
        gene
            Of `genes`.
        quantile
            0.05: where it is low; 0.95: where it is high.
        n
            How many.

        Raises
        ------
        InputError
            If the gene is not known or never varies, or the quantile is none.
        """
        if gene not in self.genes:
            msg = f"one of {len(self.genes)} genes expected, found {gene!r}: {suggest(gene, self.genes)}"
            raise InputError(msg)
        if not 0 <= quantile <= 1:
            msg = f"a quantile from 0 to 1 expected, found {quantile}"
            raise InputError(msg)
        own = self._scores[:, self.genes.index(gene)]
        if not own.any():
            msg = f"a gene that varies over the spots expected, found {gene!r}, which does not: name another"
            raise InputError(msg)
        programme = self._scores @ (own @ self._scores / len(own))
        rank = np.argsort(np.argsort(programme, kind="stable"))
        return np.argsort(np.abs(rank - quantile * (len(rank) - 1)), kind="stable")[:n]

    def told(self) -> float:
        """Return how much of features' variance (R²) expression tells of individuals, or sections, that are left out.

        Each spot's features are guessed as the mean of those of the spots most like it on the others (an eighth of
        them, 10 to 50: a mean of few is mostly their own noise), and compared with the mean of the others. With one
        individual it is of sections, and flatters.
        """
        owner, lost, all_of_it = np.array(self.owner)[self.section], 0.0, 0.0
        if len(set(self.owner)) < 2:
            return float("nan")
        scale = np.maximum(self.features.std(axis=0), _LEAST_SPREAD)
        for one in dict.fromkeys(self.owner):
            held, rest = owner == one, owner != one
            centre, spread = self.expression[rest].mean(axis=0), _spread_of(self.expression[rest])
            known, asked = ((self.expression[part] - centre) / spread for part in (rest, held))
            n_near = min(max(N_NEAR, int(rest.sum()) // 8), _MOST_NEAR)
            for row, features in zip(asked, self.features[held], strict=True):
                near = np.argsort(-_correlation(row, known), kind="stable")[:n_near]
                lost += float((((features - self.features[rest][near].mean(axis=0)) / scale) ** 2).sum())
            all_of_it += float((((self.features[held] - self.features[rest].mean(axis=0)) / scale) ** 2).sum())
        return 1 - lost / all_of_it

    def require_told(self) -> float:
        """Return `told`, and refuse where expression says next to nothing of what tissue looks like.

        Raises
        ------
        InputError
            If it is below 0.05, or there is nothing to leave out.
        """
        told = self.told()
        if not told >= LEAST_TOLD:
            found = "one section alone" if np.isnan(told) else f"R² = {told:.2f} on what was left out"
            msg = (
                f"expression that tells of the tissue's look (R² of {LEAST_TOLD} of features, left out) expected, "
                f"found {found}: a picture would be made up; give more sections, or paint measured tiles' features"
            )
            raise InputError(msg)
        return told

    @property
    def _spread(self) -> Float[np.ndarray, " n_genes"]:
        return _spread_of(self.expression)

    @property
    def _scores(self) -> Float[np.ndarray, "n_spots n_genes"]:
        return (self.expression - self.expression.mean(axis=0)) / self._spread


def _spread_of(expression: np.ndarray) -> np.ndarray:
    spread = expression.std(axis=0)
    return np.where(spread > _LEAST_SPREAD, spread, 1)


def _correlation(profile: np.ndarray, rows: np.ndarray) -> np.ndarray:
    profile, rows = profile - profile.mean(), rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(profile) * np.linalg.norm(rows, axis=1)
    return rows @ profile / np.maximum(lengths, _LEAST_SPREAD)
