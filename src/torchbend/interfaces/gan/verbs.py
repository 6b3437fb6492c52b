"""What a GAN does: images of seeds, of mixed styles, and on the way from one to another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from torchbend.errors import GenerationError
from torchbend.interfaces.gan.latents import Seeds, numbers_of, slerp
from torchbend.interfaces.gan.making import GANMaking, Noise, checked_amount
from torchbend.interfaces.images import grid, write_image

__all__ = ["BendedGAN"]


class BendedGAN(GANMaking):
    """A GAN that can be looked into, bent and played: StyleGAN, DCGAN, or a generator of your own.

    Construction and errors are those of `GANInterface`.

    Images are shape ``[B, colours, H, W]``, from 0 (black) to 1, on the CPU. A seed makes always the same
    latent, the one that NVIDIA's programs make of it.

    Example:
        >>> import torch, torchbend as tb
        >>> from torchbend.interfaces.gan import BendedGAN
        >>> gan = BendedGAN.tiny()
        >>> gan
        BendedGAN(in memory: StyleGAN2, 32 pixels, 32 latents, 8 styles, 58,403 weights)
        >>> list(gan.generate([1, 2, 5]).shape)
        [3, 3, 32, 32]
    """

    def mix(
        self,
        seeds_a: Seeds,
        seeds_b: Seeds,
        layers: Iterable[int],
        *,
        truncation: float = 1.0,
        noise: Noise = "const",
    ) -> Tensor:
        """Images of the first seeds, that take some of their styles from the second ones.

        Args:
            seeds_a: what stays; a single number is one seed here.
            seeds_b: what is taken from.
            layers: which styles, as ``range(4)`` for the coarse ones or ``range(6, styles)`` for fine ones.
            truncation, noise: as of `generate`.

        Returns:
            All pairs, one row of images for each of ``seeds_a``: shape ``[A * B, colours, H, W]``.
        """
        if not self.has_styles:
            raise self._no_styles("mix")
        wanted = list(layers)
        chosen = [n for n in wanted if isinstance(n, int) and 0 <= n < self.styles]
        if len(chosen) != len(wanted) or not chosen:
            raise GenerationError(
                "these are no styles of this model",
                site="layers",
                wanted=f"whole numbers from 0 to {self.styles - 1}",
                got=repr(layers),
            )
        ways = [self.map(self.latents(_as_list(seeds)), truncation) for seeds in (seeds_a, seeds_b)]
        stays, taken = (
            ways[0].repeat_interleave(len(ways[1]), 0).clone(),
            ways[1].repeat(len(ways[0]), 1, 1),
        )
        stays[:, chosen] = taken[:, chosen]
        return self.synthesize(stays, noise, seed=0)

    def walk(
        self,
        seed_a: int,
        seed_b: int,
        steps: int = 8,
        *,
        space: Literal["w", "z"] | None = None,
        truncation: float = 1.0,
        noise: Noise = "const",
    ) -> Tensor:
        """Images on the way from one seed to another.

        Args:
            seed_a, seed_b: where it begins and ends.
            steps: images, both ends among them.
            space: ``"w"``: straight between styles; ``"z"``: between latents, on a great circle. By default
                ``"w"`` where there are styles.
            truncation, noise: as of `generate`.

        Returns:
            Shape ``[steps, colours, H, W]``.
        """
        if not isinstance(steps, int) or steps < 2:
            raise GenerationError("a walk has two ends", site="steps", wanted="2 or more", got=repr(steps))
        parts = torch.linspace(0, 1, steps)
        z = self.latents([seed_a, seed_b])
        where = space or ("w" if self.has_styles else "z")
        if where == "w":
            ws = self.map(z, truncation)
            return self.synthesize(torch.lerp(ws[:1], ws[1:], parts[:, None, None]), noise, seed=0)
        if where != "z":
            raise GenerationError(
                "there is no such space", site="space", wanted="'w' or 'z'", got=repr(space)
            )
        between = slerp(z[0], z[1], parts)
        if self.has_styles:
            return self.synthesize(self.map(between, truncation), noise, seed=0)
        return self.synthesize(checked_amount(truncation) * between, noise)

    def grid(
        self, seeds: Seeds = 9, *, columns: int | None = None, seed: int | None = 0, **options: Any
    ) -> Tensor:
        """Images of seeds, side by side as one.

        Args:
            seeds, seed: as of `generate`.
            columns: images in a row.
            options: the other arguments of `generate`.

        Returns:
            Shape ``[3, height, width]``.
        """
        return grid(self.generate(seeds, seed=seed, **options), columns)

    def compare(self, seeds: Seeds = 4, *, seed: int | None = 0, **options: Any) -> Tensor:
        """Images of seeds as one: the upper row as the model makes them unbent, the lower one bent.

        Args:
            seeds, seed: as of `generate`.
            options: the other arguments of `generate`.

        Returns:
            Shape ``[3, height, width]``.
        """
        numbers = numbers_of(seeds, seed)
        bent = self.generate(numbers, seed=seed, **options)
        plain = _Unbent(self.module, latent_size=self._latent, output_range=self._range)
        return grid(torch.cat([plain.generate(numbers, seed=seed, **options), bent]), len(numbers))

    def render(
        self, out: str | os.PathLike[str], inputs: Sequence[str] = (), *, seed: int = 0, **options: Any
    ) -> Path:
        """Write images of seeds to a PNG file, as a grid.

        Args:
            out: the file; it appears whole or not at all.
            inputs: seeds, as ``"3"`` and ``"10-15"``; nine from ``seed`` on where there are none.
            seed: the first seed where no inputs are given; of random noise otherwise.
            options: of `grid`: ``columns``, ``truncation``, ``noise``, ...

        Returns:
            The file.
        """
        columns = options.pop("columns", None)
        images = self.generate(_written_seeds(inputs) or 9, seed=seed, **options)
        return write_image(out, images, columns)


class _Unbent(BendedGAN):
    """The same model without bends, to compare with: nothing in it needs names."""

    def trace_methods(self) -> None:
        """Not traced."""


def _as_list(seeds: Seeds) -> Seeds:
    return [seeds] if isinstance(seeds, int) else seeds


def _written_seeds(inputs: Sequence[str]) -> list[int]:
    """Seeds as they are written on a command line: ``"3"``, ``"10-15"``."""
    seeds: list[int] = []
    for written in inputs:
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", written.strip())
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise GenerationError(
                "this is no seed", site=written, wanted="a number, or as 10-15", got=written
            )
        first = int(found[1])
        seeds += range(first, int(found[2] or first) + 1)
    return seeds
