"""What a pipeline does with latents, bent: noise, ways between noises, images to latents and back."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import GenerationError, NonFiniteError, ShapeError
from torchbend.interfaces.diffusion.asking import Seed, as_images, checked_side, generator_of
from torchbend.interfaces.diffusion.interface import DiffusionInterface
from torchbend.interfaces.diffusion.latents import from_codec, slerp, to_codec

__all__ = ["DiffusionLatents"]


class DiffusionLatents(DiffusionInterface):
    """The verbs of latents; arguments are those of `BendedDiffusion`."""

    def latents(
        self, seed: Seed = 0, n: int = 1, *, height: int | None = None, width: int | None = None
    ) -> Tensor:
        """Noise to begin with: ``generate(..., latents=model.latents(3))`` is ``generate(..., seed=3)``.

        That holds where the scheduler draws nothing in its steps (DDIM, PNDM, Euler).

        Args:
            seed: of the noise; of a list of seeds, one for each image.
            n: how many; of a list of seeds as many as these.
            height, width: of the image, in pixels.

        Returns:
            Shape ``[n, C, h, w]`` (``[n, pieces, C]`` where the pipeline packs them), on the CPU.

        Raises:
            GenerationError: the model cannot make images of this size, or these are no seeds.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise GenerationError("n is a whole number", site="n", wanted="1 or more", got=repr(n)[:80])
        rows = n if seed is None or isinstance(seed, int) else len(list(seed))
        shape = (rows, *self._latent_shape(height, width))
        drawn = generator_of(seed, self._model.device, rows)
        place: dict[str, Any] = {"device": self._model.device, "dtype": self._model.dtype}
        if isinstance(drawn, list):
            made = torch.cat([torch.randn((1, *shape[1:]), generator=one, **place) for one in drawn])
        else:
            made = torch.randn(shape, generator=drawn, **place)
        if hasattr(self._pipeline, "_pack_latents"):
            made = self._pipeline._pack_latents(made, *shape)
        return made.cpu()

    def interpolate_latents(self, a: Tensor, b: Tensor, n: int = 8) -> Tensor:
        """From one noise to another in equal steps along the great circle, both ends included.

        Args:
            a, b: one each, as `latents` gives them.
            n: how many, 2 or more.

        Returns:
            Shape ``[n, C, h, w]``.

        Raises:
            ShapeError: their shapes differ, or there are several.
            GenerationError: ``n`` is below 2.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 2:
            raise GenerationError("a way has two ends", site="n", wanted="2 or more", got=repr(n)[:80])
        if not len(a) == len(b) == 1:
            raise ShapeError(
                "a way goes from one noise to another",
                site="latents",
                wanted="one each: [1, C, h, w]",
                got=[list(a.shape), list(b.shape)],
                next_step="x[:1] is the first of several",
            )
        return torch.cat([slerp(a, b, k / (n - 1)) for k in range(n)])

    def encode(self, images: Tensor, *, sample: bool = False, seed: int | None = None) -> Tensor:
        """Latents of images, bent.

        Args:
            images: shape ``[B, 3, H, W]`` or ``[3, H, W]``, from 0 to 1.
            sample: draw from the VAE's distribution, instead of taking its means.
            seed: of what is drawn.

        Returns:
            Shape ``[B, C, h, w]``, as the denoiser knows them, on the CPU. A model without a VAE works on
            images themselves: its latents are the images, from -1 to 1.

        Raises:
            ShapeError: these are no images.
            NonFiniteError: a bend made values that are no numbers.
            GenerationError: the VAE has no encoder.
        """
        model, codec = self._model, self._model.autoencoder
        x = self._images(images) * 2 - 1
        if codec is None:
            return x
        if "encode" not in model.calls:
            raise GenerationError("this VAE only decodes", site="encode", got=type(codec).__name__)
        x = x.to(model.device, next(codec.parameters()).dtype)
        with torch.no_grad():
            made = self._call("encode", (), {_first(codec.encode): x})
            if hasattr(made, "latent_dist"):
                drawn = generator_of(seed, x.device, len(x))
                encoded = made.latent_dist.sample(drawn) if sample else made.latent_dist.mode()
            else:
                encoded = made.latents if hasattr(made, "latents") else made.latent
        return self._finite(from_codec(encoded, codec.config).float().cpu())

    def decode(self, latents: Tensor, *, height: int | None = None, width: int | None = None) -> Tensor:
        """Images of latents, bent.

        Args:
            latents: shape ``[B, C, h, w]``; or ``[B, pieces, C]`` of a pipeline that packs them.
            height, width: of the image, in pixels, where packed latents do not tell; square by default.

        Returns:
            Shape ``[B, 3, H, W]`` from 0 to 1, on the CPU.

        Raises:
            ShapeError: these are no latents.
            NonFiniteError: they hold NaN or infinity, or a bend made some.
        """
        model, codec = self._model, self._model.autoencoder
        z = self._unpacked(latents, height, width)
        if codec is not None:
            z = to_codec(z.to(model.device, next(codec.parameters()).dtype), codec.config)
            with torch.no_grad():
                z = self._call("decode", (), {_first(codec.decode): z, "return_dict": False})[0]
        return self._finite(as_images((z / 2 + 0.5).clamp(0, 1)))

    # -- inside ----------------------------------------------------------------------------------------------

    def _latent_shape(self, height: int | None, width: int | None) -> tuple[int, int, int]:
        model, pipeline = self._model, self._pipeline
        config: Any = model.denoiser.config
        usual: Any = getattr(pipeline, "default_sample_size", None) or getattr(config, "sample_size", None)
        sides = list(usual) if isinstance(usual, list | tuple) else [usual, usual]
        if model.autoencoder is None:
            if height is not None or width is not None:
                raise GenerationError(
                    "this model makes images of one size",
                    site="height" if height is not None else "width",
                    wanted=f"{sides[0]} by {sides[1]} pixels",
                    next_step="leave it out",
                )
            return int(config.in_channels), int(sides[0]), int(sides[1])
        scale = int(getattr(pipeline, "vae_scale_factor", 8))
        for place, (name, side) in enumerate((("height", height), ("width", width))):
            if side is not None:
                sides[place] = checked_side(name, side, pipeline) // scale
        codec = model.autoencoder.config
        channels = getattr(codec, "latent_channels", None) or config.in_channels
        return int(channels), int(sides[0]), int(sides[1])

    def _unpacked(self, latents: Tensor, height: int | None, width: int | None) -> Tensor:
        if not isinstance(latents, Tensor) or latents.dim() not in (3, 4) or not latents.is_floating_point():
            raise ShapeError(
                "these are no latents",
                site="latents",
                wanted="[B, C, h, w]",
                got=list(latents.shape) if isinstance(latents, Tensor) else type(latents).__name__,
            )
        if not torch.isfinite(latents).all():
            raise NonFiniteError("the latents hold NaN or infinity", site="latents", wanted="finite values")
        pipeline = self._pipeline
        if latents.dim() == 4:
            return latents
        if not hasattr(pipeline, "_unpack_latents"):
            return latents[None]
        scale = int(pipeline.vae_scale_factor)
        side = round(latents.shape[1] ** 0.5) * 2 * scale
        unpacked: Tensor = pipeline._unpack_latents(latents, height or side, width or side, scale)
        return unpacked

    @staticmethod
    def _images(images: Tensor) -> Tensor:
        batch = images[None] if isinstance(images, Tensor) and images.dim() == 3 else images
        fits = (
            isinstance(batch, Tensor) and batch.dim() == 4 and batch.is_floating_point() and batch.numel() > 0
        )
        if not fits or not torch.isfinite(batch).all():
            raise ShapeError(
                "these are no images",
                site="images",
                wanted="numbers from 0 to 1, shape [B, 3, H, W]",
                got=f"{images.dtype} {list(images.shape)}"
                if isinstance(images, Tensor)
                else type(images).__name__,
            )
        return batch.float()

    def _finite(self, made: Tensor | None) -> Tensor:
        """What was made, once it is known to be numbers."""
        if made is None:
            raise GenerationError(
                "this pipeline makes no images",
                site=type(self._pipeline).__name__,
                next_step="call the object, as the pipeline itself: model(prompt, ...)",
            )
        if not torch.isfinite(made).all():
            bent = self.bended_keys()
            broken = int((~torch.isfinite(made)).sum())
            raise NonFiniteError(
                "there is no image: its values are not finite",
                site=", ".join(bent[:4]) + ", ..." * (len(bent) > 4) or "no bend is in force",
                wanted="finite values",
                got=f"{broken} of {made.numel()} are NaN or infinite",
                next_step="bend less, or put a Clamp behind it; model.guard = 'raise' tells which bend it was"
                if bent
                else "look at the model's weights, or load it with dtype='float32'",
            )
        return made


def _first(method: Any) -> str:
    """The name of a method's first argument."""
    return next(iter(inspect.signature(method).parameters))
