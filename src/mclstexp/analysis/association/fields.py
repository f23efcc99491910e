"""The nulls of spots: one map of a section is made anew, as smooth as it was, and knows nothing of the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import fft

from mclstexp.analysis.association.linear import Columns, unit_residuals
from mclstexp.analysis.coarse_patterns import coarse_patterns
from mclstexp.analysis.spatial_null import MOST_EXACT, draw_signs, moran_basis, sums_over
from mclstexp.core.depth import Patterns
from mclstexp.core.errors import InputError

OVERLAP = 0.6
"""Share of the spots on which a shifted map must lie on the other for the shift to count."""


@dataclass(frozen=True, eq=False)
class Field:
    """Maps over the spots of one section."""

    section: str
    unit: str
    """Whom the section comes from: sections of one unit are not independent of each other."""
    xy_um: Float[np.ndarray, "n_spots 2"]
    traits: Columns
    markers: Columns
    given: Columns | None = None
    """Covariates that all maps first lose."""
    array_xy: Float[np.ndarray, "n_spots 2"] | None = None

    @cached_property
    def unit_maps(self) -> tuple[Columns, Columns]:
        """Traits and markers without the covariates, at length 1; zeros of what is constant."""
        return tuple(np.nan_to_num(unit_residuals(v, self.given)) for v in (self.traits, self.markers))

    @cached_property
    def observed(self) -> Float[np.ndarray, "n_traits n_markers"]:
        """Correlations; NaN where a map is constant."""
        traits, markers = self.unit_maps
        says = np.outer(traits.any(axis=0), markers.any(axis=0))
        return np.where(says, np.clip(traits.T @ markers, -1, 1), np.nan)

    @property
    def known(self) -> Patterns:
        """Orthonormal columns that span the covariates without their means."""
        if self.given is None:
            return np.zeros((len(self.xy_um), 0))
        centred = self.given - self.given.mean(axis=0)
        left, size, _ = np.linalg.svd(centred / np.maximum(centred.std(axis=0), 1e-12), full_matrices=False)
        return left[:, size > 1e-9 * max(size.max(initial=0), 1)]


class FieldNull(ABC):
    """Correlations of one section's traits with its markers when they have nothing to do with each other."""

    @abstractmethod
    def __init__(self, field: Field, *, n_draws: int, rng: np.random.Generator) -> None: ...

    @abstractmethod
    def drawn(self, trait: int) -> Float[np.ndarray, "n_draws n_markers"]:
        """Return correlations of random maps like this trait with every marker."""

    def spread(self, trait: int) -> Float[np.ndarray, " n_markers"] | None:  # noqa: ARG002  for those that know it
        """Return the standard deviation of `drawn` where its tails fall as fast as a normal one's; else None."""
        return None


class MoranNull(FieldNull):
    """Moran spectral randomisation (Wagner and Dray 2015): each pattern of a map keeps its size and draws its sign.

    The patterns are those that covariates leave (`moran_basis`), so that random maps have none of these either. Of what
    a large section's coarse patterns leave, the sign is drawn for each square (`coarse_patterns`).

    Parameters
    ----------
    field
        The section.
    n_draws, rng
        Random maps of each trait; signs are the same for all.
    """

    def __init__(self, field: Field, *, n_draws: int, rng: np.random.Generator) -> None:
        if len(field.xy_um) <= MOST_EXACT:
            basis, squares = moran_basis(field.xy_um, given=field.known), None
        else:
            basis, squares = coarse_patterns(field.xy_um)
            basis = np.linalg.qr(basis - field.known @ (field.known.T @ basis))[0]
        self._signs = draw_signs(rng, n_permutations=n_draws, basis=basis, squares=squares)
        self._traits, self._markers = (basis.T @ maps for maps in field.unit_maps)
        self._squares = squares
        if squares is not None:
            parts = (self._traits, self._markers)
            self._rest = [maps - basis @ part for maps, part in zip(field.unit_maps, parts, strict=True)]

    def drawn(self, trait: int) -> Float[np.ndarray, "n_draws n_markers"]:
        """See `FieldNull.drawn`."""
        return self._signs @ self._shared(trait)

    def spread(self, trait: int) -> Float[np.ndarray, " n_markers"]:
        """See `FieldNull.spread`: a sum of fixed numbers with random signs (Hoeffding 1963)."""
        return np.linalg.norm(self._shared(trait), axis=0)

    def _shared(self, trait: int) -> Float[np.ndarray, "n_parts n_markers"]:
        shared = self._traits[:, trait, None] * self._markers
        if self._squares is None:
            return shared
        rest = self._rest[0][:, trait, None] * self._rest[1]
        return np.concatenate([shared, sums_over(rest, self._squares)])


