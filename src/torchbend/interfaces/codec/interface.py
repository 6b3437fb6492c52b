"""Neural codecs, looked into and bent: what they are, and how they are loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from torchbend.interfaces.base import BendingInterface
from torchbend.interfaces.codec.given import number_of_codebooks
from torchbend.interfaces.codec.loading import Codec, codec_of, read_codec
from torchbend.interfaces.codec.model import CodecModel
from torchbend.interfaces.codec.tiny import Kind, tiny_codec

__all__ = ["CodecInterface", "Location"]

Location = str | os.PathLike[str]
Self = TypeVar("Self", bound="CodecInterface")

_TRACED_FRAMES = 12


class CodecInterface(BendingInterface):
    """EnCodec or DAC: construction, and what it is; the verbs are in `BendedCodec`.

    Args:
        source: a folder, or a name of the model hub, in transformers' layout; a model of transformers in
            memory (``EncodecModel``, ``DacModel``: its weights are copied).
        cache_dir: where what is fetched is kept.
        bandwidth: in kilobits a second: as many codebooks as fit in are in use. All of them by default.
        codebooks: how many are in use, instead.
        weight_norm: keep normalised weights in two parts (``parametrizations.weight.original0``, lengths, and
            ``original1``, directions) that can be bent too. By default each is one weight.
        device: where it runs.

    Raises:
        CheckpointError: there is no such folder or name, or it holds a model of another kind.
        WeightsFileError: a file cannot be read without running code, or does not fit.
        GenerationError: the codec has no such number of codebooks.
        MissingExtraError: transformers is not installed.
    """

    def __init__(
        self,
        source: Location | nn.Module,
        cache_dir: Location | None = None,
        *,
        bandwidth: float | None = None,
        codebooks: int | None = None,
        weight_norm: bool = False,
        device: str | torch.device = "cpu",
    ) -> None:
        codec: Codec
        if isinstance(source, CodecModel):
            codec = source  # type: ignore[assignment]
        elif isinstance(source, str | os.PathLike):
            codec = read_codec(source, cache_dir, whole=not weight_norm)
        else:
            codec = codec_of(source, whole=not weight_norm)
        codec.in_use = number_of_codebooks(codec, bandwidth, codebooks)
        super().__init__(codec.eval().requires_grad_(False).to(device))
        self._source = os.fspath(source) if isinstance(source, str | os.PathLike) else "in memory"
        self.trace_methods()

    @classmethod
    def tiny(cls: type[Self], seed: int = 0, *, model: Kind = "encodec", **options: Any) -> Self:
        """A tiny codec with random weights: to try things out, without a download. What it plays is noise.

        Args:
            seed: of its weights.
            model: ``"encodec"``, ``"encodec-48khz"`` or ``"dac"``.
            options: the class's other arguments.
        """
        return cls(tiny_codec(model, seed), **options)

    def example_inputs(self) -> Mapping[str, Any]:
        """An example input for each method whose activations have names."""
        codec = self._codec
        samples = _TRACED_FRAMES * codec.hop
        noise = torch.Generator().manual_seed(0)
        sound = 0.1 * torch.randn(1, codec.channels, samples, generator=noise)
        z = torch.randn(1, codec.size, _TRACED_FRAMES, generator=noise)
        codes = torch.zeros(1, codec.in_use, _TRACED_FRAMES, dtype=torch.long)
        given: dict[str, Tensor] = {"encode": sound, "quantize": z, "latents": codes, "decode": codes}
        return {name: x.to(codec.device) for name, x in given.items()}

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def _codec(self) -> Codec:
        return self.module  # type: ignore[return-value]

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self._codec.sample_rate

    @property
    def channels(self) -> int:
        """Channels of the sound."""
        return self._codec.channels

    @property
    def ratio(self) -> int:
        """Samples for each frame of codes."""
        return self._codec.hop

    @property
    def frame_rate(self) -> float:
        """Frames of codes in a second."""
        return self.sample_rate / self.ratio

    @property
    def codes(self) -> int:
        """Entries of a codebook: a code is 0 to one less."""
        return self._codec.codes

    @property
    def codebooks(self) -> int:
        """Codebooks that `encode` writes."""
        return self._codec.in_use

    @property
    def most_codebooks(self) -> int:
        """Codebooks that the codec has."""
        return self._codec.most

    @property
    def bandwidth(self) -> float:
        """Kilobits a second, with the codebooks that are in use."""
        return self._codec.bits * self.frame_rate * self.codebooks / 1000

    @property
    def latent_size(self) -> int:
        """Numbers of a latent frame."""
        return self._codec.size

    def __repr__(self) -> str:
        kind = {"EncodecCodec": "EnCodec"}.get(type(self._codec).__name__, "DAC")
        channels = "mono" if self.channels == 1 else "stereo"
        weights = sum(weight.numel() for weight in self._codec.parameters())
        return (
            f"{type(self).__name__}({self._source}: {kind}, {self.sample_rate} Hz, {channels}, "
            f"{self.codebooks} of {self.most_codebooks} codebooks, {weights:,} weights)"
        )
