"""A prior's network as an instrument: temperatures in, latents out, a frame at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchbend.errors import ShapeError, StreamError
from torchbend.rave.prior.config import PriorConfig
from torchbend.rave.prior.diagonal_shift import InverseShift
from torchbend.rave.prior.network import Network
from torchbend.rave.prior.quantised_normal import QuantisedNormal
from torchbend.rave.prior.sampling import Choice, uniform
from torchbend.rave.streaming import Delay, Leaf, Opening, StreamState, Walk, close, follow, rows

__all__ = ["StreamingNetwork"]


class Previous(Leaf):
    """The last step of a stream, kept as the distance from ``start``: a state of zeros is a new start.

    Args:
        latents: of a step.
        start: the whole number of each latent before the first step.
    """

    def __init__(self, latents: int, start: int) -> None:
        super().__init__()
        self.latents, self.start = latents, start

    def after(self, delay: Delay) -> Delay:
        """No later."""
        return delay

    def past(self, delay: Delay) -> tuple[int, ...] | None:
        """One number for each latent."""
        return (self.latents,)

    def read(self, like: Tensor) -> Tensor:
        """The last step for each row of ``like``, shape ``[B, L]``."""
        if self.cache is None:
            return torch.full((len(like), self.latents), self.start, device=like.device)
        return rows(self.cache, like).long() + self.start

    def write(self, index: Tensor) -> None:
        """Keep a step, shape ``[B, L]``."""
        if self.cache is not None:
            rows(self.cache, index).copy_(index - self.start)


class StreamingNetwork(Network):
    """A `Network` that is fed with its own choices.

    Args:
        config: its sizes.
    """

    def __init__(self, config: PriorConfig) -> None:
        super().__init__(config)
        self.config = config
        self.quantiser = QuantisedNormal(config.resolution)
        self.inverse_shift = InverseShift(config.latents)
        self.previous = Previous(config.latents, int(self.quantiser.to_index(torch.zeros(()))))
        self.__dict__["stream_state"] = None

    @torch.no_grad()
    def forward(self, temperature: Tensor, argmax: bool = False) -> Tensor:
        """Latents, one frame for each temperature.

        Args:
            temperature: 0 is as learnt, less is surer, more is freer: logits are divided by
                ``softplus(temperature) / ln 2``. Shape ``[B, 1, T]``.
            argmax: take the likeliest value at each step, whatever the temperature: nothing is random.

        Returns:
            Shape ``[B, latents, T]``, `delay` frames late. In a stream they go on from the last block;
            otherwise each call starts anew.

        Raises:
            ShapeError: these are no temperatures.
            StreamError: the batch is larger than the stream.
        """
        if temperature.dim() != 3 or temperature.shape[1] != 1 or not temperature.numel():
            raise ShapeError(
                "these are no temperatures",
                site="temperature",
                wanted="[batch, 1, time], one frame or more",
                got=list(temperature.shape),
                next_step="torch.zeros(1, 1, frames) generates as the prior has learnt",
            )
        running = self.__dict__["stream_state"]
        if running is None:
            with self.aside(len(temperature)):
                return self._run(temperature, argmax)
        if running.as_original:
            temperature = temperature.mean(-1, keepdim=True).expand_as(temperature)
        return self._run(temperature, argmax)

    def _run(self, temperature: Tensor, argmax: bool) -> Tensor:
        heat = F.softplus(temperature.to(self.like)) / math.log(2)
        choice = Choice(self.quantiser, uniform(), argmax)
        index, values = self.previous.read(temperature), []
        for frame in range(temperature.shape[-1]):
            index, value = choice(self.last_logits(index.unsqueeze(-1)), heat[..., frame : frame + 1])
            values.append(value)
        self.previous.write(index)
        return self.inverse_shift(torch.stack(values, -1))  # type: ignore[no-any-return]

    def last_logits(self, index: Tensor) -> Tensor:
        """Logits of the step after the given ones.

        Args:
            index: whole numbers, shape ``[B, latents, T]``; in a stream, the steps after those before.

        Returns:
            Shape ``[B, latents, resolution]``.
        """
        one_hot = self.quantiser.to_one_hot(index).to(self.like)
        return self.quantiser.apart(self.logits(one_hot)[..., -1:])[..., 0]

    # -- streams ---------------------------------------------------------------------------------------------

    @property
    def delay(self) -> int:
        """How late the latents of a stream are, in frames: so long it takes until a first frame is whole."""
        return self.config.latents - 1

    @property
    def is_streaming(self) -> bool:
        """Whether temperatures are taken as the continuation of earlier ones."""
        return self.__dict__["stream_state"] is not None

    def stream(self, batch: int = 1, as_original: bool = False) -> StreamState:
        """Go on from call to call, from a step of zeros on.

        Args:
            batch: largest number of trajectories side by side.
            as_original: all frames of a block have the mean temperature of the block, as in the original's
                exports, instead of their own.

        Returns:
            All that is remembered, always of the same size; ``reset()`` and ``copy()`` it, `resume` a copy.
            The model under ``synth`` has a stream of its own.

        Raises:
            StreamError: the batch is smaller than 1.
        """
        if batch < 1:
            raise StreamError("a stream needs a batch", site="batch", wanted="at least 1", got=batch)
        self._open(batch)
        state = StreamState(self._own(), batch, as_original)
        self.__dict__["stream_state"] = state
        return state

    def resume(self, state: StreamState) -> None:
        """Go on from a state that `stream` or its copy gave.

        Raises:
            StreamError: the state is not of this prior's stream.
        """
        if not self.is_streaming:
            self._open(state.batch)
        state.install(self._own())
        self.__dict__["stream_state"] = state

    def offline(self) -> None:
        """Start anew at each call."""
        close(self._own())
        self.__dict__["stream_state"] = None

    @contextmanager
    def aside(self, batch: int = 0) -> Iterator[None]:
        """Within it, the stream that may run is left alone: there are no caches, or new ones.

        Args:
            batch: rows of new caches; 0 for none.
        """
        running = self.__dict__["stream_state"]
        if batch:
            self._open(batch)
        else:
            close(self._own())
        try:
            yield
        finally:
            if running is None:
                close(self._own())
            else:
                self._open(running.batch)
                running.install(self._own())

    def follow(self, delay: Delay, walk: Walk) -> Delay:
        """Take ``walk`` through all layers, and through what the frames are made of."""
        delay = follow(self.previous, super().follow(delay, walk), walk)
        return follow(self.inverse_shift, delay, walk)

    @property
    def like(self) -> Tensor:
        """A tensor of the network's type, on its device."""
        weight: Tensor = self.pre_net[0].weight  # type: ignore[assignment]
        return weight

    def _open(self, batch: int) -> None:
        self.follow(Delay(), Opening(batch, self.like.detach()))

    def _own(self) -> nn.ModuleDict:
        """All layers of the prior, without the model that it is for."""
        names = ("pre_net", "residuals", "post_net", "previous", "inverse_shift")
        return nn.ModuleDict({name: getattr(self, name) for name in names})

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        state = self.__dict__["stream_state"]
        if state is not None:
            state.collect(self._own())
        return self
