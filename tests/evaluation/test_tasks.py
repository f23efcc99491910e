"""Experiments of the questions beside images: their scores are those of their judges, in the table of all."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from made_bands import made_bands
from made_cells import made_cells, made_spots
from mclstexp.api import run_experiment
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.domains import create_domain_finder
from mclstexp.domains.judge import judge_domains
from mclstexp.enhancement import create_enhancer
from mclstexp.enhancement.hidden import score_hidden
from mclstexp.evaluation import runner, worker
from mclstexp.evaluation.experiment import experiment_of
from mclstexp.evaluation.results import read_results
from mclstexp.evaluation.run_plan import plan_of
from mclstexp.evaluation.score_table import COLUMNS
from mclstexp.imputation import create_imputer
from mclstexp.imputation.gene_folds import folds_of_genes, genes_to_score
from mclstexp.imputation.judge import METRICS, score_fold
from mclstexp.io.bare_section import read_bare_section
from mclstexp.io.predictions import read_prediction

SYNTHETIC = {"n_patients": 1, "n_spots_side": 9, "n_genes": 30, "mpp": 4.0}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A table of spots whose names say where they lie, and cells."""
    folder = tmp_path_factory.mktemp("tasks")
    spots = made_spots(100)
    names = [f"{n % 10}x{n // 10}" for n in range(100)]
    pd.DataFrame(spots.X.toarray(), names, spots.var_names).to_csv(folder / "spots.tsv", sep="\t")
    made_cells(120).write_h5ad(folder / "cells.h5ad")
    return folder


@pytest.fixture
def computed(monkeypatch):
    """Judge in this process, which takes no seconds to begin, and list what is judged."""
    done = []

    def compute(plan, todo, **_):
        for label, folds in todo.items():
            for fold in folds:
                worker.judge_part(plan, label, fold)
                done.append((label, fold))
        return {}

    monkeypatch.setattr(runner, "_compute", compute)
    monkeypatch.setattr("mclstexp.api.experiments._draw_scores", lambda *_: None)
    return done


def impute(files, **changes):
    content = {
        "task": "impute",
        "title": "made",
        "reference": str(files / "cells.h5ad"),
        "data": {"path": str(files / "spots.tsv")},
        "hidden": {"n_genes": 40, "n_folds": 3},
        "methods": {"gene_knn": {}, "ridge": {"method": "gene_ridge"}},
    }
    return experiment_of({**content, **changes}, where="test.toml")


def enhance(**changes):
    content = {
        "task": "enhance",
        "data": {"synthetic": SYNTHETIC},
        "tile": {"size_px": 32, "mpp": 4.0},
        "hidden": {"by": "random", "n_genes": 12},
        "methods": {"kriging": {}},
    }
    return experiment_of({**content, **changes}, where="test.toml")


def test_imputation_is_scored_as_its_judge_does_it(files, computed, tmp_path):
    summary = run_experiment(impute(files), out=tmp_path / "out")
    scores = read_results(tmp_path / "out")
    assert list(scores.columns) == list(COLUMNS)
    section = read_bare_section(files / "spots.tsv", spec=TileSpec())
    cells, ridge = made_cells(120), create_imputer("gene_ridge")
    genes = genes_to_score(section.counts, cells, n_genes=40)
    folds = folds_of_genes(section.counts, cells, genes=genes, n_folds=3)
    judged = pd.concat([score_fold(ridge, fold, section.counts, cells) for fold in folds]).set_index("gene")
    mine = scores[scores["method"] == "ridge"]
    for metric in METRICS:
        found = mine[mine["metric"] == metric].set_index(mine["gene"][mine["metric"] == metric].astype(str))["value"]
        np.testing.assert_array_equal(found, judged.loc[found.index, metric])
    assert list(summary.index)[-1] == "split-half r of the truth"
    assert set(summary.index[summary["kind"] == "control"]) == {"mean", "depth"}
    assert summary.loc["ridge", "pcc"] == pytest.approx(judged["pcc"].mean())
    assert "held out by gene" in (tmp_path / "out" / "summary.md").read_text()
    assert set(pd.read_csv(tmp_path / "out" / "comparison.csv")["told_apart"]) == {False}, "one section tells nothing"
    kept = read_prediction(tmp_path / "out" / "predictions" / "ridge" / "spots.h5ad")
    assert kept.shape == (100, 40)
    assert list(kept.obs_names) == list(section.tiles.ids)


