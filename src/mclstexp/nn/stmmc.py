"""stMMC's network (Li, Karami, Junayed and Nabavi 2024): two modalities over graphs, mixed, decoded, and contrasted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.foreign_weights import fill, renamed


@dataclass(frozen=True, eq=False)
class Graph:
    """How values pass between spots, and who is summed up around each; both sparse (n, n)."""

    operator: sparse.csr_matrix
    """What values are multiplied with."""
    around: sparse.csr_matrix
    """Rows that sum to 1 over a spot and its neighbours."""


class _Product(torch.autograd.Function):
    """A sparse matrix times values: SciPy's, which took a third of the time of torch's with what leads back."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, matrix: sparse.csr_matrix) -> Tensor:
        ctx.matrix = matrix
        return torch.from_numpy(matrix @ values.detach().numpy())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(ctx.matrix.T @ gradients[0].contiguous().numpy()), None


def passed_on(values: Float[Tensor, "n dim"], matrix: sparse.csr_matrix) -> Float[Tensor, "n dim"]:
    """Return the sparse (n, n) matrix times values, on the CPU."""
    return _Product.apply(values, matrix)


class Seen(NamedTuple):
    """What the network says of a section."""

    hidden: Float[Tensor, "n dim"]
    """Both modalities mixed."""
    smoothed: Float[Tensor, "n dim"]
    """The same, passed over the graph of the genes."""
    decoder: Float[Tensor, "dim n_genes"]
    logits: list[tuple[Float[Tensor, "n 2"], Float[Tensor, "n 2"]]]
    """Of each modality: whether the spot, and its corrupted self, belong to the surroundings as they are; then whether
    the corrupted self, and the spot, belong to the corrupted surroundings."""

    @property
    def reconstruction(self) -> Float[Tensor, "n n_genes"]:
        """Decoded expression."""
        return self.smoothed @ self.decoder


