"""A codec on its way to the stage: codes as signals, frames of any size in blocks of a host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.bending.engine import Engine
from torchbend.errors import ExportError
from torchbend.export.context import with_context
from torchbend.export.play import Played, PlayMethod
from torchbend.export.targets import export_played
from torchbend.interfaces.codec.dac import DacCodec
from torchbend.interfaces.codec.encodec import EncodecCodec
from torchbend.interfaces.codec.layers import StreamLayer

__all__ = ["export_codec", "on_stage", "played_codec"]

Codec = EncodecCodec | DacCodec


def played_codec(engine: Engine, codec: Codec, batch: int) -> tuple[dict[str, Played], nn.Module]:
    """The methods ``forward``, ``encode`` and ``decode`` as a host plays them, and what remembers their past.

    A code is played as a number, as often as the host's rate of numbers asks for: hosts take ratios that are
    powers of two, so 320 samples are five numbers, one every 64 samples.

    Args:
        engine: of the bent codec.
        codec: what is bent.
        batch: signals at once, at most.
    """
    hop, books, channels = codec.hop, codec.in_use, codec.channels
    ratio = hop & -hop
    times = hop // ratio

    def encode(x: Tensor) -> Tensor:
        codes: Tensor = engine.call("encode", codec.encode, (x,), {})
        numbers = codes.to(x.dtype)
        return numbers.unsqueeze(-1).expand(-1, -1, -1, times).flatten(2) if times > 1 else numbers

    def decode(x: Tensor) -> Tensor:
        return sound(x[..., times // 2 :: times].round().clamp(0, codec.codes - 1).long())

    def sound(codes: Tensor) -> Tensor:
        made: Tensor = engine.call("decode", codec.decode, (codes,), {})
        missing = codes.shape[-1] * hop - made.shape[-1]
        return F.pad(made, (0, missing)) if isinstance(codec, DacCodec) and _loses(codec) else made

    def forward(x: Tensor) -> Tensor:
        return sound(engine.call("encode", codec.encode, (x,), {}))

    late = float(hop) if times > 1 else 0.0
    own: dict[str, Any] = {"delay": late, "frame": hop if times > 1 else 0, "rows": batch}
    labels = tuple(f"codebook {number + 1}" for number in range(books))
    methods = {
        "forward": Played(PlayMethod(channels, 1, channels, 1), forward, **own),
        "encode": Played(PlayMethod(channels, 1, books, ratio, output_labels=labels), encode, **own),
        "decode": Played(PlayMethod(books, ratio, channels, 1, input_labels=labels), decode, **own),
    }
    if isinstance(codec, EncodecCodec):
        return methods, nn.Module()
    before, after = codec.around(codec.encoder), codec.around(codec.decoder)
    around = {"forward": (before + after) * hop, "encode": before * hop, "decode": after * times}
    return with_context(methods, around, batch, next(codec.parameters()))


def _loses(codec: DacCodec) -> bool:
    """Whether odd strides lose samples at the end."""
    return any(isinstance(p, nn.ConvTranspose1d) and p.stride[0] % 2 for p in codec.decoder.modules())


@contextmanager
def on_stage(codec: Codec, batch: int) -> Iterator[None]:
    """The codec as a fresh stream after silence; afterwards it is what it was.

    Raises:
        ExportError: this codec cannot be played in blocks, or ``batch`` is below 1.
    """
    if codec.streams == "no":
        raise ExportError(
            f"this codec cannot be played in blocks: {codec.why_no_stream}",
            site="nn~",
            wanted="EnCodec at 24 kHz, or DAC",
            next_step="render sound files with it",
        )
    if batch < 1:
        raise ExportError("a file plays one signal at least", site="batch", wanted="1 or more", got=batch)
    layers = [part for part in codec.modules() if isinstance(part, StreamLayer)]
    kept = [dict(layer._buffers) for layer in layers]
    try:
        if isinstance(codec, EncodecCodec):
            codec.open(batch)
        yield
    finally:
        for layer, buffers in zip(layers, kept, strict=True):
            layer._buffers.update(buffers)


def export_codec(
    engine: Engine, codec: Codec, path: str | os.PathLike[str], *, batch: int, patches: bool, **options: Any
) -> Path:
    """Write a codec for nn~; arguments and errors are those of `BendedCodec.export`."""
    with engine.lock, on_stage(codec, batch):
        methods, past = played_codec(engine, codec, batch)
        return export_played(
            engine,
            path,
            methods,
            beside=past,
            patches=patches,
            sample_rate=codec.sample_rate,
            max_batch=batch,
            codebooks=codec.in_use,
            **options,
        )
