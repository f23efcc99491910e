"""Painted tiles beside measured ones: each carries the counts of the spot whose features it was asked for by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from anndata import AnnData
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.generator import Generator
from mclstexp.core.section import Section
from mclstexp.generation.contact_sheet import sheet_of
from mclstexp.io.stamped import MARK


def augment(sections: Sequence[Section], generator: Generator, *, per_spot: int = 1, seed: int = 0) -> list[Section]:
    """Return sections of painted tiles, to be learnt from beside the measured ones.

    They hold no expression that the measured ones do not: a painted tile carries the counts of the spot whose features
    it was asked for by. A fold refuses them as a test, and as training where the generator saw what is tested.
    Tiles lie side by side in no order: what a method sees around a tile means nothing there.

    Parameters
    ----------
    sections
        Measured, of the training side alone.
    generator
        Fitted, on the training side alone.
    per_spot
        Pictures of each spot.
    seed
        Of what features do not say.

    Raises
    ------
    InputError
        If the generator is not fitted, specs differ, or there is less than one picture of a spot.
    """
    if per_spot < 1:
        msg = f"per_spot of 1 or more expected, found {per_spot}"
        raise InputError(msg)
    return [_painted(section, generator, per_spot=per_spot, seed=seed) for section in sections]


def shuffled(section: Section, *, seed: int = 0) -> Section:
    """Return a painted section whose tiles carry the counts of other spots: the control of augmentation.

    What it adds to a score is not what painted tiles show.
    """
    rows = np.random.default_rng(seed).permutation(len(section))
    counts = AnnData(section.counts.X[rows], obs=section.counts.obs.copy(), var=section.counts.var.copy())
    counts.uns[keys.SYNTHETIC] = {**section.counts.uns[keys.SYNTHETIC], "shuffled": True}
    return replace(section, counts=counts)


def _painted(section: Section, generator: Generator, *, per_spot: int, seed: int) -> Section:
    features = np.repeat(generator.look(section.tiles), per_spot, axis=0)
    pictures = generator.generate(features, seed=seed)
    name = f"{MARK} {section.id}"
    tiles = sheet_of(pictures, mpp=generator.made_.mpp, id=name, spec=section.tiles.spec)
    rows = np.repeat(np.arange(len(section)), per_spot)
    counts = AnnData(sparse.csr_matrix(section.counts.X[rows]), var=section.counts.var.copy())
    counts.obs_names = tiles.ids.astype(object)
    counts.uns[keys.SYNTHETIC] = generator.said_of(seed, asked_for=section.id)
    return Section(id=name, patient=section.patient, tiles=tiles, counts=counts)
