"""A short run of a pipeline on a small image: what it hands to its parts gives activations their names."""

from __future__ import annotations

import inspect
from typing import Any

from torchbend.interfaces.diffusion.asking import size_step, takes

__all__ = ["examples_of"]

_SMALLEST_LATENT = 8


def examples_of(pipeline: Any) -> dict[str, Any] | None:
    """Arguments for a short run on a small image; None where it needs something that is not known here."""
    signature = inspect.signature(type(pipeline).__call__)
    known = takes(pipeline)
    asked: dict[str, Any] = {}
    if "prompt" in known:
        asked["prompt"] = ["a"]
    if "class_labels" in known:
        asked["class_labels"] = [0]
    if "num_inference_steps" in known:
        asked["num_inference_steps"] = 2
    if "use_resolution_binning" in known:
        asked["use_resolution_binning"] = False  # it would make a small image large
    if "clean_caption" in known:
        asked["clean_caption"] = False
    small = _small_side(pipeline)
    if small is not None and {"height", "width"} <= set(known):
        asked.update(height=small, width=small)
    needed = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    return None if set(needed) - {"self", *asked} else asked


def _small_side(pipeline: Any) -> int | None:
    """A small side that the UNet can still halve as often as it does."""
    unet = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    config = getattr(unet, "config", None)
    scale = int(getattr(pipeline, "vae_scale_factor", 1) or 1)
    halved = 2 ** max(len(getattr(config, "block_out_channels", None) or ()) - 1, 0)
    step = size_step(pipeline)
    side = -(-max(_SMALLEST_LATENT, halved) * scale // step) * step
    usual: Any = getattr(config, "sample_size", None)
    fits = isinstance(usual, int) and usual * scale % step == 0
    return min(side, usual * scale) if fits else int(side)
