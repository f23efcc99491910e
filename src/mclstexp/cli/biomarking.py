"""`biomarkers`: which genes and image features tell a label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, Tile, data_config, tile_spec, without_none
from mclstexp.cli.terminal import print_table, say
from mclstexp.core.progress import step

_SHOWN = 15


@Parameter(name="*", group="What is told")
@dataclass(frozen=True)
class Told:
    """What features are to tell, and how they are ranked."""

    label: str | None = None
    """The label that is told from all others; needed where there are more than two."""
    kinds: str = "genes"
    """What is looked at: genes, image, or genes,image."""
    methods: str | None = None
    """What ranks features, as ridge,elastic_net (by default), late_fusion and gmind, which takes minutes."""
    by: Literal["patient", "section"] = "patient"
    """What is left out in turn to judge them; sections of one patient flatter each other."""
    genes: Path | None = None
    """List of genes, one a line; the most variable ones by default."""
    encoder: str | None = None
    """Image encoder; a small one by default."""
    permutations: int | None = None
    """Runs with permuted labels, over all spots (whose AUC must be one half) and within individuals; 5 by default."""


@app.command
def biomarkers(
    data: Path,
    /,
    *,
    out: Path,
    told: Told = Told(),
    tile: Tile = Tile(),  # noqa: B008  frozen, as the next
    reading: Reading = Reading(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Say which genes and image features tell a label, such as tumour, from the rest on individuals left out.

    Parameters
    ----------
    data
        File or folder with measured sections whose spots have labels.
    out
        CSV file for the features, ranked; the scores stand beside it.
    overwrite
        Replace tables that are already there.
    """
    step(f"Reading {data}")
    from mclstexp.api.biomarkers import BiomarkerConfig, find_biomarkers_in_sections
    from mclstexp.core.options import build

    said = without_none({"label": told.label, "encoder": told.encoder, "permutations": told.permutations})
    said |= {"kinds": told.kinds.split(","), "by": told.by}
    if told.methods is not None:
        said["methods"] = told.methods.split(",")
    if told.genes is not None:
        said["genes"] = str(told.genes)
    found = find_biomarkers_in_sections(
        data_config(data, reading),
        build(BiomarkerConfig, said, where="biomarkers"),
        tile=tile_spec(tile),
        out=out,
        overwrite=overwrite,
    )
    table = found.features.head(_SHOWN)
    names = [str(name) for name in table if name not in ("modality", "feature")]
    rows = [
        [str(row["modality"]), str(row["feature"]), *(f"{row[name]:.2f}" for name in names)]
        for _, row in table.iterrows()
    ]
    print_table(rows, heading=["kind", "feature", *names], title=f"what tells {found.label}")
    scores = [
        [str(name), f"{row['auc']:.3f}", f"{row['balanced_accuracy']:.3f}", f"{row['above']:.0f} of {row['of']:.0f}"]
        for name, row in found.summary().iterrows()
    ]
    print_table(
        scores, heading=["method", "AUC", "balanced accuracy", "above one half"], title="on individuals left out"
    )
    say(str(out))
