"""A page as `mclstexp report` writes it, with values that are known by heart: for tests in a browser."""

import base64
from importlib.resources import files
from io import BytesIO

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image

from mclstexp.report.page_arrays import pack, quantise, scales
from mclstexp.report.render_page import as_json, policy

SIZE_PX = (900, 700)
UM_PER_PX = 10.0
GROUND = (230, 200, 220)
DOMAINS = {"left": "#0072b2", "right": "#d55e00"}
_VERDICTS = {
    "predictable": "given depth, beyond chance and at least half of the ceiling",
    "doubtful": "given depth, beyond chance, but below half of the ceiling",
    "not predictable": "given depth, neither beyond chance nor half of the ceiling",
}


def section_values(n_columns, n_rows, n_genes, seed):
    """Return places, truth, prediction and half widths: COLUMN and ROW grow over the tissue, the rest is noise.

    ROW is predicted upside down. Spots lie 20 pixels apart and more.
    """
    rng = np.random.default_rng(seed)
    column, row = (axis.ravel() for axis in np.meshgrid(np.arange(n_columns), np.arange(n_rows)))
    steps = (SIZE_PX[0] - 100) / max(n_columns - 1, 1), (SIZE_PX[1] - 100) / max(n_rows - 1, 1)
    xy = np.column_stack([50 + column * steps[0], 50 + row * steps[1]]).astype(np.float32)
    truth = rng.uniform(0, 3, (len(xy), n_genes))
    truth[:, 0], truth[:, 1] = 3 * column / (n_columns - 1), 3 * row / (n_rows - 1)
    predicted = rng.uniform(0, 3, truth.shape)
    predicted[:, 0], predicted[:, 1] = truth[:, 0], 3 - truth[:, 1]
    width = np.full(truth.shape, 0.25)
    width[:, 1] = truth[:, 1] / 3
    truth[0, 1] = np.nan
    return xy, truth, predicted, width


def make_page(shapes=((8, 6), (7, 5)), n_genes=40, *, picture=True):
    """Return the page: HTML as text.

    Parameters
    ----------
    shapes
        Columns and rows of spots of each section, S1, S2 …
    n_genes
        COLUMN (predictable), ROW (not predictable), and others G2, G3 …
    picture
        Whether sections have an image below the spots.
    """
    genes = ["COLUMN", "ROW", *(f"G{i}" for i in range(2, n_genes))]
    values = [section_values(*shape, n_genes, seed) for seed, shape in enumerate(shapes)]
    value = scales(*(array for _, truth, predicted, _ in values for array in (truth, predicted)))
    width = scales(*(found for *_, found in values))
    blobs, sections = {}, []
    for i, (xy, truth, predicted, half) in enumerate(values):
        arrays = {"truth": (truth, value), "predicted": (predicted, value), "width": (half, width)}
        blobs[f"xy-{i}"] = pack(xy)
        blobs |= {f"{name}-{i}": pack(quantise(array, scale)) for name, (array, scale) in arrays.items()}
        sections.append(_section(i, xy, picture=picture))
    data = {
        "title": "Known values",
        "method": "made",
        "unit": "log10(1 + counts per 10,000)",
        "genes": genes,
        "rank": [_rank(gene, place, [section["id"] for section in sections]) for place, gene in enumerate(genes)],
        "first": 0,
        "scale": {"value": value.tolist(), "width": width.tolist()},
        "limits": {"value": [[0, 3]] * n_genes, "difference": [3] * n_genes, "width": [[0, 1]] * n_genes},
        "colours": {
            **{name: colours(name) for name in ("value", "difference", "width")},
            "missing": "#c8c8c8",
            "domains": DOMAINS,
        },
        "sections": sections,
    }
    return _html(data, blobs)


def colours(kind):
    """Return the 256 colours of a scale."""
    name = {"value": "viridis", "difference": "PuOr_r", "width": "magma"}[kind]
    return [to_hex(colour) for colour in colormaps[name](np.linspace(0, 1, 256))]


def _section(i, xy, *, picture):
    file = BytesIO()
    Image.new("RGB", SIZE_PX, GROUND).save(file, "JPEG", quality=95)
    jpeg = base64.b64encode(file.getvalue()).decode() if picture else None
    sides = ["left" if x < SIZE_PX[0] / 2 else "right" for x, _ in xy]
    return {
        "id": f"S{i + 1}",
        "patient": "P",
        "n_spots": len(xy),
        "mean_pcc": 0.1,
        "spot": {"shape": ("circle", "square")[i % 2], "size_px": 50.0 if len(xy) < 100 else 8.0},
        "image": {"jpeg": jpeg, "width": SIZE_PX[0], "height": SIZE_PX[1], "um_per_px": UM_PER_PX},
        **{name: f"{name}-{i}" for name in ("xy", "truth", "predicted", "width")},
        "depth": [1000 + spot for spot in range(len(xy))],
        "domains": {"truth": sides, "predicted": [None, *sides[1:]]},
    }


def _rank(gene, place, sections):
    pcc = {"COLUMN": 1.0, "ROW": -1.0}.get(gene, 0.9 - 0.01 * place)
    verdict = {"COLUMN": "predictable", "ROW": "not predictable"}.get(gene, "doubtful")
    of_section = {section: pcc - 0.001 * i for i, section in enumerate(sections)}
    if gene == "G3":
        of_section[sections[-1]] = None
    said = {"gene": gene, "verdict": verdict, "why": _VERDICTS[verdict], "sections": of_section}
    given = {"given_depth": 0.9 * pcc, "ceiling_given_depth": 0.95, "share": 0.9 * pcc / 0.95}
    return {**said, "pcc": pcc, **given, "q": 0.001 * place, "score": 100.0 - place}


def _html(data, blobs):
    assets = files("mclstexp.report") / "page_assets"
    style, script, explorer, genes = (
        (assets / name).read_text("utf-8") for name in ("report.css", "report.js", "explorer.html", "genes.html")
    )
    arrays = "".join(f'<script type="text/plain" id="blob-{name}">{blob}</script>' for name, blob in blobs.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(script, style)}">'
        f"<title>{data['title']}</title><style>{style}</style></head><body>"
        f'<header><h1>{data["title"]}</h1><nav><a href="#genes">Genes</a></nav></header><main>'
        f'<section id="explorer" class="card">{explorer}</section>'
        f'<section id="genes" class="card">{genes}</section></main>'
        f'<script type="application/json" id="data">{as_json(data)}</script>{arrays}<script>{script}</script>'
        "</body></html>"
    )
