"""A cohort of relatives: 67 BXD mouse strains, 7,320 markers, and what takes kinship out, for docs/genomics.md.

Run `python packages/genomics/benchmarks/bxd.py DATA`, DATA the folder that holds bxd.safetensors.
"""

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from mclstexp.analysis.association.inflation import inflation
from mclstexp_genomics.scan import Scanner, principal_components
from mclstexp_genomics.significance import family_wise

N_PERMUTATIONS = 199


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    found = load_file(parser.parse_args().data / "bxd.safetensors")
    known = np.isfinite(found["phenotype"])
    genotypes, trait = found["dosage"][known].astype(np.float64), found["phenotype"][known, None].astype(np.float64)
    n, m = genotypes.shape
    print(f"{n} strains, {m} markers; a hit has p below {0.05 / m:.2g}")
    heading = ["taken out", "λ ± se", "hits", "smallest p", "over the whole scan", "λ, strains exchanged"]
    print("\n| " + " | ".join(heading) + " |\n|" + "---|" * len(heading))
    for n_components in (0, 5, 10):
        out = principal_components(iter([(None, genotypes)]), n_components) if n_components else None
        scanner = Scanner(trait, out)
        scan = scanner(genotypes)
        p = scan.p[:, 0]
        level, error = inflation(p[None])
        nulls = [
            (np.nanmax(np.abs(null.t)), inflation(null.p.T)[0])
            for null in scanner.permuted(genotypes, n=N_PERMUTATIONS)
        ]
        largest, levels = zip(*nulls, strict=True)
        whole = np.nanmin(family_wise(largest, scan.t))
        exchanged = f"{np.median(levels):.2f} ({np.quantile(levels, 0.05):.2f} to {np.quantile(levels, 0.95):.2f})"
        hits = int((p < 0.05 / m).sum())
        cells = [
            f"{n_components} components",
            f"{level:.2f} ± {error:.2f}",
            str(hits),
            f"{np.nanmin(p):.2g}",
            f"{whole:.3f}",
        ]
        print("| " + " | ".join([*cells, exchanged]) + " |", flush=True)


if __name__ == "__main__":
    main()
