"""What models of an evaluation learnt of prototypes in each fold, and which prototypes of two folds are one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from mclstexp.core.outcome_model import OutcomeModel

ENTRY: Final = "explained"
"""Where a kept answer has what its model showed, within its provenance."""


@dataclass(frozen=True, eq=False)
class Explained:
    """What one model showed after one fold."""

    method: str
    repeat: int
    fold: str
    tables: Mapping[str, Mapping[str, Any]]
    """As `showable` returned them."""

    def table(self, name: str) -> pd.DataFrame:
        """Return one of the tables, with whose it is; without a row where the model showed none."""
        table = pd.DataFrame(dict(self.tables.get(name, {})))
        return table.assign(method=self.method, repeat=self.repeat, fold=self.fold)

    @property
    def centres(self) -> Float[np.ndarray, "k dim"]:
        """Where its prototypes lie among features of tiles."""
        return np.asarray(self.tables["centres"]["values"], np.float64)


def showable(model: OutcomeModel) -> dict[str, dict[str, Any]]:
    """Return what a model shows of its prototypes as columns of plain arrays; none of a model without any.

    "prototypes", "tiles" and "centres" as `Prototypes.tables` has them, "products" with a row for each pair.
    """
    said = model.explain()
    if "prototypes" not in said or "centres" not in said:
        return {}
    parts = {name: said[name] for name in ("prototypes", "tiles")}
    if "products" in said:
        products = said["products"]
        pairs = [(kind, pathway) for kind in products.index for pathway in products.columns]
        parts["products"] = pd.DataFrame(pairs, columns=["prototype", "pathway"]).assign(
            coefficient=products.to_numpy(np.float64).ravel()
        )
    found: dict[str, dict[str, Any]] = {
        name: {str(column): _plain(table[column]) for column in table} for name, table in parts.items()
    }
    return {**found, "centres": {"values": said["centres"].to_numpy(np.float64)}}


def prototype_tables(found: Sequence[Explained]) -> dict[str, pd.DataFrame]:
    """Put together what models showed in all folds: "prototypes", "products", and the "tiles" of each model's first.

    Prototypes are learnt anew in each fold, and number 3 of one may be number 5 of another. "kind" is the prototype of
    the model's first fold that one is matched with, one to one, by centres (each feature in units of its spread over
    all prototypes); "off" how far they lie apart, where 1 is as far as from that kind to its nearest other.
    """
    tables: dict[str, list[pd.DataFrame]] = {"prototypes": [], "products": [], "tiles": []}
    for method in dict.fromkeys(one.method for one in found):
        mine = [one for one in found if one.method == method and one.tables]
        kinds = _matched([one.centres for one in mine])
        for number, (one, (kind, off)) in enumerate(zip(mine, kinds, strict=True)):
            prototypes = one.table("prototypes")
            first = mine[0].table("prototypes")["prototype"]
            called = dict(zip(prototypes["prototype"], first.to_numpy()[kind], strict=True))
            tables["prototypes"].append(prototypes.assign(kind=prototypes["prototype"].map(called), off=off))
            for name in ("products", *(["tiles"] if number == 0 else [])):
                table = one.table(name)
                if len(table):
                    tables[name].append(table.assign(kind=table["prototype"].map(called)))
    return {name: _ordered(pd.concat(parts, ignore_index=True)) for name, parts in tables.items() if parts}


def _matched(
    centres: Sequence[Float[np.ndarray, "_ dim"]],
) -> list[tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]]:
    """Return for each fold's prototypes which of the first fold's each is, and how far off."""
    if not centres:
        return []
    spread = np.concatenate(list(centres)).std(axis=0)
    scaled = [own / np.where(spread > 0, spread, 1) for own in centres]
    between = cdist(scaled[0], scaled[0]) + np.diag(np.full(len(scaled[0]), np.inf))
    nearest = between.min(axis=1)
    found = []
    for own in scaled:
        apart = cdist(own, scaled[0])
        rows, kinds = linear_sum_assignment(apart**2)
        off = apart[rows, kinds] / np.where(nearest[kinds] > 0, nearest[kinds], np.nan)
        found.append((kinds, off))
    return found


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    first = ["method", "repeat", "fold", "kind", "prototype"]
    return table[[*first, *table.columns.difference(first)]].astype({"tile": int} if "tile" in table else {})


def _plain(column: pd.Series) -> np.ndarray:
    return column.to_numpy(np.float64) if pd.api.types.is_numeric_dtype(column) else column.astype(str).to_numpy(object)