@pytest.mark.slow
def test_enhancement_is_scored_as_its_judge_does_it(computed, tmp_path):
    experiment = enhance()
    summary = run_experiment(experiment, out=tmp_path / "out")
    (section,) = experiment.data.read(experiment.tile)
    turns = experiment.turns([section])
    judged = score_hidden(section, {"kriging": create_enhancer("kriging")}, hide="random", genes=turns[0].scale.genes)
    assert summary.loc["kriging", "pcc"] == pytest.approx(judged["pcc"].mean())
    assert summary.loc["kriging", "pcc_depth"] == pytest.approx(judged["pcc_depth"].mean())
    assert set(summary.index[summary["kind"] == "control"]) == {"mean", "nearest", "linear", "common_map"}
    assert summary.attrs["by"] == "spot"
    kept = read_prediction(tmp_path / "out" / "predictions" / "kriging" / "P1_S1.h5ad")
    assert sorted(kept.obs_names) == sorted(section.tiles.ids), "each spot was hidden once"
    of_turn = turns[2].ask(create_enhancer("kriging"))
    np.testing.assert_array_equal(kept[of_turn.obs_names].X, of_turn.X)


@pytest.mark.slow
def test_a_spot_that_was_hidden_in_several_turns_has_the_mean_of_its_answers(computed, tmp_path):
    experiment = enhance(hidden={"by": "between", "n_genes": 5, "turns": 2}, methods={"nearest": {}})
    run_experiment(experiment, out=tmp_path / "out")
    kept = read_prediction(tmp_path / "out" / "predictions" / "nearest" / "P1_S1.h5ad")
    turns = experiment.turns(experiment.read())
    answers = [turn.ask(create_enhancer("nearest")) for turn in turns]
    both = answers[0].obs_names.intersection(answers[1].obs_names)
    assert len(both) > 5
    mean = (answers[0][both].X + answers[1][both].X) / 2
    np.testing.assert_allclose(kept[both].X, mean, rtol=1e-6)
    assert kept.n_obs == len(answers[0].obs_names.union(answers[1].obs_names))


