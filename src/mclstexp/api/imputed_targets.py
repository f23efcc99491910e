"""What `fit` imputes on its training sections before it learns from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from anndata import AnnData

from mclstexp.core.errors import InputError
from mclstexp.core.imputer import ROOM, Imputer
from mclstexp.core.method import described
from mclstexp.core.options import typed_options
from mclstexp.core.section import Section
from mclstexp.evaluation.impute_config import ImputeConfig
from mclstexp.evaluation.toml import named_genes
from mclstexp.imputation import create_imputer
from mclstexp.imputation.targets import impute_targets
from mclstexp.io.counts_alone import read_counts


@dataclass(frozen=True, eq=False)
class ImputedTargets:
    """A configuration of imputed genes with its files read."""

    config: ImputeConfig
    """What was said."""
    reference: AnnData
    """Raw counts of the reference."""
    imputer: Imputer
    """The method with its options."""
    genes: tuple[str, ...] | None
    """The genes that were named."""

    @classmethod
    def read(cls, config: ImputeConfig) -> Self:
        """Read the reference and the list of genes, and make the method.

        Raises
        ------
        InputError
            If one of them cannot be used.
        """
        where = f"method {config.method}"
        options = typed_options(ROOM.method_class(config.method), config.options, where=where)
        imputer = create_imputer(config.method, **options)
        if not -1 <= config.least <= 1:
            msg = f"a PCC from -1 to 1 expected as the least of imputed genes, found {config.least:g}"
            raise InputError(msg)
        genes = None if config.genes is None else tuple(named_genes(config.genes))
        return cls(config, read_counts(config.reference, what="the reference"), imputer, genes)

    def known_by(self) -> list[Any]:
        """Return what the imputed counts depend on, beside the sections."""
        about = {**described(self.imputer), "options": repr(described(self.imputer)["options"])}
        genes = list(map(str, self.reference.var_names))
        return [about, self.reference.X, genes, self.genes, self.config.least]

    def on(self, sections: Sequence[Section], *, panel: Sequence[str] | None) -> list[Section]:
        """Impute on each section what was named, or of a named panel what a section lacks; see `impute_targets`.

        Raises
        ------
        InputError
            As `impute_targets`; if the sections have all of the panel.
        """
        genes = self.genes
        if genes is None and panel is not None:
            genes = tuple(gene for gene in panel if any(gene not in s.counts.var_names for s in sections))
            if not genes:
                msg = f"a panel with genes to impute expected, found all {len(panel)} measured: leave the imputing out"
                raise InputError(msg)
        name, least = Path(self.config.reference).name, self.config.least
        return impute_targets(sections, self.reference, imputer=self.imputer, genes=genes, least=least, named=name)
