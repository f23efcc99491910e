"""Rankings on planted truths, the null, and what is said of slips."""

import numpy as np
import pandas as pd
import pytest

from mclstexp.analysis import find_biomarkers
from mclstexp.analysis.biomarkers.find import PERMUTED, WITHIN, make_ranker
from mclstexp.analysis.biomarkers.gmind import GMind
from mclstexp.analysis.biomarkers.modalities import Modalities
from mclstexp.analysis.biomarkers.planted import SIZES, average_precision, plant
from mclstexp.analysis.biomarkers.rankers import auc
from mclstexp.analysis.biomarkers.regression import largest_l1, penalised_logistic
from mclstexp.cli import run
from mclstexp.cohort.regression.elastic_net import elastic_net
from mclstexp.cohort.regression.likelihood import Logistic
from mclstexp.cohort.regression.ridge import ridge
from mclstexp.core.errors import InputError


def _study(rng, n_groups=6, each=20, n=8):
    """Rows of groups that differ in level, in which the first two features tell the label."""
    label = rng.integers(0, 2, n_groups * each)
    values = rng.normal(size=(len(label), n)) + np.repeat(rng.normal(size=(n_groups, 1)), each, axis=0)
    values[:, :2] += 2.0 * label[:, None]
    groups = np.repeat([f"P{k}" for k in range(n_groups)], each)
    table = pd.DataFrame(values, columns=[f"f{k}" for k in range(n)])
    return table, pd.Series(np.where(label, "tumour", "rest")), groups.tolist()


def test_the_quick_regression_agrees_with_newtons():
    rng = np.random.default_rng(0)
    design = rng.normal(size=(80, 12))
    outcome = (design[:, 0] + rng.normal(size=80) > 0).astype(float)
    both, free = np.column_stack([np.ones(80), design]), np.eye(13)[0]
    theirs = ridge(Logistic(outcome), both, 5.0 * (1 - free))
    assert penalised_logistic(design, outcome, l1=0.0, l2=5.0) == pytest.approx(theirs, abs=1e-4)
    size = 0.2 * largest_l1(design, outcome)
    theirs = elastic_net(Logistic(outcome), both, np.array([2 * size / 80]), l1_ratio=0.5, free=free)[0]
    ours = penalised_logistic(design, outcome, l1=size, l2=size)
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert 0 < (ours == 0).sum() < 12
    assert (penalised_logistic(design, outcome, l1=1.001 * largest_l1(design, outcome), l2=0)[1:] == 0).all()


def test_true_features_are_found_on_individuals_left_out_and_permuted_labels_tell_nothing():
    table, labels, groups = _study(np.random.default_rng(1))
    found = find_biomarkers({"genes": table}, labels, groups, permutations=8)
    assert set(found.features["feature"].head(2)) == {"f0", "f1"}
    assert found.label == "tumour"
    assert (found.features["ridge"].head(2) > 0).all()
    assert (found.features["agreeing"].head(2) == 1).all()
    summary = found.summary()
    assert summary.at["ridge", "auc"] > 0.9
    assert summary.at["ridge", "p"] < 0.05
    assert summary.at[PERMUTED, "auc"] == pytest.approx(0.5, abs=0.1)
    assert sorted(found.scores["group"].unique()) == sorted(set(groups))
    labels[::3] = None
    assert find_biomarkers({"genes": table}, labels, groups, permutations=0).summary().at["ridge", "auc"] > 0.9


def test_shares_of_individuals_alone_tell_a_label_where_they_differ():
    rng = np.random.default_rng(5)
    label = rng.random(240) < np.repeat([0.1, 0.9, 0.2, 0.8, 0.15, 0.85], 40)
    table = pd.DataFrame(rng.normal(size=(240, 6)), columns=[f"f{k}" for k in range(6)])
    table["f1"] += 2 * label
    groups = np.repeat([f"P{k}" for k in range(6)], 40).tolist()
    summary = find_biomarkers({"g": table}, pd.Series(label.astype(str)), groups, permutations=6).summary()
    assert summary.at["ridge", "auc"] > 0.85
    assert summary.at[WITHIN, "auc"] > 0.75, "whose rows have the label more often is no secret of any row"
    assert summary.at[PERMUTED, "auc"] == pytest.approx(0.5, abs=0.15)


def test_no_row_left_out_moves_a_fit():
    table, labels, groups = _study(np.random.default_rng(2))
    changed = table.copy()
    changed.iloc[:20] = np.random.default_rng(0).normal(size=(20, 8)) * 100  # all of P0
    both = [find_biomarkers({"g": one}, labels, groups, permutations=0).scores for one in (table, changed)]
    # scores of P0 come of fits that never saw P0: with its own rows as they were they are the same
    mixed = [Modalities.of_tables({"g": one.iloc[20:]}) for one in (table, changed)]
    told = (labels == "tumour").to_numpy(float)[20:]
    fits = [make_ranker("ridge").fit(some, told, groups[20:]) for some in mixed]
    assert np.array_equal(*(fit.beta_ for fit in fits))
    assert len(both[0]) == len(both[1])


