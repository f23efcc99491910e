"""An answer of imputation, enhancement or domains, looked at beside the measured section."""

from __future__ import annotations

from pathlib import Path

from mclstexp.analysis.pairs import default_method, read_record
from mclstexp.api.sections import read_one
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.comparison import safe_name
from mclstexp.evaluation.config import DataConfig
from mclstexp.evaluation.experiment import PREDICT, experiment_of
from mclstexp.evaluation.results import read_results, summarise_scores
from mclstexp.evaluation.room_experiment import RoomExperiment
from mclstexp.evaluation.summary import headline
from mclstexp.evaluation.tables import summary_rows
from mclstexp.io.bare_section import read_bare_section
from mclstexp.io.counts_alone import holds_counts_alone
from mclstexp.io.predictions import read_prediction
from mclstexp.report.answer_page import Table, write_answer_page


def report_answer(
    answer: Path | str,
    out: Path | str,
    *,
    data: Path | str,
    genes: int | None = None,
    max_mb: float = 30.0,
) -> Path:
    """Write a page of what `impute`, `enhance` or `domains` wrote, beside the section it is about.

    Parameters
    ----------
    answer
        The ``.h5ad``.
    out
        The page (.html).
    data
        The measured section; where it has no image, its counts and places are enough.
    genes
        How many of the first genes; as many as fit by default.
    max_mb
        Size in MB that the page must not exceed.

    Raises
    ------
    InputError
        If a file cannot be read, the answer is about another section, or the place cannot be written to.
    """
    said = read_prediction(answer)
    return write_answer_page([(_section(Path(data)), said)], out, n_genes=genes, max_mb=max_mb)


def report_domains(
    results: Path | str,
    out: Path | str,
    *,
    method: str | None = None,
    genes: int | None = None,
    max_mb: float = 30.0,
) -> Path:
    """Write a page of a comparison of ways to find domains: the table, and one method's domains beside labels.

    Parameters
    ----------
    results
        Folder that ``mclstexp evaluate`` wrote, of an experiment with ``task = "domains"``.
    method
        Label of the method; the first by default.
    out, genes, max_mb
        As for `report_answer`.

    Raises
    ------
    InputError
        If the results or their data cannot be read, the method is not among them, or no answers were kept.
    """
    record, summary = read_record(results), summarise_scores(read_results(results))
    experiment = experiment_of(record["experiment"], where=str(results))
    assert isinstance(experiment, RoomExperiment)
    label = default_method(record) if method is None else method
    kept = Path(results) / "predictions" / safe_name(label)
    answers = {path.stem: read_prediction(path) for path in sorted(kept.glob("*.h5ad"))}
    if not answers:
        known = ", ".join(record["methods"])
        msg = f"answers of a method ({known}) expected in {results}, found none of {label!r}: name one that was kept"
        raise InputError(msg)
    pairs = [(s, answers[safe_name(s.id)]) for s in experiment.read_labelled() if safe_name(s.id) in answers]
    heading, rows = summary_rows(summary)
    table = Table(heading, rows, headline(summary), experiment.title or "Domains against labels")
    return write_answer_page(pairs, out, n_genes=genes, max_mb=max_mb, table=table)


def task_of(results: Path | str) -> str:
    """Return the question of a folder of results: "predict", "impute", "enhance", "domains"."""
    return str(read_record(results)["experiment"].get("task") or PREDICT)


def _section(path: Path) -> Section:
    if path.name.lower().endswith((".tsv", ".tsv.gz")):
        return read_bare_section(path, spec=TileSpec())
    try:
        return read_one(DataConfig(path=str(path)), TileSpec())
    except InputError:
        if not holds_counts_alone(path):
            raise
        return read_bare_section(path, spec=TileSpec())
