"""Whom a section comes from is read where it is written, and is otherwise unknown."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mclstexp.io.patients import patient_of


def _adata(obs=None, uns=None):
    return ad.AnnData(np.ones((4, 2), np.float32), obs=pd.DataFrame(obs or {}, index=list("abcd")), uns=uns or {})


@pytest.mark.parametrize(
    ("obs", "uns", "expected"),
    [
        ({"patient": ["P7"] * 4}, {}, "P7"),
        ({"Donor_ID": pd.Categorical(["d 1"] * 4)}, {}, "d 1"),
        ({"subject.id": [3.0, 3.0, np.nan, 3.0]}, {}, "3"),
        ({"INDIVIDUAL": [12] * 4}, {}, "12"),
        ({"mouse": ["m1"] * 4, "donor": ["D"] * 4}, {}, "D"),
        ({"animal": ["unknown", "rat 2", "rat 2", ""]}, {}, "rat 2"),
        ({}, {"patient_id": "P3"}, "P3"),
        ({}, {"Participant": np.array(["x"], object)}, "x"),
        ({"patient": ["nan"] * 4}, {"donor": 4}, "4"),
        ({}, {}, None),
        ({"mouse": [0.1, 0.5, 0.9, 1.0]}, {}, None),  # a share of reads
        ({"patient": [True] * 4}, {}, None),
        ({"patient_age": [61] * 4, "sample": ["S"] * 4}, {"subject": {"age": 61}}, None),
    ],
)
def test_an_individual_is_found_however_it_is_called(obs, uns, expected):
    assert patient_of(_adata(obs, uns), where="s") == expected


def test_several_individuals_in_one_section_are_said_and_none_is_chosen():
    with pytest.warns(UserWarning, match=r's: one individual expected in obs\["donor"\], found 2 \(A, B\)'):
        assert patient_of(_adata({"donor": list("ABAB")}), where="s") is None
