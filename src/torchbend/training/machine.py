"""Where a training runs: a CPU, a GPU, or several processes that work together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from torchbend.errors import DeviceError, MissingExtraError

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["accelerated", "shared"]


def accelerated(device: str | None = None) -> Accelerator:
    """The machine as ``accelerate`` finds it, or as ``accelerate launch`` says.

    Args:
        device: ``"cpu"`` keeps away from GPUs; others name what must be there.

    Raises:
        MissingExtraError: accelerate is not installed.
        DeviceError: the device is not there.
    """
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise MissingExtraError.of("accelerate", "train", "training") from error
    found = Accelerator(cpu=device == "cpu")
    if device is not None and found.device.type != torch.device(device).type:
        raise DeviceError("there is no such device here", site=device, got=str(found.device))
    return found


def shared(tensors: Iterable[Tensor | None], accelerator: Accelerator) -> None:
    """Replace tensors by their means over all processes, in one message."""
    held = [tensor for tensor in tensors if tensor is not None]
    if accelerator.num_processes == 1 or not held:
        return
    flat: Tensor = accelerator.reduce(torch.cat([t.reshape(-1).float() for t in held]), "mean")
    with torch.no_grad():
        for tensor, mean in zip(held, torch.split(flat, [t.numel() for t in held]), strict=True):
            tensor.copy_(mean.view_as(tensor))
