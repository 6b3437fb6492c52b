"""How far the features of outputs are from those of targets, inside a discriminator."""

from __future__ import annotations

import torch
from torch import Tensor

from torchbend.errors import RAVEConfigError

__all__ = ["feature_matching"]


def feature_matching(
    real: list[list[Tensor]], fake: list[list[Tensor]], *, relative: bool = False, skipped: int = 0
) -> Tensor:
    """The mean absolute difference of features (MelGAN, arXiv 1910.06711, equation 4).

    The mean over the features of a network, the scores included; then the mean over networks.

    Args:
        real: each network's features of the targets.
        fake: each network's features of the outputs, of the same shapes.
        relative: divide each difference by the mean magnitude of the targets' feature.
        skipped: features at the front of each list that are not compared.

    Returns:
        A scalar.

    Raises:
        RAVEConfigError: a network has no features beyond the skipped ones, or there is no network.
    """
    if not real or any(len(features) <= skipped for features in real):
        raise RAVEConfigError(
            "nothing is left to compare",
            site="skipped_features",
            wanted="less than the features of each network",
            got=skipped,
        )
    return torch.stack(
        [
            torch.stack(
                [_distance(r, f, relative) for r, f in zip(wanted[skipped:], got[skipped:], strict=True)]
            ).mean()
            for wanted, got in zip(real, fake, strict=True)
        ]
    ).mean()


def _distance(real: Tensor, fake: Tensor, relative: bool) -> Tensor:
    difference = (real - fake).abs().mean()
    return difference / real.abs().mean() if relative else difference
