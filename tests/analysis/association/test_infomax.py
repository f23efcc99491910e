"""Traits learnt from some individuals are refused on them, and find on others what axes of variance do not."""

import numpy as np
import pandas as pd
import pytest

from mclstexp.analysis.association.associate import associate
from mclstexp.analysis.association.infomax import InfoMaxOptions, InfoMaxTraits
from mclstexp.analysis.association.simulated import CAUSAL, simulate_cohort
from mclstexp.core.errors import InputError


def test_a_simulated_cohort_is_what_it_says():
    one, other = simulate_cohort(300, seed=1), simulate_cohort(300, seed=1, people=1)
    dosage = one.dosage.to_numpy()
    assert set(np.unique(dosage)) == {0, 1, 2}
    assert one.positions.equals(other.positions)
    assert not one.dosage.equals(other.dosage.set_axis(one.dosage.index))
    r = np.corrcoef(dosage.T[dosage.std(axis=0) > 0])
    near = np.abs(np.diagonal(r, 1)).mean()
    assert near > 2 * np.abs(np.diagonal(r, 100)).mean(), "neighbours are linked"
    assert one.factors.std().to_numpy() == pytest.approx([1, 1], abs=0.15)
    causal = dosage[:, CAUSAL[:2]].astype(float)
    explained = np.corrcoef(((causal - causal.mean(0)) / causal.std(0)).sum(1), one.factors["factor 1"])[0, 1] ** 2
    assert explained == pytest.approx(0.25, abs=0.12)


def test_traits_know_from_whom_they_were_learnt():
    learn, test = (simulate_cohort(120, seed=2, people=k) for k in (0, 1))
    options = InfoMaxOptions(n_traits=3, steps=10, batch_size=60)
    images, dosage = learn.images.iloc[:, :20], learn.dosage.iloc[:, :30]
    fitted = InfoMaxTraits.fit(images, dosage, options=options)
    with pytest.raises(InputError, match="test them on others"):
        associate(fitted.traits(images), dosage, n_permutations=19)
    new = fitted.traits(test.images.iloc[:, :20])
    assert list(new.columns) == ["trait 1", "trait 2", "trait 3"]
    found = associate(new, test.dosage.iloc[:, :30], n_permutations=19)
    assert found.trained_on == fitted.who
    with pytest.raises(InputError, match="20 features"):
        fitted.traits(test.images)
    with pytest.raises(InputError, match="align them"):
        InfoMaxTraits.fit(images, dosage.iloc[::-1], options=options)
    with pytest.raises(InputError, match="give positions"):
        InfoMaxTraits.fit(images, dosage, options=InfoMaxOptions(encoder="genome"))
    by_place = InfoMaxTraits.fit(
        images, dosage, positions=learn.positions, options=InfoMaxOptions(encoder="genome", steps=2, batch_size=60)
    )
    assert np.isfinite(by_place.traits(images).to_numpy()).all()
    again = InfoMaxTraits.fit(images, dosage, options=options).traits(images)
    pd.testing.assert_frame_equal(again, fitted.traits(images))
