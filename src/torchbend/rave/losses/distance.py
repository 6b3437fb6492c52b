"""How far a signal's spectrograms are from a target's."""

from __future__ import annotations

from torch import Tensor, nn

from torchbend.errors import ShapeError
from torchbend.rave.config import DistanceConfig
from torchbend.rave.losses.stft import MultiScaleSTFT

__all__ = ["AudioDistance"]


class AudioDistance(nn.Module):
    """The multi-scale spectral distance of RAVE (arXiv 2111.05011, equation 5).

    For each scale: the squared difference of magnitudes over the target's mean square, and the mean
    difference of their logarithms. Scales are summed.

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
        pairs = zip(self.multiscale_stft(target), self.multiscale_stft(output), strict=True)
        terms = [self._compare(wanted, got) for wanted, got in pairs]
        return sum(terms[1:], start=terms[0])

    def _compare(self, wanted: Tensor, got: Tensor) -> Tensor:
        linear = (wanted - got).square().mean() / wanted.square().mean()
        logarithmic = ((wanted + self.log_epsilon).log() - (got + self.log_epsilon).log()).abs().mean()
        return linear + logarithmic
