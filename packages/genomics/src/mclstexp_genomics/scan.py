"""Association of markers with traits over the people of a cohort, covariates taken out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from mclstexp.core.errors import InputError

Residualise = Literal["both", "traits"]
BOTH: Final = "both"
Values = Float[np.ndarray, "n_people _"]


@dataclass(frozen=True, eq=False)
class Scan:
    """What was found of each marker and trait."""

    r: Float[np.ndarray, "n_markers n_traits"]
    """Correlation, covariates taken out; NaN of a marker that does not vary."""
    beta: Float[np.ndarray, "n_markers n_traits"]
    """What an allele adds to the trait, in its unit."""
    t: Float[np.ndarray, "n_markers n_traits"]
    """Student's t of it."""
    p: Float[np.ndarray, "n_markers n_traits"]
    """Two-sided."""
    freedom: int
    """Degrees of freedom."""

    @classmethod
    def joined(cls, parts: Sequence[Scan]) -> Scan:
        """Return the scans of blocks of markers as one."""
        r, beta, t, p = (np.concatenate([getattr(part, name) for part in parts]) for name in ("r", "beta", "t", "p"))
        return cls(r, beta, t, p, parts[0].freedom)


class Scanner:
    """Traits and covariates, made ready for any number of markers.

    With both sides residualised, r is the partial correlation, and t and p are those of linear regression of the trait
    on marker and covariates. TorchGWAS residualises traits only and takes n - 2 degrees of freedom: with covariates its
    p are then off in either direction; ``residualise="traits"`` does the same.

    Parameters
    ----------
    traits
        (n_people, n_traits), finite.
    covariates
        (n_people, n_covariates), finite; none by default. A constant is always among them.
    residualise
        Which side covariates are taken out of.
    people, learnt_from
        Names of the people, and of those from whom the traits were learnt, where they are outputs of a model: on its
        own training people any trait is associated with what it was trained on.

    Raises
    ------
    InputError
        If a number is not finite, there are too few people, a trait does not vary, or a person is among those that the
        traits were learnt from.
    """

    def __init__(
        self,
        traits: Values,
        covariates: Values | None = None,
        *,
        residualise: Residualise = "both",
        people: Sequence[str] = (),
        learnt_from: Collection[str] = (),
    ) -> None:
        if seen := sorted(set(people) & set(learnt_from)):
            msg = (
                f"people expected from whom no trait was learnt, found {seen[0]} and {len(seen) - 1} more: test on "
                "others"
            )
            raise InputError(msg)
        n = len(traits)
        given = np.empty((n, 0)) if covariates is None else np.asarray(covariates, np.float64)
        if not (np.isfinite(traits).all() and np.isfinite(given).all()):
            msg = "finite traits and covariates expected, found missing ones: leave those people out"
            raise InputError(msg)
        known = np.column_stack([np.ones(n), given])
        self._basis = _orthonormal(known)
        self.both = residualise == BOTH
        self.freedom = n - 1 - (self._basis.shape[1] if self.both else 1)
        if self.freedom < 1:
            msg = f"more people than covariates and a marker expected, found {n}: leave covariates out"
            raise InputError(msg)
        spread = np.std(traits, axis=0)
        self.traits = self.without(np.asarray(traits, np.float64))
        rounding = 1e-9 * spread + 1e-14 * np.abs(traits).max(axis=0, initial=0)
        if (np.linalg.norm(self.traits, axis=0) <= np.sqrt(n) * rounding).any():
            msg = "traits that vary beyond their covariates expected, found one that does not: leave it out"
            raise InputError(msg)

    def without(self, values: Values) -> Values:
        """Return what covariates do not explain."""
        return values - self._basis @ (self._basis.T @ values)

    def __call__(self, genotypes: Values) -> Scan:
        """Test every marker against every trait.

        Parameters
        ----------
        genotypes
            (n_people, n_markers) counts of an allele; NaN where there is no call, taken as the mean of the others.
        """
        return self._test(*self._ready(genotypes), self.traits)

    def permuted(self, genotypes: Values, *, n: int, seed: int = 0) -> Iterator[Scan]:
        """Yield scans in which people are exchanged, all traits of one together, so that nothing can be associated.

        What covariates leave of the traits is permuted, and covariates are taken out again (Freedman and Lane 1983).
        """
        rng = np.random.default_rng(seed)
        known, length = self._ready(genotypes)
        for _ in range(n):
            yield self._test(known, length, self.without(self.traits[rng.permutation(len(self.traits))]))

    def _ready(self, genotypes: Values) -> tuple[Values, Float[np.ndarray, " _"]]:
        """Return what is tested of the markers, and how long each is; NaN of one that does not vary."""
        markers = filled(genotypes)
        known = self.without(markers) if self.both else markers - markers.mean(axis=0)
        length = np.linalg.norm(known, axis=0)
        constant = length <= 1e-9 * np.sqrt(len(markers)) * np.maximum(np.abs(markers).max(axis=0, initial=0), 1)
        return known, np.where(constant, np.nan, length)

    def _test(self, known: Values, length: Float[np.ndarray, " _"], traits: Values) -> Scan:
        with np.errstate(divide="ignore", invalid="ignore"):
            product = known.T @ traits
            r = np.clip(product / length[:, None] / np.linalg.norm(traits, axis=0), -1, 1)
            t = r * np.sqrt(self.freedom / (1 - r**2))
            beta = product / (length**2)[:, None]
        return Scan(r, beta, t, 2 * stats.t.sf(np.abs(t), self.freedom), self.freedom)

    def joint(self, scan: Scan) -> Float[np.ndarray, " n_markers"]:
        """Return p of each marker for all traits at once: t' R⁻¹ t against χ², R the traits' correlation."""
        d = scan.t.shape[1]
        correlation = np.atleast_2d(np.corrcoef(self.traits.T)) + 1e-6 * np.eye(d)
        statistic = np.einsum("md,de,me->m", scan.t, np.linalg.inv(correlation), scan.t)
        return stats.chi2.sf(statistic, d)


def filled(genotypes: Values) -> Values:
    """Return genotypes as float64, a missing call the mean of its marker's others (0 where there is none)."""
    calls = np.asarray(genotypes, np.float64)
    known: Bool[np.ndarray, "n_people _"] = np.isfinite(calls)
    mean = np.where(known, calls, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, calls, mean)


def _orthonormal(columns: Values) -> Values:
    """Return a basis of the columns' span, those that say the same as others left out."""
    scaled = columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-300)
    left, values, _ = np.linalg.svd(scaled, full_matrices=False)
    return left[:, values > 1e-10 * values.max(initial=0)]


def principal_components(blocks: Iterator[tuple[Any, Values]], n: int) -> Values:
    """Return the first principal components of genotypes, which tell ancestry and kinship, to be taken as covariates.

    Parameters
    ----------
    blocks
        Markers block by block, as `Plink.blocks` yields them; standardised as (g - 2p) / √(2p (1 - p)).
    n
        How many.
    """
    kinship: Any = 0.0
    for _, block in blocks:
        calls = filled(block)
        share = calls.mean(axis=0) / 2
        varied = (share > 0) & (share < 1)
        scaled = (calls[:, varied] - 2 * share[varied]) / np.sqrt(2 * share[varied] * (1 - share[varied]))
        kinship = kinship + scaled @ scaled.T
    _, vectors = np.linalg.eigh(kinship)
    return vectors[:, ::-1][:, :n]
