"""Which slides are meant: folders, globs, tables, files; names of their own; parts for job arrays."""

import fsspec
import pytest

from mclstexp.core.errors import InputError
from mclstexp.whole_slide.manifest import SlideJob, list_slides, shard

SERIES = b"\x20\x00\x0e\x00UI\x06\x00"


def touch(folder, *names, content=b""):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(source):
    return [job.name for job in list_slides(str(source))]


def test_a_folder_is_searched_to_its_depths_and_names_say_where(tmp_path):
    touch(tmp_path, "b.svs", "a/one.ome.tif", "a/one.txt", ".hidden.svs", "a/.trash/x.svs", "a/deep/two.NDPI")
    jobs = list_slides(str(tmp_path))
    assert [job.name for job in jobs] == ["a_deep_two", "a_one", "b"]
    expected = ["a/deep/two.NDPI", "a/one.ome.tif", "b.svs"]
    assert [job.source for job in jobs] == [str(tmp_path / name) for name in expected]


def test_companions_and_predictions_are_no_slides(tmp_path):
    touch(tmp_path, "m.mrxs", "m/Data0.dat", "m/preview.jpg", "h/x.vms", "h/x_map2.jpg", "h/x(1,0).jpg")
    touch(tmp_path, "predictions/run.json", "predictions/a.png", "predictions/logs/a.png")
    assert names(tmp_path) == ["h_x", "m"]


def test_a_dicom_series_counts_once(tmp_path):
    touch(tmp_path, "first/1.dcm", "first/2.dcm", content=b"DICM" + SERIES + b"1.2.3\0rest")
    touch(tmp_path, "both/1.dcm", "both/2.dcm", content=b"DICM" + SERIES + b"1.2.4\0rest")
    touch(tmp_path, "both/3.dcm", content=b"DICM" + SERIES + b"1.2.5\0rest")
    jobs = list_slides(str(tmp_path))
    assert [(job.name, job.source[len(str(tmp_path)) :]) for job in jobs] == [
        ("both_1", "/both/1.dcm"),
        ("both_3", "/both/3.dcm"),
        ("first", "/first/1.dcm"),
    ]
    assert names(tmp_path / "first") == ["first"]
    assert names(tmp_path / "first" / "1.dcm") == ["1"]


def test_globs(tmp_path, monkeypatch):
    touch(tmp_path, "s/x1.png", "s/x2.png", "s/y.png", "s/d/x3.png", "s/x.txt")
    assert names(tmp_path / "s/x*") == ["x1", "x2"]
    assert names(tmp_path / "s/**/x*.png") == ["d_x3", "x1", "x2"]
    monkeypatch.chdir(tmp_path / "s")
    assert list_slides("y*") == [SlideJob("y", "y.png")]


def test_urls_as_paths():
    store = fsspec.filesystem("memory")
    for name in ("/store/a/x.svs", "/store/y.mrxs", "/store/y/z.dat", "/store/list.csv"):
        store.pipe_file(name, b"slide,mask\na/x.svs,m.geojson\nmemory://else/w.svs,\n")
    try:
        found = [("a_x", "memory://store/a/x.svs"), ("y", "memory://store/y.mrxs")]
        assert [(job.name, job.source) for job in list_slides("memory://store")] == found
        assert names("memory://store/*.mrxs") == ["y"]
        assert names("memory://store/a/x.svs") == ["x"]
        assert list_slides("memory://store/list.csv") == [
            SlideJob("x", "memory://store/a/x.svs", mask="memory://store/m.geojson"),
            SlideJob("w", "memory://else/w.svs"),
        ]
    finally:
        store.rm("/store", recursive=True)


def test_file_urls_are_paths(tmp_path):
    touch(tmp_path, "a b.svs")
    assert list_slides(f"file://{tmp_path}/a b.svs") == [SlideJob("a b", str(tmp_path / "a b.svs"))]


