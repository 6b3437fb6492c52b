"""From what a user types on the command line to a sound file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchbend.errors import GenerationError
from torchbend.interfaces.audiocraft.sampling import GenerationParams
from torchbend.interfaces.sounds import SOUND_FILES, write_sound

if TYPE_CHECKING:
    from torchbend.interfaces.audiocraft.verbs import BendedAudiocraft

__all__ = ["render"]

_PARAMS = tuple(field.name for field in fields(GenerationParams))


def render(
    model: BendedAudiocraft,
    out: str | os.PathLike[str],
    inputs: Sequence[str],
    seed: int,
    options: Mapping[str, Any],
) -> Path:
    """Generate one sound and write it; arguments and errors as of `BendedAudiocraft.render`."""
    text, sound = _one_of_each([inputs] if isinstance(inputs, str) else inputs)
    params = dict(options)
    melody = params.pop("melody", None)
    if melody is not None and sound is not None:
        raise _wrong("melody", "a sound to go on from, or a melody to follow", f"{sound} and {melody}")
    unknown = [name for name in params if name not in _PARAMS]
    if unknown:
        raise _wrong(unknown[0], f"one of: {', '.join((*_PARAMS, 'melody'))}", unknown[0])
    before = model.generation_params
    model.generation_params = replace(before, **params)
    try:
        made = _made(model, text, sound, melody, seed)
    finally:
        model.generation_params = before
    write_sound(out, made, model.sample_rate)
    return Path(out)


def _made(model: BendedAudiocraft, text: str | None, sound: str | None, melody: str | None, seed: int) -> Any:
    if melody is not None:
        follow = getattr(model, "generate_with_chroma", None)
        if follow is None:
            raise _wrong("melody", "a MusicGen that follows melodies", type(model).__name__)
        return follow([text], str(melody), seed=seed)
    if sound is not None:
        return model.generate_continuation(sound, descriptions=[text], seed=seed)
    return model.generate([text], seed=seed)


def _one_of_each(inputs: Sequence[str]) -> tuple[str | None, str | None]:
    """The text and the sound file among the inputs."""
    sounds = [given for given in inputs if given.lower().endswith(SOUND_FILES)]
    texts = [given for given in inputs if given not in sounds]
    for name, held in (("text", texts), ("sound file", sounds)):
        if len(held) > 1:
            raise _wrong("inputs", f"at most one {name}: a file holds one sound", ", ".join(held[:4]))
    return (texts or [None])[0], (sounds or [None])[0]  # type: ignore[list-item]


def _wrong(site: str, wanted: str, got: str) -> GenerationError:
    return GenerationError(
        "this cannot be rendered",
        site=site,
        wanted=wanted,
        got=got,
        next_step="torchbend render musicgen:SOURCE 'calm piano' --out piano.wav --option duration=8",
    )
