"""What correlation two unrelated maps reach by chance, if they are as smooth as these two.

Neighbouring spots are alike, so a section of 200 spots holds far fewer than 200 independent ones, and the usual p of a
correlation is wrong by orders of magnitude (Clifford et al. 1989). Here one map is replaced by random maps that keep
its spatial pattern at every scale. A section of more than `MOST_EXACT` spots has too many patterns for that: of its
maps the coarsest patterns are kept one by one, and what is left square by square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy import linalg
from scipy.spatial.distance import cdist

from mclstexp.analysis.coarse_patterns import coarse_patterns
from mclstexp.analysis.pairs import Pair
from mclstexp.core.depth import Patterns, beyond
from mclstexp.core.errors import InputError
from mclstexp.core.gene_blocks import blocks
from mclstexp.core.pearson import PerGene, Values, constant_prediction, constant_truth
from mclstexp.core.section import UNKNOWN

MOST_EXACT: Final = 5000
"""Spots of a section up to which all patterns are used."""
_NUMBERS = 2**23  # of a map's values held at once
Basis = Float[np.ndarray, "n_spots n_patterns"]
"""Orthonormal patterns over the spots of a section, from coarse to fine, none with a mean."""
_Parts = tuple[Float[np.ndarray, "n_patterns _"], Float[np.ndarray, "n_spots _"]]  # by pattern; by spot
_HARDLY = 1e-9
Unit = Literal["patient", "section"]
"""What is independent: all sections of a patient together (those of unknown patients as of one), or each section."""


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of one section, measured and predicted."""

    unit: str
    """Sections of one unit are not independent of each other."""
    xy_um: Float[np.ndarray, "n_spots 2"]
    """Where the spots lie."""
    truth: Values
    """(n_spots, n_maps) measured."""
    predicted: Values
    """(n_spots, n_maps) predicted."""
    names: tuple[str, ...]
    """Names of the maps: genes, gene sets."""
    given: Patterns | None = None
    """What all maps first lose."""


def maps_of(
    pair: Pair, truth: Values, predicted: Values, *, names: Sequence[str], unit: Unit, given: Patterns | None = None
) -> Maps:
    """Put maps over a pair's spots."""
    of = (pair.section.patient or UNKNOWN) if unit == "patient" else pair.id
    return Maps(of, pair.section.tiles.xy_um, truth, predicted, tuple(names), given)


def spatial_p(
    maps: Sequence[Maps], *, names: Sequence[str], n_permutations: int, seed: int = 0
) -> Float[np.ndarray, " n_names"]:
    """How often unrelated maps as smooth as these correlate so well: one-sided p of the mean correlation.

    The mean is taken over sections within a unit, then over units; each section has random maps of its own
    (`null_correlations`), the same for all names. Sections of one unit are averaged rank by rank (comonotone): of
    all ways in which they may hang together this one spreads their mean most, so that serial cuts of one tissue are
    not taken for independent evidence.

    Parameters
    ----------
    maps
        Of each section; a name may be missing from some.
    names
        What p is wanted of.
    n_permutations
        Random maps per section.
    seed
        Of the random maps.

    Returns
    -------
    (n_names,) at least 1 / (n_permutations + 1); 1 where the prediction is constant, NaN where the truth is constant
    on all sections.

    Raises
    ------
    InputError
        If there are fewer than 19 permutations.
    """
    if n_permutations < 19:
        msg = f"at least 19 permutations (for a p of 0.05) expected, found {n_permutations}: raise n_permutations"
        raise InputError(msg)
    units: dict[str, list[Maps]] = {}
    for of_section in maps:
        units.setdefault(of_section.unit, []).append(of_section)
    rng = np.random.default_rng(seed)
    # the row after the permutations holds what was observed
    total, n_units = np.zeros((n_permutations + 1, len(names))), np.zeros(len(names))
    for members in units.values():
        mean = _unit_mean(members, names, n_permutations=n_permutations, rng=rng)
        known = np.isfinite(mean[-1])
        total[:, known] += mean[:, known]
        n_units += known
    reached = (total[:-1] >= total[-1] - 1e-12).sum(axis=0)
    return np.where(n_units > 0, (1 + reached) / (n_permutations + 1), np.nan)


def _unit_mean(
    members: Sequence[Maps], names: Sequence[str], *, n_permutations: int, rng: np.random.Generator
) -> Float[np.ndarray, "n_rows n_names"]:
    """Average a unit's random correlations rank by rank, and in the last row the observed ones."""
    total, n_sections = np.zeros((n_permutations + 1, len(names))), np.zeros(len(names))
    for maps in members:
        if len(maps.xy_um) <= MOST_EXACT:
            basis, squares = moran_basis(maps.xy_um), None
        else:
            basis, squares = coarse_patterns(maps.xy_um)
        signs = draw_signs(rng, n_permutations=n_permutations, basis=basis, squares=squares)
        observed, null = null_correlations(
            maps.truth, maps.predicted, basis=basis, signs=signs, squares=squares, given=maps.given
        )
        known = ~constant_truth(maps.truth)
        at = pd.Index(names).get_indexer(pd.Index(maps.names))[known]
        total[:-1, at] += np.sort(null, axis=0)[:, known]
        total[-1, at] += observed[known]
        n_sections[at] += 1
    mean = total / np.where(n_sections > 0, n_sections, np.nan)
    mean[:-1] = mean[rng.permutation(n_permutations)]
    return mean


