"""Generation step by step: codes out of the language model, sound out of the codec as soon as it is certain.

Each step is one call of the bent model: what is turned meanwhile counts from the next step on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import GenerationError
from torchbend.interfaces.audiocraft.codec import Tail
from torchbend.interfaces.audiocraft.melodies import Melodies
from torchbend.interfaces.audiocraft.model import AudiocraftModel
from torchbend.interfaces.audiocraft.past import Past, Told
from torchbend.interfaces.audiocraft.sampling import GenerationParams, drawn, guided
from torchbend.interfaces.audiocraft.windows import Delayed, Span
from torchbend.interfaces.schedule import Schedule

__all__ = ["Generation"]

Call = Callable[[str, tuple[Any, ...]], Any]


@dataclass
class Generation:
    """One generation.

    Attributes:
        call: calls a method of the bent model, by name.
        model: the model itself.
        words: tokens of the prompts and their mask, each ``[rows, words]``.
        melodies: one for each prompt, for a model that follows them.
        prompt: codes to begin with, shape ``[rows, codebooks, frames]``; without frames where there are none.
        params: how codes are chosen.
        longest: seconds that the model was trained to hear at once.
        generator: of the random numbers.
        schedule: of the controls.
    """

    call: Call
    model: AudiocraftModel
    words: tuple[Tensor, Tensor]
    prompt: Tensor
    params: GenerationParams
    longest: float
    generator: torch.Generator | None
    schedule: Schedule
    melodies: Melodies | None = None

    def __post_init__(self) -> None:
        rate, known = self.frame_rate, self.prompt.shape[-1]
        total, longest = self._frames(self.params.duration), self._frames(self.longest)
        stride = self._frames(self.params.extend_stride)
        if total < 1 or known >= min(total, longest):
            raise GenerationError(
                "there is nothing to be generated",
                site="duration",
                wanted=f"more than the prompt's {known / rate:.2f} s, and at least {1 / rate:.3f} s; "
                f"a prompt below {self.longest:g} s",
                got=f"{self.params.duration:g} s",
                next_step="set_generation_params(duration=...), or give less of the sound",
            )
        if total > longest and not 0 < stride < longest:
            raise GenerationError(
                "windows of a long generation have to overlap",
                site="extend_stride",
                wanted=f"less than the {self.longest:g} s that the model hears at once",
                got=f"{self.params.extend_stride:g} s",
                next_step="set_generation_params(duration=..., extend_stride=...)",
            )
        self._span = Span(total, known, longest, stride)

    @property
    def frame_rate(self) -> float:
        """Frames in a second."""
        codec = self.model.compression_model
        return codec.sample_rate / codec.hop

    def _frames(self, seconds: float) -> int:
        """Whole frames in so many seconds; 8.2 s times 50 are 410, though floats say a little less."""
        return int(seconds * self.frame_rate + 1e-6)

    @property
    def steps(self) -> int:
        """How many steps of the language model there will be."""
        return self._span.total - self._span.known + self._span.count * max(self.model.lm.sizes.delays)

    # -- codes -----------------------------------------------------------------------------------------------

    def codes(self) -> Iterator[Tensor | None]:
        """A frame of codes ``[rows, codebooks, 1]`` for each step; None for steps that complete none."""
        rows = len(self.prompt)
        words: list[Told] = []
        sizes = self.model.lm.sizes
        known = self.prompt
        for window in self._span.windows():
            if not words or self.melodies is not None:
                words = self._condition(rows, window.begin / self.frame_rate)
            sequence = Delayed(known, window.frames, sizes.delays, sizes.codes)
            written = [known]
            for frame in self._window(sequence, words, rows, window.begin):
                if frame is not None:
                    written.append(frame)
                yield frame
            known = torch.cat(written, -1)[..., self._span.stride :]

    def _condition(self, rows: int, begin: float) -> list[Told]:
        """What the model listens to from a time on: with and without prompt together, or in turn."""
        ids, mask = self.words
        heard: tuple[Tensor, ...] = ()
        if self.melodies is not None:
            seconds = self.longest if self._span.count > 1 else None
            heard = (self.melodies.heard(begin, seconds).to(self.model.device),)
        guides = self.params.cfg_coef != 1 and (bool(mask.any()) or bool(heard))
        self.schedule.at(begin)
        words: Told = self.call("condition", (ids, mask, guides, *heard))
        if guides and self.params.two_step_cfg:
            return [words.part(0, rows), words.part(rows, 2 * rows)]
        return [words]

    def _window(self, sequence: Delayed, words: list[Told], rows: int, begin: int) -> Iterator[Tensor | None]:
        pasts = [Past(w, sequence.steps.shape[-1]) for w in words]
        heard = 0
        for step in sequence.to_write:
            self.schedule.at((begin + step - 1) / self.frame_rate)
            scores = [self._step(sequence.steps[:, :, heard:step], past, rows) for past in pasts]
            heard = step
            together = guided(torch.cat(scores), rows, self.params.cfg_coef)
            sequence.write(step, drawn(together, self.params, self.generator))
            yield sequence.complete(step)

    def _step(self, codes: Tensor, past: Past, rows: int) -> Tensor:
        """Scores of the next codes, shape ``[rows of past, codebooks, codes]``."""
        scores: Tensor = self.call("step", (codes.repeat(past.words.rows // rows, 1, 1), past))
        past.length += codes.shape[-1]
        return scores[:, :, -1]

    # -- sound -----------------------------------------------------------------------------------------------

    def sound(self, codes: Iterator[Tensor | None], block: int) -> Iterator[Tensor]:
        """Sound ``[rows, channels, samples]`` of a stream of codes, block by block.

        Args:
            codes: as `codes` gives them.
            block: frames that are decoded at once.
        """
        tail, waiting, done = Tail(), [self.prompt] if self.prompt.shape[-1] else [], 0
        for frame in codes:
            if frame is None:
                continue
            waiting.append(frame)
            if sum(part.shape[-1] for part in waiting) >= block:
                audio = self._decoded(torch.cat(waiting, -1), tail, done)
                done += audio.shape[-1]
                waiting = []
                yield audio
        tail.final = True
        yield self._decoded(torch.cat([*waiting, self.prompt[..., :0]], -1), tail, done)

    def _decoded(self, codes: Tensor, tail: Tail, samples: int) -> Tensor:
        """The sound after so many samples."""
        self.schedule.at(samples / self.model.compression_model.sample_rate)
        audio: Tensor = self.call("decode", (codes, tail))
        return audio

    def moves_codec(self, bends: Any) -> bool:
        """Whether the schedule moves a control that bends the codec."""
        moved = set(self.schedule.controls)
        return any(
            moved.intersection(bend.callback.controls())
            and (
                any(name.startswith("compression_model.") for name in bend.weights)
                or any(method == "decode" for method, _ in bend.activations)
            )
            for bend in bends
        )
