"""A folder that holds whatever the pages of docs name: made-up sections, slides, cells, patients, models."""

import shutil
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import tifffile
from PIL import Image
from scipy import sparse

from doc_blocks import ROOT
from doc_materials import (
    write_associations,
    write_generator,
    write_imaging,
    write_landmarks,
    write_method,
    write_patients,
    write_places,
)
from mclstexp.core.section import Section
from mclstexp.io.models import save_model
from mclstexp.io.synthetic import make_sections
from mclstexp.methods import create

NAMES = {"TUMOUR2": "FASN", "IMMUNE2": "CD74", "STROMA2": "COL1A1", "TUMOUR3": "ERBB2"}
"""Genes that the pages speak of, and whose counts they get."""
ENCODER = "random:test_efficientnet"
EXPERIMENT = """
title = "Three patients"
encoder = "random:test_efficientnet"
[data]
path = "DATA"
[tile]
size_px = 32
mpp = 4.0
[folds]
by = "patient"
[methods.mclstexp]
epochs = 2
k = 5
n_components = 8
dim = 8
n_models = 1
[methods.pls]
n_components = 4
"""
"""Stands for the experiments of the repository, which read real data and take hours; test_configs.py reads those."""
SLIDES = (
    "biopsy.svs",
    "SLIDE.svs",
    "CMU-1-Small-Region.svs",
    "slides/a.svs",
    "slides/b.svs",
    "SLIDES/a.svs",
    "SLIDES/b.svs",
    "scans/one/c.svs",
)


def make_world(home: Path) -> Path:
    """Write it all; what a page itself makes is left to the page."""
    home.mkdir()
    sections = make_sections(3, n_spots_side=7, n_genes=40, mpp=2.0, seed=1)
    for folder, some in {"DATA": sections, "SECTIONS": sections, "SECTION": sections[2:], "NEW": sections[2:]}.items():
        for section in some:
            write_section(section, home / folder)
    pixels = sections[0].tiles.slide.thumbnail(10_000)
    for name in SLIDES:
        write_slide(pixels, home / name)
    (home / "slides.csv").write_text("slide,name\nslides/a.svs,first\nslides/b.svs,second\n")
    model = create("mclstexp", encoder=ENCODER, epochs=2, k=5, n_components=8, dim=8, n_models=1)
    save_model(model.fit([renamed(section) for section in sections]), home / "runs" / "her2")
    write_cells(sections, home / "cells.h5ad")
    write_patients(home, list(sections[0].genes))
    write_places(home, (2 * pixels.shape[1], 2 * pixels.shape[0]))
    write_associations(home)
    write_imaging(home)
    write_landmarks(home)
    write_method(home)
    write_generator(home, sections)
    Image.fromarray(pixels).save(home / "HE.tif")
    write_gene_sets(sections[0], home)
    for name in ("experiment.toml", *(f"configs/{path.name}" for path in ROOT.glob("configs/*.toml"))):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(EXPERIMENT)
    (home / "docs" / "figures").mkdir(parents=True)
    (home / "benchmarks").symlink_to(ROOT / "benchmarks")
    return home


def renamed(section: Section) -> Section:
    """The section with names of genes that the pages speak of, and a region for each spot."""
    section.counts.var_names = [NAMES.get(name, name) for name in section.counts.var_names]
    right = section.tiles.xy[:, 0] > section.tiles.xy[:, 0].mean()
    section.counts.obs["label"] = np.where(right, "tumour", "stroma")
    return section


def write_section(section: Section, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    counts = renamed(section).counts.copy()
    counts.obsm["spatial"], counts.uns["mpp"] = section.tiles.xy, section.tiles.slide.mpp
    counts.obs["patient"] = section.patient
    counts.write_h5ad(folder / f"{section.id}.h5ad")
    Image.fromarray(section.tiles.slide.thumbnail(10_000)).save(folder / f"{section.id}.png")


def write_slide(pixels: np.ndarray, path: Path) -> None:
    """As Aperio's scanners write it, at the scale of usual tiles; each slide differs by a pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.tile(pixels, (2, 2, 1))
    pixels[0, 0] = len(path.name), ord(path.stem[0]), 0
    said = "Aperio Image Library v12\n|AppMag = 20|MPP = 0.5"
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb", description=said, metadata=None)


def write_cells(sections: list[Section], path: Path) -> None:
    """Spots taken for cells, with two genes that the sections lack."""
    counts = ad.concat([section.counts for section in sections], index_unique="-")
    like = counts[:, ["FASN", "ERBB2"]].X.toarray()
    counts = ad.concat(
        [counts, ad.AnnData(sparse.csr_matrix(like), counts.obs, pd.DataFrame(index=["ESR1", "FOXA1"]))],
        axis=1,
        merge="first",
    )
    counts.obs["cell_type"] = np.where(like[:, 0] > np.median(like[:, 0]), "tumour", "other")
    counts.write_h5ad(path)


def write_gene_sets(section: Section, home: Path) -> None:
    genes = list(section.counts.var_names)
    sets = {"first ten": genes[:10], "next ten": genes[10:20], "third ten": genes[20:30]}
    lines = "".join("\t".join([name, "-", *members]) + "\n" for name, members in sets.items())
    (home / "her2st.gmt").write_text(lines)
    shutil.copy(home / "her2st.gmt", home / "hallmark.gmt")
