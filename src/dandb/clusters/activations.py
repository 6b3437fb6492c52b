"""Activations of some layers, and how alike their channels are."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.similarity import unit_rows
from torchbend.bending.site import Site
from torchbend.errors import TorchbendError
from torchbend.module import BendedModule
from torchbend.module.measuring import channel_rows

__all__ = ["channel_energies", "compute_activations_similarity", "extract_activations"]

logger = logging.getLogger("dandb")

_KINDS = ("cosine", "correlation")
_TOLD = 8
"""Channels that a warning names, at most."""


def extract_activations(
    bended: BendedModule, names: str | Sequence[str], fn: str = "forward", **inputs: Any
) -> dict[str, Tensor]:
    """Run a method once and keep some of its activations.

    The model runs as it is bent now: reset it first for clusters of the model itself.

    Args:
        bended: a bent model whose method was traced.
        names: of the activations. A full name means that one alone (``"add_6"`` is not ``"add_60"``);
            anything else is a regular expression, matched from the start of the names.
        fn: the method.
        inputs: the method's arguments by name, as for a call.

    Returns:
        Tensors by name, in the order asked for; shape ``[N, C, ...]`` for most layers.

    Raises:
        NotTracedError: the method was not traced.
        SiteNotFoundError: a name or pattern matches no activation; the message names the closest ones.
        TorchbendError: an activation is no tensor.

    Example:
        >>> import torch, torchbend as tb
        >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.Conv1d(1, 4, 3), torch.nn.ReLU()))
        >>> x = torch.zeros(1, 1, 16)
        >>> graph = bended.trace(x)
        >>> {name: tuple(value.shape) for name, value in extract_activations(bended, "_1", input=x).items()}
        {'_1': (1, 4, 14)}
    """
    listed = [names] if isinstance(names, str) else list(names)
    known = set(bended.activation_names(fn))
    patterns = [f"{re.escape(name)}$" if name in known else name for name in listed]
    with torch.no_grad():
        found: dict[str, Any] = bended.get_activations(*patterns, fn=fn, **inputs)
    for name, value in found.items():
        if not isinstance(value, Tensor):
            raise TorchbendError(
                "this activation is no tensor",
                site=f"{fn}:{name}",
                wanted="a tensor",
                got=type(value).__name__,
            )
    return {name: value.detach() for name, value in found.items()}


def compute_activations_similarity(
    activation: Tensor, kind: str = "cosine", dim: int | None = None
) -> Tensor:
    """How alike the channels of an activation are, each with each.

    Each channel's values over the batch and over time (or over the picture) are one vector. Channels without
    a direction (all values 0; for ``"correlation"`` all values equal; NaN or infinity among them) are like no
    other: their rows and columns are 0, their own place on the diagonal too. A warning names them.

    Args:
        activation: what `extract_activations` gives for a name.
        kind: ``"cosine"``, or ``"correlation"``: the cosine after each channel's mean is taken off.
        dim: the dimension of the channels. None: dim 1 (dim 0 of a 1-D one), as for all callbacks.

    Shape: activation ``[N, C, ...]``, result ``[C, C]``, symmetric, from -1 to 1.

    Raises:
        TorchbendError: the kind is unknown, or there are no values.
        ShapeError: the activation has no such dimension.

    Example:
        >>> import torch
        >>> wave = torch.linspace(0, 6.28, 50).sin()
        >>> compute_activations_similarity(torch.stack([wave, -2 * wave])[None]).round(decimals=3)
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if kind not in _KINDS:
        raise TorchbendError(
            "unknown kind of similarity", site="kind", wanted=" or ".join(map(repr, _KINDS)), got=repr(kind)
        )
    rows = _rows(activation, dim)
    finite = rows.isfinite().all(1)
    if kind == "correlation":
        constant = rows.amax(1) == rows.amin(1)
        centred = rows - rows.mean(1, dtype=torch.float64)[:, None].to(rows.dtype)
        rows, silent = centred, "holding one value only"
    else:
        constant, silent = (rows == 0).all(1), "silent"
    _tell(constant, silent)
    _tell(~finite, "holding NaN or infinity")
    directed = finite & ~constant
    units = unit_rows(torch.where(directed[:, None], rows, torch.zeros_like(rows)))
    similarity = (units @ units.T).clamp(-1, 1)
    return similarity.fill_diagonal_(0) + torch.diag(directed.to(similarity.dtype))


def channel_energies(activation: Tensor, dim: int | None = None) -> Tensor:
    """The energy of each channel: its squared values, added up. A channel with NaN or infinity has 0.

    Args:
        activation: what `extract_activations` gives for a name.
        dim: the dimension of the channels, as of `compute_activations_similarity`.

    Shape: activation ``[N, C, ...]``, result ``[C]``, float64.

    Raises:
        TorchbendError: there are no values.
        ShapeError: the activation has no such dimension.
    """
    rows = _rows(activation, dim)
    energies = torch.stack([row.double().square().sum() for row in rows])
    return torch.where(energies.isfinite(), energies, torch.zeros_like(energies))


def _rows(activation: Tensor, dim: int | None) -> Tensor:
    """One row for each channel, as real numbers."""
    if not isinstance(activation, Tensor) or not activation.numel():
        got = list(activation.shape) if isinstance(activation, Tensor) else type(activation).__name__
        raise TorchbendError(
            "there are no values to compare",
            site="activation",
            wanted="a tensor [N, C, ...]",
            got=got,
            next_step="give one of the tensors of extract_activations(...): acts['add_6']",
        )
    site = Site("activation", "activation", None, activation.shape, activation.dtype, "")
    return channel_rows(activation, site, dim)


def _tell(chosen: Tensor, what: str) -> None:
    channels = chosen.nonzero()[:, 0].tolist()
    if channels:
        more = f" and {len(channels) - _TOLD} more" if len(channels) > _TOLD else ""
        logger.warning(
            "%d of %d channels are like no other, %s: %s%s",
            len(channels),
            len(chosen),
            what,
            ", ".join(map(str, channels[:_TOLD])),
            more,
        )
