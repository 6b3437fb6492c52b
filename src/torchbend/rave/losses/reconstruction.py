"""What a model makes of a training batch, ready to be compared."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from torchbend.errors import ShapeError

if TYPE_CHECKING:
    from torchbend.rave.model import RAVE

__all__ = [
    "Passage",
    "audio_pair",
    "autoencode",
    "band_pair",
    "fixed_parameters",
    "full_precision",
    "resynthesise",
    "set_phase",
    "valid_bands",
]


class Passage(NamedTuple):
    """A batch on its way through the model.

    Attributes:
        inputs: of the encoder.
        outputs: of the decoder: sub-bands, or audio.
        regularization: of the latents, a scalar.
    """

    inputs: Tensor
    outputs: Tensor
    regularization: Tensor


def set_phase(model: RAVE, warmed_up: bool) -> None:
    """Tell encoder and decoder whether the second phase of training has begun.

    Args:
        model: its flags are set.
        warmed_up: whether it has.
    """
    for part in (model.encoder, model.decoder):
        for name, flag in part.named_buffers(recurse=False):
            if name == "warmed_up":
                flag.fill_(int(warmed_up))


@contextmanager
def fixed_parameters(*modules: nn.Module) -> Iterator[None]:
    """No gradients for the parameters of these modules, as long as the forward pass runs inside."""
    trained = [p for module in modules for p in module.parameters() if p.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Within it, nothing is cast to 16 bits: filter banks and spectra need all of theirs."""
    return torch.autocast(x.device.type, enabled=False)


@contextmanager
def _still(module: nn.Module) -> Iterator[None]:
    """Batch normalisations use the statistics that they have learnt, and learn no more."""
    learning = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.training]
    try:
        for layer in learning:
            layer.training = False
        yield
    finally:
        for layer in learning:
            layer.training = True


def autoencode(model: RAVE, x: Tensor, warmed_up: bool, as_original: bool = False) -> Passage:
    """Encode, sample and decode a batch.

    In the second phase the encoder learns no more, unless it is a discrete or a spherical one.

    Args:
        model: in training mode; its phase is set.
        x: audio in [-1, 1], shape ``[B, C, T]``.
        warmed_up: whether the second phase has begun.
        as_original: the batch normalisations of an encoder that learns no more still do.

    Raises:
        ShapeError: the audio has another number of channels, or is shorter than a frame.
    """
    set_phase(model, warmed_up)
    fixed = warmed_up and model.encoder.detaches
    with full_precision(x):
        inputs = model.analyse(x)
    still = _still(model.encoder) if fixed and not as_original else nullcontext()
    with still, torch.set_grad_enabled(torch.is_grad_enabled() and not fixed):
        raw = model.encoder(inputs)
    with model.encoder.sampling(True):
        z, regularization = model.encoder.reparametrize(raw)
    return Passage(inputs, model.decoder(z), regularization)


def resynthesise(model: RAVE, x: Tensor) -> tuple[Tensor, Tensor]:
    """Target and output of the second phase as audio of the same length, without gradients.

    Nothing that only the generator's losses need is computed.

    Args:
        model: in training mode; its phase is set.
        x: audio in [-1, 1], shape ``[B, C, T]``.

    Returns:
        Both of shape ``[B, C, T]``.

    Raises:
        ShapeError: the audio has another number of channels, or is shorter than a frame.
    """
    set_phase(model, True)
    still = _still(model.encoder) if model.encoder.detaches else nullcontext()
    with torch.no_grad(), still, model.encoder.sampling(True):
        with full_precision(x):
            inputs = model.analyse(x)
        y = model.decoder(model.with_noise(model.encoder.latents(model.encoder(inputs))))
        return audio_pair(model, x, Passage(inputs, y, torch.zeros(())))


def audio_pair(model: RAVE, x: Tensor, made: Passage) -> tuple[Tensor, Tensor]:
    """Target and output as audio of the same length, shape ``[B, C, T]``."""
    with full_precision(x):
        y = made.outputs.float()
        return _cut(x, model.pqmf.inverse(y) if model.config.output == "pqmf" else y)


def band_pair(model: RAVE, x: Tensor, made: Passage) -> tuple[Tensor, Tensor]:
    """Target and output as sub-bands of the same length, shape ``[B, C * bands, T / bands]``."""
    with full_precision(x):
        y = made.outputs.float()
        target = made.inputs if model.config.input == "pqmf" else model.pqmf(x)
        return _cut(target, y if model.config.output == "pqmf" else model.pqmf(y))


def _cut(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    length = min(a.shape[-1], b.shape[-1])
    return a[..., :length], b[..., :length]


def valid_bands(model: RAVE, frames: int, as_original: bool = False) -> slice:
    """The frames of sub-bands that no padding reaches.

    Args:
        model: its `receptive_field` says how far padding reaches, where its configuration asks for the cut.
        frames: number of frames.
        as_original: with several channels the original takes a frame for longer than it is, and cuts less.

    Raises:
        ShapeError: too little is left for the longest window of the distance.
    """
    if not model.config.training.valid_signal_crop:
        return slice(0, frames)
    before, after = model.receptive_field.tolist()
    bands = model.config.pqmf.bands
    hop = bands * model.config.channels if as_original else bands
    start, stop = before // hop, frames - math.ceil(after / hop)
    longest = max(model.config.training.distance.scales, default=0) // 2 + 1
    if (before or after) and stop - start < longest:
        raise ShapeError(
            "Nothing valid is left of the signal once the receptive field is cut away",
            site="receptive_field",
            wanted=f"at least {bands * (longest + start + frames - stop)} samples",
            got=f"{bands * frames} samples",
            next_step="train on longer signals, or set valid_signal_crop to False",
        )
    return slice(start, stop)
