"""Expected scores of imputed genes: `python benchmarks/imputation_expected.py DATA` prints what decision 20 says.

400 genes of any kind (in 2 % of the spots and cells) are hidden; their true scores stand beside those that
`imputation.expected` gives and beside the mean score of the 20 shared genes most like each. DATA holds `mob_st`,
`her2st` and `single_cell` as CONTRIBUTING.md says.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from anndata import AnnData

from mclstexp.core.pairing import log_shares, pair
from mclstexp.evaluation.metrics import pcc
from mclstexp.imputation import create_imputer
from mclstexp.imputation.expected import expected_scores
from mclstexp.imputation.patterns import co_expression
from mclstexp.io.counts_alone import read_counts

N_HIDDEN, N_LIKE = 400, 20
warnings.filterwarnings("ignore", ".* have no counts: .*")


def main(data: Path) -> None:
    bulb, breast = data / "mob_st", data / "her2st" / "data" / "ST-cnts" / "B1.tsv.gz"
    cells = data / "single_cell" / "breast_tnbc_CID4465.h5ad"
    for section, reference in ((bulb / "rep01" / "counts.tsv.gz", bulb / "rep02" / "counts.tsv.gz"), (breast, cells)):
        compare(
            read_counts(section, what="the section"), read_counts(reference, what="the reference"), name=str(section)
        )


def compare(counts: AnnData, reference: AnnData, *, name: str) -> None:
    counts = counts[np.asarray(counts.X.sum(axis=1)).ravel() > 0].copy()
    often = [np.diff(some.X.tocsc().indptr) > 0.02 * some.n_obs for some in (counts, reference)]
    known = counts.var_names[often[0] & counts.var_names.isin(reference.var_names[often[1]])]
    rng = np.random.default_rng(1)
    hidden = list(rng.choice(known, N_HIDDEN, replace=False))
    imputer = create_imputer("gene_ridge")
    truth = log_shares(counts.X)[:, counts.var_names.get_indexer(hidden)].toarray()
    true = pcc(truth, imputer.impute(counts, reference, genes=hidden).X)
    expected = expected_scores(imputer, counts, reference, targets=tuple(hidden))["expected_pcc"].to_numpy()
    print(f"{name}: true mean {np.nanmean(true):.2f}")
    for what, found in (("regressed", expected), ("mean of genes alike", of_kin(counts, reference, hidden))):
        some = np.isfinite(true)
        print(f"  {what}: mean {found.mean():.2f}, correlation {np.corrcoef(found[some], true[some])[0, 1]:.2f}")


def of_kin(counts: AnnData, reference: AnnData, hidden: list[str]) -> np.ndarray:
    """Return the mean score, when they are hidden, of the shared genes most like each."""
    imputer, known = create_imputer("gene_ridge"), pair(counts, reference, genes=hidden)
    seen = counts[:, ~counts.var_names.isin(hidden)].copy()
    tried = np.random.default_rng(0).permutation(len(known.genes))[:500]
    scores = np.empty(len(tried))
    for fold in np.array_split(np.arange(len(tried)), 5):
        found = imputer.impute(seen, reference, genes=[known.genes[gene] for gene in tried[fold]])
        scores[fold] = pcc(known.spots[:, tried[fold]], found.X)
    alike = np.argsort(-co_expression(known)[:, tried], axis=1)[:, :N_LIKE]
    return scores[alike].mean(axis=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
