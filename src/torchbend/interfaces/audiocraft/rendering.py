"""What a user of the command line wants to have made: of a text, a sound file, a melody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchbend.errors import GenerationError
from torchbend.interfaces.sounds import SOUND_FILES

if TYPE_CHECKING:
    from torchbend.interfaces.audiocraft.verbs import BendedAudiocraft

__all__ = ["Wanted"]


@dataclass(frozen=True)
class Wanted:
    """One sound.

    Attributes:
        text: that it is made from.
        sound: a file that it goes on from.
        melody: a file that it follows.
    """

    text: str | None
    sound: str | None
    melody: str | None

    @classmethod
    def of(cls, inputs: Sequence[str], melody: str | None) -> Wanted:
        """What inputs mean; those that end as sound files do are files.

        Raises:
            GenerationError: there are several texts or files, or one to go on from and one to follow.
        """
        held = [inputs] if isinstance(inputs, str) else list(inputs)
        sounds = [given for given in held if given.lower().endswith(SOUND_FILES)]
        texts = [given for given in held if given not in sounds]
        for name, found in (("text", texts), ("sound file", sounds)):
            if len(found) > 1:
                raise _wrong("inputs", f"at most one {name}: a file holds one sound", ", ".join(found[:4]))
        if melody is not None and sounds:
            raise _wrong("melody", "a sound to go on from, or one to follow", f"{sounds[0]} and {melody}")
        return cls(texts[0] if texts else None, sounds[0] if sounds else None, melody)

    def made_by(self, model: BendedAudiocraft, seed: int) -> Any:
        """The sound, shape ``[1, channels, samples]``.

        Raises:
            GenerationError: the model follows no melody, or parameters cannot work together.
        """
        if self.melody is not None:
            follow = getattr(model, "generate_with_chroma", None)
            if follow is None:
                raise _wrong("melody", "a MusicGen that follows melodies", type(model).__name__)
            return follow([self.text], str(self.melody), progress=None, seed=seed)
        if self.sound is not None:
            texts = [self.text]
            return model.generate_continuation(self.sound, descriptions=texts, progress=None, seed=seed)
        return model.generate([self.text], progress=None, seed=seed)


def _wrong(site: str, wanted: str, got: str) -> GenerationError:
    return GenerationError(
        "this cannot be rendered",
        site=site,
        wanted=wanted,
        got=got,
        next_step="torchbend render musicgen:SOURCE 'calm piano' --out piano.wav --option duration=8",
    )
