"""Summaries as people read them: plain text, Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

import numpy as np
import pandas as pd

from mclstexp.core.wording import without_marks
from mclstexp.evaluation.score_table import CEILINGS, MAIN, merit
from mclstexp.evaluation.summary import FAILED, TRANSDUCTIVE, TUNED, headline

_SETS: Final = {"heg": "highest", "hvg": "most variable", "svg": "most spatial"}
_ESSENTIAL: Final = ("pcc", "ceiling_share", "pcc_depth", "r2", "ari", "nmi", "homogeneity", "stability")
_NOTHING: Final = "-"
_HEADING: Final = 9  # letters in one line of a LaTeX heading
_WIDE: Final = 11  # columns that fill a page at footnote size
_LATEX: Final = str.maketrans(
    {char: f"\\{char}" for char in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "²": "$^2$", "µ": r"$\mu$"}
    | {TRANSDUCTIVE: r"$^\dagger$", FAILED: r"$^\ddagger$", TUNED: r"$^\S$", "…": r"\ldots{}", "·": r"$\cdot$"}
)


@dataclass(frozen=True)
class _Column:
    """What one column shows."""

    heading: str
    name: str
    show: Callable[[Any], str]
    compete: bool = True


@dataclass(frozen=True)
class _Row:
    """One method's cells, and which of them are the best of their columns."""

    method: str
    reference: bool
    cells: list[str]
    best: list[bool]


