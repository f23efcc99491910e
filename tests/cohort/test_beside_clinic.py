"""A model that is no regression beside the clinic: its risk is weighed by patients that it was not fitted on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from mclstexp.cohort.beside_clinic import beside_clinic
from mclstexp.cohort.survival.concordance import harrell
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.method import State, options
from mclstexp.core.outcome_model import OutcomeModel

N = 150


@dataclass
class Recalls(OutcomeModel):
    """Recalls every training patient's outcome by its score, and knows others by a share of theirs."""

    name = "recalls"
    share: float = 0.0
    """Of what it says of patients that it has not seen."""

    @property
    def takes(self):
        return frozenset({"pathways"})

    def _fit(self, patients, outcomes):
        told = -np.log(outcomes.time) if outcomes.time is not None else outcomes.value
        self.known_ = dict(zip(patients.pathways["signal"], told, strict=True))

    def _predict(self, patients):
        return np.array([self.known_.get(score, self.share * score) for score in patients.pathways["signal"]])

    def _survival(self, patients, risk, months):
        raise AssertionError("its own survival knows nothing of the clinic")

    def _get_state(self):
        return State({"known": np.array(list(self.known_.items()))}, {})

    def _set_state(self, state):
        self.known_ = dict(state.arrays["known"])


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    ids = [f"p{number}" for number in range(2 * N)]
    signal, stage = rng.normal(size=2 * N), rng.integers(1, 5, 2 * N)
    patients = Patients(
        ids=tuple(ids),
        covariates=pd.DataFrame({"stage": stage}, index=ids),
        pathways=pd.DataFrame({"signal": signal}, index=ids),
    )
    risk = 0.8 * stage + signal
    time = rng.exponential(np.exp(-risk))
    return patients, Outcomes.survival(ids, time=time, event=np.ones(2 * N)), Outcomes.continuous(ids, risk)


def ranks(model, patients, known):
    known = known.subset(patients.ids)
    return harrell(known.time, known.event, model.predict(patients).risk).c


def test_a_model_that_only_recalls_weighs_nothing_and_one_that_knows_helps(world):
    patients, known, _ = world
    train, test = patients.subset(patients.ids[:N]), patients.subset(patients.ids[N:])
    beside = beside_clinic(Recalls)
    noise, signal = (beside(share=share).fit(train, known) for share in (0.0, 1.0))
    assert noise.takes == {"pathways", "covariates"}
    weights = noise.explain()["coefficients"].set_index("column")["coefficient"]
    assert abs(weights["risk of the model"]) < 1e-6
    assert ranks(signal, test, known) > ranks(noise, test, known) + 0.05
    said = signal.predict(test, at_months=(0.01, 0.1))
    assert (np.diff(said.survival, axis=1) <= 0).all()
    alone = signal.predict(test.subset([test.ids[5]]))
    np.testing.assert_allclose(alone.risk, said.risk[[5]])


def test_its_state_and_options_are_kept_and_numbers_are_learnt_too(world):
    patients, _, numbers = world
    beside = beside_clinic(Recalls)
    assert beside is beside_clinic(Recalls)
    assert (beside.name, options(beside(share=2.0))) == ("clinical+recalls", {"share": 2.0})
    train, test = patients.subset(patients.ids[:N]), patients.subset(patients.ids[N:])
    numbers = Outcomes.continuous(numbers.ids, numbers.value + 50)  # far from 0, which the model alone does not know
    model = beside(share=1.0).fit(train, numbers)
    other = beside(share=1.0)
    other.set_state(model.get_state())
    other.provenance_ = model.provenance_
    np.testing.assert_array_equal(other.predict(test).value, model.predict(test).value)
    said, truth = model.predict(test).value, numbers.subset(test.ids).value
    assert np.corrcoef(said, truth)[0, 1] > 0.9
    assert abs(model.predict(train).value.mean() - numbers.subset(train.ids).value.mean()) < 0.5
