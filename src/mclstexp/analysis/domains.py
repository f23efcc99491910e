"""Spatial domains: groups of spots of like expression, in what was measured and in what was predicted."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool, Float
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from mclstexp.analysis.pairs import Pair, Which, values_of
from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.data.autocorrelation import neighbour_weights

Way = Literal["paper", "leiden"]

UNLABELLED: Final = ("undetermined", "nan", "")
"""What a pathologist's table says where it says nothing; such spots are left out."""


def find_domains(
    of: Pair | AnnData,
    *,
    which: Which = "predicted",
    way: Way = "leiden",
    n_domains: int | None = None,
    resolution: float = 1.0,
    share_of_space: float = 0.2,
    seed: int = 0,
) -> pd.Categorical:
    """Group the spots of a section, or the tiles of a predicted slide, into domains.

    "paper" is what the mclSTExp authors' notebook does: nine principal components and k-means, with as many groups
    as the labels have; spots that the labels leave out are left out before. Who has no labels has no k, and k tells
    the method part of the answer. "leiden" needs neither: a graph of like expression (scanpy's 15 nearest neighbours
    over 20 principal components, weighed by a Gaussian) and one of direct neighbours on the tissue are added, weighted,
    and cut by the Leiden algorithm (Traag et al. 2019), as in squidpy's tutorials.

    Parameters
    ----------
    of
        A section measured and predicted, or a prediction alone.
    which
        What is grouped; a prediction alone has no truth.
    way
        How; "leiden" needs the extra ``analysis``.
    n_domains
        Groups of "paper"; by default as many as the section has labels.
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
        If the truth of a prediction alone is asked for, or "paper" neither has labels nor is told a number.
    """
    values, xy, labels = _material(of, which)
    asked = np.isfinite(values).all(axis=1)
    if way == "paper":
        if labels is not None:
            asked &= labels.notna().to_numpy()
        if n_domains is None:
            n_domains = 0 if labels is None else labels.nunique()
        if not 1 <= n_domains <= asked.sum():
            msg = (
                f"the number of domains (1 to {asked.sum()}) or a section with labels expected, found {n_domains}: "
                "name n_domains, or use the way leiden"
            )
            raise InputError(msg)
        found = _k_means(values[asked], n_domains=n_domains, seed=seed)
    else:
        near = neighbour_weights(xy[asked]) > 0
        found = _leiden(values[asked], near, resolution=resolution, share_of_space=share_of_space, seed=seed)
    return _named(found, asked)


def compare_domains(
    pair: Pair,
    *,
    way: Way = "leiden",
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
    One row per comparison: "section", "way", "of" ("truth" or "predicted"), "against" ("labels" or "truth"),
    "n_domains", "n_against" (groups of each), "n_spots", "ari" (adjusted Rand index: 0 by chance, 1 for the same
    groups) and "nmi" (normalised mutual information, arithmetic mean; above 0 even by chance). Rows against labels
    only where the section has them; what "truth" reaches there is what expression can tell of them this way.

    Raises
    ------
    InputError
        As `find_domains`.
    """
    ways = {"way": way, "n_domains": n_domains, "resolution": resolution, "share_of_space": share_of_space}
    truth, predicted = (
        find_domains(pair, which=which, seed=seed, **ways)  # type: ignore[arg-type]  # each as its parameter
        for which in ("truth", "predicted")
    )
    comparisons = [("predicted", "truth", predicted, truth)]
    labels = labels_of(pair)
    if labels is not None:
        given = pd.Categorical(labels)
        comparisons = [("truth", "labels", truth, given), ("predicted", "labels", predicted, given), *comparisons]
    rows = []
    for of, against, a, b in comparisons:
        both = (a.codes >= 0) & (b.codes >= 0)
        rows.append(
            {
                "section": pair.id,
                "way": way,
                "of": of,
                "against": against,
                "n_domains": len(np.unique(a.codes[both])),
                "n_against": len(np.unique(b.codes[both])),
                "n_spots": int(both.sum()),
                "ari": adjusted_rand_score(b.codes[both], a.codes[both]),
                "nmi": normalized_mutual_info_score(b.codes[both], a.codes[both]),
            }
        )
    return pd.DataFrame(rows)


def labels_of(pair: Pair) -> pd.Series | None:
    """Return what a pathologist or anatomist called each spot, NaN where undetermined, or None without labels."""
    obs = pair.section.counts.obs
    if keys.LABEL not in obs:
        return None
    labels = obs[keys.LABEL].astype(object)
    labels = labels.where(labels.notna() & ~labels.astype(str).str.strip().isin(UNLABELLED))
    return labels if labels.notna().any() else None


def _material(
    of: Pair | AnnData, which: Which
) -> tuple[Float[np.ndarray, "n_spots n_genes"], Float[np.ndarray, "n_spots 2"], pd.Series | None]:
    values = values_of(of, which)
    if isinstance(of, Pair):
        return values, of.section.tiles.xy_um, labels_of(of)
    return values, np.asarray(of.obsm[keys.SPATIAL], np.float64), None  # neighbours are the same in any unit


def _k_means(values: Float[np.ndarray, "n_spots n_genes"], *, n_domains: int, seed: int) -> np.ndarray:
    components = _principal(values, 9, seed=seed)
    return KMeans(n_domains, init="k-means++", n_init=10, random_state=seed).fit_predict(components)


def _leiden(
    values: Float[np.ndarray, "n_spots n_genes"],
    near: sparse.csr_matrix,
    *,
    resolution: float,
    share_of_space: float,
    seed: int,
) -> np.ndarray:
    try:
        import igraph  # noqa: F401, PLC0415
        import scanpy  # noqa: PLC0415
    except ImportError as error:
        msg = "scanpy and igraph expected for the Leiden algorithm, found one missing: pip install 'mclstexp[analysis]'"
        raise InputError(msg) from error
    spots = AnnData(_principal(values, 20, seed=seed))
    # exact neighbours, also above 4096 tiles; UMAP's weights took seconds to compile and found no better layers
    scanpy.pp.neighbors(spots, use_rep="X", method="gauss", transformer="sklearn", random_state=seed)
    joint = (1 - share_of_space) * spots.obsp["connectivities"] + share_of_space * near.astype(np.float64)
    scanpy.tl.leiden(
        spots, resolution, adjacency=joint.tocsr(), flavor="igraph", directed=False, n_iterations=-1, random_state=seed
    )
    return spots.obs["leiden"].cat.codes.to_numpy()


def _principal(
    values: Float[np.ndarray, "n_spots n_genes"], n_components: int, *, seed: int
) -> Float[np.ndarray, "n_spots n_components"]:
    return PCA(min(n_components, *values.shape), random_state=seed).fit_transform(values.astype(np.float64))


def _named(found: np.ndarray, asked: Bool[np.ndarray, " n_spots"]) -> pd.Categorical:
    """Name domains by size, so that the same group is called the same in two runs."""
    kinds, of_spot, size = np.unique(found, return_inverse=True, return_counts=True)
    rank = np.argsort(np.argsort(-size, kind="stable"))
    codes = np.full(len(asked), -1)
    codes[asked] = rank[of_spot]
    names = np.array([None, *(str(n + 1) for n in range(len(kinds)))], object)
    return pd.Categorical(names[codes + 1], categories=names[1:])
