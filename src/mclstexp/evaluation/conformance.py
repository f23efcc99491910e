"""What every method promises, as checks that can be put to anybody's: ``mclstexp check my_method.py``.

Each check takes a `Subject` and raises `AssertionError` with a sentence where the promise is broken.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import anndata as ad
import numpy as np
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.panel import select_hvg
from mclstexp.core.predictor import Predictor, State, options
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold
from mclstexp.evaluation.exam import Rules, prepare
from mclstexp.evaluation.promises import (
    Result,
    hold,
    options_are_explained,
    public_methods_are_the_base_classes,
    put,
)
from mclstexp.io.models import load_model, save_model
from mclstexp.io.predictions import read_prediction, write_prediction
from mclstexp.io.synthetic import make_sections

RTOL: Final = 1e-5
ATOL: Final = 1e-6
N_CHOSEN: Final = 8
"""Genes of the panel in the checks of leakage: fewer than are measured, so that there is a choice to be spoilt."""


@dataclass
class Subject:
    """A way to make the method, and sections to put it to the test on: the last is held out."""

    make: Callable[[], Predictor]
    """Makes it unfitted, with equal options each time."""
    sections: Sequence[Section]
    """At least three, of different patients."""

    @cached_property
    def model(self) -> Predictor:
        """The method fitted on all sections but the last."""
        return self.make().fit(self.sections[:-1])

    @cached_property
    def predicted(self) -> ad.AnnData:
        """Its prediction of the last section."""
        return self.model.predict(self.sections[-1].tiles)

    @cached_property
    def honest(self) -> tuple[ExpressionSpace, State, np.ndarray]:
        """Space, state and prediction of a run of the harness in which nothing was changed."""
        return self.run(self.sections[-1])

    def run(self, test: Section) -> tuple[ExpressionSpace, State, np.ndarray]:
        """Prepare a fold and predict `test`, as the harness does."""
        space = partial(ExpressionSpace.fit, genes=partial(select_hvg, n_genes=N_CHOSEN))
        exam = prepare(Fold("held out", tuple(self.sections[:-1]), (test,)), Rules(space=space))
        model = self.make().fit(exam.fold.train, space=exam.space)
        return exam.space, model._get_state(), model.predict(exam.fold.test[0].tiles).X


def predicts_tiles_by_genes(subject: Subject) -> None:
    """A prediction has the tiles' rows and the panel's columns, and every number is finite."""
    predicted, tiles, model = subject.predicted, subject.sections[-1].tiles, subject.model
    hold(predicted.X.shape == (len(tiles), len(model.genes_)), f"its shape is {predicted.X.shape}")
    hold(predicted.X.dtype == np.float32 and bool(np.isfinite(predicted.X).all()), "numbers are not finite float32")
    hold(list(predicted.obs_names) == list(tiles.ids), "rows are not named after the tiles")
    hold(list(predicted.var_names) == list(model.genes_), "columns are not named after the genes")
    hold(np.array_equal(predicted.obsm[keys.SPATIAL], tiles.xy), "positions are not the tiles'")
    distance = model.reference_distance(tiles)
    if distance is not None:
        good = distance.shape == (len(tiles),) and bool(np.isfinite(distance).all())
        hold(good, "reference distances are not one finite number per tile")


def rows_follow_tiles(subject: Subject) -> None:
    """Tiles asked in another order are answered in that order."""
    tiles = subject.sections[-1].tiles
    order = np.random.default_rng(0).permutation(len(tiles))
    _same(subject.model.predict(tiles.take(order)).X, subject.predicted.X[order], "in another order tiles differ")


def tiles_depend_on_their_context_alone(subject: Subject) -> None:
    """A tile's prediction depends on asked tiles within `context_um` at most."""
    tiles, model = subject.sections[-1].tiles, subject.model
    near = np.linalg.norm(tiles.xy_um - tiles.xy_um[0], axis=1) <= model.context_um
    near[0] = True
    _same(
        model.predict(tiles.take(near)).X[0],
        subject.predicted.X[0],
        f"a tile differs without the tiles beyond its context of {model.context_um:g} µm",
    )


