"""Image and spot embeddings in one plane: do tiles lie among measured spots, and do sections mix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from mclstexp.core.errors import InputError
from mclstexp.plotting.style import COLOURS, PAGE_IN, style

_MANY: Final = 3000  # beyond it, vector files keep the dots as a picture


def plot_embedding(
    images: Float[np.ndarray, "n_tiles dim"],
    spots: Float[np.ndarray, "n_spots dim"],
    *,
    image_sections: Sequence[str],
    spot_sections: Sequence[str],
    way: Literal["pca", "umap"] = "pca",
    seed: int = 0,
    axes: Sequence[Axes] | NDArray | None = None,
) -> NDArray:
    """Draw embeddings of tiles and of measured spots in one plane, coloured by kind and by section.

    Parameters
    ----------
    images, spots
        Of one model, as `Retrieval` has them.
    image_sections, spot_sections
        Section of each.
    way
        "pca": two principal components, a true projection; "umap" keeps neighbourhoods but neither distances nor
        sizes (`umap-learn`).
    seed
        Of UMAP.
    axes
        Two axes; a new figure of page width by default.

    Returns
    -------
    (2,) axes: by kind, by section.

    Raises
    ------
    InputError
        If there is not one section for each embedding, or umap-learn is not there.
    """
    if len(images) != len(image_sections) or len(spots) != len(spot_sections):
        msg = (
            f"a section for each of {len(images)} tiles and {len(spots)} spots expected, "
            f"found {len(image_sections)} and {len(spot_sections)}: name each one's"
        )
        raise InputError(msg)
    plane = embedding_plane(np.concatenate([images, spots]), way=way, seed=seed)
    kinds = np.repeat(["tiles (image)", "measured spots (expression)"], [len(images), len(spots)])
    sections = np.array([*map(str, image_sections), *map(str, spot_sections)])
    with style():
        if axes is None:
            axes = plt.subplots(1, 2, figsize=(PAGE_IN, PAGE_IN / 2))[1]
        axes = np.asarray(axes, dtype=object).ravel()
        if len(axes) != 2:
            msg = f"two axes expected (by kind, by section), found {len(axes)}: give two or none"
            raise InputError(msg)
        name = "UMAP" if way == "umap" else "PC"
        for ax, groups in zip(axes, (kinds, sections), strict=True):
            _scatter(ax, plane, groups, seed=seed)
            ax.set(xticks=[], yticks=[], xlabel=f"{name} 1", ylabel=f"{name} 2")
            ax.set_box_aspect(1)
    return axes


def embedding_plane(
    embeddings: Float[np.ndarray, "n dim"], *, way: Literal["pca", "umap"] = "pca", seed: int = 0
) -> Float[np.ndarray, "n 2"]:
    """Bring embeddings to unit length, for retrieval goes by cosine, and to two dimensions.

    Raises
    ------
    InputError
        If umap-learn is wanted and not there.
    """
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.where(length > 0, length, 1)
    if way == "pca":
        return PCA(2, svd_solver="full").fit_transform(unit)
    try:
        from umap import UMAP  # type: ignore[import-untyped]  # noqa: PLC0415  an extra, and slow to import
    except ImportError as error:
        msg = "umap-learn expected for the way umap, found none: pip install 'mclstexp[analysis]', or take the way pca"
        raise InputError(msg) from error
    neighbours = min(15, len(unit) - 1)
    return UMAP(n_neighbors=neighbours, metric="cosine", random_state=seed, n_jobs=1).fit_transform(unit)


def _scatter(ax: Axes, plane: Float[np.ndarray, "n 2"], groups: NDArray, *, seed: int) -> None:
    """Draw dots in the colour of their group, in random order, so that none hides the others by coming last."""
    names = sorted(set(groups.tolist()), reverse="tiles (image)" in groups)
    colour = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    order = np.random.default_rng(seed).permutation(len(plane))
    size = float(np.clip(4000 / len(plane), 1.5, 9))
    ax.scatter(
        plane[order, 0],
        plane[order, 1],
        s=size,
        c=[colour[name] for name in groups[order]],
        lw=0,
        alpha=0.7,
        rasterized=len(plane) > _MANY,
        gid="embeddings",
    )
    for name in names:
        ax.plot([], [], "o", ms=4, color=colour[name], label=name)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(names), 6), handletextpad=0.1, columnspacing=0.8)