def test_a_table_gives_names_scales_and_masks(tmp_path):
    (tmp_path / "list.csv").write_bytes(
        "\ufeffslide;name;mpp;mask\nx/1.svs;first;0.25;m/1.geojson\n/data/1.svs;;;\n".encode()
    )
    assert list_slides(str(tmp_path / "list.csv")) == [
        SlideJob("first", str(tmp_path / "x/1.svs"), 0.25, str(tmp_path / "m/1.geojson")),
        SlideJob("1", "/data/1.svs"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "column": ("slide,msak\nx.svs,y\n", r"found 'msak': did you mean 'mask'\?$"),
        "no slides": ("name,mpp\nx,1\n", "a column slide expected, found name, mpp"),
        "mpp": ("slide,mpp\nx.svs,1\ny.svs,fine\n", "line 3: mpp must be a positive number .* found 'fine'"),
        "empty": ("", "a table of slides .* expected at .* found another file"),
        "binary": (b"\xff\xfe\x00", "a table of slides .* expected at .* found another file"),
        "a gap": ("slide,mpp\n,1\n", "line 2: a slide expected, found an empty cell"),
        "a path as name": ("slide,name\nx.svs,a/b\n", "line 2: a name that can be a file's expected, found 'a/b'"),
        "no line": ("slide\n", r"slides \(.png, .* expected in .*list.csv, found none"),
        "twice": ("slide\na/x.svs\nb/x.svs\n", "found 'x' for .*a/x.svs and .*b/x.svs: give a table"),
    }.values(),
)
def test_a_table_that_cannot_be_used_is_one_sentence(tmp_path, text, said):
    (tmp_path / "list.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError, match=said):
        list_slides(str(tmp_path / "list.csv"))


@pytest.mark.parametrize("source", ["nothing", "nothing.csv", "*.svs", "nothing.svs"])
def test_nothing_is_said(tmp_path, source):
    with pytest.raises(InputError, match=r"expected .*found (nothing|none|no such file)"):
        list_slides(str(tmp_path / source))


def test_clashing_names_in_a_folder(tmp_path):
    touch(tmp_path, "a/x.svs", "a_x.tif")
    with pytest.raises(InputError, match=r"found 'a_x' for .*a/x.svs and .*a_x.tif"):
        list_slides(str(tmp_path))


def test_an_absent_library_is_named(monkeypatch):
    with pytest.raises(InputError, match=r"a URL such as s3://, gs:// or file:// expected, found nosuch://a"):
        list_slides("nosuch://a")

    def absent(*_, **__):
        raise ImportError("Install it")

    monkeypatch.setattr("fsspec.core.url_to_fs", absent)
    with pytest.raises(InputError, match=r"library that reaches gs:// .*: pip install 'mclstexp\[gcs\]'$"):
        list_slides("gs://bucket/slides")
    with pytest.raises(InputError, match=r"library that reaches abfs:// expected .*, found none: Install it$"):
        list_slides("abfs://bucket/slides")


def test_parts_are_disjoint_and_make_up_the_whole():
    jobs = [SlideJob(str(i), f"{i}.svs") for i in range(10)]
    parts = [shard(jobs, f"{i}/4") for i in range(1, 5)]
    assert [len(part) for part in parts] == [3, 3, 2, 2]
    assert sorted((job for part in parts for job in part), key=lambda job: int(job.name)) == jobs
    assert shard(jobs, "12/12") == []


@pytest.mark.parametrize("part", ["0/4", "5/4", "1", "a/b", "1/0", "-1/4", ""])
def test_bad_parts_are_one_sentence(part):
    with pytest.raises(InputError, match=r"written i/n, i from 1 to n \(in SLURM --array=1-n\), expected, found"):
        shard([], part)


def test_slides_of_formats_that_nobody_reads_are_named(tmp_path):
    touch(tmp_path, "a.svs", "b.vsi", "c/d.CZI", "notes.txt")
    with pytest.warns(UserWarning, match=r"2 slides in a format that is not read are left out \(b\.vsi, c/d\.CZI\)"):
        assert names(tmp_path) == ["a"]
