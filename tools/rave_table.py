"""Write the table of configurations into docs/rave.md: sizes, delays and cost of each full-size model.

Usage: python tools/rave_table.py

The models are built on the meta device: they have shapes and no values, so that nothing is computed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from torchbend import rave
from torchbend.rave.presets import OPTIONS, PRESETS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "rave.md"
BEGIN, END = "<!-- begin: python tools/rave_table.py -->", "<!-- end -->"
HEAD = (
    "| configuration | encoder | decoder | discriminator | latents | ratio "
    "| delay of encode, ms | decode, ms | forward, ms | encode, GFLOP/s | decode, GFLOP/s |\n"
    "|---|" + "--:|" * 10
)
EVERY: tuple[tuple[str, ...], ...] = (*((name,) for name in PRESETS), *(("v2", name) for name in OPTIONS))
"""All complete configurations, and v2 with each option."""

_SAMPLES = 32768


@dataclass(frozen=True)
class Row:
    """What a full-size model is like.

    Attributes:
        names: of the configuration.
        encoder: number of parameters; of `decoder` and `discriminator` likewise.
        latents: number of latent dimensions.
        ratio: audio samples for each latent frame.
        delays: of encode, decode and forward in a stream, in ms.
        gflops: of encode and decode, for a second of audio.
    """

    names: tuple[str, ...]
    encoder: int
    decoder: int
    discriminator: int
    latents: int
    ratio: int
    delays: tuple[float, float, float]
    gflops: tuple[float, float]

    def line(self) -> str:
        """The row of the table."""
        sizes = " | ".join(f"{size:,}" for size in (self.encoder, self.decoder, self.discriminator))
        delays = " | ".join(f"{delay:.1f}" for delay in self.delays)
        cost = " | ".join(f"{flops:.2f}" for flops in self.gflops)
        return f"| {' + '.join(self.names)} | {sizes} | {self.latents} | {self.ratio} | {delays} | {cost} |"


def measured(names: Sequence[str]) -> Row:
    """One configuration, at its full size."""
    with torch.device("meta"):
        model = rave.RAVE(rave.preset(*names)).eval()
    _fill_flags(model)
    frames = _SAMPLES // model.ratio
    audio = torch.zeros(1, model.channels, frames * model.ratio, device="meta")
    latents = torch.zeros(1, model.config.decoder_inputs, frames, device="meta")
    seconds = audio.shape[-1] / model.sample_rate
    return Row(
        tuple(names),
        *(_size(part) for part in (model.encoder, model.decoder, model.discriminator)),
        model.latent_size,
        model.ratio,
        (model.latency("encode"), model.latency("decode"), model.latency("forward")),
        (_flops(model, "encode", audio) / seconds / 1e9, _flops(model, "decode", latents) / seconds / 1e9),
    )


def _fill_flags(model: nn.Module) -> None:
    """Give single numbers their values: the model's own code decides by them."""
    for module in model.modules():
        for name, value in module.named_buffers(recurse=False):
            if value.numel() == 1:
                flag = torch.full(value.shape, int(name == "warmed_up"), dtype=value.dtype)
                setattr(module, name, flag)


def _size(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


def _flops(model: rave.RAVE, method: str, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        getattr(model, method)(x)
    return counter.get_total_flops()


def table() -> str:
    """The whole table."""
    return "\n".join([HEAD, *(measured(names).line() for names in EVERY)])


def with_table(page: str, text: str) -> str:
    """The page with another table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main() -> int:
    """Write the table."""
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), table()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
