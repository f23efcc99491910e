import gzip

import numpy as np
import pytest

import st_files as files
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.legacy_st import CSCC_ARRAY, looks_like_cscc, looks_like_her2st, read_cscc, read_her2st
from mclstexp.io.tables import read_st_counts

SPEC = TileSpec(size_px=8, mpp=files.MPP)


@pytest.mark.parametrize("ending", [".tsv", ".tsv.gz"])
def test_her2st_joins_by_the_counts_and_finds_the_scale(tmp_path, ending):
    root = files.write_her2st(tmp_path, images=("A1", "A2", "B1"), ending=ending)
    sections = read_her2st(root, spec=SPEC)
    assert [(s.id, s.patient, len(s)) for s in sections] == [("A1", "A", 20), ("A2", "A", 20), ("B1", "B", 20)]
    first = sections[0]
    assert first.genes == files.GENES
    table = files.spots()[:-1]
    assert first.tiles.ids.tolist() == files.ids(table)
    assert first.tiles.xy == pytest.approx(table[["pixel_x", "pixel_y"]].to_numpy())
    assert first.tiles.array_xy.tolist() == table[["x", "y"]].to_numpy().tolist()
    assert first.counts.X[:, 0].toarray().ravel().tolist() == list(range(20))
    assert first.tiles.slide.mpp == pytest.approx(files.MPP, rel=1e-3)
    assert first.counts.uns == {"pitch_um": 200.0, "spot_diameter_um": 100.0}
    assert first.tiles.spec == SPEC
    assert read_her2st(root / "data", sections=["B1"], mpp=9.8)[0].tiles.slide.mpp == 9.8


def test_her2st_labels_are_rounded_to_their_spots(tmp_path):
    labelled, plain = read_her2st(files.write_her2st(tmp_path), sections=["A1", "B1"])
    labels = labelled.counts.obs["label"]
    # row 5 of the table has no coordinates: its spot stays without a label
    assert labels["2x3"] == "invasive cancer"
    assert labels["3x3"] == "adipose tissue"
    assert labels.isna().tolist() == [i == 5 for i in range(20)]
    assert "label" not in plain.counts.obs


def test_her2st_sections_without_an_image_are_said_and_left_out(tmp_path):
    root = files.write_her2st(tmp_path)
    with pytest.warns(UserWarning, match=r"^sections without an image are left out \(1\): A2$"):
        assert [s.id for s in read_her2st(root)] == ["A1", "B1"]
    with pytest.raises(InputError, match=r"section A2 \(.*ST-imgs/A/A2\): one image expected, found none: fetch it"):
        read_her2st(root, sections=["A2"])
    with pytest.raises(InputError, match=r"found no 'C9' among A1, A2, B1: choose sections="):
        read_her2st(root, sections=["C9"])
    bare = files.write_her2st(tmp_path / "bare", images=())
    with pytest.raises(InputError, match=r"images expected in .*ST-imgs/<patient>/<section>, found none"):
        read_her2st(bare)


def test_spots_deselected_by_hand_and_ids_with_fractions(tmp_path):
    root = files.write_her2st(tmp_path, names=("A1",))
    files.change(root / "data/ST-spotfiles/A1_selection.tsv", lambda t: t.assign(selected=["0"] + ["1"] * 20))
    assert len(read_her2st(root)[0]) == 20  # the one without counts
    files.change(root / "data/ST-spotfiles/A1_selection.tsv", lambda t: t.assign(selected=["0"] * 2 + ["1"] * 19))
    files.change(
        root / "data/ST-cnts/A1.tsv.gz",
        lambda t: t.set_axis(["", *t.columns[1:]], axis=1).assign(**{"": t.iloc[:, 0].str.replace("x", ".01x")}),
    )
    with pytest.warns(UserWarning, match=r"A1: 1 of 20 spots with counts have no place \(first '3x9'\): left out"):
        section = read_her2st(root)[0]
    assert section.tiles.ids[0] == "2x3"
    assert len(section) == 19


@pytest.mark.parametrize("ending", [".tsv", ".tsv.gz"])
@pytest.mark.filterwarnings("ignore:.*1 of 22 spots with counts have no place")
def test_cscc_keeps_names_that_end_alike_apart(tmp_path, ending):
    folder = files.write_cscc(tmp_path / "cscc", ending=ending)
    sections = read_cscc(folder, spec=SPEC)
    assert [(s.id, s.patient, len(s)) for s in sections] == [("P12_ST_rep1", "P12", 21), ("P2_ST_rep1", "P2", 21)]
    assert sections[1].tiles.slide.path.name == "GSM4284316_P2_ST_rep1.jpg"
    assert sections[0].tiles.slide.mpp == pytest.approx(CSCC_ARRAY.pitch_um / files.PITCH_PX, rel=1e-3)
    assert sections[0].counts.uns == {"pitch_um": 150.0, "spot_diameter_um": 110.0}
    assert [s.id for s in read_cscc(folder, sections=["P2_ST_rep1"])] == ["P2_ST_rep1"]


