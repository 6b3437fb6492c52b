"""The outline of a sound as SVG."""

from __future__ import annotations

from html import escape

import torch
from torch import Tensor

from torchbend.errors import TorchbendError
from torchbend.plots.spectrogram import mono

__all__ = ["envelope", "waveform_svg"]


def envelope(x: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """The lowest and the highest sample of each of ``columns`` equal stretches of a sound.

    Args:
        x: floating point samples ``[*, T]`` with T >= 1; channels are averaged.
        columns: 1 or more; stretches overlap by a sample where there are fewer samples than columns.

    Returns:
        Two tensors ``[columns]``.
    """
    samples = mono(x).nan_to_num(0, 1, -1)
    edges = torch.arange(columns + 1) * samples.numel() // columns
    spans = [
        samples[start : max(end, start + 1)]
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    return torch.stack([span.min() for span in spans]), torch.stack([span.max() for span in spans])


def waveform_svg(
    x: Tensor, width: int = 640, height: int = 64, colour: str = "currentColor", label: str = "waveform"
) -> str:
    """The waveform as one filled outline, full scale from edge to edge; samples beyond are cut.

    Args:
        x: floating point samples ``[*, T]`` with T >= 1; channels are averaged.
        width: in pixels, 1 or more; the picture stretches with the page.
        height: in pixels, 1 or more.
        colour: any CSS colour; by default that of the text around it.
        label: what a screen reader says.

    Returns:
        An ``<svg>`` element.

    Raises:
        TorchbendError: there is no sound, or no room to draw it.
    """
    if width < 1 or height < 1:
        raise TorchbendError(
            "no picture of this size",
            site="waveform_svg",
            wanted="width >= 1, height >= 1",
            got=f"width={width}, height={height}",
        )
    low, high = envelope(x, width)
    # Silence keeps a hairline.
    thin = 0.5
    top = ((1 - high.clamp(-1, 1)) * height / 2 - thin).tolist()
    bottom = ((1 - low.clamp(-1, 1)) * height / 2 + thin).tolist()
    there = "L".join(f"{index} {y:.4g}" for index, y in enumerate(top))
    back = "L".join(f"{index} {y:.4g}" for index, y in reversed(list(enumerate(bottom))))
    return (
        f'<svg class="waveform" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(label, quote=True)}">'
        f'<path fill="{escape(colour, quote=True)}" d="M{there}L{back}z"/></svg>'
    )
