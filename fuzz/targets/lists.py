"""What people write by hand or pack: experiments, lists of slides and of genes, archives."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

from fuzz.case import Target
from mclstexp.evaluation.experiment import read_experiment
from mclstexp.evaluation.toml import read_genes
from mclstexp.io.unpack import unpack
from mclstexp.whole_slide.manifest import list_slides

_EXPERIMENT = """
title = "A question"
protocol = "strict"
encoder = "random:test_efficientnet"
seed = 3

[data]
path = "somewhere"
sections = ["A", "B"]
mpp = 0.5
patients = { A = "1", B = "2" }

[tile]
size_px = 32
mpp = 4.0

[folds]
by = "section"

[space]
hvg = 100
target_sum = 10000.0
axis = "spot"

[gene_sets.heg20]
heg = 20

[methods.knn]
k = 5

[methods.mine]
method = "mclstexp"
epochs = 3
view_widths = [1.0, 2.0]
"""


def _make_experiment(folder: Path) -> None:
    (folder / "plain").mkdir()
    (folder / "plain" / "e.toml").write_text(_EXPERIMENT, encoding="utf-8")


def _use_experiment(folder: Path) -> None:
    experiment = read_experiment(folder / "e.toml")
    experiment.make_methods()
    experiment.rules()


def _make_manifest(folder: Path) -> None:
    (folder / "table").mkdir()
    rows = ["slide,name,mpp,mask", "a.svs,first,0.25,a.geojson", "b.svs,second,,", "c.svs,third,0.5,"]
    (folder / "table" / "slides.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for name in ("a.svs", "b.svs", "c.svs", "a.geojson"):
        (folder / "table" / name).write_bytes(b"not looked at")


def _use_manifest(folder: Path) -> None:
    jobs = list_slides(str(folder / "slides.csv"))
    assert len({job.name for job in jobs}) == len(jobs), "two results of one name"


def _make_genes(folder: Path) -> None:
    (folder / "list").mkdir()
    (folder / "list" / "genes.txt").write_text("ACTB\nKRT5 # keratin\n\nCD3E\n", encoding="utf-8")


def _use_genes(folder: Path) -> None:
    genes = read_genes(folder / "genes.txt")
    assert genes, "no gene"
    assert all(gene == gene.strip() for gene in genes), "a name with space around it"


def _make_archives(folder: Path) -> None:
    content = {"set/a.txt": b"a" * 100, "set/sub/b.csv": b"1,2\n" * 50}
    for name in ("zip", "tar"):
        (folder / name).mkdir()
    with zipfile.ZipFile(folder / "zip" / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in content.items():
            archive.writestr(member, data)
    with tarfile.open(folder / "tar" / "set.tar", "w") as archive:
        for member, data in content.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def _use_archive(folder: Path) -> None:
    archive = folder / f"set.{folder.name}"
    inside = folder / "place" / "here"
    unpack(archive, inside / "out")
    outside = {path for path in folder.rglob("*") if inside not in (path, *path.parents)}
    unexpected = {path for path in outside if path != folder / "place" and path.parent != folder}
    assert not unexpected, f"written outside: {sorted(unexpected)[:3]}"
    assert not (folder / "out.txt").exists(), "written outside"
    for path in inside.rglob("*"):
        assert path.resolve().is_relative_to(folder.resolve()), f"leads out: {path.name}"
    shutil.rmtree(inside)


TARGETS = (
    Target("experiment", _make_experiment, _use_experiment),
    Target("manifest", _make_manifest, _use_manifest, files=("slides.csv",)),
    Target("genes", _make_genes, _use_genes),
    Target("archive", _make_archives, _use_archive),
)
