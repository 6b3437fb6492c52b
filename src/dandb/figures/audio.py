"""One sound: waveform, spectrogram, player."""

from __future__ import annotations

import numpy as np

from dandb.figures.chart import Array, Chart
from dandb.figures.figure import Figure, finished
from dandb.figures.players import checked_rate, decibels, player_of, samples_of
from dandb.figures.sound_panels import spectrogram_panel, waveform_panel
from dandb.figures.theme import theme_of
from dandb.figures.values import blanked, joined

__all__ = ["described", "plot_audio"]


def plot_audio(
    x: object,
    name: str = "audio",
    display: bool | None = None,
    sr: float = 44100,
    *,
    normalize: bool = False,
    theme: str | None = None,
) -> Figure:
    """Waveform, spectrogram and player of a sound.

    Long sounds are thinned so that peaks survive: a click of one sample is still there. The spectrogram shows
    mel bands, of the mean of all channels, in the same colours for the same levels in all figures.

    Args:
        x: the sound ``[T]``, ``[C, T]`` or ``[1, C, T]``: a tensor on any device, an array or a list. Whole
            numbers of 8, 16 or 32 bits are taken as PCM.
        name: of the sound, the figure's title.
        display: ``True`` draws at once, ``None`` at the end of the cell at the latest, ``False`` not until
            asked for; see `Figure`.
        sr: its sample rate in Hz.
        normalize: the player turns a sound that passes full scale down. By default it clips, as your
            loudspeakers would; the figure says which.
        theme: ``"light"``, ``"dark"``, or ``None`` for that of plotly in this session.

    Returns:
        The figure: ``.save("x.png")`` or ``.save("x.html")`` keeps it.

    Raises:
        ShapeError: the shape is not that of one sound.
        TorchbendError: no numbers, no sample rate, or an unknown theme.
        MissingExtraError: plotly is not installed.

    Example:
        >>> figure = plot_audio([0.0, 0.5] * 4000, name="buzz", sr=8000, display=False)
        >>> figure.description
        'Waveform and spectrogram: 1.00 s, mono, 8000 Hz, peak 0.5 (-6.0 dB).'
    """
    samples, rate = samples_of(x, "x"), checked_rate(sr)
    player = player_of(name, samples, rate, normalize)
    samples, told = blanked(samples)
    peak = float(np.nanmax(np.abs(samples))) if not np.isnan(samples).all() else 0.0
    limit = max(1.0, 1.05 * peak)
    waves = [waveform_panel(samples, rate, channel, limit) for channel in range(len(samples))]
    panels = [*waves, spectrogram_panel(samples, rate)]
    facts = described(samples, rate, peak)
    chart = Chart(
        title=name,
        subtitle=joined(facts[0].upper() + facts[1:], told, player.note),
        description=joined(f"Waveform and spectrogram: {facts}", told, player.note),
        rows=tuple((panel,) for panel in panels),
        heights=(*(max(60, 130 - 15 * len(waves)) for _ in waves), 210),
        theme=theme_of(theme),
        share_x=True,
        players=(player,),
    )
    return finished(chart, display)


def described(samples: Array, sample_rate: int, peak: float) -> str:
    """Length, channels, sample rate and peak of a sound, in words."""
    count = {1: "mono", 2: "stereo"}.get(len(samples), f"{len(samples)} channels")
    length = samples.shape[1] / sample_rate
    seconds = f"{length:.2f} s" if length >= 0.1 else f"{length:.3f} s"
    return f"{seconds}, {count}, {sample_rate} Hz, peak {peak:.3g} ({decibels(peak)})."
