"""`DomainFinder`: what every method is that divides a section into regions, without being told any."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, Final, final

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool, Float, Int

from mclstexp._version import __version__
from mclstexp.core import identity, keys
from mclstexp.core.domain_number import stable_number
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.method import Method, options
from mclstexp.core.room import Room
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.core.tissue import Tissue, see

ROOM: Final[Room[DomainFinder]] = Room("mclstexp.domains", question="domains")
register = ROOM.register
Points = Float[np.ndarray, "n_spots dim"]
Groups = Int[np.ndarray, " n_spots"]
_KEPT: Final = (keys.ARRAY_COL, keys.ARRAY_ROW, keys.LABEL, keys.SECTION, keys.PATIENT)


class DomainFinder(Method):
    """A method that divides the spots of one section into domains; annotations are never shown to it.

    Subclasses are dataclasses whose fields are their options, `seed` among them: every option has a default and a
    sentence under it. They write `_embed` and `_cut` (and `_look` if they look at the image); the public methods check
    and are final. Nothing is kept between calls.
    """

    needs_places: ClassVar[bool] = False
    """Whether it looks at where spots lie."""
    counts_itself: ClassVar[bool] = False
    """Whether it settles on a number of domains by itself where none is given."""
    seed: int

    @property
    def looks(self) -> bool:
        """Whether it looks at the image."""
        return False

    @final
    def find(
        self,
        of: Section | AnnData,
        *,
        n_domains: int | None = None,
        features: Float[np.ndarray, "n_spots dim"] | None = None,
    ) -> AnnData:
        """Divide the spots of a section, or of a prediction, into domains; says aloud if it finds another number.

        Parameters
        ----------
        of
            A measured section; raw counts with places in ``obsm["spatial"]``; or a prediction. Spots without counts,
            and tiles without a prediction, get no domain.
        n_domains
            How many; by default found without labels (`stable_number`), or by the method itself.
        features
            (n_spots, dim) frozen features of the tiles, for methods that look; by default those of the section's image.

        Returns
        -------
        AnnData (n_spots, 0): ``obs["domain"]`` (categorical: "1" is the largest), what `of` says of where spots lie,
        ``obsm["embedding"]`` (where each spot lies for the method) and ``uns["mclstexp"]`` how it was made.

        Raises
        ------
        InputError
            If the number is less than 2 or more than there are spots, places or an image are wanted and not there, all
            places are one, or as `tissue.see`.
        RuntimeError
            If the method returned a wrong shape or a number that is not finite.
        """
        tissue, kept = self._tissue(of, features)
        _check_number(n_domains, len(tissue))
        if self.looks and tissue.features is None:  # what takes minutes comes after what can be refused at once
            tissue = replace(tissue, features=np.asarray(self.look(of), np.float64)[kept])
        points = self._embed(tissue)
        number = n_domains
        stability: dict[int, float] = {}
        if number is None and not self.counts_itself:
            number, stability = stable_number(
                points, lambda rows, n: self._cut(points[rows], tissue.take(rows), n), seed=self.seed
            )
        groups = self._cut(points, tissue, number)
        if len(points) != len(tissue) or not np.isfinite(points).all() or groups.shape != (len(tissue),):
            msg = f"{self.name} returned {points.shape} and {groups.shape} for {len(tissue)} spots, or no numbers"
            raise RuntimeError(msg)
        if number is not None and (n_found := len(np.unique(groups))) != number:
            text = f"{self.name} found {n_found} domains where {number} were asked for: spots differ too little, or too"
            warnings.warn(f"{text} finely", stacklevel=2)
        found = _answer(of, _named(groups, kept), points, kept=kept)
        found.uns[keys.PROVENANCE] = self._describe(
            tissue, given=n_domains is not None, n_domains=len(np.unique(groups)), stability=stability
        )
        return found

    @final
    def look(self, of: Section | AnnData) -> Float[np.ndarray, "n_spots dim"]:
        """Return frozen features of a section's tiles, as `find` takes them.

        Raises
        ------
        InputError
            If there is no image to look at.
        """
        if not isinstance(of, Section):
            msg = (
                f"a section with its image expected for {self.name}, found counts alone: give the image, or use a "
                "method that does not look, as kmeans or leiden"
            )
            raise InputError(msg)
        return self._look(of.tiles)

    def _tissue(
        self, of: Section | AnnData, features: Float[np.ndarray, "n_spots dim"] | None
    ) -> tuple[Tissue, Bool[np.ndarray, " n_spots"]]:
        """Take out of the section what this method may see, but for features that are not given."""
        tissue, kept = see(of, features=features if self.looks else None)
        if self.needs_places and tissue.xy is None:
            msg = f'places in obsm["{keys.SPATIAL}"] expected for {self.name}, found none: add them, or use kmeans'
            raise InputError(msg)
        if self.needs_places and tissue.xy is not None and not np.ptp(tissue.xy, axis=0).any():
            msg = f"spots at places of their own expected for {self.name}, found all at one: mend them, or use kmeans"
            raise InputError(msg)
        return tissue, kept

    def _describe(self, tissue: Tissue, *, given: bool, n_domains: int, stability: dict[int, float]) -> dict[str, Any]:
        return {
            "question": "domains",
            "method": self.name,
            "version": __version__,
            # h5ad keeps no None and no nested tuple: options travel as text
            "options": {name: repr(value) for name, value in options(self).items()},
            "numerics": self._numerics(),
            "tissue": identity.of("tissue", tissue.expression, tissue.xy, tissue.features),
            "n_spots": len(tissue),
            "n_domains": n_domains,
            "number": "given" if given else "by the method" if self.counts_itself else "by stability",
            "stability": {str(number): value for number, value in stability.items()},
        }

    def _look(self, tiles: Tiles) -> Float[np.ndarray, "n_spots dim"]:
        """Return frozen features of the tiles."""
        msg = f"{self.name} says that it looks at the image: write _look"
        raise NotImplementedError(msg)

    @abstractmethod
    def _embed(self, tissue: Tissue) -> Points:
        """Return where each spot lies, like beside like; all that may be looked at is in `tissue`."""

    @abstractmethod
    def _cut(self, points: Points, tissue: Tissue, n_domains: int | None) -> Groups:
        """Return each spot's group; the number is None only of a method that counts itself."""


