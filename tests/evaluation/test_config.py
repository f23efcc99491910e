"""Configurations: read once, typed, wrong words refused by name."""

import dataclasses
from dataclasses import replace

import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import folds_by_patient
from mclstexp.evaluation.config import (
    DataConfig,
    FoldsConfig,
    GeneSetConfig,
    SpaceConfig,
    make_method,
)
from mclstexp.evaluation.exam import prepare
from mclstexp.evaluation.experiment import Experiment, read_experiment
from mclstexp.evaluation.toml import read_genes, read_toml
from mclstexp.io.synthetic import make_sections

WHOLE = """
title = "all of it"
seed = 7
transductive = true
encoder = "efficientnet_lite0"
[data]
synthetic = { n_patients = 2, n_spots_side = 4, n_genes = 10, mpp = 4 }
[tile]
size_px = 32
mpp = 2
[folds]
by = "section"
[space]
hvg = 5
axis = "gene"
[gene_sets]
top = { heg = 2 }
[methods.mean]
[methods.near]
method = "knn"
k = 3
[methods.mclstexp]
context_radii_um = [100, 200]
epochs = 2
[methods.other]
method = "mclstexp"
seed = 9
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "experiment.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="module")
def sections():
    return make_sections(2, n_spots_side=4, n_genes=10, mpp=4.0, spec=TileSpec(32, 2.0))


def test_a_space_of_residuals_is_learnt_as_the_file_says():
    sections = make_sections(2, n_spots_side=5, n_genes=12, mpp=4.0)
    space = SpaceConfig(hvg=5, scale="residual", theta=20).rule()(sections)
    assert (space.scale, space.theta, len(space.shares)) == ("residual", 20, 5)
    assert SpaceConfig(hvg=5).rule()(sections).scale == "log"


def test_a_whole_experiment_is_read(write):
    experiment = read_experiment(write(WHOLE))
    assert experiment.tile == TileSpec(32, 2.0)
    assert experiment.folds == FoldsConfig(by="section")
    assert experiment.gene_sets == {"top": GeneSetConfig(heg=2)}
    methods = experiment.make_methods()
    names = {label: method.name for label, method in methods.items()}
    given = {"mean": "mean", "near": "knn", "mclstexp": "mclstexp", "other": "mclstexp"}
    controls = {name: name for name in ("coordinates", "colour", "density", "ridge")}
    controls |= {f"{name}, common sight": name for name in ("knn", "pls", "ridge")}
    assert names == {**given, **controls}, "controls are in every table"
    assert {methods[label].encoder for label in ("near", "mclstexp", "ridge")} == {"efficientnet_lite0"}
    assert methods["pls, common sight"].sight == methods["mclstexp"].sight, "which sees the most"
    assert methods["near"].k == 3
    assert methods["mclstexp"].context_radii_um == (100.0, 200.0)
    assert (methods["mclstexp"].seed, methods["other"].seed) == (7, 9), "a method's own seed counts for more"


def test_sections_folds_space_and_gene_sets_follow_it(write, sections):
    experiment = read_experiment(write(WHOLE))
    made = experiment.data.read(experiment.tile)
    assert [(s.id, s.patient, s.tiles.spec) for s in made] == [(s.id, s.patient, s.tiles.spec) for s in sections]
    assert [fold.name for fold in experiment.make_folds(made)] == ["P1_S1", "P2_S1"]
    space = experiment.space.rule()(made)
    assert (len(space.genes), space.axis) == (5, "gene")
    assert len(experiment.gene_sets["top"].rule()(made, space=space)) == 2


def test_sections_may_lie_in_several_places(write):
    more = "[[data.also]]\nsynthetic = { n_patients = 1, n_spots_side = 4, n_genes = 10, mpp = 4.0, seed = 2 }\n"
    experiment = read_experiment(write(WHOLE + more))
    with pytest.raises(InputError, match="section names must be unique, found 'P1_S1' 2 times"):
        experiment.data.read(experiment.tile)
    named = replace(experiment.data, also=(replace(experiment.data.also[0], name="other"),))
    with pytest.raises(InputError, match=r"in data\.also a path and how it is read expected, found name"):
        named.read(experiment.tile)


def test_an_empty_file_is_an_experiment_without_methods(write):
    experiment = read_experiment(write(""))
    assert experiment == Experiment()
    with pytest.raises(InputError, match=r"at least one method expected, found none: add a table \[methods.mclstexp\]"):
        experiment.make_methods()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("metods = 1", r"has no option 'metods': did you mean 'methods'\?$"),
        ("[data]\npaht = '.'", r", data has no option 'paht': did you mean 'path'"),
        ("[data.synthetic]\nspots = 3", r", data, synthetic has no option 'spots'"),
        ("[gene_sets]\ntop = { svgs = 3 }", r", gene_sets.top has no option 'svgs': did you mean 'svg'"),
        ("[[data.also]]\npaht = '.'", r", data, also 1 has no option 'paht': did you mean 'path'"),
        ("[tile]\nsize = 3", r", tile has no option 'size': did you mean 'size_px'"),
        ("[tile]\nsize_px = 'big'", r", tile: size_px must be int, found 'big'"),
        ("[tile]\nmpp = -1.0", r"tile mpp must be a positive number .* found -1.0"),
        ("[folds]\nby = 'spot'", ", folds: by must be 'patient', 'section' or nothing, found 'spot'"),
        ("folds = 3", r": folds must be FoldsConfig, found 3"),
        ("[data\n", r"a configuration in TOML expected in .* found an error \(.*line 1.*\): correct it"),
        (
            "[data]\npath = '${MCLSTEXP_NOWHERE}/x'",
            r"needs the environment variable MCLSTEXP_NOWHERE, found it not set",
        ),
    ],
)
def test_what_does_not_fit_is_said(write, text, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        read_experiment(write(text))
    assert "\n" not in str(error.value)


def test_methods_are_checked_before_anything_runs():
    for methods, sentence in (
        ({"ridgee": {}}, "a known method expected, found 'ridgee': did you mean 'ridge'"),
        ({"ridge": {"alhpa": 1}}, "method ridge has no option 'alhpa': did you mean 'alpha'"),
        ({"knn": {"k": "many"}}, "method knn: k must be int, found 'many'"),
    ):
        with pytest.raises(InputError, match=sentence):
            Experiment(methods=methods).make_methods()


def test_what_is_said_for_all_counts_where_a_method_has_it_and_is_not_given_its_own():
    assert make_method("mclstexp", {}, common={"seed": 3, "encoder": None}).seed == 3
    assert make_method("mclstexp", {"seed": 4}, common={"seed": 3}).seed == 4
    assert not hasattr(make_method("mean", {}, common={"seed": 3}), "seed")
    paper = make_method("mclstexp", {"k": 5}, preset="published")
    assert (paper.protocol, paper.train_encoder, paper.k) == ("paper", True, 5)
    with pytest.raises(InputError, match="method mclstexp has no preset 'publihed': did you mean 'published'"):
        make_method("mclstexp", {}, preset="publihed")


def test_a_transductive_step_must_be_let_in(sections):
    experiment = Experiment(space=SpaceConfig(axis="gene", hvg=5), methods={"mean": {}})
    with pytest.raises(InputError, match='axis = "spot" expected under the strict protocol, found "gene"'):
        prepare(folds_by_patient(sections)[0], experiment.rules())
    let_in = dataclasses.replace(experiment, transductive=True)
    assert prepare(folds_by_patient(sections)[0], let_in.rules()).space.axis == "gene"


def test_the_paper_protocol_leaves_out_sections_and_scales_genes(sections):
    experiment = Experiment(protocol="paper", space=SpaceConfig(hvg=5), methods={"mean": {}})
    folds = experiment.make_folds(sections)
    assert {fold.by for fold in folds} == {"section"}
    exams = [prepare(fold, experiment.rules()) for fold in folds]
    assert {exam.space.axis for exam in exams} == {"gene"}
    assert len({exam.space.genes for exam in exams}) == 1, "one panel, chosen on all sections"
    with pytest.raises(InputError, match='folds by = "section" expected under the paper protocol'):
        prepare(folds_by_patient(sections)[0], experiment.rules())


def test_variables_are_replaced(write, tmp_path, monkeypatch):
    monkeypatch.setenv("MCLSTEXP_DATA", str(tmp_path))
    experiment = read_experiment(write('[data]\npath = "${MCLSTEXP_DATA}/a"\nsections = ["${MCLSTEXP_DATA}", "$5"]'))
    assert experiment.data.path == f"{tmp_path}/a"
    assert experiment.data.sections == (str(tmp_path), "$5")


def test_folds_can_be_named():
    sections = make_sections(3, n_spots_side=3, n_genes=4, mpp=4.0)
    assert [fold.name for fold in FoldsConfig(only=("P3", "P1")).make(sections)] == ["P1", "P3"]
    for only, found in {("P9",): "P9", (): "no name"}.items():
        with pytest.raises(InputError, match=rf"names of folds \(P1, P2, P3\) expected in only, found {found}"):
            FoldsConfig(only=only).make(sections)


def test_data_come_from_one_place():
    with pytest.raises(InputError, match="either a data path or synthetic sections expected, found neither"):
        DataConfig().read(TileSpec())
    with pytest.raises(InputError, match="n_folds groups patients"):
        FoldsConfig(by="section", n_folds=2).make([])
    with pytest.raises(InputError, match='one of "heg", "hvg", "svg" and "file", found none'):
        GeneSetConfig().rule()


def test_genes_come_from_a_file(tmp_path, sections):
    path = tmp_path / "genes.txt"
    path.write_text("# panel\nTUMOUR1\n\n STROMA1  # why\nGENE999\n")
    assert read_genes(path) == ["TUMOUR1", "STROMA1", "GENE999"]
    with pytest.raises(InputError, match="GENE999"):
        SpaceConfig(genes=str(path)).rule()(sections)
    space = ExpressionSpace(("STROMA1", "FAT1"))
    assert GeneSetConfig(file=str(path)).rule()(sections, space=space) == ["STROMA1"]
    with pytest.raises(InputError, match="found none of its 3 genes"):
        GeneSetConfig(file=str(path)).rule()(sections, space=ExpressionSpace(("FAT1",)))
    path.write_text("\n# nothing\n")
    for wrong, sentence in ((path, "found no name"), (tmp_path, "give a file"), (tmp_path / "no", "found none")):
        with pytest.raises(InputError, match=f"a list of genes .* {sentence}"):
            read_genes(wrong)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "genes.txt").write_text("TUMOUR1\nSTROMA1\n", encoding="utf-8-sig")
    assert read_genes(tmp_path / "genes.txt") == ["TUMOUR1", "STROMA1"]
    (tmp_path / "fit.toml").write_text('genes = "genes.txt"\n', encoding="utf-8-sig")
    assert read_toml(tmp_path / "fit.toml") == {"genes": "genes.txt"}
