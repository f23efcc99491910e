"""Domains are held against labels that no method saw; what is shuffled is shuffled, and scores are what they say."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from made_bands import looks_of, made_bands
from mclstexp.core.domain_finder import DomainFinder
from mclstexp.core.errors import InputError
from mclstexp.domains import create_domain_finder
from mclstexp.domains.agreement import agree
from mclstexp.domains.judge import METRICS, judge_domains, summarise_domains


@dataclass
class _Watching(DomainFinder):
    """Cuts by what it looks at, and keeps what it was shown."""

    name = "watching"
    needs_places = True
    shown: ClassVar[list] = []
    seed: int = 0
    """Moves one spot."""

    @property
    def looks(self):
        return True

    def _look(self, tiles):
        return SEEN

    def _embed(self, tissue):
        self.shown.append(tissue)
        return tissue.features

    def _cut(self, points, tissue, n_domains):
        groups = points.argmax(axis=1)
        groups[self.seed] = 0
        return groups


SECTION = made_bands()
SEEN = looks_of(SECTION, noise=0.0)


@pytest.fixture(scope="module")
def scores():
    _Watching.shown.clear()
    return judge_domains(SECTION, {"w": _Watching()}, seeds=3)


def test_one_row_a_method_control_and_seed(scores):
    assert scores[["method", "seen", "seed"]].apply(tuple, axis=1).tolist() == [
        ("w", seen, seed) for seen in ("as it is", "image shuffled", "places shuffled") for seed in (0, 1, 2)
    ]
    assert set(METRICS) < set(scores.columns)
    assert (scores["n_spots"] == len(SECTION)).all()


def test_what_is_shuffled_and_what_is_not(scores):
    as_it_is, image, places = (_Watching.shown[i] for i in (0, 3, 6))
    for tissue in (image, places):
        np.testing.assert_array_equal(tissue.expression, as_it_is.expression)
    np.testing.assert_array_equal(image.xy, as_it_is.xy)
    np.testing.assert_array_equal(places.features, as_it_is.features)
    for one, other in ((image.features, SEEN), (places.xy, as_it_is.xy)):
        assert not np.array_equal(one, other)
        np.testing.assert_array_equal(np.sort(one, axis=0), np.sort(other, axis=0))
    table = summarise_domains(scores)
    assert table.index.tolist() == [("w", seen) for seen in ("as it is", "image shuffled", "places shuffled")]
    assert table.loc[("w", "as it is"), "ari"] > 0.98
    assert abs(table.loc[("w", "image shuffled"), "ari"]) < 0.05
    assert table.loc[("w", "places shuffled"), "ari"] == table.loc[("w", "as it is"), "ari"]
    assert table.loc[("w", "as it is"), "coherence"] > 0.9 > table.loc[("w", "image shuffled"), "coherence"]


def test_agreement_worked_by_hand():
    found = pd.Categorical(["1", "1", "2", "2", None, "2"])
    labels = pd.Categorical(["a", "a", "b", "b", "b", None])
    assert agree(found, labels) == {
        "n_domains": 2, "n_against": 2, "n_spots": 4, "ari": 1.0, "nmi": 1.0, "homogeneity": 1.0,
    }  # fmt: skip
    half = agree(pd.Categorical(["1", "1", "1", "2"]), pd.Categorical(["a", "a", "b", "b"]))
    assert half["ari"] == 0.0
    assert half["homogeneity"] == pytest.approx(0.3113, abs=1e-4)  # 1 - 3/4 · H(1/3)


def test_labels_tell_the_number_alone():
    methods = {"kmeans": create_domain_finder("kmeans")}
    labels = SECTION.counts.obs["label"].to_numpy(object)
    first = judge_domains(SECTION, methods, seeds=2)
    again = judge_domains(SECTION, methods, labels=labels, seeds=2)
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), again.drop(columns="seconds"))
    assert first["seen"].unique().tolist() == ["as it is"], "what is not looked at needs no control"
    random = judge_domains(SECTION, methods, labels=np.random.default_rng(0).permutation(labels), seeds=2)
    for name in ("stability", "coherence", "n_domains"):
        np.testing.assert_array_equal(random[name], first[name])
    assert abs(random["ari"].mean()) < 0.05 < first["ari"].mean()
    partly = labels.copy()
    partly[:50] = "undetermined"
    assert (judge_domains(SECTION, methods, labels=partly, seeds=1)["n_spots"] == len(SECTION) - 50).all()
    assert (judge_domains(SECTION, methods, n_domains=5, seeds=1)["n_domains"] == 5).all()


def test_what_cannot_be_judged_is_a_sentence():
    counts = SECTION.counts.copy()
    del counts.obs["label"]
    methods = {"kmeans": create_domain_finder("kmeans")}
    with pytest.raises(InputError, match=r"labels of two or more kinds expected in obs\[.label.\], found 0"):
        judge_domains(counts, methods)
    with pytest.raises(InputError, match="found 1: domains are judged by them"):
        judge_domains(counts, methods, labels=["a"] * counts.n_obs)
    with pytest.raises(InputError, match="a label for each of 225 spots expected, found 3"):
        judge_domains(counts, methods, labels=["a", "b", "c"])