def _check_number(n_domains: int | None, n_spots: int) -> None:
    if n_domains is None:
        return
    if isinstance(n_domains, bool) or not isinstance(n_domains, int | np.integer) or n_domains < 2:
        msg = f"{word('n_domains')} of 2 or more expected, found {n_domains}: leave it out to have it found"
        raise InputError(msg)
    if n_domains > n_spots:
        msg = (
            f"{word('n_domains')} of at most {n_spots}, the number of spots, expected, found {n_domains}: ask for fewer"
        )
        raise InputError(msg)


def _answer(
    of: Section | AnnData, domains: pd.Categorical, points: Points, *, kept: Bool[np.ndarray, " n_all"]
) -> AnnData:
    """Lay domains beside what the section says of its spots."""
    counts = of.counts if isinstance(of, Section) else of
    obs = counts.obs.loc[:, counts.obs.columns.isin(_KEPT)].copy()
    obs[keys.DOMAIN] = domains
    if isinstance(of, Section) or keys.SECTION not in obs:
        obs[keys.SECTION] = of.id if isinstance(of, Section) else "the section"
    found = ad.AnnData(obs=obs)
    if keys.SPATIAL in counts.obsm:
        found.obsm[keys.SPATIAL] = np.asarray(counts.obsm[keys.SPATIAL])
    everywhere = np.full((len(kept), points.shape[1]), np.nan, np.float32)
    everywhere[kept] = points
    found.obsm[keys.EMBEDDING] = everywhere
    return found


def _named(groups: Groups, kept: Bool[np.ndarray, " n_all"]) -> pd.Categorical:
    """Name domains by size, so that the same group is called the same in two runs."""
    kinds, of_spot, size = np.unique(groups, return_inverse=True, return_counts=True)
    rank = np.argsort(np.argsort(-size, kind="stable"))
    codes = np.zeros(len(kept), np.intp)
    codes[kept] = 1 + rank[of_spot]
    names = np.array([None, *(str(n + 1) for n in range(len(kinds)))], object)
    return pd.Categorical(names[codes], categories=names[1:])
