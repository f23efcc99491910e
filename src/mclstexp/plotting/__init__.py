"""Pictures: each function returns Axes, none shows."""

from typing import TYPE_CHECKING

from mclstexp.core.lazily import lazily

if TYPE_CHECKING:
    from mclstexp.plotting.correlations import plot_gene_correlations
    from mclstexp.plotting.domains import plot_domains
    from mclstexp.plotting.embedding import embedding_plane, plot_embedding
    from mclstexp.plotting.figures import draw_figures
    from mclstexp.plotting.gallery import find_spots, plot_gallery
    from mclstexp.plotting.maps import plot_map, plot_slide, plot_truth_and_prediction, robust_limits
    from mclstexp.plotting.outcomes import plot_foretold, plot_outcome_calibration, plot_outcome_differences, plot_roc
    from mclstexp.plotting.overlay import plot_overlay
    from mclstexp.plotting.products import plot_products
    from mclstexp.plotting.ranking import plot_gene_ranking
    from mclstexp.plotting.risk_groups import plot_risk_groups
    from mclstexp.plotting.scores import (
        plot_method_against_method,
        plot_score_against_ceiling,
        plot_score_distributions,
        plot_summary,
    )
    from mclstexp.plotting.sources import plot_sources
    from mclstexp.plotting.style import save_figure, scale_bar
    from mclstexp.plotting.top_genes import plot_top_genes
    from mclstexp.plotting.training_curves import plot_training

__all__ = [
    "draw_figures",
    "embedding_plane",
    "find_spots",
    "plot_domains",
    "plot_embedding",
    "plot_foretold",
    "plot_gallery",
    "plot_gene_correlations",
    "plot_gene_ranking",
    "plot_map",
    "plot_method_against_method",
    "plot_outcome_calibration",
    "plot_outcome_differences",
    "plot_overlay",
    "plot_products",
    "plot_risk_groups",
    "plot_roc",
    "plot_score_against_ceiling",
    "plot_score_distributions",
    "plot_slide",
    "plot_sources",
    "plot_summary",
    "plot_top_genes",
    "plot_training",
    "plot_truth_and_prediction",
    "robust_limits",
    "save_figure",
    "scale_bar",
]

# a name is imported when it is first used, and matplotlib with it
_HOME = {
    "draw_figures": "figures",
    "embedding_plane": "embedding",
    "find_spots": "gallery",
    "plot_domains": "domains",
    "plot_embedding": "embedding",
    "plot_foretold": "outcomes",
    "plot_gallery": "gallery",
    "plot_gene_correlations": "correlations",
    "plot_gene_ranking": "ranking",
    "plot_map": "maps",
    "plot_method_against_method": "scores",
    "plot_outcome_calibration": "outcomes",
    "plot_outcome_differences": "outcomes",
    "plot_overlay": "overlay",
    "plot_products": "products",
    "plot_risk_groups": "risk_groups",
    "plot_roc": "outcomes",
    "plot_score_against_ceiling": "scores",
    "plot_score_distributions": "scores",
    "plot_slide": "maps",
    "plot_sources": "sources",
    "plot_summary": "scores",
    "plot_top_genes": "top_genes",
    "plot_training": "training_curves",
    "plot_truth_and_prediction": "maps",
    "robust_limits": "maps",
    "save_figure": "style",
    "scale_bar": "style",
}

__getattr__, __dir__ = lazily(__name__, _HOME)
