"""What the weights of known generators are called, and how large the model is that they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from torchbend.errors import CheckpointError
from torchbend.interfaces.gan.filtering import binomial
from torchbend.interfaces.gan.sizes import StyleGAN2Sizes
from torchbend.interfaces.gan.stylegan3_sizes import FILTER_SIZE, LayerSizes, StyleGAN3Sizes

__all__ = [
    "dcgan_sizes",
    "kind_of",
    "official",
    "plain_dcgan",
    "stylegan2_sizes",
    "stylegan3_sizes",
    "without_prefix",
]

_MARKS = {
    "stylegan3": "synthesis.input.freqs",
    "stylegan2": "synthesis.b4.const",
    "rosinality": "input.input",
}


def without_prefix(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a generator, without what stands before all of its names (``module.``, ``G_ema.``)."""
    for mark in _MARKS.values():
        found = next((name for name in weights if name == mark or name.endswith(f".{mark}")), None)
        if found is not None:
            prefix = found.removesuffix(mark)
            return {name[len(prefix) :]: w for name, w in weights.items() if name.startswith(prefix)}
    return dict(weights)


def kind_of(weights: Mapping[str, Tensor]) -> str | None:
    """``"stylegan2"``, ``"stylegan3"``, ``"rosinality"`` or ``"dcgan"``; None for anything else."""
    for kind, mark in _MARKS.items():
        if mark in weights:
            return kind
    return "dcgan" if plain_dcgan(weights) is not None else None


# -- StyleGAN2 -------------------------------------------------------------------------------------------


def stylegan2_sizes(weights: Mapping[str, Tensor], clamp: float | None = None) -> StyleGAN2Sizes:
    """The sizes of the model that weights with the official names belong to.

    Raises:
        CheckpointError: they are of another architecture than that of skips, or parts are missing.
    """
    sides = sorted(
        int(m[1]) for name in weights if (m := re.fullmatch(r"synthesis\.b(\d+)\.conv1\.weight", name))
    )
    if sides != [4 * 2**n for n in range(len(sides))] or not sides:
        raise _other("blocks for 4, 8, 16, ... pixels", f"blocks for {sides}")
    if any(f"synthesis.b{side}.torgb.weight" not in weights for side in sides):
        raise _other("the architecture of skips, with torgb in each block", "one without")
    style = weights.get("synthesis.b4.conv1.affine.weight")
    first = weights.get("mapping.fc0.weight")
    if style is None or first is None or style.dim() != 2 or first.dim() != 2:
        raise _other("mapping.fc0.weight and synthesis.b4.conv1.affine.weight", "neither, or one of them")
    return StyleGAN2Sizes(
        tuple(weights[f"synthesis.b{side}.conv1.weight"].shape[0] for side in sides),
        *_mapping_sizes(weights, first, style.shape[1]),
        weights["synthesis.b4.torgb.weight"].shape[0],
        clamp,
    )


def _mapping_sizes(weights: Mapping[str, Tensor], first: Tensor, w_dim: int) -> tuple[int, int, int, int]:
    """Numbers in a latent and in a style, classes, and layers between them."""
    embed = weights.get("mapping.embed.weight")
    layers = sum(bool(re.fullmatch(r"mapping\.fc\d+\.weight", name)) for name in weights)
    if embed is None:
        return first.shape[1], w_dim, 0, layers
    return first.shape[1] - w_dim, w_dim, embed.shape[1], layers


def _other(wanted: str, got: str) -> CheckpointError:
    return CheckpointError("these weights are of no StyleGAN that is known here", wanted=wanted, got=got)


