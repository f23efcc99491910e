"""Spatial domains in what was measured and in what was predicted, by any method of the room `domains`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.analysis.pairs import Pair, Which, values_of
from mclstexp.core import keys
from mclstexp.core.domain_finder import DomainFinder
from mclstexp.core.errors import InputError
from mclstexp.core.tissue import MOST_GENES
from mclstexp.domains import create_domain_finder
from mclstexp.domains.agreement import UNLABELLED, agree, annotated

__all__ = ["UNLABELLED", "compare_domains", "find_domains", "labels_of"]

PAPER = "paper"
"""What the authors of mclSTExp do: k-means, with as many groups as there are labels."""


def find_domains(
    of: Pair | AnnData,
    *,
    which: Which = "predicted",
    way: str = "leiden",
    n_domains: int | None = None,
    resolution: float = 1.0,
    share_of_space: float = 0.2,
    seed: int = 0,
) -> pd.Categorical:
    """Group the spots of a section, or the tiles of a predicted slide, into domains.

    "paper" is what the mclSTExp authors' notebook does: nine principal components and k-means, with as many groups
    as the labels have; spots that the labels leave out are left out before. Who has no labels has no k, and k tells
    the method part of the answer. The other ways are the methods of the room `domains`, which see no label: "leiden"
    settles on a number itself, the others find it by stability where none is given.

    Parameters
    ----------
    of
        A section measured and predicted, or a prediction alone.
    which
        What is grouped; a prediction alone has no truth.
    way
        How: "paper", or a name of `domains.list_domain_finders`; "leiden" needs the extra ``analysis``.
    n_domains
        How many; by default of "paper" as many as the section has labels.
    resolution
        Of "leiden": more gives more domains.
    share_of_space
        Of "leiden": weight of the tissue's graph, from 0 (expression alone) to 1.
    seed
        Start of the random numbers.

    Returns
    -------
    One domain per spot, "1" for the largest, "2" for the next; missing where a spot was left out or a tile has no
    prediction.

    Raises
    ------
    InputError
        If the truth of a prediction alone is asked for, "paper" neither has labels nor is told a number, the way is not
        known, it looks and there is no image, or as `DomainFinder.find`.
    """
    shown = _shown(of, which)
    asked = np.ones(shown.n_obs, bool)
    if way == PAPER:
        labels = labels_of(of) if isinstance(of, Pair) else None
        if labels is not None:
            asked = labels.notna().to_numpy()
        n_asked = int(np.isfinite(shown.X[asked]).all(axis=1).sum())
        if n_domains is None:
            n_domains = 0 if labels is None else labels.nunique()
        if not 2 <= n_domains <= n_asked:
            msg = (
                f"the number of domains (2 to {n_asked}) or a section with labels expected, found {n_domains}: "
                "name n_domains, or use the way leiden"
            )
            raise InputError(msg)
    finder = _finder(way, resolution=resolution, share_of_space=share_of_space, seed=seed)
    features = finder.look(of.section if isinstance(of, Pair) else of)[asked] if finder.looks else None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* get no domain")  # they are missing in the answer
        found = finder.find(shown[asked].copy(), n_domains=n_domains, features=features).obs[keys.DOMAIN]
    codes = np.full(len(asked), -1)
    codes[asked] = found.cat.codes
    names = np.array([None, *found.cat.categories], object)
    return pd.Categorical(names[codes + 1], categories=names[1:])


def compare_domains(
    pair: Pair,
    *,
    way: str = "leiden",
    n_domains: int | None = None,
    resolution: float = 1.0,
    share_of_space: float = 0.2,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how domains of truth and prediction agree with the labels and with each other.

    Parameters
    ----------
    pair
        A section, measured and predicted.
    way, n_domains, resolution, share_of_space, seed
        As in `find_domains`.

    Returns
    -------
    One row per comparison: "section", "way", "of" ("truth" or "predicted"), "against" ("labels" or "truth"), and the
    numbers of `domains.agreement.agree`. Rows against labels only where the section has them; what "truth" reaches
    there is what expression can tell of them this way.

    Raises
    ------
    InputError
        As `find_domains`.
    """
    ways: dict[str, Any] = {"way": way, "n_domains": n_domains, "seed": seed}
    ways |= {"resolution": resolution, "share_of_space": share_of_space}
    truth, predicted = find_domains(pair, which="truth", **ways), find_domains(pair, which="predicted", **ways)
    comparisons = [("predicted", "truth", predicted, truth)]
    labels = labels_of(pair)
    if labels is not None:
        given = pd.Categorical(labels)
        comparisons = [("truth", "labels", truth, given), ("predicted", "labels", predicted, given), *comparisons]
    rows = [
        {"section": pair.id, "way": way, "of": of, "against": against, **agree(a, b)}
        for of, against, a, b in comparisons
    ]
    return pd.DataFrame(rows)


def labels_of(pair: Pair) -> pd.Series | None:
    """Return what a pathologist or anatomist called each spot, NaN where undetermined, or None without labels."""
    return annotated(pair.section.counts)


def _finder(way: str, *, resolution: float, share_of_space: float, seed: int) -> DomainFinder:
    """Make a method, which looks at all genes of the panel."""
    if way == "leiden":
        return create_domain_finder(
            way, resolution=resolution, share_of_space=share_of_space, seed=seed, n_genes=MOST_GENES
        )
    if way in (PAPER, "kmeans"):
        return create_domain_finder("kmeans", seed=seed, n_genes=MOST_GENES)
    return create_domain_finder(way, seed=seed)


def _shown(of: Pair | AnnData, which: Which) -> AnnData:
    """Lay expression and places side by side, as a prediction has them."""
    values = np.asarray(values_of(of, which), np.float32)
    if isinstance(of, Pair):
        places, names = of.section.tiles.xy_um, list(of.section.tiles.ids)
    else:  # neighbours are the same in any unit
        places, names = np.asarray(of.obsm[keys.SPATIAL], np.float64), list(of.obs_names)
    shown = AnnData(values, obsm={keys.SPATIAL: places})
    shown.obs_names = names
    shown.uns[keys.PROVENANCE] = {"space": {}}
    return shown
