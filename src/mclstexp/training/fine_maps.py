"""Fitting stEnTrans's network on maps of genes: from a quarter of the spots, or fewer, to all of them."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.nn.stentrans import FineMaps
from mclstexp.training.loop import TrainingOptions, train
from mclstexp.training.progress import epoch_progress

LEFT_OUT: Final = 0.1
"""Share of the spots that is never shown, and says when to stop."""
DROPPED: Final = (0.25, 0.75)
"""Share of the spots that goes missing from the map itself, and from half of the coarse ones."""
ITSELF: Final = 0.3
"""Share of the batches in which the map itself is shown, with holes to be told; in the others a coarse one is."""
PATIENCE: Final = 15
"""Epochs without a better one."""
_EPOCH: Final = 512
"""Maps in an epoch at least: few genes are gone through several times."""
_JUDGED: Final = 256
"""Genes by which epochs are judged, at most."""
_PIXELS: Final = 2**20
"""Pixels of all maps of an epoch, at most: of a large section it sees some genes, drawn anew."""
_AT_ONCE: Final = 2**16
"""Pixels of all maps of a batch, at most."""

Offset = tuple[int, int] | None
"""(row, column) of a coarse map's first pixel, each 0 or 1; None is the map itself."""
Pixels = Bool[Tensor, "_ _"]


