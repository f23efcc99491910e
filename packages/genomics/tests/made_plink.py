"""A cohort in PLINK's files."""

import numpy as np


def write_plink(stem, calls, *, chromosome=None, position=None):
    """Write (n_people, n_markers) counts of A1, NaN where there is no call."""
    n, m = calls.shape
    code = np.select([calls == 2, calls == 1, calls == 0], [0, 2, 3], 1).astype(np.uint8)
    padded = np.zeros((m, 4 * -(-n // 4)), np.uint8)
    padded[:, :n] = code.T
    packed = (padded.reshape(m, -1, 4) << np.array([0, 2, 4, 6], np.uint8)).sum(axis=2).astype(np.uint8)
    stem.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + packed.tobytes())
    stem.with_suffix(".fam").write_text("".join(f"f{i} p{i} 0 0 0 -9\n" for i in range(n)))
    chromosome = ["1"] * m if chromosome is None else chromosome
    position = [10_000_000 * (i + 1) for i in range(m)] if position is None else position
    rows = zip(chromosome, position, strict=True)
    stem.with_suffix(".bim").write_text("".join(f"{c} rs{i} 0 {bp} A C\n" for i, (c, bp) in enumerate(rows)))
    return stem


def made_calls(n=70, m=12, *, seed=0):
    """Counts of an allele, some not called."""
    rng = np.random.default_rng(seed)
    calls = rng.binomial(2, rng.uniform(0.2, 0.5, m), (n, m)).astype(np.float32)
    calls[rng.random(calls.shape) < 0.05] = np.nan
    return calls
