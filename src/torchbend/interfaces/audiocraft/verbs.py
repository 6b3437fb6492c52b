"""What MusicGen and AudioGen do: words to sound, bent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

import torch
from torch import Tensor

from torchbend.display.progress import tracked
from torchbend.errors import GenerationError
from torchbend.interfaces.audiocraft.generation import Generation
from torchbend.interfaces.audiocraft.interface import AudiocraftInterface, Path
from torchbend.interfaces.audiocraft.melodies import Melodies
from torchbend.interfaces.audiocraft.prompts import Prompts, as_audio, as_prompts, as_tokens
from torchbend.interfaces.audiocraft.rendering import Wanted
from torchbend.interfaces.audiocraft.sampling import as_seed, checked
from torchbend.interfaces.schedule import Schedule
from torchbend.interfaces.sounds import write_sound

__all__ = ["BendedAudiocraft", "Curves", "Made"]

_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)

Curves = Mapping[Any, Any]
Made = Tensor | tuple[Tensor, Tensor]


class BendedAudiocraft(AudiocraftInterface):
    """A model that generates sound, bent; construction and errors are those of `AudiocraftInterface`."""

    _told: Callable[[int, int], None] | None = None

    def set_custom_progress_callback(self, callback: Callable[[int, int], None] | None) -> None:
        """Have a function called after each step, with the steps done and the steps in all.

        Raises:
            GenerationError: it is no function, nor None.
        """
        if callback is not None and not callable(callback):
            raise GenerationError(
                "this cannot be called",
                site="callback",
                wanted="a function of two numbers, or None",
                got=type(callback).__name__,
            )
        self._told = callback

    def generate(
        self,
        prompts: Prompts,
        progress: bool | None = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
        schedule: Curves | None = None,
    ) -> Made:
        """Sound for each prompt.

        Args:
            prompts: texts; None in the list for sound without a prompt.
            progress: True shows a bar; None only on a terminal, when it takes long.
            return_tokens: give the codes too.
            seed: of the random numbers: the same seed gives the same sound; by default torch's own state.
            schedule: for controls, by name, a curve over the seconds of the sound: points
                ``[(seconds, value), ...]`` or a function. The controls are afterwards what they were.

        Returns:
            Shape ``[prompts, channels, samples]``, on the CPU; with ``return_tokens`` a pair with the codes,
            ``[prompts, codebooks, frames]``.

        Raises:
            GenerationError: the prompts are no texts, or parameters cannot work together.
            ControlError: the schedule names an unknown control, or a value out of its range.
        """
        generation = self._generation(as_prompts(prompts), None, seed, schedule)
        return self._made(generation, progress, return_tokens)

    def forward(self, prompts: Prompts, *args: Any, **options: Any) -> Made:
        """The same as `generate`."""
        return self.generate(prompts, *args, **options)

    def generate_unconditional(
        self, num_samples: int, progress: bool | None = False, return_tokens: bool = False, **options: Any
    ) -> Made:
        """Sound without a prompt.

        Args:
            num_samples: how many.
            progress, return_tokens, options: as of `generate`.
        """
        checked("num_samples", num_samples, "1 or more", lambda count: count >= 1 and count == int(count))
        return self.generate([None] * int(num_samples), progress, return_tokens, **options)

    def generate_continuation(
        self,
        prompt: Tensor | Path,
        prompt_sample_rate: int | None = None,
        descriptions: Prompts | None = None,
        progress: bool | None = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
        schedule: Curves | None = None,
    ) -> Made:
        """Go on from a sound; the result begins with it, as the codec tells it.

        Args:
            prompt: shape ``[B, C, T]``, ``[C, T]`` or ``[T]``, or a sound file; shorter than ``duration``.
            prompt_sample_rate: of it, in Hz; not needed for a file.
            descriptions: a text for each sound; none by default.
            progress, return_tokens, seed, schedule: as of `generate`.

        Raises:
            GenerationError: the prompt is no sound, is too long, or there are more or fewer texts.
        """
        audio = as_audio(prompt, prompt_sample_rate, self.sample_rate, self.audio_channels)
        texts = as_prompts([None] * len(audio) if descriptions is None else descriptions, "descriptions")
        if len(texts) != len(audio):
            raise GenerationError(
                "each sound needs a text",
                site="descriptions",
                wanted=f"{len(audio)}",
                got=f"{len(texts)}",
                next_step="repeat the sound: prompt.expand(n, -1, -1)",
            )
        codes = self._run("encode", (audio.to(self._model.device, self._dtype),))
        return self._made(self._generation(texts, codes, seed, schedule), progress, return_tokens)

    def generate_audio(self, tokens: Tensor) -> Tensor:
        """Sound of codes.

        Args:
            tokens: shape ``[B, codebooks, frames]``.

        Returns:
            Shape ``[B, channels, samples]``, on the CPU.

        Raises:
            GenerationError: they are no codes of this model.
        """
        sizes = self._model.lm.sizes
        fits = isinstance(tokens, Tensor) and tokens.dim() == 3 and tokens.shape[1] == sizes.codebooks
        whole = fits and tokens.dtype in _WHOLE and tokens.numel() > 0
        if not whole or int(tokens.min()) < 0 or int(tokens.max()) >= sizes.codes:
            raise GenerationError(
                "these are no codes of this model",
                site="tokens",
                wanted=f"whole numbers from 0 to {sizes.codes - 1}, shape [batch, {sizes.codebooks}, frames]",
                got=f"{tokens.dtype}, {list(tokens.shape)}"
                if isinstance(tokens, Tensor)
                else type(tokens).__name__,
            )
        audio: Tensor = self._run("decode", (tokens.long().to(self._model.device),))
        return audio.float().cpu()

    def stream(
        self,
        prompts: Prompts,
        block: float = 1.0,
        progress: bool | None = False,
        *,
        seed: int | None = None,
        schedule: Curves | None = None,
    ) -> Iterator[Tensor]:
        """Sound for each prompt, in pieces, while it is generated.

        Put together, the pieces are what `generate` gives with the same seed.

        Args:
            prompts: as of `generate`.
            block: seconds that are decoded at once; a piece is given some frames later, when its sound
                depends on nothing that is to come.
            progress, seed, schedule: as of `generate`.

        Yields:
            Shape ``[prompts, channels, samples]``, on the CPU.

        Raises:
            GenerationError: ``block`` is no number above 0, or as of `generate`.
        """
        checked("block", block, "seconds, above 0", lambda seconds: seconds > 0)
        generation = self._generation(as_prompts(prompts), None, seed, schedule)
        return self._streamed(generation, max(1, round(block * self.frame_rate)), progress)

    def render(  # type: ignore[override]
        self,
        out: Path,
        inputs: Sequence[str] = (),
        *,
        seed: int = 0,
        melody: str | None = None,
        duration: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        temperature: float | None = None,
        cfg_coef: float | None = None,
        use_sampling: bool | None = None,
        two_step_cfg: bool | None = None,
        extend_stride: float | None = None,
    ) -> FilePath:
        """Generate sound and write it to a file. What is not given is as `set_generation_params` left it.

        Args:
            out: a sound file; it appears whole or not at all.
            inputs: a text, a sound file to go on from, both, or nothing.
            seed: of the random numbers: the same seed makes the same sound.
            melody: a sound file to follow, for a model that can.
            duration: in seconds.
            top_k: draw among so many of the likeliest codes; 0: among all.
            top_p: draw among the likeliest codes that have this probability together; 0: off.
            temperature: below 1 the likely gets likelier, above 1 less so.
            cfg_coef: how much the prompt counts.
            use_sampling: False: always the likeliest code.
            two_step_cfg: with and without prompt one after the other: less memory, more time.
            extend_stride: seconds that each further window adds.

        Raises:
            GenerationError: there are several texts or sounds, or an option is out of range.
            AudioFileError: a sound file cannot be read or written.
        """
        given = {
            "duration": duration,
            "top_k": top_k,
            "top_p": top_p,
            "temperature": temperature,
            "cfg_coef": cfg_coef,
            "use_sampling": use_sampling,
            "two_step_cfg": two_step_cfg,
            "extend_stride": extend_stride,
        }
        before = self.generation_params
        self.generation_params = replace(before, **{n: v for n, v in given.items() if v is not None})  # type: ignore[arg-type]
        try:
            made = Wanted.of(inputs, melody).made_by(self, seed)
        finally:
            self.generation_params = before
        write_sound(out, made, self.sample_rate)
        return FilePath(out)

    def _streamed(self, generation: Generation, block: int, progress: bool | None) -> Iterator[Tensor]:
        with generation.schedule.playing():
            for audio in generation.sound(self._counted(generation, progress), block):
                if audio.shape[-1]:
                    yield audio.float().cpu()

    # -- inside ----------------------------------------------------------------------------------------------

    @property
    def _dtype(self) -> torch.dtype:
        return self._model.lm.out_norm.weight.dtype

    def _run(self, method: str, args: tuple[Any, ...]) -> Any:
        with torch.no_grad():
            return self._call(method, args, {})

    def _generation(
        self,
        prompts: list[str | None],
        codes: Tensor | None,
        seed: int | None,
        schedule: Curves | None,
        melodies: Melodies | None = None,
    ) -> Generation:
        model = self._model
        if codes is None:
            books = model.lm.sizes.codebooks
            codes = torch.zeros(len(prompts), books, 0, dtype=torch.long, device=model.device)
        generator = None if seed is None else torch.Generator(model.device).manual_seed(as_seed(seed))
        return Generation(
            self._run,
            model,
            as_tokens(self._tokenizer, prompts, model.device),
            codes,
            self.generation_params,
            self.longest,
            generator,
            Schedule(schedule, self.controllables),
            melodies,
        )

    def _counted(self, generation: Generation, progress: bool | None) -> Iterator[Tensor | None]:
        steps = _Steps(generation)
        for number, frame in enumerate(tracked(steps, "generating", progress), start=1):
            if self._told is not None:
                self._told(number, len(steps))
            yield frame

    def _made(self, generation: Generation, progress: bool | None, return_tokens: bool) -> Made:
        frames = [generation.prompt]

        def kept() -> Iterator[Tensor | None]:
            for frame in self._counted(generation, progress):
                if frame is not None:
                    frames.append(frame)
                yield frame

        with generation.schedule.playing():
            if generation.moves_codec(self._engine.bends):
                block = max(1, round(self.frame_rate / 4))
                audio = torch.cat(list(generation.sound(kept(), block)), -1)
            else:
                for _ in kept():
                    pass
                audio = self._run("decode", (torch.cat(frames, -1),))
        sound = audio.float().cpu()
        return (sound, torch.cat(frames, -1).cpu()) if return_tokens else sound


class _Steps:
    """The steps of a generation, with their number."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def __len__(self) -> int:
        return self._generation.steps

    def __iter__(self) -> Iterator[Tensor | None]:
        return self._generation.codes()
