"""Weights are loaded right, or one sentence says why not."""

import json
import urllib.error

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants, errors
from safetensors.torch import save_file
from skimage import data, transform

from mclstexp.core.errors import InputError
from mclstexp.nn.image_encoders import ImageEncoder, create_encoder
from mclstexp.nn.pretrained import build_network

TINY = "test_efficientnet"
IMAGES = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def _features(name):
    with torch.inference_mode():
        return create_encoder(name)(IMAGES)


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache, and no network behind it."""

    def no_network(*_args, **_options):
        raise urllib.error.URLError("no route")

    def no_download(*_args, **_options):
        pytest.fail("a download was tried without a network")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", no_download)
    return tmp_path / "hub"


def _put(hub_cache, repo, *, weights, config=None):
    folder = hub_cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0123")
    save_file(weights, snapshot / "model.safetensors")
    if config is not None:
        (snapshot / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("picture", "expected"),
    [("chelsea", {281, 282, 285}), ("coffee", {967})],  # tabby, tiger cat, Egyptian cat; espresso
)
def test_the_installed_weights_recognise_what_they_were_trained_on(picture, expected):
    network = build_network("efficientnet_lite0", classifier=True)
    image = transform.resize(getattr(data, picture)(), (224, 224), anti_aliasing=True)
    encoder = ImageEncoder(network, name="with classifier")
    with torch.inference_mode():
        logits = encoder(torch.from_numpy(image).float().permute(2, 0, 1)[None])[0]
    assert expected <= set(logits.topk(5).indices.tolist())
    assert int(logits.argmax()) in expected


def test_the_installed_weights_have_their_own_preprocessing():
    encoder = create_encoder("efficientnet_lite0")
    assert encoder.dim == 1280
    assert np.allclose(encoder.mean, 0.5)
    assert np.allclose(encoder.std, 0.5)


@pytest.mark.parametrize("kind", ["pt", "pt with state_dict", "pt with model", "safetensors"])
def test_local_weights_give_what_they_gave_where_they_were_saved(tmp_path, kind):
    whole = build_network(f"random:{TINY}", classifier=True)
    with torch.no_grad():
        whole.conv_stem.weight.mul_(1.5)
    assert not torch.equal(whole.conv_stem.weight, build_network(f"random:{TINY}").conv_stem.weight)
    file = tmp_path / f"w.{kind.split()[0]}"
    if kind == "safetensors":
        save_file(whole.state_dict(), file)
    else:
        wrapped = {kind.split()[-1]: whole.state_dict(), "optim": {"state": {}, "lr": 1e-6}}
        torch.save(wrapped if "with" in kind else whole.state_dict(), file)
    whole.reset_classifier(0)
    with torch.inference_mode():
        expected = ImageEncoder(whole, name="whole")(IMAGES)
    assert torch.equal(_features(f"{TINY}@{file}"), expected)


def test_local_weights_of_another_network_are_refused_with_a_count(tmp_path):
    weights = build_network(f"random:{TINY}").state_dict()
    weights["stray"] = weights.pop("conv_stem.weight")
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"1 missing and 1 of another name or shape \(first: conv_stem.weight\)"):
        create_encoder(f"{TINY}@{tmp_path / 'w.safetensors'}")


def test_a_pickle_of_anything_but_tensors_is_not_opened(tmp_path):
    torch.save(build_network(f"random:{TINY}"), tmp_path / "w.pt")
    with pytest.raises(InputError, match="tensors alone"):
        create_encoder(f"{TINY}@{tmp_path / 'w.pt'}")


@pytest.mark.parametrize("content", [b"", b"not weights"])
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_a_file_that_is_no_weights_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="encoder weights"):
        create_encoder(f"{TINY}@{tmp_path / name}")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(InputError, match="found no such file"):
        create_encoder(f"{TINY}@{tmp_path / 'absent.pt'}")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("densenet12", "did you mean 'densenet121'"),
        ("random:resnet8", "did you mean 'resnet"),
        ("qqqqqqqq", "timm.list_models"),
        ("densenet121.foo", "one of the weights ra_in1k"),
        ("densenet264d", "local weights"),  # timm has the architecture alone
    ],
)
def test_an_unknown_name_is_answered_by_the_nearest(name, hint):
    with pytest.raises(InputError, match=hint):
        create_encoder(name)


@pytest.mark.parametrize("name", ["densenet121", "hf-hub:someone/something"])
def test_without_network_and_cache_three_ways_out_are_named_at_once(hub_cache, name):
    with pytest.raises(InputError, match=r"connect once .*HF_HUB_CACHE.*NAME@FILE.*efficientnet_lite0"):
        create_encoder(name)


@pytest.mark.parametrize("name", [TINY, f"{TINY}.r160_in1k", f"hf-hub:timm/{TINY}.r160_in1k"])
def test_cached_weights_need_no_network(hub_cache, name):
    weights = build_network(f"random:{TINY}", classifier=True).state_dict()
    _put(hub_cache, f"timm/{TINY}.r160_in1k", weights=weights, config={"architecture": TINY, "num_classes": 1000})
    (file,) = hub_cache.rglob("*.safetensors")
    assert torch.equal(_features(name), _features(f"{TINY}@{file}"))
    assert build_network(name, classifier=True)(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)


def test_cached_weights_that_fit_in_part_are_refused(hub_cache):
    weights = build_network(f"random:{TINY}", classifier=True).state_dict()
    del weights["conv_stem.weight"]
    _put(hub_cache, f"timm/{TINY}.r160_in1k", weights=weights)
    with pytest.raises(InputError, match="weights that fit 'test_efficientnet' expected"):
        create_encoder(TINY)


def test_a_hub_model_brings_its_own_preprocessing_and_layer_scale(hub_cache):
    network = timm.create_model("test_vit", num_classes=0, init_values=0.1)
    config = {
        "architecture": "test_vit",
        "num_classes": 0,
        "pretrained_cfg": {"mean": [0.7, 0.6, 0.5], "std": [0.2, 0.2, 0.2]},
    }
    _put(hub_cache, "someone/pathology", weights=network.state_dict(), config=config)
    encoder = create_encoder("hf-hub:someone/pathology")
    assert encoder.mean.flatten().tolist() == pytest.approx([0.7, 0.6, 0.5])
    assert torch.equal(encoder.network.state_dict()["blocks.0.ls1.gamma"], network.blocks[0].ls1.gamma)
    assert "state_dict" not in encoder.network.pretrained_cfg


def test_a_hub_model_of_other_weights_is_refused(hub_cache):
    weights = build_network("random:test_vit").state_dict()
    _put(hub_cache, "someone/odd", weights=weights, config={"architecture": TINY, "pretrained_cfg": {}})
    with pytest.raises(InputError, match="weights that fit 'test_efficientnet' expected"):
        create_encoder("hf-hub:someone/odd")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (errors.GatedRepoError, "accept its terms"),
        (errors.RepositoryNotFoundError, "check the name"),
        (errors.LocalEntryNotFoundError, "connect once"),
        (errors.EntryNotFoundError, "not timm's"),
        (ConnectionError, "connect once"),
    ],
)
def test_what_the_hub_refuses_is_said_in_a_sentence(hub_cache, monkeypatch, error, sentence):
    def refuse(*_args, **_options):
        raise error.__new__(error)

    monkeypatch.setattr("mclstexp.nn.pretrained._reachable", lambda _endpoint: True)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(InputError, match=sentence):
        create_encoder("hf-hub:someone/something")


def test_local_weights_may_come_with_another_classifier_or_none(tmp_path):
    weights = build_network(f"random:{TINY}", classifier=True).state_dict()
    save_file(weights, tmp_path / "whole.safetensors")
    save_file({name: w for name, w in weights.items() if "classifier" not in name}, tmp_path / "none.safetensors")
    save_file(weights | {"classifier.weight": torch.zeros(3, 256)}, tmp_path / "other.safetensors")
    whole, none, other = (_features(f"{TINY}@{tmp_path / kind}.safetensors") for kind in ("whole", "none", "other"))
    assert torch.equal(whole, none)
    assert torch.equal(whole, other)
