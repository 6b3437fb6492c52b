"""What a generation begins with: words, and sound."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from torchbend.audio import read_audio, resample
from torchbend.errors import GenerationError

__all__ = ["Prompts", "as_audio", "as_prompts", "as_tokens"]

Prompts: TypeAlias = str | Sequence[str | None]


def as_prompts(given: object, site: str = "prompts") -> list[str | None]:
    """A list of prompts; one text alone is one prompt.

    Args:
        given: whatever was given.
        site: the argument that it was given as, for messages.

    Raises:
        GenerationError: something else was given, or none.
    """
    prompts = [given] if isinstance(given, str) else given
    held = list(prompts) if isinstance(prompts, list | tuple) else []
    if not held or not all(prompt is None or _is_text(prompt) for prompt in held):
        kinds = ", ".join(type(prompt).__name__ for prompt in held[:4])
        raise GenerationError(
            "a prompt is a text",
            site=site,
            wanted="a list of texts; None in it for sound without a prompt",
            got=f"{type(given).__name__} of {kinds}" if held else type(given).__name__,
            next_step="generate(['calm piano']); generate_unconditional(4) needs no prompt",
        )
    return held


def as_tokens(tokenizer: Any, prompts: Sequence[str | None], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens of the prompts, and which of them count: none of a prompt that is None or empty.

    Returns:
        Two tensors of shape ``[prompts, words]``.
    """
    found = tokenizer([prompt or "" for prompt in prompts], padding=True, return_tensors="pt")
    mask = found["attention_mask"] * torch.tensor([[1 if prompt else 0] for prompt in prompts])
    return found["input_ids"].to(device), mask.to(device)


def as_audio(
    given: Any,
    sample_rate: int | None,
    wanted_rate: int,
    channels: int,
    *,
    site: str = "prompt",
    rate_site: str = "prompt_sample_rate",
) -> Tensor:
    """Sound to go on from, at the model's sample rate and with its channels.

    Args:
        given: shape ``[B, C, T]``, ``[C, T]`` or ``[T]``, or a sound file.
        sample_rate: of it, in Hz; a file knows its own.
        wanted_rate: of the model, in Hz.
        channels: of the model.
        site: the argument that the sound was given as, for messages.
        rate_site: the one of its sample rate.

    Returns:
        Shape ``[B, channels, T]``.

    Raises:
        GenerationError: it is no sound, holds nothing or NaN, or its sample rate was not given.
        AudioFileError: the file cannot be read.
    """
    if isinstance(given, str | os.PathLike):
        given, sample_rate = read_audio(given, wanted_rate)[0], wanted_rate
    if not _is_sound(given):
        shape = f", shape {tuple(given.shape)}" if isinstance(given, Tensor) else ""
        raise GenerationError(
            "this is no sound",
            site=site,
            wanted="a tensor of shape [batch, channels, time], finite values in [-1, 1], or a sound file",
            got=type(given).__name__ + shape,
            next_step=None
            if shape or not hasattr(given, "__array__")
            else "torch.as_tensor(x) makes a tensor of it",
        )
    if not isinstance(sample_rate, int | float) or isinstance(sample_rate, bool) or not sample_rate > 0:
        raise GenerationError(
            "the sample rate of the sound is needed",
            site=rate_site,
            wanted="a rate in Hz",
            got=sample_rate,
            next_step=f"give it: {rate_site}=44100",
        )
    sound = given.reshape(1, 1, -1) if given.dim() == 1 else given[None] if given.dim() == 2 else given
    sound = resample(sound.detach().float().cpu(), sample_rate, wanted_rate)
    if sound.shape[1] == channels:
        return sound
    mono = sound.mean(1, keepdim=True)
    return mono if channels == 1 else mono.expand(-1, channels, -1)


def _is_text(given: object) -> bool:
    """Whether it is a text that can be written: halves of characters (surrogates) cannot."""
    return isinstance(given, str) and not any("\ud800" <= letter <= "\udfff" for letter in given)


def _is_sound(given: object) -> bool:
    """Whether it is a tensor of real numbers with 1 to 3 dimensions, none of them empty."""
    right = isinstance(given, Tensor) and given.is_floating_point() and 1 <= given.dim() <= 3
    return right and given.numel() > 0 and bool(given.isfinite().all())  # type: ignore[attr-defined]
