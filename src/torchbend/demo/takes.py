"""What was made: each sound with the one that it is compared with, and by how much they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from torchbend.demo.instrument import LatentPlay, NamedBend
from torchbend.demo.render import brightness_hz, difference_db, level_db
from torchbend.display import Table

__all__ = ["Take", "changes_table"]


@dataclass(frozen=True)
class Take:
    """One sound that the model made.

    Attributes:
        phrase: the phrase's name; empty where no phrase was played.
        way: what was done; None for the unbent model.
        before: what it is compared with, ``[samples]``; None where there is nothing.
        after: the sound, ``[samples]``, as loud as ``before``.
        gain: how much louder than the unbent model's the sound was as the model gave it, in dB.
        path: of the file.
        sample_rate: in Hz.
        labels: words for ``before`` and ``after``.
    """

    phrase: str
    way: NamedBend | LatentPlay | None
    before: Tensor | None
    after: Tensor
    gain: float
    path: Path
    sample_rate: int
    labels: tuple[str, str]

    @property
    def distance(self) -> float | None:
        """How far ``after`` is from ``before``, in dB."""
        if self.before is None:
            return None
        return difference_db(self.before, self.after, self.sample_rate)

    @property
    def brightness(self) -> float:
        """The centre of the sound's spectrum, in Hz."""
        return brightness_hz(self.after, self.sample_rate)

    def words(self) -> str:
        """In a sentence, what can be measured."""
        changed = (
            [] if self.before is None else [f"{self.distance:.1f} dB apart in the mean over the spectrogram"]
        )
        if self.before is not None:
            old, new = brightness_hz(self.before, self.sample_rate), self.brightness
            changed.append(f"centre of the spectrum {old:.0f} → {new:.0f} Hz")
        if self.way is not None:
            changed.append(
                f"{round(self.gain, 1) + 0.0:+.1f} dB as the model gave it, here as loud as the unbent one"
            )
        return "; ".join(changed)


def changes_table(takes: Sequence[Take]) -> Table:
    """One row for each sound: what changed, by how many dB.

    Args:
        takes: the sounds.
    """
    rows = [
        (
            take.path.name,
            "the model, not bent" if take.way is None else take.way.name,
            None if take.distance is None else round(take.distance, 1),
            round(take.gain, 1) + 0.0,
            round(take.brightness),
            round(level_db(take.after), 1),
        )
        for take in takes
    ]
    columns = (
        "file",
        "what was done",
        "apart, dB",
        "louder, dB",
        "centre, Hz",
        "level, dB",
    )
    return Table(columns, rows)
