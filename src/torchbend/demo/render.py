"""Playing an instrument, bent: in one piece, or in blocks while a control moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from torchbend.demo.instrument import Instrument, NamedBend, Sweep
from torchbend.errors import NonFiniteError
from torchbend.plots import log_mel

__all__ = ["brightness_hz", "difference_db", "level_db", "levelled", "play", "put_back"]

_BLOCK, _FADE = 8192, 2048
"""Samples in which a control stands still, and over which neighbouring blocks are blended on either side."""

_LOUDEST = 0.97


def play(instrument: Instrument, phrase: Tensor, bend: NamedBend | None = None) -> Tensor:
    """The sound of a phrase, bent; the instrument is not bent before and after.

    Args:
        instrument: the model.
        phrase: its input, ``[1, channels, samples]``.
        bend: None for the plain model.

    Returns:
        The sound, ``[samples]``, as the model gives it.

    Raises:
        NonFiniteError: it holds NaN or infinity.
    """
    with torch.no_grad():
        if bend is None:
            sound = _sound(instrument, phrase)
        else:
            with instrument.bended.bend(bend.recipe), put_back(bend):
                sound = (
                    _sound(instrument, phrase)
                    if bend.sweep is None
                    else _swept(instrument, phrase, bend.sweep)
                )
    if not bool(sound.isfinite().all()):
        raise NonFiniteError(
            "the bent model gave NaN or infinity", site=bend.name if bend else instrument.title
        )
    return sound


@contextmanager
def put_back(bend: NamedBend) -> Iterator[None]:
    """Afterwards the controls of a bend stand where they stood before."""
    controls = [control for callback in bend.recipe.callbacks for control in callback.controls()]
    values = [control.value for control in controls]
    try:
        yield
    finally:
        for control, value in zip(controls, values, strict=True):
            control.set_value(value)


def _sound(instrument: Instrument, phrase: Tensor) -> Tensor:
    out: Tensor = instrument.bended(phrase)
    return out.reshape(-1)


def _swept(instrument: Instrument, phrase: Tensor, sweep: Sweep) -> Tensor:
    """Block by block, each with the control at the value that it has in the block's middle.

    Blocks overlap, and the fades of two neighbours add up to 1.
    """
    total = phrase.shape[-1]
    out = torch.zeros(total)
    for start in range(0, total, _BLOCK):
        end = min(start + _BLOCK, total)
        instrument.bended.update(sweep.control, sweep.curve((start + end) / 2 / total))
        first, last = max(0, start - _FADE), min(total, end + _FADE)
        block = _stretch(instrument, phrase, first, last)
        if start > 0:
            block[: 2 * _FADE] *= torch.linspace(0, 1, 2 * _FADE)[: len(block)]
        if end < total:
            fade = torch.linspace(1, 0, 2 * _FADE)[: last - (end - _FADE)]
            block[end - _FADE - first :] *= fade
        out[first:last] += block
    return out


def _stretch(instrument: Instrument, phrase: Tensor, first: int, last: int) -> Tensor:
    """The sound from sample ``first`` to ``last``."""
    if instrument.context is None:
        return _sound(instrument, phrase)[first:last].clone()
    begin = max(0, first - instrument.context)
    finish = min(phrase.shape[-1], last + instrument.context)
    return _sound(instrument, phrase[..., begin:finish])[first - begin : last - begin].clone()


def levelled(sound: Tensor, like: Tensor | None = None) -> Tensor:
    """A sound as loud as another one, as far as it fits below full scale.

    Args:
        sound: ``[samples]``.
        like: the other one; None: as loud as fits.
    """
    peak = float(sound.abs().max())
    if peak == 0:
        return sound
    fitting = _LOUDEST / peak
    if like is None:
        return sound * fitting
    wanted = float(like.square().mean().sqrt()) / float(sound.square().mean().sqrt())
    return sound * min(wanted, fitting)


def difference_db(one: Tensor, other: Tensor, sample_rate: int) -> float:
    """How far two sounds are apart: the mean distance in dB of their mel spectra, over 80 dB of range.

    Args:
        one, other: ``[samples]``, of one length.
        sample_rate: in Hz.
    """
    levels = [log_mel(sound, sample_rate, 1024, 256, 80).clamp_min(-80) for sound in (one, other)]
    return float((levels[0] - levels[1]).abs().mean())


def level_db(sound: Tensor) -> float:
    """How loud a sound is: its root mean square in dB below full scale, -120 or more.

    Args:
        sound: ``[samples]``.
    """
    return 10 * float(sound.square().mean().clamp_min(1e-12).log10())


def brightness_hz(sound: Tensor, sample_rate: int) -> float:
    """The centre of a sound's spectrum: the mean frequency, weighted by power.

    Args:
        sound: ``[samples]``.
        sample_rate: in Hz.

    Returns:
        In Hz; 0 for silence.
    """
    window = torch.hann_window(2048)
    spectrum = torch.stft(sound, 2048, 512, window=window, pad_mode="constant", return_complex=True)
    power = spectrum.abs().square().mean(-1)
    frequencies = torch.linspace(0, sample_rate / 2, len(power))
    return float((power * frequencies).sum() / power.sum().clamp_min(1e-20))
