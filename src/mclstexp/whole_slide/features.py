"""Features of every tile of whole slides, a file for each: what models of patients look at."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from safetensors.numpy import save_file

from mclstexp.core import identity
from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.core.tiles import TileSpec
from mclstexp.io.atomic import atomic_path
from mclstexp.io.seal import is_sealed, seal
from mclstexp.io.slides import open_slide
from mclstexp.io.targets import require_writable
from mclstexp.io.writing import is_of_writing
from mclstexp.sight.embed import embed_tiles, frozen_encoder
from mclstexp.whole_slide.grid import lay_grid
from mclstexp.whole_slide.manifest import SlideJob, list_slides
from mclstexp.whole_slide.places import Place
from mclstexp.whole_slide.records import slide_key
from mclstexp.whole_slide.remote import at_hand
from mclstexp.whole_slide.result import which
from mclstexp.whole_slide.settings import SlideSettings

_ENDING: Final = ".safetensors"
OnSlide = Callable[[str, str], None]
"""Called with a slide's name and what became of it: "done", "there already", or why it failed."""


@dataclass(frozen=True)
class Embedding:
    """How slides are embedded."""

    encoder: str
    """Frozen image encoder."""
    spec: TileSpec
    """Size and scale of the tiles, which lie side by side over the tissue."""


Spread = Callable[["list[SlideJob]", Path, Embedding], "Iterator[Embedded]"]
"""Embeds slides elsewhere; see `ray_features.on_ray`."""


@dataclass(frozen=True)
class Embedded:
    """What became of a slide."""

    name: str
    """Its name."""
    said: str
    """"done", "there already", or why it failed."""
    failed: bool = False
    """Whether it did."""


def embed_slides(
    source: str,
    out: Path,
    *,
    how: Embedding,
    only: Collection[str] | None = None,
    on_slide: OnSlide | None = None,
    spread: Spread | None = None,
) -> dict[str, str]:
    """Embed the tiles of slides, a file for each; run it again to go on after an interruption.

    Tiles that are embedded lie in the cache of features; a file that is whole and of the same slide, tiles and encoder
    is not made again. A slide that fails is passed over. Slides of an object store are copied here for the time.

    Parameters
    ----------
    source
        A folder, a glob, a table or a file of slides, here or in an object store, as `list_slides` takes it.
    out
        Folder for SLIDE.safetensors: "features" (n_tiles, dim) float32 and "xy" (n_tiles, 2), centres in level-0
        pixels; which slide it was stands beside them.
    how
        Encoder and tiles.
    only
        Names of the slides that are wanted; all by default.
    on_slide
        Hears of each.
    spread
        Spreads them over a Ray cluster, whose machines share the disk of `out`; by default they are embedded here.

    Returns
    -------
    Why each slide that failed did, by name.

    Raises
    ------
    InputError
        If a wanted slide is not there, the encoder or the folder cannot be used, or there is no such cluster.
    """
    jobs = _wanted(list_slides(source), only, source=source)
    sight = frozen_encoder(how.encoder)
    require_writable(out)
    failed = {}
    for one in (embed_job(job, out, how, sight) for job in jobs) if spread is None else spread(jobs, out, how):
        if one.failed:
            failed[one.name] = one.said
        if on_slide is not None:
            on_slide(one.name, one.said)
    return failed


def embed_job(job: SlideJob, out: Path, how: Embedding, sight: dict[str, str]) -> Embedded:
    """Embed one slide of `embed_slides`; what is wrong with it is said, and an error only if it cannot be written.

    Parameters
    ----------
    job
        The slide.
    out
        Folder of the files.
    how
        Encoder and tiles.
    sight
        What `frozen_encoder` says of the encoder.
    """
    try:
        return Embedded(job.name, _embed(job, out, how, sight))
    except Exception as error:  # one bad slide is no end of a thousand
        if is_of_writing(error):
            raise
        return Embedded(job.name, " ".join(str(error).split()) or type(error).__name__, failed=True)


def _wanted(jobs: list[SlideJob], only: Collection[str] | None, *, source: str) -> list[SlideJob]:
    if only is None:
        return jobs
    known = {job.name: job for job in jobs}
    lacking = [name for name in only if name not in known]
    if len(lacking) == len(only):
        hint = suggest(lacking[0], known) if known else "check the folder"
        msg = f"slides named as in the table expected in {source}, found none of {len(only)}: {hint}"
        raise InputError(msg)
    if lacking:
        text = f"{len(lacking)} of {len(only)} slides are not in {source} ({', '.join(lacking[:3])})"
        warnings.warn(f"{text}: their patients have fewer or none", stacklevel=3)
    return [known[name] for name in only if name in known]


def _embed(job: SlideJob, out: Path, how: Embedding, sight: dict[str, str]) -> str:
    path, far = out / f"{job.name}{_ENDING}", not Place(job.source).is_local
    settings = SlideSettings(name=job.name, mpp=job.mpp, mask=job.mask)
    # of a store by what it says of the slide: to see its tiles it would have to be copied here
    key = slide_key(identity.of("tile features", how.spec, dict(sight)), job, settings) if far else ""
    if far and is_sealed(path, key=key):
        return "there already"
    with at_hand(job, Place(str(out)), suffix=_ENDING, mask=job.mask) as here:
        slide = open_slide(here.slide, id=job.name, mpp=job.mpp)
        tiles = lay_grid(slide, how.spec, settings=replace(settings, mask=here.mask)).tiles
        key = key or identity.of("tile features", identity.of_tiles(tiles), dict(sight))
        if is_sealed(path, key=key):
            return "there already"
        features = embed_tiles(tiles, how.encoder)
        of = json.dumps({**which(slide), "slide_mpp": slide.mpp})
    about = {"slide": job.name, "encoder": how.encoder, "mpp": f"{how.spec.mpp:g}", "size_px": str(how.spec.size_px)}
    about |= {"of": of}
    with atomic_path(path, ours=True) as temporary:
        save_file({"features": features, "xy": tiles.xy}, temporary, metadata=about)
    seal(path, key=key)
    return "done"
