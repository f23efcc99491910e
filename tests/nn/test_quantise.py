"""Quantisers: values worked by hand, the numbers of an independent one, and what holds on any data."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from mclstexp.core.errors import InputError
from mclstexp.nn.codebook import Codebook, spread_rows
from mclstexp.nn.quantise import REVIVAL_EVERY, Quantiser, usage


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def with_codes(*books, decay=0.99):
    made = Quantiser([len(codes) for codes in books], books[0].shape[1], decay=decay)
    for book, codes in zip(made.books(), books, strict=True):
        book.codes.copy_(codes)
        book.sums.copy_(codes)
        book.counts.fill_(1)
        book.started.fill_(value=True)
    return made


def column(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_two_levels_on_the_line():
    found = with_codes(column(0, 1, 4), column(-1, 1)).eval()(column(1.9))
    assert found.codes.tolist() == [[1, 1]]
    assert float(found.residuals[1]) == pytest.approx(0.9)
    assert float(found.values) == pytest.approx(2.0)
    assert float(found.commitment) == pytest.approx(0.81 + 0.01)


def test_running_means_worked_by_hand():
    book = Codebook(2, 1, decay=0.8)
    book.codes.copy_(column(0, 2))
    book.counts.copy_(torch.ones(2))
    book.sums.copy_(column(0, 2))
    rows = column(1.1, 3)
    chosen = book.nearest(rows)
    assert chosen.tolist() == [1, 1]
    assert book.nearest(column(1)).tolist() == [0], "of equally near codes the first"
    book.update(rows, chosen)
    assert book.counts.tolist() == pytest.approx([0.8, 1.2])
    assert book.sums[:, 0].tolist() == pytest.approx([0, 2.42])
    assert float(book.codes[1]) == pytest.approx(2.016667, abs=1e-4)


def test_the_gradient_passes_straight_through_once():
    quantiser = Quantiser((4, 16), 3)
    vectors = torch.randn(40, 3, generator=seeded(), requires_grad=True)
    quantiser(vectors).values.sum().backward()
    assert torch.equal(vectors.grad, torch.ones(40, 3))


def test_the_commitment_pulls_the_vectors_and_no_code():
    quantiser = with_codes(column(0, 4))
    vectors = column(1.0).requires_grad_()
    quantiser(vectors).commitment.backward()
    assert vectors.grad.tolist() == [[2.0]]
    assert list(quantiser.parameters()) == []


def test_as_many_codes_as_different_rows_leave_no_error():
    rows = torch.randn(7, 3, generator=seeded()).repeat(5, 1)
    found = Quantiser((9,), 3)(rows)
    assert float(found.commitment) == 0
    assert torch.equal(found.values, rows)


def test_first_codes_are_spread():
    rows = torch.cat([column(*range(50)) * 1e-3, column(100), column(200)])
    assert {100, 200} <= set(spread_rows(rows, 3, seeded())[:, 0].tolist())


def test_dead_codes_are_put_onto_rows_now_and_then():
    quantiser = with_codes(column(0, 1e6), decay=0.5)
    rows = torch.randn(64, 1, generator=seeded())
    for _ in range(REVIVAL_EVERY):
        assert usage(quantiser(rows).codes[..., 0], 2)["used"] == 1
        quantiser.update(quantiser(rows))
    assert usage(quantiser(rows).codes[..., 0], 2)["used"] == 2


def test_nothing_is_learnt_outside_training():
    quantiser = Quantiser((3, 5), 2)
    rows = torch.randn(30, 2, generator=seeded())
    quantiser(rows)
    before = {name: value.clone() for name, value in quantiser.state_dict().items()}
    quantiser.eval()
    quantiser.update(quantiser(rows + 1))
    assert all(torch.equal(value, before[name]) for name, value in quantiser.state_dict().items())


def test_codes_say_the_values_and_the_first_of_them_a_coarser_one():
    quantiser = Quantiser((4, 16), 3).train()
    rows = torch.randn(5, 8, 3, generator=seeded())
    found = quantiser(rows)
    assert found.codes.shape == (5, 8, 2)
    torch.testing.assert_close(quantiser.values_of(found.codes), found.values)
    coarse = quantiser.values_of(found.codes[..., :1])
    assert (rows - coarse).square().mean() > (rows - found.values).square().mean()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(2, 40), st.integers(1, 4), st.integers(1, 9), st.integers(0, 5))
def test_more_levels_never_raise_the_error_where_a_zero_is_among_the_codes(n, dim, size, seed):
    rows = torch.randn(n, dim, generator=seeded(seed))
    books = [torch.cat([torch.zeros(1, dim), torch.randn(size, dim, generator=seeded(9))]) for _ in range(3)]
    errors = [float((rows - with_codes(*books[:levels]).eval()(rows).values).square().sum()) for levels in (1, 2, 3)]
    assert errors[0] >= errors[1] - 1e-4
    assert errors[1] >= errors[2] - 1e-4


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(2, 60), st.integers(0, 5))
def test_a_row_is_quantised_alike_in_any_company(n, seed):
    quantiser = with_codes(torch.randn(16, 5, generator=seeded(1)), torch.randn(32, 5, generator=seeded(2))).eval()
    rows = torch.randn(n, 5, generator=seeded(seed))
    found, order = quantiser(rows), torch.randperm(n, generator=seeded(seed))
    assert torch.equal(quantiser(rows[order]).values, found.values[order])
    assert torch.equal(quantiser(rows[:1]).values, found.values[:1])


def test_perplexity_counts_codes():
    assert usage(torch.arange(8), 16) == {"used": 8, "perplexity": pytest.approx(8)}
    assert usage(torch.zeros(5, dtype=torch.long), 16) == {"used": 1, "perplexity": pytest.approx(1)}


@pytest.mark.parametrize(("sizes", "decay"), [((), 0.9), ((4, 0), 0.9), ((4,), 1.0), ((4,), -0.1)])
def test_impossible_quantisers_are_refused(sizes, decay):
    with pytest.raises(InputError, match="expected, found"):
        Quantiser(sizes, 2, decay=decay)


@pytest.mark.data
def test_one_level_computes_what_an_independent_quantiser_does(parity_dir):
    given, expected = (load_file(parity_dir / "vq_small" / f"{name}.safetensors") for name in ("inputs", "outputs"))
    quantiser = with_codes(expected["codebook"], decay=0.8).eval()
    found = quantiser(given["x"])
    assert torch.equal(found.codes[..., 0], expected["codes"])
    torch.testing.assert_close(found.values, expected["quantized"], atol=1e-4, rtol=1e-4)
    (book,) = quantiser.train().books()
    book.counts.copy_(expected["cluster_size_before"])
    book.sums.copy_(expected["embed_avg_before"])
    vectors = given["x"].clone().requires_grad_()
    found = quantiser(vectors)
    commitment = 0.25 * found.commitment
    (found.values.square().sum() + commitment).backward()
    quantiser.update(found)
    for mine, name in (
        (commitment.detach()[None], "commit_loss_train"),
        (vectors.grad, "grad_x"),
        (book.counts, "cluster_size_after"),
        (book.sums, "embed_avg_after"),
        (book.codes, "codebook_after"),
    ):
        torch.testing.assert_close(mine, expected[name], atol=1e-4, rtol=1e-4, msg=name)


@pytest.mark.data
def test_three_levels_compute_what_an_independent_quantiser_does(parity_dir):
    given, expected = (load_file(parity_dir / "vq_small" / f"{name}.safetensors") for name in ("inputs", "outputs"))
    quantiser = with_codes(*expected["rvq_codebooks"]).eval()
    found = quantiser(given["x"])
    assert torch.equal(found.codes, expected["rvq_codes"])
    torch.testing.assert_close(found.values, expected["rvq_quantized"], atol=1e-4, rtol=1e-4)
    parts = [book.codes[found.codes[..., level]] for level, book in enumerate(quantiser.books())]
    assert np.allclose(torch.stack(parts), expected["rvq_all"], atol=1e-4)
