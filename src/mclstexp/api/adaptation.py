"""A model recalibrated on a measured corner of a new slide."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mclstexp.api.models import load_model
from mclstexp.api.sections import read_one
from mclstexp.core import keys
from mclstexp.core.adaptation import PENALTY, Adaptation
from mclstexp.core.display import plural
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.identity import hash_section
from mclstexp.core.measured import learnable
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import UNKNOWN, Section
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.guard import reading
from mclstexp.io.model_folder import DESCRIPTION
from mclstexp.io.models import save_model
from mclstexp.io.targets import require_free

LEAST_SPOTS = 20
"""Fewer measured spots tell no error from noise."""


def adapt_model(
    model: Predictor | Path | str, section: Section, *, spots: Sequence[str] | None = None, penalty: float = PENALTY
) -> Predictor:
    """Recalibrate a model on measured spots of a new slide.

    What it predicts is moved, gene by gene, by the mean error on these spots, shrunk; and by what a ridge regression on
    the leading components of its own predictions tells of the errors. Nothing else of the model changes. What it is
    worth, and where it is worth nothing, is measured in docs/adapt.md.

    Parameters
    ----------
    model
        A fitted one, or the folder of a saved one.
    section
        The measured section.
    spots
        Names of the spots that are learnt from; all by default. Counts of the others are not looked at.
    penalty
        L2 penalty of the regression, in spots; infinite: the shift alone.

    Returns
    -------
    A model of its own; `model` is left as it is. ``provenance_["adapted"]`` says on what, and a prediction of those
    spots is warned of, for they have been seen.

    Raises
    ------
    InputError
        If the model was adapted before, a spot is not in the section, or fewer than `LEAST_SPOTS` have counts.
    """
    fitted = model if isinstance(model, Predictor) else load_model(model)
    if not penalty > 0:
        msg = f"a positive penalty expected, found {penalty!r}: infinite shifts each gene and does no more"
        raise InputError(msg)
    if not fitted.is_fitted:
        msg = f"a fitted model expected, found {fitted.name} before fit: call fit(sections) first"
        raise InputError(msg)
    if keys.ADAPTED in fitted.provenance_:
        where = fitted.provenance_[keys.ADAPTED]["section"]
        msg = f"a model as it was fitted expected, found one adapted to {where}: adapt the model that it was made of"
        raise InputError(msg)
    (corner,) = learnable([_corner(section.with_spec(fitted.spec_), spots)], space=fitted.space_)
    if len(corner) < LEAST_SPOTS:
        msg = f"at least {plural(LEAST_SPOTS, 'spot')} with counts to adapt on expected, found {len(corner)}"
        raise InputError(msg)
    predicted, truth = np.asarray(fitted.predict(corner.tiles).X), fitted.space_(corner.counts)
    adapted = copy.copy(fitted)
    adapted.adaptation_ = Adaptation.learn(predicted, truth, penalty=penalty)
    adapted.provenance_ = {
        **{name: said for name, said in fitted.provenance_.items() if name not in (keys.IDENTITY, keys.VERDICTS)},
        keys.ADAPTED: {
            "section": corner.id,
            "patient": UNKNOWN if corner.patient is None else corner.patient,
            "hash": hash_section(corner),
            "slide_sha256": corner.tiles.slide.fingerprint(),
            "spots": corner.tiles.ids.tolist(),
            "x_px": corner.tiles.xy[:, 0].tolist(),
            "y_px": corner.tiles.xy[:, 1].tolist(),
            "penalty": float(penalty) if np.isfinite(penalty) else "inf",
        },
    }
    return adapted


def adapt_file(
    run: Path | str, data: DataConfig, *, out: Path | str, spots: str | None = None, overwrite: bool = False
) -> Predictor:
    """Read a model and a section, adapt, and save the model.

    Parameters
    ----------
    run
        Folder of the model.
    data
        The section.
    out
        Folder of the adapted model.
    spots
        A file with one name a line, or names parted by commas; all by default.
    overwrite
        Whether a model that is already there is replaced.

    Raises
    ------
    InputError
        As `adapt_model`; if anything cannot be read, or the place is taken.
    """
    require_free(Path(out), mark=DESCRIPTION, what="the model", overwrite=overwrite)
    model = load_model(run)
    adapted = adapt_model(model, read_one(data, model.spec_), spots=None if spots is None else _names(spots))
    save_model(adapted, out, overwrite=overwrite)
    return adapted


def _names(said: str) -> list[str]:
    path = Path(said)
    if not path.suffix and not path.is_file():
        return [name.strip() for name in said.split(",") if name.strip()]
    with reading(path, "a list of spots, one a line"):
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def _corner(section: Section, spots: Sequence[str] | None) -> Section:
    if spots is None:
        return section
    if not len(spots):
        msg = f"names of spots of {section.id} expected, found none: name some with {word('spots')}, or leave it out"
        raise InputError(msg)
    at = {str(name): row for row, name in enumerate(section.tiles.ids)}
    lost = [name for name in spots if name not in at]
    if lost:
        msg = f"spots of {section.id} expected, found {lost[0]!r} which is none: check {word('spots')}"
        raise InputError(msg)
    return section.take([at[name] for name in spots])
