"""What a network over whole sections sees of one of them: pictures, array positions, who lies next to whom."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from mclstexp.core.tiles import Tiles
from mclstexp.data.neighbours import find_neighbours
from mclstexp.nn.heads import require_as_many
from mclstexp.nn.position import array_positions


@dataclass(frozen=True)
class SlideInputs:
    """All tiles of one section (or all tiles asked); never any expression."""

    image: Shaped[Tensor, "n_tiles ..."]
    """Features (n_tiles, n_features) float32, or pixels (n_tiles, 3, rows, columns) uint8."""
    position: Int[Tensor, "n_tiles 2"]
    """Array (column, row)."""
    neighbours: Int[Tensor, "n_tiles n_neighbours"]
    """Rows of the nearest tiles, the tile itself not among them; its own row fills up where there are fewer."""
    present: Bool[Tensor, "n_tiles n_neighbours"]
    """False where a tile has fewer neighbours."""

    def __len__(self) -> int:
        return len(self.position)

    def to(self, device: torch.device) -> Self:
        """Return the same on another device."""
        return type(self)(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @classmethod
    def build(
        cls, tiles: Tiles, image: Shaped[Tensor, "n_tiles ..."], *, n_neighbours: int = 4, reach: float = 2.0
    ) -> Self:
        """Look up positions and neighbours of tiles.

        Parameters
        ----------
        tiles
            Tiles of one section, with array coordinates.
        image
            Their pictures, in the same order.
        n_neighbours
            At most so many, the nearest first; 0 for a network that asks for none. Ties go by geometry, where the
            published graphs go by row number.
        reach
            Nobody farther is a neighbour; in steps of the array, like the coordinates (Hist2ST: 2).

        Raises
        ------
        InputError
            If the tiles have no array coordinates.
        """
        position = array_positions(tiles)
        if n_neighbours == 0:
            none = torch.zeros(len(tiles), 0)
            return cls(image=image, position=position, neighbours=none.long(), present=none.bool())
        # the function is about lengths, whatever their unit
        near = find_neighbours(position.double().numpy(), n_neighbours=n_neighbours, radius_um=reach)
        neighbours, present = torch.from_numpy(near.index[:, 1:]), torch.from_numpy(near.present[:, 1:])
        return cls(image=image, position=position, neighbours=neighbours, present=present)


class FeatureEmbedding(nn.Module):
    """Features of a frozen encoder in the place of pixels: standardised, dropout, one linear layer.

    Parameters
    ----------
    mean, spread
        (n_features,) over the training tiles.
    dim
        Length of the embedding.
    dropout
        Share of features dropped in training.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self, mean: Float[Tensor, " n_features"], spread: Float[Tensor, " n_features"], *, dim: int, dropout: float
    ) -> None:
        super().__init__()
        require_as_many(mean, spread)
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(len(mean), dim)

    def forward(self, features: Float[Tensor, "n n_features"]) -> Float[Tensor, "n dim"]:
        """Embed tile features."""
        return self.project(self.dropout((features - self.mean) / self.spread))


def columns_first(pixels: Shaped[Tensor, "n 3 rows columns"]) -> Shaped[Tensor, "n 3 columns rows"]:
    """Turn pixels the way the published loaders hold them; only an imported checkpoint can tell."""
    return pixels.transpose(-1, -2)
