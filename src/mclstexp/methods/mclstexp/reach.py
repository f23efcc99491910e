"""How far a model of strict mclSTExp looks, of all that is seen; and the features it is given."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from mclstexp.nn.heads import Reduction
from mclstexp.sight.sight import Seen
from mclstexp.training.aligned import fit_reduction

Reach = Literal["place", "surroundings"]
"""What a model looks at: the place alone, or the tiles around it too."""


def reduction_of(seen: Seen, reach: Reach, *, n_components: int, seed: int, standardise: bool = True) -> Reduction:
    """Learn the reduction of a model that looks so far.

    With the surroundings all is reduced together: neighbouring tiles and wide views tell much the same, and the
    leading components are what they agree on. A place alone keeps components of its own, beside the views'.
    """
    n_own, n_place, n_all = seen.n_own, seen.n_place, seen.values.shape[1]
    apart = [slice(0, n_own), slice(n_own, n_place)] if reach == "place" else [slice(0, n_all)]
    centre, blocks = np.zeros(n_all, np.float32), []
    for columns in (columns for columns in apart if columns.start < columns.stop):
        mean, components = fit_reduction(
            seen.values[:, columns], n_components=n_components, seed=seed, standardise=standardise
        )
        centre[columns] = mean
        block = np.zeros((n_all, components.shape[1]), np.float32)
        block[columns] = components
        blocks.append(block)
    return Reduction(torch.from_numpy(centre), torch.from_numpy(np.concatenate(blocks, axis=1)))
