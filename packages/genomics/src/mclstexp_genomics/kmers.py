"""The bar: logistic regression on how often each short word stands in a sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, matthews_corrcoef, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mclstexp_genomics.sequences import UNKNOWN, LabelledDNA, encode


def kmer_numbers(sequences: Sequence[str], k: int, *, step: int = 1) -> Int[np.ndarray, "n n_words"]:
    """Return the number of the word of k letters at each place, A as 0 and the first letter counting most.

    Parameters
    ----------
    sequences
        In letters of ACGTN.
    k
        Letters of a word.
    step
        Distance between places; `k` for words that do not overlap.

    Returns
    -------
    (n, n_words); -1 of a word with an unknown letter.
    """
    bases = encode(sequences)
    windows = np.lib.stride_tricks.sliding_window_view(bases, k, axis=1)[:, ::step]
    number = windows @ 4 ** np.arange(k)[::-1]
    return np.where((windows == UNKNOWN).any(axis=2), -1, number)


def kmer_counts(sequences: Sequence[str], k: int) -> Float[np.ndarray, "n n_words"]:
    """Return how often each word of k letters stands in each sequence, (n, 4^k)."""
    return counts_of(kmer_numbers(sequences, k), 4**k)


def counts_of(numbers: Int[np.ndarray, "n length"], size: int) -> Float[np.ndarray, "n size"]:
    """Return how often each number from 0 to `size` - 1 stands in each row; others are left out."""
    counts = np.zeros((len(numbers), size + 1), np.float32)
    np.add.at(counts, (np.arange(len(numbers))[:, None], np.where(numbers < 0, size, numbers)), 1)
    return counts[:, :size]


def fit_counts(
    train: Float[np.ndarray, "n n_words"], labels: Int[np.ndarray, " n"], test: Float[np.ndarray, "m n_words"]
) -> Float[np.ndarray, "m n_classes"]:
    """Fit logistic regression on scaled counts; return the chance of each class in the test."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)).fit(train, labels)
    return model.predict_proba(test)


def scores(labels: Int[np.ndarray, " n"], chances: Float[np.ndarray, "n n_classes"]) -> dict[str, float]:
    """Return accuracy, Matthews' correlation coefficient and, of two classes, the area under the ROC curve."""
    guess = chances.argmax(axis=1)
    found = {"accuracy": float(accuracy_score(labels, guess)), "mcc": float(matthews_corrcoef(labels, guess))}
    return found | ({"auc": float(roc_auc_score(labels, chances[:, 1]))} if chances.shape[1] == 2 else {})


def bar(train: LabelledDNA, test: LabelledDNA, k: int) -> dict[str, float]:
    """Return what counts of words of k letters reach."""
    return scores(
        test.labels, fit_counts(kmer_counts(train.sequences, k), train.labels, kmer_counts(test.sequences, k))
    )
