import pytest

import st_files as files
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.st_folder import looks_like_st_folder, read_st_folder
from mclstexp.io.st_section import SpotArray

SPEC = TileSpec(size_px=8, mpp=files.MPP)


@pytest.mark.parametrize(("ending", "image"), [(".tsv", "HE.jpg"), (".tsv.gz", "HE.png"), (".tsv", "slide.tif")])
def test_a_plain_folder(tmp_path, ending, image):
    section = read_st_folder(files.write_st_folder(tmp_path / "rep01", ending=ending, image=image), spec=SPEC)
    table = files.spots()
    assert (section.id, section.patient, len(section), section.genes) == ("rep01", None, 21, files.GENES)
    assert section.tiles.ids[0] == f"{table['new_x'][0]}x{table['new_y'][0]}"
    assert section.tiles.xy == pytest.approx(table[["pixel_x", "pixel_y"]].to_numpy())
    assert section.tiles.array_xy.tolist() == table[["x", "y"]].to_numpy().tolist()
    assert section.counts.X[:, 0].toarray().ravel().tolist() == list(range(21))
    assert section.tiles.slide.mpp == pytest.approx(files.MPP, rel=1e-3)


def test_labels_under_either_name_and_without(tmp_path):
    for name in ("layer", "label", None):
        section = read_st_folder(files.write_st_folder(tmp_path / str(name), label=name))
        if name is None:
            assert "label" not in section.counts.obs
        else:
            labels = section.counts.obs["label"]
            assert labels.iloc[[0, 20]].tolist() == ["Granular Cell Layer", "Mitral Cell Layer"]
            assert labels.isna().tolist() == [i == 10 for i in range(21)]


def test_another_array_another_patient(tmp_path):
    folder = files.write_st_folder(tmp_path / "a")
    section = read_st_folder(folder, array=SpotArray(pitch_um=100, spot_um=50), patient="mouse 1", id="left")
    assert (section.id, section.patient) == ("left", "mouse 1")
    assert section.tiles.slide.mpp == pytest.approx(files.MPP / 2, rel=1e-3)
    assert section.counts.uns == {"pitch_um": 100, "spot_diameter_um": 50}
    assert read_st_folder(folder, mpp=10.1).tiles.slide.mpp == 10.1


def test_looks_like_st_folder(tmp_path):
    folder = files.write_st_folder(tmp_path / "a", ending=".tsv.gz")
    assert looks_like_st_folder(folder)
    assert not looks_like_st_folder(tmp_path)
    (folder / "spots.tsv").unlink()
    assert not looks_like_st_folder(folder)


BREAKAGES = {
    "no image": (lambda f: (f / "HE.jpg").unlink(), r"section a \(.*\): one image expected, found none: fetch it"),
    "no counts": (lambda f: (f / "counts.tsv").unlink(), r"counts .* expected in .*, found neither counts.tsv nor"),
    "no spot names": (
        lambda f: files.change(f / "spots.tsv", lambda t: t.drop(columns="spot")),
        r"a column 'spot' expected in .*spots.tsv, found array_x, array_y, pixel_x, pixel_y, layer: name the spots",
    ),
    "no spots": (
        lambda f: files.change(f / "spots.tsv", lambda t: t[:0]),
        r"at least one spot expected in .*spots.tsv",
    ),
    "no array": (
        lambda f: files.change(f / "spots.tsv", lambda t: t.assign(array_x="1")),
        r"a: mpp unknown .* give mpp=",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_broken_folders_are_refused_in_one_sentence(tmp_path, name):
    folder = files.write_st_folder(tmp_path / "a")
    breaks, message = BREAKAGES[name]
    breaks(folder)
    with pytest.raises(InputError, match=message) as error:
        read_st_folder(folder)
    assert "\n" not in str(error.value)


def test_an_absent_folder(tmp_path):
    with pytest.raises(InputError, match=r"a folder with HE.jpg, counts.tsv and spots.tsv expected at"):
        read_st_folder(tmp_path / "nowhere")


@pytest.mark.data
@pytest.mark.slow
def test_olfactory_bulb(data_dir):
    sizes, layers = {}, set()
    for name in ("rep01", "rep02", "rep04"):
        section = read_st_folder(data_dir / "mob_st" / name, patient="mouse 1")
        sizes[name] = len(section)
        layers |= set(section.counts.obs["label"].dropna())
        assert section.tiles.slide.mpp == pytest.approx(2.757, rel=5e-3)
    assert sizes == {"rep01": 267, "rep02": 280, "rep04": 264}
    assert layers == {
        "Glomerular layer",
        "Granular Cell Layer",
        "Mitral Cell Layer",
        "Olfactory nerve layer",
        "Outer Plexiform Layer",
    }


def test_a_link_carries_its_own_name_and_other_separators_are_told(tmp_path):
    folder = files.write_st_folder(tmp_path / "run_17")
    (tmp_path / "rep01").symlink_to(folder)
    assert read_st_folder(tmp_path / "rep01").id == "rep01"
    for name, mark, found in (("counts.tsv", ",", "commas"), ("spots.tsv", ";", "semicolons")):
        table = (folder / name).read_text()
        (folder / name).write_text(table.replace("\t", mark))
        with pytest.raises(InputError, match=rf"{name}, found columns separated by {found}: save it with tabs"):
            read_st_folder(folder)
        (folder / name).write_text(table)
