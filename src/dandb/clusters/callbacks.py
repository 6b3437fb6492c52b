"""One control for each cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks import Cluster, Scale
from torchbend.bending.parameter import BendingParameter

__all__ = ["make_clustered_bending_callbacks"]


def make_clustered_bending_callbacks(
    clusters: Sequence[Sequence[int]],
    callback: Callable[[BendingParameter], BendingCallback] = Scale,
    name: str = "cluster",
    value: float = 1.0,
    range: tuple[float | None, float | None] = (0.0, 2.0),
    dim: int | None = None,
) -> list[Cluster]:
    """A callback for each cluster, with a control of its own; the other channels pass.

    By default the control is a gain: 1.0 leaves the sound as it is, bit for bit, 0.0 takes the cluster out,
    2.0 doubles it.

    Args:
        clusters: lists of channels, from `compute_clusters`, `sort_clusters` or ``bended.similar_channels``.
        callback: makes the callback from its control: ``tb.Scale``, ``tb.Bias``, or
            ``lambda control: tb.Blend(tb.Permute(seed=1), mix=control)``.
        name: what the controls are called: ``cluster_0``, ``cluster_1``, ...
        value: of all controls at first.
        range: lowest and highest value of the controls.
        dim: the dimension of the channels. None: dim 1 of an activation, dim 0 of a weight.

    Returns:
        The callbacks, in the order of the clusters. ``bended.bend(callback, "decode:add_6$")`` puts one in
        force, ``bended.update("cluster_0", 0.0)`` turns its control.

    Raises:
        CallbackError: a cluster is not a list of channels, each once, or ``callback`` made no callback.
        ControlError: the value does not lie in the range.

    Example:
        >>> import torch
        >>> quieter, louder = make_clustered_bending_callbacks([[0, 2], [1]])
        >>> quieter.controls()[0].set_value(0.5)
        >>> quieter(torch.ones(1, 3, 1)).flatten().tolist()
        [0.5, 1.0, 0.5]
    """
    return [
        Cluster(callback(BendingParameter(f"{name}_{number}", value, range=range)), list(channels), dim)
        for number, channels in enumerate(clusters)
    ]
