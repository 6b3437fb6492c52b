"""Figures of the workshop."""

from __future__ import annotations

import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

__all__ = ["plot_1d_activation", "plot_audio", "plot_kernel_grid", "plot_latent_trajs"]

_POINTS = 4000
"""Most points of a line that are drawn."""


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
        channel_idx: the channels to draw; None draws all of them. A list as long as there are channels says
            which channels of a larger activation these are.

    Returns:
        A figure with one row for each channel, and a ``show()``.

    Raises:
        ValueError: a channel does not exist.
    """
    channels = value.detach().cpu().float()
    channels = channels.reshape(-1, channels.shape[-1]) if channels.ndim <= 2 else channels[0].flatten(0, -2)
    wanted = range(len(channels)) if channel_idx is None else channel_idx
    rows = [wanted] if isinstance(wanted, int) else list(wanted)
    labels = list(rows)
    if len(rows) == len(channels) and not isinstance(wanted, int):
        rows = list(range(len(channels)))
    missing = [row for row in rows if not 0 <= row < len(channels)]
    if missing:
        raise ValueError(f"{name} has {len(channels)} channels; there is no channel {missing[0]}")
    figure = make_subplots(rows=max(len(rows), 1), cols=1, shared_xaxes=True)
    for place, (row, label) in enumerate(zip(rows, labels, strict=True), start=1):
        line = go.Scatter(y=channels[row].numpy(), mode="lines", name=f"{name}[{label}]")
        figure.add_trace(line, row=place, col=1)
    figure.update_layout(title=name, showlegend=False)
    if display:
        figure.show()
    return figure


def plot_audio(audio: torch.Tensor, name: str = "audio", display: bool = False) -> go.Figure:
    """Draws each channel of a sound. Shape of ``audio``: ``[T]`` or ``[C, T]``."""
    channels = audio.detach().cpu().reshape(-1, audio.shape[-1])
    step = max(1, channels.shape[-1] // _POINTS)
    figure = go.Figure([go.Scatter(y=channel[::step].numpy(), mode="lines") for channel in channels])
    figure.update_layout(title=name, showlegend=False)
    if display:
        figure.show()
    return figure


def plot_latent_trajs(z: torch.Tensor, display: bool = False) -> go.Figure:
    """Draws each latent over time. Shape of ``z``: ``[L, T]`` or ``[B, L, T]`` (the first is drawn)."""
    rows = (z[0] if z.dim() == 3 else z).detach().cpu()
    figure = go.Figure([go.Scatter(y=row.numpy(), name=str(i)) for i, row in enumerate(rows)])
    if display:
        figure.show()
    return figure


def plot_kernel_grid(kernels: torch.Tensor, display: bool = False) -> go.Figure:
    """Draws kernels side by side. Shape of ``kernels``: ``[N, K]``."""
    columns = max(1, int(len(kernels) ** 0.5))
    figure = make_subplots(rows=-(-len(kernels) // columns), cols=columns)
    for place, kernel in enumerate(kernels.detach().cpu()):
        line = go.Scatter(y=kernel.numpy(), mode="lines")
        figure.add_trace(line, row=place // columns + 1, col=place % columns + 1)
    figure.update_layout(showlegend=False)
    if display:
        figure.show()
    return figure
