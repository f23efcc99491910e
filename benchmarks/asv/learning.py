"""Embedding, fitting, predicting and scoring small made-up sections."""

import os
import shutil
import tempfile

import mclstexp as mx
from mclstexp.io.models import save_model
from mclstexp.io.synthetic import make_sections
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.sight.embed import embed_tiles

OPTIONS = {"encoder": "random:test_efficientnet", "n_components": 8}
FLAGSHIP = {**OPTIONS, "epochs": 3, "k": 5, "dim": 8, "n_models": 1, "batch_size": 16}


class Learning:
    """Three patients; features are cached before the clock starts, but where embedding is the question."""

    timeout = 600

    def setup(self) -> None:
        """Make tissue, and fit once, with a cache of its own."""
        os.environ["MCLSTEXP_CACHE"] = self.cache = tempfile.mkdtemp()
        self.encoder = create_encoder("random:test_efficientnet")
        self.sections = make_sections(3, n_spots_side=8, n_genes=60, mpp=2.0, spec=mx.TileSpec(56, 2.0))
        self.model = mx.create("mclstexp", **FLAGSHIP).fit(self.sections[:2])

    def teardown(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.cache)

    def time_embed(self) -> None:
        """Embed the tiles of a section, not cached."""
        embed_tiles(self.sections[0].tiles, self.encoder)

    def time_fit(self) -> None:
        """Fit the flagship on two sections."""
        mx.create("mclstexp", **FLAGSHIP).fit(self.sections[:2])

    def time_fit_ridge(self) -> None:
        """Fit a control on two sections."""
        mx.create("ridge", **OPTIONS).fit(self.sections[:2])

    def time_predict(self) -> None:
        """Predict a section that was not learnt from."""
        self.model.predict(self.sections[2].tiles)

    def time_save_and_load(self) -> None:
        """Write a model and read it back."""
        with tempfile.TemporaryDirectory() as folder:
            mx.load_model(save_model(self.model, f"{folder}/model"))

    def time_make_sections(self) -> None:
        """Grow and stain tissue."""
        make_sections(1, n_spots_side=8, n_genes=60, mpp=2.0)

    def peakmem_predict(self) -> None:
        """Predict, for the most memory held."""
        self.model.predict(self.sections[2].tiles)
