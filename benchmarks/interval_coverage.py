"""What intervals hold: of means over few individuals, and of single values on a new individual.

Run `python benchmarks/interval_coverage.py means` or `… values` for the tables of docs/protocol.md, with a number
behind for more or fewer simulations a cell; `… mice DATA` for what intervals of values hold across two mice, DATA
holding `mob_2k` (STUtility's examples as h5ad with their pictures).
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from mclstexp.analysis.pairs import Pair
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import folds_by_patient
from mclstexp.evaluation.calibration import interval_coverage
from mclstexp.evaluation.conformal import Errors, Pool
from mclstexp.evaluation.exam import Rules, prepare
from mclstexp.evaluation.resampling import mean_interval
from mclstexp.io.read import read_sections
from mclstexp.methods import create
from mclstexp.retrieval.spread import with_quantiles

UNITS = range(2, 13)
DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed (gamma, skewness 1)": lambda rng, shape: rng.gamma(4, 0.5, size=shape) - 2,
    "very skewed (exponential)": lambda rng, shape: rng.exponential(size=shape) - 1,
    "heavy tails (t, 3 degrees)": lambda rng, shape: rng.standard_t(3, size=shape) / np.sqrt(3),
}
"""Draws of mean 0 and variance 1, of individuals and, again, of their sections."""
LEVEL = 0.95
N_BOOT = 1000
MOST_SECTIONS = 4
OTHERS = (1, 2, 3, 5, 8)
APART = (0.0, 0.4, 0.8, 1.2)
"""How far individuals' errors lie apart, in standard deviations of a spot's: of a gene's shift, and twice that of the
logarithm of the scale."""
N_GENES, N_SPOTS = 8, 60


def means(n_tables: int) -> None:
    """Print how often each interval holds the true mean, 0."""
    print(f"{n_tables} tables of scores a cell, {LEVEL:.0%} promised.\n")
    print("| one value an individual | interval | " + " | ".join(map(str, UNITS)) + " |")
    print("|---|---|" + "---:|" * len(UNITS))
    for kind in DRAWS:
        for name, interval in (("percentile", percentile), ("BCa", bca), ("t", student)):
            _line(kind, name, [_held(interval, *_table(kind, n, n_tables, most=1)) for n in UNITS])
    print("\n| 1 to 4 sections an individual, each with noise of its own | mean over | ", end="")
    print(" | ".join(map(str, UNITS)) + " |")
    print("|---|---|" + "---:|" * len(UNITS))
    for kind in DRAWS:
        tables = [_table(kind, n, n_tables, most=MOST_SECTIONS) for n in UNITS]
        over = [(sums / counts, np.ones_like(counts)) for sums, counts in tables]
        _line(kind, "individuals", [_held(student, *table) for table in over])
        _line(kind, "sections", [_held(student, *table) for table in tables])


def _table(kind: str, n_units: int, n_tables: int, *, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw tables: (n_tables, n_units) sums over an individual's sections, and their numbers."""
    rng = np.random.default_rng(n_units)
    counts = rng.integers(1, most + 1, size=(n_tables, n_units))
    of_section = DRAWS[kind](rng, (n_tables, n_units, most)) * (np.arange(most) < counts[:, :, None])
    of_unit = DRAWS[kind](rng, (n_tables, n_units)) * counts
    return (of_unit + of_section.sum(axis=2) if most > 1 else of_unit), counts.astype(float)


def _held(interval, sums: np.ndarray, counts: np.ndarray) -> float:
    low, high = interval(sums, counts)
    return float(((low <= 0) & (high >= 0)).mean())


