"""Intervals for new tissue: learnt by leaving individuals out, kept in a file, laid about predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from anndata import AnnData

from mclstexp.analysis.pairs import Pair
from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.measured import learnable
from mclstexp.core.predictor import Predictor, options
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles
from mclstexp.evaluation.calibration import LEVEL, Scope, new_widths
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.atomic import atomic_path
from mclstexp.io.guard import reading
from mclstexp.io.models import load_model
from mclstexp.io.targets import require_free_file
from mclstexp.methods import list_methods
from mclstexp.retrieval.spread import with_quantiles

_FORMAT: Final = 1


@dataclass(frozen=True)
class Intervals:
    """How wide intervals about a method's predictions must be."""

    method: str
    """Name of the method."""
    options: dict[str, str]
    """Its options, as text."""
    terms: dict[str, str]
    """Scale, tiles and encoder weights of the model: of any other the widths would be in another unit, or of another
    eye."""
    level: float
    """Share of measured values that the intervals are meant to hold."""
    scope: Scope
    """For whom they hold it."""
    widths: dict[str, float]
    """By gene, what is added to both ends of the retrieved spots' quantiles; of a method that keeps no spots, of the
    predicted value itself."""

    @classmethod
    def learn(cls, model: Predictor, sections: Sequence[Section], *, level: float = LEVEL) -> Self:
        """Fit a model's method anew with each individual left out, and see how far off it is there.

        Where fewer than two individuals are known sections are left out in turn, and the intervals hold for these.

        Parameters
        ----------
        model
            A fitted one; its options and space are used, nothing that it learnt.
        sections
            Those it was fitted on, or others like them.
        level
            Share of measured values that the intervals are meant to hold.

        Raises
        ------
        InputError
            If there is one section alone, the level is no share, or the method cannot be fitted.
        """
        if not 0 < level < 1:
            msg = f"a level between 0 and 1 expected, found {level}: 0.8 asks for intervals that hold 80 %"
            raise InputError(msg)
        _require_as_fitted(model)
        imputed = model.provenance_.get(keys.IMPUTED)
        if imputed is not None:
            msg = (
                f"a model of measured genes expected to learn intervals of, found {len(imputed['genes'])} imputed "
                "genes, which nobody measured: fit one without them"
            )
            raise InputError(msg)
        kept = learnable(sections, space=model.space_)
        known = {section.patient for section in kept if section.patient is not None}
        units = sorted(known) if len(known) > 1 else [section.id for section in kept]
        if len(units) < 2:
            msg = f"two sections or more to learn intervals on expected, found {len(kept)} with counts: give others too"
            raise InputError(msg)
        pairs = []
        for unit in units:
            out = [section for section in kept if unit in ((section.patient,) if len(known) > 1 else (section.id,))]
            # a section of an unknown individual may be of this one
            train = [s for s in kept if s not in out and (s.patient is not None or len(known) < 2)]
            fitted = type(model)(**options(model)).fit(train, space=model.space_)
            pairs += [_asked(fitted, section, level=level) for section in out]
        widths, scope = new_widths(pairs, level=level)
        return cls(*_of(model), level, scope, {str(gene): float(width) for gene, width in widths.items()})

    def lay(self, model: Predictor, tiles: Tiles, predicted: AnnData) -> AnnData:
        """Add the layers "low" and "high" to a prediction.

        Parameters
        ----------
        model, tiles, predicted
            A model of this method, what it was asked, and its answer, which is changed and returned.

        Raises
        ------
        InputError
            If the model is of another method, has other options, scale, tiles or encoder weights, or predicts a gene
            without a width.
        """
        _require_as_fitted(model)
        name, said, terms = _of(model)
        missing = [gene for gene in model.genes_ if gene not in self.widths]
        differ = [term for term in terms | self.terms if terms.get(term) != self.terms.get(term)]
        if (name, said) != (self.method, self.options) or differ or missing:
            other = f"those of {self.method}, fitted in another way"
            if (name, said) == (self.method, self.options):
                term = differ[0] if differ else ""
                other = f"{self.terms.get(term)} for its {term}" if differ else f"no width of {missing[0]!r}"
            msg = f"intervals learnt for this model of {model.name} expected, found {other}: learn them for it"
            raise InputError(msg)
        with_quantiles(model, tiles, predicted, level=self.level)
        low, high = (predicted.layers.get(name, predicted.X) for name in (keys.LOW, keys.HIGH))
        width = np.array([self.widths[gene] for gene in model.genes_], np.float32)
        width = np.maximum(width, (low - high) / 2)
        predicted.layers[keys.LOW], predicted.layers[keys.HIGH] = low - width, high + width
        predicted.uns[keys.PROVENANCE][keys.INTERVALS] = {"level": self.level, "scope": self.scope}
        return predicted


