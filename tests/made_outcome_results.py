"""Results of a small comparison on a made cohort, its parts made in this process."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from made_cohort import made_table, written
from mclstexp.api import run_experiment
from mclstexp.evaluation.experiment import experiment_of
from mclstexp.evaluation.harness import join_scores
from mclstexp.evaluation.runner import run_plan

SURVIVAL, RESPONSE, NUMBER = "os:os_days,os_event", "response:responded", "load:load"
N_KINDS, DIM = 3, 4
SHADES = np.array([40, 120, 200], np.uint8)
"""Of each kind's tiles on the slides."""


def run_here(experiment, out):
    """Run an experiment, its parts made in this process: processes of their own take seconds to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mclstexp.api.experiments.run_plan", lambda plan, **_: make_parts(plan) or run_plan(plan))
        return run_experiment(experiment, out=out, on_warning=lambda _: None)


def make_parts(plan):
    for label in plan.methods:
        for fold in plan.folds:
            kept = []
            scores = plan.judge(label, fold, workdir=plan.folder, keep=lambda answer, _, kept=kept: kept.append(answer))
            plan.parts.write(plan.key(label, fold), join_scores([scores]), kept)


def made_files(folder, n=72):
    """Write a table, pathways, slides and features of their tiles: kinds that can be told apart, the first bad news."""
    rng = np.random.default_rng(3)
    table = made_table(n, n_sites=12, seed=2)
    load = table["stage"] + rng.normal(size=n)
    written(table.assign(responded=(load > 2.5).astype(int), load=load.round(3)), folder)
    for part in ("features", "slides"):
        (folder / part).mkdir()
    centres = 8 * np.eye(N_KINDS, DIM)
    places = np.stack(np.meshgrid(np.arange(4), np.arange(3)), axis=-1).reshape(-1, 2) * 16.0 + 8
    about = {"slide": "", "mpp": "0.5", "size_px": "16", "of": json.dumps({"slide_mpp": 0.5})}
    for name, stage in zip(table["patient"], table["stage"], strict=True):
        kinds = rng.choice(N_KINDS, 12, p=np.array([stage, 2, 2]) / (stage + 4))
        features = (centres[kinds] + rng.normal(size=(12, DIM))).astype(np.float32)
        save_file({"features": features, "xy": places}, folder / "features" / f"{name}.safetensors", about)
        colours = SHADES[kinds].reshape(3, 4).repeat(16, axis=0).repeat(16, axis=1)
        Image.fromarray(np.repeat(colours[..., None], 3, axis=2)).save(folder / "slides" / f"{name}.png")
    scores = table[["patient"]].assign(hypoxia=table["stage"] + rng.normal(size=n), growth=rng.normal(size=n))
    written(scores, folder, "pathways.csv")
    return folder


def made_results(folder, out, *, outcome=SURVIVAL, models=("clinical", "prototype_x_pathway"), **more):
    """Evaluate on the files of `made_files`."""
    data = {"path": str(folder / "cohort.csv"), "outcome": outcome, "covariates": ["age", "stage"]}
    data |= {"features": str(folder / "features"), "pathways": str(folder / "pathways.csv")}
    small = {"n_prototypes": N_KINDS, "penalty": 10.0}
    methods = {name: small if "prototype" in name else {} for name in models}
    content = {"task": "outcome", "data": data, "methods": methods, "intervals": {"draws": 60}, "folds": {"n_folds": 2}}
    run_here(experiment_of({**content, **more}, where="a test"), out)
    return out
