import anndata as ad
import numpy as np
import pytest
from PIL import Image

import st_files as files
import tenx_files
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.read import READERS, read_sections

SPEC = TileSpec(size_px=8, mpp=files.MPP)


def _coloured_outs(root):
    """A Visium folder whose image is tissue all over, as its tiny picture is grey."""
    outs = tenx_files.write_outs(root, image=None)
    Image.new("RGB", (440, 340), (180, 90, 160)).save(outs / "image.png")
    return outs


def _write_h5ad(path, section):
    adata = ad.AnnData(section.counts.X, obs=section.counts.obs[[]], var=section.counts.var)
    adata.obsm["spatial"], adata.uns["mpp"] = np.asarray(section.tiles.xy), files.MPP
    path.parent.mkdir(parents=True, exist_ok=True)
    adata.write_h5ad(path)
    files.picture().save(path.with_name(f"{path.stem}_HE.png"))


def test_each_format_is_recognised(tmp_path):
    folder = files.write_st_folder(tmp_path / "plain" / "rep01")
    _write_h5ad(tmp_path / "h5ad" / "s1.h5ad", read_sections(folder)[0])
    files.write_her2st(tmp_path / "her2st", images=("A1", "A2", "B1"))
    _coloured_outs(tmp_path / "visium")
    _write_h5ad(tmp_path / "hest" / "st" / "T1.h5ad", read_sections(folder)[0])
    (tmp_path / "hest" / "wsis").mkdir()
    files.picture().save(tmp_path / "hest" / "wsis" / "T1.tif")
    for path, ids in {
        "plain/rep01": ["rep01"],
        "plain": ["rep01"],
        "h5ad/s1.h5ad": ["s1"],
        "h5ad": ["s1"],
        "her2st": ["A1", "A2", "B1"],
        "hest": ["T1"],
        "visium": ["visium"],
        "visium/outs": ["visium"],
    }.items():
        sections = read_sections(tmp_path / path, spec=SPEC)
        assert [s.id for s in sections] == ids
        assert {s.tiles.spec for s in sections} == {SPEC}


@pytest.mark.filterwarnings("ignore:.*1 of 22 spots with counts have no place")
def test_cscc_is_recognised_and_chosen_from(tmp_path):
    files.write_cscc(tmp_path)
    assert [s.id for s in read_sections(tmp_path, sections=["P2_ST_rep1"])] == ["P2_ST_rep1"]


def test_no_format_shadows_another(tmp_path):
    files.write_st_folder(tmp_path / "st_folder")
    files.write_her2st(tmp_path / "her2st")
    files.write_cscc(tmp_path / "cscc")
    tenx_files.write_outs(tmp_path / "visium")
    for path in tmp_path.iterdir():
        assert [name for name, form in READERS.items() if form.looks_like(path)] == [path.name]


def test_a_folder_of_several_and_a_choice_among_them(tmp_path):
    for name in ("rep01", "rep02", "rep04"):
        files.write_st_folder(tmp_path / name)
    _coloured_outs(tmp_path / "visium")
    (tmp_path / "notes.txt").touch()
    assert [s.id for s in read_sections(tmp_path)] == ["rep01", "rep02", "rep04", "visium"]
    # what was not asked for is not even opened
    files.cut(tmp_path / "rep02" / "counts.tsv")
    chosen = read_sections(tmp_path, sections=["rep04", "rep01"], patients={"rep01": "m", "rep04": "m"})
    assert [(s.id, s.patient) for s in chosen] == [("rep04", "m"), ("rep01", "m")]
    assert [s.id for s in read_sections(tmp_path, format="visium")] == ["visium"]


def test_a_choice_among_formats_of_one_and_of_many_sections(tmp_path):
    files.write_st_folder(tmp_path / "rep01")
    files.write_her2st(tmp_path / "breast", images=("A1", "A2", "B1"))
    assert [s.id for s in read_sections(tmp_path, sections=["B1", "rep01"])] == ["B1", "rep01"]
    with pytest.raises(InputError, match=r"found no 'C1' among A1, A2, B1, rep01: choose"):
        read_sections(tmp_path, sections=["rep01", "C1"])


def test_what_is_asked_for_must_be_there(tmp_path):
    files.write_st_folder(tmp_path / "a")
    files.write_st_folder(tmp_path / "b")
    for options, message in (
        ({"sections": ["c"]}, r"found no 'c' among a, b: choose sections= from these"),
        ({"sections": ["a", "a"]}, r"section names must be unique, found 'a' 2 times"),
        ({"patients": {"c": "p"}}, r"patients of sections that are read expected, found 'c' which is none of a, b"),
        ({"format": "st_foldr"}, r"a format among visium_hd, .* expected, found 'st_foldr': st_folder\?"),
        ({"format": "visium"}, r"tissue positions expected in"),
        ({"image": "HE.png"}, r"one section expected at .* with image=, found 2: leave it out"),
    ):
        with pytest.raises(InputError, match=message):
            read_sections(tmp_path, **options)
    with pytest.raises(InputError, match=r"with image=, found st_folder: leave it out"):
        read_sections(tmp_path / "a", image="HE.png")
    with pytest.raises(InputError, match=r"a file or folder with sections expected at .*, found nothing"):
        read_sections(tmp_path / "nowhere")


def test_two_sections_of_one_name(tmp_path):
    section = read_sections(files.write_st_folder(tmp_path / "s1"))[0]
    _write_h5ad(tmp_path / "s1.h5ad", section)
    with pytest.raises(InputError, match=r"section names must be unique, found 's1' 2 times: rename one"):
        read_sections(tmp_path)
    with pytest.raises(InputError, match=r"found 's1' 2 times"):
        read_sections(tmp_path, sections=["s1"])


def test_unknown_formats_are_listed_with_what_is_there(tmp_path):
    with pytest.raises(
        InputError, match=r"known format \(visium_hd, visium_cells, xenium, .*, st_folder\).*, found an empty folder"
    ):
        read_sections(tmp_path)
    (tmp_path / "notes.txt").touch()
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match=r", found notes.txt: check the path, or give format="):
            read_sections(path)


def test_an_image_named_apart(tmp_path):
    _write_h5ad(tmp_path / "s1.h5ad", read_sections(files.write_st_folder(tmp_path / "other" / "s1"))[0])
    image = tmp_path / "other" / "s1" / "HE.jpg"
    (section,) = read_sections(tmp_path / "s1.h5ad", image=image)
    assert section.tiles.slide.path == image


def test_swapped_places_are_refused_while_reading(tmp_path):
    folder = files.write_st_folder(tmp_path / "s1")
    files.change(folder / "spots.tsv", lambda t: t.rename(columns={"pixel_x": "pixel_y", "pixel_y": "pixel_x"}))
    with pytest.raises(InputError, match=r"s1: spots on tissue expected, .* 100% if x and y are swapped"):
        read_sections(folder)


@pytest.mark.data
@pytest.mark.slow
def test_real_folders(data_dir):
    mob = read_sections(data_dir / "mob_st", patients={"rep01": "m", "rep02": "m"}, sections=["rep02", "rep01"])
    assert [(s.id, s.patient, len(s)) for s in mob] == [("rep02", "m", 280), ("rep01", "m", 267)]
    (colon,) = read_sections(data_dir / "mouse_colon_visium")
    assert (colon.id, len(colon)) == ("section1", 2604)
    assert colon.tiles.slide.mpp == pytest.approx(0.9707, rel=1e-3)
    assert [s.id for s in read_sections(data_dir / "her2st", sections=["C3"])] == ["C3"]
