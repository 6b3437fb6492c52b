"""Methods that take whole frames, played in blocks of any size.

Hosts play blocks whose size is a power of two. The frames of many codecs are no power of two: 320 samples.
Such a method is traced for whole frames. Around it the file keeps two queues: input that is no whole frame
yet, and output that is not played yet. Together they always hold one frame: the output is one frame late.
"""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.errors import ExportError
from torchbend.export.play import Played

__all__ = ["framed_example", "framed_queues", "framed_source", "frame_of"]

_EXAMPLE_FRAMES = 3


def frame_of(name: str, method: Played) -> tuple[int, int]:
    """Values of a frame of the input, and of the output.

    Raises:
        ExportError: a frame is no whole number of them.
    """
    about = method.about
    if method.frame % about.in_ratio or method.frame % about.out_ratio:
        raise ExportError(
            "a frame is a whole number of values",
            site=f"{name}()",
            wanted=f"a frame that the ratios {about.in_ratio} and {about.out_ratio} divide",
            got=f"{method.frame} samples",
        )
    return method.frame // about.in_ratio, method.frame // about.out_ratio


def framed_example(name: str, method: Played, like: Tensor) -> Tensor:
    """Some frames of noise for the tracer."""
    values = frame_of(name, method)[0]
    noise = torch.Generator().manual_seed(0)
    shape = (1, method.about.in_channels, _EXAMPLE_FRAMES * values)
    return (0.3 * torch.randn(shape, generator=noise)).to(like)


def framed_queues(name: str, method: Played, like: Tensor) -> dict[str, Tensor]:
    """What the file holds: both queues, of ``rows`` signals, and how many values wait in the first."""
    taken, made = frame_of(name, method)
    return {
        f"{name}_waiting": like.new_zeros(method.rows, method.about.in_channels, taken),
        f"{name}_ready": like.new_zeros(method.rows, method.about.out_channels, made),
        f"{name}_count": torch.zeros((), dtype=torch.long, device=like.device),
    }


def framed_source(name: str, traced: str, method: Played) -> list[str]:
    """The source of the method that a host calls.

    Args:
        name: of the method.
        traced: of the method that takes whole frames.
        method: what is played.
    """
    taken, made = frame_of(name, method)
    given, played = method.about.in_ratio, method.about.out_ratio
    return [
        f"def {name}(self, x: Tensor) -> Tensor:",
        f"    count = int(self.{name}_count)",
        f"    due = x.size(-1) * {given} // {played}",
        f"    held = torch.cat([self.{name}_waiting[:x.size(0), :, :count], x], -1)",
        f"    out = self.{name}_ready[:x.size(0), :, :{made} - count * {given} // {played}].clone()",
        f"    whole = held.size(-1) // {taken} * {taken}",
        "    if whole > 0:",
        f"        out = torch.cat([out, self.{traced}(held[..., :whole])], -1)",
        "    rest = held.size(-1) - whole",
        "    left = out.size(-1) - due",
        f"    self.{name}_waiting[:x.size(0), :, :rest] = held[..., whole:]",
        f"    self.{name}_ready[:x.size(0), :, :left] = out[..., due:]",
        f"    self.{name}_count.fill_(rest)",
        "    return out[..., :due]",
    ]
