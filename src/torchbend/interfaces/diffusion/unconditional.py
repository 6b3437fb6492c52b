"""The loop of pipelines that make images of noise alone, for noise that is given: their own take none."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor

__all__ = ["makes_from_noise", "run_from"]

_OF_STEP = ("eta", "use_clipped_model_output", "generator")


def makes_from_noise(pipeline: Any) -> bool:
    """Whether a pipeline is a denoiser of images and a scheduler, and nothing else (DDPM, DDIM)."""
    return {name for name, part in pipeline.components.items() if part is not None} == {"unet", "scheduler"}


def run_from(pipeline: Any, noise: Tensor, asked: dict[str, Any]) -> Tensor:
    """Images of noise: what ``DDPMPipeline`` and ``DDIMPipeline`` do after they have drawn theirs.

    Args:
        pipeline: the pipeline.
        noise: shape ``[B, C, H, W]``.
        asked: arguments of the pipeline's call.

    Returns:
        Shape ``[B, C, H, W]``, from 0 to 1.
    """
    call = inspect.signature(type(pipeline).__call__).parameters
    usual = {name: parameter.default for name, parameter in call.items()}
    given = {**usual, **asked}
    scheduler = pipeline.scheduler
    of_step = inspect.signature(scheduler.step).parameters
    more = {name: given[name] for name in _OF_STEP if name in of_step and name in given}
    scheduler.set_timesteps(given["num_inference_steps"])
    image = noise
    for time in scheduler.timesteps:
        image = scheduler.step(pipeline.unet(image, time).sample, time, image, **more).prev_sample
    return (image / 2 + 0.5).clamp(0, 1)
