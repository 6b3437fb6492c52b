"""The exceptions of the package.

Every message names the place (``site``), what was wanted, what was got, and the next step, in
that order. The parts stay readable as attributes, so that a program can act on them.
"""

from __future__ import annotations

__all__ = [
    "TorchbendError",
    "NotTracedError",
    "SiteNotFoundError",
    "ShapeError",
    "CallbackError",
    "ControlError",
    "RecipeError",
    "CaptureError",
    "ReplayError",
    "NonFiniteError",
    "DeviceError",
    "VersionError",
    "WeightsFileError",
    "ExportError",
    "GenerationError",
    "RAVEConfigError",
    "CheckpointError",
    "StreamError",
    "AudioFileError",
    "CorpusError",
    "DownloadError",
    "UnreachableError",
    "TrainingError",
    "MissingExtraError",
]


class TorchbendError(Exception):
    """Base of all errors that this package raises.

    Args:
        message: what happened, one sentence.
        site: the place in the model (a weight, an activation, a file, an argument).
        wanted: what would have been right.
        got: what was found.
        next_step: what the reader can do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        site: str | None = None,
        wanted: object = None,
        got: object = None,
        next_step: str | None = None,
    ) -> None:
        self.message = message
        self.site = site
        self.wanted = wanted
        self.got = got
        self.next_step = next_step
        super().__init__(message)

    def __str__(self) -> str:
        parts = [self.message]
        if self.site is not None:
            parts.append(f"  at:     {self.site}")
        if self.wanted is not None:
            parts.append(f"  wanted: {self.wanted}")
        if self.got is not None:
            parts.append(f"  got:    {self.got}")
        if self.next_step is not None:
            parts.append(f"  next:   {self.next_step}")
        return "\n".join(parts)


class NotTracedError(TorchbendError):
    """A method's graph or activations were asked for before the method was traced."""


class SiteNotFoundError(TorchbendError, LookupError):
    """A pattern or a name matches no weight, buffer or activation."""


class ShapeError(TorchbendError, ValueError):
    """A callback returned another shape than the site holds."""


class CallbackError(TorchbendError):
    """A callback failed, returned something that is not a tensor, or was given a wrong argument."""


class ControlError(TorchbendError, ValueError):
    """A control is unknown, has the wrong type, or was set out of its range."""


class RecipeError(TorchbendError):
    """A recipe cannot be saved, read, or bound to this model."""


class CaptureError(TorchbendError):
    """A method could not be called, or its call could not be written down."""


class ReplayError(TorchbendError):
    """A captured graph was asked for something that its captured branch does not cover."""


class NonFiniteError(TorchbendError, ArithmeticError):
    """A bent value holds NaN or infinity and the guard is set to raise."""


class DeviceError(TorchbendError):
    """Tensors of one operation live on different devices."""


class VersionError(TorchbendError):
    """A version of the weights is unknown, incomplete, or would be overwritten."""


class WeightsFileError(TorchbendError):
    """A weights file cannot be read without running code, or does not fit the model."""


class ExportError(TorchbendError):
    """A bent model, or something in it, cannot leave Python."""


class GenerationError(TorchbendError, ValueError):
    """A model cannot generate what was asked for: a prompt, a parameter, or another kind of model."""


class RAVEConfigError(TorchbendError, ValueError):
    """Parts of a RAVE configuration are unknown, or cannot work together."""


class CheckpointError(TorchbendError):
    """A checkpoint of a known model is foreign, damaged, or does not fit its configuration."""


class StreamError(TorchbendError, ValueError):
    """A block or a batch that a running stream cannot take."""


class AudioFileError(TorchbendError):
    """A sound file cannot be read or written."""


class CorpusError(TorchbendError):
    """A collection of sounds on disk cannot be read or extended, or does not hold what is asked of it."""


class DownloadError(TorchbendError):
    """A file cannot be fetched, is not the one that was asked for, or a list of such files is wrong."""


class UnreachableError(DownloadError):
    """An address does not answer, or stops; another time it may be there."""


class TrainingError(TorchbendError):
    """A training cannot start, or cannot go on."""


class MissingExtraError(TorchbendError, ImportError):
    """An optional dependency is not installed."""

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> MissingExtraError:
        """The error for a missing ``package``, naming the ``extra`` that brings it."""
        return cls(
            f"{purpose} needs {package}, which is not installed",
            next_step=f'pip install "torchbend[{extra}]"',
        )
