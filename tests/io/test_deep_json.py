"""JSON that is nested without end is as good as none, wherever what is damaged is as good as none."""

import pytest

from mclstexp.core.options import options_from_text
from mclstexp.evaluation.results import RECORD, is_same
from mclstexp.io.h5ad import looks_like_h5ad
from mclstexp.io.working import working_folder
from mclstexp.methods import method_class
from mclstexp.whole_slide.places import Place
from mclstexp.whole_slide.records import read_record

DEEP = "[" * 100_000


def test_a_record_of_a_slide(tmp_path):
    (tmp_path / "a.json").write_text(DEEP)
    assert read_record(Place(str(tmp_path / "a.json"))) is None


def test_the_record_of_an_evaluation(tmp_path):
    (tmp_path / RECORD).write_text(DEEP)
    assert not is_same(tmp_path, {"title": "t"})


def test_what_a_zarr_store_says_of_itself(tmp_path):
    for name in (".zattrs", "zarr.json"):
        (tmp_path / name).write_text(DEEP)
    assert not looks_like_h5ad(tmp_path)


def test_the_owner_of_a_working_folder(tmp_path):
    folder = tmp_path / ".run.partial"
    with working_folder(folder, doing="a fit"):
        pass
    folder.mkdir(exist_ok=True)
    (folder / "owner.json").write_text(DEEP)
    with working_folder(folder, doing="a fit"):
        assert "[[" not in (folder / "owner.json").read_text()


@pytest.mark.parametrize("text", [DEEP, "[" * 100_000 + "]" * 100_000])
def test_an_option_that_is_typed(text):
    assert options_from_text(method_class("knn"), [f"encoder={text}"], where="method knn") == {"encoder": text}