def student(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the package's own interval."""
    ends = []
    for of_table, n_values in zip(sums, counts, strict=True):  # a value for each section, their sum that of the unit
        of = np.repeat(np.arange(len(of_table)), n_values.astype(int))
        ends.append(mean_interval((of_table / n_values)[of], of=of, level=LEVEL))
    return np.array(ends)[:, 0], np.array(ends)[:, 1]


def percentile(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap over individuals (Efron 1979)."""
    low, high = np.quantile(_boot(sums, counts), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return low, high


def bca(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bias-corrected and accelerated bootstrap over individuals (Efron 1987), for one value an individual."""
    boot, mean = np.sort(_boot(sums, counts), axis=1), sums.mean(axis=1, keepdims=True)
    apart = sums - mean
    skew = (apart**3).sum(axis=1) / (6 * (apart**2).sum(axis=1) ** 1.5)
    below = ((boot < mean).mean(axis=1) + (boot == mean).mean(axis=1) / 2).clip(1 / N_BOOT, 1 - 1 / N_BOOT)
    shift = stats.norm.ppf(below)
    ends = []
    for side in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        z = shift + stats.norm.ppf(side)
        at = (stats.norm.cdf(shift + z / (1 - skew * z)) * N_BOOT).astype(int).clip(0, N_BOOT - 1)
        ends.append(boot[np.arange(len(boot)), at])
    return ends[0], ends[1]


def _boot(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    n_units = sums.shape[1]
    drawn = np.random.default_rng(0).integers(n_units, size=(N_BOOT, n_units))
    return np.stack([of[drawn].sum(axis=1) / n[drawn].sum(axis=1) for of, n in zip(sums, counts, strict=True)])


@dataclass
class Made:
    """Two sections of an individual are made alike: shift and scale of errors are the individual's."""

    id: str
    patient: str
    genes: tuple[str, ...]
    truth: np.ndarray
    guess: np.ndarray


def values(n_studies: int) -> None:
    """Print what share of the values of a new individual intervals hold that were learnt on others."""
    print(f"{n_studies} studies a cell, 80 % promised.\n")
    print("| how far individuals lie apart | learnt on | " + " | ".join(map(str, OTHERS)) + " |")
    print("|---|---|" + "---:|" * len(OTHERS))
    for apart in APART:
        studies = [_studies(n + 1, n_studies, apart=apart) for n in OTHERS]
        _line(f"{apart:g}", "sections of one individual, asked of another", [_of_one(made) for made in studies])
        _line(f"{apart:g}", "other individuals, at 0.8", [_pooled(made) for made in studies])
        own = [np.mean([interval_coverage(made)["coverage"].mean() for made in of_n]) for of_n in studies]
        _line(f"{apart:g}", "other individuals, as the package does", own)


def mice(data: Path) -> None:
    """Print what share of the values of one mouse intervals hold that were learnt on the other."""
    sections = read_sections(data / "mob_2k", mpp=3.5, spec=TileSpec(64, 3.5))
    exams = [prepare(fold, Rules()) for fold in folds_by_patient(sections)]
    for name in ("mean", "coordinates", "knn", "ridge"):
        options = {"encoder": "efficientnet_lite0"} if name in ("knn", "ridge") else {}
        options |= {"k": 100} if name == "knn" else {}
        pairs = []
        for exam in exams:
            model = create(name, **options).fit(exam.fold.train, space=exam.space)
            pairs += [
                Pair(section, with_quantiles(model, section.tiles, model.predict(section.tiles), level=0.8))
                for section in exam.fold.test
            ]
        for varying in (False, True):
            if varying and pairs[0].bounds is None:
                continue
            table = interval_coverage(pairs, varying=varying)
            of_sections = table.filter(like="coverage_").mean().round(3).to_dict()
            kind = "varying" if varying else "constant"
            print(
                f"{name}, {kind}: {table['coverage'].mean():.3f}, ± {table['width'].mean():.3f}; {of_sections}",
                flush=True,
            )


def _studies(n_individuals: int, n_studies: int, *, apart: float) -> list[list[Made]]:
    rng = np.random.default_rng(n_individuals)
    return [[pair for k in range(n_individuals) for pair in _individual(rng, k, apart)] for _ in range(n_studies)]


def _individual(rng: np.random.Generator, k: int, apart: float) -> list[Made]:
    scale, shift, made = np.exp(apart / 2 * rng.normal()), apart * rng.normal(size=N_GENES), []
    for n in range(2):
        guess = rng.random((N_SPOTS, N_GENES))
        off = shift + 0.3 * rng.normal(size=N_GENES) + scale * rng.normal(size=guess.shape)
        made.append(Made(f"{k}-{n}", f"P{k}", tuple(map(str, range(N_GENES))), guess + off, guess))
    return made


def _of_one(studies: list[list[Made]]) -> float:
    """Learn on the two sections of one individual and ask of another's."""
    return float(np.mean([_ask(made[0], [made[2:4]]) for made in studies]))


def _pooled(studies: list[list[Made]]) -> float:
    """Learn on all others, at the level that is promised."""
    return float(np.mean([_ask(made[0], [made[n : n + 2] for n in range(2, len(made), 2)]) for made in studies]))


def _ask(asked: Made, others: list[list[Made]]) -> float:
    held = []
    for i in range(N_GENES):
        errors = [
            Errors(*(np.concatenate([of(pair)[:, i] for pair in unit]) for of in (_guess, _off))) for unit in others
        ]
        held.append(_off(asked)[:, i] <= Pool.of(errors).widths(asked.guess[:, i], level=0.8))
    return float(np.mean(held))


def _guess(pair: Made) -> np.ndarray:
    return pair.guess


def _off(pair: Made) -> np.ndarray:
    return np.abs(pair.truth - pair.guess)


def _line(kind: str, name: str, held: list[float]) -> None:
    print(f"| {kind} | {name} | " + " | ".join(f"{share:.2f}" for share in held) + " |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["means"]:
        means(int(sys.argv[2]) if len(sys.argv) > 2 else 2000)
    elif sys.argv[1:2] == ["values"]:
        values(int(sys.argv[2]) if len(sys.argv) > 2 else 300)
    elif sys.argv[1:2] == ["mice"]:
        mice(Path(sys.argv[2]))
    else:
        print(__doc__)
