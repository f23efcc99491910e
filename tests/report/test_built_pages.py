"""The built pages are made from the sources that lie beside them."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"
PAGES = {"viewer": "viewer_assets", "report": "page_assets"}


def sources_hash(page):
    """Do what frontend/build.mjs does."""
    own = [f"src/{folder}/{path.name}" for folder in (page, "shared") for path in (FRONTEND / "src" / folder).iterdir()]
    hashed = hashlib.sha256()
    for name in ["build.mjs", "package-lock.json", "package.json", *sorted(own)]:
        hashed.update(f"{name}\n".encode() + (FRONTEND / name).read_bytes())
    return hashed.hexdigest()


@pytest.mark.parametrize("page", PAGES)
def test_nobody_forgot_to_build(page):
    built = files("mclstexp.report").joinpath(PAGES[page], f"{page}.js").read_text("utf-8")
    made_from = re.search(r"Made by frontend/ from (\w{64})", built[:300])
    assert made_from, "run `npm ci && npm run build` in frontend/"
    assert made_from[1] == sources_hash(page), "the sources changed: run `npm ci && npm run build` in frontend/"


@pytest.mark.parametrize("page", PAGES)
def test_the_licence_of_all_that_is_bundled_is_with_it(page):
    text = files("mclstexp.report").joinpath(PAGES[page], "licences.txt").read_text("utf-8")
    built = files("mclstexp.report").joinpath(PAGES[page], f"{page}.js").read_text("utf-8")
    assert ("openseadragon" in text) == ("OpenSeadragon" in built[300:])
    for name in re.findall(r"^(\S+) [\d.]+ .*under this licence:$", text, re.MULTILINE):
        assert re.search(rf'"node_modules/{name}": {{', (FRONTEND / "package-lock.json").read_text())
    assert text.count("under this licence:") == len(
        re.findall(r"THE SOFTWARE IS PROVIDED|THIS SOFTWARE IS PROVIDED|The software is provided", text, re.IGNORECASE)
    )
