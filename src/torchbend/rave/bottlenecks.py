"""The encoders as the model holds them: a network, and how its output becomes latents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.rave.config import (
    DiscreteConfig,
    RAVEConfig,
    SphericalConfig,
    VariationalConfig,
    WassersteinConfig,
)
from torchbend.rave.encoders import build_encoder
from torchbend.rave.losses.divergences import kl_normal, mmd
from torchbend.rave.quantiser import ResidualQuantiser
from torchbend.rave.sphere import normalise
from torchbend.rave.streaming import Delay, Walk, follow

__all__ = ["Bottleneck", "Discrete", "Spherical", "Variational", "Wasserstein", "build_bottleneck"]


class Bottleneck(nn.Module):
    """A network and its latents.

    ``warmed_up`` is set in the second phase of training. While ``samples`` is set, latents are drawn from
    their distributions; otherwise they are the means.

    Args:
        net: from the input to the raw latents.
    """

    warmed_up: Tensor
    detaches = False
    """Whether the second phase of training leaves the network as it is."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.encoder = net
        self.samples = True
        if not isinstance(self, Spherical):
            self.register_buffer("warmed_up", torch.tensor(0))

    @contextmanager
    def sampling(self, on: bool) -> Iterator[None]:
        """Within it, latents are drawn from their distributions, or not."""
        before, self.samples = self.samples, on
        try:
            yield
        finally:
            self.samples = before

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through the network."""
        return follow(self.encoder, delay, walk)

    def forward(self, x: Tensor) -> Tensor:
        """The raw latents.

        Args:
            x: shape ``[B, C, T]``.
        """
        raw: Tensor = self.encoder(x)
        if self.training and self.detaches and self.warmed_up:
            raw = raw.detach()
        return raw

    def reparametrize(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The decoder's input, and the regularisation of the latents.

        Args:
            raw: the network's output.

        Returns:
            Shape ``[B, L + noise, T]``, and a scalar.
        """
        raise NotImplementedError

    def latents(self, raw: Tensor) -> Tensor:
        """The latents alone, without noise beside them and regularisation; shape ``[B, L, T]``."""
        raise NotImplementedError


class Variational(Bottleneck):
    """A normal distribution for each latent and frame, sampled.

    Args:
        net: gives means and scales.
        config: its factor.
    """

    detaches = True

    def __init__(self, net: nn.Module, config: VariationalConfig) -> None:
        super().__init__(net)
        self.beta = config.beta

    def reparametrize(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """A sample, and beta times the divergence from the standard normal distribution."""
        mean, std = self.distribution(raw)
        z = torch.randn_like(mean) * std + mean if self.samples else mean
        return z, self.beta * kl_normal(mean, std)

    def latents(self, raw: Tensor) -> Tensor:
        """A sample, or the means."""
        if not self.samples:
            return raw.chunk(2, 1)[0]
        mean, std = self.distribution(raw)
        return torch.randn_like(mean) * std + mean

    @staticmethod
    def distribution(raw: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations, each of half of the channels of ``raw``."""
        mean, scale = raw.chunk(2, 1)
        return mean, F.softplus(scale) + 1e-4


class _Augmented(Bottleneck):
    """Latents with noise beside them.

    Args:
        net: gives the latents.
        noise: channels of noise.
    """

    def __init__(self, net: nn.Module, noise: int) -> None:
        super().__init__(net)
        self.noise_augmentation = noise

    def augment(self, z: Tensor) -> Tensor:
        """The latents with noise after them."""
        if not self.noise_augmentation:
            return z
        noise = torch.randn(z.shape[0], self.noise_augmentation, z.shape[-1], dtype=z.dtype, device=z.device)
        return torch.cat([z, noise], 1)


class Wasserstein(_Augmented):
    """Latents that are pulled towards a normal distribution as a whole.

    Args:
        net: gives the latents.
        config: channels of noise.
    """

    detaches = True

    def __init__(self, net: nn.Module, config: WassersteinConfig) -> None:
        super().__init__(net, config.noise_augmentation)

    def reparametrize(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The latents with noise, and their maximum mean discrepancy from normal ones."""
        vectors = raw.transpose(1, 2).reshape(-1, raw.shape[1])
        return self.augment(raw), mmd(vectors, torch.randn_like(vectors))

    def latents(self, raw: Tensor) -> Tensor:
        """The network's output."""
        return raw


class Discrete(_Augmented):
    """Codes of a residual vector quantiser, once ``enabled`` is set.

    Args:
        net: gives the vectors.
        latent_size: of them.
        config: sizes of the quantiser.
    """

    enabled: Tensor

    def __init__(self, net: nn.Module, latent_size: int, config: DiscreteConfig) -> None:
        super().__init__(net, config.noise_augmentation)
        self.rvq = ResidualQuantiser(latent_size, config)
        self.register_buffer("enabled", torch.tensor(0))

    def reparametrize(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The quantised vectors with noise, and the commitment loss."""
        z, loss = raw, raw.new_zeros(())
        if self.enabled:
            z, loss, _ = self.rvq(raw)
        return self.augment(z), loss

    def latents(self, raw: Tensor) -> Tensor:
        """The quantised vectors."""
        return self.rvq(raw)[0] if self.enabled else raw


class Spherical(Bottleneck):
    """Latents on the unit sphere.

    Args:
        net: gives the directions.
    """

    def reparametrize(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The directions at length one, and no regularisation."""
        return normalise(raw), raw.new_zeros(())

    def latents(self, raw: Tensor) -> Tensor:
        """The directions at length one."""
        return normalise(raw)


def build_bottleneck(config: RAVEConfig) -> Bottleneck:
    """The encoder of a configuration."""
    net, latent = build_encoder(config), config.latent
    if isinstance(latent, VariationalConfig):
        return Variational(net, latent)
    if isinstance(latent, WassersteinConfig):
        return Wasserstein(net, latent)
    if isinstance(latent, DiscreteConfig):
        return Discrete(net, config.latent_size, latent)
    if isinstance(latent, SphericalConfig):
        return Spherical(net)
    raise TypeError(f"no bottleneck for {type(latent).__name__}")