def test_cscc_packed_or_lost_images_are_said(tmp_path):
    folder = files.write_cscc(tmp_path / "cscc")
    image = folder / "GSM4284316_P2_ST_rep1.jpg"
    files.pack(image)
    image.unlink()
    with pytest.raises(InputError, match=r"image of section P2_ST_rep1 expected in .*, found it packed .*: unpack it"):
        read_cscc(folder, sections=["P2_ST_rep1"])
    (folder / "GSM4284316_P2_ST_rep1.jpg.gz").unlink()
    with pytest.raises(
        InputError, match=r"image of section P2_ST_rep1 \(P2_ST_rep1.jpg\) expected in .*, found none: fetch it"
    ):
        read_cscc(folder, sections=["P2_ST_rep1"])


def test_looks(tmp_path):
    her2st, cscc = files.write_her2st(tmp_path / "her2st"), files.write_cscc(tmp_path / "cscc")
    assert [looks_like_her2st(p) for p in (her2st, her2st / "data", cscc, tmp_path)] == [True, True, False, False]
    assert [looks_like_cscc(p) for p in (her2st, cscc, tmp_path, tmp_path / "lost")] == [False, True, False, False]


def _both(root):
    (root / "ST-cnts/A1.tsv").write_text("\tG\n2x3\t1\n")


def _write_counts(root, text):
    with gzip.open(root / "ST-cnts/A1.tsv.gz", "wt") as file:
        file.write(text)


def _edit_counts(edit):
    return lambda root: files.change(root / "ST-cnts/A1.tsv.gz", edit)


def _edit_spots(edit):
    return lambda root: files.change(root / "ST-spotfiles/A1_selection.tsv", edit)


