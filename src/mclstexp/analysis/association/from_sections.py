"""Tables of measured sections for a scan: axes of what their images show, expression, labels, depth and stain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from mclstexp.analysis.association.associate import Spots
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section
from mclstexp.domains.agreement import annotated
from mclstexp.evaluation.ceiling import log_depth
from mclstexp.sight.fitted import FittedSight
from mclstexp.sight.sight import Seen, Sight, colour_numbers

Given = Literal["depth", "stain"]
_N_STAIN: Final = 3  # means of haematoxylin, eosin and optical density over the tile


def labelled(sections: Sequence[Section]) -> list[Section]:
    """Return the spots that somebody called something, of the sections that have such.

    Raises
    ------
    InputError
        If there is none.
    """
    named = [(section, annotated(section.counts)) for section in sections]
    found = [section.take(labels.notna().to_numpy()) for section, labels in named if labels is not None]
    if not found:
        msg = "spots with labels (obs label) expected, found none: add them, or ask for genes"
        raise InputError(msg)
    return found


def label_table(sections: Sequence[Section]) -> pd.DataFrame:
    """Return what each spot was called, of `labelled` sections."""
    parts = [annotated(section.counts) for section in sections]
    return pd.DataFrame({"label": pd.concat([part for part in parts if part is not None]).to_numpy(object)}).set_axis(
        spot_names(sections)
    )


def expression_table(sections: Sequence[Section], space: ExpressionSpace) -> pd.DataFrame:
    """Return measured expression of each spot."""
    values = np.concatenate([space(section.counts) for section in sections])
    return pd.DataFrame(values, index=spot_names(sections), columns=list(space.genes))


def image_axes(sections: Sequence[Section], sight: Sight, *, n: int) -> pd.DataFrame:
    """Return the first principal components of what is seen of each spot, features being standardised.

    They know no expression, so that no individual had a part in what goes with what.
    """
    values = image_features(sections, sight).to_numpy()
    spread = values.std(axis=0)
    values = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    axes = PCA(min(n, *values.shape), svd_solver="full").fit_transform(values)
    return pd.DataFrame(axes, index=spot_names(sections), columns=[f"image {k + 1}" for k in range(axes.shape[1])])


def image_features(sections: Sequence[Section], sight: Sight) -> pd.DataFrame:
    """Return all that is seen of each spot."""
    fitted = FittedSight.fit(sight, [section.tiles for section in sections])
    values = Seen.join([fitted.look(section.tiles) for section in sections]).values.astype(np.float64)
    names = [f"image {k + 1}" for k in range(values.shape[1])]
    return pd.DataFrame(values, index=spot_names(sections), columns=names)


def given_table(sections: Sequence[Section], given: Sequence[Given]) -> pd.DataFrame | None:
    """Return what a scan is to take out: log depth, and the tile's mean haematoxylin, eosin and optical density."""
    columns = {}
    if "depth" in given:
        columns["depth"] = np.concatenate([log_depth(section.counts) for section in sections])
    if "stain" in given:
        stain = np.concatenate([colour_numbers(section.tiles)[:, :_N_STAIN] for section in sections])
        columns |= {f"stain {k + 1}": column for k, column in enumerate(stain.T)}
    return pd.DataFrame(columns, index=spot_names(sections)) if columns else None


def spots_of(sections: Sequence[Section], *, null: Literal["moran", "shifts"] = "moran") -> Spots:
    """Return where spots lie and whose they are."""
    arrays = [section.tiles.array_xy for section in sections]
    return Spots(
        xy_um=np.concatenate([section.tiles.xy_um for section in sections]),
        sections=[section.id for section in sections for _ in range(len(section))],
        patients=[section.patient for section in sections for _ in range(len(section))],
        null=null,
        array_xy=None if any(one is None for one in arrays) else np.concatenate([a for a in arrays if a is not None]),
    )


def spot_names(sections: Sequence[Section]) -> pd.Index:
    """Return a name for each spot that no other section has."""
    return pd.Index([f"{section.id} {name}" for section in sections for name in section.tiles.ids], dtype=object)