def _require_as_fitted(model: Predictor) -> None:
    """Refuse an adapted model: what is learnt by leaving individuals out is of the model as it was fitted."""
    if keys.ADAPTED in model.provenance_:
        where = model.provenance_[keys.ADAPTED]["section"]
        msg = f"a model as it was fitted expected for intervals, found one adapted to {where}: give that it was made of"
        raise InputError(msg)


def _of(model: Predictor) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return name, options and terms of a fitted model."""
    weights = model.provenance_.get("numerics", {}).get("weights_hash", "")
    terms = {"scale": str(model.space_), "tiles": str(model.spec_), "encoder weights": weights}
    return model.name, {name: repr(value) for name, value in model.provenance_["options"].items()}, terms


def _asked(model: Predictor, section: Section, *, level: float) -> Pair:
    return Pair(section, with_quantiles(model, section.tiles, model.predict(section.tiles), level=level))


def calibrate(
    run: Path | str, data: DataConfig, *, out: Path | str, level: float = LEVEL, overwrite: bool = False
) -> Intervals:
    """Learn intervals for a saved model, and write them.

    Parameters
    ----------
    run
        Folder of the model.
    data
        The sections it was fitted on, or others like them; individuals are left out in turn where several are known.
    out
        JSON file, which `predict` takes.
    level
        Share of measured values that the intervals are meant to hold.
    overwrite
        Whether a file that is there is replaced.

    Raises
    ------
    InputError
        As `Intervals.learn`; if model or data cannot be read; if the place is taken or cannot be written to.
    """
    out = Path(out)
    require_free_file(out, what="the intervals", overwrite=overwrite)
    model = load_model(run, methods=list_methods())
    found = Intervals.learn(model, data.read(model.spec_), level=level)
    plain = asdict(found) | {"widths": {g: float(w) if np.isfinite(w) else None for g, w in found.widths.items()}}
    with atomic_path(out) as path:
        path.write_text(json.dumps({"format": _FORMAT, **plain}, indent=1) + "\n", encoding="utf-8")
    return found


def read_intervals(path: Path | str) -> Intervals:
    """Read what `calibrate` wrote.

    Raises
    ------
    InputError
        If there is nothing, or something else.
    """
    with reading(Path(path), "intervals that mclstexp calibrate wrote"):
        said: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        if said["format"] != _FORMAT:
            msg = f"it has format {said['format']}, and this version reads {_FORMAT}"
            raise ValueError(msg)
        widths = {str(g): float("nan") if w is None else float(w) for g, w in said["widths"].items()}
        if any(np.isinf(width) for width in widths.values()):
            msg = "a width in it is infinite"
            raise ValueError(msg)
        if not (0 < said["level"] < 1 and all(isinstance(said[name], str) for name in ("method", "scope"))):
            msg = "its level or names are none"
            raise ValueError(msg)
        chosen, terms = ({str(k): str(v) for k, v in said[part].items()} for part in ("options", "terms"))
        return Intervals(said["method"], chosen, terms, float(said["level"]), said["scope"], widths)