@pytest.mark.slow
def test_what_was_finished_before_a_stop_is_not_done_again(files, computed, tmp_path, monkeypatch):
    judge = worker.judge_part

    def until_the_fifth(plan, label, fold):
        if len(computed) == 5:
            raise KeyboardInterrupt
        judge(plan, label, fold)

    monkeypatch.setattr(worker, "judge_part", until_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(impute(files), out=tmp_path / "out")
    before = list(computed)
    monkeypatch.setattr(worker, "judge_part", judge)
    run_experiment(impute(files), out=tmp_path / "out")
    assert len(computed) == len(set(computed)) == 12
    assert computed[:5] == before
    run_experiment(impute(files), out=tmp_path / "out")
    assert len(computed) == 12, "results of the very same are returned as they are"


def test_a_part_depends_on_all_that_moves_it(files, tmp_path):
    def key(experiment, label="ridge", fold="genes 1"):
        return plan_of(experiment, tmp_path, code={"source": "the same"}).key(label, fold)

    first = key(impute(files))
    assert key(impute(files, title="another")) == first
    assert key(impute(files, methods={"ridge": {"method": "gene_ridge"}})) == first, "others do not count"
    cells = made_cells(120, seed=7)
    cells.write_h5ad(tmp_path / "other.h5ad")
    others = [
        key(impute(files), fold="genes 2"),
        key(impute(files, seed=1)),
        key(impute(files, reference=str(tmp_path / "other.h5ad"))),
        key(impute(files, hidden={"n_genes": 39, "n_folds": 3})),
        key(impute(files, data={"path": str(files / "spots.tsv"), "min_counts": 3000})),
        key(impute(files, methods={"ridge": {"method": "gene_ridge", "penalty": 1.0}})),
    ]
    assert len({first, *others}) == 7


@pytest.mark.slow
def test_a_method_that_fails_is_a_row_and_the_others_go_on(files, computed, tmp_path):
    (tmp_path / "own.py").write_text(
        "from dataclasses import dataclass\nfrom mclstexp.core.imputer import Imputer, register\n"
        '@register("falling")\n@dataclass\nclass Falling(Imputer):\n    """Falls."""\n'
        "    def _impute(self, known):\n        raise ValueError('no such thing')\n"
    )
    methods = {"mine": {"file": str(tmp_path / "own.py")}, "gene_knn": {}}
    summary = run_experiment(impute(files, methods=methods), out=tmp_path / "out")
    assert summary.loc["mine", "n_failed"] == 3
    assert "ValueError: no such thing" in summary.loc["mine", "failed"]
    assert summary.loc["gene_knn", "pcc"] > 0.5


def domains(folder, **changes):
    section = made_bands(side=9)
    counts = section.counts.copy()
    counts.obsm["spatial"] = section.tiles.xy_um
    counts.obs = counts.obs.rename(columns={"label": "layer"})
    counts.write_h5ad(folder / "bands.h5ad")
    content = {
        "task": "domains",
        "data": {"path": str(folder / "bands.h5ad"), "format": "counts"},
        "asked": {"seeds": 2, "labels": {"bands": "layer"}},
        "methods": {"smooth": {"method": "spatial_kmeans"}, "kmeans": {}},
    }
    return experiment_of({**content, **changes}, where="test.toml")


def test_domains_are_scored_as_their_judge_does_it(computed, tmp_path):
    experiment = domains(tmp_path)
    summary = run_experiment(experiment, out=tmp_path / "out")
    assert summary.attrs["metric"] == "ari"
    (section,) = experiment.read()
    methods = {"smooth": create_domain_finder("spatial_kmeans")}
    judged = judge_domains(section, methods, labels=section.counts.obs["layer"].astype(object), seeds=2)
    of_seen = judged.groupby("seen")[["ari", "nmi", "homogeneity", "stability", "coherence"]].mean()
    for label, seen in (("smooth", "as it is"), ("smooth, places shuffled", "places shuffled")):
        for metric, value in of_seen.loc[seen].items():
            assert summary.loc[label, metric] == pytest.approx(value), (label, metric)
    kinds = {"smooth": "method", "smooth, places shuffled": "control", "kmeans": "method"}
    assert summary["kind"].to_dict() == kinds
    assert "| ARI |" in (tmp_path / "out" / "summary.md").read_text()
    assert set(pd.read_csv(tmp_path / "out" / "comparison.csv")["baseline"]) <= {"smooth", "kmeans"}, "the best ARI"
    kept = read_prediction(tmp_path / "out" / "predictions" / "smooth" / "bands.h5ad")
    assert {"domain", "domain, seed 0", "domain, seed 1"} <= set(kept.obs)
    assert "layer" not in kept.obs


def test_no_label_reaches_a_method_of_domains(tmp_path):
    (turn,) = (experiment := domains(tmp_path)).turns(experiment.read())
    shuffled = turn.section.counts.copy()
    shuffled.obs["layer"] = np.random.default_rng(0).permutation(shuffled.obs["layer"].to_numpy())
    other = replace(turn, section=replace(turn.section, counts=shuffled))
    method = create_domain_finder("spatial_kmeans")
    one, two = turn.ask(method), other.ask(method)
    assert one.obs["domain"].tolist() == two.obs["domain"].tolist()
    assert turn.mark(one)["ari"][0] > other.mark(two)["ari"][0] + 0.3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"asked": {"seeds": 0}}, r"seeds in \[asked\] of 1 or more expected, found 0"),
        ({"asked": {"n_domains": 1}}, r"n_domains in \[asked\] of 2 or more expected, found 1"),
        ({"asked": {"n_domains": 99, "labels": {"bands": "layer"}}}, r"of at most 81 \(spots\) expected, found 99"),
        ({"asked": {}}, r'section bands: labels expected in obs\["label"\], found none: name their column'),
        (
            {"asked": {"labels": {"band": "layer"}}},
            r"labels in .* of sections that are read expected, found 'band'",
        ),
        ({"methods": {"image_only": {}}}, "image expected for method image_only, which looks at it"),
    ],
)
def test_what_a_file_of_domains_says_wrong_is_a_sentence(tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        run_experiment(domains(tmp_path, **changes), out=tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "imptue"}, "test.toml: a known task expected, found 'imptue': did you mean 'impute'?"),
        ({"task": 3}, "a known task expected, found 3: choose one of predict, impute, enhance, domains, outcome"),
        ({"reference": ""}, r'a reference expected with task = "impute", found none: say reference = "cells.h5ad"'),
        ({"reference": "no.h5ad"}, "expected as the reference, found nothing at no.h5ad"),
        ({"refrence": "a"}, "test.toml has no option 'refrence': did you mean 'reference'?"),
        ({"folds": {"by": "section"}}, "test.toml has no option 'folds'"),
        ({"hidden": {"by": "genes"}}, r"hidden: by must be 'gene' or 'cluster'.*, found 'genes'"),
        ({"hidden": {"n_gene": 3}}, "hidden has no option 'n_gene': did you mean 'n_genes'?"),
        ({"hidden": {"n_genes": 0}}, r"n_genes in \[hidden\] of 1 or more expected, found 0"),
        ({"hidden": {"n_folds": 1}}, "from 2 folds to as many as there are genes to score .* expected, found 1"),
        ({"methods": {}}, r"at least one method expected, found none: add a table \[methods.gene_ridge\]"),
        ({"methods": {"kriging": {}}}, "a known method of imputation expected, found 'kriging'"),
        ({"methods": {"gene_ridge": {"penalti": 1}}}, "no option 'penalti': did you mean 'penalty'?"),
        ({"data": {"path": "nowhere.tsv"}}, "expected as section nowhere, found nothing at nowhere.tsv"),
    ],
)
def test_what_a_file_says_wrong_is_a_sentence(files, tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        run_experiment(impute(files, **changes), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_methods_that_look_are_refused_where_nothing_is_seen(files, tmp_path):
    methods = {"kriging": {}, "image_kriging": {}}
    with pytest.raises(InputError, match=r"image expected for method image_kriging, .* found counts alone at .*\.tsv"):
        run_experiment(enhance(data={"path": str(files / "spots.tsv")}, methods=methods), out=tmp_path / "out")
    with pytest.raises(InputError, match="must be 'between', 'random' or 'areas'"):
        enhance(hidden={"by": "near"})
    with pytest.raises(InputError, match=r"turns in \[hidden\] of 1 or more expected, found 0"):
        run_experiment(enhance(hidden={"turns": 0}), out=tmp_path / "out")


def test_counts_without_places_are_no_section(tmp_path):
    spots = made_spots(20)
    pd.DataFrame(spots.X.toarray(), spots.obs_names, spots.var_names).to_csv(tmp_path / "s.tsv", sep="\t")
    with pytest.raises(InputError, match=r"places of the spots expected in .*s\.tsv .*, found none"):
        read_bare_section(tmp_path / "s.tsv", spec=TileSpec())


@pytest.mark.slow
def test_the_command_runs_a_task_in_processes(files, said, tmp_path):
    lines = ['task = "impute"', f'reference = "{files}/cells.h5ad"', "[data]", f'path = "{files}/spots.tsv"']
    (tmp_path / "e.toml").write_text("\n".join([*lines, "[hidden]", "n_genes = 40", "n_folds = 2", "[methods.spage]"]))
    code, text, _ = said("evaluate", tmp_path / "e.toml", "--out", tmp_path / "out", "--jobs", "2")
    assert code == 0
    assert "held out by gene" in text
    assert (tmp_path / "out" / "figures" / "summary.png").is_file()
