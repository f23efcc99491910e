"""Synthetic sections: the same each time, of true geometry, and counts that their pixels tell."""

import numpy as np
import pytest

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import TileSpec
from mclstexp.io.pitch import hexagonal_um, mpp_from_array
from mclstexp.io.synthetic import gene_names, make_sections

SPEC = TileSpec(28, 4.0)
SMALL = {"n_spots_side": 5, "n_genes": 12, "mpp": 4.0, "spec": SPEC}


@pytest.fixture(scope="module")
def sections():
    return make_sections(3, n_spots_side=9, n_genes=36, mpp=2.0, spec=TileSpec(56, 2.0))


def colours(section):
    """Mean and spread of each tile's optical density: (n_spots, 6)."""
    density = [-np.log((section.tiles.read(i) + 1.0) / 256) for i in range(len(section))]
    return np.array([[*d.mean(axis=(0, 1)), *d.std(axis=(0, 1))] for d in density])


def test_patients_and_sections_are_named_and_sized():
    sections = make_sections(2, 2, **SMALL)
    assert [section.id for section in sections] == ["P1_S1", "P1_S2", "P2_S1", "P2_S2"]
    assert [section.patient for section in sections] == ["P1", "P1", "P2", "P2"]
    assert all(section.genes == tuple(gene_names(12)) for section in sections)
    assert all(section.tiles.spec == SPEC for section in sections)


def test_a_seed_says_all():
    first, again, other = (make_sections(1, seed=seed, **SMALL)[0] for seed in (3, 3, 4))
    assert first.tiles.slide.fingerprint() == again.tiles.slide.fingerprint()
    assert (first.counts.X != again.counts.X).nnz == 0
    assert first.tiles.slide.fingerprint() != other.tiles.slide.fingerprint()


def test_a_section_does_not_depend_on_how_many_are_made():
    alone, among = make_sections(1, 1, **SMALL)[0], make_sections(2, 2, **SMALL)[0]
    assert alone.tiles.slide.fingerprint() == among.tiles.slide.fingerprint()
    assert (alone.counts.X != among.counts.X).nnz == 0


def test_the_array_is_visiums(sections):
    section = sections[0]
    obs = section.counts.obs
    array_um = hexagonal_um(obs[keys.ARRAY_ROW], obs[keys.ARRAY_COL])
    assert mpp_from_array(array_um, section.tiles.xy) == pytest.approx(section.tiles.slide.mpp, rel=1e-6)
    assert section.counts.uns[keys.PITCH_UM] == 100
    assert section.counts.uns[keys.SPOT_DIAMETER_UM] == 55


def test_the_scale_of_the_pixels_does_not_move_the_tissue():
    fine, coarse = (make_sections(1, **{**SMALL, "mpp": mpp})[0] for mpp in (2.0, 4.0))
    np.testing.assert_array_equal(fine.tiles.ids, coarse.tiles.ids)
    np.testing.assert_allclose(fine.tiles.xy_um, coarse.tiles.xy_um)
    assert np.corrcoef(colours(fine)[:, 0], colours(coarse)[:, 0])[0, 1] > 0.9


def test_tissue_lies_on_glass(sections):
    for section in sections:
        slide = section.tiles.slide
        assert slide.read((0, 0), TileSpec(8, 2.0)).min() > 230
        assert slide.thumbnail(200).min() < 150
        assert 0.4 < len(section) / 81 < 1


def test_sections_are_stained_each_in_its_own_hue(sections):
    means = [colours(section)[:, :3].mean(axis=0) for section in sections]
    hues = [mean / np.linalg.norm(mean) for mean in means]
    assert all(np.linalg.norm(a - b) > 0.01 for i, a in enumerate(hues) for b in hues[:i])


def test_every_spot_has_counts_and_depth_varies(sections):
    totals = np.concatenate([np.asarray(section.counts.X.sum(axis=1)).ravel() for section in sections])
    assert totals.min() > 0
    assert totals.std() > 0.2 * totals.mean()


def test_fat_is_white_and_lymphocytes_are_dark(sections):
    for section in sections:
        expression = ExpressionSpace(genes=section.genes)(section.counts)
        red = colours(section)[:, 0]  # haematoxylin takes red, eosin hardly

        def mean_of(programme, expression=expression, section=section):
            return expression[:, [gene.startswith(programme) for gene in section.genes]].mean(axis=1)

        assert np.corrcoef(mean_of("FAT"), red)[0, 1] < -0.2
        assert np.corrcoef(mean_of("IMMUNE") + mean_of("TUMOUR"), red)[0, 1] > 0.5


def test_pixels_of_two_patients_foretell_the_third(sections):
    *train, test = sections
    space = ExpressionSpace.fit(train)
    features = np.concatenate([colours(section) for section in train])
    centre, spread = features.mean(axis=0), features.std(axis=0)
    truth = np.concatenate([space(section.counts) for section in train])
    weights = np.linalg.lstsq(np.column_stack([np.ones(len(features)), (features - centre) / spread]), truth)[0]
    asked = (colours(test) - centre) / spread
    predicted, measured = np.column_stack([np.ones(len(asked)), asked]) @ weights, space(test.counts)
    r = [np.corrcoef(measured[:, j], predicted[:, j])[0, 1] for j in range(len(space.genes))]
    assert np.mean(r) > 0.25
    assert np.mean((measured - predicted) ** 2) < np.mean((measured - truth.mean(axis=0)) ** 2)


@pytest.mark.parametrize("name", ["n_patients", "sections_per_patient", "n_spots_side", "n_genes"])
def test_too_small_a_number_is_refused(name):
    with pytest.raises(InputError, match=name):
        make_sections(**{name: 0})
