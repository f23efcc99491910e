"""How far LazySlide's features of an encoder are from this package's, and what that does to a prediction.

Run `python benchmarks/lazyslide_features.py SLIDE DATA`: a slide file such as CMU-1-Small-Region.svs, and a folder of
HER2ST in the format "her2st", of whose sections C2–C5 models learn and C6 is predicted. EfficientNet-Lite0 with its
ImageNet weights. First table: |theirs - ours| / |ours|, the median over the slide's tiles, ours in float32. Second:
tiles of C6 seen in other ways, the difference of their features, and the mean over genes of Pearson's correlation of
the prediction with the truth and with the prediction from our own features.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image

import mclstexp as mx
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.nn.image_encoders import ImageEncoder, create_encoder
from mclstexp.sight.embed import embed_tiles, features_kept_in
from mclstexp.whole_slide.wsi_tiles import hold, tiles_of

ENCODER, SIZE_PX = "efficientnet_lite0", 224
IMAGENET = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]


def apart(features: np.ndarray, own: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(features - own, axis=1) / np.linalg.norm(own, axis=1)))


def on_a_slide(path: Path, encoder: ImageEncoder) -> None:
    import lazyslide as zs
    import lazyslide_models as zm
    from torchvision.transforms import v2
    from wsidata import open_wsi

    by_name = zm.TimmModel("tf_efficientnet_lite0", pretrained=False)
    by_name.model.load_state_dict(encoder.network.state_dict())
    same = {"model": encoder, "transform": v2.ToImage()}
    print("| LazySlide's features | tiles at µm/px | difference |\n|---|---|---|")
    for name, mpp, given in (
        ("our network and scaling", None, same),
        ("our network and scaling", 0.5, same),
        ("our network and scaling", 1.0, same),
        ("timm's transform", None, {"model": by_name}),
        ("timm's transform", 0.5, {"model": by_name}),
        ("timm's transform, float16", 0.5, {"model": by_name, "amp": True}),
    ):
        wsi = open_wsi(path, store=None)
        zs.pp.find_tissues(wsi, level=0)
        zs.pp.tile_tissues(wsi, SIZE_PX, mpp=mpp)
        zs.tl.feature_extraction(wsi, key_added="features", device="cpu", pbar=False, **given)
        tiles, _ = tiles_of(wsi, "tiles", spec=TileSpec(SIZE_PX, mpp or wsi.properties.mpp))
        own = embed_tiles(tiles, encoder, precision="float32")
        print(f"| {name} | {tiles.spec.mpp:g} | {apart(wsi.tables['features'].X, own):.2g} |")
    print(f"| ours in bfloat16 | 0.5 | {apart(embed_tiles(tiles, encoder, precision='bfloat16'), own):.2g} |")


@torch.inference_mode()
def seen(tiles: Tiles, see: Callable[[np.ndarray], torch.Tensor], network: torch.nn.Module) -> np.ndarray:
    return np.concatenate([network(see(tiles.read(i))[None]).float().numpy() for i in range(len(tiles))])


def on_sections(data: Path, encoder: ImageEncoder) -> None:
    sections = mx.read_sections(
        data, format="her2st", sections=["C2", "C3", "C4", "C5", "C6"], spec=TileSpec(SIZE_PX, 0.5)
    )
    tiles = sections[-1].tiles
    evaluate = timm.data.create_transform(**timm.data.resolve_data_config(model=encoder.network))

    def raw(tile: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(tile.copy()).permute(2, 0, 1)

    def resampled(tile: np.ndarray) -> torch.Tensor:
        small = Image.fromarray(tile).resize((SIZE_PX - 1,) * 2, Image.Resampling.BICUBIC)
        return raw(np.asarray(small.resize((SIZE_PX,) * 2, Image.Resampling.BICUBIC)))

    ways = {
        "ours": seen(tiles, raw, encoder),
        "shrunk by a pixel and enlarged": seen(tiles, resampled, encoder),
        "timm's transform": seen(tiles, lambda tile: evaluate(Image.fromarray(tile)), encoder.network),
        "ImageNet's mean and deviation": seen(
            tiles, lambda tile: (raw(tile) / 255 - IMAGENET[0]) / IMAGENET[1], encoder.network
        ),
    }
    ways["ours in float16"] = ways["ours"].astype(np.float16).astype(np.float32)
    print("\n| method | tiles | difference | PCC with the truth | with ours |\n|---|---|---|---|---|")
    plain = {"view_widths": (), "symmetric": False, "context_share": 0.0}
    for method, options in {"ridge": {}, "knn": {}, "mclstexp": plain}.items():
        model = mx.create(method, encoder=ENCODER, **options).fit(sections[:-1])
        truth, first = model.space_(sections[-1].counts), None
        for name, features in ways.items():
            with features_kept_in(hold(tiles, ENCODER, features)):
                predicted = model.predict(tiles).X
            first = predicted if first is None else first
            right, alike = (np.nanmean(pearson_per_gene(other, predicted)) for other in (truth, first))
            print(f"| {method} | {name} | {apart(features, ways['ours']):.2g} | {right:.3f} | {alike:.3f} |")


if __name__ == "__main__":
    network = create_encoder(ENCODER)
    on_a_slide(Path(sys.argv[1]), network)
    on_sections(Path(sys.argv[2]), network)
