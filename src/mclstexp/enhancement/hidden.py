"""How well places between spots are told: spots are hidden, from everything, and asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool
from numpy.typing import NDArray

from mclstexp.core.enhancer import DETECTED, MIN_SPOTS, Enhancer
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.fine_lattice import is_staggered
from mclstexp.core.measured import has_counts
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.evaluation.metrics import pcc, pcc_depth

Hide = Literal["between", "random", "areas"]
SHARE: Final = 0.25
"""Of the spots that "random" and "areas" hide in turn."""
_AREA: Final = 5
"""Spots along a side of an area."""


def hidden_spots(section: Section, *, hide: Hide, seed: int = 0) -> list[Bool[np.ndarray, " n_spots"]]:
    """Return which spots are hidden, one mask a turn.

    Parameters
    ----------
    section
        On an array.
    hide
        "between": all but every second row and column of the array, three of four spots, as published for enhancement;
        in four turns each spot is given once. "random": a quarter, drawn, in four turns. "areas": squares of five by
        five spots, in four turns, which interpolation between neighbours says little about.
    seed
        Of the draws.

    Raises
    ------
    InputError
        If the section is on no array, or `hide` is another word.
    """
    if hide not in get_args(Hide):
        msg = f"hide must be one of {', '.join(get_args(Hide))}, found {hide!r}"
        raise InputError(msg)
    rng = np.random.default_rng(seed)
    if hide == "random":
        return _turns(rng.permutation(len(section)) % round(1 / SHARE))
    if section.tiles.array_xy is None:
        msg = f"section {section.id}: array coordinates expected to hide spots {hide}, found none: hide random ones"
        raise InputError(msg)
    column, row = np.rint(section.tiles.array_xy - section.tiles.array_xy.min(axis=0)).astype(int).T
    if is_staggered(section.tiles.array_xy):  # columns are two apart within a row
        column = column // 2
    if hide == "between":
        return [~turn for turn in _turns(2 * (row % 2) + column % 2)]
    _, area = np.unique(row // _AREA * 10_000 + column // _AREA, return_inverse=True)
    return _turns(rng.permutation(area.max() + 1)[area] % round(1 / SHARE))


def _turns(turn: NDArray[np.intp]) -> list[Bool[np.ndarray, " n"]]:
    return [turn == number for number in np.unique(turn)]


def score_hidden(
    section: Section,
    methods: Mapping[str, Enhancer],
    *,
    hide: Hide = "between",
    genes: Sequence[str] | None = None,
    turns: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Score methods on spots that took part in nothing: neither in the choice of genes nor in what is learnt.

    Parameters
    ----------
    section
        A measured section.
    methods
        By label.
    hide, seed
        See `hidden_spots`.
    genes
        Which are scored; by default those that a tenth of the given spots have counts of.
    turns
        How many of the turns are taken; all by default.

    Returns
    -------
    A row for each method, turn and gene: ``method``, ``turn``, ``gene``, ``pcc``, ``pcc_depth``; over hidden spots
    with counts alone, log scale.

    Raises
    ------
    InputError
        As `hidden_spots` and `Enhancer.enhance`; if a turn gives, or hides, too few spots.
    """
    rows = []
    for turn, hidden in enumerate(hidden_spots(section, hide=hide, seed=seed)[:turns]):
        given = section.take(~hidden)
        require_enough(section, hidden)
        chosen = tuple(genes) if genes is not None else _often(given)
        space = ExpressionSpace(chosen)
        asked = section.take(hidden & has_counts(section, space=space))
        truth, depth = space(asked.counts), np.asarray(asked.counts.X.sum(axis=1)).ravel().astype(float)
        for label, method in methods.items():
            said = ask_hidden(method, given, asked.tiles, genes=chosen).X
            scores = {"pcc": pcc(truth, said), "pcc_depth": pcc_depth(truth, said, depth=depth)}
            rows.append(pd.DataFrame({"method": label, "turn": turn, "gene": chosen, **scores}))
    return pd.concat(rows, ignore_index=True)


def _often(given: Section) -> tuple[str, ...]:
    often = np.diff(given.counts.X.tocsc().indptr) > DETECTED * len(given)
    return tuple(map(str, given.counts.var_names[often]))


def require_enough(section: Section, hidden: Bool[np.ndarray, " n_spots"]) -> None:
    """Refuse a turn in which too few spots are given, or hidden.

    Raises
    ------
    InputError
        If there are fewer than ten.
    """
    fewest = int(min(hidden.sum(), (~hidden).sum()))
    if fewest < MIN_SPOTS:
        msg = (
            f"section {section.id}: at least {MIN_SPOTS} spots given and {MIN_SPOTS} hidden in each turn expected, "
            f"found {fewest}: hide otherwise, or give a larger section"
        )
        raise InputError(msg)


def ask_hidden(method: Enhancer, given: Section, asked: Tiles, *, genes: Sequence[str]) -> AnnData:
    """Have a method say what is expressed at hidden spots: it is told where they lie, and nothing else of them.

    The given section holds these genes alone, so that shares are of their counts, as those of the truth are.
    """
    places = Tiles(slide=asked.slide, xy=asked.xy, ids=asked.ids, spec=asked.spec)
    scored = replace(given, counts=given.counts[:, list(genes)].copy())
    return method.enhance(scored, places=places, genes=genes)