class LocalDiscriminator(nn.Module):
    """hᵀ B g + b: whether a spot belongs to a summary of surroundings."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        # kept as torch's bilinear form keeps it: its Xavier bound is much narrower than that of a (dim, dim) matrix
        self.weight = nn.Parameter(torch.empty(1, dim, dim))
        self.bias = nn.Parameter(torch.zeros(1))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, spot: Float[Tensor, "n dim"], summary: Float[Tensor, "n dim"]) -> Float[Tensor, " n"]:
        """Judge each spot against the summary in its row."""
        return ((spot @ self.weight[0]) * summary).sum(dim=1) + self.bias


class StMMC(nn.Module):
    """Linear auto-encoder of expression over a graph, its latent mixed with what tiles look like; contrast in each.

    Parameters
    ----------
    n_inputs
        Number of genes and, where it looks, of image features.
    dim
        Width of the latent.
    hidden
        Width of a layer before it; none by default.
    squashed
        Whether the share of the genes is kept between 0 and 1; the release lets it run.
    """

    def __init__(
        self, n_inputs: tuple[int, ...], *, dim: int = 32, hidden: int | None = None, squashed: bool = True
    ) -> None:
        super().__init__()
        widths = [dim] if hidden is None else [hidden, dim]
        self.squashed, self.n_layers = squashed, len(widths)
        self.encoders = nn.ModuleList(
            nn.ParameterList(_matrix(a, b) for a, b in zip([n, *widths[:-1]], widths, strict=True)) for n in n_inputs
        )
        shares = [torch.tensor(0.0 if squashed else 0.5) for _ in widths] if len(n_inputs) > 1 else []
        self.shares = nn.ParameterList(shares)
        self.decoder = _matrix(dim, n_inputs[0])
        self.discriminators = nn.ModuleList(LocalDiscriminator(dim) for _ in n_inputs)

    def forward(
        self,
        inputs: tuple[Float[Tensor, "n _"], ...],
        graphs: tuple[Graph, ...],
        shuffled: tuple[Int[Tensor, " n"], ...],
    ) -> Seen:
        """Encode, mix and decode; tell the section from itself with rows of each modality shuffled.

        Parameters
        ----------
        inputs
            Expression, then image features where it looks.
        graphs
            That each travels over; the answer is decoded over the first.
        shuffled
            Row order of each modality's corruption.
        """
        first = [x @ encoder[0] for x, encoder in zip(inputs, self.encoders, strict=True)]  # type: ignore[index]
        clean, hidden = self._encode(first, graphs)
        # rows shuffled before a product or after it are the same
        corrupted, _ = self._encode([x[order] for x, order in zip(first, shuffled, strict=True)], graphs)
        logits = [
            _contrast(a.relu(), b.relu(), graph, discriminator)
            for a, b, graph, discriminator in zip(clean, corrupted, graphs, self.discriminators, strict=True)
        ]
        # few columns pass over the graph, not all genes
        return Seen(hidden, passed_on(hidden, graphs[0].operator), self.decoder, logits)

    def _encode(self, first: list[Tensor], graphs: tuple[Graph, ...]) -> tuple[list[Tensor], Tensor]:
        """Return the last layer of each modality and their mixture."""
        found = self._pass_on(first, graphs)
        for layer in range(1, self.n_layers):
            mixed = self._mix(found, layer - 1)
            found = self._pass_on([mixed @ encoder[layer] for encoder in self.encoders], graphs)  # type: ignore[index]
        return found, self._mix(found, self.n_layers - 1)

    @staticmethod
    def _pass_on(values: list[Tensor], graphs: tuple[Graph, ...]) -> list[Tensor]:
        return [passed_on(x, graph.operator) for x, graph in zip(values, graphs, strict=True)]

    def _mix(self, found: list[Tensor], layer: int) -> Tensor:
        if len(found) == 1:
            return found[0]
        share = self.shares[layer].sigmoid() if self.squashed else self.shares[layer]
        return share * found[0] + (1 - share) * found[1]


def stmmc_loss(seen: Seen, expression: Float[Tensor, "n n_genes"]) -> Float[Tensor, ""]:
    """Return 10 times the mean squared error of the reconstruction, and the cross-entropies of the contrast."""
    return 10 * _squared_error(seen, expression) + sum(
        (contrast_loss(logits) for pair in seen.logits for logits in pair), start=torch.zeros(())
    )


def _squared_error(seen: Seen, expression: Float[Tensor, "n n_genes"]) -> Float[Tensor, ""]:
    """Return the mean squared error by its square, (X - SW)² = X² - 2 XᵀS·W + SᵀS·WWᵀ: S W itself is never made."""
    crossed = (expression.T @ seen.smoothed) * seen.decoder.T
    own = (seen.smoothed.T @ seen.smoothed) * (seen.decoder @ seen.decoder.T)
    return (torch.linalg.vector_norm(expression) ** 2 - 2 * crossed.sum() + own.sum()) / expression.numel()


def contrast_loss(logits: Float[Tensor, "n 2"]) -> Float[Tensor, ""]:
    """Return the mean binary cross-entropy; the first column should be 1, the second 0."""
    truth = torch.tensor([1.0, 0.0]).expand_as(logits)
    return functional.binary_cross_entropy_with_logits(logits, truth)


def read_out(spots: Float[Tensor, "n dim"], around: sparse.csr_matrix) -> Float[Tensor, "n dim"]:
    """Sum up the surroundings of each spot: mean, scaled to unit length, through a sigmoid."""
    return functional.normalize(passed_on(spots, around), dim=1, eps=1e-12).sigmoid()


def make_graph(near: sparse.csr_matrix, *, released: bool) -> Graph:
    """Make what passes between spots of a directed 0/1 matrix of neighbours without loops.

    Parameters
    ----------
    near
        Who is whose neighbour.
    released
        Whether a spot counts twice among its own, D^-½ A D^-½ + 1 with 1 in A too, as in the release; otherwise once.
    """
    n = near.shape[0]
    loops = sparse.identity(n, format="csr")
    both = ((near + near.T) > 0).astype(np.float64) + loops
    root = sparse.diags(1 / np.sqrt(np.asarray(both.sum(axis=1)).ravel()))
    operator = root @ both @ root
    around = near + loops
    mean = sparse.diags(1 / np.asarray(around.sum(axis=1)).ravel()) @ around
    operator = operator + loops if released else operator
    return Graph(*(sparse.csr_matrix(matrix, dtype=np.float32) for matrix in (operator, mean)))


def load_released(network: StMMC, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Fill a network with weights under the release's names.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape.
    """
    decoder = "weight3" if "weight3" in weights else "weight2"
    patterns = [(rf"^{decoder}$", "decoder")]
    for number in (1, 2):
        patterns += [(rf"^weight{layer}_{number}$", f"encoders.{number - 1}.{layer - 1}") for layer in (1, 2)]
        patterns += [
            (rf"^w{number}$", f"shares.{number - 1}"),
            (rf"^disc{number}\.f_k", f"discriminators.{number - 1}"),
        ]
    fill(network, renamed(weights, patterns), what="the published stMMC", source=source)


def _contrast(
    clean: Tensor, corrupted: Tensor, graph: Graph, discriminator: nn.Module
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n 2"]]:
    own, other = read_out(clean, graph.around), read_out(corrupted, graph.around)
    return (
        torch.stack([discriminator(clean, own), discriminator(corrupted, own)], dim=1),
        torch.stack([discriminator(corrupted, other), discriminator(clean, other)], dim=1),
    )


def _matrix(n_in: int, n_out: int) -> nn.Parameter:
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_in, n_out)))
