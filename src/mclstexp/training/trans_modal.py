"""Fitting Genetic InfoMax over batches of individuals or spots."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from mclstexp.nn.trans_modal import Estimator, TransModal, information_loss, spread_loss
from mclstexp.training.distributed import gather
from mclstexp.training.loop import TrainingOptions, my_share
from mclstexp.training.progress import train_shown


def fit_trans_modal(
    model: TransModal,
    features: Float[Tensor, "n n_features"],
    others: Float[Tensor, "n _"],
    *,
    options: TrainingOptions,
    spread: float = 0.1,
    estimator: Estimator = "infonce",
    workdir: Path | None = None,
) -> list[dict[str, float]]:
    """Fit a model to what images and the other modality share; row *i* of both belongs together.

    Parameters
    ----------
    model, features, others
        On one device.
    spread
        Weight of `spread_loss` on the traits.
    estimator
        See `information_loss`.
    options, workdir
        See `train`.

    Returns
    -------
    The history of `train`.
    """

    def step(rows: Tensor) -> Tensor:
        mine = my_share(rows).to(features.device)
        traits = gather(model.image(features[mine]))
        images = model.image_head(traits)
        told = gather(model.embed_other(others[mine]))
        loss = information_loss(
            images / images.norm(dim=-1, keepdim=True).clamp(min=1e-12),
            told,
            temperature=model.temperature,
            estimator=estimator,
        )
        return loss + spread * spread_loss(traits) if spread else loss

    return train_shown(model, step, len(features), options=options, workdir=workdir, label="genetic_infomax")
