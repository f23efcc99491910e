"""What predictions say about tissue: genes, domains, structure, gene sets, and what goes with what."""

from typing import TYPE_CHECKING

from mclstexp.core.lazily import lazily

if TYPE_CHECKING:
    from mclstexp.analysis.association.associate import Associations, Individuals, Spots, associate
    from mclstexp.analysis.association.loci import find_loci
    from mclstexp.analysis.association.replicate import replicate
    from mclstexp.analysis.biomarkers.find import Biomarkers, find_biomarkers
    from mclstexp.analysis.domains import compare_domains, find_domains, labels_of
    from mclstexp.analysis.gene_ranking import rank_genes
    from mclstexp.analysis.gene_sets import compare_gene_sets, read_gmt, score_gene_sets
    from mclstexp.analysis.pairs import Pair, read_pairs
    from mclstexp.analysis.structure import gene_correlations, recover_svgs, spatial_variability

__all__ = [
    "Associations",
    "Biomarkers",
    "Individuals",
    "Pair",
    "Spots",
    "associate",
    "compare_domains",
    "compare_gene_sets",
    "find_biomarkers",
    "find_domains",
    "find_loci",
    "gene_correlations",
    "labels_of",
    "rank_genes",
    "read_gmt",
    "read_pairs",
    "recover_svgs",
    "replicate",
    "score_gene_sets",
    "spatial_variability",
]

# a name is imported when it is first used: who draws a map needs no clustering
_HOME = {
    "Associations": "association.associate",
    "Biomarkers": "biomarkers.find",
    "Individuals": "association.associate",
    "Pair": "pairs",
    "Spots": "association.associate",
    "associate": "association.associate",
    "compare_domains": "domains",
    "compare_gene_sets": "gene_sets",
    "find_biomarkers": "biomarkers.find",
    "find_domains": "domains",
    "find_loci": "association.loci",
    "gene_correlations": "structure",
    "labels_of": "domains",
    "rank_genes": "gene_ranking",
    "read_gmt": "gene_sets",
    "read_pairs": "pairs",
    "recover_svgs": "structure",
    "replicate": "association.replicate",
    "score_gene_sets": "gene_sets",
    "spatial_variability": "structure",
}


__getattr__, __dir__ = lazily(__name__, _HOME)
