"""MusicGen: words, and melodies, to music."""

from __future__ import annotations

from torchbend.errors import GenerationError
from torchbend.interfaces.audiocraft.melodies import MelodySounds, as_melodies
from torchbend.interfaces.audiocraft.prompts import Prompts, as_prompts
from torchbend.interfaces.audiocraft.verbs import BendedAudiocraft, Curves, Made

__all__ = ["BendedMusicGen"]


class BendedMusicGen(BendedAudiocraft):
    """MusicGen, bent: ``BendedMusicGen("facebook/musicgen-small").generate(["calm piano"])``.

    Arguments and errors are those of `AudiocraftInterface`. It hears thirty seconds at once.
    """

    kind = "musicgen"

    def generate_with_chroma(
        self,
        descriptions: Prompts,
        melody_wavs: MelodySounds,
        melody_sample_rate: int | None = None,
        progress: bool | None = False,
        return_tokens: bool = False,
        *,
        seed: int | None = None,
        schedule: Curves | None = None,
    ) -> Made:
        """Sound for each prompt that follows a melody, where the model was made for it.

        The model hears which of the twelve pitch classes is strongest, about eight times in a second. A
        melody that is shorter than the sound begins anew. The originals take drums and bass out first, by
        another model; here a melody is heard as it is: give one that stands alone.

        Args:
            descriptions: a text for each sound; None in the list for sound without one.
            melody_wavs: a tensor of shape ``[B, C, T]``, ``[C, T]`` or ``[T]``, or a sound file; or a list
                with one for each text, None in it for none. One alone is for all texts.
            melody_sample_rate: of tensors, in Hz; files know their own.
            progress, return_tokens, seed, schedule: as of `generate`.

        Raises:
            GenerationError: the model follows no melody, something is no sound, or there are more or fewer
                melodies than texts.
            AudioFileError: a file cannot be read.
        """
        chroma = self._model.lm.sizes.chroma
        if chroma is None:
            raise GenerationError(
                "this model follows no melody",
                site=self._source,
                wanted="a melody model, such as facebook/musicgen-melody",
                got="a model that listens to words only",
                next_step="generate_continuation(sound, sample_rate, ['a text']) goes on from a sound",
            )
        texts = as_prompts(descriptions, "descriptions")
        melodies = as_melodies(melody_wavs, melody_sample_rate, self.sample_rate, chroma, len(texts))
        return self._made(self._generation(texts, None, seed, schedule, melodies), progress, return_tokens)
