"""Where a training runs: a CPU, a GPU, or several processes that work together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from torchbend.errors import DeviceError, MissingExtraError

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["accelerated"]


def accelerated(precision: str = "no", device: str | None = None) -> Accelerator:
    """The machine as ``accelerate`` finds it, or as ``accelerate launch`` says.

    Args:
        precision: ``"no"``, ``"bf16"`` or ``"fp16"``.
        device: ``"cpu"`` keeps away from GPUs; others name what must be there.

    Raises:
        MissingExtraError: accelerate is not installed.
        DeviceError: the device, or the precision on it, is not there.
    """
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise MissingExtraError.of("accelerate", "train", "training") from error
    try:
        found = Accelerator(mixed_precision=precision, cpu=device == "cpu")
    except ValueError as error:
        raise DeviceError("this precision is not to be had here", site=precision, got=str(error)) from error
    if device is not None and found.device.type != torch.device(device).type:
        raise DeviceError("there is no such device here", site=device, got=str(found.device))
    return found
