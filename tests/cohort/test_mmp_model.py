"""MMP on patients: its tokens, who is missing what, how long it is fitted, and the released variants."""

import numpy as np
import pytest
import torch

from made_patients import made_patients, made_survival
from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.networks.effects import pair_effects, share_effects
from mclstexp.cohort.networks.epochs import chosen_epochs
from mclstexp.cohort.networks.slide_tokens import TokenMaker, TokenScale
from mclstexp.cohort.prototypes import Prototypes
from mclstexp.core.cohort import ArrayBag, Patients
from mclstexp.core.errors import InputError
from mclstexp.nn.clean_mmp import CleanMmp
from mclstexp.nn.survival_losses import cox_loss
from slowly import slowly

SMALL = {"reads": "genes", "n_prototypes": 4, "width": 16, "epochs": 4, "n_models": 1}


def made():
    patients, drivers = made_patients()
    return patients, made_survival(patients, 1.5 * drivers[:, 0])


@pytest.fixture(scope="module")
def makers():
    patients, _ = made()
    found = Prototypes.fit(patients, 4, standardise=True, max_tiles=10_000, seed=0)
    prior = found.prior(1.0, "within")
    return lambda kind, **how: TokenMaker(found, prior, kind, **({"log_ratio": False, "rounds": 1} | how))


@pytest.mark.parametrize(("kind", "n"), [("share", 1), ("share_mean", 6), ("full", 11), ("transport", 5)])
def test_tokens_do_not_know_the_order_of_tiles(makers, kind, n):
    patients, _ = made()
    bag = patients.bags[0]
    turned = ArrayBag(bag.take(range(bag.n_tiles))[::-1])
    two = Patients(("a", "b", "c"), bags=(bag, turned, None))
    tokens = makers(kind)(two)
    assert tokens.shape == (3, 4, n)
    assert np.allclose(tokens[0], tokens[1], atol=1e-9)
    assert np.isnan(tokens[2]).all()


def test_a_bag_twice_over_is_the_bag_but_for_the_prior(makers):
    tiles = np.random.default_rng(0).normal(size=(4000, 5))
    once, twice = ArrayBag(tiles), ArrayBag(np.concatenate([tiles, tiles]))
    tokens = makers("full")(Patients(("a", "b"), bags=(once, twice)))
    assert np.allclose(tokens[0, :, 0], tokens[1, :, 0], atol=0.01)
    assert np.allclose(tokens[0], tokens[1], atol=0.02)


def test_log_ratios_add_up_to_nothing_and_rounds_move_the_shares(makers):
    patients, _ = made()
    logs = makers("share", log_ratio=True)(patients)
    assert np.allclose(logs.sum(axis=1), 0, atol=1e-9)
    once, again = makers("share")(patients), makers("share", rounds=3)(patients)
    assert np.allclose(again.sum(axis=1), 1)
    assert np.abs(once - again).max() > 1e-3


def test_tokens_are_scaled_by_training_alone_and_cut_off():
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(30, 2, 5)) * 3 + 1
    tokens[:, 1, 2] = 7
    scale = TokenScale.fit(tokens, project=False, standardise=True)
    scaled = scale(tokens, clip=True)
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(scaled.std(axis=0)[0], 1, atol=1e-6)
    assert np.array_equal(scaled[:, 1, 2], np.zeros(30, np.float32))
    assert np.abs(scale(tokens + 1000, clip=True)).max() == 5
    assert np.array_equal(scale(np.full((1, 2, 5), np.nan), clip=True), np.zeros((1, 2, 5)))
    axes = TokenScale.fit(tokens, project=True, standardise=True)(tokens, clip=False)
    assert axes.shape == (30, 2, 5)
    assert np.allclose(axes[..., 0], scaled[..., 0], atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"network": "published", "tokens": "full"},
        slowly({"network": "published", "fusion": "transport"}),
        {"tokens": "share_mean", "reads": "scores", "log_ratio": True},
        slowly({"tokens": "transport", "loss": "hazards"}),
    ],
)
def test_variants_are_fitted_kept_and_row_by_row(options):
    patients, outcomes = made()
    model = create_outcome_model("mmp", **SMALL | options).fit(patients, outcomes)
    said = model.predict(patients)
    assert np.ptp(said.risk) > 0
    again = create_outcome_model("mmp", **SMALL | options)
    again.set_state(model.get_state())
    again.provenance_ = model.provenance_
    assert np.allclose(again.predict(patients.subset(["p04"])).risk, said.risk[4], atol=1e-6)


def without(patients, *, slide=(), expression=()):
    genes = patients.genes.copy()
    genes.loc[list(expression)] = np.nan
    bags = tuple(None if name in slide else bag for name, bag in zip(patients.ids, patients.bags, strict=True))
    return Patients(patients.ids, bags=bags, genes=genes, gene_sets=dict(patients.gene_sets))


