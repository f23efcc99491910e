"""Domains: which colour each spot gets, and what the titles say."""

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_hex
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.synthetic import make_sections
from mclstexp.plotting.domains import domain_colours, match_domains, plot_domains
from mclstexp.plotting.style import MISSING


@pytest.fixture(scope="module")
def section():
    return make_sections(1, n_spots_side=4, n_genes=8, mpp=4.0, spec=TileSpec(28, 4.0))[0]


def colours(ax):
    (discs,) = (c for c in ax.collections if isinstance(c, EllipseCollection))
    return [to_hex(colour) for colour in discs.get_facecolor()]


def test_the_same_division_under_other_names_has_the_same_colours(section):
    truth = np.array(["a", "b", "c", "d"])[np.arange(len(section)) % 4]
    renamed = np.array([7, 3, 9, 1])[np.arange(len(section)) % 4]
    axes = plot_domains(section, {"labels": truth, "predicted": renamed})
    assert colours(axes[0]) == colours(axes[1])
    assert axes[1].get_title() == "predicted\nARI 1.00 · NMI 1.00"
    assert len(set(colours(axes[0]))) == 4


def test_each_domain_has_one_partner_of_most_spots():
    labels = ["x", "x", "x", "y", "y", "z"]
    reference = ["a", "a", "b", "a", "a", "b"]
    # x and y both overlap a by two: together they do best as x-b, y-a (3) or x-a, z-b (3)
    pairs = match_domains(labels, reference)
    assert sorted(pairs.values()) == ["a", "b"]
    hits = sum(pairs.get(x) == r for x, r in zip(labels, reference, strict=True))
    assert hits == 3


def test_a_domain_without_a_partner_has_a_colour_of_its_own(section):
    truth = np.where(np.arange(len(section)) < 8, "a", "b")
    finer = np.arange(len(section)) % 3
    axes = plot_domains(section, {"labels": truth, "predicted": finer})
    assert len(set(colours(axes[1]))) == 3
    assert set(colours(axes[0])) < set(colours(axes[1]))
    assert [text.get_text() for text in axes[0].figure.legends[0].get_texts()][-1] == "other colours: no counterpart"


def test_spots_without_a_label_are_grey_and_do_not_count(section):
    n = len(section)
    truth = np.array(["a", "b"], object)[np.arange(n) % 2]
    truth[:3] = [None, "undetermined", np.nan]
    rng = np.random.default_rng(0)
    guess = np.where(rng.random(n) < 0.3, 0, np.arange(n) % 2)
    axes = plot_domains(section, {"labels": truth, "predicted": guess})
    assert colours(axes[0])[:3] == [MISSING] * 3
    assert MISSING not in colours(axes[1])
    known = slice(3, None)
    ari = adjusted_rand_score(list(truth[known]), guess[known])
    nmi = normalized_mutual_info_score(list(truth[known]), guess[known])
    assert axes[1].get_title().endswith(f"ARI {ari:.2f} · NMI {nmi:.2f}")
    assert [text.get_text() for text in axes[0].figure.legends[0].get_texts()] == ["a", "b", "no label"]


def test_many_domains_have_colours_of_their_own():
    assert len(set(domain_colours(np.arange(20)).values())) == 20


def test_one_label_per_spot_is_needed(section):
    with pytest.raises(InputError, match="labels: a label for each"):
        plot_domains(section, {"labels": ["a"]})
    with pytest.raises(InputError, match="at least one"):
        plot_domains(section, {})
