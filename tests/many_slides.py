"""A saved model and a few small slides on disk, for tests of many slides."""

from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
from numpy.testing import assert_array_equal
from PIL import Image

from mclstexp.io.models import save_model
from mclstexp.methods import create
from mclstexp.whole_slide.batch import Batch, read_model
from mclstexp.whole_slide.manifest import list_slides
from mclstexp.whole_slide.one import predict_slide_file
from mclstexp.whole_slide.settings import SlideSettings
from small_methods import ENCODER, small_sections

SETTINGS = SlideSettings(mpp=4.0, stride_um=64.0)


@dataclass(frozen=True)
class Lab:
    """A folder with ``run`` (a model) and ``slides`` (a.png, b.png, …)."""

    folder: Path

    def slide(self, name: str) -> Path:
        return self.folder / "slides" / name

    def batch(self, out="out", **given) -> Batch:
        given = {"jobs": list_slides(str(self.folder / "slides")), "settings": SETTINGS, **given}
        out = out if "://" in out else str(self.folder / out)
        return Batch(str(self.folder / "run"), out, predict="told_slides:predict", **given)

    def expected(self) -> dict[str, ad.AnnData]:
        """Each slide predicted alone, in this process."""
        model, found = read_model(self.folder / "run"), {}
        for job in list_slides(str(self.folder / "slides")):
            out = self.folder / "alone" / f"{job.name}.h5ad"
            predict_slide_file(model, job.source, out=out, settings=SETTINGS)
            found[job.name] = ad.read_h5ad(out)
        return found


def make_lab(folder: Path, names: str = "abc") -> Lab:
    sections = small_sections(len(names))
    save_model(create("ridge", encoder=ENCODER, n_components=4).fit(sections), folder / "run")
    (folder / "slides").mkdir()
    for name, section in zip(names, sections, strict=True):
        pixels = section.tiles.slide.thumbnail(10_000)
        Image.fromarray(pixels).save(folder / "slides" / f"{name}.png")
    return Lab(folder)


def assert_same(found: Path, expected: ad.AnnData) -> None:
    result = ad.read_h5ad(found)
    assert list(result.obs_names) == list(expected.obs_names)
    assert_array_equal(np.asarray(result.X), np.asarray(expected.X))
    assert_array_equal(result.obsm["spatial"], expected.obsm["spatial"])
