"""All methods on real sections, new individuals first: the page docs/benchmarks.md, every number of it.

`python benchmarks/table_methods.py > docs/benchmarks.md` prints the page from the scores that are kept in
benchmarks/scores, one folder for each experiment, scale and seed. With `--data DATA`, laid out as the files in configs/
say, runs that are not kept yet are made first, in `--work` (build/table_methods), where one that was killed goes on;
`--only`, `--scales` and `--seeds` name some of them: all together are a day on two cores.
"""

import argparse
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mclstexp.api import run_experiment
from mclstexp.evaluation.compare import compare_methods
from mclstexp.evaluation.experiment import read_experiment
from mclstexp.evaluation.resampling import cannot_tell
from mclstexp.evaluation.results import RECORD, SCORES, read_results, summarise_scores
from mclstexp.evaluation.score_table import LOWER_IS_BETTER
from mclstexp.evaluation.tables import markdown_table
from mclstexp.methods import list_methods

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
KEPT = ROOT / "benchmarks" / "scores"
"""Scores and record of each run behind the page: what a table rests on can be computed again without the data."""
TITLES = {
    "mice": "A new mouse: olfactory bulbs of two, each predicted from the other",
    "her2st_cb": "A new patient: HER2+ breast tumours (her2st) C and B, each predicted from the other",
    "her2st_three": "A new patient of three: her2st A, B and C at 3.2 µm per pixel",
    "her2st_c": "Within a patient: HER2+ breast tumour (her2st C2 to C6), one section left out",
    "mob_st": "Mouse olfactory bulb (Ståhl et al. 2016), one replicate left out, animals not told apart",
    "her2st_c_paper": "The same sections of her2st under the published evaluation",
    "mob_st_paper": "The same replicates of the olfactory bulb under the published evaluation",
}
SCALES = ("log", "residual")
MORE = ["pcc_hvg50", "pcc_svg50", "spearman", "nrmse", "nmi", "js", "moran_error"]
MORE += ["gene_correlation_error", "svg_recovery"]
INTRODUCTION = """# Benchmarks

`python benchmarks/table_methods.py > docs/benchmarks.md` writes this page from the scores kept in `benchmarks/scores`;
no number of it is typed. `--data DATA`, laid out as the files in `configs/` say, makes those that are missing.

Every method learns from frozen `efficientnet_lite0` features (ImageNet weights, float32) with its default options, on a
CPU: the table compares what is made of the same features, not image encoders trained end to end. Rows that end in ",
common sight" see what the flagship sees; the others what they were published with (last column). What each column
means: [the protocol](protocol.md). Scores are means over seeds, intervals are over individuals, or over sections within
one. Time is the sum over folds of fit and prediction of the first seed, with features cached where an earlier method
had computed them, on a shared machine; memory is the peak of the method's process.
"""


TUNED = """## On which data defaults were chosen

A method whose defaults were chosen by scores on a data set has flattering scores there: it is marked and never bold.
`mob_st` is the mouse olfactory bulb of Ståhl et al. 2016, `her2st` the breast tumours of Andersson et al. 2021. Of the
others no choice by scores on real data is on record.
"""


def page() -> None:
    """Print what the kept scores say."""
    print(INTRODUCTION)
    print(TUNED)
    rows = [[name, ", ".join(cls.tuned_on) or "no real data on record"] for name, cls in list_methods().items()]
    print(_markdown(["method", "defaults chosen on"], rows) + "\n")
    for name, title in TITLES.items():
        strict = not name.endswith("_paper")
        print(f"## {title}\n\n`mclstexp evaluate configs/{name}.toml --out results/{name}`\n")
        for scale in scales(name):
            if strict:
                said = "log10 shares" if scale == "log" else 'Pearson residuals, `scale = "residual"` in `[space]`'
                print(f"### Learnt and scored on {said}\n")
            runs = sorted(folder.parent for folder in KEPT.glob(f"{name}/{scale}_*/{SCORES}"))
            if not runs:
                print("Not run with this version.\n")
                continue
            if strict:
                print(_seeds(len(runs)) + "\n")
            _section(runs, more=strict)


def scales(name: str) -> tuple[str, ...]:
    """Return the scales of expression that an experiment is run on; the published evaluation knows one."""
    return SCALES[:1] if name.endswith("_paper") else SCALES


