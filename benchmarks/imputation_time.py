"""What imputation costs on an ordinary section: the times of docs/impute.md.

Run `python benchmarks/imputation_time.py [METHOD …] [--spots 4000] [--cells 5000]`: a thousand genes that a made-up
section lacks, from cells of eight kinds that share three thousand others with it. Each method runs in a process of its
own.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from mclstexp.imputation import create_imputer

N_SHARED, N_ASKED, N_KINDS = 3000, 1000, 8


def made(n_spots: int, n_cells: int) -> tuple[AnnData, AnnData]:
    """Draw spots that mix eight kinds of cells, and such cells."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.5, 1.0, (N_KINDS, N_SHARED + N_ASKED))
    rates /= rates.sum(axis=1, keepdims=True)
    mixed = rng.dirichlet(np.full(N_KINDS, 0.3), n_spots) @ rates
    spots = rng.poisson(mixed * rng.lognormal(9, 0.4, (n_spots, 1)))
    cells = rng.poisson(rates[rng.integers(N_KINDS, size=n_cells)] * rng.lognormal(8, 0.4, (n_cells, 1)))
    genes = pd.DataFrame(index=[f"G{number}" for number in range(N_SHARED + N_ASKED)])
    section, reference = (AnnData(sparse.csr_matrix(counts.astype(np.float32)), var=genes) for counts in (spots, cells))
    section.obs_names = [f"spot{number}" for number in range(n_spots)]
    reference.obs_names = [f"cell{number}" for number in range(n_cells)]
    return section[:, :N_SHARED].copy(), reference


def measure(name: str, n_spots: int, n_cells: int) -> None:
    """Impute, and print what it took."""
    section, reference = made(n_spots, n_cells)
    begun, used = time.perf_counter(), time.process_time()
    imputed = create_imputer(name).impute(section, reference)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"| `{name}` | {imputed.n_obs:,} | {imputed.n_vars:,} | {seconds:.0f} | {used:.0f} | {peak:.1f} |", flush=True
    )


def main() -> None:
    """Print a row for each method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", default=["gene_ridge", "gene_knn", "spage", "tangram", "spadit"])
    parser.add_argument("--spots", type=int, default=4000)
    parser.add_argument("--cells", type=int, default=5000)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        measure(given.one, given.spots, given.cells)
        return
    print(
        "| method | spots | genes | seconds | processor seconds | peak GiB |\n|---|---:|---:|---:|---:|---:|",
        flush=True,
    )
    for name in given.methods:
        asked = ["--one", name, "--spots", str(given.spots), "--cells", str(given.cells)]
        subprocess.run([sys.executable, "-W", "ignore", __file__, *asked], check=True)


if __name__ == "__main__":
    main()
