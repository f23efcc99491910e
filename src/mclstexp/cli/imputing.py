"""`impute` and `evaluate-imputation`: genes that a section's assay did not measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, data_config
from mclstexp.cli.questions import gene_names, make_method
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step


@Parameter(name="*", group="Imputation")
@dataclass(frozen=True)
class Imputing:
    """What is imputed and how."""

    genes: str | None = None
    """What is imputed: a file with one gene a line, or names as ESR1,ERBB2; by default what the section lacks and a
    twentieth of the cells express. Genes that were measured are hidden from the method."""
    method: str = "gene_ridge"
    """The way; `mclstexp list` shows them."""
    option: Annotated[list[str], Parameter(negative="", show_default=False)] = field(default_factory=list)
    """Option of the method as NAME=VALUE, any number of times; `mclstexp list METHOD` shows them."""
    preset: str | None = None
    """A named set of options to start from, such as published; --option counts for more."""
    expect: bool = True
    """Estimate each gene's score, which runs the method five times more."""


@app.command
def impute(
    section: Path,
    /,
    *,
    reference: Path,
    out: Path,
    imputing: Imputing = Imputing(),
    reading: Reading = Reading(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Say where genes are active that a section's assay did not measure, from single cells of such tissue.

    Parameters
    ----------
    section
        One measured section; its counts alone (.h5ad, .zarr, .h5, .tsv) are enough.
    reference
        Raw counts of single cells, or of spots of another section: .h5ad, .zarr, a 10x .h5, or .tsv.
    out
        File to write (.h5ad): spots by imputed genes, with the score to expect of each in var.
    overwrite
        Replace a file that is already there.
    """
    step(f"Reading {section} and {reference}")
    from mclstexp.api.imputation import impute_file
    from mclstexp.core.display import plural
    from mclstexp.core.imputer import ROOM

    imputed = impute_file(
        data_config(section, reading),
        reference,
        out=out,
        overwrite=overwrite,
        genes=None if imputing.genes is None else gene_names(imputing.genes),
        method=make_method(ROOM, imputing.method, imputing.option, preset=imputing.preset),
        expect=imputing.expect,
    )
    made = imputed.uns["mclstexp"]
    n_learnt, n_cells = made["n_genes_learnt_from"], made["n_cells"]
    told = f"{plural(imputed.n_vars, 'gene')} at {imputed.n_obs} spots"
    say(f"{told}, learnt from {n_learnt} shared genes in {n_cells} cells")
    if imputing.expect and imputed.var["expected_pcc"].notna().any():
        score, given_depth = imputed.var["expected_pcc"], imputed.var["expected_pcc_depth"]
        middle = f"{score.median():.2f} for the middle gene, {given_depth.median():.2f} given depth"
        say(f"expected PCC: {middle}; 0.3 or more for {(score >= 0.3).sum()} of {len(score)} genes")
    say(str(out))


@Parameter(name="*", group="Judging")
@dataclass(frozen=True)
class Judging:
    """What is hidden and judged."""

    methods: str | None = None
    """Methods, as gene_ridge,spage; all by default."""
    n_genes: int = 400
    """Genes that are scored: the most variable that a tenth of the spots holds."""
    hide_by: Literal["gene", "cluster", "both"] = "both"
    """Whether genes are hidden each for itself, or with all that go along with them in the reference."""
    seed: int = 0
    """Of folds, clusters and halves."""


@app.command
def evaluate_imputation(
    section: Path,
    /,
    *,
    reference: Path,
    out: Path | None = None,
    judging: Judging = Judging(),
    reading: Reading = Reading(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Judge methods of imputation on genes of a section that are hidden from everything, in five folds.

    Parameters
    ----------
    section
        One measured section; its counts alone are enough.
    reference
        Raw counts of single cells, or of spots of another section.
    out
        CSV file for the scores of every gene; none by default.
    overwrite
        Replace a file that is already there.
    """
    step(f"Reading {section} and {reference}")
    from mclstexp.api.imputation import evaluate_imputation as evaluate
    from mclstexp.cli.terminal import print_table, task_progress

    with task_progress("hiding genes from") as on_event:
        summary = evaluate(
            data_config(section, reading),
            reference,
            methods=[] if judging.methods is None else judging.methods.split(","),
            out=out,
            overwrite=overwrite,
            n_genes=judging.n_genes,
            by=("gene", "cluster") if judging.hide_by == "both" else (judging.hide_by,),
            seed=judging.seed,
            on_event=on_event,
        )
    for how, table in summary.groupby(level=0, sort=False):
        rows = [[str(name[1]), *_cells(row)] for name, row in table.iterrows()]  # type: ignore[index]
        print_table(rows, heading=_HEADING, title=f"hidden by {how}, {table['n_genes'].max():.0f} genes")
    say(
        "means over genes; in brackets where 95 % of means over genes drawn anew lie, which is not about other sections"
    )
    if out is not None:
        say(str(out))


_HEADING = ["method", "PCC", "PCC given depth", "Spearman", "RMSE of z", "JS", "s"]


def _cells(row: Any) -> list[str]:
    """Write a row of the summary; what it lacks stays blank."""
    ranged = [f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]" for name in ("pcc", "pcc_depth")]
    if row["n_genes"] != row["n_genes"]:  # the truth beside itself
        return [f"{row['pcc']:.3f}", *[""] * 5]
    return [*ranged, *(f"{row[name]:.3f}" for name in ("spearman", "rmse_z", "js")), f"{row['seconds']:.0f}"]
