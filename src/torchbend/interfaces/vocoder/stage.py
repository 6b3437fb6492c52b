"""A vocoder on its way to the stage: blocks of sound and of mel bands, without borders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from torchbend.bending.engine import Engine
from torchbend.export.context import with_context
from torchbend.export.play import Played, PlayMethod
from torchbend.export.targets import export_played
from torchbend.interfaces.vocoder.model import Vocoder

__all__ = ["export_vocoder", "played_vocoder"]


def played_vocoder(engine: Engine, vocoder: Vocoder, batch: int) -> tuple[dict[str, Played], nn.ModuleDict]:
    """The methods ``mel``, ``decode`` and ``forward`` as a host plays them, and what remembers their past.

    Args:
        engine: of the bent vocoder.
        vocoder: what is bent.
        batch: signals at once, at most.
    """
    sizes = vocoder.generator.sizes
    hop, edge = sizes.hop, -(-vocoder.analysis.n_fft // 2 // sizes.hop)
    bands = tuple(f"band {number + 1}" for number in range(sizes.bands))

    def mel(x: Tensor) -> Tensor:
        return engine.call("mel", vocoder.mel, (x,), {})  # type: ignore[no-any-return]

    def decode(x: Tensor) -> Tensor:
        return engine.call("decode", vocoder.decode, (x,), {})  # type: ignore[no-any-return]

    methods = {
        "forward": Played(PlayMethod(1, 1, 1, 1), lambda x: decode(mel(x))),
        "mel": Played(PlayMethod(1, 1, sizes.bands, hop, output_labels=bands), mel),
        "decode": Played(PlayMethod(sizes.bands, hop, 1, 1, input_labels=bands), decode),
    }
    around = {"forward": (sizes.reach + edge) * hop, "mel": edge * hop, "decode": sizes.reach}
    return with_context(methods, around, batch, vocoder.generator.conv_pre.weight)


def export_vocoder(
    engine: Engine,
    vocoder: Vocoder,
    path: str | os.PathLike[str],
    *,
    batch: int,
    patches: bool,
    **options: Any,
) -> Path:
    """Write a vocoder for nn~; arguments and errors are those of `BendedVocoder.export`."""
    methods, past = played_vocoder(engine, vocoder, batch)
    return export_played(
        engine,
        path,
        methods,
        beside=past,
        patches=patches,
        sample_rate=vocoder.sample_rate,
        max_batch=batch,
        **options,
    )
