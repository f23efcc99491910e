"""PLINK files are read as they were written, block by block, and what is none is refused in a sentence."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from made_plink import made_calls, write_plink
from safetensors.numpy import load_file

from mclstexp.core.errors import InputError
from mclstexp_genomics import plink
from mclstexp_genomics.plink import open_plink


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    arrays.arrays(
        np.float32, st.tuples(st.integers(1, 9), st.integers(1, 6)), elements=st.sampled_from([0, 1, 2, np.nan])
    )
)
def test_what_was_written_is_read(tmp_path_factory, calls):
    stem = write_plink(tmp_path_factory.mktemp("cohort") / "c", calls)
    found = open_plink(stem.with_suffix(".bed"))
    np.testing.assert_array_equal(found.read(), calls)
    np.testing.assert_array_equal(found.read(1, 3), calls[:, 1:3])


def test_blocks_are_bounded_and_are_all(tmp_path, monkeypatch):
    calls = made_calls()
    monkeypatch.setattr(plink, "BLOCK_BYTES", 4 * 70 * 5)
    blocks = list(open_plink(write_plink(tmp_path / "c", calls)).blocks())
    assert [block.shape[1] for _, block in blocks] == [5, 5, 2]
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks], axis=1), calls)


def test_people_and_markers_are_named(tmp_path):
    found = open_plink(write_plink(tmp_path / "c", made_calls(5, 3), chromosome=["1", "X", "X"]))
    assert list(found.people["person"]) == ["p0", "p1", "p2", "p3", "p4"]
    assert list(found.markers["chromosome"]) == ["1", "X", "X"]
    assert found.markers["position"].dtype == np.int64


def _truncated(stem):
    bed = stem.with_suffix(".bed")
    bed.write_bytes(bed.read_bytes()[:-1])


def _by_person(stem):
    bed = stem.with_suffix(".bed")
    bed.write_bytes(b"\x6c\x1b\x00" + bed.read_bytes()[3:])


def _swap(kind, *pairs):
    def change(stem):
        file = stem.with_suffix(f".{kind}")
        text = file.read_text()
        for old, new in pairs:
            text = text.replace(old, new)
        file.write_text(text)

    return change


BROKEN = {
    "cut": (_truncated, "bytes expected in .* found"),
    "person after person": (_by_person, "marker after marker .* person after person"),
    "no bed": (lambda stem: stem.with_suffix(".bed").unlink(), "genotypes at .* expected, found none"),
    "other bytes": (lambda stem: stem.with_suffix(".bed").write_bytes(b"PK\x03\x04"), "other bytes at its start"),
    "empty bed": (lambda stem: stem.with_suffix(".bed").write_bytes(b""), "other bytes at its start"),
    "no fam": (lambda stem: stem.with_suffix(".fam").unlink(), "rows of 6 words expected"),
    "empty fam": (lambda stem: stem.with_suffix(".fam").write_text(""), "rows of 6 words expected"),
    "binary bim": (lambda stem: stem.with_suffix(".bim").write_bytes(b"\xff\xfe\x00" * 40), "rows of 6 words expected"),
    "a word missing": (_swap("bim", (" C\n", "\n")), "rows of 6 words expected"),
    "ragged": (_swap("fam", ("f0 p0 0", "f0 p0 0 9")), "rows of 6 words expected"),
    "somebody twice": (_swap("fam", ("f1 p1", "f0 p0")), "found f0 p0 twice"),
    "somebody more": (_swap("fam", ("f0 p0", "f9 p9 0 0 0 -9\nf8 p8 0 0 0 -9\nf0 p0")), "must belong together"),
    "no place": (_swap("bim", ("10000000 ", "here ")), "positions in base pairs"),
    "half a base": (_swap("bim", ("10000000 ", "1.5 ")), "positions in base pairs"),
}


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_refused(tmp_path, change, said):
    stem = write_plink(tmp_path / "c", made_calls(7, 3))
    change(stem)
    with pytest.raises(InputError, match=said) as error:
        open_plink(stem)
    assert len(str(error.value)) < 320 + len(str(tmp_path))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(["bed", "bim", "fam"]), st.integers(0, 10**6), st.binary(max_size=6), st.integers(0, 8))
def test_mutated_files_are_read_or_refused_in_a_sentence(tmp_path_factory, kind, at, given, n_gone):
    stem = write_plink(tmp_path_factory.mktemp("cohort") / "c", made_calls(7, 3))
    file = stem.with_suffix(f".{kind}")
    content = file.read_bytes()
    at %= len(content) + 1
    file.write_bytes(content[:at] + given + content[at + n_gone :])
    with suppress(InputError):  # anything else is a bug
        found = open_plink(stem).read()
        assert set(np.unique(found[np.isfinite(found)])) <= {0, 1, 2}


def test_a_file_cut_while_it_is_open_is_refused(tmp_path):
    stem = write_plink(tmp_path / "c", made_calls(7, 3))
    found = open_plink(stem)
    _truncated(stem)
    with pytest.raises(InputError, match="copy the file again"):
        found.read()


def test_what_is_too_large_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(plink, "MOST_TEXT_BYTES", 10)
    with pytest.raises(InputError, match="at most 10 bytes"):
        open_plink(write_plink(tmp_path / "c", made_calls(7, 3)))


@pytest.mark.data
@pytest.mark.parametrize("name", ["small", "chr11", "plink_sim_10s_100v_10pmiss", "some_missing"])
def test_real_files_are_read_as_others_read_them(genomics_dir, name):
    expected = load_file(genomics_dir / "plink" / "decoded_a1_count.safetensors")[name].astype(np.float32)
    found = open_plink(genomics_dir / "plink" / name).read()
    np.testing.assert_array_equal(np.nan_to_num(found, nan=-127), expected)
