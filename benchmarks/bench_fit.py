"""Fitting on four her2st sections from cached features: time and memory beside the ridge control.

Run `python benchmarks/bench_fit.py [DATA]`, DATA (or `$MCLSTEXP_DATA`) holding `her2st/` and
`gene_lists/her2st_785.txt`. Features are computed before the clock starts; what is timed is `fit` alone, the choice
of epochs and k included.
"""

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from mclstexp.core.expression import ExpressionSpace
from mclstexp.io.read import read_sections
from mclstexp.methods import create
from mclstexp.methods.mclstexp import MclSTExp
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.views import embed_views

ENCODER = "efficientnet_lite0"


def main(data: Path) -> None:
    sections = read_sections(data / "her2st", sections=["C2", "C3", "C4", "C5"])
    genes = (data / "gene_lists" / "her2st_785.txt").read_text().split()
    space = ExpressionSpace.fit(sections, genes=genes)
    for section in sections:
        embed_tiles(section.tiles, ENCODER)
        embed_views(section.tiles, ENCODER, widths=MclSTExp.view_widths)
    rows = {}
    ways: dict[str, dict[str, Any]] = {
        "ridge": {},
        "mclstexp": {},
    }
    for way, options in ways.items():
        model = create(way.split(",")[0], encoder=ENCODER, **options)
        start = time.perf_counter()
        model.fit(sections, space=space)
        rows[way] = time.perf_counter() - start
    print(f"{sum(map(len, sections))} spots, {len(genes)} genes")
    print(f"{'way':36}{'seconds':>10}{'x ridge':>10}")
    for way, seconds in rows.items():
        print(f"{way:36}{seconds:10.1f}{seconds / rows['ridge']:10.1f}")
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MCLSTEXP_DATA")
    if given is None:
        print("skipped: give the folder of the data, or set MCLSTEXP_DATA")
    else:
        main(Path(given))
