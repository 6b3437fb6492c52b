"""A model of audiocraft's kind, looked into and bent; what it generates is in `verbs`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

import torch

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
from torchbend.interfaces.audiocraft.tiny import tiny_model
from torchbend.interfaces.base import BendingInterface
from torchbend.interfaces.sounds import SOUND_FILES
from torchbend.interfaces.sources import has_transformers_layout

__all__ = ["AudiocraftInterface", "Path"]

Path = str | os.PathLike[str]

Self = TypeVar("Self", bound="AudiocraftInterface")

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

    extra = "transformers"
    makes = "sound from words"
    writes = SOUND_FILES
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

    @classmethod
    def tiny(cls: type[Self], seed: int = 0, *, melody: bool = False, **options: Any) -> Self:
        """A tiny model with random weights (`tiny_model`): what it plays is noise.

        Args:
            seed: of its weights.
            melody: one that follows melodies.
            options: the class's other arguments.

        Raises:
            MissingExtraError: transformers is not installed.
        """
        return cls(tiny_model(seed, melody=melody), **options)

    def example_inputs(self) -> Mapping[str, Any]:
        """An example input for each method whose activations have names."""
        model = self._model
        sizes, device = model.lm.sizes, model.device
        ids = torch.ones(1, 3, dtype=torch.long, device=device)
        with torch.no_grad():
            words = model.condition(ids, ids)
        hears = sizes.chroma
        melody = () if hears is None else (False, hears.none(1, device))
        frame = torch.zeros(1, sizes.codebooks, 1, dtype=torch.long, device=device)
        samples = _TRACED_FRAMES * model.compression_model.hop
        return {
            "condition": (ids, ids.clone(), *melody),
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
    def follows_melody(self) -> bool:
        """Whether the model was made to follow melodies."""
        return self._model.lm.sizes.chroma is not None

    @property
    def duration(self) -> float:
        """Seconds that are generated."""
        return self.generation_params.duration

    @property
    def max_duration(self) -> float:
        """Seconds that the model hears at once (``longest``)."""
        return self.longest

    def set_generation_params(
        self,
        use_sampling: bool = True,
        top_k: int = 250,
        top_p: float = 0.0,
        temperature: float = 1.0,
        duration: float | None = None,
        cfg_coef: float = 3.0,
        two_step_cfg: bool = False,
        extend_stride: float | None = None,
    ) -> None:
        """Set how sound is generated; what is not given is set to its default, as audiocraft does.

        Args:
            use_sampling: False: always the likeliest code.
            top_k: draw among so many of the likeliest codes; 0: among all.
            top_p: draw among the likeliest codes that have this probability together; 0: off.
            temperature: below 1 the likely gets likelier, above 1 less so.
            duration: in seconds, 30 by default (AudioGen: 10); above `longest` in overlapping windows.
            cfg_coef: how much the prompt counts.
            two_step_cfg: with and without prompt one after the other: less memory, more time.
            extend_stride: seconds that each further window adds, less than `longest`; 18 by default
                (AudioGen: 2).

        Raises:
            GenerationError: one of them is out of range.
        """
        usual = self.default_params
        self.generation_params = GenerationParams(
            use_sampling=use_sampling,
            top_k=top_k,
            top_p=top_p,
            temperature=temperature,
            duration=usual.duration if duration is None else duration,
            cfg_coef=cfg_coef,
            two_step_cfg=two_step_cfg,
            extend_stride=usual.extend_stride if extend_stride is None else extend_stride,
        )

    # -- the documents' short patterns -----------------------------------------------------------------------

    def _own_names(self, patterns: Sequence[str], kind: str | None = None) -> Sequence[str]:
        """``lm.transformer.3.weight`` means all weights of layer 3."""
        return [written_out(pattern) for pattern in patterns]

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
