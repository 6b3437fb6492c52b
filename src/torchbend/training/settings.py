"""What a training is told, beside the configuration of what it trains."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from torchbend.errors import CorpusError, TrainingError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["PriorSettings", "RunSettings", "TrainSettings"]

Precision = Literal["no", "bf16"]


@dataclass(frozen=True)
class RunSettings:
    """How anything is trained.

    Attributes:
        max_steps: steps in all.
        batch: excerpts in each batch, of each process.
        length: of an excerpt, in samples.
        val_every: steps between validations.
        save_every: steps between checkpoints that are kept.
        checkpoint_every: steps between checkpoints that replace one another, for going on after a kill.
        log_every: steps between lines of the log.
        learning_rate: of what is trained.
        seed: of everything random.
        workers: processes that read excerpts; 0 reads them between steps.
        precision: ``"bf16"`` runs networks in 16 bits; losses and filter banks keep 32.
        accumulate: batches of each step, one after the other: where a large batch needs too much memory.
        compile: run the networks through ``torch.compile``.
        held_out: share of the corpus that is kept for validation, at most ``validation_excerpts``.
        validation_excerpts: at most so many are validated.
        augment: names of augmentations: ``mute``, ``gain``, ``compress``, ``masking``.
        rand_pitch: range of random resampling of excerpts, as ``(0.8, 1.2)``.
        normalise: bring the peak of each excerpt to 1, by 30 dB at most.
        derivative: train on differences of samples.
    """

    max_steps: int = 3_000_000
    batch: int = 8
    length: int = 131_072
    val_every: int = 10_000
    save_every: int = 500_000
    checkpoint_every: int = 1_000
    log_every: int = 50
    learning_rate: float = 1e-3
    seed: int = 0
    workers: int = 2
    precision: Precision = "no"
    accumulate: int = 1
    compile: bool = False
    held_out: float = 0.02
    validation_excerpts: int = 1000
    augment: tuple[str, ...] = ()
    rand_pitch: tuple[float, float] | None = None
    normalise: bool = False
    derivative: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        counts = ("max_steps", "batch", "length", "val_every", "save_every", "checkpoint_every", "log_every")
        for name in (*counts, "accumulate", "validation_excerpts"):
            if getattr(self, name) < 1:
                raise _wrong(name, "a whole number above 0", getattr(self, name))
        _check_rate("learning_rate", self.learning_rate)
        if self.workers < 0:
            raise _wrong("workers", "0 or more", self.workers)
        if not 0 < self.held_out < 1:
            raise _wrong("held_out", "a share between 0 and 1", self.held_out)
        if self.precision not in ("no", "bf16"):
            raise _wrong("precision", "no or bf16", self.precision)
        self._check_variations()

    def _check_variations(self) -> None:
        """What is done to excerpts, as it would be refused where they are read."""
        if not self.augment and self.rand_pitch is None:
            return
        from torchbend.corpus.transforms import AUGMENTATIONS, RandomPitch

        unknown = [str(name) for name in self.augment if name not in AUGMENTATIONS]
        if unknown:
            raise _wrong("augment", f"names out of {', '.join(AUGMENTATIONS)}", ", ".join(unknown))
        if self.rand_pitch is not None:
            if not _is_range(self.rand_pitch):
                wanted = "two numbers above 0, the smaller one first, as (0.8, 1.2)"
                raise _wrong("rand_pitch", wanted, self.rand_pitch)
            try:
                RandomPitch(*self.rand_pitch, frames=1)
            except CorpusError as error:
                raise TrainingError(
                    error.message, site="rand_pitch", wanted=error.wanted, got=error.got
                ) from error

    def to_dict(self) -> dict[str, Any]:
        """All values, ready for ``json.dumps``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The settings that `to_dict` gave; unknown names are left out, so that newer files can be read."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in content.items() if name in known}
        for name in ("augment", "rand_pitch"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        return cls(**values)


@dataclass(frozen=True)
class TrainSettings(RunSettings):
    """How a model is trained; the first phase is part of its steps.

    Attributes:
        learning_rate: of encoder and decoder; it falls to a tenth during the first phase.
        discriminator_rate: of the discriminator, constant.
        ema: share of the old average in each step of the moving average of the weights; None keeps none.
        as_original: reproduce what the original gets wrong and what changes the result.
        cropped_latents: exports play exactly so many latents; None: as many as hold 95 % of the variance.
    """

    discriminator_rate: float = 1e-4
    ema: float | None = None
    as_original: bool = False
    cropped_latents: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        super().__post_init__()
        _check_rate("discriminator_rate", self.discriminator_rate)
        if self.ema is not None and not 0 <= self.ema < 1:
            raise _wrong("ema", "a number in [0, 1), as 0.999", self.ema)


@dataclass(frozen=True)
class PriorSettings(RunSettings):
    """How a prior is trained; the defaults are those of the original."""

    max_steps: int = 1_000_000
    length: int = 262_144
    learning_rate: float = 1e-4


def _is_range(pair: tuple[float, ...]) -> bool:
    numbers = len(pair) == 2 and all(isinstance(end, int | float) for end in pair)
    return numbers and 0 < pair[0] <= pair[1] < math.inf


def _check_rate(name: str, rate: float) -> None:
    if not 0 < rate < math.inf:
        raise _wrong(name, "a number above 0", rate)


def _wrong(name: str, wanted: str, got: object) -> TrainingError:
    return TrainingError("a training cannot run with this", site=name, wanted=wanted, got=repr(got))
