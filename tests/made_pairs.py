"""Pairs whose truth and prediction are known, and a small folder of results."""

from dataclasses import asdict

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.spatial.distance import cdist

from mclstexp.analysis.pairs import Pair
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.identity import hash_section
from mclstexp.core.predictor import options
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.evaluation.config import DataConfig, SyntheticConfig
from mclstexp.evaluation.exam import prepare
from mclstexp.evaluation.experiment import Experiment
from mclstexp.evaluation.harness import join_scores, sit
from mclstexp.evaluation.results import write_results
from mclstexp.evaluation.run_plan import safe_name
from mclstexp.io.predictions import write_prediction
from mclstexp.io.slides import ArraySlide

PITCH_UM = 200.0


def square(side=12):
    """(n, 2) columns and rows of a square array."""
    return np.array([(x, y) for y in range(side) for x in range(side)], float)


def smooth_maps(rng, array_xy, n_maps, *, length=3.0, noise=0.0):
    """Gaussian random maps over an array, their correlation falling with distance over `length` spots."""
    covariance = np.exp(-0.5 * (cdist(array_xy, array_xy) / length) ** 2) + 1e-6 * np.eye(len(array_xy))
    maps = np.linalg.cholesky(covariance) @ rng.normal(size=(len(array_xy), n_maps))
    return maps + noise * rng.normal(size=maps.shape)


def made_pair(maps, guess, *, array_xy=None, id="S1", patient="P", labels=None, depth=40, seed=0):  # noqa: A002
    """A section whose counts are Poisson of exp(maps), and a prediction for it."""
    array_xy = square(round(len(maps) ** 0.5)) if array_xy is None else array_xy
    genes = [f"G{i}" for i in range(maps.shape[1])]
    slide = ArraySlide(np.full((8, 8, 3), 200, np.uint8), mpp=1.0, id=id)
    ids = np.array([f"{x:g}x{y:g}" for x, y in array_xy])
    tiles = Tiles(slide, array_xy * PITCH_UM, ids, TileSpec(8, 1.0), array_xy=array_xy)
    obs = pd.DataFrame(index=pd.Index(ids.astype(object)))
    if labels is not None:
        obs["label"] = labels
    counts = np.random.default_rng(seed).poisson(depth * np.exp(maps))
    var = pd.DataFrame(index=pd.Index(genes, dtype=object))
    section = Section(id, patient, tiles, ad.AnnData(sparse.csr_matrix(counts.astype(np.int32)), obs=obs, var=var))
    space = {k: v for k, v in ExpressionSpace(genes=tuple(genes)).to_dict().items() if k != "genes"}
    predicted = ad.AnnData(guess.astype(np.float32), obs=obs[[]], var=var, uns={"mclstexp": {"space": space}})
    return Pair(section, predicted)


def made_results(folder, *, n_patients=2, n_spots_side=6, n_genes=20, methods=None):
    """Results of a small evaluation as `run_experiment` writes them, made in this process.

    `methods` by label; by default two that look at the image, and the controls.
    """
    experiment = Experiment(
        data=DataConfig(
            synthetic=SyntheticConfig(n_patients=n_patients, n_spots_side=n_spots_side, n_genes=n_genes, mpp=4.0)
        ),
        tile=TileSpec(32, 4.0),
        gene_sets={},
        encoder="random:test_efficientnet",
        methods={"ridge, 8": {"method": "ridge", "n_components": 8}, "nearest": {"method": "knn", "k": 3}},
    )
    sections = experiment.data.read(experiment.tile)
    methods = methods or experiment.make_methods()
    run, tables = folder.with_name("run"), []
    for fold in experiment.make_folds(sections):
        exam = prepare(fold, experiment.rules())
        for label, method in methods.items():
            place = run / "predictions" / safe_name(label)
            place.mkdir(parents=True, exist_ok=True)

            def keep(answer, section, place=place):
                write_prediction(answer, place / f"{safe_name(section)}.h5ad")

            tables.append(sit(exam, method, label=label, keep=keep))
    record = {
        "experiment": asdict(experiment),
        "methods": {label: {"method": method.name, **options(method)} for label, method in methods.items()},
        "sections": {section.id: hash_section(section) for section in sections},
        "patients": {section.id: section.patient for section in sections},
    }
    write_results(join_scores(tables), folder, record=record, run_folder=run)
    return folder
