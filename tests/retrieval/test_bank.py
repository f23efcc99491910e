"""Retrieval: exact, bounded, without NaN, and the same whichever queries are asked together."""

from dataclasses import replace

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.retrieval import bank as module
from mclstexp.retrieval import exact_index
from mclstexp.retrieval.bank import ReferenceBank

RNG = np.random.default_rng(0)


def _bank(n=300, dim=16, n_genes=5):
    keys = RNG.normal(size=(n, dim)).astype(np.float32)
    expression = RNG.random((n, n_genes)).astype(np.float32)
    patients = tuple("AB"[i % 2] for i in range(n))
    return ReferenceBank(keys, expression, section_ids=tuple(p + "1" for p in patients), patients=patients)


def _by_hand(bank, query, *, k, power=0.0, norm=2.0, scale=None, gaussian=False):
    keys, query = bank.keys.astype(float), query.astype(float)
    cosine = keys @ query / np.linalg.norm(keys, axis=1) / np.linalg.norm(query)
    near = np.argsort(-cosine, kind="stable")[:k]
    distance = np.linalg.norm(keys[near] - query, ord=norm, axis=1)
    weights = distance**-power if scale is None else np.exp(scale * cosine[near])
    if gaussian:
        weights = np.exp(distance.min() ** 2 - distance**2)
    return weights @ bank.expression[near] / weights.sum()


@pytest.mark.parametrize(
    ("options", "by_hand"),
    [
        ({"weights": "uniform"}, {}),
        ({"weights": "inverse_distance"}, {"power": 1.0}),
        ({"weights": "inverse_square", "norm": 1.0}, {"power": 2.0, "norm": 1.0}),
        ({"weights": "inverse_square"}, {"power": 2.0}),
        ({"weights": "gaussian"}, {"gaussian": True}),
        ({"weights": "softmax", "scale": 7.0}, {"scale": 7.0}),
    ],
)
def test_each_weight_rule_is_its_formula(options, by_hand):
    bank, queries = _bank(), RNG.normal(size=(20, 16)).astype(np.float32)
    expected = [_by_hand(bank, query, k=30, **by_hand) for query in queries]
    np.testing.assert_allclose(bank.query(queries, k=30, **options), expected, rtol=1e-4)


@pytest.mark.parametrize("weights", ["uniform", "inverse_distance", "inverse_square", "gaussian"])
def test_with_k_1_a_key_returns_its_very_row(weights):
    bank = _bank()
    np.testing.assert_array_equal(bank.query(bank.keys, k=1, weights=weights), bank.expression)


@pytest.mark.parametrize("weights", ["inverse_distance", "inverse_square"])
def test_a_query_on_two_keys_takes_their_mean(weights):
    keys = np.array([[1, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    bank = ReferenceBank(keys, np.array([[0.0], [2], [9], [9]], np.float32), ("s",) * 4, ("p",) * 4)
    np.testing.assert_array_equal(bank.query(keys[:1], k=4, weights=weights), [[1.0]])


def test_small_chunks_change_nothing(monkeypatch):
    bank, queries = _bank(), RNG.normal(size=(40, 16)).astype(np.float32)
    whole = bank.query(queries, k=7, weights="inverse_square", norm=1.0)
    monkeypatch.setattr(module, "CHUNK_BYTES", 4 * 7 * 16 * 3)
    np.testing.assert_allclose(bank.query(queries, k=7, weights="inverse_square", norm=1.0), whole, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:builtin type [Ss]wig:DeprecationWarning")
@pytest.mark.parametrize("options", [{"weights": "softmax", "scale": 10}, {"weights": "inverse_square", "norm": 1.0}])
@pytest.mark.parametrize("by_faiss", [False, True])
def test_a_query_does_not_depend_on_its_company(by_faiss, options, monkeypatch):
    if by_faiss:
        pytest.importorskip("faiss", reason="the extra faiss")
        monkeypatch.setattr(exact_index, "FAISS_FROM", 0)
    bank, queries = _bank(n=2000, dim=64), RNG.normal(size=(100, 64)).astype(np.float32)
    together = bank.query(queries, k=50, **options)
    for size in (1, 7, 33):
        parts = [bank.query(queries[i : i + size], k=50, **options) for i in range(0, 100, size)]
        np.testing.assert_array_equal(np.concatenate(parts), together)


def test_no_queries_no_answers():
    rows, cosine = _bank().nearest(np.empty((0, 16), np.float32), k=3)
    assert rows.shape == cosine.shape == (0, 3)
    assert _bank().query(np.empty((0, 16), np.float32), k=3, weights="gaussian").shape == (0, 5)


def test_the_same_bank_answers_again_and_again():
    bank, queries = _bank(n=700), RNG.normal(size=(600, 16)).astype(np.float32)
    keys = bank.keys.copy()
    first = bank.query(queries, k=5)
    np.testing.assert_array_equal(bank.query(queries, k=5), first)
    np.testing.assert_array_equal(bank.keys, keys)
    assert len(bank.without("A")._on("cpu").index.keys) == 350


def test_fewer_keys_than_k_are_all_used():
    bank = _bank(n=4)
    np.testing.assert_allclose(bank.query(bank.keys[:1], k=200)[0], bank.expression.mean(axis=0), rtol=1e-6)


def test_a_patients_own_spots_can_be_shut_out():
    bank = _bank()
    others = bank.without("A")
    assert set(others.patients) == {"B"}
    nobody_knows = replace(bank, patients=tuple(None if i % 3 == 0 else p for i, p in enumerate(bank.patients)))
    assert set(nobody_knows.without("A").patients) == {"B"}, "an unknown patient may be A"
    np.testing.assert_array_equal(others.expression, bank.expression[1::2])
    with pytest.raises(InputError, match="found none"):
        others.without("B")


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (np.zeros((2, 3), np.float32), 5, "length 16"),
        (np.full((2, 16), np.nan, np.float32), 5, "NaN"),
        (np.zeros((2, 16), np.float32), 0, "at least 1"),
    ],
)
def test_bad_queries_are_refused(queries, k, message):
    with pytest.raises(InputError, match=message):
        _bank().query(queries, k=k)


def test_a_broken_bank_is_refused():
    keys, expression = np.zeros((3, 2), np.float32), np.zeros((3, 1), np.float32)
    with pytest.raises(InputError, match="as many keys"):
        ReferenceBank(keys, expression, ("s",) * 2, ("p",) * 3)
    with pytest.raises(InputError, match="in 1 of 3 rows"):
        ReferenceBank(keys, np.array([[0], [np.nan], [0]], np.float32), ("s",) * 3, ("p",) * 3)


def test_zeros_are_answered_without_nan():
    bank = _bank()
    zero = np.zeros((1, 16), np.float32)
    for weights in ("uniform", "inverse_distance", "inverse_square", "gaussian", "softmax"):
        assert np.isfinite(bank.query(zero, k=9, weights=weights)).all()
