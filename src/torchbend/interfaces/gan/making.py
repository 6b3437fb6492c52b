"""From seeds to latents, to styles, to images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.errors import GenerationError
from torchbend.interfaces.gan.latents import Seeds, drawn, numbers_of
from torchbend.interfaces.gan.model import GANInterface

__all__ = ["GANMaking", "Labels", "Noise"]

Noise = Literal["const", "random", "none"]
Labels = int | Sequence[int] | None

_BATCH = 8


class GANMaking(GANInterface):
    """A generator that makes images; construction and errors are those of `GANInterface`."""

    def generate(
        self,
        seeds: Seeds = 1,
        *,
        truncation: float = 1.0,
        noise: Noise = "const",
        seed: int | None = None,
        labels: Labels = None,
        cutoff: int | None = None,
    ) -> Tensor:
        """Images of seeds.

        Args:
            seeds: how many, or a seed for each.
            truncation: 1 takes latents as they are; towards 0 all images get more like the mean one. A model
                without styles has its latents made smaller instead.
            noise: of a StyleGAN, for hair and pores: ``"const"`` as it was trained, always the same;
                ``"random"`` drawn anew; ``"none"``.
            seed: the first seed, where ``seeds`` is a number, and the seed of random noise; by default
                torch's own random numbers.
            labels: class of the images, or one for each, where the model knows any.
            cutoff: truncate only so many styles, the coarse ones.

        Returns:
            Shape ``[B, colours, H, W]``.

        Raises:
            GenerationError: no seeds, an unknown class, or something that this model cannot do.
        """
        z = self.latents(seeds, seed=seed)
        if self.has_styles:
            return self.synthesize(self.map(z, truncation, labels=labels, cutoff=cutoff), noise, seed=seed)
        if cutoff is not None or labels is not None:
            raise self._no_styles("cutoff" if labels is None else "labels")
        return self.synthesize(checked_amount(truncation) * z, noise)

    def forward(self, seeds: Seeds | Tensor = 1, **options: Any) -> Tensor:
        """The same as `generate`; a tensor is taken as latents."""
        if not isinstance(seeds, Tensor):
            return self.generate(seeds, **options)
        return self.synthesize(self.map(seeds, **options) if self.has_styles else seeds)

    def latents(self, seeds: Seeds = 1, *, seed: int | None = None) -> Tensor:
        """Latents of seeds.

        Args:
            seeds, seed: as of `generate`.

        Returns:
            Shape ``[B, latent_size]``.
        """
        return drawn(numbers_of(seeds, seed), self.latent_size)

    def map(
        self, z: Tensor, truncation: float = 1.0, *, labels: Labels = None, cutoff: int | None = None
    ) -> Tensor:
        """Styles of latents; only for a model with styles.

        Args:
            z: shape ``[B, latent_size]``.
            truncation, labels, cutoff: as of `generate`.

        Returns:
            Shape ``[B, styles, w_dim]``; first the coarse ones, then the fine ones.
        """
        if not self.has_styles:
            raise self._no_styles("map")
        rows = self._rows(z, (self.latent_size,), "z")
        given: dict[str, Any] = {"labels": self._one_hot(labels, len(rows))} if self.labels else {}
        if labels is not None and not self.labels:
            raise GenerationError(
                "this model knows no classes", site="labels", wanted="None", got=repr(labels)
            )
        if truncation != 1.0:
            amounts = torch.ones(self.styles, device=self._device)
            amounts[: self._checked_cutoff(cutoff)] = checked_amount(truncation)
            given["truncation"] = amounts
        return self._run("map", rows, given)

    def synthesize(self, ws: Tensor, noise: Noise = "const", *, seed: int | None = None) -> Tensor:
        """Images of styles; of latents, where a model has no styles.

        Args:
            ws: shape ``[B, styles, w_dim]``, or ``[B, latent_size]``.
            noise: as of `generate`.
            seed: of random noise.

        Returns:
            Shape ``[B, colours, H, W]``.
        """
        if not self.has_styles:
            if noise == "random":
                raise self._no_styles("noise")
            rows = self._rows(ws.flatten(1) if ws.dim() > 2 else ws, (self.latent_size,), "z")
            return self._shown(self._run("forward", rows.reshape(-1, *self._latent), {}))
        rows = self._rows(ws, (self.styles, self._unbent.sizes.w_dim), "ws")
        grains = self._noise(noise, len(rows), seed)
        return self._shown(self._run("synthesize", rows, {} if grains is None else {"noise": grains}))

    # -- inside ----------------------------------------------------------------------------------------------

    def _run(self, method: str, rows: Tensor, given: dict[str, Any]) -> Tensor:
        """Some rows at a time: what a large model makes on its way needs room."""
        made = []
        with torch.no_grad():
            for at in range(0, len(rows), _BATCH):
                some = slice(at, at + _BATCH)
                here = {name: _rows_of(name, value, some) for name, value in given.items()}
                made.append(self._call(method, (rows[some].to(self._device),), here))
        return torch.cat(made).float().cpu()

    def _rows(self, given: Tensor, shape: tuple[int, ...], site: str) -> Tensor:
        single = isinstance(given, Tensor) and given.shape == shape
        rows = given[None] if single else given
        if (
            not isinstance(rows, Tensor)
            or rows.shape[1:] != shape
            or not rows.is_floating_point()
            or not len(rows)
        ):
            raise GenerationError(
                "this has another shape than the model takes",
                site=site,
                wanted=f"[batch, {', '.join(map(str, shape))}]",
                got=list(given.shape) if isinstance(given, Tensor) else type(given).__name__,
            )
        return rows.float()

    def _shown(self, made: Tensor) -> Tensor:
        low, high = self._range
        return ((made - low) / (high - low)).clamp(0, 1)

    def _noise(self, kind: str, rows: int, seed: int | None) -> list[Tensor] | None:
        if kind == "const":
            return None
        sides = self._unbent.noisy
        if kind == "none":
            return [torch.zeros(1, 1, 1, 1, device=self._device) for _ in sides] or None
        if kind != "random" or not sides:
            known = "'const', 'random' or 'none'" if sides else "'const': no layer of this model takes noise"
            raise GenerationError("there is no such noise", site="noise", wanted=known, got=repr(kind))
        source = None if seed is None else torch.Generator().manual_seed(seed)
        shapes = [(rows, 1, side, side) for side in sides]
        return [torch.randn(shape, generator=source).to(self._device) for shape in shapes]

    def _one_hot(self, labels: Labels, rows: int) -> Tensor:
        if labels is None:
            raise GenerationError(
                "this model wants a class for each image", site="labels", wanted=f"0 to {self.labels - 1}"
            )
        chosen = [labels] * rows if isinstance(labels, int) else list(labels)
        if len(chosen) != rows or not all(isinstance(n, int) and 0 <= n < self.labels for n in chosen):
            raise GenerationError(
                "these are no classes of this model",
                site="labels",
                wanted=f"a number from 0 to {self.labels - 1}, or {rows} of them",
                got=repr(labels),
            )
        return F.one_hot(torch.tensor(chosen), self.labels).float().to(self._device)

    def _checked_cutoff(self, cutoff: int | None) -> int:
        count = self.styles if cutoff is None else cutoff
        if not isinstance(count, int) or not 0 <= count <= self.styles:
            raise GenerationError(
                "there are no so many styles", site="cutoff", wanted=f"0 to {self.styles}", got=repr(cutoff)
            )
        return count

    def _no_styles(self, site: str) -> GenerationError:
        return GenerationError(
            f"this generator has no styles: its latents become an image at once ({site})",
            site=site,
            wanted="a StyleGAN",
            got=type(self.module).__name__,
            next_step="generate(), synthesize(z) and walk() work",
        )


def checked_amount(value: float) -> float:
    """A truncation, as a number.

    Raises:
        GenerationError: it is none.
    """
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise GenerationError("this is no number", site="truncation", wanted="as 0.7", got=repr(value))
    return float(value)


def _rows_of(name: str, value: Any, some: slice) -> Any:
    """What belongs to some of the images; truncation, and noise for all of them, stay as they are."""
    if name == "labels":
        return value[some]
    return [grain if len(grain) == 1 else grain[some] for grain in value] if name == "noise" else value