def moran_basis(xy_um: Float[np.ndarray, "n_spots 2"], *, given: Patterns | None = None) -> Basis:
    """Return Moran's eigenvector maps of a section (Dray et al. 2006): patterns of its spots by scale.

    They are the eigenvectors of the doubly centred matrix of spatial weights. Weights are the negated distances, as
    in the linear variogram: they need no length to be chosen. Weights of direct neighbours only, the more usual
    choice, describe maps badly that are smooth over the whole section: of unrelated ones up to a fifth came out
    below 0.05 where it was tried.

    Parameters
    ----------
    xy_um
        (n_spots, 2) positions on one section.
    given
        Orthonormal columns without means, of depth say, of which no pattern shall have anything.

    Returns
    -------
    (n_spots, n_spots - 1 - n_given), the coarsest first. Time grows with the cube of n_spots: 4 s for 2600 on one core.
    """
    n_spots = len(xy_um)
    near = -cdist(xy_um, xy_um)
    centred = near - near.mean(axis=0) - near.mean(axis=1, keepdims=True) + near.mean()
    # lifts every pattern above the constant one, which is then the last and is dropped, with those that are given
    lifted = centred + (np.abs(near).max() + 1) * (np.eye(n_spots) - 1 / n_spots)
    n_given = 0 if given is None else given.shape[1]
    if given is not None and n_given:
        lifted -= given @ (given.T @ lifted)
        lifted -= (lifted @ given) @ given.T
    return linalg.eigh(lifted, driver="evd", overwrite_a=True)[1][:, :n_given:-1]


def null_correlations(
    truth: Values,
    predicted: Values,
    *,
    basis: Basis,
    signs: Float[np.ndarray, "n_permutations n_parts"],
    squares: Int[np.ndarray, " n_spots"] | None = None,
    given: Patterns | None = None,
) -> tuple[PerGene, Float[np.ndarray, "n_permutations n_genes"]]:
    """Correlate truth and prediction, and truth and random maps that are as smooth as the prediction.

    Moran spectral randomisation (Wagner and Dray 2015, the singleton procedure): a map is a sum of the basis'
    patterns, and each one's sign is drawn anew. Mean, variance and Moran's I at every scale stay exactly what they
    were; where the peaks lie becomes chance. Of what a basis of too few patterns leaves, the sign is drawn for each
    square.

    Parameters
    ----------
    truth, predicted
        (n_spots, n_genes) in one expression space.
    basis
        Of `moran_basis`, or the coarsest patterns (`coarse_patterns`).
    signs
        -1 or 1, drawn at random; the same for all genes, which keeps what binds them. Of patterns, then of squares.
    squares
        (n_spots,) of `coarse_patterns`; None where the basis leaves nothing.
    given
        Orthonormal patterns without means, of depth say, that truth and prediction first lose: the correlation is then
        the partial one. The random maps are made of what the prediction keeps, and lose the patterns again, which they
        have come by with their new signs.

    Returns
    -------
    (n_genes,) correlations as `pearson_per_gene` gives them, but 0 where the truth is constant, and
    (n_permutations, n_genes) those with the random maps.
    """
    flat = constant_truth(truth) | constant_prediction(predicted)
    given = np.zeros((len(truth), 0)) if given is None else given
    observed, null = np.empty(len(flat)), np.empty((len(signs), len(flat)))
    for some in blocks(len(flat), len(truth), most=_NUMBERS):
        t, p = (
            _unit_maps(values[:, some], flat[some], basis, given, complete=squares is None)
            for values in (truth, predicted)
        )
        shared = _shared(t, p, basis, squares)
        kept = np.ones((len(signs), shared.shape[1]))
        for pattern in given.T:
            column = pattern[:, None]
            kept -= (signs @ _shared((basis.T @ column, column), p, basis, squares)) ** 2
        observed[some], null[:, some] = shared.sum(axis=0), signs @ shared / np.sqrt(np.maximum(kept, _HARDLY))
    return observed, null


def draw_signs(
    rng: np.random.Generator, *, n_permutations: int, basis: Basis, squares: Int[np.ndarray, " n_spots"] | None = None
) -> Float[np.ndarray, "n_permutations n_parts"]:
    """Draw the signs of `null_correlations`."""
    n_parts = basis.shape[1] + (0 if squares is None else int(squares.max()) + 1)
    return rng.choice([-1.0, 1.0], size=(n_permutations, n_parts))


def _unit_maps(values: Values, flat: np.ndarray, basis: Basis, given: Patterns, *, complete: bool) -> _Parts:
    """Scale maps to length 1, without what is given; zeros for genes that say nothing."""
    centred, left = beyond(values, given)
    flat = flat | ~left if given.shape[1] else flat
    share = basis.T @ centred
    share[:, flat], centred[:, flat] = 0, 0
    length = np.sqrt(((share if complete else centred) ** 2).sum(axis=0))
    length = np.where(length > 0, length, 1)
    return share / length, centred / length


def _shared(
    one: _Parts, two: _Parts, basis: Basis, squares: Int[np.ndarray, " n_spots"] | None
) -> Float[np.ndarray, "n_parts _"]:
    """Multiply maps part by part: pattern by pattern, and what patterns leave square by square."""
    shared = one[0] * two[0]
    if squares is None:
        return shared
    rest = (one[1] - basis @ one[0]) * (two[1] - basis @ two[0])
    return np.concatenate([shared, sums_over(rest, squares)])


def sums_over(
    values: Float[np.ndarray, "n_spots n"], squares: Int[np.ndarray, " n_spots"]
) -> Float[np.ndarray, "n_squares n"]:
    """Add up over each square of `coarse_patterns`."""
    return np.stack([np.bincount(squares, weights=column) for column in values.T], axis=1)
