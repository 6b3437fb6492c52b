"""How far around an output sample the input matters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from torchbend.errors import RAVEConfigError, StreamError
from torchbend.rave.recurrent import GRU

if TYPE_CHECKING:
    from torchbend.rave.model import RAVE

__all__ = ["receptive_field"]

_SHORTEST = 2**15
_LONGEST = 2**22
# The gradient at the ends is a product of many small numbers: it starts large, so as not to vanish there.
_LOUD = 2.0**64


def receptive_field(model: RAVE) -> tuple[int, int]:
    """The samples before and after an output sample that it depends on, from audio to audio.

    They are measured by the gradient of one output sample, on ever longer inputs until the gradient has ended
    on both sides. Every channel of the input counts. Latents are neither sampled nor quantised meanwhile, and
    recurrent layers, which see the whole past, are left out.

    Where delays leave samples out close to the output sample, they are not counted.

    Args:
        model: not streaming; it is left as it was.

    Returns:
        Samples before, and samples from the output sample on, in the input.

    Raises:
        StreamError: the model is streaming.
        RAVEConfigError: no end is found within four million samples.
    """
    if model.is_streaming:
        raise StreamError(
            "the receptive field of a streaming model cannot be measured",
            site="receptive_field",
            next_step="call offline() first",
        )
    length = _SHORTEST
    with _measuring(model), torch.enable_grad():
        while length <= _LONGEST:
            reached = _gradient(model, length).abs().amax((0, 1)) > 0
            if not reached[0] and not reached[-1]:
                before, after = reached.view(2, -1).sum(1).tolist()
                return before, after
            length *= 2
    raise RAVEConfigError(
        "the receptive field has no end",
        site="receptive_field",
        wanted=f"at most {_LONGEST} samples",
        got="gradients at the ends of the input",
        next_step="look for layers that see the whole signal",
    )


def _gradient(model: RAVE, length: int) -> Tensor:
    """The gradient of the output's middle with respect to noise, shape ``[1, C, length]``."""
    like = next(model.encoder.parameters())
    noise = torch.randn(1, model.config.channels, length, generator=torch.Generator().manual_seed(0))
    x = noise.to(like).requires_grad_()
    raw = model.encode(x)[:, : model.config.latent_size]
    missing = raw.new_zeros(1, model.config.decoder_inputs - raw.shape[1], raw.shape[-1])
    y = model.decode(torch.cat([raw, missing], 1))
    return torch.autograd.grad(_LOUD * y[..., length // 2].sum(), x)[0]


@contextmanager
def _measuring(model: RAVE) -> Iterator[None]:
    """Evaluation mode, no gradients of parameters, no recurrent layers; all as before afterwards.

    Random numbers that the model's noise takes are given back too.
    """
    training = [module for module in model.modules() if module.training]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    recurrent = [module for module in model.modules() if isinstance(module, GRU) and module.enabled]
    device = next(model.encoder.parameters()).device
    try:
        model.eval().requires_grad_(False)
        for module in recurrent:
            module.enabled = False
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        for layer in training:
            layer.training = True
        for parameter in trained:
            parameter.requires_grad_()
        for module in recurrent:
            module.enabled = True
