"""Plant shifts, turns, mirrors and stretches in sections that lie right, and see what `validate --align` makes of it.

`python benchmarks/alignment.py OUT.csv [SECTION …]`; MCLSTEXP_DATA says where real sections lie. Done rows are kept.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mclstexp.alignment import Placement, align
from mclstexp.alignment.placement import rotation
from mclstexp.core.section import Section
from mclstexp.io.pitch import neighbour_distance_px
from mclstexp.io.read import read_sections
from mclstexp.io.synthetic import make_sections

DATA = Path(os.environ.get("MCLSTEXP_DATA", "data"))
MIRROR = np.diag([-1.0, 1.0])


def _read(path: str, **how: object) -> Callable[[], Section]:
    return lambda: read_sections(DATA / path, **how)[0]  # type: ignore[arg-type]


SECTIONS: dict[str, Callable[[], Section]] = {
    **{
        f"synthetic {seed}": lambda seed=seed: make_sections(1, n_spots_side=16, mpp=2.0, seed=seed)[0]  # type: ignore[misc]
        for seed in range(3)
    },
    **{f"mob_st {name}": _read(f"mob_st/{name}") for name in ("rep01", "rep02", "rep04")},
    **{f"mob_2k MOB{number}": _read(f"mob_2k/MOB{number}.h5ad", mpp=3.5) for number in range(1, 5)},
    **{f"her2st {name}": _read("her2st/data", sections=[name]) for name in ("B4", "C2", "C3", "C4", "C5", "C6")},
    "her2st A2 (low resolution)": _read("her2st_A2_lowres/A2.h5ad"),
    "mouse_colon_visium": _read(
        "mouse_colon_visium/section1.h5ad", pitch_um=100, image=DATA / "mouse_colon_visium/section1_HE.jpg"
    ),
}


def planted_in(section: Section, name: str) -> Placement:
    """Return what is done to the places; none puts more than a part of them beside the image."""
    centre, (width, height) = section.tiles.xy.mean(axis=0), section.tiles.slide.size_px
    pitch_px = neighbour_distance_px(section.tiles.xy)
    assert pitch_px is not None
    shift = np.array([3.0, -2.0]) * pitch_px
    return {
        "none": Placement(),
        "image mirrored": Placement(((-1.0, 0.0), (0.0, 1.0)), (float(width), 0.0)),
        "image turned by 90°": Placement(((0.0, -1.0), (1.0, 0.0)), (float(height), 0.0)),
        "shift": Placement.about(np.eye(2), centre, shift),
        "turn by 20° and shift": Placement.about(rotation(20), centre, shift),
        "mirror, turn by 100° and shift": Placement.about(rotation(100) @ MIRROR, centre, shift),
        "stretch by 12 and -5 %": Placement.about(np.diag([1.12, 0.95]), centre),
    }[name]


PLANTS = (
    "none",
    "mirror, turn by 100° and shift",
    "image mirrored",
    "shift",
    "turn by 20° and shift",
    "image turned by 90°",
    "stretch by 12 and -5 %",
)


def run(name: str, planted: str) -> dict[str, object]:
    """Plant, align, and say how far spots are off where they belong."""
    section = SECTIONS[name]()
    placement = planted_in(section, planted)
    moved = replace(section, tiles=replace(section.tiles, xy=placement(section.tiles.xy)))
    began = time.process_time()
    found = align(moved)
    off = found.placement(moved.tiles.xy) - section.tiles.xy
    off_px = float(np.sqrt((off**2).sum(axis=1).mean()))
    return {
        "section": name,
        "planted": planted,
        "spots": len(section),
        "verdict": found.verdict,
        "kind": found.kind,
        "before": found.explained_before,
        "after": found.explained,
        "by_chance": found.explained_by_chance,
        "p": found.p,
        "tolerance_um": found.tolerance_um,
        "off_um": off_px * section.tiles.slide.mpp,
        "off_pitches": off_px / (neighbour_distance_px(section.tiles.xy) or 1),
        "seconds": time.process_time() - began,
        "text": found.text,
    }


def main() -> None:
    """Run what is not in the table yet."""
    out, *chosen = sys.argv[1:]
    rows = pd.read_csv(out).to_dict("records") if Path(out).exists() else []
    done = {(row["section"], row["planted"]) for row in rows}
    warnings.simplefilter("ignore")
    for planted in PLANTS:
        for name in chosen or SECTIONS:
            if (name, planted) not in done:
                rows.append(run(name, planted))
                pd.DataFrame(rows).to_csv(out, index=False)
                print(name, planted, rows[-1]["verdict"], rows[-1]["kind"], rows[-1]["off_pitches"], flush=True)


if __name__ == "__main__":
    main()
