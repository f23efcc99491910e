"""Exact search: by pieces, by FAISS and by torch's top-k the same, and what it costs in memory."""

import numpy as np
import pytest
import torch

from mclstexp.retrieval import exact_index
from mclstexp.retrieval.cosines import row_sums
from mclstexp.retrieval.exact_index import ExactIndex

RNG = np.random.default_rng(0)
# what SWIG makes says so at its first import from Python 3.12 on
pytestmark = pytest.mark.filterwarnings("ignore:builtin type [Ss]wig:DeprecationWarning")


def _random(n, dim=24):
    return torch.from_numpy(RNG.normal(size=(n, dim)).astype(np.float32) * RNG.uniform(0.1, 9, (n, 1)).astype("f"))


def _assert_nearest(found, keys, queries, k):
    """Up to the order of keys that float32 cannot tell apart."""
    true = torch.cosine_similarity(queries.double()[:, None], keys.double()[None], dim=2)
    cosine, rows = found
    np.testing.assert_allclose(cosine, true.topk(k, dim=1).values, atol=1e-6)
    np.testing.assert_allclose(cosine, true.gather(1, rows), atol=1e-6)
    assert all(len(set(row)) == k for row in rows.tolist())


@pytest.mark.parametrize("piece", [30, 100, 640, 8192])
@pytest.mark.parametrize("k", [1, 7, 50, 1000])
def test_pieces_of_any_size_give_the_nearest(piece, k, monkeypatch):
    monkeypatch.setattr(exact_index, "PIECE", piece)
    keys, queries = _random(1000), _random(70)
    _assert_nearest(ExactIndex(keys).search(queries, k=k), keys, queries, k)


@pytest.mark.parametrize("falling", [False, True])
def test_the_order_of_the_keys_does_not_matter(falling, monkeypatch):
    """Each piece nearer than all before: every key is a candidate."""
    monkeypatch.setattr(exact_index, "PIECE", 320)
    keys, queries = _random(2000), _random(1)
    order = torch.cosine_similarity(keys, queries).argsort(descending=falling)
    _assert_nearest(ExactIndex(keys[order]).search(queries, k=9), keys[order], queries, 9)


def test_of_equal_keys_the_earlier_come_first(monkeypatch):
    monkeypatch.setattr(exact_index, "PIECE", 160)
    keys, queries = _random(10).repeat(50, 1), _random(40)
    together = ExactIndex(keys).search(queries, k=60)
    nearest = torch.cosine_similarity(queries[:, None], keys[None, :10], dim=2).argmax(dim=1, keepdim=True)
    np.testing.assert_array_equal(together[1][:, :50], nearest + 10 * torch.arange(50))
    alone = [ExactIndex(keys).search(queries[i : i + 1], k=60)[1] for i in range(40)]
    np.testing.assert_array_equal(torch.cat(alone), together[1])


@pytest.mark.parametrize("n_alike", [1, 5, 200])
def test_how_a_product_rounds_changes_nothing(n_alike, monkeypatch):
    """Neither a cosine's last bit nor who comes k-th, though keys are alike to a few roundings, or equal."""
    keys = _random(100).repeat_interleave(n_alike, dim=0)
    keys[::2] *= 1 + 2.0**-22
    keys[::3, 0] += 1e-6
    index, queries, k = ExactIndex(keys), _random(12), 20
    cosine, rows = index.search(queries, k=k)
    _assert_nearest((cosine, rows), keys, queries, k)
    fast = torch.cosine_similarity(queries[:, None], keys[None], dim=2)

    def candidates(self, unit, *, k):
        rounded = fast + self._doubt / 4 * torch.from_numpy(RNG.uniform(-0.8, 0.8, fast.shape).astype("f"))
        return rounded.topk(k, dim=1)

    monkeypatch.setattr(ExactIndex, "_candidates", candidates)
    for _ in range(3):
        again = index.search(queries, k=k)
        np.testing.assert_array_equal(again[0], cosine)
        np.testing.assert_array_equal(again[1], rows)


def test_sums_are_the_same_elsewhere(monkeypatch):
    """A GPU's way to add up, on this machine's processor."""
    for n in (1, 2, 7, 64, 129):
        values = _random(30, n)
        monkeypatch.setattr("mclstexp.retrieval.cosines._on_cpu", lambda tensor: False)
        apart = torch.cat([row_sums(value[None]) for value in values])
        np.testing.assert_array_equal(apart, row_sums(values))
        np.testing.assert_allclose(apart, values.double().sum(dim=1), rtol=1e-5, atol=1e-5)


def test_zeros_have_cosine_zero():
    keys = torch.cat([_random(3), torch.zeros(2, 24)])
    for index, queries in ((ExactIndex(keys), torch.zeros(1, 24)), (ExactIndex(torch.zeros(5, 24)), _random(1))):
        cosine, rows = index.search(queries, k=5)
        assert (cosine == 0).all()
        assert rows.tolist() == [[0, 1, 2, 3, 4]]


def test_an_integer_keeps_cosine_and_row():
    cosine = np.array([-1, -0.5, -1e-30, 0, 1e-30, 0.3, 1], np.float32)
    codes = exact_index._codes(cosine, np.arange(7) + 2**32 - 7)
    assert (np.diff(codes) > 0).all()
    np.testing.assert_array_equal(exact_index._cosines(codes), cosine)
    assert exact_index._codes(cosine[5:6], np.array([3])) > exact_index._codes(cosine[5:6], np.array([4]))


def test_topk_elsewhere_gives_the_same(monkeypatch):
    monkeypatch.setattr(exact_index, "PIECE_ELSEWHERE", 300)
    keys, queries = _random(1000), _random(20)
    unit = torch.nn.functional.normalize(queries, dim=1)
    _assert_nearest(ExactIndex(keys)._by_topk(unit, k=40), keys, queries, 40)


def test_without_faiss_the_plain_search_answers(monkeypatch):
    monkeypatch.setattr(exact_index, "FAISS_FROM", 0)
    monkeypatch.setattr(exact_index, "_faiss", lambda: None)
    keys, queries = _random(200), _random(20)
    _assert_nearest(ExactIndex(keys).search(queries, k=5), keys, queries, 5)


@pytest.fixture
def faiss(monkeypatch):
    module = pytest.importorskip("faiss", reason="the extra faiss")
    monkeypatch.setattr(exact_index, "FAISS_FROM", 500)
    return module


@pytest.mark.parametrize("k", [1, 50, 150])
def test_faiss_gives_the_nearest_and_keeps_its_settings(k, faiss):
    before = faiss.omp_get_max_threads(), faiss.cvar.distance_compute_blas_threshold
    keys, queries = _random(1000), _random(20)
    _assert_nearest(ExactIndex(keys).search(queries, k=k), keys, queries, k)
    assert (faiss.omp_get_max_threads(), faiss.cvar.distance_compute_blas_threshold) == before


def test_faiss_answers_for_large_banks_only(faiss, monkeypatch):
    asked = []
    real = faiss.knn
    monkeypatch.setattr(faiss, "knn", lambda *args, **options: asked.append(len(args[1])) or real(*args, **options))
    for n in (499, 500):
        ExactIndex(_random(n)).search(_random(3), k=2)
    assert set(asked) == {500}


def test_faiss_takes_unit_keys_as_they_are(faiss):
    keys = _random(600)
    unit = torch.nn.functional.normalize(keys, dim=1)
    for given, shared in ((unit, True), (keys, False)):
        index = ExactIndex(given)
        assert np.shares_memory(index._unit_keys, given.numpy()) == shared
        assert index._unit_keys is index._unit_keys
