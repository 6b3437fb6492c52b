"""The panels of a sound: its waveform, and its spectrogram."""

from __future__ import annotations

import numpy as np
import torch

from dandb.figures.chart import Array, Curve, HeatMap, Panel
from dandb.figures.reduce import line_points
from torchbend.plots import hz_to_mel, log_mel

__all__ = ["LEVELS_DB", "mel_levels", "spectrogram_panel", "waveform_panel"]

LEVELS_DB = (-85.0, -15.0)
"""Levels of the darkest and of the brightest colour, the same in all figures."""

_BANDS, _COLUMNS, _HOP, _PIECE = 128, 700, 512, 4096
_TICKS_HZ = (200.0, 500, 1000, 2000, 5000, 10000, 20000)


def waveform_panel(
    samples: Array, sample_rate: int, channel: int = 0, limit: float = 1.0, colour: int = 0
) -> Panel:
    """One channel over time; peaks survive the thinning.

    Args:
        samples: ``[C, T]``, not finite where there are to be gaps.
        sample_rate: in Hz.
        channel: which one.
        limit: upper end of the axis, the lower one is its negative.
        colour: number in the theme's colours.
    """
    length = samples.shape[1]
    x, y = line_points(np.arange(length) / sample_rate, samples[channel], 4000)
    name = "amplitude" if samples.shape[0] == 1 else f"channel {channel + 1}"
    hover = "%{x:.3f} s: %{y:.3f}"
    curve = Curve(name, x, y, colour, 1.2, dots=length == 1, hover=hover)
    end = length / sample_rate
    ticks = tuple((float(at), str(at)) for at in (-1, 0, 1)) if limit < 2 else None
    return Panel(
        (curve,), y_label=name, x_label="time in s", x_limits=(0, end), y_limits=(-limit, limit),
        y_ticks=ticks,
    )  # fmt: skip


def spectrogram_panel(samples: Array, sample_rate: int, bar: bool = True) -> Panel:
    """The level in mel bands over time, of the mean of all channels.

    Args:
        samples: ``[C, T]``; values that are not finite are drawn as silence.
        sample_rate: in Hz.
        bar: with a colour bar.
    """
    levels = mel_levels(np.nan_to_num(samples.mean(0), nan=0, posinf=0, neginf=0), sample_rate)
    end = samples.shape[1] / sample_rate
    picture = HeatMap(
        "level in dB", levels, (0, end), (0, _BANDS), LEVELS_DB, bar=bar, hover="%{x:.2f} s: %{z} dB"
    )
    top = hz_to_mel(torch.tensor(sample_rate / 2.0)).item()
    mels = hz_to_mel(torch.tensor(_TICKS_HZ, dtype=torch.float64)).tolist()
    # Bands have their centres at steps 1 to 128 of 129 between 0 and the top; the first fills 0 to 1 here.
    places = [(mel / top * (_BANDS + 1) - 0.5, hz) for mel, hz in zip(mels, _TICKS_HZ, strict=True)]
    ticks = tuple(
        (at, f"{hz / 1000:g} k" if hz >= 1000 else f"{hz:g}") for at, hz in places if 0 <= at < _BANDS
    )
    return Panel(
        (picture,), y_label="frequency in Hz", x_label="time in s", x_limits=(0, end), y_limits=(0, _BANDS),
        y_ticks=ticks,
    )  # fmt: skip


def mel_levels(samples: Array, sample_rate: int) -> Array:
    """Decibels in 128 mel bands, whole numbers, at most 700 columns: of the frames in each the loudest.

    Args:
        samples: ``[T]``, finite.
        sample_rate: in Hz.

    Shape:
        ``[128, columns]``, int8, as small as a notebook wants it.
    """
    n_fft = 2048 if sample_rate >= 32000 else 1024
    sound, frames = torch.from_numpy(np.ascontiguousarray(samples, np.float32)), len(samples) // _HOP + 1
    edge = n_fft // _HOP
    parts = []
    for start in range(0, frames, _PIECE):
        # Pieces overlap by a frame's length, so that an hour of sound does not fill the memory.
        before = min(start, edge)
        piece = sound[(start - before) * _HOP : (start + _PIECE + edge) * _HOP]
        parts.append(log_mel(piece, sample_rate, n_fft, _HOP, _BANDS)[:, before : before + _PIECE])
    levels = torch.cat(parts, 1)[:, :frames].numpy()
    if frames > _COLUMNS:
        levels = np.maximum.reduceat(levels, np.arange(_COLUMNS) * frames // _COLUMNS, axis=1)
    return np.clip(np.round(levels), -120, 40).astype(np.int8)
