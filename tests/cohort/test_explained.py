"""What models showed of prototypes in each fold, put together: which is which, and where their tiles lie."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from made_patients import made_patients, made_survival
from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.explained import Explained, prototype_tables, showable
from mclstexp.cohort.feature_files import FileBag
from mclstexp.cohort.prototype_tiles import located
from mclstexp.cohort.table import Cohort
from mclstexp.core.cohort import Patients


def showed(fold, centres, coefficients):
    names = [f"prototype {k + 1}" for k in range(len(centres))]
    products = {"prototype": names, "pathway": ["up"] * len(names), "coefficient": coefficients}
    prototypes = {"prototype": names, "frequency": [1 / len(names)] * len(names), "coefficient": coefficients}
    tiles = {"prototype": names, "patient": ["p"] * len(names), "tile": list(range(len(names)))}
    shown = {"prototypes": prototypes, "products": products, "tiles": tiles, "centres": {"values": centres}}
    return Explained("m", 1, fold, shown)


def test_prototypes_of_two_folds_are_one_kind_where_they_lie_together():
    first = np.array([[0.0, 0], [10, 0], [0, 10]])
    found = prototype_tables(
        [showed("fold 1", first, [1.0, 2, 3]), showed("fold 2", first[[2, 0, 1]] + [1, 0], [30.0, 10, 20])]
    )
    prototypes = found["prototypes"]
    assert list(prototypes.columns[:5]) == ["method", "repeat", "fold", "kind", "prototype"]
    other = prototypes[prototypes["fold"] == "fold 2"]
    assert list(other["kind"]) == ["prototype 3", "prototype 1", "prototype 2"]
    by_kind = found["products"].pivot_table(index="kind", columns="fold", values="coefficient")
    np.testing.assert_allclose(by_kind["fold 2"], 10 * by_kind["fold 1"])
    assert (prototypes.loc[prototypes["fold"] == "fold 1", "off"] == 0).all()
    np.testing.assert_allclose(other["off"], 0.1, atol=0.03)  # moved by a tenth of the way to the nearest other
    assert set(found["tiles"]["fold"]) == {"fold 1"}


def test_a_prototype_that_no_other_fold_has_is_said_to_be_far_off():
    first = np.array([[0.0, 0], [10, 0], [0, 10]])
    second = np.array([[0.0, 0], [10, 0], [40, 40]])
    found = prototype_tables([showed("fold 1", first, [1.0] * 3), showed("fold 2", second, [1.0] * 3)])
    off = found["prototypes"]["off"]
    assert (off.iloc[3:5] < 0.1).all()
    assert off.iloc[5] > 1


def test_a_model_shows_plain_columns_and_one_without_prototypes_none():
    patients, drivers = made_patients(30)
    outcomes = made_survival(patients, drivers[:, 0])
    model = create_outcome_model("prototype_x_pathway", n_prototypes=2, penalty=1.0).fit(patients, outcomes)
    told = showable(model)
    assert set(told) == {"prototypes", "tiles", "products", "centres"}
    assert told["centres"]["values"].shape == (2, 5)
    products = model.explain()["products"]
    columns = (told["products"][name] for name in ("prototype", "pathway", "coefficient"))
    for kind, pathway, value in zip(*columns, strict=True):
        assert products.loc[kind, pathway] == value
    # centres are among features as they are given: each lies in the middle of the tiles that are nearest to it
    tiles = np.concatenate([chunk for bag in patients.bags for chunk in bag.chunks()])
    assert (np.abs(told["centres"]["values"]) < np.abs(tiles).max(axis=0)).all()
    assert showable(create_outcome_model("pathway_scores", penalty=1.0).fit(patients, outcomes)) == {}
    assert prototype_tables([Explained("m", 1, "fold 1", {})]) == {}


@pytest.fixture
def cohort(tmp_path):
    """One patient of two slides, the second without places, and one whose tiles are in memory."""
    features, xy = np.zeros((4, 2), np.float32), np.array([[8.0, 8], [24, 8], [8, 24], [24, 24]])
    about = {"mpp": "0.5", "size_px": "16"}
    save_file({"features": features, "xy": xy}, tmp_path / "s1.safetensors", about)
    np.save(tmp_path / "s2.npy", features)
    bag = FileBag([tmp_path / "s1.safetensors", tmp_path / "s2.npy"])
    patients = Patients(("P1",), bags=(bag,))
    return Cohort("c", None, patients, None, {"P1": ("s1", "s2")})


def test_tiles_are_found_on_the_slides_of_their_patient(cohort):
    tiles = pd.DataFrame({"patient": ["P1", "P1", "P2"], "tile": [2, 5, 0]})
    found = located(tiles, cohort)
    assert list(found["slide"]) == ["s1", "s2", ""]
    assert found.iloc[0][["x", "y", "side_px", "slide_mpp"]].tolist() == [8, 24, 16, 0.5]
    assert found["x"].isna().tolist() == [False, True, True]
    assert len(located(tiles, Cohort("c", None, Patients(("P1",)), None, {}))) == 3
