"""The weights of a StyleGAN2 under the names of rosinality's program, and in NVIDIA's pickles."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.interfaces.gan import StyleGAN2


def rosinality(model: StyleGAN2) -> dict[str, Any]:
    """A checkpoint as that program saves it: ``g_ema`` and ``latent_avg``."""
    own = model.state_dict()
    named: dict[str, Tensor] = {"input.input": own["synthesis.b4.const"][None]}
    for number in range(model.sizes.mapping_layers):
        for part in ("weight", "bias"):
            named[f"style.{number + 1}.{part}"] = own[f"mapping.fc{number}.{part}"]
    sides = model.sizes.resolutions
    convs = [(4, "conv1")] + [(side, conv) for side in sides[1:] for conv in ("conv0", "conv1")]
    for number, (side, conv) in enumerate(convs):
        place = f"synthesis.b{side}.{conv}"
        to = "conv1" if number == 0 else f"convs.{number - 1}"
        named[f"{to}.conv.weight"] = own[f"{place}.weight"][None]
        named[f"{to}.conv.modulation.weight"] = own[f"{place}.affine.weight"]
        named[f"{to}.conv.modulation.bias"] = own[f"{place}.affine.bias"]
        named[f"{to}.noise.weight"] = own[f"{place}.noise_strength"][None]
        named[f"{to}.activate.bias"] = own[f"{place}.bias"]
        named[f"noises.noise_{number}"] = own[f"{place}.noise_const"][None, None]
        if conv == "conv0":
            named[f"{to}.conv.blur.kernel"] = own[f"{place}.resample_filter"] * 4
    for number, side in enumerate(sides):
        place = f"synthesis.b{side}.torgb"
        to = "to_rgb1" if number == 0 else f"to_rgbs.{number - 1}"
        named[f"{to}.bias"] = own[f"{place}.bias"][None, :, None, None]
        named[f"{to}.conv.weight"] = own[f"{place}.weight"][None]
        named[f"{to}.conv.modulation.weight"] = own[f"{place}.affine.weight"]
        named[f"{to}.conv.modulation.bias"] = own[f"{place}.affine.bias"]
        if number:
            named[f"{to}.upsample.kernel"] = own["synthesis.b8.resample_filter"] * 4
    return {"g_ema": named, "latent_avg": own["mapping.w_avg"]}


# -- pickles ---------------------------------------------------------------------------------------------


def _reconstruct_persistent_obj(meta: Any) -> Any:
    raise AssertionError("the pickle was run")


class EasyDict(dict[str, Any]):
    """A dict of another name."""


for home, thing in (("torch_utils.persistence", _reconstruct_persistent_obj), ("dnnlib.util", EasyDict)):
    thing.__module__ = home
EasyDict.__qualname__ = "EasyDict"


class Persistent:
    """A module that is pickled as NVIDIA's are: the source of its class, and its attributes."""

    def __init__(self, module: nn.Module, **made_with: Any) -> None:
        self.module, self.made_with = module, made_with

    def __reduce__(self) -> Any:
        parts = {n: p for n, p in self.module._modules.items() if not isinstance(p, nn.Identity)}
        state = {
            "training": False,
            "_parameters": OrderedDict(self.module._parameters),
            "_buffers": OrderedDict(self.module._buffers),
            "_non_persistent_buffers_set": set(),
            "_backward_hooks": OrderedDict(),
            "_modules": OrderedDict((name, Persistent(part)) for name, part in parts.items()),
            "_init_args": (),
            "_init_kwargs": EasyDict(self.made_with),
        }
        source = "raise SystemExit('the source in the pickle was run')"
        meta = {
            "type": "class",
            "version": 6,
            "module_src": source,
            "class_name": "Generator",
            "state": state,
        }
        return _reconstruct_persistent_obj, (meta,), None


def write_nvidia(path: Path, content: dict[str, Any], protocol: int = 4) -> Path:
    """Pickle as NVIDIA's program does, whose modules are there only meanwhile."""
    homes = {
        name: types.ModuleType(name)
        for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
    }
    homes["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    homes["dnnlib.util"].EasyDict = EasyDict  # type: ignore[attr-defined]
    sys.modules.update(homes)
    try:
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    finally:
        for name in homes:
            del sys.modules[name]
    return path


def nvidia(path: Path, model: StyleGAN2, clamp: float | None = None, protocol: int = 4) -> Path:
    """A network pickle with ``G_ema``, and with what else is in one."""
    made_with = {"z_dim": 32, "synthesis_kwargs": EasyDict(conv_clamp=clamp, num_fp16_res=4)}
    other = Persistent(nn.Linear(2, 2))
    content = {
        "G": other,
        "D": other,
        "G_ema": Persistent(model, **made_with),
        "training_set_kwargs": EasyDict(a=1),
    }
    return write_nvidia(path, content, protocol)


def images(model: StyleGAN2, count: int = 2) -> Tensor:
    """What the model itself makes, from -1 to 1."""
    with torch.no_grad():
        return model(torch.randn(count, model.sizes.z_dim, generator=torch.Generator().manual_seed(5)))
