"""Exported models for tests: a scripted tree of modules with the names that exports have."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from torchbend.rave import RAVE


class Node(nn.Module):
    """A place in the tree: buffers, other places, and a method that does nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class VariationalScriptedRAVE(Node):
    pass


class WasserteinScriptedRAVE(Node):
    pass


class SphericalScriptedRAVE(Node):
    pass


class DiscreteScriptedRAVE(Node):
    pass


KINDS = {
    "VariationalConfig": VariationalScriptedRAVE,
    "WassersteinConfig": WasserteinScriptedRAVE,
    "SphericalConfig": SphericalScriptedRAVE,
    "DiscreteConfig": DiscreteScriptedRAVE,
}


def folded(model: RAVE) -> dict[str, Tensor]:
    """The tensors of an export: one weight in the place of two parts, nothing that only training needs."""
    state = model.state_dict()
    left = ("discriminator.", "audio_distance.", "multiband_audio_distance.", "receptive_field")
    exported = {}
    for name, value in state.items():
        if name.startswith(left):
            continue
        if name.endswith("weight_g"):
            start = name.removesuffix("weight_g")
            weight = torch._weight_norm(state[f"{start}weight_v"], value, 0)
            exported[f"{start}weight"] = weight
        elif not name.endswith("weight_v"):
            exported[name] = value
    return exported


def caches(model: RAVE) -> dict[str, Tensor]:
    """What the residual units of an exported stream keep, of which the sizes matter."""
    config = model.config
    some = next(n for n in model.state_dict() if n.startswith("decoder.") and n.endswith(".weight_g"))
    place = some.removesuffix(".weight_g")
    found = {f"{place}.cache": torch.zeros(64, 1, 4), f"{place}.another_cache": torch.zeros(1)}
    for part, start, reverse in (
        (config.encoder, "encoder.encoder.net.", False),
        (config.decoder, "decoder.net.", True),
    ):
        if not hasattr(part, "kernel_size"):
            continue
        stages = part.dilations[: len(part.ratios)]
        dilations = [d for stage in (stages[::-1] if reverse else stages) for d in stage]
        units = sorted(
            {int(name.removeprefix(start).split(".")[0]) for name in model.state_dict()
             if name.startswith(start) and ".aligned." in name}
        )  # fmt: skip
        for unit, dilation in zip(units, dilations, strict=True):
            span = (part.kernel_size - 1) * dilation
            ahead = {"causal": 0, "centered": span // 2}[config.padding]
            found[f"{start}{unit}.aligned.branches.0.net.1.cache.pad"] = torch.zeros(64, 1, span)
            found[f"{start}{unit}.aligned.branches.0.net.1.downsampling_delay.pad"] = torch.zeros(64, 1, 0)
            found[f"{start}{unit}.aligned.paddings.0.pad"] = torch.zeros(64, 1, 0)
            found[f"{start}{unit}.aligned.paddings.1.pad"] = torch.zeros(64, 1, ahead)
    return found


def tree(top: Node, tensors: dict[str, Tensor]) -> Node:
    """The modules that give tensors their dotted names."""
    for name, value in tensors.items():
        *path, last = name.split(".")
        place: nn.Module = top
        for part in path:
            if part not in place._modules:
                place.add_module(part, Node())
            place = place._modules[part]
        place.register_buffer(last, value.clone())
    return top


def export(
    model: RAVE, path: Path, wrapper: str = "", sr: int | None = None, extra: dict[str, Tensor] | None = None
) -> Path:
    """Write what an export of a model holds.

    Args:
        wrapper: the name of a module that holds the model, if any.
        sr: the rate that the export tells.
        extra: further tensors, or others.
    """
    kind = KINDS[type(model.config.latent).__name__]
    ratio, size = model.ratio, model.config.latent_size
    factor = (sr or model.sample_rate) // model.sample_rate
    out = size - 1 if kind is SphericalScriptedRAVE else size
    tensors = folded(model) | caches(model)
    tensors["encode_params"] = torch.tensor([model.channels, 1, out, ratio * factor])
    top = tree(kind(), tensors | (extra or {}))
    top.sr = sr or model.sample_rate
    top.latent_size = size
    if wrapper:
        outer = Node()
        outer.add_module(wrapper, top)
        outer.register_buffer("forward_params", torch.ones(4))
        top = outer
    torch.jit.script(top).save(str(path))
    return path
