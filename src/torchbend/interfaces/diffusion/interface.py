"""A pipeline, looked into and bent; what it makes is in `verbs`."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.recipe import BendingConfig
from torchbend.errors import CallbackError, CheckpointError
from torchbend.interfaces.base import BendingInterface
from torchbend.interfaces.diffusion.channels import channels_of
from torchbend.interfaces.diffusion.components import DiffusionModel
from torchbend.interfaces.diffusion.during import DuringSteps, Place, gates
from torchbend.interfaces.diffusion.examples import examples_of
from torchbend.interfaces.diffusion.loading import Location, opened, parts_of
from torchbend.interfaces.diffusion.running import Running, random_state_of
from torchbend.interfaces.schedule import Schedule
from torchbend.module.bending import BendHandle

__all__ = ["DiffusionInterface"]

logger = logging.getLogger("torchbend")

_ORDER = ("condition", "use", "denoise", "encode", "decode")


class DiffusionInterface(BendingInterface):
    """A pipeline of diffusers, bent; arguments are those of `BendedDiffusion`."""

    kind: ClassVar[str] = "diffusion"
    extra: ClassVar[str | None] = "diffusion"
    makes: ClassVar[str] = "images"
    writes: ClassVar[tuple[str, ...]] = (".png",)
    export_targets: ClassVar[tuple[str, ...]] = ()
    why_no_export: ClassVar[str] = "it makes an image step by step, in a loop that is the pipeline's"
    callback_classes: ClassVar[tuple[type[BendingCallback], ...]] = (DuringSteps,)
    """Callbacks of its own that a recipe may name."""

    def __init__(
        self,
        source: Any,
        cache_dir: Location | None = None,
        *,
        dtype: str | torch.dtype | None = None,
        device: str | torch.device | None = None,
        variant: str | None = None,
        safety_checker: bool = True,
        example: Mapping[str, Any] | None = None,
        trace: bool = True,
    ) -> None:
        in_memory = not isinstance(source, str | os.PathLike)
        if in_memory:
            pipeline = source
            _check_in_memory(source, dtype, variant)
        else:
            pipeline = opened(
                source, cache_dir, dtype=dtype or "float32", variant=variant, safety_checker=safety_checker
            )
        parts = parts_of(pipeline)
        if device is not None:
            pipeline.to(device)
        model = DiffusionModel(parts)
        if not model.denoisers:
            raise CheckpointError(
                "none of the pipeline's modules denoises",
                site=type(pipeline).__name__,
                wanted="a module called unet, transformer, prior or decoder",
                got=", ".join(parts) or "no module",
                next_step="BendedWrapper(pipeline) bends any object that holds modules",
            )
        super().__init__(model)
        self._pipeline = pipeline
        self._source = type(pipeline).__name__ if in_memory else os.fspath(source)
        self._example = example
        if trace:
            self.trace_methods()

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def pipeline(self) -> Any:
        """The pipeline, not bent. Its scheduler can be replaced: ``model.pipeline.scheduler = ...``."""
        return self._pipeline

    @property
    def _model(self) -> DiffusionModel:
        return self.module  # type: ignore[return-value]

    # -- methods whose activations have names ----------------------------------------------------------------

    def example_inputs(self) -> Mapping[str, Any]:
        """What the pipeline gives to each of its modules in a short run on a small image."""
        model = self._model
        if any(weight.is_meta for weight in model.parameters()):
            return {}
        asked = examples_of(self._pipeline) if self._example is None else dict(self._example)
        if asked is None:
            logger.warning(
                "%s needs more than a prompt: its activations have no names until it has run: "
                "BendedDiffusion(pipeline, example={...}) with arguments for a short run",
                type(self._pipeline).__name__,
            )
            return {}
        found: dict[str, dict[str, Any]] = {}

        def seen(method: str, named: dict[str, Any]) -> None:
            if method not in found:
                found[method] = {k: _kept(v) for k, v in named.items() if k != "generator"}

        running = Running(self._pipeline, model, None, Schedule(None, {}), seen=seen)
        with torch.no_grad(), random_state_of(0, model.device), running.going() as pipeline:
            pipeline(**asked)
        self._add_encoder(found)
        return dict(sorted(found.items(), key=lambda item: _ORDER.index(item[0].partition("_")[0])))

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """Trace a method (see `BendedModule.trace`); callbacks then know where the channels of tokens are."""
        traced = super().trace(*args, **kwargs)
        self._engine.channels = channels_of(self._model, self._captures)
        self._engine.changed()
        return traced

    def _add_encoder(self, found: dict[str, dict[str, Any]]) -> None:
        """An input for the VAE's encoder, which a pipeline that makes images of words never calls."""
        codec = self._model.autoencoder
        if "decode" not in found or "encode" in found or "encode" not in self._model.calls:
            return
        with torch.no_grad():
            made = codec.decode(**{**found["decode"], "return_dict": False})[0]
        name = next(iter(inspect.signature(codec.encode).parameters))
        found["encode"] = {name: torch.zeros_like(made)}

    # -- bends -----------------------------------------------------------------------------------------------

    def bend(
        self,
        callback: BendingCallback | BendingConfig,
        *patterns: str,
        steps: tuple[Place, Place] | None = None,
        **options: Any,
    ) -> BendHandle:
        """Bend (see `BendedModule.bend`), in all denoising steps or in some of them.

        Args:
            callback, patterns, options: as of `BendedModule.bend`.
            steps: ``(begin, end)``: the bend holds in these steps only. ``(0.2, 0.6)`` are shares of all
                steps, ``(4, 12)`` numbers of steps; the end does not belong to it; None leaves a side open.

        Raises:
            CallbackError: the range is none; or a site is not in the denoiser, which alone runs in steps.
            SiteNotFoundError, NotTracedError, ControlError: as of `BendedModule.bend`.
        """
        if steps is not None:
            callback = _within(callback, steps)
        handle = super().bend(callback, *patterns, **options)
        try:
            self._check_gates(handle)
        except CallbackError:
            handle.remove()
            raise
        return handle

    def _check_gates(self, handle: BendHandle) -> None:
        """Ranges of steps are for what runs in steps."""
        denoisers = self._model.denoisers
        methods = {method for method, (part, _) in self._model.calls.items() if part in denoisers}
        for applied in handle._applied:
            if not gates(applied.callback):
                continue
            outside = [name for name in applied.weights if name.partition(".")[0] not in denoisers]
            outside += [f"{fn}:{name}" for fn, name in applied.activations if fn not in methods]
            if outside:
                raise CallbackError(
                    "only the denoiser runs in steps",
                    site=outside[0],
                    wanted=f"{' or '.join(f'{name}.*' for name in denoisers)}, or activations of "
                    + " or ".join(sorted(methods)),
                    got=f"{len(outside)} other site(s), {outside[0]} first",
                    next_step="bend these without steps=, or name the part: 'denoise:...', "
                    f"'{denoisers[0]}...'",
                )

    @property
    def _gates(self) -> list[DuringSteps]:
        return [gate for bend in self._engine.bends for gate in gates(bend.callback)]

    def __repr__(self) -> str:
        weights = sum(weight.numel() for weight in self._model.parameters())
        parts = ", ".join(name for name, _ in self._model.named_children())
        count = len(self._engine.bends)
        bends = f", {count} bend{'s' * (count != 1)}" if count else ""
        return f"{type(self).__name__}({self._source}: {parts}; {weights:,} weights{bends})"


def _within(callback: BendingCallback | BendingConfig, steps: Any) -> BendingCallback | BendingConfig:
    if isinstance(steps, str) or not hasattr(steps, "__iter__") or len(list(steps)) != 2:
        raise CallbackError(
            "a range of steps has a begin and an end",
            site="steps",
            wanted="(begin, end): shares such as (0.2, 0.6), or numbers of steps such as (4, 12)",
            got=repr(steps)[:80],
        )
    begin, end = steps
    if isinstance(callback, BendingConfig):
        bends = (replace(bend, callback=DuringSteps(bend.callback, begin, end)) for bend in callback.entries)
        return BendingConfig(*bends)
    return DuringSteps(callback, begin, end)


def _check_in_memory(source: Any, dtype: object, variant: object) -> None:
    for name, value in (("dtype", dtype), ("variant", variant)):
        if value is not None:
            raise CheckpointError(
                f"{name}= is for a folder or a name; this pipeline is loaded already",
                site=name,
                got=type(source).__name__,
                next_step="convert it first: pipeline.to(dtype)" if name == "dtype" else None,
            )


def _kept(value: Any) -> Any:
    """A copy of what a call was given: the pipeline may write into it later."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: _kept(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_kept(item) for item in value)
    return value
