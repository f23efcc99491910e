"""Top genes and their ranking: each gene on its best section, every mark where its number says."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_hex

from mclstexp.analysis.gene_ranking import rank_genes
from mclstexp.analysis.pairs import Pair
from mclstexp.core.errors import InputError
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.methods import create
from mclstexp.plotting.ranking import VERDICT_COLOURS, plot_gene_ranking
from mclstexp.plotting.top_genes import plot_top_genes
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def pairs():
    sections = small_sections()
    model = create("knn", encoder=ENCODER, k=4).fit(sections[:1])
    return [Pair(section, model.predict(section.tiles)) for section in sections[1:]]


def discs(ax):
    return next(c for c in ax.collections if isinstance(c, EllipseCollection))


def test_a_gene_is_drawn_on_its_best_section(pairs):
    genes = ["TUMOUR1", "FAT1"]
    axes = plot_top_genes(pairs, genes)
    assert axes.shape == (2, 2)
    for column, gene in enumerate(genes):
        at = pairs[0].genes.index(gene)
        r = [pearson_per_gene(pair.truth[:, [at]], pair.guess[:, [at]])[0] for pair in pairs]
        best = pairs[int(np.nanargmax(r))]
        measured, predicted = (discs(ax) for ax in axes[:, column])
        np.testing.assert_allclose(measured.get_array(), best.truth[:, at])
        np.testing.assert_allclose(predicted.get_array(), best.guess[:, at])
        assert measured.get_clim() == predicted.get_clim()
        assert axes[0, column].get_title() == gene
        assert axes[1, column].get_title() == f"{best.id}: PCC {max(r):.2f} (mean {np.mean(r):.2f})"
    assert [ax.texts[-1].get_text() for ax in axes[:, 0]] == ["measured", "predicted"]
    widths = [abs(np.subtract(*ax.get_xlim())) for ax in axes.ravel()]
    np.testing.assert_allclose(widths, widths[0])


def test_other_genes_and_axes_are_refused(pairs):
    with pytest.raises(InputError, match="found 'NONE'"):
        plot_top_genes(pairs, ["NONE"])
    with pytest.raises(InputError, match="4 axes"):
        plot_top_genes(pairs, ["TUMOUR1", "FAT1"], axes=plt.subplots(1, 3)[1])
    with pytest.raises(InputError, match="at least one gene"):
        plot_top_genes(pairs, [])


def test_a_ranking_shows_sections_mean_ceiling_and_score(pairs):
    ranking = rank_genes(pairs, n_permutations=19)
    ax = plot_gene_ranking(ranking, n_genes=5)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(ranking.index[:5])
    means = [line for line in ax.lines if line.get_gid() == "mean"]
    assert [line.get_xdata()[0] for line in means] == ranking["pcc"].head().tolist()
    assert [line.get_ydata()[0] for line in means] == [0, 1, 2, 3, 4]
    assert [to_hex(line.get_color()) for line in means] == [
        VERDICT_COLOURS[verdict].lower() for verdict in ranking["verdict"].head()
    ]
    sections = next(line for line in ax.lines if line.get_gid() == "sections")
    assert list(sections.get_xdata()) == [ranking.iloc[0][f"pcc_{pair.id}"] for pair in pairs]
    ceiling = next(c for c in ax.collections if c.get_gid() == "ceiling")
    assert ceiling.get_segments()[0][0, 0] == pytest.approx(ranking["ceiling"].iloc[0])
    assert f"{ranking['score'].iloc[0]:.1f}" in [text.get_text() for text in ax.texts]
    with pytest.raises(InputError, match="without score"):
        plot_gene_ranking(ranking.drop(columns="score"))
