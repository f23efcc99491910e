"""`RecentFeatures`: found again by place, forgotten oldest first."""

import numpy as np

from mclstexp.data.recent_features import RecentFeatures

RNG = np.random.default_rng(0)


def test_what_was_added_is_found_by_place_and_key():
    store = RecentFeatures()
    xy, features = RNG.uniform(0, 100, (5, 2)), RNG.normal(size=(5, 3)).astype(np.float32)
    store.under("a").add(xy, features)
    asked = np.vstack([xy[[3, 0]], [[1.0, 2.0]]])
    found, present = store.under("a").lookup(asked, dim=3)
    assert present.tolist() == [True, True, False]
    np.testing.assert_array_equal(found[:2], features[[3, 0]])
    assert not found[2].any()
    assert not store.under("b").lookup(xy, dim=3)[1].any()


def test_the_oldest_go_first_and_memory_stays_bounded():
    store = RecentFeatures(limit_bytes=5000)
    for number in range(20):
        store.under("a").add(np.full((4, 2), number) + np.arange(4)[:, None] / 8, np.zeros((4, 64), np.float32))
        assert store.n_bytes <= 5000
    assert store.under("a").lookup(np.array([[19.0, 19.0]]), dim=64)[1].all()
    assert not store.under("a").lookup(np.array([[0.0, 0.0]]), dim=64)[1].any()


def test_what_lies_above_a_row_is_forgotten():
    store = RecentFeatures()
    for row in (0.0, 10.0, 20.0):
        store.under("a").add(np.array([[1.0, row], [2.0, row + 4]]), np.ones((2, 3), np.float32))
    store.forget_above(12.0)
    found = store.under("a").lookup(np.array([[1.0, 0.0], [2.0, 14.0], [1.0, 20.0]]), dim=3)[1]
    assert found.tolist() == [False, True, True]


def test_none_is_no_shard():
    store = RecentFeatures()
    store.under("a").add(np.zeros((0, 2)), np.zeros((0, 3), np.float32))
    assert store.n_bytes == 0
