"""Where a cohort comes from, as an experiment file or flags say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from mclstexp.core.cohort import Kind
from mclstexp.core.errors import InputError

DAYS_PER: Final = {"days": 1.0, "months": 30.4375, "years": 365.25}
"""Days of each unit of time."""


@dataclass(frozen=True)
class CohortConfig:
    """A table of patients, and what lies beside it."""

    path: str = ""
    """The table (.csv, .tsv or .parquet): a row for each patient; or for each slide, the patient's columns repeated."""
    outcome: str = ""
    """NAME:TIME,EVENT, columns of follow-up and of 1 (it came) or 0; or NAME:COLUMN of yes and no or of numbers."""
    unit: Literal["days", "months", "years"] = "days"
    """Unit of the column of follow-up."""
    zero_time: Literal["refuse", "half_day"] = "refuse"
    """What becomes of follow-up of 0: refused, or taken for half a day."""
    patient: str = "patient"
    """Column of the patients' names."""
    slide: str | None = None
    """Column of the slides' names; "slide" where there is such a column."""
    site: str | None = None
    """Column of where a patient was treated; "site" where there is such a column."""
    fold: str | None = None
    """Column of folds that are given, as a published split."""
    covariates: tuple[str, ...] | None = None
    """Columns of what the clinic knows; by default those of age, sex, stage and grade that four in five have."""
    where: dict[str, str] = field(default_factory=dict)
    """Rows to take, by column and value, as {cohort = "BLCA"}."""
    features: str | None = None
    """Folder with a file of tile features for each slide (SLIDE.h5, .npy or .safetensors)."""
    coarser: tuple[str, ...] = ()
    """Folders with features of wider tiles of the same slides, the widest first, for models that look at several."""
    expression: str | None = None
    """Table of expression, measured or predicted: a row for each patient, a column for each gene (.csv, .parquet)."""
    gene_sets: str | None = None
    """Genes of each pathway: .gmt, or .csv with a column for each."""
    pathways: str | None = None
    """Table of pathway scores, where these are known: a row for each patient, a column for each pathway."""
    allow_overlap: bool = False
    """Whether expression may be predicted by a model that learnt from patients of the cohort; its scores flatter."""
    name: str = ""
    """Name of the data set; a model whose defaults were chosen on it is never bold in its tables."""


@dataclass(frozen=True)
class OutcomeColumns:
    """Which columns hold what became of patients."""

    name: str
    """What it is called, such as "dss"."""
    columns: tuple[str, ...]
    """Of survival the time and the event, of others one."""
    kind: Kind | None = None
    """Known of survival; of one column its values say it."""

    @classmethod
    def parse(cls, said: str) -> OutcomeColumns:
        """Read what `CohortConfig.outcome` says.

        Raises
        ------
        InputError
            If it is not so written.
        """
        name, colon, rest = said.partition(":")
        columns = tuple(part.strip() for part in (rest if colon else name).split(","))
        if not all((name.strip(), *columns)) or len(columns) > 2 or len(set(columns)) < len(columns):
            msg = (
                f"an outcome written NAME:TIME,EVENT or NAME:COLUMN expected, found {said!r}: write for example "
                "dss:dss_days,dss_event"
            )
            raise InputError(msg)
        if len(columns) == 2 and not colon:
            msg = f"a name before the columns of an outcome expected, found {said!r}: write for example dss:{said}"
            raise InputError(msg)
        return cls(name.strip(), columns, "survival" if len(columns) == 2 else None)
