"""The first stage of latent diffusion (Esser and others 2021): an autoencoder whose small maps diffusion works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.map_attention import PlainAttention
from mclstexp.nn.quantise import Quantised, Quantiser

_GROUPS: Final = 32
_EPS: Final = 1e-6


class PlainBlock(nn.Module):
    """Two convolutions beside a way round them."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(_GROUPS, n_in, eps=_EPS), nn.GroupNorm(_GROUPS, n_out, eps=_EPS)
        self.conv1, self.conv2 = nn.Conv2d(n_in, n_out, 3, padding=1), nn.Conv2d(n_out, n_out, 3, padding=1)
        self.skip = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, values: Float[Tensor, "n n_in h w"]) -> Float[Tensor, "n n_out h w"]:
        """Pass a map on."""
        inner = self.conv1(functional.silu(self.norm1(values)))
        return self.skip(values) + self.conv2(functional.silu(self.norm2(inner)))


class _Shrink(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, stride=2)

    def forward(self, values: Tensor) -> Tensor:
        return self.conv(functional.pad(values, (0, 1, 0, 1)))  # right and below alone, as released


class _Grow(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, values: Tensor) -> Tensor:
        return self.conv(functional.interpolate(values, scale_factor=2.0, mode="nearest"))


class FirstStage(nn.Module):
    """A VQ autoencoder: pictures to maps of few channels and back through a codebook.

    Parameters
    ----------
    width
        Channels of the first level, a multiple of 32.
    mults
        Channels of each level, in widths; each level but the last halves the sides.
    n_blocks
        Blocks a level on the way in; one more on the way back.
    n_latent
        Channels of the map between.
    n_codes
        Entries of the codebook.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        mults: Sequence[int] = (1, 2, 4),
        n_blocks: int = 2,
        n_latent: int = 3,
        n_codes: int = 8192,
    ) -> None:
        super().__init__()
        self.factor = 2 ** (len(mults) - 1)
        self.n_latent = n_latent
        into: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1)]
        dim = width
        for number, mult in enumerate(mults):
            for _ in range(n_blocks):
                into.append(PlainBlock(dim, mult * width))
                dim = mult * width
            if number < len(mults) - 1:
                into.append(_Shrink(dim))
        self.into = nn.Sequential(*into, *_middle(dim), *_end(dim, n_latent), nn.Conv2d(n_latent, n_latent, 1))
        back: list[nn.Module] = [nn.Conv2d(n_latent, n_latent, 1), nn.Conv2d(n_latent, dim, 3, padding=1)]
        back += _middle(dim)
        for number, mult in reversed([*enumerate(mults)]):
            for _ in range(n_blocks + 1):
                back.append(PlainBlock(dim, mult * width))
                dim = mult * width
            if number:
                back.append(_Grow(dim))
        self.back = nn.Sequential(*back, *_end(dim, 3))
        self.quantiser = Quantiser((n_codes,), n_latent)

    def encode(self, pictures: Float[Tensor, "n 3 height width"]) -> Float[Tensor, "n n_latent h w"]:
        """Return maps before the codebook, of pictures in [-1, 1]; on these diffusion works."""
        latent: Tensor = self.into(pictures)
        return latent

    def codes(self, latent: Float[Tensor, "n n_latent h w"]) -> Int[Tensor, "n h w"]:
        """Return the number of the nearest entry of the codebook at each place."""
        found: Quantised = self.quantiser(latent.movedim(1, -1))
        return found.codes[..., 0]

    def decode(self, latent: Float[Tensor, "n n_latent h w"]) -> Float[Tensor, "n 3 height width"]:
        """Return pictures, about in [-1, 1], of maps through the codebook."""
        found: Quantised = self.quantiser(latent.movedim(1, -1))
        pictures: Tensor = self.back(found.values.movedim(-1, 1))
        return pictures

    def forward(
        self, pictures: Float[Tensor, "n 3 height width"]
    ) -> tuple[Float[Tensor, "n 3 height width"], Quantised]:
        """Return pictures as they come back, and what the codebook made of them, for training."""
        found: Quantised = self.quantiser(self.encode(pictures).movedim(1, -1))
        return self.back(found.values.movedim(-1, 1)), found


def _middle(dim: int) -> list[nn.Module]:
    return [PlainBlock(dim, dim), PlainAttention(dim), PlainBlock(dim, dim)]


def _end(dim: int, n_out: int) -> list[nn.Module]:
    return [nn.GroupNorm(_GROUPS, dim, eps=_EPS), nn.SiLU(), nn.Conv2d(dim, n_out, 3, padding=1)]


def load_released(network: FirstStage, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Fill the network with weights under the names of latent-diffusion code.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape.
    """
    fill(
        network,
        renamed(weights, _names(network)),
        what="a VQ first stage",
        source=source,
        not_in_file=("quantiser.levels.0.counts", "quantiser.levels.0.sums"),
    )


def _names(network: FirstStage) -> list[tuple[str, str]]:
    """Return which of our parts each released one is: theirs are counted within levels, ours right through."""
    into, back = list(network.into), list(network.back)
    n_levels = network.factor.bit_length()
    n_blocks = sum(isinstance(part, PlainBlock) for part in into[1 : -len(_middle(32)) - 4]) // n_levels
    names = [(r"^encoder\.conv_in", "into.0"), (r"^quant_conv", f"into.{len(into) - 1}")]
    names += [(r"^encoder\.conv_out", f"into.{len(into) - 2}"), (r"^encoder\.norm_out", f"into.{len(into) - 4}")]
    names += [(rf"^encoder\.mid\.{part}", f"into.{len(into) - 7 + i}") for i, part in enumerate(_MIDDLE)]
    for level in range(n_levels):
        first = 1 + level * (n_blocks + 1)
        names += [(rf"^encoder\.down\.{level}\.block\.{i}\.", f"into.{first + i}.") for i in range(n_blocks)]
        names.append((rf"^encoder\.down\.{level}\.downsample\.", f"into.{first + n_blocks}."))
    names += [(r"^post_quant_conv", "back.0"), (r"^decoder\.conv_in", "back.1")]
    names += [(rf"^decoder\.mid\.{part}", f"back.{2 + i}") for i, part in enumerate(_MIDDLE)]
    for level in range(n_levels):
        first = 5 + (n_levels - 1 - level) * (n_blocks + 2)
        names += [(rf"^decoder\.up\.{level}\.block\.{i}\.", f"back.{first + i}.") for i in range(n_blocks + 1)]
        names.append((rf"^decoder\.up\.{level}\.upsample\.", f"back.{first + n_blocks + 1}."))
    names += [(r"^decoder\.conv_out", f"back.{len(back) - 1}"), (r"^decoder\.norm_out", f"back.{len(back) - 3}")]
    names.append((r"^quantize\.embedding\.weight", "quantiser.levels.0.codes"))
    return [*names, (r"nin_shortcut", "skip"), *((rf"\.{a}\.", f".{b}.") for a, b in _ATTENTION)]


_MIDDLE: Final = ("block_1", "attn_1", "block_2")
_ATTENTION: Final = (("q", "query"), ("k", "key"), ("v", "value"), ("proj_out", "out"))
