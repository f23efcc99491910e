"""Which features of image and expression tell a label, from measured sections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mclstexp.analysis.association.from_sections import expression_table, image_features, label_table, labelled
from mclstexp.analysis.biomarkers.find import USUAL, Biomarkers, find_biomarkers
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import learnable
from mclstexp.core.section import UNKNOWN
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.evaluation.toml import read_genes
from mclstexp.io.atomic import atomic_path
from mclstexp.io.targets import require_free_file
from mclstexp.sight.sight import Sight


@dataclass(frozen=True)
class BiomarkerConfig:
    """What of measured sections is looked at, and what it is to tell."""

    label: str | None = None
    """The label that is told from all others; needed where there are more than two."""
    kinds: tuple[Literal["genes", "image"], ...] = ("genes",)
    """Measured expression, features of the image, or both."""
    methods: tuple[str, ...] = USUAL
    """What ranks them: ridge, elastic_net, late_fusion, gmind."""
    by: Literal["patient", "section"] = "patient"
    """What is left out in turn; sections of one patient flatter each other."""
    genes: str | None = None
    """File of gene names, one a line; the usual panel by default."""
    encoder: str = "efficientnet_lite0"
    """Frozen image encoder."""
    permutations: int = 5
    """Runs with permuted labels."""


def find_biomarkers_in_sections(
    data: DataConfig,
    config: BiomarkerConfig = BiomarkerConfig(),
    *,
    tile: TileSpec = TileSpec(),  # noqa: B008  frozen
    out: Path | str,
    overwrite: bool = False,
) -> Biomarkers:
    """Read labelled sections and say which features tell a label; see `analysis.find_biomarkers`.

    Parameters
    ----------
    data
        Measured sections, of two patients or more, or by section.
    config
        What is asked.
    tile
        Size and scale of the tiles that are looked at.
    out
        CSV file for the features; the scores stand beside it, as ``NAME_scores.csv``.
    overwrite
        Whether files that are there are replaced.

    Raises
    ------
    InputError
        As `analysis.find_biomarkers`; if the data cannot be read, hold no labels, or a place is taken.
    """
    out = Path(out)
    beside = out.with_name(f"{out.stem}_scores{out.suffix}")
    for path in (out, beside):
        require_free_file(path, what="the biomarkers", overwrite=overwrite)
    sections = labelled(learnable(data.read(tile), min_counts=data.min_counts))
    tables = {}
    if "genes" in config.kinds:
        given = None if config.genes is None else ExpressionSpace(tuple(read_genes(config.genes)))
        tables["genes"] = expression_table(sections, given or ExpressionSpace.fit(sections))
    if "image" in config.kinds:
        tables["image"] = image_features(sections, Sight(encoder=config.encoder))
    whose = {s.id: (s.patient or UNKNOWN) if config.by == "patient" else s.id for s in sections}
    found = find_biomarkers(
        tables,
        label_table(sections)["label"],
        [whose[section.id] for section in sections for _ in range(len(section))],
        label=config.label,
        methods=config.methods,
        permutations=config.permutations,
    )
    for table, path in ((found.features, out), (found.scores, beside)):
        with atomic_path(path) as place:
            table.to_csv(place, index=False)
    return found