def test_who_lacks_something_is_refused_or_a_token_stands_in():
    patients, outcomes = made()
    some = without(patients, slide=["p01", "p05"], expression=["p02"])
    with pytest.raises(InputError, match=r"bags of each patient expected for mmp, found none of 2 \(p01, p05\)"):
        create_outcome_model("mmp", **SMALL).fit(some, outcomes)
    model = create_outcome_model("mmp", **SMALL | {"missing": "drop_token", "epochs": 20}).fit(some, outcomes)
    whole = model.predict(patients)
    assert np.allclose(model.predict(some).risk[[0, 3]], whole.risk[[0, 3]], atol=1e-6)
    absent = without(patients, slide=["p07"])
    unlike = without(patients, slide=["p07"], expression=["p08"])
    assert model.predict(absent).risk[7] != whole.risk[7]
    assert model.predict(unlike).risk[8] != whole.risk[8]
    with pytest.raises(
        InputError, match="a slide or expression of each patient expected for mmp, found neither of 'p0"
    ):
        model.predict(without(patients, slide=["p03"], expression=["p03"]))


def test_what_stands_in_does_not_depend_on_what_is_not_there():
    torch.manual_seed(0)
    network = CleanMmp([2, 3], 4, 1, width=8).eval()
    genes, present = torch.randn(2, 5), torch.tensor([[True, False], [True, False]])
    said = network(torch.randn(2, 4, 1), genes, present)
    assert torch.equal(said, network(torch.randn(2, 4, 1), genes, present))
    assert not torch.equal(said, network(torch.randn(2, 4, 1), genes))


def test_effects_of_pairs_and_of_kinds_worked_by_hand():
    draw = torch.Generator().manual_seed(0)
    tokens, genes = torch.randn(20, 3, 1, generator=draw).double(), torch.randn(20, 3, generator=draw).double()

    def risk(tokens, genes):  # the second prototype times the first pathway, which has two genes
        return (5 * tokens[:, 0, 0] + 4 * tokens[:, 1, 0] * genes[:, :2].mean(dim=1) - genes[:, 2]).numpy()

    expected = [[0, 0], [4, 0], [0, 0]]
    assert np.allclose(pair_effects(risk, tokens, genes, sizes=[2, 1]), expected, atol=1e-9)
    weights = np.array([1.0, -2.0, 0.5])
    shares = np.array([0.5, 0.3, 0.2])
    assert np.allclose(share_effects(lambda some: some @ weights, shares), weights - shares @ weights)


@pytest.mark.slow
def test_what_it_says_of_pairs_and_of_tiles():
    patients, outcomes = made()
    model = create_outcome_model("mmp", **SMALL | {"epochs": 20}).fit(patients, outcomes)
    said = model.explain()
    assert said["products"].shape == (4, 3)
    assert list(said["products"].columns) == ["set 0", "set 1", "set 2"]
    assert said["prototypes"]["frequency"].sum() == pytest.approx(1)
    assert set(said["tiles"]["prototype"]) <= set(said["products"].index)
    name, tiles = list(model.explain_tiles(patients.subset(["p00", "p09"])))[1]
    assert (name, len(tiles)) == ("p09", patients.bags[9].n_tiles)
    means = patients.bags[9].take(range(len(tiles))).mean(axis=1)
    assert np.corrcoef(tiles["risk"], means)[0, 1] > 0.3
    again = create_outcome_model("mmp", **SMALL | {"epochs": 20})
    again.set_state(model.get_state())
    again.provenance_ = model.provenance_
    assert again.explain()["products"].equals(said["products"])


def test_epochs_are_chosen_by_order_and_risks_that_are_too_far_apart_are_brought_together():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    time = torch.from_numpy(rng.exponential(np.exp(-truth)).astype(np.float32))
    parts = [(np.arange(100, 200), np.arange(100)), (np.arange(100), np.arange(100, 200))]
    noise = rng.normal(size=200)

    def trained(rows, out):
        early, late = 0.2 * noise[out], 4 * truth[out]
        return {
            30: torch.tensor(early, dtype=torch.float32)[:, None],
            100: torch.tensor(late, dtype=torch.float32)[:, None],
        }

    def loss(logits, rows):
        return cox_loss(logits[:, 0], time[rows], torch.ones(len(rows), dtype=torch.bool))

    epochs, slope = chosen_epochs(parts, trained, loss, slopes=True)
    assert (epochs, slope) == (100, pytest.approx(0.25, abs=0.06))
    assert chosen_epochs(parts, trained, loss, slopes=False) == (30, 1.0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"fusion": "transport"},
            r"transformer for a clean network expected as option fusion of mmp, found transport",
        ),
        ({"network": "published", "missing": "drop_token"}, "refuse .* expected as option missing of mmp"),
        ({"n_prototypes": 1}, "expected as option n_prototypes of mmp, found 1"),
        ({"epsilon": 0.0}, "expected as option epsilon of mmp, found 0.0"),
        ({"width": 18}, "a multiple of 4 expected as option width of mmp, found 18"),
    ],
)
def test_options_that_cannot_be(options, reason):
    with pytest.raises(InputError, match=reason):
        create_outcome_model("mmp", **options)


def test_presets_are_those_of_the_release():
    model = create_outcome_model("mmp", preset="published")
    assert (model.epsilon, model.pseudo_count, model.n_prototypes, model.reads) == (0.1, 0.001, 16, "genes")
    assert create_outcome_model("mmp", preset="published_text").epsilon == 1
    assert create_outcome_model("mmp", preset="published_transport").fusion == "transport"
