"""What single tiles do in a network in which groups of genes look at them, to first order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mclstexp.nn.mcat import Asked

Effects = tuple[Float[np.ndarray, " n_tiles"], Float[np.ndarray, " n_tiles"]]
"""How the risk moves with a few more of each tile, and how much groups look at it, 1 as at the mean tile."""


def tile_effects(
    asked: Asked, chunks: Callable[[], Iterator[Float[Tensor, "_ dim"]]], slope: Float[Tensor, " n_out"]
) -> Effects:
    """Return what each tile of a patient does to its risk.

    With a little more of a tile, each group's mean moves towards it by what the group's attention gives it: the slope
    of the risk along that way is returned, per unit of the tile's share among all tiles. Over the tiles it adds up to
    0, for more of all is more of none.

    Parameters
    ----------
    asked
        How tiles come into what the network says of the patient.
    chunks
        Goes through all tiles, each time in one order; it is done twice.
    slope
        Of the risk along each of the network's numbers.
    """
    with torch.no_grad():
        seen = asked.coattention.seen(asked.groups, map(asked.project, chunks()))
    with torch.enable_grad():
        seen.requires_grad_()
        said = asked.say(asked.coattention.told(seen))
        (wanted,) = torch.autograd.grad((said[0] * slope).sum(), seen)
    scores, pulls = [], []
    with torch.no_grad():
        for patches in map(asked.project, chunks()):
            scores.append(asked.coattention.scores(asked.groups, patches).double())
            pulls.append((wanted @ patches.T).double())
    share, pull = torch.cat(scores, dim=1).softmax(dim=1), torch.cat(pulls, dim=1)
    n_tiles = share.shape[1]
    moved = (share * (pull - (share * pull).sum(dim=1, keepdim=True))).sum(dim=0)
    return (n_tiles * moved).cpu().numpy(), (n_tiles * share.mean(dim=0)).cpu().numpy()
