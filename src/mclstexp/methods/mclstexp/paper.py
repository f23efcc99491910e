"""The paper protocol of mclSTExp: the published network and its bank (Min et al., arXiv 2407.08216)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.predictor import State
from mclstexp.core.retrieval import Retrieval
from mclstexp.core.section import Section
from mclstexp.core.stored import stored_encoder
from mclstexp.core.tiles import Tiles
from mclstexp.data.features import cache_folder
from mclstexp.methods.mclstexp.bank import bank_of, origins, saved_bank
from mclstexp.nn.image_encoders import ImageEncoder, create_encoder, untrained_encoder
from mclstexp.nn.published import PublishedModel, as_released, embed_in_batches
from mclstexp.nn.published_weights import load_published
from mclstexp.sight.embed import check_encoder, embed_tiles, frozen_encoder
from mclstexp.training.aligned import flat_state, unflatten
from mclstexp.training.augment import as_published
from mclstexp.training.published import PublishedTable, fit_published
from mclstexp.training.tile_batches import TileBatches

if TYPE_CHECKING:
    from mclstexp.methods.mclstexp.method import MclSTExp


class Paper:
    """The published network and its bank."""

    def __init__(self, options: MclSTExp, space: ExpressionSpace) -> None:
        self.options, self.space = options, space

    @property
    def encoder_name(self) -> str:
        """Name of the image encoder."""
        return self.options._encoder

    @property
    def _tuned(self) -> bool:
        return self.options.train_encoder or bool(self.options.checkpoint)

    @cached_property
    def _frozen(self) -> ImageEncoder:
        return as_released(create_encoder(self.encoder_name))

    def fit(self, sections: list[Section], *, workdir: Path | None) -> None:
        """Learn from training sections; see `Predictor.fit`."""
        self.encoder = {} if self._tuned else frozen_encoder(self.encoder_name)
        table = PublishedTable.build(sections, space=self.space)
        n_positions = int(table.position.max()) + 1
        device, seed = self.options.torch_device(), self.options.seed
        if self.options.checkpoint:
            self.model = load_published(Path(self.options.checkpoint), n_positions=n_positions).to(device)
            n_genes = self.model.spot_projection.projection.in_features
            if n_genes != len(self.space.genes):
                msg = (
                    f"a panel of {n_genes} genes, in the order the checkpoint was fitted on, expected, "
                    f"found {len(self.space.genes)}: give that list of genes"
                )
                raise InputError(msg)
        else:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                encoder = as_released(create_encoder(self.encoder_name))
                fitted = encoder if self._tuned else nn.Identity()
                self.model = self._build(fitted, n_features=encoder.dim, n_positions=n_positions).to(device)
            options = self.options.training_options(epochs=self.options.epochs or 90, seed=seed)
            dtype = self.options.torch_dtype() if self._tuned else torch.float32
            fit_published(self.model, table, self._images(sections), options=options, dtype=dtype, workdir=workdir)
        keys = embed_in_batches(self.model, table.inputs.to(device), table.position.to(device)).cpu().numpy()
        self.bank = bank_of(table, keys=keys, expression=table.values)

    def _build(self, encoder: nn.Module, *, n_features: int, n_positions: int) -> PublishedModel:
        return PublishedModel(
            encoder,
            n_features=n_features,
            n_genes=len(self.space.genes),
            n_positions=n_positions,
            dim=self.options.dim or 256,
            n_blocks=2 if self.options.n_blocks is None else self.options.n_blocks,
        )

    def _images(self, sections: list[Section]) -> Callable[[Tensor], Tensor]:
        if self.options.train_encoder:
            batches = TileBatches([section.tiles for section in sections])
            return lambda rows: as_published(batches(rows))
        features = torch.from_numpy(np.concatenate([self._features(section.tiles) for section in sections]))
        return lambda rows: features[rows]

    def _features(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_features"]:
        if self._tuned:
            encoder = self.model.image_encoder
            assert isinstance(encoder, ImageEncoder)  # `_build` put it there
            return embed_tiles(tiles, encoder, precision="float32")
        return embed_tiles(tiles, self._frozen, cache_dir=cache_folder())

    @torch.inference_mode()
    def _queries(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles dim"]:
        if not self._tuned:
            check_encoder(self.encoder_name, self.encoder)
        features = torch.from_numpy(self._features(tiles)).to(self.options.torch_device())
        return self.model.eval().image_projection(features).cpu().numpy()

    def predict(self, tiles: Tiles) -> Float[np.ndarray, "n_tiles n_genes"]:
        """Predict at tiles; see `Predictor.predict`."""
        return self.bank.query(self._queries(tiles), **self._rule)

    def retrievals(self, tiles: Tiles) -> tuple[Retrieval, ...]:
        """Say which spots are averaged; see `Predictor.retrieve`."""
        return (self.bank.retrieve(self._queries(tiles), **self._rule),)

    @property
    def _rule(self) -> dict[str, Any]:
        o = self.options
        return {"k": o.k or 200, "weights": "inverse_square", "norm": o.norm, "device": str(o.torch_device())}

    def reference_distance(self, tiles: Tiles) -> Float[np.ndarray, " n_tiles"]:
        """Say how far tiles lie from the bank; see `Predictor.reference_distance`."""
        return self.bank.distance(self._queries(tiles), device=str(self.options.torch_device()))

    def get_state(self) -> State:
        """Return what a saved model keeps."""
        arrays = {"bank.keys": self.bank.keys, "bank.expression": self.bank.expression}
        arrays |= {f"model.{name}": array for name, array in flat_state(self.model).items()}
        return State(arrays=arrays, meta={"encoder": self.encoder, **origins(self.bank)})

    def set_state(self, state: State) -> None:
        """Take back what `get_state` returned."""
        self.encoder = stored_encoder(state)
        weights = unflatten(state.arrays, "model.")
        encoder: nn.Module = nn.Identity()
        if self._tuned:
            name = "densenet121" if self.options.checkpoint else self.encoder_name
            encoder = as_released(untrained_encoder(name))
        n_features = weights["image_projection.projection.weight"].shape[1]
        self.model = self._build(encoder, n_features=n_features, n_positions=len(weights["position.column.weight"]))
        self.model.load_state_dict(weights)
        self.model.eval().to(self.options.torch_device())
        self.bank = saved_bank(state, keys="bank.keys", n_genes=len(self.space.genes))
