"""A model from a configuration and a state, without drawing weights that would be thrown away."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from torchbend.errors import CheckpointError
from torchbend.rave.checkpoints.caveat import Caveat
from torchbend.rave.checkpoints.state import State, fitted_rows
from torchbend.rave.config import RAVEConfig
from torchbend.rave.discriminators import build_discriminator
from torchbend.rave.model import RAVE

__all__ = ["build"]

FIXED = ("audio_distance.", "multiband_audio_distance.", "spectrogram.", "pqmf.")
"""Parts whose tensors follow from the configuration: a checkpoint may lack them."""

WINDOWS = FIXED[:2]

FOLLOWING = (".target_size", ".gru_state", ".num_batches_tracked")
"""Numbers that follow from the configuration, or that nothing reads."""

STATISTICS = tuple(f".{what}_{side}" for what in ("mean", "std", "learn", "num_update") for side in "xy")
"""What adaptive normalisations learn while a model plays."""

JUDGE = "discriminator."


class _WithoutDraws(TorchFunctionMode):
    """Within it, new weights are whatever lies in their memory: those of a file take their place."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (torch.Tensor.uniform_, torch.Tensor.normal_):
            return args[0]
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        if func is torch.norm_except_dim:
            weight = args[0]
            return weight.new_empty(weight.shape[0], *[1] * (weight.dim() - 1))
        return func(*args, **(kwargs or {}))


def build(
    config: RAVEConfig, state: State, source: str, strict: bool = True, shared: bool = True
) -> tuple[RAVE, list[str]]:
    """A model that holds a state, in evaluation mode and without gradients, and what has to be told.

    Args:
        config: of the model.
        state: tensors by name. The discriminator and what follows from the configuration may be missing.
        source: a name for messages.
        strict: refuse a state that lacks names of encoder and decoder, or has names of none; otherwise what
            fits is taken, and the rest starts anew.
        shared: the tensors may share memory with a file or each other: they are copied.

    Raises:
        CheckpointError: names or shapes do not fit; nothing is given then.
    """
    model = _unfilled(config, source)
    own = model.state_dict()
    computed = {name for name, _ in model.named_buffers()} - own.keys()
    state = {name: value for name, value in state.items() if name not in computed}
    state = fitted_rows(state, config, own)
    state, notes = _without_judge(model, config, state, own)
    left = [name for name in state if name.startswith(WINDOWS) and not _fits(state[name], own.get(name))]
    if left:
        notes.append(f"{len(left)} tensors of other distances left out")
        state = {name: value for name, value in state.items() if name not in set(left)}
    wrong = [name for name in state if name in own and not _fits(state[name], own[name])]
    unknown = [name for name in state if name not in own]
    streamed = [name for name in unknown if _of_a_stream(name, own)]
    if streamed:
        notes.append(f"{len(streamed)} tensors that a stream keeps left out")
        state = {name: value for name, value in state.items() if name not in set(streamed)}
        unknown = [name for name in unknown if name not in set(streamed)]
    missing = [name for name in own if name not in state and not name.startswith((*FIXED, JUDGE))]
    missing = [name for name in missing if not name.endswith(FOLLOWING)]
    statistics = [name for name in missing if name.endswith(STATISTICS)]
    if statistics:
        notes.append("no statistics of adaptive normalisations: nothing is learned yet")
        missing = [name for name in missing if name not in set(statistics)]
    if (wrong or missing or unknown) and strict:
        raise _unfit(source, config, own, state, (wrong, missing, unknown))
    if wrong or missing:
        _start_anew(model, config, [*wrong, *missing])
    for what, names in (("of other shapes", wrong), ("missing", missing), ("unknown", unknown)):
        if names:
            notes.append(Caveat(f"{len(names)} tensors {what}: {', '.join(names[:3])}"))
    refused = {*wrong, *unknown}
    taken = {name: _own(value, own[name], shared) for name, value in state.items() if name not in refused}
    model.load_state_dict(taken, strict=False, assign=True)
    return model.eval().requires_grad_(False), notes


def _unfilled(config: RAVEConfig, source: str) -> RAVE:
    """A model whose weights are still to come."""
    try:
        with _WithoutDraws():
            return RAVE(config)
    except (RuntimeError, MemoryError, OverflowError) as error:
        raise CheckpointError(
            "no model of these sizes can be built", site=source, got=str(error).splitlines()[0][:200]
        ) from error


def _without_judge(model: RAVE, config: RAVEConfig, state: State, own: State) -> tuple[State, list[str]]:
    """The state as it is if it holds the whole discriminator; otherwise without it, and a new one."""
    names = [name for name in own if name.startswith(JUDGE)]
    given = [name for name in state if name.startswith(JUDGE)]
    if len(names) == len(given) and all(_fits(state.get(name), own[name]) for name in names):
        return state, []
    with torch.random.fork_rng(devices=[]):
        model.discriminator = build_discriminator(config.discriminator, config.channels)
    what = "is another one" if given else "is not in this file"
    kept = {name: value for name, value in state.items() if not name.startswith(JUDGE)}
    return kept, [f"the discriminator {what}: a new one takes its place"]


def _fits(value: Tensor | None, own: Tensor | None) -> bool:
    return value is not None and own is not None and value.shape == own.shape


def _own(value: Tensor, own: Tensor, shared: bool) -> Tensor:
    """A tensor that shares no memory with a file or another tensor."""
    if not shared and value.dtype == own.dtype and value.is_contiguous():
        return value
    return torch.empty(own.shape, dtype=own.dtype).copy_(value)


def _of_a_stream(name: str, own: State) -> bool:
    """Whether this is what a convolution or a branch keeps between blocks: neither a weight nor a bias."""
    *path, last = name.split(".")
    if "paddings" in path:
        return True
    places = (".".join(path[:n]) for n in range(len(path), 0, -1))
    inside = any(f"{place}.weight" in own or f"{place}.weight_g" in own for place in places)
    return inside and not last.startswith(("weight", "bias"))


def _start_anew(model: RAVE, config: RAVEConfig, names: list[str]) -> None:
    """Give tensors that no file fills the values of a new model."""
    with torch.random.fork_rng(devices=[]):
        fresh = RAVE(config).state_dict()
    held = model.state_dict()
    with torch.no_grad():
        for name in names:
            held[name].copy_(fresh[name])


def _unfit(
    source: str, config: RAVEConfig, own: State, state: State, names: tuple[list[str], list[str], list[str]]
) -> CheckpointError:
    wrong, missing, unknown = names
    told = [f"{name}: {list(own[name].shape)} here, {list(state[name].shape)} there" for name in wrong]
    parts = [
        f"{what} ({len(found)}): {', '.join(found[:4])}" + (", ..." if len(found) > 4 else "")
        for what, found in (("other shapes", told), ("missing", missing), ("unexpected", unknown))
        if found
    ]
    return CheckpointError(
        "the weights do not fit the configuration",
        site=source,
        wanted=f"{len(own)} tensors of {config.name}",
        got="; ".join(parts),
        next_step="strict=False takes what fits; the rest starts anew",
    )
