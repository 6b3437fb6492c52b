"""One generation: which step it is in, what moves with the steps, and what comes out of each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from torchbend.bending.engine import Engine
from torchbend.display.progress import tracked
from torchbend.interfaces.diffusion.components import DiffusionModel
from torchbend.interfaces.diffusion.during import DuringSteps
from torchbend.interfaces.diffusion.stand_in import bent_pipeline
from torchbend.interfaces.schedule import Schedule

__all__ = ["Running", "random_state_of"]

Seen = Callable[[str, dict[str, Any]], None]


class Running:
    """A pipeline that runs once, its calls bent.

    Each call of a module is a call of the bent model. Before it, controls and ranges of steps are set to
    where the generation is: so many steps done, as a share of all.

    Args:
        pipeline: the pipeline, which is not touched.
        model: its modules.
        engine: of the bends; None: they do not hold.
        schedule: of the controls.
        gates: the bends that hold in some steps only.
        progress: True shows a bar; None only where somebody sees it, when it takes long.
        seen: told the method and the named arguments of each call that a method stands for.

    Attributes:
        pipeline: the copy that runs.
        step: steps done.
        latents: what the last step made; None before it.
        each_step: called with what each step made.
    """

    def __init__(
        self,
        pipeline: Any,
        model: DiffusionModel,
        engine: Engine | None,
        schedule: Schedule,
        gates: Iterable[DuringSteps] = (),
        progress: bool | None = False,
        seen: Seen | None = None,
    ) -> None:
        self.pipeline = bent_pipeline(pipeline, dict(model.named_children()), self._call)
        self.step = 0
        self.latents: Tensor | None = None
        self.each_step: Callable[[Tensor], None] | None = None
        self._model, self._engine, self._schedule = model, engine, schedule
        self._gates = list(gates)
        self._progress, self._seen = progress, seen
        self._bar: Any = None
        self._asked_steps = 1
        self._begun = False
        self._count_steps()

    @contextmanager
    def going(self, steps: int | None = None) -> Iterator[Any]:
        """The pipeline that runs; afterwards controls and ranges of steps are what they were.

        Args:
            steps: how many were asked for: where the scheduler does not tell.
        """
        self._asked_steps = steps or 1
        try:
            with self._schedule.playing():
                yield self.pipeline
        finally:
            with nullcontext() if self._engine is None else self._engine.lock:  # not within another's call
                for gate in self._gates:
                    gate.rest()
            if self._bar is not None:
                self._bar.close()

    @property
    def total(self) -> int:
        """How many steps there are in all."""
        told = getattr(self.pipeline, "_num_timesteps", None)
        if told is None:
            times = getattr(getattr(self.pipeline, "scheduler", None), "timesteps", None)
            told = len(times) if times is not None else self._asked_steps
        return max(int(told), 1)

    @property
    def begun(self) -> bool:
        """Whether a step began."""
        return self._begun

    # -- calls -----------------------------------------------------------------------------------------------

    def _call(
        self, own: nn.Module, path: str, called: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        method = self._model.method_of(path, called)
        named = None if method is None else self._model.by_name(method, args, kwargs)
        if method is None or named is None:
            method, named = f"{path}.{called}()", None
        if path in self._model.denoisers:
            self._begun = True
        if self._seen is not None and named is not None:
            self._seen(method, named)
        function = own if called == "forward" else getattr(own, called)
        if self._engine is None:
            return function(*args, **kwargs)
        with self._engine.lock:
            self._set()
            if named is None:
                return self._engine.call(method, function, args, kwargs)
            return self._engine.call(method, getattr(self._model, method), (), named)

    def _set(self) -> None:
        """Controls and ranges of steps to where the generation is."""
        if not len(self._schedule) and not self._gates:
            return
        total = self.total if self._begun else 1
        self._schedule.at(self.step / total)
        for gate in self._gates:
            gate.at(self.step, total)

    # -- steps -----------------------------------------------------------------------------------------------

    def _count_steps(self) -> None:
        scheduler = getattr(self.pipeline, "scheduler", None)
        if scheduler is None or not hasattr(scheduler, "step"):
            return
        own = scheduler.step

        @functools.wraps(own)  # pipelines ask for its signature
        def step(*args: Any, **kwargs: Any) -> Any:
            result = own(*args, **kwargs)
            self._stepped(result[0] if isinstance(result, tuple) else result.prev_sample)
            return result

        scheduler.step = step

    def _stepped(self, latents: Any) -> None:
        self.step += 1
        if isinstance(latents, Tensor):
            self.latents = latents
            if self.each_step is not None:
                self.each_step(latents)
        if self._progress is not False:
            if self._bar is None:
                self._bar = tracked(range(self.total), "denoising", self._progress)
                next(self._bar, None)
            next(self._bar, None)


@contextmanager
def random_state_of(seed: int | None, device: torch.device) -> Iterator[None]:
    """Where there is a seed: whatever draws from torch's own state repeats too, and that state is kept."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