def summary_rows(summary: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return heading and cells as plain text, references last.

    Parameters
    ----------
    summary
        Of `summarise`. Columns that it lacks, or that no method has a value in, are left out.
    """
    columns, rows = _table(summary)
    return ["method", *(column.heading for column in columns)], [[row.method, *row.cells] for row in rows]


def brief_rows(summary: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return of `summary_rows` what a terminal of 80 columns has room for: the essential four."""
    columns, rows = _table(summary.drop(columns=[f"pcc_depth_{end}" for end in ("low", "high")], errors="ignore"))
    shown = [place for place, column in enumerate(columns) if column.name in _ESSENTIAL]
    heading = ["method", *(columns[place].heading for place in shown)]
    return heading, [[row.method, *(row.cells[place] for place in shown)] for row in rows]


def markdown_table(summary: pd.DataFrame, *, notes: Sequence[str] = ()) -> str:
    """Return a summary as a Markdown table, best of each column bold, references last, `headline` and notes beneath.

    Methods that failed in a fold are not candidates for the best: they are averaged over other sections. Nor are those
    whose defaults were chosen on these very data.
    """
    columns, rows = _table(summary)
    lines = [["method", *(_markdown(column.heading) for column in columns)], ["---", *["---:"] * len(columns)]]
    for row in rows:
        if row.reference and not any("*references*" in line for line in lines):
            lines.append(["*references*", *[""] * len(columns)])
        cells = [f"**{cell}**" if best else cell for cell, best in zip(row.cells, row.best, strict=True)]
        lines.append([_markdown(row.method), *cells])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{table}\n\n" + "\n".join(f"- {_markdown(said)}" for said in (*headline(summary), *notes)) + "\n"


def latex_table(summary: pd.DataFrame) -> str:
    r"""Return a summary as a LaTeX table for the package booktabs, laid out as `markdown_table`.

    With one gene set it is as wide as a page (make it a ``table*`` where the text has two columns); with several,
    turn the page or drop columns of the summary before.
    """
    columns, rows = _table(summary)
    width = len(columns) + 1
    lines = [
        r"\begin{table}",
        rf"\centering\{'script' if width > _WIDE else 'footnote'}size\setlength{{\tabcolsep}}{{2.5pt}}",
        rf"\begin{{tabular}}{{@{{}}l{'r' * len(columns)}@{{}}}}",
        r"\toprule",
        _latex_line(["method", *(_stacked(column.heading) for column in columns)]),
    ]
    block = None
    for row in rows:
        if row.reference != block:
            block = row.reference
            lines += [
                r"\midrule",
                *([rf"\multicolumn{{{width}}}{{@{{}}l}}{{\emph{{references}}}} \\"] if block else []),
            ]
        cells = [_latex(cell).replace("-", "$-$" if cell != _NOTHING else "--") for cell in row.cells]
        bold = [rf"\textbf{{{cell}}}" if best else cell for cell, best in zip(cells, row.best, strict=True)]
        lines.append(_latex_line([_latex(row.method), *bold]))
    sentences = [rf"{_latex(sentence)}\par" for sentence in headline(summary)]
    lines += [r"\bottomrule", r"\end{tabular}", "", r"\medskip", r"\begin{minipage}{\linewidth}\footnotesize"]
    return "\n".join([*lines, *sentences, r"\end{minipage}", r"\end{table}", ""])


def _latex_line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _stacked(heading: str) -> str:
    """Break a heading into lines hardly wider than the numbers beneath."""
    width = len(heading) if "[" in heading else _HEADING  # there stands an interval beneath
    lines = [_latex(line) for line in wrap(heading, width, break_long_words=False)]
    return lines[0] if len(lines) == 1 else r"\shortstack[r]{" + r"\\".join(lines) + "}"


def _latex(text: str) -> str:
    text = re.sub(r'"([^"]*)"', r"``\1''", text).translate(_LATEX)
    return text.replace(r" \%", r"\,\%")


def _markdown(text: str) -> str:
    # "](" would make a link of a name
    return re.sub(r"([\\|<*`]|(?<=\])\()", r"\\\1", without_marks(" ".join(text.split())))


def _table(summary: pd.DataFrame) -> tuple[list[_Column], list[_Row]]:
    if "sees" in summary:
        summary = summary.assign(sees=summary["sees"].astype(object).where(summary["sees"] != "", None))
    columns = [column for column in _columns(summary) if column.name in summary and summary[column.name].notna().any()]
    cells = {column.name: [_cell(row, column) for _, row in summary.iterrows()] for column in columns}
    best = {column.name: _best(summary, column, cells[column.name]) for column in columns}
    rows = [
        _Row(
            method=" ".join([str(method), *_marks(row)]),
            reference=row["kind"] == "reference",
            cells=[cells[column.name][place] for column in columns],
            best=[best[column.name][place] for column in columns],
        )
        for place, (method, row) in enumerate(summary.iterrows())
    ]
    return columns, rows


def _columns(summary: pd.DataFrame) -> list[_Column]:
    interval = " [95 % CI]" if summary[f"{_main(summary)}_low"].notna().any() else ""
    if _main(summary) == "ari":
        return [*_of_domains(interval), *_of_runs()]
    return [
        _Column(f"PCC{interval}", "pcc", _number),
        *(_Column(_set_heading(name), f"pcc_{name}", _number) for name in summary.attrs["gene_sets"]),
        _Column("share of ceiling", "ceiling_share", _percent),
        *_of_another_question("PCC given depth", "depth", summary),
        *_of_another_question("PCC on residuals", "residual", summary),
        _Column("R²", "r2", _number),
        _Column("MSE", "mse", _number),
        _Column("MAE", "mae", _number),
        *(_of_hidden_genes() if "rmse_z" in summary else []),
        _Column("SSIM", "ssim", _number),
        _Column("AUC", "auc", _number),
        _Column("dispersion", "dispersion", lambda value: f"{value:.2f}"),
        *_of_runs(),
    ]


def _main(summary: pd.DataFrame) -> str:
    return str(summary.attrs.get("metric", "pcc"))


def _of_runs() -> list[_Column]:
    return [
        _Column("time", "seconds", _time, compete=False),
        _Column("memory", "peak_mib", _memory, compete=False),
        _Column("sees", "sees", str, compete=False),
    ]


def _of_hidden_genes() -> list[_Column]:
    heads = {"spearman": "Spearman", "rmse_z": "RMSE of z", "js": "JS"}
    return [_Column(head, name, _number) for name, head in heads.items()]


def _of_domains(interval: str) -> list[_Column]:
    merits = {"ari": f"ARI{interval}", "nmi": "NMI", "homogeneity": "homogeneity", "stability": "stability"}
    columns = [_Column(head, name, _number) for name, head in merits.items()]
    return [*columns, _Column("coherence", "coherence", _number, compete=False)]


def _of_another_question(heading: str, name: str, summary: pd.DataFrame) -> list[_Column]:
    """List a correlation over all genes, over the highest, and its share of its own ceiling."""
    highest = [each for each in summary.attrs["gene_sets"] if each.startswith("heg")]
    return [
        _Column(heading, f"pcc_{name}", _number),
        *(_Column(_set_heading(each).replace("PCC", heading, 1), f"pcc_{name}_{each}", _number) for each in highest),
        _Column(f"share of ceiling, {heading.removeprefix('PCC ')}", f"ceiling_share_{name}", _percent),
    ]


def _set_heading(name: str) -> str:
    known = re.fullmatch(r"(heg|hvg|svg)(\d+)", name)
    return f"PCC, {known[2]} {_SETS[known[1]]}" if known else f"PCC, {name}"


def _cell(row: pd.Series, column: _Column) -> str:
    value = row[column.name]
    if pd.isna(value):
        return _NOTHING
    low, high = (row.get(f"{column.name}_{end}", np.nan) for end in ("low", "high"))
    if column.name in (*CEILINGS, *MAIN) and pd.notna(low):
        return f"{_number(value)} [{_number(low)}, {_number(high)}]"
    return column.show(value)


def _best(summary: pd.DataFrame, column: _Column, cells: list[str]) -> list[bool]:
    """Mark the best of those scored on all sections and not tuned on them, and all that read the same."""
    if not column.compete:
        return [False] * len(cells)
    judged = (summary["kind"] != "reference") & (summary["n_sections"] == summary["n_sections"].max())
    judged &= ~summary["tuned"].astype(bool)
    merits = merit(column.name, summary[column.name].astype(float)).where(judged)
    if merits.notna().sum() < 2:
        return [False] * len(cells)
    shown = [column.show(value) for value in summary[column.name]]
    winner = shown[merits.argmax()]
    return [bool(text == winner and fair) for text, fair in zip(shown, judged & merits.notna(), strict=True)]


def _marks(row: pd.Series) -> list[str]:
    seen = bool(row["transductive"]) and row["kind"] != "reference"
    marks = {TRANSDUCTIVE: seen, TUNED: row["tuned"], FAILED: row["n_failed"]}
    return [mark for mark, there in marks.items() if there]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _number(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"  # no -0.000


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _memory(mib: float) -> str:
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"