def one_seed_gives_one_result(subject: Subject) -> None:
    """Fitted again with the same options it predicts the very same numbers."""
    again = subject.make().fit(subject.sections[:-1]).predict(subject.sections[-1].tiles)
    hold(np.array_equal(again.X, subject.predicted.X), "a second fit with the same seed predicts other numbers")


def saved_models_predict_the_same(subject: Subject) -> None:
    """Saved and loaded it has the same options and predicts the very same numbers."""
    model = subject.model
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_model(save_model(model, Path(folder) / "model"), methods={model.name: type(model)})
    hold(options(loaded) == options(model), "options change on the way to disk and back")
    hold((loaded.space_, loaded.spec_) == (model.space_, model.spec_), "space or spec change on the way")
    again = loaded.predict(subject.sections[-1].tiles)
    hold(np.array_equal(again.X, subject.predicted.X), "a loaded model predicts other numbers")


def fitting_again_forgets(subject: Subject) -> None:
    """A second fit leaves nothing of the first, and takes nothing from its working folder."""
    with tempfile.TemporaryDirectory() as folder:
        model = subject.make().fit(subject.sections[1:], workdir=Path(folder))
        model.fit(subject.sections[:-1], workdir=Path(folder))
    again = model.predict(subject.sections[-1].tiles)
    hold(np.array_equal(again.X, subject.predicted.X), "a fit before this one changes its numbers")


def refuses_what_it_cannot_predict(subject: Subject) -> None:
    """Unfitted, or asked for tiles of another spec, it says so in a sentence."""
    tiles = subject.sections[-1].tiles
    with _refusal("must be fitted before it predicts"):
        subject.make().predict(tiles)
    with _refusal("use tiles.with_spec"):
        subject.model.predict(tiles.with_spec(TileSpec(tiles.spec.size_px, 2 * tiles.spec.mpp)))


def predictions_say_how_they_were_made(subject: Subject) -> None:
    """A prediction carries method, options, training sections and spec, even from a file."""
    with tempfile.TemporaryDirectory() as folder:
        made = read_prediction(write_prediction(subject.predicted, Path(folder) / "p.h5ad")).uns[keys.PROVENANCE]
    train = subject.sections[:-1]
    hold(made["method"] == subject.model.name, "the method is not named")
    hold(set(made["sections"]) == {section.id for section in train}, "training sections are not named")
    hold(list(made["patients"]) == sorted({str(section.patient) for section in train}), "patients are not named")
    hold(set(made["options"]) == set(options(subject.model)), "options are not told")
    computed = subject.model._numerics()
    told = made.get("predicted_with", {}) == computed and computed.items() <= made.get("numerics", {}).items()
    hold(told, "precision or device is not told")
    needed = {"encoder", "weights_hash", "precision", "device"} if getattr(subject.model, "encoder_", None) else set()
    hold(needed <= set(computed), f"_numerics does not name {', '.join(sorted(needed))}")


def leaves_the_callers_things_alone(subject: Subject) -> None:
    """Fitting changes neither the options nor the sections it was given."""
    before = [section.counts.X.copy() for section in subject.sections]
    model = subject.make()
    given = dict(options(model))
    model.fit(subject.sections[:-1])
    hold(options(model) == given, "options are changed by fitting")
    for section, counts in zip(subject.sections, before, strict=True):
        hold((counts != section.counts.X).nnz == 0, "counts of a section are changed by fitting")