def official(weights: Mapping[str, Tensor], mean: Tensor | None = None) -> dict[str, Tensor]:
    """Weights that are named as in rosinality's ``stylegan2-pytorch``, under the official names.

    Both give the same image: what the one scales by, the other does too.

    Args:
        weights: of ``g_ema``.
        mean: the mean of all styles (``latent_avg``), where it is known.

    Raises:
        CheckpointError: names are missing, or unknown.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        to = _official_name(name)
        if to is None:
            raise _other("the names of stylegan2-pytorch", name)
        if to:
            renamed[to] = _official_shape(to, tensor)
    for name in [name for name in renamed if re.search(r"\.conv[01]\.weight$", name)]:
        renamed[name.removesuffix("weight") + "resample_filter"] = binomial()
    for name in [name for name in renamed if name.endswith(".conv1.weight")]:
        renamed[name.removesuffix("conv1.weight") + "resample_filter"] = binomial()
        side = int(name.split(".")[1][1:])
        for conv in ("conv1",) if side == 4 else ("conv0", "conv1"):
            renamed.setdefault(f"synthesis.b{side}.{conv}.noise_const", torch.zeros(side, side))
    if mean is not None:
        renamed["mapping.w_avg"] = mean.reshape(-1)
    return renamed


_LAYER_PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
}


def _official_name(name: str) -> str | None:
    """The official name; empty for what is not needed, None where the name is unknown."""
    if name.endswith(".kernel"):
        return ""
    if name == "input.input":
        return "synthesis.b4.const"
    if found := re.fullmatch(r"style\.(\d+)\.(weight|bias)", name):
        return f"mapping.fc{int(found[1]) - 1}.{found[2]}"
    if found := re.fullmatch(r"noises\.noise_(\d+)", name):
        return f"{_conv(int(found[1]))}.noise_const"
    if not (found := re.fullmatch(r"(conv1|convs\.\d+|to_rgb1|to_rgbs\.\d+)\.(.+)", name)):
        return None
    layer, part = found[1], _LAYER_PARTS.get(found[2])
    if part is None:
        return None
    number = int(layer.rpartition(".")[2]) if "." in layer else -1
    place = _conv(number + 1) if layer.startswith("conv") else f"synthesis.b{4 * 2 ** (number + 1)}.torgb"
    return f"{place}.{part}"


def _conv(number: int) -> str:
    """The place of a convolution; number 0 is the only one at 4 pixels."""
    side = 4 * 2 ** ((number + 1) // 2)
    return f"synthesis.b{side}.conv{1 if number % 2 == 0 else 0}"


def _official_shape(name: str, tensor: Tensor) -> Tensor:
    if name.endswith(".const") or (name.endswith(("conv0.weight", "conv1.weight", "torgb.weight"))):
        return tensor[0]
    if name.endswith("noise_const"):
        return tensor[0, 0]
    if name.endswith("noise_strength"):
        return tensor.reshape(())
    return tensor.reshape(-1) if name.endswith("torgb.bias") else tensor


# -- StyleGAN3 -------------------------------------------------------------------------------------------


def stylegan3_sizes(weights: Mapping[str, Tensor], clamp: float | None = None) -> StyleGAN3Sizes:
    """The sizes of the StyleGAN3 that weights belong to.

    Raises:
        CheckpointError: parts are missing, or filters are of another length than in published models.
    """
    named = [m for name in weights if (m := re.fullmatch(r"synthesis\.(L(\d+)_(\d+)_(\d+))\.weight", name))]
    named.sort(key=lambda found: int(found[2]))
    first = weights.get("mapping.fc0.weight")
    if first is None or len(named) < 2 or [int(m[2]) for m in named] != list(range(len(named))):
        raise _other("mapping.fc0.weight and layers synthesis.L0_..., L1_..., ...", "some of them")
    layers = []
    for found in named:
        number, weight = int(found[2]), weights[found[0]]
        up, down = (weights.get(f"synthesis.{found[1]}.{name}_filter") for name in ("up", "down"))
        if any(kernel is not None and len(kernel) % FILTER_SIZE for kernel in (up, down)):
            raise _other(f"filters of {FILTER_SIZE} taps for each doubling", found[1])
        times = [1 if kernel is None else len(kernel) // FILTER_SIZE for kernel in (up, down)]
        size, before = int(found[3]), int(named[max(number - 1, 0)][3])
        last = number == len(named) - 1
        shape = (weight.shape[1], weight.shape[0], before, size, weight.shape[2])
        layers.append(LayerSizes(*shape, times[0], times[1], up, down, last))
    w_dim = weights["synthesis.input.affine.weight"].shape[1]
    return StyleGAN3Sizes(tuple(layers), *_mapping_sizes(weights, first, w_dim), clamp or 256.0)


# -- DCGAN -----------------------------------------------------------------------------------------------

_NUMBERED = re.compile(r"(?:.*\.)?(\d+)\.(weight|bias|running_mean|running_var|num_batches_tracked)")


def plain_dcgan(weights: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The weights under the names of `DCGAN` (``main.0.weight``); None where they are of another model."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        found = _NUMBERED.fullmatch(name)
        if found is None:
            return None
        renamed[f"main.{found[1]}.{found[2]}"] = tensor
    kernels = list(_kernels(renamed))
    fits = len(kernels) > 1 and len(renamed) == len(weights)
    chained = all(a.shape[1] == b.shape[0] for a, b in zip(kernels, kernels[1:], strict=False))
    return renamed if fits and chained and all(k.shape[2:] == (4, 4) for k in kernels) else None


def _kernels(weights: Mapping[str, Tensor]) -> Iterator[Tensor]:
    numbered = {int(name.split(".")[1]): w for name, w in weights.items() if w.dim() == 4}
    for number in sorted(numbered):
        yield numbered[number]


def dcgan_sizes(weights: Mapping[str, Tensor]) -> tuple[int, tuple[int, ...], int]:
    """Numbers in a latent, channels at 4, 8, ... pixels, colours, of weights with the names of `DCGAN`."""
    kernels = list(_kernels(weights))
    return kernels[0].shape[0], tuple(k.shape[1] for k in kernels[:-1]), kernels[-1].shape[1]
