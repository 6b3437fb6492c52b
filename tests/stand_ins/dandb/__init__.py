"""A stand-in for the workshop package: only what the documents' first cells take from it."""

from __future__ import annotations

import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

__all__ = ["plot_1d_activation"]


def plot_1d_activation(
    name: str,
    value: torch.Tensor,
    display: bool = False,
    channel_idx: int | list[int] | None = None,
) -> go.Figure:
    """Draws each channel of an activation as a line of its own.

    Args:
        name: the activation's name, the figure's title.
        value: the activation; shape ``[T]``, ``[C, T]`` or ``[B, C, T]`` (the first of the batch is drawn).
        display: shows the figure at once.
        channel_idx: the channels to draw; None draws all of them.

    Returns:
        A figure with one row for each channel, and a ``show()``.

    Raises:
        ValueError: a channel does not exist.
    """
    channels = value.detach().cpu().float()
    channels = channels.reshape(-1, channels.shape[-1]) if channels.ndim <= 2 else channels[0].flatten(0, -2)
    wanted = range(len(channels)) if channel_idx is None else channel_idx
    rows = [wanted] if isinstance(wanted, int) else list(wanted)
    missing = [row for row in rows if not 0 <= row < len(channels)]
    if missing:
        raise ValueError(f"{name} has {len(channels)} channels; there is no channel {missing[0]}")
    figure = make_subplots(rows=max(len(rows), 1), cols=1, shared_xaxes=True)
    for place, row in enumerate(rows, start=1):
        line = go.Scatter(y=channels[row].numpy(), mode="lines", name=f"{name}[{row}]")
        figure.add_trace(line, row=place, col=1)
    figure.update_layout(title=name, showlegend=False)
    if display:
        figure.show()
    return figure
