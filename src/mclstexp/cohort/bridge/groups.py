"""Groups of a slide's tiles, within which expression is averaged: kinds of tiles, or domains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from anndata import AnnData
from jaxtyping import Float
from safetensors import safe_open

from mclstexp.cohort.feature_files import FileBag, feature_files
from mclstexp.cohort.mixture import Mixture
from mclstexp.cohort.prototypes import Prototypes
from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.io.guard import reading
from mclstexp.io.outcome_models import load_outcome_model

_NEAR_PX = 0.5
"""How far a tile's centre may lie from where its features were taken."""


@runtime_checkable
class Groups(Protocol):
    """Says of each tile of a slide how much of it is in which group."""

    @property
    def kind(self) -> str:
        """What a group is called."""

    def of(self, predicted: AnnData, *, slide: str) -> tuple[list[str], Float[np.ndarray, "n_tiles k"]]:
        """Return names of groups, and how much of each tile is in each."""


class Domains:
    """The domains that were found on the prediction itself, ``obs["domain"]``."""

    kind = "domain"

    def of(self, predicted: AnnData, *, slide: str) -> tuple[list[str], Float[np.ndarray, "n_tiles k"]]:
        """See `Groups.of`.

        Raises
        ------
        InputError
            If there are none.
        """
        if keys.DOMAIN not in predicted.obs:
            msg = f'domains (obs["{keys.DOMAIN}"]) expected in the prediction of {slide}, found none: find them first'
            raise InputError(msg)
        said = predicted.obs[keys.DOMAIN].astype(str).to_numpy(object)
        names = sorted(set(said))
        return names, np.stack([said == name for name in names], axis=1).astype(np.float64)


@dataclass(frozen=True)
class ByPrototype:
    """The kinds of tiles that a fitted model of patients knows, told by the features of the very tiles."""

    model: OutcomeModel | Path | str
    """The model, or its folder: one that has prototypes."""
    features: Path | str
    """Folder that ``cohort features`` wrote, of the same slides and tiles."""

    kind = "prototype"

    def of(self, predicted: AnnData, *, slide: str) -> tuple[list[str], Float[np.ndarray, "n_tiles k"]]:
        """See `Groups.of`: how likely each tile comes from each prototype.

        Raises
        ------
        InputError
            If the model has no prototypes, or there are no features of these tiles.
        """
        found, start = _prototypes(self.model)
        file = feature_files(Path(self.features)).get(slide)
        if file is None:
            msg = f"features of {slide} expected in {self.features}, found none: embed its tiles (cohort features)"
            raise InputError(msg)
        _require_same_tiles(file, np.asarray(predicted.obsm["spatial"]), slide=slide)
        return found.names, np.concatenate([start.responsibilities(chunk) for chunk in found.chunks(FileBag([file]))])


def _prototypes(model: OutcomeModel | Path | str) -> tuple[Prototypes, Mixture]:
    fitted = model if isinstance(model, OutcomeModel) else load_outcome_model(model)
    if (maker := getattr(fitted, "maker_", None)) is not None:
        return maker.prototypes, maker.prior.start()
    if not hasattr(fitted, "prototypes_"):
        msg = f"a model that has prototypes expected, found {fitted.name}: take prototype_shares or one that has them"
        raise InputError(msg)
    return fitted.prototypes_, fitted.prior_.start()  # type: ignore[attr-defined]  # as those that have prototypes


def _require_same_tiles(file: Path, xy: Float[np.ndarray, "n 2"], *, slide: str) -> None:
    found = None
    if file.suffix.lower() == ".safetensors":
        with reading(file, "features of a slide's tiles"), safe_open(file, framework="numpy") as opened:
            found = opened.get_tensor("xy") if "xy" in opened.keys() else None  # noqa: SIM118  no mapping
    if found is None:
        msg = f"features that say where each tile lies expected in {file}, found none: make them with cohort features"
        raise InputError(msg)
    if found.shape != xy.shape or np.abs(found - xy).max(initial=0) > _NEAR_PX:
        msg = (
            f"features of the tiles that were predicted expected for {slide}, found {len(found)} other ones for "
            f"{len(xy)}: embed and predict tiles of one size and scale"
        )
        raise InputError(msg)
