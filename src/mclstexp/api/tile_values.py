"""Which tiles of a slide speak for what, by a model of patients."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

from anndata import AnnData

from mclstexp.cohort.bridge.overlap import require_same_origin
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.feature_files import FileBag
from mclstexp.cohort.table import Cohort
from mclstexp.cohort.table import read_cohort as read_from
from mclstexp.cohort.tile_places import read_places
from mclstexp.cohort.tile_values import as_slide, require_tiles, tile_values
from mclstexp.core.cohort import Patients
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.io.outcome_models import load_outcome_model
from mclstexp.io.predictions import write_prediction
from mclstexp.io.slides import open_slide
from mclstexp.io.targets import require_free_file


def explain_slide(
    model: OutcomeModel | Path | str,
    features: Path | str,
    *,
    cohort: CohortConfig | Cohort | None = None,
    image: Path | str | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
) -> AnnData:
    """Say what each tile of a slide adds to its patient's risk, and which kind of tile it is.

    Parameters
    ----------
    model
        A model of outcomes that looks at tiles, or the folder of one.
    features
        The slide's file of tile features, named after the slide; its tiles' places are in it.
    cohort
        Whose slide it is, for a model that looks at more than tiles; where it names features, all slides of the patient
        count. By default the slide is a patient of its own.
    image
        The slide itself, where the file does not say its scale.
    out
        File (.h5ad), which ``mclstexp view`` shows over the slide.
    overwrite
        Whether a file that is already there is replaced.

    Returns
    -------
    A row for each tile, its centre in ``obsm["spatial"]``; columns "risk contribution", "attention" of networks that
    have one, and "prototype 1", … with how likely the tile is of the kind. ``uns["mclstexp"]`` has the patient's
    "risk" and, where that is exact ("adds_up"), "risk_of_tiles" (what all its tiles add) and "risk_elsewhere"; "says"
    has it in sentences.

    Raises
    ------
    InputError
        If the model says nothing of tiles or needs more than is given, no patient has the slide, the file has no
        places, or the place cannot be written to.
    """
    if out is not None:
        require_free_file(
            Path(out), what="the tiles' values", overwrite=overwrite, endings=(".h5ad",), made_of=[features]
        )
    fitted = model if isinstance(model, OutcomeModel) else load_outcome_model(model)
    require_tiles(fitted)
    path = Path(features)
    places = read_places(path)
    if image is not None:
        opened = open_slide(image, mpp=places.slide_mpp)
        places = places.on(opened)
        places = replace(places, of={"slide_file": Path(image).name, **places.of})
    if places.slide_mpp is None:
        msg = f"the scale of the slide (µm per pixel) expected in {path}, found none: name it with {word('image')}"
        raise InputError(msg)
    patient, start, note = _whose(fitted, path, cohort)
    values = tile_values(fitted, patient)
    rows = slice(start, start + len(places.xy))
    about = {"note": note} if note else {}
    said = as_slide(values, rows, places, slide=path.stem, model=fitted, about=about)
    if note:
        warnings.warn(note, stacklevel=2)
    if out is not None:
        write_prediction(said, out)
    return said


def _whose(model: OutcomeModel, path: Path, cohort: CohortConfig | Cohort | None) -> tuple[Patients, int, str]:
    """Return the patient of a slide, at which of its tiles the slide begins, and what is to be noted."""
    if cohort is None:
        if more := model.takes - {"bags"}:
            what = " and ".join(sorted(more))
            msg = f"{what} of the patient expected beside tiles for {model.name}, found none: name {word('cohort')}"
            raise InputError(msg)
        return Patients((path.stem,), bags=(FileBag([path]),)), 0, ""
    if isinstance(cohort, CohortConfig) and cohort.covariates is None:
        cohort = replace(cohort, covariates=model.columns_.get("covariates", ()))
    read = read_from(cohort) if isinstance(cohort, CohortConfig) else cohort
    require_same_origin(model, read)
    name = next((name for name, slides in read.slides.items() if path.stem in slides), None)
    if name is None:
        every = [slide for slides in read.slides.values() for slide in slides]
        msg = f"a patient with the slide {path.stem} expected in {read.name}, found none: {suggest(path.stem, every)}"
        raise InputError(msg)
    patient = read.patients.subset([name])
    files = [] if patient.bags is None else getattr(patient.bags[0], "files", ())
    if path.stem in [file.stem for file in files]:
        before = list(files[: [file.stem for file in files].index(path.stem)])
        return patient, FileBag(before).n_tiles if before else 0, ""
    many = len(read.slides[name])
    note = f"the patient has {many} slides, and this one stands for all: name the folder of features" * (many > 1)
    return replace(patient, bags=(FileBag([path]),)), 0, note
