"""Why a file was refused, in one line."""

from __future__ import annotations

from torchbend.errors import TorchbendError

__all__ = ["reason"]


def reason(error: TorchbendError) -> str:
    """An error in one line, without the file's name.

    >>> reason(TorchbendError("the file is empty", site="a.wav", got="0 bytes"))
    'the file is empty: 0 bytes'
    """
    got = "" if error.got is None else f": {' '.join(str(error.got).split())}"
    step = f" ({error.next_step})" if error.next_step else ""
    return error.message + got + step
