"""Fitting on four her2st sections: time and memory beside the ridge control.

Run `python benchmarks/bench_fit.py [DATA]`, DATA (or `$MCLSTEXP_DATA`) holding `her2st/` and
`gene_lists/her2st_785.txt`. First mclstexp with an empty cache, embedding included; then each from cached features,
which is `fit` alone.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from mclstexp.core.expression import ExpressionSpace
from mclstexp.io.read import read_sections
from mclstexp.methods import create

ENCODER = "efficientnet_lite0"


def main(data: Path) -> None:
    sections = read_sections(data / "her2st", sections=["C2", "C3", "C4", "C5"])
    genes = (data / "gene_lists" / "her2st_785.txt").read_text().split()
    space = ExpressionSpace.fit(sections, genes=genes)
    rows = {}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MCLSTEXP_CACHE"] = cache
        for way in ("mclstexp, embedding included", "ridge", "mclstexp"):
            model = create(way.split(",")[0], encoder=ENCODER)
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
