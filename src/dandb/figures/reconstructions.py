"""Sounds beside what a model made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dandb.figures.chart import Array, Chart, Panel
from dandb.figures.figure import Figure, finished
from dandb.figures.players import checked_rate, player_of, samples_of
from dandb.figures.sound_panels import LEVELS_DB, mel_levels, spectrogram_panel, waveform_panel
from dandb.figures.theme import theme_of
from dandb.figures.values import blanked, joined, wrong_shape
from torchbend.errors import ShapeError

__all__ = ["plot_reconstructions", "sounds_of"]

_MOST = 6


def plot_reconstructions(
    x: object,
    y: object,
    names: Sequence[str] | None = None,
    display: bool | None = None,
    sr: float = 44100,
    *,
    labels: tuple[str, str] = ("original", "reconstruction"),
    theme: str | None = None,
) -> Figure:
    """Originals at the left, reconstructions at the right: waveform, spectrogram and a player of each.

    Args:
        x: the originals: a batch ``[N, C, T]``, one sound ``[C, T]`` or ``[T]``, or a list of sounds. The
            first six are drawn.
        y: as many reconstructions; lengths may differ.
        names: of the sounds.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        sr: the sample rate of all in Hz.
        labels: the words for both sides.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The figure. Its subtitle tells how far the levels of both spectrograms are apart on average.

    Raises:
        ShapeError: the numbers of sounds or of names differ, or something is no sound.
        TorchbendError: no numbers, no sample rate, or an unknown theme.
    """
    before, after, rate = sounds_of(x, "x"), sounds_of(y, "y"), checked_rate(sr)
    words = [f"sound {number}" for number in range(len(before))] if names is None else list(names)
    if not len(before) == len(after) == len(words):
        raise ShapeError(
            "originals, reconstructions and names do not go together",
            site="plot_reconstructions",
            wanted="as many of one as of the other",
            got=f"{len(before)} originals, {len(after)} reconstructions, {len(words)} names",
        )
    pairs = list(zip(words, before, after, strict=True))[:_MOST]
    end = max(sound.shape[1] for _, *both in pairs for sound in both) / rate
    rows, players, facts, told = [], [], [], ""
    for name, *both in pairs:
        for sound, label in zip(both, labels, strict=True):
            players.append(player_of(f"{name}, {label}", sound, rate))
            told = told or blanked(sound)[1]
        rows += _pair(name, both, labels, rate, end)
        facts.append(f"{name}: {_apart(both, rate):.1f} dB")
    more = f"The first {_MOST} of {len(before)}." if len(before) > _MOST else ""
    told = joined(more, told)
    lead = f"Levels of the spectrograms differ on average by: {', '.join(facts)}."
    chart = Chart(
        title=f"{labels[0]} and {labels[1]}",
        subtitle=joined(lead, told, *sorted({player.note for player in players if player.note})),
        description=joined(f"Waveforms and spectrograms of {len(pairs)} pairs of sounds. {lead}", told),
        rows=tuple(rows),
        heights=(90.0, 150.0) * len(pairs),
        theme=theme_of(theme),
        share_x=True,
        players=tuple(players),
    )
    return finished(chart, display)


def sounds_of(x: object, site: str) -> list[Array]:
    """Sounds ``[C, T]`` of a batch ``[N, C, T]``, of one sound, or of a list of sounds.

    Raises:
        ShapeError: something is no sound, or there is none.
    """
    shape = getattr(x, "shape", None)
    if shape is not None and len(shape) != 3:
        return [samples_of(x, site)]
    if shape is None and not isinstance(x, list | tuple):
        raise wrong_shape(site, "sounds: [N, channels, T], or a list of [channels, T]", ())
    items: list[object] = list(x)  # type: ignore[call-overload]
    if items and all(np.ndim(item) == 0 for item in items):  # type: ignore[arg-type]
        return [samples_of(x, site)]
    if not items:
        raise wrong_shape(site, "one sound at least", tuple(shape or (0,)))
    return [samples_of(item, f"{site}[{number}]") for number, item in enumerate(items)]


def _pair(
    name: str, both: list[Array], labels: tuple[str, str], rate: int, end: float
) -> list[tuple[Panel, ...]]:
    """Two rows: waveforms, spectrograms."""
    limit = max(1.0, *(1.05 * float(np.nanmax(np.abs(blanked(sound)[0]), initial=0.0)) for sound in both))
    top, bottom = [], []
    for side, (sound, label) in enumerate(zip(both, labels, strict=True)):
        mean = blanked(sound)[0].mean(0, keepdims=True)
        waves = waveform_panel(mean, rate, limit=limit, colour=side)
        tones = spectrogram_panel(sound, rate, bar=side == 1)
        words = ("", "") if side else (waves.y_label, tones.y_label)
        top.append(replace(waves, title=f"{name}, {label}", x_limits=(0, end), y_label=words[0]))
        bottom.append(replace(tones, x_limits=(0, end), y_label=words[1]))
    return [tuple(top), tuple(bottom)]


def _apart(both: list[Array], rate: int) -> float:
    """Mean difference of levels in dB, over the length that both have."""
    length = min(sound.shape[1] for sound in both)
    levels = []
    for sound in both:
        mono = np.nan_to_num(sound[:, :length].mean(0), nan=0, posinf=0, neginf=0)
        levels.append(np.clip(mel_levels(mono, rate).astype(np.float32), *LEVELS_DB))
    return float(np.abs(levels[0] - levels[1]).mean())
