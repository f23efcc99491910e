"""What a configuration says of genes that training sections lack and a model is to learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ImputeConfig:
    """Genes that training sections lack, imputed from a reference and learnt as if they had been measured."""

    reference: str
    """File with raw counts of single cells of such tissue: .h5ad, .zarr, a 10x .h5, or .tsv."""
    genes: str | None = None
    """Which: a file with one gene a line, or names as ESR1,FOXA1. By default those of the panel that a section lacks;
    where no panel is named, those that no section has and that are expected to score well."""
    least: float = 0.3
    """Expected PCC from which genes are imputed unasked."""
    method: str = "gene_ridge"
    """The method of imputation."""
    options: dict[str, Any] = field(default_factory=dict)
    """Its options."""
