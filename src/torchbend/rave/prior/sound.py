"""Sound that a prior makes up: latents from it, audio from the model that it is for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from torchbend.errors import ControlError, ShapeError
from torchbend.rave.model import RAVE
from torchbend.rave.prior.prior import Prior

__all__ = ["made_up"]

BLOCK = 32
"""Frames that are decoded at once: the sound may be long, memory stays small."""


@torch.no_grad()
def made_up(
    prior: Prior,
    seconds: float,
    *,
    temperature: float = 1.0,
    prompt: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """Sound from nothing, or sound that follows another.

    Args:
        prior: with its model.
        seconds: of sound, above 0.
        temperature: logits are divided by it: 1 is as learnt, less is surer, more is freer.
        prompt: what comes before, at the model's sample rate, shape ``[C, T]``, T at least a frame; it is no
            part of the result. A rest shorter than a frame is left out at its start.
        seed: gives the same sound each time; PyTorch's own randomness is left alone.

    Returns:
        Shape ``[C, seconds * sample_rate]``, rounded to whole samples, on the CPU.

    Raises:
        ControlError: there would be no sound, or the temperature is below zero or no number.
        ShapeError: the prompt has other channels, or is shorter than a frame.
    """
    model = prior.synth
    samples = round(seconds * model.sample_rate) if 0 < seconds < math.inf else 0
    if samples < 1:
        raise ControlError("there is nothing to make", site="seconds", wanted="above 0", got=seconds)
    late = int(model.delay("decode"))
    device = prior.like.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), _aside(model):
        torch.manual_seed(seed)
        before = None if prompt is None else prior.encode(_whole(prompt, model).to(prior.like))
        frames = -(-(samples + late) // model.ratio)
        z = prior.generate(frames, before, temperature=temperature, seed=seed)
        model.stream()
        made = [prior.decode(part).cpu() for part in torch.split(z, BLOCK, -1)]
    return torch.cat(made, -1)[0, :, late : late + samples]


def _whole(prompt: Tensor, model: RAVE) -> Tensor:
    """The last whole frames of a prompt, as a batch of one."""
    frames = prompt.shape[-1] // model.ratio if prompt.dim() == 2 else 0
    if not frames or prompt.shape[0] != model.config.channels:
        raise ShapeError(
            "this is no sound to go on from",
            site="prompt",
            wanted=f"[{model.config.channels}, T], T at least {model.ratio}",
            got=list(prompt.shape),
        )
    return prompt[None, :, -frames * model.ratio :]


@contextmanager
def _aside(model: RAVE) -> Iterator[None]:
    """The model without its stream; afterwards it is what it was."""
    running = model.stream_state
    model.offline()
    try:
        yield
    finally:
        model.offline()
        if running is not None:
            model.resume(running)