BREAKAGES = {
    "plain and packed": (
        _both,
        r"counts of section A1 expected once in .*, found both A1.tsv and A1.tsv.gz: remove one",
    ),
    "no spots": (lambda r: (r / "ST-spotfiles/A1_selection.tsv").unlink(), r"spot positions of section A1 expected in"),
    "cut gzip": (lambda r: files.cut(r / "ST-cnts/A1.tsv.gz"), r"a table of counts .* expected in .*A1.tsv.gz, found"),
    "cut jpeg": (
        lambda r: files.cut(r / "ST-imgs/A/A1/BT_A1_HE.jpg", 0.8),
        r"BT_A1_HE.jpg: a whole image expected, found it damaged or cut short",
    ),
    "two images": (
        lambda r: (r / "ST-imgs/A/A1/more.png").touch(),
        r"section A1 .* one image expected, found 2 \(BT_A1_HE.jpg, more.png\): remove the others",
    ),
    "empty counts": (_edit_counts(lambda t: t[:0]), r"rows of counts expected in .*A1.tsv.gz, found none"),
    "other spots": (
        _edit_counts(lambda t: t.assign(**{t.columns[0]: [f"a{i}" for i in range(len(t))]})),
        r"A1: counts and places must name the same spots, found 0 of 20 in both \(counts have e.g. 'a0', .*one section",
    ),
    "genes by spots": (
        _edit_counts(lambda t: t.set_index(t.columns[0]).T.reset_index()),
        r"found 0 of 4 in both .* the counts are genes by spots: transpose them",
    ),
    "twice a spot": (
        _edit_counts(lambda t: t.assign(**{t.columns[0]: t.iloc[0, 0]})),
        r"each spot once expected in .*A1.tsv.gz, found spot '2x3' more than once",
    ),
    "twice a gene": (
        _edit_counts(lambda t: t.rename(columns={"FASN": "GNAS"})),
        r"each gene once expected in .*A1.tsv.gz, found gene 'GNAS' more than once",
    ),
    "negative": (
        _edit_counts(lambda t: t.assign(GNAS="-1")),
        r"A1.tsv.gz: raw integer counts .* negative value \(-1\)",
    ),
    "fraction": (_edit_counts(lambda t: t.assign(GNAS="0.5")), r"A1.tsv.gz: raw integer counts .* fractional value"),
    "nan": (_edit_counts(lambda t: t.assign(GNAS="nan")), r"A1.tsv.gz: raw integer counts .* not finite"),
    "text": (_edit_counts(lambda t: t.assign(GNAS="many")), r"could not convert string 'many' to float64 at row 0"),
    "uneven rows": (
        lambda r: _write_counts(r, "\tA\tB\n2x3\t1\t2\n3x3\t1\n"),
        r"a table of counts .* \(the number of columns changed from 2 to 1 at row 2.*\): fetch it again",
    ),
    "another header": (
        lambda r: _write_counts(r, "spot\tname\tA\tB\n2x3\t1\t2\n"),
        r"a gene's name over each column of .*A1.tsv.gz expected, found 4 names over 2: check it",
    ),
    "no column": (
        _edit_spots(lambda t: t.drop(columns="pixel_x")),
        r"a column 'pixel_x' expected in .*A1_selection.tsv, found x, y, new_x",
    ),
    "text in spots": (
        _edit_spots(lambda t: t.assign(pixel_y="far")),
        r"numbers expected in column 'pixel_y' of .*A1_selection.tsv, found 'far'",
    ),
    "a place twice": (
        _edit_spots(lambda t: t.assign(x="2", y="3")),
        r"each spot once expected in .*A1_selection.tsv, found '2x3' more than once",
    ),
    "empty place": (
        _edit_spots(lambda t: t.assign(pixel_y=[""] + ["1"] * 20)),
        r"coordinates of every spot expected in .*A1_selection.tsv, found none for 1 of 21 \(first '4x9'\)",
    ),
    "few spots": (
        lambda r: (_edit_spots(lambda t: t[-2:])(r), _edit_counts(lambda t: t[:2])(r)),
        r"A1: mpp unknown .* give mpp=",
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_broken_her2st_is_refused_in_one_sentence(tmp_path, name):
    root = files.write_her2st(tmp_path, names=("A1",))
    breaks, message = BREAKAGES[name]
    breaks(root / "data")
    with pytest.raises(InputError, match=message) as error:
        read_her2st(root)[0].tiles.read(0)
    assert "\n" not in str(error.value)


def test_counts_with_and_without_a_first_cell_and_from_spreadsheets(tmp_path):
    path = tmp_path / "counts.tsv"
    for text in (
        "\tA\tB\r\ns1\t1\t0\r\ns2\t3\t4\r\n\r\n",
        'A\tB\n"s1"\t1\t0\n"s2"\t3\t4',
        '\ufeff\t"A"\t"B"\ns1\t1\t0\ns2\t3\t4',
    ):
        path.write_text(text, encoding="utf-8", newline="")
        counts = read_st_counts(path)
        assert (counts.obs_names.tolist(), counts.var_names.tolist()) == (["s1", "s2"], ["A", "B"])
        assert np.array_equal(counts.X.toarray(), [[1, 0], [3, 4]])


@pytest.mark.parametrize("row", ["s3", "s3\t", "s3\t\t"])
def test_a_spot_without_a_count_behind_it_is_named(tmp_path, row):
    path = tmp_path / "counts.tsv"
    path.write_text(f"A\tB\ns1\t1\t0\n{row}\ns2\t3\t4\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"counts expected behind every spot of .*, found none behind 's3': fetch it"):
        read_st_counts(path)


@pytest.mark.data
@pytest.mark.slow
def test_her2st_as_published(data_dir):
    root = data_dir / "her2st" / "data"
    counted = {path.name.split(".")[0] for path in (root / "ST-cnts").iterdir()}
    n_without = len(counted - {path.name for path in (root / "ST-imgs").glob("*/*")})
    with pytest.warns(UserWarning, match=rf"^sections without an image are left out \({n_without}\): A1, .*, H3$"):
        sections = read_her2st(data_dir / "her2st")
    sizes = {s.id: (len(s), len(s.genes)) for s in sections if s.patient == "C"}
    assert sizes == {"C2": (187, 15706), "C3": (180, 15821), "C4": (184, 15842), "C5": (181, 15721), "C6": (178, 15772)}
    for section in sections:
        assert section.tiles.slide.mpp == pytest.approx(0.690, rel=5e-3)
        assert section.patient == section.id[0]


@pytest.mark.data
def test_counts_of_a_section_without_an_image(data_dir):
    counts = read_st_counts(data_dir / "her2st" / "data" / "ST-cnts" / "A1.tsv.gz")
    assert counts.shape == (346, 15045)
    assert counts.X[:, counts.var_names.get_loc("FASN")].sum() > 0
