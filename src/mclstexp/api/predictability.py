"""What sections leave to be predicted, before any training."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mclstexp.analysis.predictability import predictability
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.evaluation.toml import read_genes
from mclstexp.io.atomic import atomic_path
from mclstexp.io.targets import require_free_file


def measure_predictability(
    data: DataConfig,
    *,
    tile: TileSpec = TileSpec(),  # noqa: B008  frozen
    genes: Path | str | None = None,
    encoder: str | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Read sections and say of each gene what they leave to be predicted; see `analysis.predictability`.

    Parameters
    ----------
    data
        The sections.
    tile
        Size and scale of the tiles that the plain model looks at.
    genes
        List of genes, one a line; the most variable ones by default.
    encoder
        Frozen image encoder; a small one by default.
    out
        CSV file for the table; none by default.
    overwrite
        Whether a file that is there is replaced.

    Raises
    ------
    InputError
        If the data cannot be read, a gene is missing, or the place is taken or cannot be written to.
    """
    if out is not None:
        out = Path(out)
        require_free_file(out, what="the table", overwrite=overwrite)
    sections = data.read(tile)
    space = None if genes is None else ExpressionSpace(tuple(read_genes(genes)))
    given = {} if encoder is None else {"encoder": encoder}
    table = predictability(sections, space=space, min_counts=data.min_counts, **given)
    if out is not None:
        with atomic_path(out) as path:
            table.to_csv(path)
    return table
