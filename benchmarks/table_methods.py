"""All methods on real sections under both protocols: the page docs/benchmarks.md, every number of it.

Run `python benchmarks/table_methods.py DATA OUT [JOBS]`, DATA (or `$MCLSTEXP_DATA`) laid out as configs/her2st_c.toml
and configs/mob_st.toml say. Results go to OUT/her2st_c and so on; those already there are taken as they are, and a run
that was killed goes on. The page is printed: `> docs/benchmarks.md`.
"""

import json
import os
import sys
from pathlib import Path

import pandas as pd

from mclstexp.api import run_experiment
from mclstexp.evaluation.compare import compare_methods
from mclstexp.evaluation.experiment import read_experiment
from mclstexp.evaluation.resampling import cannot_tell
from mclstexp.evaluation.results import RECORD, SCORES, read_results
from mclstexp.evaluation.score_table import LOWER_IS_BETTER
from mclstexp.evaluation.summary import summarise
from mclstexp.evaluation.tables import markdown_table
from mclstexp.methods import list_methods

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
TITLES = {
    "her2st_c": "HER2+ breast tumour (her2st C2 to C6), one section left out",
    "mob_st": "Mouse olfactory bulb (Ståhl et al. 2016), one replicate left out",
    "her2st_c_paper": "The same sections of her2st under the published evaluation",
    "mob_st_paper": "The same replicates of the olfactory bulb under the published evaluation",
}
MORE = ["pcc_hvg50", "pcc_svg50", "spearman", "nrmse", "nmi", "js", "moran_error"]
MORE += ["gene_correlation_error", "svg_recovery"]
INTRODUCTION = """# Benchmarks

`python benchmarks/table_methods.py DATA OUT > docs/benchmarks.md` writes this page; no number of it is typed. DATA is
laid out as `configs/her2st_c.toml` and `configs/mob_st.toml` say, OUT receives scores, predictions and figures.

Every method learns from frozen `efficientnet_lite0` features (ImageNet weights, 224 px tiles at 0.5 µm) with its
default options, on a CPU: the table compares what is made of the same features, not image encoders trained end to end.
What each column means: [the protocol](protocol.md). Intervals are over sections, for both data sets are of one patient
(her2st C) or of animals that are not told apart: they say how sure the mean over these sections is, and nothing about
the next patient. Time is the sum over folds of fit and prediction with features cached where an earlier method had
computed them, on a shared machine; memory is the peak of the method's process.
"""


TUNED = """## On which data defaults were chosen

A method whose defaults were chosen by scores on a data set has flattering scores there: it is marked and never bold.
`mob_st` is the mouse olfactory bulb of Ståhl et al. 2016, `her2st` the breast tumours of Andersson et al. 2021. Of the
others no choice by scores on real data is on record.
"""


def main(data: Path, out: Path, jobs: int) -> None:
    os.environ["MCLSTEXP_DATA"] = str(data)
    print(INTRODUCTION)
    print(TUNED)
    rows = [[name, ", ".join(cls.tuned_on) or "no real data on record"] for name, cls in list_methods().items()]
    print(_markdown(["method", "defaults chosen on"], rows) + "\n")
    for name, title in TITLES.items():
        folder = out / name
        if not (folder / SCORES).is_file():
            run_experiment(read_experiment(CONFIGS / f"{name}.toml"), out=folder, jobs=jobs, on_event=_say)
        _section(folder, title=title, name=name)


def _section(folder: Path, *, title: str, name: str) -> None:
    scores, record = read_results(folder), json.loads((folder / RECORD).read_text())
    summary = summarise(scores, over="section")
    print(f"## {title}\n\n`mclstexp evaluate configs/{name}.toml --out results/{name}`\n")
    print(markdown_table(summary))
    if record["experiment"]["protocol"] == "strict":
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


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__)
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