class ShiftNull(FieldNull):
    """Toroidal shifts: a map is moved over the array and wraps round, by steps that lay spots on spots.

    Of all shifts under which at least `OVERLAP` of the spots lie on each other some are drawn. All are computed at
    once, as products of Fourier transforms. Maps that wander over the whole section make a seam where they wrap.

    Parameters
    ----------
    field
        The section, with the columns and rows of its array.
    n_draws, rng
        Shifts; the same for all traits and markers.

    Raises
    ------
    InputError
        If columns and rows are not known, or two spots share them.
    """

    def __init__(self, field: Field, *, n_draws: int, rng: np.random.Generator) -> None:
        at = None if field.array_xy is None else np.rint(field.array_xy).astype(int)
        if at is None or len(np.unique(at, axis=0)) < len(at):
            msg = (
                f"section {field.section}: a column and row of the array of its own for each spot expected for "
                "shifts, found none: take the null moran"
            )
            raise InputError(msg)
        self._at = at - at.min(axis=0)
        # an even torus keeps the stagger of a hexagonal array where it wraps
        self._size = tuple(int(n) + int(n) % 2 for n in self._at.max(axis=0) + 1)
        self._traits, self._markers = field.unit_maps
        self._mask = self._transformed(np.ones((len(at), 1)))
        overlap = np.rint(self._crossed(self._mask, self._mask)[..., 0])
        allowed = np.flatnonzero(overlap.ravel() >= OVERLAP * len(at))
        allowed = allowed[allowed > 0]  # not moved at all is no draw
        if len(allowed) < 19:
            msg = f"section {field.section}: 19 shifts or more expected, found {len(allowed)}: take the null moran"
            raise InputError(msg)
        self._drawn = rng.choice(allowed, size=n_draws)
        self._n = overlap.ravel()[self._drawn, None]
        self._of_markers = [self._transformed(self._markers**power) for power in (1, 2)]
        self._sums = [self._take(self._crossed(values, self._mask)) for values in self._of_markers]

    def drawn(self, trait: int) -> Float[np.ndarray, "n_draws n_markers"]:
        """See `FieldNull.drawn`."""
        moved = [self._transformed(self._traits[:, [trait]] ** power) for power in (1, 2)]
        y, yy = (self._take(self._crossed(self._mask, values)) for values in moved)
        (x, xx), n = self._sums, self._n
        xy = self._take(self._crossed(self._of_markers[0], moved[0]))
        size = np.maximum((n * xx - x**2) * (n * yy - y**2), 0)
        return np.divide(n * xy - x * y, np.sqrt(size), out=np.zeros_like(xy), where=size > 1e-18)

    def _transformed(self, values: Columns) -> np.ndarray:
        laid = np.zeros((*self._size, values.shape[1]))
        laid[self._at[:, 0], self._at[:, 1]] = values
        return fft.rfft2(laid, axes=(0, 1))

    def _crossed(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Multiply one map with another that is moved by each shift, summed over spots."""
        return fft.irfft2(one * other.conj(), s=self._size, axes=(0, 1))

    def _take(self, of_shifts: np.ndarray) -> np.ndarray:
        return of_shifts.reshape(-1, of_shifts.shape[-1])[self._drawn]
