"""Graph convolutions over small dense graphs: many tiles at once, each with the graph of its own surroundings."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def edges_within(
    offset_um: Float[Tensor, "*graphs n_nodes 2"], present: Bool[Tensor, "*graphs n_nodes"], *, radius_um: float
) -> Float[Tensor, "*graphs n_nodes n_nodes"]:
    """Join each two nodes that lie no farther apart than `radius_um`.

    Returns
    -------
    (…, n_nodes, n_nodes) adjacency of zeros and ones, without loops; an absent node has no edge.
    """
    apart = (offset_um[..., :, None, :] - offset_um[..., None, :, :]).norm(dim=-1)
    joined = (apart <= radius_um) & present[..., :, None] & present[..., None, :]
    return (joined & ~torch.eye(present.shape[-1], dtype=torch.bool, device=present.device)).to(offset_um.dtype)


def symmetric(adjacency: Float[Tensor, "*graphs n_nodes n_nodes"]) -> Float[Tensor, "*graphs n_nodes n_nodes"]:
    """Return D^-½ (A + I) D^-½ with D the degrees of A + I (Kipf and Welling, arXiv 1609.02907, eq. 2)."""
    looped = adjacency + torch.eye(adjacency.shape[-1], dtype=adjacency.dtype, device=adjacency.device)
    root = looped.sum(dim=-1).rsqrt()  # a node is its own neighbour: no degree is 0
    return root[..., :, None] * looped * root[..., None, :]


def averaging(adjacency: Float[Tensor, "*graphs n_out n_in"]) -> Float[Tensor, "*graphs n_out n_in"]:
    """Scale each row to sum 1, so that messages are averaged; a row without an edge stays 0."""
    return adjacency / adjacency.sum(dim=-1, keepdim=True).clamp(min=1)


class GCNLayer(nn.Module):
    """A X W + b: every node takes the weighted sum of its neighbours' W x (Kipf and Welling, arXiv 1609.02907).

    Parameters
    ----------
    in_dim, dim
        Length of a node's vector before and after.
    """

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, dim, bias=False)
        self.bias = nn.Parameter(torch.zeros(dim))
        nn.init.xavier_uniform_(self.linear.weight)

    def forward(
        self, nodes: Float[Tensor, "*graphs n_in in_dim"], adjacency: Float[Tensor, "*graphs n_out n_in"]
    ) -> Float[Tensor, "*graphs n_out dim"]:
        """Pass messages once, by the weights of `adjacency` as they are (see `symmetric` and `averaging`)."""
        if adjacency.shape[-2] < adjacency.shape[-1]:  # (A X) W = A (X W): the few sums first
            return self.linear(adjacency @ nodes) + self.bias
        return adjacency @ self.linear(nodes) + self.bias


class GraphConvLayer(nn.Module):
    """W₁ x + W₂ Σ neighbours' x + b: the node itself has weights of its own (Morris et al., arXiv 1810.02244, eq. 5).

    Parameters
    ----------
    in_dim, dim
        Length of a node's vector before and after.
    """

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.own = nn.Linear(in_dim, dim, bias=False)
        self.others = nn.Linear(in_dim, dim)

    def forward(
        self, nodes: Float[Tensor, "*graphs n_nodes in_dim"], adjacency: Float[Tensor, "*graphs n_nodes n_nodes"]
    ) -> Float[Tensor, "*graphs n_nodes dim"]:
        """Pass messages once, by the weights of `adjacency` (without loops) as they are."""
        return self.own(nodes) + self.others(adjacency @ nodes)
