"""The whole way from sections of some patients to the outcome of others, all made up, as commands and their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from PIL import Image

from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.results import read_answers
from mclstexp.cohort.survival.concordance import harrell, within_folds
from mclstexp.cohort.table import read_cohort
from mclstexp.core import identity
from mclstexp.core.progress import counted
from mclstexp.core.section import Section
from mclstexp.io.atomic import atomic_path
from mclstexp.io.outcome_models import load_outcome_model
from mclstexp.io.seal import is_sealed, seal
from mclstexp.io.synthetic import make_sections
from mclstexp.io.synthetic.sections import PROGRAMMES, gene_names
from mclstexp.io.synthetic.slides import TRUTH, MadeCohort
from mclstexp.io.targets import require_writable

ENCODER: Final = "efficientnet_lite0"
"""Its weights come with the package."""
OUTCOME: Final = "survival:days,event"
PRODUCTS: Final = "prototype_x_pathway"
PATHWAY: Final = "IMMUNE"
"""Which matters in tissue that is fat."""
_TEACHERS: Final = "sections"
_TILE_UM: Final = 112
_ANEW: Final = "--overwrite"


@dataclass(frozen=True)
class Size:
    """How much is made."""

    n_patients: int = 60
    """Patients of the cohort."""
    side_um: float = 1000.0
    """Width and height of their slides."""
    n_teachers: int = 4
    """Other patients, from whose sections expression is learnt."""
    n_spots_side: int = 12
    """Spots along each side of a section."""
    n_genes: int = 48
    """Measured genes."""
    mpp: float = 1.0
    """µm per pixel of all slides."""
    encoder: str = ENCODER
    """Image encoder of tiles."""
    n_prototypes: int = 4
    """Kinds of tiles that are looked for."""
    n_folds: int = 5
    """Parts that are held out in turn."""
    genes: Literal["predictable", "doubtful", "all"] = "doubtful"
    """Genes that count; four measured patients are too few to call many a gene predictable."""
    jobs: int = 2
    """Processes at once."""


def write_inputs(out: Path, *, seed: int, size: Size) -> None:
    """Write what a group would have: sections, slides, a table of patients, gene sets and two experiments.

    What lies there already is not made again. ``truth.csv`` holds what no model is told.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    require_writable(out)
    made = MadeCohort(size.n_patients, size.side_um, size.mpp, seed)
    _write_sections(out / _TEACHERS, seed=seed, size=size)
    _write_slides(out / "slides", made)
    table = made.table()
    slides = pd.DataFrame({"slide": [f"slides/{name}.png" for name in table["slide"]], "name": table["slide"]})
    sets = {
        name: [gene for gene in gene_names(size.n_genes) if gene.rstrip("0123456789") == name] for name in PROGRAMMES
    }
    texts = {
        "slides.csv": slides.assign(mpp=size.mpp).to_csv(index=False),
        "cohort.csv": table.drop(columns=list(TRUTH)).to_csv(index=False),
        "truth.csv": table[["patient", *TRUTH]].to_csv(index=False),
        "pathways.gmt": "".join("\t".join([name, "made up", *genes]) + "\n" for name, genes in sets.items()),
        "expression.toml": _expression(out, size),
        "outcome.toml": _outcome(out, size),
    }
    for name, text in texts.items():
        with atomic_path(out / name) as path:
            path.write_text(text, encoding="utf-8")


def commands(out: Path, *, size: Size) -> list[list[str]]:
    """Return the commands of the way, each a list of words."""
    tile = ("--size-px", f"{_TILE_UM / size.mpp:.0f}", "--mpp", f"{size.mpp:g}")
    at_once = ("--jobs", str(size.jobs))
    cohort, slides = str(out / "cohort.csv"), str(out / "slides.csv")
    beside = ("--features", str(out / "features"), "--pathways", str(out / "expression.pathways.parquet"))
    about = ("--outcome", OUTCOME, *beside)
    method = [f"--option={name}={value}" for name, value in _method(size).items()]
    sets = ("--gene-sets", str(out / "pathways.gmt"), "--genes", size.genes)
    listed: dict[str, list[str]] = {
        "verdicts": ["evaluate", str(out / "expression.toml"), *at_once],
        "model": ["fit", "mclstexp", str(out / _TEACHERS), *method, *tile, "--verdicts", str(out / "verdicts")],
        "predictions": ["predict", str(out / "model"), slides, *at_once],
        "features": ["cohort", "features", cohort, "--slides", slides, "--encoder", size.encoder, *tile],
        "expression.parquet": ["cohort", "expression", str(out / "predictions"), "--table", cohort, *sets, _ANEW],
        "": ["cohort", "check", cohort, *about],
        "results": ["evaluate", str(out / "outcome.toml"), *at_once],
        "report.html": ["report", str(out / "results"), "--slides", slides, _ANEW],
        "risk_model": ["cohort", "fit", cohort, *about, "--model", PRODUCTS, f"--option={_kinds(size)}", _ANEW],
    }
    return [[*words, *(("--out", str(out / name)) if name else ())] for name, words in listed.items()]


