"""What predictions say about tissue: genes, domains, structure, gene sets."""

from typing import TYPE_CHECKING

from mclstexp.core.lazily import lazily

if TYPE_CHECKING:
    from mclstexp.analysis.domains import compare_domains, find_domains, labels_of
    from mclstexp.analysis.gene_ranking import rank_genes
    from mclstexp.analysis.gene_sets import compare_gene_sets, read_gmt, score_gene_sets
    from mclstexp.analysis.pairs import Pair, read_pairs
    from mclstexp.analysis.structure import gene_correlations, recover_svgs, spatial_variability

__all__ = [
    "Pair",
    "compare_domains",
    "compare_gene_sets",
    "find_domains",
    "gene_correlations",
    "labels_of",
    "rank_genes",
    "read_gmt",
    "read_pairs",
    "recover_svgs",
    "score_gene_sets",
    "spatial_variability",
]

# a name is imported when it is first used: who draws a map needs no clustering
_HOME = {
    "Pair": "pairs",
    "compare_domains": "domains",
    "compare_gene_sets": "gene_sets",
    "find_domains": "domains",
    "gene_correlations": "structure",
    "labels_of": "domains",
    "rank_genes": "gene_ranking",
    "read_gmt": "gene_sets",
    "read_pairs": "pairs",
    "recover_svgs": "structure",
    "score_gene_sets": "gene_sets",
    "spatial_variability": "structure",
}


__getattr__, __dir__ = lazily(__name__, _HOME)