def run(name: str, *, scale: str, seed: int, work: Path, jobs: int = 1) -> None:
    """Make a run that is not kept yet, and keep its scores and its record."""
    kept, folder = KEPT / name / f"{scale}_{seed}", work / name / f"{scale}_{seed}"
    if (kept / SCORES).is_file():
        return
    if not (folder / SCORES).is_file():
        experiment = read_experiment(CONFIGS / f"{name}.toml")
        space = replace(experiment.space, scale=scale)
        experiment = replace(experiment, seed=seed, space=space, predictions=seed == 0)
        run_experiment(experiment, out=folder, jobs=jobs, on_event=_say)
    kept.mkdir(parents=True, exist_ok=True)
    for part in (RECORD, SCORES):
        shutil.copyfile(folder / part, kept / part)


def _seeds(n_seeds: int) -> str:
    return "One seed." if n_seeds == 1 else f"Means over {n_seeds} seeds."


def mean_over_seeds(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Average scores over tables that differ by seed alone; what a run cost is that of the first."""
    first = tables[0]
    keys = [column for column in first.columns if column != "value"]
    joined = pd.concat([table.astype(dict.fromkeys(keys, object)) for table in tables])
    scores = joined[~joined["metric"].isin(("seconds", "peak_mib", "failed"))]
    mean = scores.groupby(keys, sort=False, dropna=False, observed=True)["value"].mean().reset_index()
    costs = first[first["metric"].isin(("seconds", "peak_mib", "failed"))]
    return pd.concat([mean, costs.astype(dict.fromkeys(keys, object))])[list(first.columns)].reset_index(drop=True)


def _section(folders: list[Path], *, more: bool) -> None:
    scores = mean_over_seeds([read_results(folder) for folder in folders])
    record = json.loads((folders[0] / RECORD).read_text())
    summary = summarise_scores(scores)
    print(markdown_table(summary))
    if more:
        print("\nOther metrics (arrows say which way is better):\n")
        print(_more(summary))
        print("\nEach method against the first, in pairs (sign-flip test, Holm's correction):\n")
        print(_pairs(scores))
    code = record["code"]
    print(f"\nmclstexp {code['mclstexp']}, torch {code['torch']}, timm {code['timm']}, Python {code['python']}.\n")


def _more(summary: pd.DataFrame) -> str:
    columns = [column for column in MORE if column in summary]
    heading = [f"{column} {'↓' if column in LOWER_IS_BETTER else '↑'}" for column in columns]
    rows = [
        [str(method), *("-" if pd.isna(v) else f"{v:.3f}" for v in row[columns])] for method, row in summary.iterrows()
    ]
    return _markdown(["method", *heading], rows)


def _pairs(scores: pd.DataFrame) -> str:
    pairs = compare_methods(scores)
    rows = [
        [
            row.method,
            row.baseline,
            f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]",
            f"{row.p:.3g}",
            f"{row.holm:.3g}",
            "yes" if row.told_apart else "no",
        ]
        for row in pairs.itertuples()
    ]
    table = _markdown(["method", "against", "difference of PCC", "p", "Holm", "told apart"], rows)
    few = cannot_tell(int(pairs["n_units"].max()), pairs.attrs["units"]) if len(pairs) else ""
    return f"{table}\n\n{few}".rstrip()


def _markdown(heading: list[str], rows: list[list[str]]) -> str:
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _say(label: str, fold: str, state: str) -> None:
    print(label, fold, state, file=sys.stderr)


def main() -> None:
    """Make the runs that are asked for and missing, then print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets; without it nothing is run")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "table_methods", help="where runs are made")
    parser.add_argument(
        "--only", nargs="+", choices=TITLES, default=list(TITLES), metavar="NAME", help=", ".join(TITLES)
    )
    parser.add_argument("--scales", nargs="+", choices=SCALES, default=list(SCALES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="methods judged at once")
    asked = parser.parse_args()
    if asked.data is not None:
        os.environ["MCLSTEXP_DATA"] = str(asked.data)
        # the first seed of everything before the second of anything
        for seed in asked.seeds:
            for name in asked.only:
                for scale in asked.scales:
                    if scale in scales(name) and (seed == 0 or len(scales(name)) > 1):
                        run(name, scale=scale, seed=seed, work=asked.work, jobs=asked.jobs)
    page()


if __name__ == "__main__":
    main()
