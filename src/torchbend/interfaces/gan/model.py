"""Generators of images (GANs) behind their own verbs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from torchbend.errors import CheckpointError
from torchbend.interfaces.base import BendingInterface
from torchbend.interfaces.gan.sources import Location, generator_of, read_generator
from torchbend.interfaces.gan.styles import StyleGenerator
from torchbend.interfaces.gan.tiny import tiny_gan

__all__ = ["GANInterface"]

Self = TypeVar("Self", bound="GANInterface")


class GANInterface(BendingInterface):
    """A generator of images, looked into and bent; what it makes is in `BendedGAN`.

    A StyleGAN has two methods with activations: ``map`` (latents to styles) and ``synthesize`` (styles to
    images). Any other generator has one, ``forward`` (latents to images).

    Args:
        source: a file with weights (``.safetensors``, ``.pt``; NVIDIA's ``.pkl`` is read without running it),
            a folder with one, a name of the model hub, ``"faces"`` (the package gan-face-generate), weights
            by name, or a module that makes images of latents.
        cache_dir: where what is fetched is kept.
        latent_size: for a module: numbers in a latent, as 100; or the shape of one, as ``(100, 1, 1)``.
        output_range: for a module: what it calls black and white.
        clamp: what the layers of a StyleGAN are clamped to; NVIDIA's pickles say it themselves.
        device: where it runs; by default where the module is, or the CPU.

    Raises:
        CheckpointError: there is no such file, folder or name; or it holds no generator that is known.
        WeightsFileError: a file is damaged, or cannot be read without running code.
        MissingExtraError: what fetches, or the package with the faces, is not installed.
    """

    kind = "gan"
    makes = "images"
    writes = (".png",)
    export_targets = ("torchscript", "onnx", "pt2")
    why_no_export = "nn~ plays sound, and this makes images"

    def __init__(
        self,
        source: Location | Mapping[str, Tensor] | nn.Module,
        cache_dir: Location | None = None,
        *,
        latent_size: int | Sequence[int] | None = None,
        output_range: tuple[float, float] = (-1.0, 1.0),
        clamp: float | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        in_memory = isinstance(source, nn.Module | Mapping)
        model = _given(source, cache_dir, clamp)
        super().__init__((model if device is None else model.to(device)).eval())
        self._source = "in memory" if in_memory else os.fspath(source)  # type: ignore[arg-type]
        self._latent = _latent_shape(self.module, latent_size)
        self._range = _checked_range(output_range)
        self._device = next((weight.device for weight in self.module.parameters()), torch.device("cpu"))
        shape = self._checked_image()
        self.image_channels, self.resolution = shape[0], shape[-1]
        self.trace_methods()

    @classmethod
    def tiny(cls: type[Self], seed: int = 0, **options: Any) -> Self:
        """A tiny StyleGAN2 with random weights: coloured clouds of 32 x 32 pixels.

        Args:
            seed: of its weights.
            options: the class's other arguments.
        """
        return cls(tiny_gan(seed), **options)

    def example_inputs(self) -> Mapping[str, Any]:
        """An example input for each method whose activations have names."""
        z = torch.randn(1, *self._latent, generator=torch.Generator().manual_seed(0)).to(self._device)
        if not self.has_styles:
            return {"forward": z}
        ws = self._unbent.map(z, self._no_labels(1))
        return {"map": (z, self._no_labels(1)) if self.labels else z, "synthesize": ws}

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def has_styles(self) -> bool:
        """Whether latents become styles first (StyleGAN), so that styles can be mixed."""
        return isinstance(self.module, StyleGenerator)

    @property
    def latent_size(self) -> int:
        """Numbers in a latent."""
        size = 1
        for count in self._latent:
            size *= count
        return size

    @property
    def styles(self) -> int:
        """Styles that an image is made of; 0 where there are none."""
        return self._unbent.sizes.styles if self.has_styles else 0

    @property
    def labels(self) -> int:
        """Classes of a conditional model; 0 for others."""
        return self._unbent.sizes.labels if self.has_styles else 0

    @property
    def _unbent(self) -> StyleGenerator:
        return self.module  # type: ignore[return-value]

    def _no_labels(self, rows: int) -> Tensor | None:
        return torch.zeros(rows, self.labels, device=self._device) if self.labels else None

    def _checked_image(self) -> torch.Size:
        """The shape of an image; a model that is not known has to make one."""
        if self.has_styles:
            sizes = self._unbent.sizes
            return torch.Size((sizes.image_channels, sizes.resolution, sizes.resolution))
        z = torch.zeros(1, *self._latent, device=self._device)
        try:
            with torch.no_grad():
                made = self.module(z)
        except (RuntimeError, TypeError, ValueError, LookupError) as error:
            raise CheckpointError(
                "this module makes nothing of a latent",
                site=type(self.module).__name__,
                wanted=f"an image of a latent of shape {[1, *self._latent]}",
                got=f"{type(error).__name__}: {str(error).splitlines()[0][:150] if str(error) else ''}",
                next_step="give the shape of its latents: latent_size=100, or latent_size=(100, 1, 1)",
            ) from error
        if (
            not isinstance(made, Tensor)
            or made.dim() != 4
            or made.shape[:1] != (1,)
            or made.shape[1] not in (1, 3)
        ):
            raise CheckpointError(
                "what this module makes is no image",
                site=type(self.module).__name__,
                wanted="shape [batch, 1 or 3, height, width]",
                got=list(made.shape) if isinstance(made, Tensor) else type(made).__name__,
            )
        return made.shape[1:]

    def __repr__(self) -> str:
        count = sum(weight.numel() for weight in self.module.parameters())
        bends = len(self._engine.bends)
        styles = f"{self.styles} styles, " if self.has_styles else ""
        told = f", {bends} bend{'s' * (bends != 1)}" if bends else ""
        return (
            f"{type(self).__name__}({self._source}: {type(self.module).__name__}, {self.resolution} pixels, "
            f"{self.latent_size} latents, {styles}{count:,} weights{told})"
        )


def _given(source: Any, cache_dir: Location | None, clamp: float | None) -> nn.Module:
    if isinstance(source, nn.Module):
        return source
    if isinstance(source, Mapping):
        return generator_of(source, clamp=clamp).requires_grad_(False)
    return read_generator(source, cache_dir, clamp).requires_grad_(False)


def _latent_shape(model: nn.Module, given: int | Sequence[int] | None) -> tuple[int, ...]:
    if given is None:
        given = (
            model.sizes.z_dim if isinstance(model, StyleGenerator) else getattr(model, "latent_size", None)
        )
    shape = (given,) if isinstance(given, int) else tuple(given) if isinstance(given, Sequence) else ()
    if not shape or not all(isinstance(count, int) and count > 0 for count in shape):
        raise CheckpointError(
            "it is not known how large the latents of this module are",
            site="latent_size",
            wanted="a whole number, or the shape of one latent",
            got=repr(given),
            next_step="BendedGAN(module, latent_size=100), or latent_size=(100, 1, 1)",
        )
    return shape


def _checked_range(given: tuple[float, float]) -> tuple[float, float]:
    low, high = (float(value) for value in given)
    if not low < high:
        raise CheckpointError(
            "black is to be less than white", site="output_range", wanted="as (-1.0, 1.0)", got=repr(given)
        )
    return low, high
