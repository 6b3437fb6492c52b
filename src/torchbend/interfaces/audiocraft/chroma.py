"""How a melody is heard: the strongest of twelve pitch classes, frame by frame.

Chroma features are Ellis, "Chroma feature analysis and synthesis" (2007); that a language model of music
follows them is Copet et al. (arXiv 2306.05284), section 2.3. The original hears a melody without its drums
and bass, which another model takes out first; here it is heard as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Chroma"]

_LOWEST_A = 27.5  # Hz: octaves are counted from here
_CENTRE, _SPREAD = 5.0, 2.0  # octaves: pitches around 880 Hz count most
_SILENCE = 1e-6


@dataclass(frozen=True)
class Chroma:
    """How a model hears melodies.

    Attributes:
        bins: pitch classes, from C on.
        frames: that it knows at once; shorter melodies are repeated.
        window: samples that a frame looks at.
        hop: samples from frame to frame.
    """

    bins: int = 12
    frames: int = 235
    window: int = 16384
    hop: int = 4096

    def filters(self, sample_rate: int) -> Tensor:
        """How much each frequency of a spectrum counts for each pitch class.

        Each frequency is a bump on the circle of pitch classes. It is as broad as the distance to the next
        frequency, a semitone at least: low frequencies cannot be told apart, and count for all.

        Shape: ``[bins, window // 2 + 1]``.
        """
        count = self.window // 2 + 1
        steps = torch.arange(1, count + 1, dtype=torch.float64)
        pitch = self.bins * torch.log2(steps * sample_rate / self.window / _LOWEST_A)
        pitch = torch.cat([pitch[:1] - 1.5 * self.bins, pitch])  # 0 Hz is put below the lowest
        width = pitch.diff().clamp(min=1.0)
        pitch = pitch[:-1]
        half = round(self.bins / 2)
        apart = pitch - torch.arange(self.bins, dtype=torch.float64)[:, None]
        apart = torch.remainder(apart + half, self.bins) - half
        bumps = torch.exp(-0.5 * (2.0 * apart / width) ** 2)
        bumps = bumps / bumps.norm(dim=0)
        weight = torch.exp(-0.5 * ((pitch / self.bins - _CENTRE) / _SPREAD) ** 2)
        from_c = -3 * (self.bins // 12)  # the circle begins with A so far
        filters: Tensor = (bumps * weight).roll(from_c, 0)
        return filters.float()

    def gram(self, audio: Tensor, sample_rate: int) -> Tensor:
        """The chromagram of sound: the strongest pitch class of each frame is 1.

        Shape: audio ``[B, T]``, result ``[B, T // hop + 1, bins]``.
        """
        missing = max(0, self.window - audio.shape[-1])
        audio = F.pad(audio, (missing // 2, missing - missing // 2))
        window = torch.hann_window(self.window, device=audio.device)
        spectrum = torch.stft(audio, self.window, self.hop, window=window, return_complex=True)
        power = spectrum.abs() ** 2 / window.pow(2).sum()
        found = torch.einsum("cf,bft->btc", self.filters(sample_rate).to(audio.device), power)
        return found / found.amax(-1, keepdim=True).clamp(min=_SILENCE)

    def melody(self, audio: Tensor, sample_rate: int) -> Tensor:
        """The strongest pitch class of each frame; silence is the first.

        Shape: audio ``[B, T]``, result ``[B, T // hop + 1, bins]``: one 1 in each frame.
        """
        return F.one_hot(self.gram(audio, sample_rate).argmax(-1), self.bins).float()

    def none(self, rows: int, device: torch.device) -> Tensor:
        """What stands for no melody: the first pitch class all the time, shape ``[rows, frames, bins]``."""
        first = torch.zeros(rows, self.frames, dtype=torch.long, device=device)
        return F.one_hot(first, self.bins).float()

    def fitted(self, melody: Tensor) -> Tensor:
        """A melody repeated, or cut, to the frames that the model knows.

        Shape: melody ``[B, T, bins]``, result ``[B, frames, bins]``.
        """
        return melody.repeat(1, -(-self.frames // melody.shape[1]), 1)[:, : self.frames]
