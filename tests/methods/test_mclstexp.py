"""Both protocols of mclSTExp: what they learn from, what they keep, how they go on after an interruption."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import TileSpec
from mclstexp.io.synthetic import make_sections
from mclstexp.methods import create
from mclstexp.methods.mclstexp import strict as module
from mclstexp.methods.mclstexp.standing import Usual
from mclstexp.nn.position import whole
from mclstexp.training.published import PublishedTable
from slowly import slowly

ENCODER = "random:test_efficientnet"
STRICT = {
    "encoder": ENCODER,
    "epochs": 4,
    "k": 5,
    "sharpness": 0.0,
    "context_share": 0.5,
    "n_models": 2,
    "n_components": 8,
    "dim": 8,
    "batch_size": 16,
    "symmetric": False,
}
PAPER = {"protocol": "paper", "encoder": ENCODER, "epochs": 2, "k": 5, "dim": 16, "batch_size": 16}


@pytest.fixture(scope="module")
def sections():
    return make_sections(3, n_spots_side=5, mpp=4.0, n_genes=40, spec=TileSpec(32, 4.0), seed=1)


def _predict(options, sections, **fit):
    model = create("mclstexp", **options).fit(sections[:2], **fit)
    return model.predict(sections[2].tiles).X


@pytest.mark.parametrize(
    "options",
    [
        STRICT | {"regression_share": 0.3, "sharpness": 1.0},
        slowly(STRICT | {"context_radii_um": ()}),
        slowly(STRICT | {"view_widths": (), "context_share": 1.0}),
        slowly(STRICT | {"correlation_weight": 1.0, "soft_temperature": 0.1, "symmetric": True}),
        slowly(STRICT | {"train_encoder": True, "n_models": 1, "epochs": 2}),
        slowly(STRICT | {"n_blocks": 0}),
        PAPER,
        slowly(PAPER | {"train_encoder": True, "epochs": 1}),
    ],
    ids=[
        "head",
        "no context",
        "no views",
        "other losses and symmetries",
        "end to end",
        "linear spots",
        "paper",
        "paper, end to end",
    ],
)
def test_every_way_predicts_in_range_and_repeats_itself(options, sections):
    predicted = _predict(options, sections)
    assert np.ptp(predicted, axis=0).max() > 0
    np.testing.assert_array_equal(_predict(options, sections), predicted)
    assert not np.array_equal(_predict(options | {"seed": 1}, sections), predicted)


@pytest.mark.parametrize("options", [STRICT | {"n_models": 1}, PAPER], ids=["strict", "paper"])
def test_retrieval_returns_means_of_measured_expression(options, sections):
    model = create("mclstexp", **options | {"k": 1}).fit(sections[:2])
    measured = np.concatenate([model.space_(section.counts) for section in sections[:2]])
    for row in model.predict(sections[2].tiles).X:
        assert np.abs(measured - row).max(axis=1).min() < 1e-6


def test_a_killed_fit_goes_on_to_the_same_numbers(sections, tmp_path, monkeypatch):
    straight = _predict(STRICT, sections)

    class Killed(BaseException):
        pass

    finished = []
    fit_aligned = module.fit_aligned

    def dies_in_the_second(*args, **kwargs):
        finished.append(fit_aligned(*args, **kwargs))
        if len(finished) == 1:
            raise Killed

    monkeypatch.setattr(module, "fit_aligned", dies_in_the_second)
    with pytest.raises(Killed):
        _predict(STRICT, sections, workdir=tmp_path)
    assert list(tmp_path.rglob("*.safetensors"))
    monkeypatch.setattr(module, "fit_aligned", fit_aligned)
    np.testing.assert_array_equal(_predict(STRICT, sections, workdir=tmp_path), straight)


def test_what_is_open_is_the_usual_and_no_more_than_a_quarter_of_the_bank(sections):
    open_options = {name: STRICT[name] for name in ("encoder", "n_components", "dim", "batch_size")}
    model = create("mclstexp", **open_options | {"epochs": 1}).fit(sections[:2])
    usual = {"epochs": 1, "k": 50 // 4, "sharpness": 0.5, "context_share": 0.5}
    assert model._get_state().meta["choice"] == usual
    assert model._get_state().meta["sights"] == ["surroundings", "near"] * 2
    alone = create("mclstexp", **open_options | {"epochs": 1, "n_models": 1}).fit(sections[:1])
    assert alone._get_state().meta["choice"] == usual | {"k": 25 // 4, "context_share": 1.0}


def test_models_of_the_place_alone_look_at_no_other_tile(sections):
    model = create("mclstexp", **STRICT | {"context_share": 0.0}).fit(sections[:2])
    assert model.context_um == 0
    tiles = sections[2].tiles
    alone = model.predict(tiles.take([3])).X[0]
    np.testing.assert_allclose(alone, model.predict(tiles).X[3], rtol=1e-5, atol=1e-6)


def test_the_prediction_weighs_what_is_seen(sections):
    fixed = STRICT | {"trust": 0.0}
    shares = {share: create("mclstexp", **fixed | {"context_share": share}) for share in (0.0, 0.25, 1.0)}
    sees = {share: model.fit(sections[:2])._get_state().meta["sights"] for share, model in shares.items()}
    assert sees == {0.0: ["place"] * 2, 0.25: ["surroundings", "near"], 1.0: ["surroundings"] * 2}
    model = shares[0.25]
    state = model._get_state()
    ends = []
    for share in (1.0, 0.0):
        state.meta["choice"]["context_share"] = share
        model._set_state(state)
        ends.append(model.predict(sections[2].tiles).X)
    state.meta["choice"]["context_share"] = 0.25
    model._set_state(state)
    np.testing.assert_allclose(model.predict(sections[2].tiles).X, 0.25 * ends[0] + 0.75 * ends[1], atol=1e-6)


def test_a_model_counts_more_where_it_knows_tiles_like_these(sections):
    model = create("mclstexp", **STRICT).fit(sections[:2])
    tiles, strict = sections[2].tiles, model._fitted
    far, near = (found.weight for found in model.retrieve(tiles))
    np.testing.assert_allclose(far + near, 1, atol=1e-6)
    assert np.ptp(far) > 0
    strict.members[0] = replace(strict.members[0], usual=Usual(mean=1.0, spread=0.01))  # it knows nothing like these
    np.testing.assert_allclose(model.retrieve(tiles)[0].weight, 0, atol=1e-6)
    alone = strict._retrieve(strict._queries(tiles))[1]
    np.testing.assert_allclose(model.predict(tiles).X, alone, atol=1e-5)


def test_a_tile_depends_on_others_no_farther_than_it_says(sections):
    """How well tiles around are known depends on what lies around those: twice as far as one look."""
    wide = make_sections(1, n_spots_side=14, mpp=4.0, n_genes=40, spec=TileSpec(32, 4.0), seed=5)[0].tiles
    model = create("mclstexp", **STRICT | {"context_radii_um": (220.0,), "trust": 8.0}).fit(sections[:2])
    assert model.context_um == 440
    away = np.linalg.norm(wide.xy_um - wide.xy_um[0], axis=1)
    assert away.max() > 3 * model.context_um, "there are tiles beyond"
    whole, near = model.predict(wide).X[0], np.flatnonzero(away <= model.context_um)
    np.testing.assert_allclose(model.predict(wide.take(near)).X[0], whole, rtol=1e-5, atol=1e-6)
    once = np.flatnonzero(away <= model.context_um / 2)
    assert np.abs(model.predict(wide.take(once)).X[0] - whole).max() > 1e-5


def test_who_weighs_no_models_looks_no_farther_than_one_look():
    for options in ({"trust": 0.0}, {"n_models": 1}, {"context_share": 1.0}, {"train_encoder": True}):
        assert create("mclstexp", **options).context_um == 600
    assert create("mclstexp").context_um == 1200
    assert create("mclstexp", protocol="paper").context_um == 0


def test_a_model_of_before_predicts_as_it_did(sections):
    """Models that looked at the place alone, at features without roots, in blocks of attention, with fixed shares."""
    model = create("mclstexp", **STRICT | {"n_blocks": 1})
    model._learn_sight(sections[:2])
    model.space_ = ExpressionSpace.fit(sections[:2])
    model._fitted = module.Strict(model, model.space_)
    model._fitted.choice, model._fitted.rooted = model._fitted._settled(sections[:2]), False
    model._fitted._fit_members(sections[:2], epochs=2, sights=["surroundings", "place"], workdir=None)
    state, predicted = model._get_state(), model._fitted.predict(sections[2].tiles)
    assert "usual" not in state.arrays
    again = create("mclstexp", **STRICT)
    again.space_ = model.space_
    again._set_state(state)
    np.testing.assert_array_equal(again._fitted.predict(sections[2].tiles), predicted)


def test_the_paper_protocol_scales_genes_over_the_section_and_feeds_spots(sections):
    model = create("mclstexp", **PAPER).fit(sections[:2])
    assert model.space_.axis == "gene"
    table = PublishedTable.build(sections[:2], space=model.space_)
    np.testing.assert_array_equal(table.values[: len(sections[0])], model.space_(sections[0].counts))
    per_spot = ExpressionSpace(model.genes_)(sections[0].counts)
    np.testing.assert_array_equal(table.inputs[: len(sections[0])].numpy(), per_spot)
    assert create("mclstexp", **STRICT).fit(sections[:1]).space_.axis == "spot"


def test_positions_are_cut_towards_zero():
    assert whole(torch.tensor([[2.9, 3.0], [0.2, 33.99]])).tolist() == [[2, 3], [0, 33]]


def test_the_paper_protocol_needs_array_coordinates(sections):
    bare = replace(sections[0], tiles=replace(sections[0].tiles, array_xy=None))
    with pytest.raises(InputError, match='array coordinates from 0 on, found none: say protocol="strict"'):
        create("mclstexp", **PAPER).fit([bare])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"protocol": "loose"}, "'strict' or 'paper'"),
        ({"k": 0}, "k must be at least 1"),
        ({"context_share": 2.0}, "context_share must lie between 0 and 1"),
        ({"trust": -1.0}, "trust must be 0 or more"),
        ({"checkpoint": "model.pt"}, 'give protocol="paper"'),
    ],
)
def test_bad_options_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        create("mclstexp", **options)


@pytest.mark.data
@pytest.mark.slow
def test_an_imported_checkpoint_makes_a_model_that_is_kept(sections, parity_dir, tmp_path):
    weights = load_file(parity_dir / "mclstexp_g171" / "state_dict.safetensors")
    torch.save(weights, tmp_path / "best_0.pt")
    many = make_sections(2, n_spots_side=4, mpp=4.0, n_genes=171, spec=TileSpec(64, 4.0))
    space = ExpressionSpace(many[0].genes, axis="gene")
    options = {"protocol": "paper", "checkpoint": str(tmp_path / "best_0.pt"), "k": 5}
    model = create("mclstexp", **options).fit(many[:1], space=space)
    predicted = model.predict(many[1].tiles).X
    (tmp_path / "best_0.pt").unlink()
    again = create("mclstexp", **options)
    again.space_, again.spec_, again.provenance_ = model.space_, model.spec_, model.provenance_
    again._set_state(model._get_state())
    np.testing.assert_array_equal(again.predict(many[1].tiles).X, predicted)
    torch.save(weights, tmp_path / "best_0.pt")
    few = ExpressionSpace(many[0].genes[:9], axis="gene")
    with pytest.raises(InputError, match="panel of 171 genes"):
        create("mclstexp", **options).fit(many[:1], space=few)


def test_other_weights_under_the_encoders_name_are_refused(sections):
    for name, options in (("mclstexp", STRICT), ("mclstexp", PAPER), ("ridge", {"encoder": ENCODER})):
        model = create(name, **options).fit(sections[:2])
        state = model._get_state()
        state.meta["encoder"]["weights_hash"] = "0000"
        model._set_state(state)
        with pytest.raises(InputError, match="weights 0000 of random:test_efficientnet"):
            model.predict(sections[2].tiles)
