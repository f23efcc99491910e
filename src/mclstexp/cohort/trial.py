"""Outcomes of made-up patients: what a model of them is checked on."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float

from mclstexp.core import keys
from mclstexp.core.cohort import ArrayBag, Outcomes, Patients
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.core.outcome_prediction import Prediction
from mclstexp.evaluation.promises import hold
from mclstexp.evaluation.trial import Trial, TrialSubject
from mclstexp.io.outcome_models import load_outcome_model, save_outcome_model
from mclstexp.io.synthetic.patients import World

_N_TRAIN, _N_ASKED, _N_TILES = 40, 10, 16
_MONTHS: Final = (12.0, 24.0)
_TILES: Final = "tiles"
_WIDER: Final = (16, 4)
"""Tiles that one tile of each wider scale takes in."""


def make_trial() -> Trial:
    """Ask for the risks of made-up patients, whose outcomes are hidden."""
    everyone = _laid_out()
    train, asked = everyone[:_N_TRAIN].copy(), everyone[_N_TRAIN:].copy()
    rng = np.random.default_rng(0)
    random, without = asked.copy(), asked.copy()
    random.obs["time"] = rng.uniform(1, 60, len(asked))
    random.obs["event"] = rng.integers(0, 2, len(asked))
    without.obs = without.obs.drop(columns=["time", "event"])
    return Trial(
        ask=_ask,
        given=(train, asked),
        hidden={
            "outcomes of who is asked for replaced by random numbers": (train, random),
            "outcomes of who is asked for taken away": (train, without),
        },
        rows=list(asked.obs_names),
        columns=["risk"],
        checks=(a_patient_is_alone_what_it_is_among_others, saved_models_say_the_same),
    )


def a_patient_is_alone_what_it_is_among_others(subject: TrialSubject) -> None:
    """A patient's answer is the same alone, among others, and in any order."""
    train, asked = subject.trial.given
    fitted, patients = _fitted(subject, train), patients_of(asked)
    among = _said(fitted, patients)
    turned = _said(fitted, patients.subset(patients.ids[::-1]))
    hold(_close(turned.risk[::-1], among.risk), "another order of the patients moves its answers")
    for row in range(0, len(patients), 5):
        alone = _said(fitted, patients.subset([patients.ids[row]]))
        hold(_close(alone.risk, among.risk[row : row + 1]), f"it says another thing of {patients.ids[row]} alone")


def saved_models_say_the_same(subject: TrialSubject) -> None:
    """A model that was saved and read back says the very same."""
    train, asked = subject.trial.given
    fitted, patients = _fitted(subject, train), patients_of(asked)
    with tempfile.TemporaryDirectory() as folder:
        again = load_outcome_model(save_outcome_model(fitted, Path(folder) / "model"))
    before, after = (_said(model, patients) for model in (fitted, again))
    hold(np.array_equal(before.risk, after.risk), "a saved model has other risks")
    hold(np.array_equal(before.high, after.high), "a saved model has other groups")
    survival = [said.survival for said in (before, after) if said.survival is not None]
    hold(not survival or np.array_equal(survival[0], survival[-1]), "a saved model has other survival")


def _laid_out() -> AnnData:
    """Lay made-up patients out as an AnnData: outcomes and covariates in obs, expression in X, tiles in obsm."""
    made = World(n_tiles=_N_TILES).make(_N_TRAIN + _N_ASKED, seed=1)
    patients, outcomes = made.patients, made.outcomes
    assert patients.genes is not None
    assert patients.bags is not None
    obs = patients.covariates.assign(site=patients.sites, time=outcomes.time, event=np.asarray(outcomes.event) * 1)
    tiles = np.stack([bag.take(np.arange(_N_TILES)).ravel() for bag in patients.bags if bag is not None])
    sets = {name: np.array(genes, object) for name, genes in patients.gene_sets.items()}
    return ad.AnnData(
        patients.genes.to_numpy(np.float32),
        obs=obs,
        var=pd.DataFrame(index=pd.Index(patients.genes.columns, dtype=object)),
        obsm={_TILES: tiles},
        uns={"gene_sets": sets, "dim": patients.dim},
    )


def patients_of(laid: AnnData) -> Patients:
    """Return what a model sees of patients: nothing of the outcome."""
    genes = pd.DataFrame(np.asarray(laid.X, np.float64), index=laid.obs_names, columns=laid.var_names)
    sets = {str(name): tuple(map(str, of)) for name, of in laid.uns["gene_sets"].items()}
    tiles = np.asarray(laid.obsm[_TILES]).reshape(laid.n_obs, _N_TILES, int(laid.uns["dim"]))
    return Patients(
        ids=tuple(map(str, laid.obs_names)),
        sites=tuple(map(str, laid.obs["site"])),
        covariates=laid.obs[["age", "stage"]].copy(),
        bags=tuple(_bag(of) for of in tiles),
        pathways=pd.DataFrame({name: genes[list(of)].mean(axis=1) for name, of in sets.items()}),
        genes=genes,
        gene_sets=sets,
    )


def _bag(tiles: Float[np.ndarray, "n dim"]) -> ArrayBag:
    """Return tiles with the same tissue in wider ones."""
    coarser = [ArrayBag(tiles.reshape(-1, many, tiles.shape[1]).mean(axis=1)) for many in _WIDER]
    return ArrayBag(tiles, coarser=coarser)


def _outcomes_of(laid: AnnData) -> Outcomes:
    return Outcomes.survival(list(laid.obs_names), time=laid.obs["time"], event=laid.obs["event"])


def _ask(method: OutcomeModel, train: AnnData, asked: AnnData) -> AnnData:
    fitted = method.fit(patients_of(train), _outcomes_of(train))
    said = _said(fitted, patients_of(asked))
    made = fitted.provenance_
    about = {**made, "options": {name: repr(value) for name, value in made["options"].items()}}
    answer = ad.AnnData(
        said.risk.astype(np.float32)[:, None],
        obs=pd.DataFrame({keys.SECTION: "made-up patients"}, index=asked.obs_names),
        var=pd.DataFrame(index=pd.Index(["risk"], dtype=object)),
        uns={keys.PROVENANCE: about},
    )
    if said.survival is not None:
        answer.layers["survival"] = said.survival[:, -1:].astype(np.float32)
    return answer


def _fitted(subject: TrialSubject, train: AnnData) -> OutcomeModel:
    model = subject.make()
    assert isinstance(model, OutcomeModel)
    return model.fit(patients_of(train), _outcomes_of(train))


def _said(model: OutcomeModel, patients: Patients, months: Sequence[float] = _MONTHS) -> Prediction:
    return model.predict(patients, at_months=months)


def _close(one: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]) -> bool:
    return bool(np.allclose(one, other, rtol=1e-5, atol=1e-6))