def options_stay_as_they_were_fitted(subject: Subject) -> None:
    """No option of a fitted model can be set or changed: it would predict otherwise than it says."""
    given = options(subject.model)
    for name, value in given.items():
        with _refusal("stay as they were fitted"):
            setattr(subject.model, name, value)
    open_ = [name for name, value in given.items() if isinstance(value, list | set) or type(value) is dict]
    hold(not open_, f"values that can be changed from within stand in {', '.join(open_)}")


def held_out_noise_moves_nothing(subject: Subject) -> None:
    """Held-out counts replaced by noise move no panel, no weight and no prediction by a bit."""
    test = subject.sections[-1]
    _unmoved(subject, with_counts(test, np.random.default_rng(0).poisson(7, test.counts.shape)))


def held_out_shuffling_moves_nothing(subject: Subject) -> None:
    """Held-out counts shuffled over the spots move nothing either."""
    test = subject.sections[-1]
    _unmoved(subject, with_counts(test, test.counts.X.toarray()[np.random.default_rng(0).permutation(len(test))]))


def held_out_emptiness_moves_nothing(subject: Subject) -> None:
    """Held-out counts set to zero move nothing either."""
    test = subject.sections[-1]
    _unmoved(subject, with_counts(test, np.zeros(test.counts.shape, int)))


CHECKS: Final[tuple[Callable[[Subject], None], ...]] = (
    options_are_explained,
    public_methods_are_the_base_classes,
    predicts_tiles_by_genes,
    rows_follow_tiles,
    tiles_depend_on_their_context_alone,
    one_seed_gives_one_result,
    saved_models_predict_the_same,
    fitting_again_forgets,
    refuses_what_it_cannot_predict,
    predictions_say_how_they_were_made,
    leaves_the_callers_things_alone,
    options_stay_as_they_were_fitted,
    held_out_noise_moves_nothing,
    held_out_shuffling_moves_nothing,
    held_out_emptiness_moves_nothing,
)
"""All checks, the cheapest first."""


def run_checks(make: Callable[[], Predictor], sections: Sequence[Section] | None = None) -> list[Result]:
    """Put a method to every check; one that raises has failed.

    Parameters
    ----------
    make
        Makes it unfitted, with equal options each time.
    sections
        What to try it on; small made-up ones by default (25 spots each, tiles of 32 px at 4 µm per pixel).
    """
    return put(CHECKS, Subject(make, small_sections() if sections is None else sections))


def small_sections() -> list[Section]:
    """Return three made-up sections of three patients, small enough for any method."""
    return make_sections(3, n_spots_side=5, mpp=4.0, n_genes=30, spec=TileSpec(32, 4.0), seed=1)


def with_counts(section: Section, matrix: np.ndarray) -> Section:
    """Return a section with other counts under the same tiles."""
    counts = ad.AnnData(sparse.csr_matrix(matrix), obs=section.counts.obs, var=section.counts.var)
    return replace(section, counts=counts)


def _unmoved(subject: Subject, changed: Section) -> None:
    (space, state, predicted), (other_space, other, other_predicted) = subject.honest, subject.run(changed)
    hold(space == other_space, "the panel or scale moves with held-out counts")
    hold(state.meta == other.meta, "what the fit chose moves with held-out counts")
    hold(set(state.arrays) == set(other.arrays), "the fit's arrays move with held-out counts")
    for name, array in state.arrays.items():
        hold(np.array_equal(array, other.arrays[name], equal_nan=True), f"{name} moves with held-out counts")
    hold(np.array_equal(predicted, other_predicted), "the prediction moves with held-out counts")


def _same(found: np.ndarray, expected: np.ndarray, sentence: str) -> None:
    apart = float(np.abs(found - expected).max())
    hold(bool(np.allclose(found, expected, rtol=RTOL, atol=ATOL)), f"{sentence} (by up to {apart:.2g})")


@contextmanager
def _refusal(words: str) -> Iterator[None]:
    said = "none"
    try:
        yield
    except InputError as error:
        said = str(error)
    hold(words in said, f"a refusal that says what to do ({words}) expected, found: {said}")
