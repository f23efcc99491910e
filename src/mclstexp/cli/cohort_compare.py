"""`cohort compare`: models that were compared, held against another of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mclstexp.cli.cohort import cohort
from mclstexp.cli.terminal import print_table, say
from mclstexp.core.progress import step


@cohort.command
def compare(
    results: Path,
    /,
    *,
    baseline: str = "clinical",
    draws: int = 2000,
    draw: Literal["patient", "site"] = "patient",
) -> None:
    """Hold the models of a comparison against another of them; nothing is run anew.

    Parameters
    ----------
    results
        Folder that cohort evaluate wrote.
    baseline
        Model that all others are held against, such as prototype_shares: do products add to shares?
    draws
        Draws of the test patients for intervals.
    draw
        What is drawn.
    """
    step(f"Reading {results}")
    from mclstexp.api.outcome_comparison import compare_outcome
    from mclstexp.cohort.summary_text import brief_rows, sentences

    summary, record = compare_outcome(results, baseline=baseline, draws=draws, unit=draw)
    heading, rows = brief_rows(summary, record)
    print_table(rows, heading=heading, title=str(results))
    for sentence in sentences(summary, record):
        say(sentence)
