"""What a pipeline does, bent: words to images, step by step, bent beside unbent."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchbend.errors import GenerationError, TorchbendError
from torchbend.interfaces import images as pictures
from torchbend.interfaces.diffusion.asking import (
    Prompts,
    Seed,
    as_images,
    asked_of,
    generator_of,
    rows_of,
    takes,
)
from torchbend.interfaces.diffusion.latent_verbs import DiffusionLatents
from torchbend.interfaces.diffusion.running import Running, random_state_of
from torchbend.interfaces.diffusion.unconditional import makes_from_noise, run_from
from torchbend.interfaces.schedule import Schedule

__all__ = ["DiffusionVerbs"]

logger = logging.getLogger("torchbend")

Curves = Mapping[Any, Any]


class DiffusionVerbs(DiffusionLatents):
    """The verbs of images; arguments are those of `BendedDiffusion`."""

    def generate(
        self,
        prompts: Prompts = None,
        *,
        n: int = 1,
        steps: int | None = None,
        guidance: float | None = None,
        negative: str | Sequence[str] | None = None,
        height: int | None = None,
        width: int | None = None,
        seed: Seed = None,
        schedule: Curves | None = None,
        latents: Tensor | None = None,
        return_latents: bool = False,
        progress: bool | None = False,
        **options: Any,
    ) -> Any:
        """Images of prompts.

        Args:
            prompts: a text or several; numbers for a model of classes; None for a model without prompts.
            n: images for each prompt.
            steps: of denoising; this and what follows: the pipeline's own where it is None.
            guidance: how closely the prompt is followed (classifier-free guidance).
            negative: what is not wanted: a text, or one for each prompt.
            height, width: in pixels.
            seed: of the random numbers: the same seed gives the same images; of a list of seeds, one for each
                image. By default torch's own state.
            schedule: for controls, by name, a curve over the steps: points ``[(share, value), ...]`` or a
                function; the share of steps done goes from 0 towards 1. The controls are afterwards what
                they were.
            latents: the noise to begin with, as `latents` makes it.
            return_latents: give what the last step made too.
            progress: True shows a bar; None only where somebody sees it, when it takes long.
            options: others of the pipeline's own, under its names.

        Returns:
            Shape ``[prompts * n, 3, H, W]`` from 0 to 1, on the CPU; with ``return_latents`` a pair with the
            latents.

        Raises:
            GenerationError: the pipeline takes no such thing, or not this value of it.
            ControlError: the schedule names an unknown control, or a value out of its range.
            NonFiniteError: a bend made values that are no numbers, and there is no image.
        """
        asked = asked_of(
            self._pipeline,
            prompts,
            n=n,
            negative=negative,
            steps=steps,
            guidance=guidance,
            height=height,
            width=width,
            options=options,
        )
        running = self._running(schedule, progress)
        images = self._made(running, asked, seed, latents)
        if not return_latents:
            return images
        if running.latents is None:
            raise GenerationError("this pipeline's steps give no latents", site="return_latents")
        return images, running.latents[: rows_of(asked)].float().cpu()

    def forward(self, *args: Any, schedule: Curves | None = None, **options: Any) -> Any:
        """The pipeline's own call, bent: with its own arguments, and what it returns itself.

        Args:
            args, options: the pipeline's.
            schedule: as of `generate`.
        """
        running = self._running(schedule, False)
        with running.going(options.get("num_inference_steps")) as pipeline:
            return pipeline(*args, **options)

    def compare(
        self, prompts: Prompts = None, *, seed: Seed = 0, schedule: Curves | None = None, **options: Any
    ) -> Tensor:
        """Unbent and bent images of the same noise, in pairs.

        Args:
            prompts, seed, schedule, options: as of `generate`.

        Returns:
            Shape ``[2 * images, 3, H, W]``: unbent, bent, unbent, bent, ...; ``grid(images, columns=2)`` has
            a pair in each row.
        """
        asked, latents, progress = self._asked(prompts, options)
        seed = int(torch.randint(2**31 - 1, ())) if seed is None else seed
        plain = self._made(self._running(None, progress, bent=False), asked, seed, latents)
        bent = self._made(self._running(schedule, progress), asked, seed, latents)
        return torch.stack([plain, bent], 1).flatten(0, 1)

    def steps_of(
        self,
        prompts: Prompts = None,
        *,
        every: int = 1,
        seed: Seed = 0,
        schedule: Curves | None = None,
        **options: Any,
    ) -> Tensor:
        """How an image comes into being: what the steps made, as images.

        Args:
            prompts: one prompt.
            every: steps from one image to the next; the last step's image is always there.
            seed, schedule, options: as of `generate`.

        Returns:
            Shape ``[images, 3, H, W]`` from 0 to 1, on the CPU; `grid` puts them side by side.

        Raises:
            GenerationError: there are several prompts; or as of `generate`.
        """
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise GenerationError("steps are counted", site="every", wanted="1 or more", got=repr(every)[:80])
        asked, latents, progress = self._asked(prompts, options)
        if rows_of(asked) != 1:
            raise GenerationError(
                "the steps of one image at a time",
                site="prompts",
                wanted="one prompt, n=1",
                got=f"{rows_of(asked)} images",
            )
        running, found = self._running(schedule, progress), list[Tensor]()
        running.each_step = lambda made: found.append(made[:1])
        last = self._made(running, asked, seed, latents)
        size = {"height": last.shape[-2], "width": last.shape[-1]}
        chosen = found[:-1][every - 1 :: every]
        return torch.cat([*(self.decode(made, **size) for made in chosen), last])

    def grid(self, images: Tensor, columns: int | None = None) -> Tensor:
        """Images side by side as one, ``[3, height, width]`` (see `torchbend.interfaces.images.grid`)."""
        return pictures.grid(images, columns)

    def render(  # type: ignore[override]
        self,
        out: str | os.PathLike[str],
        inputs: Sequence[str] = (),
        *,
        seed: int = 0,
        n: int = 1,
        steps: int | None = None,
        guidance: float | None = None,
        negative: str | None = None,
        height: int | None = None,
        width: int | None = None,
        columns: int | None = None,
        compare: bool = False,
    ) -> Path:
        """Make images of prompts, bent, and write them to a PNG file, several as a grid.

        Args:
            out: the file; it appears whole or not at all.
            inputs: the prompts; numbers for a model of classes; none for a model without prompts.
            seed, n, steps, guidance, negative, height, width: as of `generate`.
            columns: images in a row.
            compare: unbent images beside the bent ones.

        Returns:
            The file.
        """
        if Path(out).suffix.lower() != ".png":
            raise TorchbendError(
                "images are written as PNG", site=str(out), wanted="NAME.png", got=Path(out).name
            )
        given: dict[str, Any] = {"n": n, "steps": steps, "guidance": guidance, "negative": negative}
        verb = self.compare if compare else self.generate
        images = verb(self._read(inputs), seed=seed, height=height, width=width, **given, progress=None)
        return pictures.write_image(out, images, columns or (2 if compare else None))

    # -- inside ----------------------------------------------------------------------------------------------

    def _asked(
        self, prompts: Prompts, options: dict[str, Any]
    ) -> tuple[dict[str, Any], Tensor | None, bool | None]:
        """Arguments of the pipeline's call, out of the options of `generate`; the noise; and the bar."""
        given: dict[str, Any] = {"n": 1, **dict.fromkeys(_NAMED)}
        rest = dict(options)
        latents, progress = rest.pop("latents", None), rest.pop("progress", False)
        given.update({name: rest.pop(name) for name in given if name in rest})
        return asked_of(self._pipeline, prompts, **given, options=rest), latents, progress

    def _read(self, inputs: Sequence[str]) -> Prompts:
        """The prompts, as somebody wrote them on the command line."""
        if "class_labels" not in takes(self._pipeline):
            return list(inputs) or None
        wrong = [text for text in inputs if not str(text).isdigit()]
        if wrong:
            raise GenerationError(
                "this model makes images of classes", site="inputs", wanted="numbers of classes", got=wrong[0]
            )
        return [int(text) for text in inputs]

    def _running(self, schedule: Curves | None, progress: bool | None, *, bent: bool = True) -> Running:
        return Running(
            self._pipeline,
            self._model,
            self._engine if bent else None,
            Schedule(schedule, self.controllables),
            self._gates if bent else (),
            progress,
        )

    def _made(self, running: Running, asked: dict[str, Any], seed: Seed, latents: Tensor | None) -> Tensor:
        """Let a pipeline run, and take its images."""
        known, device, rows = takes(self._pipeline), self._model.device, rows_of(asked)
        given = dict(asked)
        given.update({"output_type": "pt"} if "output_type" in known else {})
        given.update({"generator": generator_of(seed, device, rows)} if "generator" in known else {})
        noise = None if latents is None else self._noise(latents, rows)
        if noise is not None and "latents" in known:
            given["latents"] = noise
        first = seed if seed is None or isinstance(seed, int) else next(iter(seed))
        steps = given.get("num_inference_steps")
        with torch.no_grad(), random_state_of(first, device), running.going(steps) as pipeline:
            if noise is not None and "latents" not in known:
                return self._finite(as_images(run_from(pipeline, noise, given)))
            try:
                made = pipeline(**given)
            except (ValueError, TypeError) as error:
                if isinstance(error, TorchbendError) or running.begun:
                    raise
                raise GenerationError(
                    "the pipeline does not take this",
                    site=type(self._pipeline).__name__,
                    got=str(error)[:300],
                ) from error
        for number, flagged in enumerate(getattr(made, "nsfw_content_detected", None) or ()):
            if flagged:
                logger.warning("the pipeline's safety checker made image %d black", number)
        return self._finite(as_images(getattr(made, "images", None)))

    def _noise(self, latents: Tensor, rows: int) -> Tensor:
        if "latents" not in takes(self._pipeline) and not makes_from_noise(self._pipeline):
            raise GenerationError(
                f"{type(self._pipeline).__name__} draws its noise itself",
                site="latents",
                next_step="give a seed",
            )
        if not isinstance(latents, Tensor) or latents.dim() not in (3, 4) or len(latents) != rows:
            raise GenerationError(
                "noise is needed for each image",
                site="latents",
                wanted=f"[{rows}, C, h, w], as latents(seed, n={rows}) makes it",
                got=list(latents.shape) if isinstance(latents, Tensor) else type(latents).__name__,
            )
        return latents.to(self._model.device, self._model.dtype)


_NAMED = ("negative", "steps", "guidance", "height", "width")
