"""What a saved model remembers of its fit has the shape that is expected, or one sentence says which part has not.

Entries may be absent: models of older versions have fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from mclstexp.core.errors import InputError

T = TypeVar("T", bound=BaseModel)
_ONE_A_GENE: Final = ("verdict", "tested_pcc", "ceiling", "share", "expected_pcc")


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _OfGenes(_Part):
    genes: list[str]

    @model_validator(mode="after")
    def _one_value_a_gene(self) -> Self:
        for name in _ONE_A_GENE:
            values = getattr(self, name, None)
            if values is not None and len(values) != len(self.genes):
                msg = f"{len(self.genes)} genes, {len(values)} values of {name}"
                raise ValueError(msg)
        if len(set(self.genes)) != len(self.genes):
            msg = "a gene twice"
            raise ValueError(msg)
        return self


class _Imputed(_OfGenes):
    method: str
    n_cells: int
    expected_pcc: list[FiniteFloat | None]
    reference_name: str = ""


class _Verdicts(_OfGenes):
    label: str
    tested_on: list[str]
    n_sections: int
    results: dict[str, str]
    verdict: list[str]
    tested_pcc: list[FiniteFloat | None]
    ceiling: list[FiniteFloat | None]
    share: list[FiniteFloat | None]


class _Range(_Part):
    training_low: list[FiniteFloat]
    training_high: list[FiniteFloat]


class _OfAnyFit(_Part):
    patients: list[str]
    version: str = ""
    identity: str = ""
    numerics: dict[str, Any] = {}
    code: dict[str, Any] = {}


class _OfExpression(_OfAnyFit):
    sections: dict[str, str]
    min_counts: int = 0
    ready_made_tiles: list[str] = []
    imputed: _Imputed | None = None
    verdicts: _Verdicts | None = None
    training_range: _Range | None = None


class _OfGeneration(_OfAnyFit):
    sections: dict[str, str]
    n_tiles: int


class _Origin(_Part):
    model: str
    said: str


class _OfOutcome(_OfAnyFit):
    outcome: str
    n_patients: int
    n_events: int | None = None
    cohort: str = ""
    outcome_name: str = ""
    expression: _Origin | None = None
    horizons: list[FiniteFloat] = []
    features: list[dict[str, str]] = []
    levels: dict[str, Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]] = {}
    gene_sets: dict[str, str] = {}
    ranges: dict[str, Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]] = {}


def check_expression(provenance: Mapping[str, Any], *, n_genes: int, path: Path) -> None:
    """Refuse what a model of expression could not have remembered.

    Raises
    ------
    InputError
        If a part is of another kind, or of another number of genes.
    """
    checked = _checked(_OfExpression, provenance, path)
    if checked.training_range is not None:
        for name, values in checked.training_range:
            if len(values) != n_genes:
                msg = f"{n_genes} values of {name} expected in {path}, found {len(values)}: copy the model again"
                raise InputError(msg)


def check_outcome(provenance: Mapping[str, Any], *, path: Path) -> None:
    """Refuse what a model of patients could not have remembered; see `check_expression`."""
    _checked(_OfOutcome, provenance, path)


def check_generation(provenance: Mapping[str, Any], *, path: Path) -> None:
    """Refuse what a generator could not have remembered; see `check_expression`."""
    _checked(_OfGeneration, provenance, path)


def _checked(kind: type[T], provenance: Mapping[str, Any], path: Path) -> T:
    try:
        return kind.model_validate(provenance)
    except ValidationError as error:
        first = error.errors()[0]
        part = ".".join(map(str, first["loc"])) or "all"
        msg = f"what a fit remembers expected in {path}, found another {part} ({first['msg']}): copy the model again"
        raise InputError(msg) from error
