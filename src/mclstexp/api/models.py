"""Models: fitted, imported, loaded, described."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mclstexp.analysis.gene_ranking import VERDICTS
from mclstexp.api.imputed_targets import ImputedTargets
from mclstexp.api.verdicts import read_verdicts, tell
from mclstexp.core import identity, keys
from mclstexp.core.display import plural, some
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.imputed import imputed_genes
from mclstexp.core.measured import blank_spots, learnable
from mclstexp.core.options import build
from mclstexp.core.predictor import Predictor, options
from mclstexp.core.progress import step
from mclstexp.core.section import Section
from mclstexp.evaluation.config import FitConfig, make_method
from mclstexp.evaluation.toml import read_genes
from mclstexp.io import generators, models
from mclstexp.io.atomic import restore
from mclstexp.io.checks import check_section
from mclstexp.io.guard import guarded
from mclstexp.io.model_folder import read_json
from mclstexp.io.outcome_models import read_outcome_description
from mclstexp.io.provenance import code_version, source_hash
from mclstexp.io.targets import require_free
from mclstexp.io.working import working_folder, working_path
from mclstexp.methods import list_methods, method_class
from mclstexp.training.distributed import process_group, rank

_log = logging.getLogger(__name__)


def load_model(folder: Path | str) -> Predictor:
    """Read a fitted model of any known method; see `mclstexp.io.models.load_model`."""
    return models.load_model(folder, methods=list_methods())


def fit_model(
    method: str,
    config: FitConfig,
    *,
    out: Path | str,
    overwrite: bool = False,
    on_warning: Callable[[str], None] | None = None,
) -> Predictor:
    """Fit a method on sections and save it; a fit that was killed resumes when it is run again.

    A model that is there already, fitted in the same way on the same sections, is returned as it is. Checkpoints lie in
    a hidden folder beside `out` until the model is saved. Under ``torchrun`` the processes train together and the first
    one writes.

    Parameters
    ----------
    method
        A name of `list_methods`.
    config
        Data, tiles, panel and options.
    out
        Folder of the model.
    overwrite
        Whether a model that is already there is replaced.
    on_warning
        Called with each sentence that `validate` would say of the sections; by default they are logged.

    Raises
    ------
    InputError
        If an option, the data or the place cannot be used, or another run is at it.
    """
    out = Path(out)
    if overwrite or _identity(out) is None:
        require_free(out, mark=models.DESCRIPTION, what="the model", overwrite=overwrite)
    model = make_method(method, config.options, preset=config.preset)
    min_counts = config.data.min_counts
    panel = None if config.genes is None else read_genes(config.genes)  # cheap, and wrong soonest
    imputed = None if config.impute is None else ImputedTargets.read(config.impute)
    verdicts = [] if config.verdicts is None else [read_verdicts(config.verdicts, model)]
    with process_group(), _workdir(out) as workdir:
        sections = config.data.read(config.tile)
        for sentence in _findings(sections, min_counts=min_counts):
            (on_warning or _log.warning)(sentence)
        if imputed is None:
            space = _space(model, sections, config, panel=panel)
            key = _key(model, sections, [space, min_counts, *verdicts])
        else:  # what is there already is not imputed again
            key = _key(model, sections, [panel, config.scale, min_counts, imputed.known_by(), *verdicts])
        if not overwrite and key == _identity(out):
            with suppress(InputError):  # one that is damaged is made again
                return load_model(out)
        require_free(out, mark=models.DESCRIPTION, what="the model", overwrite=overwrite)
        if imputed is not None:
            sections = imputed.on(sections, panel=panel)
            space = _space(model, sections, config, panel=panel)
        n_spots = sum(map(len, sections))
        step(f"{method} learns from {plural(len(sections), 'section')}, {plural(n_spots, 'spot')}")
        model.fit(sections, space=space, workdir=workdir, min_counts=min_counts)
        for found in verdicts:
            tell(model, found)
        if rank() == 0:
            model.provenance_ |= {"code": code_version(), keys.IDENTITY: key}
            models.save_model(model, out, overwrite=overwrite)
    return model


def _findings(sections: list[Section], *, min_counts: int) -> list[str]:
    """Return what `check_section` finds, but for blank spots, which the fit itself warns of."""
    said = [f"{s.id}: {blank}" for s in sections for blank in blank_spots(s, min_counts=min_counts)]
    found = [sentence for s in sections for sentence in check_section(s, min_counts=min_counts)]
    return [sentence for sentence in found if sentence not in said]


@contextmanager
def _workdir(out: Path) -> Iterator[Path]:
    """Give the folder for checkpoints; of the processes of `torchrun` the first one owns it."""
    path = working_path(out)
    if rank() != 0:
        yield path
        return
    with working_folder(path, doing="a fit") as work:
        yield work.path


def _key(model: Predictor, sections: list[Section], chosen: Any) -> str:
    """Say what a fit depends on."""
    about = {name: repr(value) for name, value in options(model).items()}
    return identity.of("fit and save", model.name, about, chosen, [*map(identity.of_section, sections)], source_hash())


def _identity(out: Path) -> str | None:
    """Return the key of a model that is there; None if there is none, or it tells none."""
    restore(out)
    try:
        return models.read_description(out)["provenance"].get(keys.IDENTITY)
    except InputError:
        return None


def _space(
    model: Predictor, sections: list[Section], config: FitConfig, *, panel: Sequence[str] | None
) -> ExpressionSpace | None:
    """Put a given panel on the method's own scale, or the panel on that of residuals; None where nothing is said.

    Imputed genes are part of it.
    """
    if panel is None and config.scale == "log":
        return None
    taught = learnable(sections, min_counts=config.data.min_counts)
    space = model.default_space(taught)
    if panel is not None:
        space = replace(space, genes=tuple(panel)).joined(imputed_genes(taught), taught)
    return space.on_residuals(taught) if config.scale == "residual" else space


def import_checkpoint(
    checkpoint: Path | str, method: str, config: FitConfig, *, out: Path | str, overwrite: bool = False
) -> Predictor:
    """Make a model of a checkpoint of a published method's code: its weights, and what it needs of its sections.

    Parameters
    ----------
    checkpoint
        The ``.pt`` of the authors' training script; opened as weights only.
    method
        Whose checkpoint it is: a method with an option ``checkpoint``. Its preset "published" says the sizes.
    config
        The sections and tiles it was trained on, the file of its panel in channel order, and options where it was
        trained with others than the published ones. A method that retrieves takes the sections' spots as its bank.
    out, overwrite
        See `fit_model`.

    Raises
    ------
    InputError
        If the method takes no checkpoint, there is no panel, the checkpoint is none or of another shape, or the data
        or the place cannot be used.
    """
    able = [name for name, cls in list_methods().items() if "checkpoint" in cls.__dataclass_fields__]  # type: ignore[attr-defined]
    if method_class(method).name not in able:
        msg = f"a method that takes checkpoints ({', '.join(able)}) expected, found {method}: name another"
        raise InputError(msg)
    if config.genes is None:
        msg = "the list of genes the checkpoint was trained on, in its order, expected, found none: give genes"
        raise InputError(msg)
    given = {**config.options, "checkpoint": str(checkpoint)}
    return fit_model(method, replace(config, preset="published", options=given), out=out, overwrite=overwrite)


@guarded("a saved model")
def model_info(run: Path | str) -> dict[str, Any]:
    """Say what a saved model is, without loading its weights."""
    question = read_json(Path(run)).get("question")
    if question == "outcome":
        return _of_outcome(read_outcome_description(run))
    if question == generators.QUESTION:
        return _of_generator(generators.read_generator_description(run))
    description = models.read_description(run)
    space, spec = description["space"], description["spec"]
    provenance = description["provenance"]
    return {
        "method": description["method"],
        "version": provenance.get("version", ""),
        "genes": len(space["genes"]),
        "scale": str(build(ExpressionSpace, space, where=f"{run}: the space")),
        "tiles": f"{spec['size_px']} px at {spec['mpp']:g} µm per pixel ({spec['size_px'] * spec['mpp']:g} µm)",
        **_imputed(provenance.get(keys.IMPUTED)),
        **_tested(provenance.get(keys.VERDICTS)),
        "training sections": ", ".join(provenance["sections"]),
        "training patients": ", ".join(provenance["patients"]),
        **{name.replace("_", " "): value for name, value in provenance.get("numerics", {}).items()},
        **{f"code: {name}": value for name, value in provenance.get("code", {}).items() if name != "mclstexp"},
        **{f"option: {name}": value for name, value in description["options"].items()},
    }


def _of_outcome(description: dict[str, Any]) -> dict[str, Any]:
    provenance, columns = description["provenance"], description["state"].get("columns", {})
    return {
        "method": description["method"],
        "version": provenance.get("version", ""),
        "outcome": f"{provenance.get('outcome_name', '')} ({provenance.get('outcome', '')})",
        "learnt from": f"{provenance.get('n_patients')} patients, {provenance.get('n_events')} events",
        **{name: ", ".join(map(str, found)) for name, found in columns.items()},
        **{name.replace("_", " "): value for name, value in provenance.get("numerics", {}).items()},
        **{f"option: {name}": value for name, value in description["options"].items()},
    }


def _of_generator(description: dict[str, Any]) -> dict[str, Any]:
    provenance = description["provenance"]
    return {
        "method": description["method"],
        "version": provenance.get("version", ""),
        "training sections": f"{', '.join(provenance['sections'])} ({provenance['n_tiles']} tiles)",
        "training patients": ", ".join(provenance["patients"]),
        **{name.replace("_", " "): value for name, value in provenance.get("numerics", {}).items()},
        **{f"option: {name}": value for name, value in description["options"].items()},
    }


def _tested(said: dict[str, Any] | None) -> dict[str, str]:
    if said is None:
        return {}
    counts = Counter(said[keys.VERDICT])
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return {"verdicts": f"{listed}; tested on {some(said['tested_on'])} ({plural(said['n_sections'], 'section')})"}


def _imputed(said: dict[str, Any] | None) -> dict[str, str]:
    if said is None:
        return {}
    genes, named = said["genes"], said.get("reference_name", "a reference")
    listed = ", ".join(genes[:8]) + (", …" if len(genes) > 8 else "")
    return {"imputed genes": f"{len(genes)} ({listed}), by {said['method']} from {said['n_cells']} cells of {named}"}