def fit_fine_maps(network: FineMaps, lessons: Lessons, *, options: TrainingOptions) -> None:
    """Teach a new network; keep it as it was when it told the spots best that are left out of everything."""
    lessons.set_share(network)
    kept, least, waited = copy.deepcopy(network.state_dict()), lessons.left_out_error(network), 0

    def judge(epoch: int, loss: float) -> bool:
        nonlocal kept, least, waited
        show(epoch, loss)
        error, waited = lessons.left_out_error(network), waited + 1
        if error < least:
            kept, least, waited = copy.deepcopy(network.state_dict()), error, 0
        return waited >= PATIENCE

    n_rows = min(len(lessons.maps) * -(-_EPOCH // len(lessons.maps)), max(1, _PIXELS // lessons.n_pixels))
    at_once = min(options.batch_size, max(1, _AT_ONCE // lessons.n_pixels))
    options = replace(options, batch_size=at_once)
    with epoch_progress("stentrans", options.epochs) as show:
        train(network, lambda rows: lessons.drawn_error(network, rows), n_rows, options=options, on_epoch=judge)
    network.load_state_dict(kept)


@dataclass(frozen=True, eq=False)
class Lessons:
    """Maps of a section's genes with fewer spots, and the spots that they are to tell."""

    maps: Float[Tensor, "n_genes height width"]
    """Each gene with mean 0 and spread 1 over the spots; 0 where none is."""
    taught: Pixels
    """Spots that are shown and told."""
    left_out: Pixels
    """Spots that are neither."""
    step_px: Float[np.ndarray, "2 2"]
    """Where the next column and the next row lie."""

    @classmethod
    def of(
        cls,
        maps: Float[Tensor, "n_genes height width"],
        shown: Pixels,
        *,
        step_px: Float[np.ndarray, "2 2"],
        seed: int,
    ) -> Self:
        """Part the spots by chance.

        Raises
        ------
        InputError
            If the spots lie so that no coarse map has another one to tell.
        """
        spots, left_out = shown.flatten().nonzero().flatten(), torch.zeros_like(shown)
        drawn = np.random.default_rng(seed).permutation(len(spots))[: max(1, round(LEFT_OUT * len(spots)))]
        left_out.view(-1)[spots[drawn]] = True
        lessons = cls(maps, shown & ~left_out, left_out, step_px)
        if not lessons.offsets:
            msg = f"spots next to each other to learn from expected, found none among {len(spots)}: use kriging"
            raise InputError(msg)
        return lessons

    @property
    def n_pixels(self) -> int:
        """Pixels of a map."""
        return self.taught.numel()

    @property
    def all_fit(self) -> bool:
        """Whether an epoch sees every gene."""
        return len(self.maps) * self.n_pixels <= _PIXELS

    @cached_property
    def offsets(self) -> tuple[Offset, ...]:
        """Coarse maps that have a spot, and one to tell."""
        every: tuple[Offset, ...] = ((0, 0), (0, 1), (1, 0), (1, 1))
        seen = {offset: _coarse(self.taught, offset) for offset in every}
        return tuple(offset for offset in every if seen[offset].any() and self._unseen(seen[offset], offset).any())

    def drawn_error(self, network: FineMaps, rows: Tensor) -> Tensor:
        """Return the error of some genes at spots that a map does not show which is drawn, and has holes."""
        itself = bool(torch.rand(()) < ITSELF)
        offset = None if itself else self.offsets[int(torch.randint(len(self.offsets), ()))]
        seen = _coarse(self.taught, offset)
        if itself or torch.rand(()) < 0.5:
            low, high = DROPPED
            fewer = seen & (torch.rand(seen.shape) >= low + (high - low) * torch.rand(()))
            seen = fewer if fewer.any() and not torch.equal(fewer, seen) else self._one_less(seen)
        genes = rows % len(self.maps) if self.all_fit else torch.randint(len(self.maps), rows.shape)
        return self._error(network, genes, offset, seen=seen, wanted=self._unseen(seen, offset))

    def left_out_error(self, network: FineMaps) -> float:
        """Return the error at the spots that are left out: of the map itself, and of the coarse ones."""
        network.eval()
        n_judged = min(_JUDGED, max(1, _PIXELS // 4 // self.n_pixels))
        rows, errors = torch.arange(len(self.maps))[:: -(-len(self.maps) // n_judged)], {}
        for offset in (None, *self.offsets):
            wanted = _fine(self.left_out, offset)
            if wanted.any():
                seen = _coarse(self.taught, offset)
                with torch.inference_mode():
                    errors[offset] = float(self._error(network, rows, offset, seen=seen, wanted=wanted))
        itself, coarse = errors.pop(None), list(errors.values())
        return (itself + float(np.mean(coarse))) / 2 if coarse else itself

    @torch.no_grad()
    def set_share(self, network: FineMaps) -> None:
        """Set the share of the nearest spot's value that tells spots between best; few do more than a part."""
        along = square = 0.0
        network.share.fill_(1)
        for offset in self.offsets:
            low, seen = _coarse(self.maps, offset), _coarse(self.taught, offset)
            wanted = self._unseen(seen, offset)
            nearest = told(network, low, seen, step_px=self.step_px)[:, wanted]
            along += float((nearest * _fine(self.maps, offset)[:, wanted]).sum())
            square += float((nearest**2).sum())
        network.share.fill_(along / max(square, 1e-12))

    def _one_less(self, seen: Pixels) -> Pixels:
        """Hide one spot of several."""
        spots, fewer = seen.flatten().nonzero().flatten(), seen.clone()
        if len(spots) > 1:
            fewer.view(-1)[spots[int(torch.randint(len(spots), ()))]] = False
        return fewer

    def _unseen(self, seen: Pixels, offset: Offset) -> Pixels:
        wanted = _fine(self.taught, offset).clone()
        wanted[::2, ::2] &= ~seen
        return wanted

    def _error(self, network: FineMaps, rows: Tensor, offset: Offset, *, seen: Pixels, wanted: Pixels) -> Tensor:
        maps = self.maps[rows]
        found = told(network, _coarse(maps, offset), seen, step_px=self.step_px)
        return masked_error(found, _fine(maps, offset), wanted)


def told(
    network: FineMaps,
    maps: Float[Tensor, "n_genes height width"],
    shown: Pixels,
    *,
    step_px: Float[np.ndarray, "2 2"],
) -> Float[Tensor, "n_genes fine_height fine_width"]:
    """Return maps twice as fine of some in which a spot, at least, is shown."""
    row, column = np.mgrid[: shown.shape[0], : shown.shape[1]]
    places, at = np.stack([column, row], axis=-1) @ step_px, shown.numpy()
    _, nearest = cKDTree(places[at]).query(places)
    return network(maps, shown.float(), torch.from_numpy(np.flatnonzero(at)[nearest]))


def masked_error(
    found: Float[Tensor, "n height width"],
    truth: Float[Tensor, "n height width"],
    counted: Bool[Tensor, "height width"],
) -> Float[Tensor, ""]:
    """Return the mean squared error over the pixels that count."""
    return ((found - truth) ** 2)[:, counted].mean()


def _coarse(maps: Shaped[Tensor, "*n height width"], offset: Offset) -> Shaped[Tensor, "*n rows columns"]:
    """Return every second row and column, or the map itself."""
    return maps if offset is None else maps[..., offset[0] :: 2, offset[1] :: 2]


def _fine(maps: Shaped[Tensor, "*n height width"], offset: Offset) -> Shaped[Tensor, "*n rows columns"]:
    """Return what that is to become: all rows and columns from its first on, or the map with empty ones between."""
    if offset is None:
        fine = maps.new_zeros(*maps.shape[:-2], 2 * maps.shape[-2], 2 * maps.shape[-1])
        fine[..., ::2, ::2] = maps
        return fine
    rest = maps[..., offset[0] :, offset[1] :]
    return functional.pad(rest, (0, rest.shape[-1] % 2, 0, rest.shape[-2] % 2))
