"""Top-200 retrieval of 10,000 queries in 10,000 keys × 256, against one query at a time.

Run `python benchmarks/bench_retrieval.py`. The rivals are Python loops that do for each query what the method's
formula says: cosine with every key, the 200 largest, inverse-square distances, weighted mean. They differ in who
computes the cosine: scikit-learn's `cosine_similarity`, torch's, or a tight numpy product with the keys' norms
computed once. The first also goes through the neighbours one by one. They are timed on some queries only.
"""

import resource
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics.pairwise import cosine_similarity

from mclstexp.retrieval.bank import ReferenceBank

N_KEYS, N_QUERIES, DIM, N_GENES, K = 10_000, 10_000, 256, 785, 200
N_LOOPED = 200


def numpy_cosine(keys: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    norms = np.linalg.norm(keys, axis=1)
    return lambda query: keys @ query / (norms * np.linalg.norm(query))


def torch_cosine(keys: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    tensor = torch.from_numpy(keys)
    return lambda query: torch.cosine_similarity(torch.from_numpy(query)[None], tensor).numpy()


def sklearn_cosine(keys: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda query: cosine_similarity(query[None], keys)[0]


def all_by_hand(bank: ReferenceBank, queries: np.ndarray, cosine: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    out = []
    for query in queries:
        total, weights = np.zeros(bank.expression.shape[1]), 0.0
        for row in np.argsort(-cosine(query))[:K]:
            weight = 1 / np.linalg.norm(bank.keys[row] - query) ** 2
            total, weights = total + weight * bank.expression[row], weights + weight
        out.append(total / weights)
    return np.stack(out)


def one_by_one(bank: ReferenceBank, queries: np.ndarray, cosine: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    out = []
    for query in queries:
        near = np.argsort(-cosine(query))[:K]
        weights = 1 / ((bank.keys[near] - query) ** 2).sum(axis=1)
        out.append((weights / weights.sum()) @ bank.expression[near])
    return np.stack(out)


LOOPS = {
    "loop, every neighbour": (sklearn_cosine, all_by_hand),
    "loop, scikit-learn cosine": (sklearn_cosine, one_by_one),
    "loop, torch cosine": (torch_cosine, one_by_one),
    "loop, numpy": (numpy_cosine, one_by_one),
}


def main() -> None:
    rng = np.random.default_rng(0)
    keys = rng.normal(size=(N_KEYS, DIM)).astype(np.float32)
    queries = rng.normal(size=(N_QUERIES, DIM)).astype(np.float32)
    expression = rng.random((N_KEYS, N_GENES)).astype(np.float32)
    bank = ReferenceBank(keys, expression, section_ids=("s",) * N_KEYS, patients=("p",) * N_KEYS)
    bank.query(queries[:600], k=K)  # the first call pays for loading the libraries
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rates = {}
    for rule in ("inverse_square", "softmax", "uniform"):
        start = time.perf_counter()
        predicted = bank.query(queries, k=K, weights=rule)
        rates[f"ReferenceBank, {rule}"] = N_QUERIES / (time.perf_counter() - start)
        if rule == "inverse_square":
            np.testing.assert_allclose(predicted[:20], one_by_one(bank, queries[:20], numpy_cosine(keys)), rtol=1e-4)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    for name, (make, loop) in LOOPS.items():
        cosine = make(keys)
        start = time.perf_counter()
        loop(bank, queries[:N_LOOPED], cosine)
        rates[name] = N_LOOPED / (time.perf_counter() - start)
    print(f"{'way':30}{'queries/s':>10}" + "".join(f"{'x ' + name[6:]:>24}" for name in LOOPS))
    for way, rate in rates.items():
        print(f"{way:30}{rate:10.0f}" + "".join(f"{rate / rates[name]:24.1f}" for name in LOOPS))
    print(f"memory the bank adds at its peak: {grown:.0f} MiB")


if __name__ == "__main__":
    main()
