"""Banks of 10,000, 100,000 and 1,000,000 keys × 256: the 200 nearest of 512 queries, as a streamed slide asks.

Run `python benchmarks/bench_bank.py [KEYS ...]`; it prints a Markdown table. Every way has a process of its own that
waits for its turn; rounds alternate, medians are compared. "more memory" is how far the process grew beyond what it
had with the libraries loaded and the keys made: index and first search included. The ways:

- plain: `ReferenceBank.nearest` without FAISS;
- bank: `ReferenceBank.nearest` as it is, which takes FAISS for large banks;
- IndexFlatIP: FAISS's exact index of the normalised keys, asked directly;
- scikit-learn: `NearestNeighbors(algorithm="brute")` of the normalised keys (for them Euclidean distance ranks as
  cosine does, and it is many times as fast as scikit-learn's own cosine).
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

DIM, N_QUERIES, K = 256, 512, 200
ROUNDS = {10_000: 21, 100_000: 9, 1_000_000: 5}
Search = Callable[[np.ndarray], np.ndarray]


def normalised(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def by_bank(keys: np.ndarray) -> Search:
    from mclstexp.retrieval.bank import ReferenceBank

    expression, names = np.zeros((len(keys), 1), np.float32), ("",) * len(keys)
    bank = ReferenceBank(keys, expression, section_ids=names, patients=names)
    return lambda queries: bank.nearest(queries, k=K)[0]


def by_plain_bank(keys: np.ndarray) -> Search:
    from mclstexp.retrieval import exact_index

    exact_index.FAISS_FROM = sys.maxsize
    return by_bank(keys)


def by_flat_index(keys: np.ndarray) -> Search:
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(DIM)
    index.add(normalised(keys))
    return lambda queries: index.search(normalised(queries), K)[1]


def by_sklearn(keys: np.ndarray) -> Search:
    from sklearn.neighbors import NearestNeighbors

    neighbours = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(normalised(keys))
    return lambda queries: neighbours.kneighbors(normalised(queries), return_distance=False)


WAYS = {"plain": by_plain_bank, "bank": by_bank, "IndexFlatIP": by_flat_index, "scikit-learn": by_sklearn}


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(way: str, n_keys: int) -> None:
    """Search once for every line read, and say how long it took, how far memory has grown, and a few neighbours."""
    rng = np.random.default_rng(0)
    keys = rng.standard_normal((n_keys, DIM), dtype=np.float32)
    queries = rng.standard_normal((N_QUERIES, DIM), dtype=np.float32)
    WAYS[way](keys[:2000])(queries)
    before = peak_mib()
    search = WAYS[way](keys)
    for _ in sys.stdin:
        start = time.perf_counter()
        nearest = search(queries)
        seconds = time.perf_counter() - start
        print(json.dumps([seconds, peak_mib() - before, nearest[:, :5].tolist()]), flush=True)


def measure(n_keys: int) -> dict[str, tuple[float, float]]:
    """Return queries per second and more memory (MiB) of each way."""
    script = [sys.executable, __file__, "serve"]
    processes = {
        way: subprocess.Popen([*script, way, str(n_keys)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for way in WAYS
    }
    answers: dict[str, list[list]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS.get(n_keys, 5) + 1):
        for way, process in processes.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            answers[way].append(json.loads(process.stdout.readline()))
    for process in processes.values():
        process.communicate()
    nearest = {way: np.array(rounds[-1][2]) for way, rounds in answers.items()}
    for way, rows in nearest.items():
        assert (rows == nearest["plain"]).mean() > 0.999, way
    # the first round builds what is built lazily
    return {
        way: (N_QUERIES / statistics.median(seconds for seconds, *_ in rounds[1:]), rounds[-1][1])
        for way, rounds in answers.items()
    }


def main(sizes: list[int]) -> None:
    print(f"{DIM} numbers a key, the {K} nearest of {N_QUERIES} queries, {torch.get_num_threads()} threads\n")
    print("| keys | " + " | ".join(f"{way}: queries/s | more memory" for way in WAYS) + " | bank ÷ IndexFlatIP |")
    print("|---:" * (2 + 2 * len(WAYS)) + "|")
    for n_keys in sizes:
        found = measure(n_keys)
        cells = [f"{rate:,.0f} | {grown:,.0f} MiB" for rate, grown in found.values()]
        ratio = found["bank"][0] / found["IndexFlatIP"][0]
        print(f"| {n_keys:,} | " + " | ".join(cells) + f" | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main([int(size) for size in sys.argv[1:]] or list(ROUNDS))
