"""Sequences are read, encoded and turned, and none that training holds is tested."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mclstexp.core.errors import InputError
from mclstexp_genomics.kmers import bar, counts_of, kmer_counts, kmer_numbers
from mclstexp_genomics.sequences import (
    LabelledDNA,
    encode,
    other_strand,
    read_labelled,
    reverse_complement,
    without_seen,
)

DNA = st.lists(st.text("ACGT", min_size=1, max_size=12), min_size=1, max_size=5)


def test_letters_are_numbers_filled_up_with_unknown():
    assert encode(["ACGT", "GN"]).tolist() == [[0, 1, 2, 3], [2, 4, 4, 4]]
    assert encode(["ACGT"], length=2).tolist() == [[0, 1]]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(DNA)
def test_the_other_strand_is_that_of_the_letters_and_its_own_again(sequences):
    bases = encode(sequences)
    length = bases.shape[1]
    np.testing.assert_array_equal(other_strand(bases), encode([*map(reverse_complement, sequences)], length=length))
    np.testing.assert_array_equal(other_strand(other_strand(bases)), bases)


def test_words_are_numbered_and_counted():
    assert kmer_numbers(["ACGTN"], 2).tolist() == [[1, 6, 11, -1]]
    assert kmer_numbers(["ACGT"], 2, step=2).tolist() == [[1, 11]]
    assert kmer_counts(["AAAC"], 1).tolist() == [[3, 1, 0, 0]]
    assert counts_of(np.array([[0, 2, 2, -1]]), 3).tolist() == [[1, 0, 2]]


def test_what_training_holds_on_either_strand_is_not_tested():
    train = LabelledDNA(("AACC", "ACGA"), np.array([0, 1]))
    test = LabelledDNA(("AACC", "GGTT", "TTTT"), np.array([0, 0, 1]))
    kept, n_dropped = without_seen(test, train)
    assert (kept.sequences, kept.labels.tolist(), n_dropped) == (("TTTT",), [1], 2)


def test_the_bar_tells_what_differs_in_words():
    rng = np.random.default_rng(0)
    sequences = tuple("".join(rng.choice(list("ACGT"), 40, p=p)) for p in 60 * [[0.4, 0.1, 0.1, 0.4], [0.25] * 4])
    data = LabelledDNA(sequences, np.tile([0, 1], 60))
    found = bar(data.take(range(80)), data.take(range(80, 120)), 2)
    assert found["auc"] > 0.9
    assert set(found) == {"accuracy", "mcc", "auc"}


def test_parts_are_read_by_name(tmp_path):
    path = tmp_path / "dna.tsv.gz"
    with gzip.open(path, "wt") as file:
        file.write("id\tsequence\tlabel\tsplit\na\tacgt\t1\ttrain\nb\tAANN\t0\ttest\n")
    found = read_labelled(path)
    assert found["train"].sequences == ("ACGT",)
    assert found["test"].labels.tolist() == [0]
    plain = tmp_path / "dna.tsv"
    plain.write_text("sequence\tlabel\nACGT\t1\n")
    assert set(read_labelled(plain)) == {"all"}


BROKEN = {
    "no column": "letters\tlabel\nACGT\t1\n",
    "no rows": "sequence\tlabel\n",
    "other letters": "sequence\tlabel\nACXT\t1\n",
    "no letters": "sequence\tlabel\n\t1\n",
    "no class": "sequence\tlabel\nACGT\tyes\n",
    "a short row": "sequence\tlabel\nACGT\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_no_table_of_sequences_is_refused(tmp_path, text):
    (tmp_path / "dna.tsv").write_text(text)
    with pytest.raises(InputError, match=r"expected in .*, found"):
        read_labelled(tmp_path / "dna.tsv")


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "dna.tsv.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="cannot be read"):
        read_labelled(tmp_path / "dna.tsv.gz")
    with pytest.raises(InputError, match="cannot be read"):
        read_labelled(tmp_path / "absent.tsv")


@pytest.mark.data
def test_a_hundred_of_the_independent_test_are_in_training(genomics_dir):
    parts = read_labelled(genomics_dir / "dna_sequences" / "ienhancer.tsv.gz")
    kept, n_dropped = without_seen(parts["test"], parts["train"])
    assert (len(parts["train"]), len(kept), n_dropped) == (2968, 300, 100)
    assert parts["test"].labels.sum() - kept.labels.sum() == 100, "all of them enhancers"
