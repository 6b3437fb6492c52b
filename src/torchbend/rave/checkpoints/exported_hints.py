"""What an exported model tells beside its weights: dilations, strides, padding, sampling rate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torchbend.rave.checkpoints.archive import Archive
from torchbend.rave.checkpoints.infer_parts import Hints

__all__ = ["find_hints"]

SPHERICAL = re.compile("spherical", re.IGNORECASE)
PASTS = (".cache.pad", ".cache")
"""How the names end of what convolutions keep: in exports of the original, and in traces of this package."""

KNOWN = re.compile("variational|wasser|discrete", re.IGNORECASE)


def find_hints(archive: Archive, prefix: str, names: Mapping[str, str]) -> Hints:
    """What the archive tells about a model.

    Args:
        archive: open.
        prefix: what stands before the names of the model.
        names: of the model's tensors, and those that the archive has for them.
    """
    top = archive.modules.get(prefix) or archive.modules[""]
    rate = next((top.values[key] for key in ("sr", "sampling_rate") if key in top.values), None)
    spherical = None
    if SPHERICAL.search(top.short_kind) or KNOWN.search(top.short_kind):
        spherical = bool(SPHERICAL.search(top.short_kind))
    dilations, strides = {}, {}
    for own, name in names.items():
        if not own.endswith((".weight", ".weight_v")) or len(archive.shape(name)) != 3:
            continue
        place = own.rpartition(".")[0]
        constants = _constants(archive, name)
        stride = constants.get("stride")
        if isinstance(stride, tuple) and len(stride) == 1:
            strides[place] = int(stride[0])
        dilation = _dilation(archive, name, constants)
        if dilation is not None and ".aligned." in own:
            dilations[place] = dilation
    return Hints(
        padding=_padding(archive, names, dilations),
        dilations=dilations,
        strides=strides,
        sampling_rate=rate if isinstance(rate, int) and rate > 0 else None,
        spherical=spherical,
    )


def _constants(archive: Archive, name: str) -> dict[str, Any]:
    module = archive.modules.get(name.rpartition(".")[0] + ".")
    return archive.constants(module.kind) if module is not None else {}


def _dilation(archive: Archive, name: str, constants: Mapping[str, Any]) -> int | None:
    """From the constants of the class, or from the samples that a stream keeps: (kernel - 1) dilations."""
    dilation = constants.get("dilation")
    if isinstance(dilation, tuple) and len(dilation) == 1 and isinstance(dilation[0], int):
        return int(dilation[0])
    kernel = archive.shape(name)[2]
    place = name.rpartition(".")[0]
    kept = next((n for n in (_kept(archive, f"{place}{ending}") for ending in PASTS) if n is not None), None)
    if kept is None or kernel < 2 or kept % (kernel - 1):
        return None
    return max(kept // (kernel - 1), 1)


def _padding(archive: Archive, names: Mapping[str, str], dilations: Mapping[str, int]) -> str | None:
    """From how late a residual's other branch is: as late as its convolutions look ahead."""
    spans: dict[str, int] = {}
    for own, dilation in dilations.items():
        weight = names.get(f"{own}.weight", names.get(f"{own}.weight_v", ""))
        span = (archive.shape(weight)[2] - 1) * dilation
        module = archive.modules.get(weight.rpartition(".")[0] + ".")
        for pair in module.values.values() if module is not None else ():
            # What a convolution that is not streamed pads with, left and right.
            if isinstance(pair, list) and len(pair) == 2 and span and sum(map(_whole, pair)) == span:
                return _named(_whole(pair[1]), span)
        start = own.partition(".aligned.")[0]
        spans[start] = spans.get(start, 0) + span
    for start, span in spans.items():
        waits = [
            _kept(archive, name) or 0
            for own, name in names.items()
            if own.startswith((f"{start}.aligned.paddings.", f"{start}.aligned.lines."))
        ]
        streamed = any(own.startswith(f"{start}.") and own.endswith(PASTS) for own in names)
        if span > 1 and (waits or streamed):
            return _named(max(waits, default=0), span)
    return None


def _named(right: int, span: int) -> str | None:
    return {0: "causal", span // 2: "centered", span: "anticausal"}.get(right)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _kept(archive: Archive, name: str) -> int | None:
    """Samples in a cache, ``None`` where there is none."""
    if name not in archive.names:
        return None
    shape = archive.shape(name)
    return shape[-1] if len(shape) == 3 else None
