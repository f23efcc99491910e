"""How good domains are: held against labels that no method saw, from several seeds, beside shuffled controls."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import adjusted_rand_score

from mclstexp.core import keys
from mclstexp.core.domain_finder import DomainFinder
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.domains.agreement import agree, annotated, clean_labels
from mclstexp.domains.near import neighbours

OnEvent = Callable[[str, str, str], None]
METRICS: Final = ("ari", "nmi", "homogeneity", "stability", "coherence")
"""Scores of a division; all rise with how near it is, but coherence, which is no merit of its own."""
SEEN: Final = ("as it is", "image shuffled", "places shuffled")
"""What a method was shown: everything in its place, or spots with the looks, or at the places, of others."""


def judge_domains(
    of: Section | AnnData,
    methods: Mapping[str, DomainFinder],
    *,
    labels: ArrayLike | None = None,
    n_domains: int | None = None,
    seeds: int = 5,
    controls: bool = True,
    on_event: OnEvent | None = None,
) -> pd.DataFrame:
    """Divide a section by each method from several seeds, and compare with labels.

    Every method is told the same number of domains, and no label. The controls are a method itself, shown the section
    with the image features, or the places, of its spots shuffled: what it gains from them is what it loses there.

    Parameters
    ----------
    of
        See `DomainFinder.find`.
    methods
        Methods by the name they have in the table.
    labels
        (n_spots,) what a person called each spot; by default ``obs["label"]``. Spots without one are divided as the
        others are, and not scored.
    n_domains
        How many domains are asked for; as many as there are labels by default.
    seeds
        How many times each method is run, from the method's own seed on.
    controls
        Whether the shuffled controls are run.
    on_event
        Called with (method, what was seen and seed, "of N" | "begun" | "done").

    Returns
    -------
    One row a method, what it was shown and seed: "method", "seen" (of `SEEN`), "seed", "n_domains", "n_spots" (scored),
    `METRICS` ("stability": mean adjusted Rand index with the other seeds' divisions; "coherence": share of neighbours
    in one domain), "seconds" (without the image's features).

    Raises
    ------
    InputError
        If there are no labels of two kinds or not one for each spot, or as `DomainFinder.find`.
    """
    tell = on_event or (lambda *_: None)
    given = labels_to_meet(of, labels)
    number = given.categories.size if n_domains is None else n_domains
    runs = [(name, method, seen) for name, method in methods.items() for seen in shown_to(method, controls=controls)]
    tell("", "", f"of {len(runs) * seeds}")
    tables = []
    for name, method, seen in runs:
        features = method.look(of) if method.looks else None
        domains, seconds = [], []
        for seed in (drawn := range(method.seed, method.seed + seeds)):
            tell(name, f"{seen}, seed {seed}", "begun")
            begun = time.perf_counter()
            found = divide(method, of, features, seen=seen, seed=seed, number=number)
            domains.append(found.obs[keys.DOMAIN].array)
            seconds.append(time.perf_counter() - begun)
            tell(name, f"{seen}, seed {seed}", "done")
        scores = score_divisions(domains, given, places_of(of))
        tables.append(scores.assign(method=name, seen=seen, seed=list(drawn), seconds=seconds))
    found = pd.concat(tables, ignore_index=True)
    return found[["method", "seen", "seed", "n_domains", "n_spots", *METRICS, "seconds"]]


def summarise_domains(scores: pd.DataFrame) -> pd.DataFrame:
    """Return by (method, seen), highest ARI of what is shown as it is first: means over seeds of `METRICS`, "ari_sd".

    Seeds are no sections: their spread says how far an answer hangs on chance, and nothing of other tissue.
    """
    groups = scores.groupby(["method", "seen"], sort=False)
    table = groups[[*METRICS, "n_domains", "seconds"]].mean()
    table.insert(1, "ari_sd", groups["ari"].std(ddof=0))
    order = table.xs(SEEN[0], level="seen")["ari"].rank(ascending=False, method="first")
    return table.loc[sorted(table.index, key=lambda at: (order[at[0]], SEEN.index(at[1])))]


def shown_to(method: DomainFinder, *, controls: bool = True) -> Iterable[str]:
    """Return what of `SEEN` tells something of a method: shuffled is what it looks at."""
    run = (True, method.looks and controls, method.needs_places and controls)
    return [seen for seen, wanted in zip(SEEN, run, strict=True) if wanted]


def _shuffled(
    of: Section | AnnData, features: Float[np.ndarray, "n_spots dim"] | None, *, seen: str, seed: int
) -> tuple[AnnData, Float[np.ndarray, "n_spots dim"] | None]:
    """Return what a method is shown: expression in its rows, places and features in theirs or others'."""
    counts = (of.counts if isinstance(of, Section) else of).copy()
    order = np.random.default_rng(seed).permutation(counts.n_obs)
    if (places := places_of(of)) is not None:
        counts.obsm[keys.SPATIAL] = places[order] if seen == SEEN[2] else places
    return counts, features[order] if features is not None and seen == SEEN[1] else features


def divide(
    method: DomainFinder,
    of: Section | AnnData,
    features: Float[np.ndarray, "n_spots dim"] | None,
    *,
    seen: str,
    seed: int,
    number: int,
) -> AnnData:
    """Have a section divided from a seed, as it is or shuffled by that seed."""
    shown, looks = _shuffled(of, features, seen=seen, seed=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* get no domain")  # the same spots for each method and seed
        return replace(method, seed=seed).find(shown, n_domains=number, features=looks)  # type: ignore[type-var]


def score_divisions(
    divisions: Sequence[pd.Categorical], given: pd.Categorical, places: Float[np.ndarray, "n_spots n_axes"] | None
) -> pd.DataFrame:
    """Score divisions of one section from several seeds: a row each, "n_domains", "n_spots" and `METRICS`."""
    n = len(divisions)
    alike = np.full((n, n), np.nan)
    for i, j in combinations(range(n), 2):
        a, b = divisions[i].codes, divisions[j].codes
        alike[i, j] = alike[j, i] = adjusted_rand_score(a[a >= 0], b[b >= 0])
    rows = []
    for division, with_all in zip(divisions, alike, strict=True):
        others = with_all[np.isfinite(with_all)]
        row = {key: value for key, value in agree(division, given).items() if key != "n_against"}
        row |= {"coherence": _coherence(division.codes, places)}
        rows.append({**row, "stability": others.mean() if len(others) else np.nan})
    return pd.DataFrame(rows)


def _coherence(codes: NDArray[np.integer], places: Float[np.ndarray, "n_spots n_axes"] | None) -> float:
    """Return the share of pairs of direct neighbours, where they really lie, that share a domain."""
    if places is None:
        return np.nan
    near = neighbours(places, None if len(places) > 31 else 3).tocoo()
    known = (codes[near.row] >= 0) & (codes[near.col] >= 0)
    same = codes[near.row] == codes[near.col]
    return float(same[known].mean()) if known.any() else np.nan


def places_of(of: Section | AnnData) -> Float[np.ndarray, "n_spots n_axes"] | None:
    """Return where the spots lie; None where that is not known."""
    if isinstance(of, Section):
        return of.tiles.xy_um
    return np.asarray(of.obsm[keys.SPATIAL], np.float64) if keys.SPATIAL in of.obsm else None


def labels_to_meet(of: Section | AnnData, labels: ArrayLike | None = None) -> pd.Categorical:
    """Return what a person called each spot, as `judge_domains` takes it.

    Raises
    ------
    InputError
        If there are no labels of two kinds, or not one for each spot.
    """
    counts = of.counts if isinstance(of, Section) else of
    if labels is not None and len(np.asarray(labels)) != counts.n_obs:
        msg = f"a label for each of {counts.n_obs} spots expected, found {len(np.asarray(labels))}"
        raise InputError(msg)
    given = annotated(counts) if labels is None else clean_labels(pd.Series(np.asarray(labels, object)))
    if given is None or given.nunique() < 2:
        n = 0 if given is None else given.nunique()
        msg = f'labels of two or more kinds expected in obs["{keys.LABEL}"], found {n}: domains are judged by them'
        raise InputError(msg)
    return pd.Categorical(given.to_numpy(), categories=sorted(given.dropna().unique(), key=str))