def sentences_of_truth(out: Path) -> Iterator[str]:
    """Say how well the truth itself would have ranked the patients, and what became of the planted product."""
    truth = pd.read_csv(out / "truth.csv", dtype={"patient": str}).set_index("patient")
    answers = read_answers(out / "results")
    asked = answers[answers["method"] == answers["method"].iloc[0]]
    parts = [
        harrell(part["time_months"], part["event"], truth.loc[part["patient"], "log_hazard"])
        for _, part in asked.groupby(["repeat", "fold"])
    ]
    yield f"the true log hazard, of which no model was told, ranks the same patients with C {within_folds(parts).c:.3f}"
    model = load_outcome_model(out / "risk_model")
    products = model.explain()["products"]
    config = CohortConfig(
        str(out / "cohort.csv"),
        OUTCOME,
        features=str(out / "features"),
        pathways=str(out / "expression.pathways.parquet"),
    )
    patients = read_cohort(config).patients.subset(list(truth.index))
    kinds = [str(kind) for kind in products.index]
    shares = pd.DataFrame({name: tiles[kinds].mean() for name, tiles in model.explain_tiles(patients)}).T
    alike = [float(shares[kind].corr(truth["fat"])) for kind in kinds]
    fat, scores = int(np.argmax(alike)), patients.pathways
    assert scores is not None
    values = products.to_numpy(np.float64)
    planted = values[fat, list(products.columns).index(PATHWAY)]
    place = int((abs(values) >= abs(planted)).sum())
    yield (
        f"planted is fat with lymphocytes, and a plus: {kinds[fat]} is the kind of tile that goes with the true fat "
        f"(PCC {alike[fat]:.2f}), predicted {PATHWAY} goes with the true lymphocytes (PCC "
        f"{scores[PATHWAY].corr(truth['lymphocytes']):.2f}), and their product is {planted:+.3f}, number {place} of "
        f"{values.size} by size"
    )


def _write_sections(folder: Path, *, seed: int, size: Size) -> None:
    key = identity.of("made sections", seed, size.n_teachers, size.n_spots_side, size.n_genes, size.mpp)
    names = [f"P{number}_S1" for number in range(1, size.n_teachers + 1)]
    if all(is_sealed(folder / f"{name}.h5ad", key=key) for name in names):
        return
    folder.mkdir(exist_ok=True)
    options = {"n_spots_side": size.n_spots_side, "n_genes": size.n_genes, "mpp": size.mpp}
    for section in make_sections(size.n_teachers, seed=seed, **options):  # type: ignore[arg-type]  # as they want them
        with atomic_path(folder / f"{section.id}.png") as path:
            width, height = section.tiles.slide.size_px
            Image.fromarray(section.tiles.slide.thumbnail(max(width, height))).save(path, format="PNG")
        with atomic_path(folder / f"{section.id}.h5ad") as path:
            _as_file(section).write_h5ad(path)
        seal(folder / f"{section.id}.h5ad", key=key)


def _as_file(section: Section) -> AnnData:
    counts = section.counts.copy()
    counts.obsm["spatial"] = section.tiles.xy
    counts.obs["patient"] = section.patient
    counts.uns["mpp"] = section.tiles.slide.mpp
    return counts


def _write_slides(folder: Path, made: MadeCohort) -> None:
    folder.mkdir(exist_ok=True)
    table = made.table()
    with counted("made-up slides", len(table), unit="slide") as on_done:
        for number, (name, *shown) in enumerate(table[["slide", *TRUTH[:2]]].itertuples(index=False, name=None)):
            path, key = folder / f"{name}.png", identity.of("made slide", made, number, TRUTH[:2], shown)
            if not is_sealed(path, key=key):
                with atomic_path(path) as temporary:
                    Image.fromarray(made.picture(number)).save(temporary, format="PNG")
                seal(path, key=key)
            on_done(number + 1, name)


def _method(size: Size) -> dict[str, str | int]:
    """Return options of the flagship that make it quick: two models, that look at the place alone, upright."""
    return {"encoder": size.encoder, "symmetric": "false", "n_models": 2, "context_share": 0}


def _kinds(size: Size) -> str:
    return f"n_prototypes={size.n_prototypes}"


def _expression(out: Path, size: Size) -> str:
    options = "\n".join(
        f'{name} = "{value}"' if name == "encoder" else f"{name} = {value}" for name, value in _method(size).items()
    )
    return f"""\
title = "Expression from images: each patient held out in turn"
encoder = "{size.encoder}"

[data]
path = "{out / _TEACHERS}"

[tile]
size_px = {_TILE_UM / size.mpp:.0f}
mpp = {size.mpp:g}

[gene_sets]
heg10 = {{ heg = 10 }}

[methods.mclstexp]
{options}
"""


def _outcome(out: Path, size: Size) -> str:
    kinds = _kinds(size)
    return f"""\
task = "outcome"
title = "Who tells best what becomes of patients of sites that no model was shown"

[data]
path = "{out / "cohort.csv"}"
outcome = "{OUTCOME}"
features = "{out / "features"}"
pathways = "{out / "expression.pathways.parquet"}"

[folds]
by = "site"
n_folds = {size.n_folds}

[methods.mean_features]
[methods.prototype_shares]
{kinds}
[methods.pathway_scores]
[methods."no products"]
method = "{PRODUCTS}"
products = false
{kinds}
[methods.{PRODUCTS}]
{kinds}
[methods."clinical+{PRODUCTS}"]
{kinds}
"""
