"""Players below figures: the sound itself is in the page, nothing is fetched."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import torch

from dandb.figures.chart import Array, Player
from dandb.figures.values import joined, numbers, wrong_shape
from torchbend.errors import TorchbendError
from torchbend.plots import audio_data_uri

__all__ = ["audio_element", "checked_rate", "decibels", "player_html", "player_of", "samples_of"]

_MOST_SAMPLES = 6_000_000
"""Samples that a player holds at most, 12 MB: 2 minutes of mono sound at 44.1 kHz."""

_MOST_CHANNELS = 16
"""With more it is no sound that somebody plays."""


def samples_of(x: object, site: str) -> Array:
    """A sound as ``[C, T]``, at most 16 channels; whole numbers of 8, 16 or 32 bits are taken as PCM.

    Args:
        x: ``[T]``, ``[C, T]`` or ``[1, C, T]``.
        site: the argument's name.

    Raises:
        ShapeError: another shape.
        TorchbendError: no numbers.
    """
    found = numbers(x, site)
    shape = found.shape
    found = found[0] if found.ndim == 3 and shape[0] == 1 else found
    found = found[None] if found.ndim == 1 else found
    wanted = f"samples [T], channels [C, T] or [1, C, T], at most {_MOST_CHANNELS} channels"
    if found.ndim == 3:
        raise wrong_shape(site, wanted, shape, "give one sound of the batch: x[0]")
    if found.ndim != 2:
        raise wrong_shape(site, wanted, shape)
    if found.shape[0] > _MOST_CHANNELS:
        raise wrong_shape(site, wanted, shape, "for an activation or a latent: plot_1d_activation(name, x)")
    return (found * np.float32(_step(x))).astype(np.float32)


def checked_rate(sr: float) -> int:
    """A sample rate in Hz as a whole number.

    Raises:
        TorchbendError: it is none.
    """
    if isinstance(sr, bool) or not isinstance(sr, int | float | np.number) or not 1 <= sr < 1e7:
        raise TorchbendError(
            "no sample rate", site="sr", wanted="a number of Hz, 1 or more, as 44100", got=repr(sr)
        )
    return round(float(sr))


def player_of(name: str, samples: Array, sample_rate: int, normalize: bool = False) -> Player:
    """A player, with a note on everything that was done to the sound for it.

    Args:
        name: of the sound.
        samples: ``[C, T]``.
        sample_rate: in Hz.
        normalize: turns a sound that passes full scale down to it, instead of clipping it.
    """
    notes, channels = [], samples.shape[0]
    sound = samples[:, : _MOST_SAMPLES // channels]
    if sound.shape[1] < samples.shape[1]:
        notes.append(f"The player holds the first {sound.shape[1] / sample_rate:.0f} seconds.")
    if not np.isfinite(sound).all():
        sound = np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0)
        notes.append("NaN and infinite values are played as silence.")
    peak = float(np.abs(sound).max())
    if peak > 1 and normalize:
        sound = sound / peak
        notes.append(f"The peak is {peak:.3g}: the player is {decibels(peak)} softer, so that nothing clips.")
    elif peak > 1:
        notes.append(f"The peak is {peak:.3g} ({decibels(peak)} over full scale): the player clips it.")
    tensor = torch.from_numpy(np.ascontiguousarray(sound, dtype=np.float32))
    return Player(name, tensor, sample_rate, joined(*notes))


def player_html(player: Player) -> str:
    """A player with its name and note; the sound is a WAV of 16 bits inside it."""
    name, note = escape(player.name, quote=True), escape(player.note)
    extra = f'<span style="opacity:.75">{note}</span>' if note else ""
    return (
        '<div class="dandb-player" style="display:flex;flex-wrap:wrap;align-items:center;gap:.3em 1em;'
        'margin:.3em 16px .8em;font:13px system-ui,sans-serif">'
        f'<span style="min-width:14em">{name}</span>'
        f"{audio_element(player, 'flex:1 1 20em;max-width:46em;height:2.4em')}{extra}</div>"
    )


def audio_element(player: Player, style: str) -> str:
    """An ``<audio>`` element that holds its sound."""
    name = escape(player.name, quote=True)
    source = audio_data_uri(player.sound, player.sample_rate)
    return f'<audio controls preload="metadata" aria-label="{name}" style="{style}" src="{source}"></audio>'


def decibels(amplitude: float) -> str:
    """An amplitude in dB of full scale, with one digit.

    >>> decibels(0.5), decibels(0)
    ('-6.0 dB', 'silence')
    """
    return f"{20 * math.log10(amplitude):.1f} dB" if amplitude > 0 else "silence"


def _step(x: object) -> float:
    """What one step of PCM is worth; 1 for numbers of all other types."""
    name = str(getattr(x, "dtype", "")).removeprefix("torch.")
    return {"int8": 2.0**-7, "int16": 2.0**-15, "int32": 2.0**-31}.get(name, 1.0)
