"""Which traits of images find loci: a table of docs/associations.md, on made-up cohorts of which all is known.

Run `python benchmarks/infomax_traits.py [--seeds 3]`. Traits are learnt on 2,000 people and scanned on 2,000 others; a
locus is found below 0.05 / (variants × traits), and false if it lies more than 1 Mb from each of the four causal ones.
"permuted": genotypes were permuted over people before anything was learnt.
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from mclstexp.analysis.association.inflation import inflation
from mclstexp.analysis.association.infomax import InfoMaxOptions, InfoMaxTraits
from mclstexp.analysis.association.linear import linear_scan
from mclstexp.analysis.association.loci import LINKED_BP, find_loci
from mclstexp.analysis.association.simulated import CAUSAL, simulate_cohort

N = 2000


def loci(traits, cohort):
    """Count loci, causal variants that one lies at, and false loci; and λ."""
    varying = cohort.dosage.loc[:, cohort.dosage.nunique() > 1]
    scan = linear_scan(traits.to_numpy(), varying.to_numpy())
    least = pd.DataFrame({"marker": varying.columns, "p": scan.p.min(axis=0)})
    found = least[least["p"] < 0.05 / scan.p.size]
    best = find_loci(found, cohort.positions, cohort.dosage)
    causal = cohort.positions.iloc[list(CAUSAL)]
    near = [
        (place["chromosome"] == best["chromosome"]) & ((place["position"] - best["position"]).abs() <= LINKED_BP)
        for _, place in causal.iterrows()
    ]
    at = np.array(near) if len(best) else np.zeros((len(CAUSAL), 0), bool)
    return {
        "loci": len(best),
        "causal": int(at.any(axis=1).sum()),
        "false": int((~at.any(axis=0)).sum()),
        "λ": inflation(scan.p)[0],
    }


def ways(learn, test, seed):
    """Yield the name of each way, and the traits and the cohort that are scanned."""
    yield "oracle: the factors", test.factors, test
    for d in (6, 8):
        axes = PCA(d, random_state=0).fit(learn.images)
        yield f"PCA, {d}", pd.DataFrame(axes.transform(test.images)), test

    def infomax(name, dosage, *, on=test, **options):
        given = InfoMaxOptions(**{"n_traits": 6, "seed": seed} | options)
        fitted = InfoMaxTraits.fit(learn.images, dosage, positions=learn.positions, options=given)
        return name, fitted.traits(on.images), on

    for spread in (0.0, 0.1, 1.0):
        yield infomax(f"infomax, linear, spread {spread:g}", learn.dosage, spread=spread)
    yield infomax("infomax, Transformer", learn.dosage, encoder="genome")
    order = np.random.default_rng(seed).permutation(N)
    mixed = pd.DataFrame(learn.dosage.to_numpy()[order], index=learn.dosage.index, columns=learn.dosage.columns)
    yield infomax("permuted, on new people", mixed)
    for steps in (250, 1500):
        _, traits, _ = infomax("", mixed, on=learn, steps=steps)
        same = type(learn)(mixed, learn.images, learn.factors, learn.positions)
        yield f"permuted, on the people learnt from, {steps} steps (refused)", traits, same


def main(asked):
    rows = []
    for seed in range(asked.seeds):
        learn, test = (simulate_cohort(N, seed=seed, people=k) for k in (0, 1))
        began = time.monotonic()
        for name, traits, cohort in ways(learn, test, seed):
            rows.append({"traits": name, **loci(traits, cohort), "s": time.monotonic() - began})
            print(seed, rows[-1], flush=True)
            began = time.monotonic()
    table = pd.DataFrame(rows)
    told = table.groupby("traits", sort=False).agg(dict.fromkeys(("loci", "causal", "false"), list))
    told["λ"] = table.groupby("traits", sort=False)["λ"].mean().round(2)
    print(told.to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    main(parser.parse_args())
