"""What a host has to know of a method to play it: channels, ratios, labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.engine import Engine
from torchbend.bending.sites import not_traced
from torchbend.capture import Capture
from torchbend.errors import ExportError, TorchbendError

__all__ = ["PlayMethod", "Played", "played_methods"]

_SHORTEST = 4096
"""Fewest samples of an example block."""


@dataclass(frozen=True)
class PlayMethod:
    """The inlets and outlets of a method.

    A ratio is the number of audio samples for each sample of a signal: 1 for audio, 2048 for the latents of
    most RAVE models. Hosts take powers of two.

    Attributes:
        in_channels: of the input.
        in_ratio: of the input.
        out_channels: of the output.
        out_ratio: of the output.
        input_labels: one text for each inlet; made up where it is empty.
        output_labels: one text for each outlet; made up where it is empty.
    """

    in_channels: int
    in_ratio: int
    out_channels: int
    out_ratio: int
    input_labels: tuple[str, ...] = ()
    output_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("in_channels", "in_ratio", "out_channels", "out_ratio"):
            value = getattr(self, name)
            power = value > 0 and value & (value - 1) == 0
            if value < 1 or (name.endswith("ratio") and not power):
                raise ExportError(
                    "a host cannot play this method",
                    site=name,
                    wanted="a power of two" if name.endswith("ratio") else "at least 1",
                    got=value,
                )
        for name, count in (("input_labels", self.in_channels), ("output_labels", self.out_channels)):
            labels = getattr(self, name)
            if labels and len(labels) != count:
                raise ExportError("each channel has one label", site=name, wanted=count, got=len(labels))

    @property
    def params(self) -> tuple[int, int, int, int]:
        """The four numbers, in the order in which hosts read them."""
        return self.in_channels, self.in_ratio, self.out_channels, self.out_ratio

    def labels(self) -> tuple[list[str], list[str]]:
        """The labels of inlets and outlets."""
        inlets = self.input_labels or _made_up("input", self.in_channels, self.in_ratio)
        outlets = self.output_labels or _made_up("output", self.out_channels, self.out_ratio)
        return list(inlets), list(outlets)

    def example(self, longest: int, like: Tensor) -> Tensor:
        """A block of noise; ``longest`` is the largest ratio of all methods."""
        samples = max(2 * longest, _SHORTEST)
        noise = torch.randn(
            1, self.in_channels, samples // self.in_ratio, generator=torch.Generator().manual_seed(0)
        )
        return (0.3 * noise).to(like)


def _made_up(kind: str, channels: int, ratio: int) -> list[str]:
    what = "signal" if ratio == 1 else f"one value per {ratio} samples"
    return [f"({what}) {kind} {k + 1}" for k in range(channels)]


@dataclass(frozen=True)
class Played:
    """A method ready to be exported.

    Attributes:
        about: its inlets and outlets.
        call: from ``[B, in_channels, T]`` to ``[B, out_channels, T']``, through the engine.
        delay: how late its output is, in samples; None where it is not known.
        by_frame: ``call`` gives one value at a time, for the mean of a block's input; the file calls it as
            often as there are values in a block.
        frame: ``call`` takes whole frames of so many samples, and the file gathers them: its output is
            one frame late (see `framed`); 0 takes blocks as they come.
        rows: for ``frame``: signals side by side, at most.
    """

    about: PlayMethod
    call: Callable[[Tensor], Tensor]
    delay: float | None = field(default=None)
    by_frame: bool = False
    frame: int = 0
    rows: int = 1


def played_methods(
    engine: Engine, wanted: Mapping[str, PlayMethod | Sequence[int]] | Sequence[str] | None
) -> dict[str, Played]:
    """The methods of a bent model that a host can play.

    Args:
        engine: of the bent model.
        wanted: for each method its `PlayMethod`, or its four numbers; or names of traced methods, whose
            numbers are read off their traced inputs and outputs; all traced methods by default.

    Raises:
        NotTracedError: numbers have to be read off a method that was not traced.
        ExportError: a method takes or gives something else than one signal.
    """
    if isinstance(wanted, Mapping):
        told = {name: _numbers(name, numbers) for name, numbers in wanted.items()}
    else:
        told = {name: _read_off(engine, name) for name in wanted or engine.captures}
    if not told:
        raise not_traced("forward", engine.captures)
    return {name: Played(about, _call(engine, name, about)) for name, about in told.items()}


def _numbers(name: str, told: PlayMethod | Sequence[int]) -> PlayMethod:
    if isinstance(told, PlayMethod):
        return told
    if len(told) != 4:
        raise ExportError(
            "four numbers tell how a method is played",
            site=f"{name}()",
            wanted="(in_channels, in_ratio, out_channels, out_ratio)",
            got=list(told),
        )
    return PlayMethod(told[0], told[1], told[2], told[3])


def _call(engine: Engine, name: str, about: PlayMethod) -> Callable[[Tensor], Tensor]:
    module = engine.module
    function = module if name == "forward" else getattr(module, name, None)
    if not callable(function):
        raise ExportError("the model has no method of this name", site=f"{name}()", got=type(module).__name__)
    flat = len(_shapes(engine.captures[name])[0]) < 3 if name in engine.captures else False

    def call(x: Tensor) -> Tensor:
        try:
            y = engine.call(name, function, (x[:, 0] if flat else x,), {})
        except TorchbendError:
            raise
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise _untrue(name, about, f"{type(error).__name__}: {error}") from error
        if not isinstance(y, Tensor):
            raise _no_signal(name, type(y).__name__)
        owed = (x.shape[0], about.out_channels, x.shape[-1] * about.in_ratio // about.out_ratio)
        fits = y.shape == owed if y.dim() >= 3 else y.numel() == math.prod(owed)
        if not torch._C._is_tracing() and not fits:
            raise _untrue(name, about, f"{list(x.shape)} to {list(y.shape)}")
        return y if y.dim() == 3 else y.reshape(x.shape[0], about.out_channels, -1)

    return call


def _shapes(capture: Capture) -> tuple[Sequence[int], Sequence[int]]:
    """The shapes of the one input and the one output of a traced method.

    Raises:
        ExportError: there are several, or none.
    """
    places = [n.name for n in capture.graph.nodes if n.op == "placeholder" and n.target in capture.inputs]
    inputs = [capture.activations.get(name) for name in places]
    output = next(n for n in reversed(capture.graph.nodes) if n.op == "output").args[0]
    result = capture.activations.get(getattr(output, "name", ""))
    if len(inputs) != 1 or inputs[0] is None:
        raise _no_signal(capture.method, f"inputs {', '.join(capture.inputs) or 'none'}")
    if result is None:
        raise _no_signal(capture.method, "several results, or none")
    return tuple(inputs[0].shape), tuple(result.shape)


def _read_off(engine: Engine, name: str) -> PlayMethod:
    if name not in engine.captures:
        raise not_traced(name, engine.captures)
    given, result = _shapes(engine.captures[name])
    if len(given) not in (1, 2, 3) or len(result) not in (1, 2, 3):
        raise _no_signal(name, f"{list(given)} to {list(result)}")
    channels = [shape[-2] if len(shape) == 3 else 1 for shape in (given, result)]
    before, after = given[-1], result[-1]
    if before % after and after % before:
        raise _no_signal(name, f"{before} samples to {after}")
    return PlayMethod(channels[0], max(1, after // before), channels[1], max(1, before // after))


def _no_signal(name: str, got: Any) -> ExportError:
    return ExportError(
        "a host plays methods that take one signal and give one",
        site=f"{name}()",
        wanted="one tensor [batch, channels, time] to another",
        got=got,
        next_step="name what to play: methods={'forward': (in_channels, in_ratio, out_channels, out_ratio)}",
    )


def _untrue(name: str, about: PlayMethod, got: str) -> ExportError:
    return ExportError(
        "the method does not do what its four numbers say",
        site=f"{name}()",
        wanted=f"(in_channels, in_ratio, out_channels, out_ratio) = {about.params}",
        got=got,
        next_step="tell the numbers that it has, or leave them out for a traced method",
    )
