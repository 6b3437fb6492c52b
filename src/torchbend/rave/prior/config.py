"""The sizes of a prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from torchbend.errors import RAVEConfigError

__all__ = ["PriorConfig", "check_prior", "prior_from_dict", "prior_to_dict"]


@dataclass(frozen=True)
class PriorConfig:
    """A network over quantised latents; the defaults are those of the original.

    Attributes:
        latents: principal components that it models, from the first on.
        resolution: values that a quantised latent can have.
        residual_size: channels between the residual layers; a multiple of ``latents``.
        skip_size: channels of their common sum; a multiple of ``latents``.
        kernel_size: of the dilated convolutions, in frames.
        cycle_size: layers after which the dilation, which doubles with each layer, starts at 1 again.
        layers: number of residual layers.
    """

    latents: int = 8
    resolution: int = 32
    residual_size: int = 512
    skip_size: int = 256
    kernel_size: int = 3
    cycle_size: int = 4
    layers: int = 10

    @property
    def dilations(self) -> tuple[int, ...]:
        """Of each residual layer, in frames."""
        return tuple(2 ** (layer % self.cycle_size) for layer in range(self.layers))

    @property
    def receptive_field(self) -> int:
        """Frames that a prediction depends on."""
        return (self.kernel_size - 1) * (1 + sum(self.dilations)) + 1

    def training_samples(self, ratio: int) -> int:
        """The shortest signal that shows a prediction all frames that it depends on.

        Args:
            ratio: of the model, in samples for each frame.

        Returns:
            Samples of audio, a power of two.

        >>> PriorConfig().training_samples(2048)
        262144
        """
        return 1 << ((self.receptive_field + self.latents - 1) * ratio - 1).bit_length()


def check_prior(config: PriorConfig, latent_size: int) -> None:
    """Raise if a configuration cannot work.

    Args:
        config: of the prior.
        latent_size: latents of the model that it is for.

    Raises:
        RAVEConfigError: a size is no whole number, is too small, or does not fit the others.
    """
    for field in fields(config):
        value, least = getattr(config, field.name), 2 if field.name == "resolution" else 1
        if type(value) is not int or value < least:
            raise RAVEConfigError(
                "this is no size", site=field.name, wanted=f"a whole number from {least}", got=repr(value)
            )
    if config.latents > latent_size:
        raise RAVEConfigError(
            "the model has fewer latents than its prior",
            site="latents",
            wanted=latent_size,
            got=config.latents,
        )
    for name in ("residual_size", "skip_size"):
        if getattr(config, name) % config.latents:
            raise RAVEConfigError(
                "each latent has its own share of the channels",
                site=name,
                wanted=f"a multiple of {config.latents}, the number of latents",
                got=getattr(config, name),
            )


def prior_to_dict(config: PriorConfig) -> dict[str, Any]:
    """The configuration by name, ready for ``json.dumps``."""
    return asdict(config)


def prior_from_dict(content: object) -> PriorConfig:
    """The configuration that `prior_to_dict` wrote; sizes that are left out take their defaults.

    Raises:
        RAVEConfigError: there is no such size. Values are checked where a prior is built.
    """
    names = [field.name for field in fields(PriorConfig)]
    unknown = [str(name) for name in content if name not in names] if isinstance(content, Mapping) else None
    if unknown is None or unknown or not isinstance(content, Mapping):
        raise RAVEConfigError(
            "this is no configuration of a prior",
            site="prior",
            wanted=f"some of: {', '.join(names)}",
            got=", ".join(unknown or [type(content).__name__]),
        )
    return PriorConfig(**content)
