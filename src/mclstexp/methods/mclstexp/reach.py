"""How far a model of strict mclSTExp looks, of all that is seen; and the features it is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool

from mclstexp.core.tiles import Tiles
from mclstexp.data.neighbours import mean_of_neighbours
from mclstexp.nn.heads import Reduction
from mclstexp.sight.fitted import FittedSight
from mclstexp.sight.sight import Seen
from mclstexp.sight.slide_scale import rooted
from mclstexp.training.aligned import fit_reduction

Reach = Literal["place", "near", "surroundings"]
"""What a model looks at: the place alone; the tile and the tiles around it; or wider views and what they show around.

Wide views tell where in an organ a place lies, which carries over where anatomy repeats. Between tumours it does not,
and there those do better that look near.
"""


def reaches_of(context_share: float, *, near: bool) -> tuple[Reach, ...]:
    """Return what models look at in turn; without `near`, as before there was one, it is the place alone instead."""
    if context_share == 0:
        return ("place",)
    return ("surroundings",) if context_share == 1 else ("surroundings", "near" if near else "place")


def look(fitted: FittedSight, tiles: Tiles) -> Seen:
    """Look at tiles of one slide, the means of their own features over the tiles around behind all else.

    Unless the slide's own scale does so, features are replaced by their roots: a network's are mostly near 0 with a
    few large ones, which would decide alone whom a tile resembles.
    """
    place = fitted.place(tiles)
    if fitted.training is None:
        place = replace(place, values=rooted(place.values).astype(np.float32))
    seen, own = fitted.sight.around(place, tiles), place.values[:, : place.n_own]
    means = [
        mean_of_neighbours(own, tiles.xy_um, radius_um=radius, array_xy=tiles.array_xy)
        for radius in fitted.sight.context_radii_um
    ]
    return replace(seen, values=np.concatenate([seen.values, *means], axis=1))


def reduction_of(
    seen: Seen, reach: Reach, *, n_components: int, seed: int, n_radii: int, standardise: bool = True
) -> Reduction:
    """Learn the reduction of a model that looks so far.

    With other tiles all is reduced together: neighbouring tiles and wide views tell much the same, and the leading
    components are what they agree on. A place alone keeps components of its own, beside the views'.
    """
    n_all = seen.values.shape[1]
    centre, blocks = np.zeros(n_all, np.float32), []
    for columns in _columns(seen, reach, n_radii=n_radii):
        mean, components = fit_reduction(
            seen.values[:, columns], n_components=n_components, seed=seed, standardise=standardise
        )
        centre[columns] = mean
        block = np.zeros((n_all, components.shape[1]), np.float32)
        block[columns] = components
        blocks.append(block)
    return Reduction(torch.from_numpy(centre), torch.from_numpy(np.concatenate(blocks, axis=1)))


def _columns(seen: Seen, reach: Reach, *, n_radii: int) -> list[Bool[np.ndarray, " n_features"]]:
    """Return the columns that are reduced together: of the tile, its views, what they show around, its own around."""
    at = np.arange(seen.values.shape[1])
    own, place = at < seen.n_own, at < seen.n_place
    if reach == "place":
        apart = [own, place & ~own]
        return [columns for columns in apart if columns.any()]
    wide = at < seen.n_place + n_radii * seen.n_own
    if reach == "surroundings":
        return [wide]
    least_view = place & (at < 2 * seen.n_own) if seen.n_views else own
    colour = place & (at >= seen.n_own + seen.n_views)
    return [least_view | colour | ~wide]
