"""Tiny legacy Spatial Transcriptomics files in the three layouts that are read."""

import gzip

import numpy as np
import pandas as pd
from PIL import Image

PITCH_PX = 20
MPP = 10.0
"""200 µm over 20 px."""
SIZE_PX = (170, 150)
"""(width, height) of the image; the tissue is a high rectangle at its left, spots 7 rows of 3."""
GENES = ("FASN", "ERBB2", "NA", "GNAS")


def spots(*, pitch_px=PITCH_PX, n_cols=3, n_rows=7):
    """Spots of the array's columns 2 … and rows 3 …, a little off the grid in array and image alike."""
    y, x = (a.ravel() for a in np.meshgrid(np.arange(n_rows) + 3, np.arange(n_cols) + 2, indexing="ij"))
    jitter = np.random.default_rng(0).uniform(-0.1, 0.1, (2, len(x)))
    new_x, new_y = (x + jitter[0]).round(3), (y + jitter[1]).round(3)
    return pd.DataFrame(
        {
            "x": x,
            "y": y,
            "new_x": new_x,
            "new_y": new_y,
            "pixel_x": (new_x - 1) * pitch_px,
            "pixel_y": (new_y - 2) * pitch_px,
            "selected": 1,
        }
    )


def ids(table):
    return [f"{x}x{y}" for x, y in zip(table["x"], table["y"], strict=True)]


def counts(names):
    """Gene 0 counts the spot's number, the others 1, 2 and 600."""
    values = np.tile([0, 1, 2, 600], (len(names), 1))
    values[:, 0] = np.arange(len(names))
    return pd.DataFrame(values, index=names, columns=GENES)


def picture(size_px=SIZE_PX):
    """Glass with a rectangle of tissue under the spots."""
    array = np.full((size_px[1], size_px[0], 3), 245, np.uint8)
    array[8:150, 8:72] = (180, 90, 160)
    return Image.fromarray(array)


def write_table(path, table, *, index=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=index)


def write_her2st(root, names=("A1", "A2", "B1"), *, images=("A1", "B1"), labelled=("A1",), ending=".tsv.gz"):
    """Write her2st's layout; spot files have one spot without counts."""
    data = root / "data"
    for name in names:
        table = spots()
        write_table(data / "ST-cnts" / f"{name}{ending}", counts(ids(table)[:-1]), index=True)
        write_table(data / "ST-spotfiles" / f"{name}_selection.tsv", table[::-1])
        if name in labelled:
            labels = table[["x", "y"]].assign(
                **{"Row.names": [f"p{i}" for i in range(len(table))], "label": "adipose tissue"}
            )
            labels[["x", "y"]] += [0.02, -0.006]
            labels.loc[0, "label"] = "invasive cancer"
            labels.loc[5, "x"] = np.nan
            write_table(data / "ST-pat" / "lbl" / f"{name}_labeled_coordinates.tsv", labels)
        if name in images:
            folder = data / "ST-imgs" / name[0] / name
            folder.mkdir(parents=True)
            picture().save(folder / f"BT_{name}_HE.jpg", quality=95)
    return root


def write_cscc(folder, names=("P2_ST_rep1", "P12_ST_rep1"), *, ending=".tsv.gz"):
    """Write GSE144240's layout; counts have one spot that was not selected."""
    for i, name in enumerate(names):
        table = spots()
        prefix = folder / f"GSM{4284316 + i}_"
        write_table(prefix.with_name(f"{prefix.name}{name}_stdata{ending}"), counts([*ids(table), "30x30"]), index=True)
        write_table(prefix.with_name(f"{prefix.name}spot_data-selection-{name}{ending}"), table)
        picture().save(prefix.with_name(f"{prefix.name}{name}.jpg"), quality=95)
    return folder


def write_st_folder(folder, *, ending=".tsv", image="HE.jpg", label="layer"):
    """Write a plain folder; spots are named by their fractional array coordinates."""
    table = spots()
    names = [f"{x}x{y}" for x, y in zip(table["new_x"], table["new_y"], strict=True)]
    places = pd.DataFrame(
        {
            "spot": names,
            "array_x": table["new_x"],
            "array_y": table["new_y"],
            "pixel_x": table["pixel_x"],
            "pixel_y": table["pixel_y"],
        }
    )
    if label:
        places[label] = ["Granular Cell Layer"] * 10 + ["NA"] + ["Mitral Cell Layer"] * 10
    write_table(folder / f"counts{ending}", counts(names), index=True)
    write_table(folder / "spots.tsv", places[::-1])
    if image:
        picture().save(folder / image)
    return folder


def change(path, edit):
    """Rewrite a table of text through a function."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    edit(table).rename(columns={"Unnamed: 0": ""}).to_csv(path, sep="\t", index=False)


def cut(path, share=0.5):
    """Keep only the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def pack(path):
    """Gzip a file beside itself."""
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
