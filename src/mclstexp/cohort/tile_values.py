"""Which tiles of a slide speak for what: what a model of patients says of each, laid out as a prediction of a slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import anndata as ad
import numpy as np
import pandas as pd

from mclstexp._version import __version__
from mclstexp.cohort.tile_places import TilePlaces
from mclstexp.core import keys
from mclstexp.core.cohort import Patients
from mclstexp.core.errors import InputError
from mclstexp.core.outcome_model import OutcomeModel

RISK: Final = "risk contribution"
"""Name of the first value: what a tile adds to its patient's risk."""
ATTENTION: Final = "attention"
"""Name of how much a network looks at a tile."""
_UNITS: Final = {"survival": "log hazard", "binary": "log odds", "continuous": "of the outcome"}
EXACT: Final = (
    "What tiles add is exact: over all tiles of the patient it adds up to risk_of_tiles; risk_elsewhere is what the "
    "clinic, expression and a constant add."
)
FIRST_ORDER: Final = (
    "What tiles add says how the risk would move with a few more tiles of the kind: the model is not linear in them, "
    "so it does not add up to the risk."
)
NO_CAUSE: Final = "Attention is where a network looks, and no cause of anything."


@dataclass(frozen=True, eq=False)
class TileValues:
    """What a model says of the tiles of one patient."""

    table: pd.DataFrame
    """A row for each tile: `RISK`, `ATTENTION` where there is one, and how likely it is of each kind of tile."""
    risk: float
    """The patient's, as the model predicts it."""
    of_tiles: float
    """What of it the tiles add."""
    exact: bool
    """Whether that is exact."""
    says: tuple[str, ...]
    """What is to be known of it, in sentences."""
    unit: str
    """Of the risk."""


def tile_values(model: OutcomeModel, patients: Patients) -> TileValues:
    """Ask a model of the tiles of one patient.

    Parameters
    ----------
    model
        Fitted.
    patients
        One, with tiles.

    Raises
    ------
    InputError
        If the model says nothing of single tiles, or as `OutcomeModel.predict`.
    """
    require_tiles(model)
    risk = float(model.predict(patients).risk[0])
    said = next(iter(model.explain_tiles(patients)), None)
    if said is None:
        msg = f"a model that says something of single tiles expected, found {model.name}, which weighs all together"
        raise InputError(msg)
    told = said[1]
    table = pd.DataFrame({RISK: told["risk"] / len(told)})
    if "weight" in told:
        table[ATTENTION] = told["weight"]
    kinds = told.drop(columns=["risk", "weight", "prototype"], errors="ignore")
    says = (EXACT if model.tiles_add_up else FIRST_ORDER, *([NO_CAUSE] if "weight" in told else []))
    return TileValues(
        pd.concat([table, kinds], axis=1),
        risk=risk,
        of_tiles=float(table[RISK].sum()),
        exact=model.tiles_add_up,
        says=says,
        unit=_UNITS[model.kind_],
    )


def require_tiles(model: OutcomeModel) -> None:
    """Refuse a model that looks at no tiles.

    Raises
    ------
    InputError
        If it is one.
    """
    if "bags" not in model.takes:
        msg = f"a model that looks at tiles expected, found {model.name}, which does not: fit another"
        raise InputError(msg)


def as_slide(
    values: TileValues, rows: slice, places: TilePlaces, *, slide: str, model: OutcomeModel, about: dict[str, Any]
) -> ad.AnnData:
    """Lay the values of a slide's tiles out as a prediction of it, which ``mclstexp view`` shows.

    Parameters
    ----------
    values
        Of all tiles of the patient.
    rows
        Those of the slide.
    places
        Of these.
    slide
        Its name.
    model
        That said it.
    about
        What else is to be noted.

    Raises
    ------
    InputError
        If there are not as many places as tiles, or the slide's scale is not known.
    """
    mine = values.table.iloc[rows]
    if len(mine) != len(places.xy) or places.slide_mpp is None:
        msg = f"a place for each of {len(mine)} tiles of a slide of known scale expected, found {len(places.xy)}"
        raise InputError(msg)
    names = pd.Index([str(number) for number in range(len(mine))], dtype=object)
    side_um = places.side_px * places.slide_mpp
    said = {
        "question": "outcome",
        "method": model.name,
        "version": __version__,
        "slide": slide,
        "slide_mpp": places.slide_mpp,
        **places.of,
        "spec": {"size_px": 1, "mpp": side_um},
        "tile_side_px": places.side_px,
        "tile_size_um": side_um,
        "unit": values.unit,
        "risk": values.risk,
        **(_parts(values) if values.exact else {}),
        "adds_up": values.exact,
        "says": list(values.says),
        **about,
    }
    return ad.AnnData(
        mine.to_numpy(np.float64),
        obs=pd.DataFrame({keys.SECTION: slide}, index=names),
        var=pd.DataFrame({keys.UNIT: [_unit(str(name), values) for name in mine]}, index=[str(name) for name in mine]),
        obsm={keys.SPATIAL: places.xy},
        uns={keys.PROVENANCE: said},
    )


def _parts(values: TileValues) -> dict[str, float]:
    return {"risk_of_tiles": values.of_tiles, "risk_elsewhere": values.risk - values.of_tiles}


def _unit(name: str, values: TileValues) -> str:
    return {RISK: values.unit, ATTENTION: "1 is as at the mean tile"}.get(name, "how likely it is one")
