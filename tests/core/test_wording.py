"""Messages: one line, short, and nothing in them that the eye would miss."""

import json
import pickle

import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.wording import SENTENCE, sentence, shown, visible, without_marks, without_places


def test_a_message_keeps_what_was_expected_and_what_to_do():
    said = str(InputError(f"a number expected in x.csv, found {'9' * 5000}: check the file"))
    assert len(said) <= SENTENCE
    assert said.startswith("a number expected in x.csv, found 999")
    assert said.endswith("9: check the file")
    assert sentence(said) == said, "shown twice as once"


def test_a_long_message_loses_folders_before_words():
    said = sentence(f"a table expected in /home/{'deep/' * 50}run/x.csv, found text: check it")
    assert said == "a table expected in …/run/x.csv, found text: check it"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines", "two\\nlines"),
        ("\udcff", "\\udcff"),
        ("Gewebe µm 10\u00a0µm 組織", "Gewebe µm 10\u00a0µm 組織"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text, seen):
    assert visible(text) == seen
    assert visible(seen) == seen


def test_a_message_is_one_line_without_marks_that_turn_it():
    said = str(InputError("a name expected,\n found\t'\u2066evil\u202e':  check it"))
    assert said == "a name expected, found '\\u2066evil\\u202e': check it"
    assert str(pickle.loads(pickle.dumps(InputError(said)))) == said, "a worker's message arrives"


def test_a_value_is_quoted_short():
    class Broken:
        def __repr__(self):
            raise RuntimeError

    assert shown("x") == "'x'"
    assert len(shown(list(range(10_000)))) <= 80
    assert len(shown("y" * 10**7)) <= 80
    assert shown(Broken()) == "a Broken"


@pytest.mark.parametrize(
    ("text", "mailed"),
    [
        ("/home/ada/data/x.h5ad", "…/x.h5ad"),
        ("vit_small@/home/ada/weights.safetensors: check it", "vit_small@…/weights.safetensors: check it"),
        ("an image expected at /mnt/Ada's disk/s 1/x.png, found none", "/x.png, found none"),
        (r"found C:\Users\Ada\x.csv", "found …/x.csv"),
        ("~/data/x.csv", "…/x.csv"),
        ("https://arxiv.org/abs/1, µm/px, n/a, 1/2", "https://arxiv.org/abs/1, µm/px, n/a, 1/2"),
        ("runs/a/model", "runs/a/model"),
    ],
)
def test_no_place_of_the_makers_machine_is_mailed(text, mailed):
    assert mailed in without_places(text)
    assert "ada" not in without_places(text).lower()


def test_marks_are_written_out_in_pages_and_in_json():
    name = "BRCA\u202e1\u200b"
    assert without_marks(f"{name}\n\t") == "BRCA\\u202e1\\u200b\n\t"
    assert json.loads(without_marks(json.dumps(name, ensure_ascii=False), escape="\\\\u")) == "BRCA\\u202e1\\u200b"
