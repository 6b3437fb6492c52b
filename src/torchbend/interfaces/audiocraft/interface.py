"""A model of audiocraft's kind, looked into and bent; what it generates is in `verbs`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch

from torchbend.bending.callback import BendingCallback
from torchbend.bending.recipe import BendingConfig
from torchbend.errors import CheckpointError
from torchbend.interfaces.audiocraft.language import Attention
from torchbend.interfaces.audiocraft.loaded import Loaded
from torchbend.interfaces.audiocraft.model import AudiocraftModel
from torchbend.interfaces.audiocraft.past import Past
from torchbend.interfaces.audiocraft.patterns import written_out
from torchbend.interfaces.audiocraft.pretrained import read_pretrained
from torchbend.interfaces.audiocraft.published import read_published
from torchbend.interfaces.audiocraft.sampling import GenerationParams
from torchbend.interfaces.audiocraft.sources import (
    AUDIOCRAFT_FILES,
    folder_of,
    has_audiocraft_layout,
)
from torchbend.interfaces.base import BendingInterface
from torchbend.interfaces.sources import has_transformers_layout
from torchbend.module.bending import BendHandle
from torchbend.module.selection import Selection

__all__ = ["AudiocraftInterface", "Path"]

Path = str | os.PathLike[str]

_TRACED_FRAMES = 8


class AudiocraftInterface(BendingInterface):
    """A language model of sound, its codec and its text encoder: looked into, bent, and generating.

    Weights are ``compression_model.*`` (the codec), ``lm.*`` (the language model) and ``text_encoder.*``.
    Activations are those of the methods ``condition`` (words), ``step`` (one step of the language model),
    ``encode`` and ``decode`` (the codec). Each step of a generation is a call of its own: controls that are
    turned meanwhile count from the next step on.

    Args:
        source: a folder, or a name of the model hub, in transformers' layout or audiocraft's two files; or a
            model that is in memory already (`Loaded`).
        cache_dir: where what is fetched is kept.
        text_encoder: for audiocraft's files: folder or hub name of T5, if not the one that they name.
        attention: ``"explicit"`` makes the weights of each attention activations too (``softmax``); slower.
        device: where it runs.

    Attributes:
        longest: seconds that the model hears at once; longer sound is generated in overlapping windows.

    Raises:
        CheckpointError: there is no such folder or name, or it holds a model of another kind.
        WeightsFileError: a file cannot be read without running code.
        MissingExtraError: transformers is not installed.
    """

    export_targets = ()
    why_no_export = "it writes sound step by step, each from what it wrote before, which no block can hold"
    default_params: ClassVar[GenerationParams] = GenerationParams()
    default_longest: ClassVar[float] = 30.0

    def __init__(
        self,
        source: Path | Loaded,
        cache_dir: Path | None = None,
        *,
        text_encoder: Path | None = None,
        attention: Literal["fused", "explicit"] = "fused",
        device: str | torch.device = "cpu",
    ) -> None:
        loaded = _loaded(source, cache_dir, text_encoder)
        model = loaded.model.eval().requires_grad_(False).to(device)
        for part in model.modules():
            if isinstance(part, Attention):
                part.explicit = attention == "explicit"
        super().__init__(model)
        self._tokenizer = loaded.tokenizer
        self._source = "in memory" if isinstance(source, Loaded) else os.fspath(source)
        self.longest = loaded.longest or self.default_longest
        self.generation_params = self.default_params
        self.trace_methods()

    def example_inputs(self) -> Mapping[str, Any]:
        """An example input for each method whose activations have names."""
        model = self._model
        sizes, device = model.lm.sizes, model.device
        ids = torch.ones(1, 3, dtype=torch.long, device=device)
        with torch.no_grad():
            words = model.condition(ids, ids)
        frame = torch.zeros(1, sizes.codebooks, 1, dtype=torch.long, device=device)
        samples = _TRACED_FRAMES * model.compression_model.hop
        return {
            "condition": (ids, ids.clone()),
            "step": (frame, Past(words, 1)),
            "encode": torch.zeros(1, model.channels, samples, device=device),
            "decode": frame.repeat(1, 1, _TRACED_FRAMES),
        }

    @property
    def _model(self) -> AudiocraftModel:
        return self.module  # type: ignore[return-value]

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self._model.compression_model.sample_rate

    @property
    def frame_rate(self) -> float:
        """Frames of codes in a second."""
        return self.sample_rate / self._model.compression_model.hop

    @property
    def audio_channels(self) -> int:
        """Channels of the sound."""
        return self._model.channels

    @property
    def duration(self) -> float:
        """Seconds that are generated."""
        return self.generation_params.duration

    @property
    def max_duration(self) -> float:
        """Seconds that the model hears at once (``longest``)."""
        return self.longest

    # -- bending, with the documents' short patterns ---------------------------------------------------------

    def bend(self, callback: BendingCallback | BendingConfig, *patterns: str, **options: Any) -> BendHandle:
        """Bend (see `BendedModule.bend`); ``lm.transformer.3.weight`` means all weights of layer 3."""
        if isinstance(callback, BendingConfig):
            bends = callback.entries
            callback = BendingConfig(
                *(replace(b, patterns=tuple(map(written_out, b.patterns))) for b in bends)
            )
        return super().bend(callback, *map(written_out, patterns), **options)

    def select(self, pattern: str = ".*", *more: str, **options: Any) -> Selection:
        """Select sites (see `BendedModule.select`); short patterns as of `bend`."""
        return super().select(written_out(pattern), *map(written_out, more), **options)

    def resolve_parameters(self, *patterns: str) -> list[str]:
        """Names of the weights that the patterns select; short patterns as of `bend`."""
        return super().resolve_parameters(*map(written_out, patterns))

    def bendable_keys(self, *patterns: str, **options: Any) -> list[str]:
        """Everything that the patterns select; short patterns as of `bend`."""
        return super().bendable_keys(*map(written_out, patterns), **options)

    def __repr__(self) -> str:
        channels = "mono" if self.audio_channels == 1 else "stereo"
        weights = sum(weight.numel() for weight in self._model.parameters())
        return (
            f"{type(self).__name__}({self._source}: {self.sample_rate} Hz, {channels}, {weights:,} weights)"
        )


def _loaded(source: Path | Loaded, cache_dir: Path | None, text_encoder: Path | None) -> Loaded:
    if isinstance(source, Loaded):
        return source
    folder = folder_of(source, cache_dir)
    if has_transformers_layout(folder):
        return read_pretrained(folder)
    if has_audiocraft_layout(folder):
        return read_published(folder, text_encoder, cache_dir)
    held = sorted(path.name for path in folder.iterdir())
    raise CheckpointError(
        "this folder holds no model that is known here",
        site=str(folder),
        wanted=f"config.json with model.safetensors, or {' and '.join(AUDIOCRAFT_FILES)}",
        got=", ".join(held[:8]) or "nothing",
    )
