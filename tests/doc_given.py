"""What the Python of a page takes for granted beyond `section`, by the page's name."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


def _run(*words: str) -> None:
    from mclstexp.cli import run

    assert run(list(words)) == 0, words


def _predicted() -> dict:
    _run("predict", "runs/her2", "biopsy.svs", "--out", "biopsy.h5ad", "--heatmap", "CD74")
    return {}


def _spatialdata_too() -> dict:
    _run("predict", "runs/her2", "biopsy.svs", "--out", "biopsy.zarr")
    return _predicted()


def _evaluated() -> dict:
    _run("evaluate", "configs/her2st_c.toml", "--out", "results/her2st_c")
    return {}


def _prediction() -> dict:
    import mclstexp as mx

    return {"adata": mx.load_model("runs/her2").predict(mx.read_sections("SECTION")[0].tiles)}


def _patients() -> dict:
    from mclstexp.io.synthetic.patients import World

    made = World().make(60)
    return {"patients": made.patients, "outcomes": made.outcomes, "others": made.patients.subset(made.patients.ids[:9])}


def _associations() -> dict:
    rng = np.random.default_rng(0)

    def people(who: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        names = [f"{who}{k:02}" for k in range(60)]
        markers = pd.DataFrame(rng.binomial(2, 0.3, (60, 12)), names, [f"m{k}" for k in range(12)])
        traits = pd.DataFrame(rng.normal(size=(60, 6)), names, [f"t{k}" for k in range(6)])
        traits["t1"] += 1.5 * markers["m4"]
        return traits, markers

    (traits, markers), (other_traits, other_markers) = people("a"), people("b")
    return {
        "traits": traits,
        "markers": markers,
        "sites": pd.Series(list("ab") * 30, traits.index),
        "ages": pd.DataFrame({"age": rng.integers(40, 80, 60)}, traits.index),
        "other_traits": other_traits,
        "other_markers": other_markers,
        "images": traits,
        "genotypes": markers,
        "new_images": other_traits,
        "new_genotypes": other_markers,
    }


def _labelled() -> dict:
    rng = np.random.default_rng(0)
    names = [f"s{k}" for k in range(80)]
    labels = pd.Series(np.where(rng.random(80) < 0.5, "tumour", "other"), names)
    expression = pd.DataFrame(rng.normal(size=(80, 12)), names, [f"g{k}" for k in range(12)])
    expression["g0"] += 2.0 * (labels == "tumour")
    features = pd.DataFrame(rng.normal(size=(80, 8)), names, [f"f{k}" for k in range(8)])
    patients = pd.Series([f"P{k % 8}" for k in range(80)], names)
    return {"expression": expression, "features": features, "labels": labels, "patients": patients}


def _sections() -> dict:
    import mclstexp as mx

    sections = mx.read_sections("SECTIONS")
    model = mx.load_model("runs/her2")
    return {"sections": sections, "train": sections[:2], "training_sections": sections, "model": model}


def _to_paint() -> dict:
    shutil.copytree("runs/her2", "runs/mine")
    shutil.rmtree("gen")  # the page makes it
    return _sections()


def _four_animals() -> dict:
    data = Path("DATA")
    for number, counts in enumerate(sorted(data.glob("*.h5ad")), 1):
        for path in (counts, counts.with_suffix(".png")):
            path.rename(data / f"s{number}{path.suffix}")
    for ending in (".h5ad", ".png"):
        shutil.copy(data / f"s3{ending}", data / f"s4{ending}")
    return {}


def _large() -> dict:
    import mclstexp as mx
    from doc_world import write_section
    from mclstexp.io.synthetic import make_sections

    shutil.rmtree("SECTION")
    (section,) = make_sections(1, n_spots_side=14, n_genes=40, mpp=2.0, seed=1)
    write_section(section, Path("SECTION"))
    Image.open(f"SECTION/{section.id}.png").save("HE.tif")
    return {"section": mx.read_sections("SECTION")[0]}


WORDS: dict[str, Callable[[], dict]] = {
    "align": _large,
    "analysis": _prediction,
    "associations": _associations,
    "biomarkers": _labelled,
    "cohort_networks": _patients,
    "domains": _predicted,
    "generate": _to_paint,
    "opening": _spatialdata_too,
    "tokens": _sections,
    "trust": _evaluated,
    "visium": _four_animals,
    "wsi": _predicted,
}
