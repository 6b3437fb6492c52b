"""Where a training runs: a CPU, a GPU, or several processes that work together."""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

from torchbend.errors import DeviceError, MissingExtraError
from torchbend.rave.together import ALONE, Together

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["accelerated", "shared", "together"]


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
    named = None if device is None else _named(device)
    begun = _connected()
    found = Accelerator(cpu=named is not None and named.type == "cpu")
    if _connected() and not begun:
        atexit.register(_leave)
    own = found.device
    if named is not None and (named.type != own.type or named.index not in (None, own.index or 0)):
        raise _elsewhere(str(device), str(own))
    return found


def _connected() -> bool:
    """Whether this process belongs to a group of several."""
    return dist.is_available() and dist.is_initialized()


def _leave() -> None:
    """Take leave of the others, at the end of the process: runs that follow each other share the group."""
    if _connected():
        dist.destroy_process_group()


def _named(device: str) -> torch.device:
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise _elsewhere(device, "a name that PyTorch does not know") from error


def _elsewhere(device: str, got: str) -> DeviceError:
    return DeviceError(
        "a training cannot run there",
        site=f"--device {device}",
        got=got,
        next_step="name what is there, as cpu or cuda; CUDA_VISIBLE_DEVICES=1 takes the second GPU",
    )


def shared(tensors: Iterable[Tensor | None], accelerator: Accelerator) -> None:
    """Replace tensors by their means over all processes, in one message."""
    held = [tensor for tensor in tensors if tensor is not None]
    if accelerator.num_processes == 1 or not held:
        return
    flat: Tensor = accelerator.reduce(torch.cat([t.reshape(-1).float() for t in held]), "mean")
    with torch.no_grad():
        for tensor, mean in zip(held, torch.split(flat, [t.numel() for t in held]), strict=True):
            tensor.copy_(mean.view_as(tensor))


def together(accelerator: Accelerator) -> Together:
    """The processes that train, for what learns without gradients."""
    if accelerator.num_processes == 1:
        return ALONE

    def added(tensor: Tensor) -> Tensor:
        whole: Tensor = accelerator.reduce(tensor, "sum")
        return whole

    return Together(accelerator.process_index, accelerator.num_processes, added)
