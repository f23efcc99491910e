"""A transformer over maps of genes, after stEnTrans (Xue, Zhu, Wang and Min, arXiv 2407.08224)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mclstexp.core.enhancer import Enhanced, Enhancer, Ground, register
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.enhancement import released_lattices as released
from mclstexp.enhancement.linear import straight_between
from mclstexp.enhancement.spot_lattice import SpotLattice, spot_lattice
from mclstexp.nn.stentrans import FineMaps, ReleasedStEnTrans
from mclstexp.training.fine_maps import Lessons, fit_fine_maps, told
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.released_fine_maps import fit_released, released_told

_AT_ONCE: Final = 2**17
"""Pixels of the maps that are told together: a matter of memory alone."""
_PAPER: Final = {"protocol": "paper", "depth": 12}
_LEAST: Final = {"patch": 1, "width": 4, "n_heads": 1, "depth": 1, "max_epochs": 1, "batch_size": 1}

Maps = NDArray[np.float64]
"""(n, n_genes) values of the finer map, pixel by pixel."""
Places = NDArray[np.float64]
"""(n, 2) where these lie, px."""


@register("stentrans")
@dataclass
class StEnTrans(Enhancer):
    """A small transformer that learns, over all genes, to tell spots from a quarter of them; after stEnTrans.

    A gene's spots are a map. The strict protocol shows values and where spots are, learns holes, and stops by spots
    that it never shows. The paper protocol is the published algorithm, on raw counts. Both make the lattice twice as
    fine; what lies between is straight.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "published": {**_PAPER, "patch": 3, "width": 36, "max_epochs": 50, "batch_size": 512},
            "published_visium": {**_PAPER, "patch": 8, "width": 256, "n_heads": 8, "max_epochs": 10, "batch_size": 512},
        }
    )
    tuned_on: ClassVar[tuple[str, ...]] = ("her2st",)

    protocol: Literal["strict", "paper"] = "strict"
    """"strict", or "paper": the published algorithm."""
    patch: int = 2
    """Spots along a side of what becomes a token."""
    width: int = 48
    """Length of a token; 4 · patch² in the paper protocol."""
    n_heads: int = 4
    """Heads of attention."""
    depth: int = 2
    """Layers."""
    max_epochs: int = 40
    """Passes over the genes, at most; the paper protocol does all."""
    batch_size: int = 128
    """Genes in a batch."""
    learning_rate: float = 1e-3
    """Of AdamW, of Adam in the paper protocol."""
    seed: int = 0
    """Of weights, order, holes and spots that are left out."""

    def __post_init__(self) -> None:
        if self.protocol not in get_args(Literal["strict", "paper"]):
            msg = f"protocol must be 'strict' or 'paper', found {self.protocol!r}"
            raise InputError(msg)
        for name, low in _LEAST.items():
            if getattr(self, name) < low:
                msg = f"{name} of {low} or more expected, found {getattr(self, name)}"
                raise InputError(msg)
        if not 0 < self.learning_rate < np.inf:
            msg = f"learning_rate must be positive and finite, found {self.learning_rate}"
            raise InputError(msg)
        if self.width % self.n_heads or self.width % 4:
            msg = f"a width that n_heads ({self.n_heads}) and 4 divide expected, found {self.width}"
            raise InputError(msg)
        if self.protocol == "paper" and self.width != 4 * self.patch**2:
            msg = f"a width of 4 · patch² = {4 * self.patch**2} in the paper protocol expected, found {self.width}"
            raise InputError(msg)

    def _enhance(self, ground: Ground) -> Enhanced:
        lattice = spot_lattice(ground.given)
        if self.patch > min(lattice.sides):
            height, width = lattice.sides
            msg = (
                f"a patch within the lattice of {height} rows and {width} columns expected, found {self.patch}: "
                f"choose {min(lattice.sides)} or less"
            )
            raise InputError(msg)
        tell = self._strict if self.protocol == "strict" else self._paper
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            places, maps = tell(lattice, ground)
        return Enhanced(straight_between(places, maps, ground.asked.xy))

    def _strict(self, lattice: SpotLattice, ground: Ground) -> tuple[Places, Maps]:
        values, (column, row) = ground.values, torch.from_numpy(lattice.cell).T
        mean, spread = values.mean(axis=0), values.std(axis=0)
        spread[spread == 0] = 1
        maps, shown = torch.zeros(values.shape[1], *lattice.sides), torch.zeros(lattice.sides, dtype=torch.bool)
        maps[:, row, column] = _tensor(((values - mean) / spread).T)
        shown[row, column] = True
        network = FineMaps(patch=self.patch, width=self.width, n_heads=self.n_heads, depth=self.depth)
        options = TrainingOptions(
            epochs=self.max_epochs, batch_size=self.batch_size, learning_rate=self.learning_rate,
            schedule="constant", drop_last=False, seed=self.seed,
        )  # fmt: skip
        lessons = Lessons.of(maps, shown, step_px=lattice.step_px, seed=self.seed)
        fit_fine_maps(network, lessons, options=options)
        with torch.inference_mode():
            parts = [told(network, part, shown, step_px=lattice.step_px) for part in _parts(maps)]
        row, column = (axis.ravel() for axis in np.mgrid[: 2 * len(shown), : 2 * shown.shape[1]])
        return lattice.px(np.column_stack([column, row]) / 2), mean + spread * _array(parts)

    def _paper(self, lattice: SpotLattice, ground: Ground) -> tuple[Places, Maps]:
        hexagonal = lattice.staggered
        spots, counts = lattice.array if hexagonal else lattice.cell, ground.counts.X.toarray().astype(float)
        low, high = released.learnt_from(spots, hexagonal=hexagonal)
        (coarse, _), (fine, there) = (released.laid(counts, spots, pixels) for pixels in (low, high))
        network = ReleasedStEnTrans(patch=self.patch, n_heads=self.n_heads, depth=self.depth)
        fit_released(
            network, _tensor(coarse), _tensor(fine), torch.from_numpy(there),
            n_epochs=self.max_epochs, batch_size=self.batch_size, learning_rate=self.learning_rate,
        )  # fmt: skip
        pixels = released.answered_from(spots, hexagonal=hexagonal)
        maps = _tensor(released.laid(counts, spots, pixels)[0])
        with torch.inference_mode():
            parts = [released_told(network, part) for part in _parts(maps)]
        places = released.finer(pixels, hexagonal=hexagonal).reshape(-1, 2)
        if hexagonal:  # from array coordinates to steps of the lattice
            places = (places - lattice.array[0]) @ np.linalg.inv(lattice.basis) + lattice.cell[0]
        told_counts = np.maximum(_array(parts), 0)
        shares = told_counts / np.maximum(told_counts.sum(axis=1, keepdims=True), 1e-12)
        return lattice.px(places), np.log10(1 + ExpressionSpace.target_sum * shares)


def _parts(maps: Tensor) -> tuple[Tensor, ...]:
    return maps.split(max(1, _AT_ONCE // maps[0].numel()))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def _array(parts: list[Tensor]) -> Maps:
    return torch.cat(parts).flatten(1).T.double().numpy()
