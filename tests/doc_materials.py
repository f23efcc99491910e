"""More of what the pages of docs name: patients' tiles and expression, tables of associations, cells, methods."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from doc_blocks import ROOT
from imaging_files import cosmx, xenium
from made_cohort import made_table
from small_generators import tiny

SIDE_UM = 112.0
"""Of a patient's tiles, on slides of 0.5 µm a pixel."""


def write_patients(home: Path, predicted: list[str]) -> None:
    """Cohorts of eighty and of twenty, with their slides' features at three scales, and what was predicted for them."""
    table = made_table(100).rename(columns={"os_days": "dss_days", "os_event": "dss_event"})
    table["cohort"], table["fold"] = "BLCA", np.arange(len(table)) % 4
    table.iloc[:80].to_csv(home / "cohort.csv", index=False)
    table.iloc[80:].to_csv(home / "others.csv", index=False)
    table.to_csv(home / "tcga_clinical.csv", index=False)
    own = {"dss_days": "days", "dss_event": "event"}
    table.iloc[:80].rename(columns=own).to_csv(home / "patients.csv", index=False)
    rng = np.random.default_rng(0)
    for folder, n_tiles in {"features": 12, "features_20x": 16, "features_10x": 4, "features_5x": 1}.items():
        (home / folder).mkdir()
        for patient in table["patient"]:
            np.save(home / folder / f"{patient}.npy", rng.normal(size=(n_tiles, 8)).astype(np.float32))
    genes = pd.DataFrame(rng.normal(size=(100, 12)), index=table["patient"], columns=[f"G{i}" for i in range(12)])
    (home / "tcga_expression").mkdir()
    genes.to_parquet(home / "tcga_expression" / "BLCA.parquet")
    of_slides = pd.DataFrame(rng.normal(size=(100, len(predicted))), index=table["patient"], columns=predicted)
    of_slides.to_parquet(home / "expression.parquet")
    pathways = pd.DataFrame(rng.normal(size=(100, 2)), index=table["patient"], columns=["one", "two"])
    pathways.to_parquet(home / "expression.pathways.parquet")
    pd.DataFrame({"one": genes.columns[:6], "two": genes.columns[6:]}).to_csv(home / "hallmark_sets.csv", index=False)


def write_places(home: Path, slide_size_px: tuple[int, int]) -> None:
    """The features of a slide's tiles with their places, as `mclstexp cohort features` writes them."""
    side_px = SIDE_UM / 0.5
    x, y = (np.arange(size // side_px) * side_px + side_px / 2 for size in slide_size_px)
    xy = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    features = np.random.default_rng(1).normal(size=(len(xy), 8)).astype(np.float32)
    of = {"slide_size_px": list(slide_size_px), "slide_mpp": 0.5}
    about = {"mpp": "0.5", "size_px": str(int(side_px)), "of": json.dumps(of)}
    save_file({"features": features, "xy": xy}, home / "features" / "SLIDE.safetensors", about)


def write_associations(home: Path, n: int = 60) -> None:
    """Traits and genotypes of the same people, one trait of which goes with one marker."""
    rng = np.random.default_rng(0)
    people = pd.Index([f"P{k:02}" for k in range(n)], name="patient")
    markers = pd.DataFrame(rng.binomial(2, 0.3, (n, 12)), people, [f"m{k}" for k in range(12)])
    traits = pd.DataFrame(rng.normal(size=(n, 2)), people, ["t0", "t1"])
    traits["t1"] += 1.5 * markers["m4"]
    traits["age"], traits["site"] = rng.integers(40, 80, n), list("ab") * (n // 2)
    markers.to_csv(home / "GENOTYPES.csv")
    traits.to_csv(home / "TRAITS.csv")


def write_imaging(home: Path) -> None:
    """Cells of two assays, each with its H&E image."""
    xenium(home).parent.rename(home / "xenium")
    (home / "cosmx").mkdir()
    folder = cosmx(home / "cosmx")
    for name in ("slide1_HE.tif", "slide1_HE_alignment.csv"):
        (folder / name).rename(home / name)


def write_landmarks(home: Path) -> None:
    """Where four places lie, and where they lie on the image: ten pixels further."""
    rows = [(x, y, x + 10, y + 10) for x in (50, 400) for y in (50, 400)]
    pd.DataFrame(rows, columns=["x", "y", "image_x", "image_y"]).to_csv(home / "pairs.csv", index=False)


def write_method(home: Path) -> None:
    """A method of the reader's own, which keeps all promises: the training mean, by another name."""
    text = (ROOT / "src" / "mclstexp" / "methods" / "mean.py").read_text(encoding="utf-8")
    (home / "my_method.py").write_text(text.replace('@register("mean")', '@register("mine")'), encoding="utf-8")


def write_generator(home: Path, sections: list) -> None:
    """A generator of few weights."""
    from mclstexp.io.generators import save_generator

    save_generator(tiny().fit(sections), home / "gen")
