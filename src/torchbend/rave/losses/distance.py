"""How far a signal's spectrograms are from a target's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from torchbend.errors import ShapeError
from torchbend.rave.config import DistanceConfig
from torchbend.rave.losses.stft import MultiScaleSTFT

__all__ = ["AudioDistance"]


class AudioDistance(nn.Module):
    """The multi-scale spectral distance of RAVE (arXiv 2111.05011, equation 5).

    For each scale: the squared difference of magnitudes over the target's mean square, and the mean
    difference of their logarithms. Scales are summed. A silent target has only the second.

    Args:
        config: scales, and what is added before logarithms.
    """

    def __init__(self, config: DistanceConfig = DistanceConfig()) -> None:  # noqa: B008  (it is frozen)
        super().__init__()
        self.log_epsilon = config.log_epsilon
        self.multiscale_stft = MultiScaleSTFT(config.scales)

    def forward(self, target: Tensor, output: Tensor) -> Tensor:
        """The distance, a scalar; it is not symmetric.

        Args:
            target: shape ``[B, C, T]``; channels may be sub-bands.
            output: of the same shape.

        Raises:
            ShapeError: the shapes differ, or the signals are too short for the longest window.
        """
        if target.shape != output.shape:
            raise ShapeError(
                "The spectral distance compares signals of one shape",
                site="AudioDistance",
                wanted=tuple(target.shape),
                got=tuple(output.shape),
                next_step="cut both to the same length",
            )
        if target.requires_grad and torch.is_grad_enabled():
            pairs = zip(self.multiscale_stft(target), self.multiscale_stft(output), strict=True)
            terms = [_compare(wanted, got, self.log_epsilon)[0] for wanted, got in pairs]
            return sum(terms[1:], start=terms[0])
        distance: Tensor = _ToFixedTarget.apply(  # type: ignore[no-untyped-call]
            output, target, self.multiscale_stft, self.log_epsilon
        )
        return distance


class _ToFixedTarget(torch.autograd.Function):
    """The distance to a target that learns nothing: its gradient is known as soon as its value is.

    Written out, value and gradient take three transforms for each scale, and nothing is kept between them:
    the step of a small model is twice as fast.
    """

    @staticmethod
    def forward(
        ctx: Any, output: Tensor, target: Tensor, transforms: MultiScaleSTFT, epsilon: float
    ) -> Tensor:
        """The distance; its gradient is kept for `backward`."""
        wanted = ctx.needs_input_grad[0]
        distance, gradient = output.new_zeros(()), torch.zeros_like(output) if wanted else None
        for transform in transforms.transforms():
            spectrum = transform.spectrum(output)
            magnitudes = _magnitudes(spectrum)
            value, slope = _compare(_magnitudes(transform.spectrum(target)), magnitudes, epsilon, wanted)
            distance += value
            if gradient is not None and slope is not None:
                gradient += transform.gradient(spectrum, magnitudes, slope, output.shape)
        ctx.gradient = gradient
        return distance

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        """The gradient for the output; nothing else learns."""
        return ctx.gradient * slopes[0], None, None, None


def _magnitudes(spectrum: Tensor) -> Tensor:
    """Faster than ``abs``, which takes care of numbers whose squares are out of range."""
    return (spectrum.real.square() + spectrum.imag.square()).sqrt_()


def _reciprocal(power: Tensor) -> Tensor:
    """One over it; nothing for a target that is silent: only the logarithms tell then."""
    return torch.where(power > 0, 1 / power, torch.zeros_like(power))


def _compare(
    wanted: Tensor, got: Tensor, epsilon: float, with_slope: bool = False
) -> tuple[Tensor, Tensor | None]:
    """The distance of two spectrograms at one scale, and on demand its slope for each of ``got``."""
    difference, scale = got - wanted, _reciprocal(wanted.square().mean())
    logarithms = (got + epsilon).log() - (wanted + epsilon).log()
    distance = difference.square().mean() * scale + logarithms.abs().mean()
    if not with_slope:
        return distance, None
    slope = difference.mul_(2 * scale).add_(logarithms.sign_().div_(got + epsilon)).div_(got.numel())
    return distance, slope