def test_kinds_that_are_missing_and_each_alone():
    rng = np.random.default_rng(3)
    table, labels, groups = _study(rng)
    image = pd.DataFrame(rng.normal(size=(120, 4)), columns=[f"i{k}" for k in range(4)])
    genes = table.copy()
    genes.iloc[::5] = np.nan
    image.iloc[1::5] = np.nan
    found = find_biomarkers(
        {"genes": genes, "image": image},
        labels,
        groups,
        methods=("ridge", "elastic_net", "late_fusion"),
        permutations=1,
    )
    summary = found.summary()
    assert summary.at["ridge, genes alone", "auc"] > 0.9
    assert summary.at["ridge, image alone", "auc"] == pytest.approx(0.5, abs=0.15)
    assert summary.at["ridge", "auc"] > 0.8
    assert list(found.features.columns) == ["modality", "feature", "ridge", "elastic_net", "late_fusion", "agreeing"]
    assert set(found.features["modality"]) == {"genes", "image"}


@pytest.mark.slow
def test_the_planted_study_meets_what_its_specification_asks():
    # one seed of benchmarks/biomarkers.py
    train, test, whole = plant(300, seed=1), plant(1000, seed=2), plant(1000, seed=3, missing=0.0)
    groups = [str(k) for k in range(300)]
    network = GMind(patience=None).fit(train.modalities, train.labels, groups)
    plain = make_ranker("ridge").fit(train.modalities, train.labels, groups)
    assert auc(network.logits(test.modalities), test.labels) > 0.88
    assert auc(network.logits(whole.modalities), whole.labels) > 0.91
    true, kept = np.concatenate(train.true), np.concatenate(network.scores())
    assert kept[true].mean() - kept[~true].mean() >= 0.3
    ranked = average_precision(np.abs(np.concatenate(plain.scores())), true)
    assert ranked > average_precision(kept, true), "plain weights rank linear truths better"
    assert ranked > 0.95


def test_precision_and_auc_by_hand():
    assert average_precision(np.array([3.0, 2, 1, 0]), np.array([True, False, True, False])) == pytest.approx(5 / 6)
    assert auc(np.array([1.0, 2, 2, 3]), np.array([0.0, 0, 1, 1])) == pytest.approx(3.5 / 4)
    assert np.isnan(auc(np.ones(3), np.ones(3)))
    made = plant(50, seed=0)
    assert [v.shape[1] for v in made.modalities.values] == list(SIZES)
    assert made.modalities.present.any(axis=1).all()


def test_slips_are_sentences():
    table, labels, groups = _study(np.random.default_rng(4))
    holes = table.copy()
    holes.iloc[0, 0] = np.nan
    ask = lambda **given: find_biomarkers(**({"tables": {"g": table}, "labels": labels, "groups": groups} | given))  # noqa: E731
    for given, words in (
        ({"tables": {}}, "found none"),
        ({"tables": {"g": holes}}, "a row that lacks some"),
        ({"tables": {"g": table, "h": table.iloc[::-1]}}, "one order"),
        ({"tables": {"g": table * np.nan}}, "at least one kind"),
        ({"labels": labels.iloc[:5]}, "5 labels for 120 rows"),
        ({"label": "stroma"}, "name a label"),
        ({"labels": pd.Series(["a"] * 120)}, "two kinds .* found a: name a label"),
        ({"labels": pd.Series([np.nan] * 120)}, "found no label: name a label"),
        ({"permutations": -1}, "permutations of 0 or more"),
        ({"groups": ["P"] * 120}, "two individuals"),
        ({"methods": ["rigde"]}, "ridge"),
    ):
        with pytest.raises(InputError, match=words):
            ask(**given)


def test_a_label_that_is_the_individual_is_not_judged_and_that_is_said():
    table, labels, groups = _study(np.random.default_rng(4))
    whose = pd.Series(np.where(np.asarray(groups) == np.asarray(groups)[0], "tumour", "rest"), index=labels.index)
    with pytest.warns(UserWarning, match="they may tell the individuals instead"):
        found = find_biomarkers({"g": table}, whose, groups, permutations=0)
    assert found.summary().empty


def test_labels_that_differ_in_capitals_alone_are_pointed_at():
    table, labels, groups = _study(np.random.default_rng(4))
    kinds = labels.map(str)
    one = kinds.iloc[0]
    mixed = kinds.where((kinds != one) | (np.arange(len(kinds)) % 2 == 0), f"{one} ".upper())
    with pytest.warns(UserWarning, match="differ in capitals or blanks alone"):
        find_biomarkers({"g": table}, mixed, groups, label=one, permutations=0)


def test_the_command_ranks_genes_of_labelled_sections(tmp_path, capsys, monkeypatch):
    from mclstexp.evaluation.config import DataConfig
    from small_methods import small_sections

    def with_labels(self, spec):
        sections = small_sections(3)
        for section in sections:
            first = np.asarray(section.counts[:, 0].X.todense()).ravel()
            section.counts.obs["label"] = np.where(first > np.median(first), "tumour", "rest")
        return sections

    monkeypatch.setattr(DataConfig, "read", with_labels)
    out = tmp_path / "found.csv"
    words = ["biomarkers", "made", "--out", str(out), "--label", "tumour", "--kinds", "genes,image"]
    words += ["--encoder", "random:test_efficientnet", "--permutations", "1", "--methods", "ridge,elastic_net"]
    assert run(words) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines()[:-1])) <= 80
    assert "ridge, image alone" in said
    assert set(pd.read_csv(out)["modality"]) == {"genes", "image"}
    assert pd.read_csv(tmp_path / "found_scores.csv")["auc"].notna().any()
    assert run([*words, "--by", "slide"]) == 2
