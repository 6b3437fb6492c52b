"""Whether a file's state is what a stream needs: empty at first, of one size, the same for all blocks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from torchbend.export.check.blocks import FAILURES, Method, non_contiguous, play
from torchbend.export.check.findings import failure, some
from torchbend.export.check.session import LARGEST_BLOCK, Session
from torchbend.export.check.state import elements, moved, snapshot, state_names

__all__ = ["check_gradients", "check_rows", "check_state", "check_streams"]

TOLERANCE = 1e-4
"""Of the loudest sample (at least 1): sums of other lengths round otherwise."""

ROWS = 4

LEAST_BLOCKS = 8
"""Of the smallest size in one stream."""


def check_gradients(session: Session, module: Any) -> None:
    """No parameter or buffer asks for gradients."""
    named = [*module.named_parameters(), *module.named_buffers()]
    kept = [name for name, tensor in named if tensor.requires_grad]
    if kept:
        session.tell(
            failure(
                "gradients",
                some(kept),
                "tensors of the file keep gradients",
                "requires_grad False for all",
                f"True for {len(kept)} of {len(named)}",
                "call requires_grad_(False) before the file is saved",
            )
        )


def check_state(session: Session) -> None:
    """What the methods write is zero (or constant) at first, and does not grow."""
    full: dict[str, str] = {}
    for method in session.methods:
        session.step(f"{method.name}(), its state")
        module = session.load()
        names = state_names(session.program, module)
        before = snapshot(module, names)
        counts = [elements(module, names)]
        try:
            for _ in range(32):
                play(module, method, _noise(method, session.smallest))
                counts.append(elements(module, names))
        except FAILURES:
            continue  # told where blocks are fed
        caches = moved(before, snapshot(module, names))
        for name in caches:
            if any(_left_over(tensor) for tensor in before[name]):
                full.setdefault(name, f"{_span(before[name])} in the first, written by {method.name}()")
        if counts[-1] > counts[16] > counts[1]:
            wanted, got = (
                f"{counts[1]} numbers, as after the first block",
                f"{counts[-1]} after {len(counts) - 1}",
            )
            message = "its state grows from block to block"
            session.tell(
                failure("state", f"{method.name}()", message, wanted, got, "keep a cache of one length")
            )
        kept = {"method": method.name, "names": caches, "numbers": elements(module, caches)}
        session.result("state", kept)
    if full:
        session.tell(
            failure(
                "state",
                some(list(full)),
                "a cache is not empty at the start: it holds what was played when the file was made",
                "zeros, or one number everywhere",
                next(iter(full.values())),
                "reset the state before the file is saved",
            )
        )


def check_streams(session: Session) -> None:
    """Blocks of other sizes give the same stream, unless the method draws random numbers."""
    for method in session.methods:
        session.step(f"{method.name}(), streams in blocks of several sizes")
        smallest = session.smallest
        total = max(LARGEST_BLOCK, LEAST_BLOCKS * smallest)
        torch.manual_seed(1)
        whole = _noise(method, total)
        try:
            small = _stream(session, method, whole, [smallest] * (total // smallest), seed=2)
            random = not torch.equal(
                small, _stream(session, method, whole, [smallest] * (total // smallest), seed=3)
            )
            session.result("random", {"method": method.name, "random": random})
            if random:
                continue
            others = {
                "one block": _stream(session, method, whole, [total], seed=2),
                "mixed blocks": _stream(session, method, whole, _mixed(smallest, total), seed=2),
            }
        except FAILURES:
            continue  # told where blocks are fed
        level = TOLERANCE * max(1.0, float(small.abs().max()))
        for name, other in others.items():
            away = float((small - other).abs().max()) if small.shape == other.shape else math.nan
            if not away <= level:
                message = "blocks of other sizes give another sound: it clicks at their borders"
                got, step = (
                    f"{away:.3g} between blocks of {smallest} and {name}",
                    "keep what the next block needs, as export(..., context=VALUES) does",
                )
                session.tell(
                    failure("streaming", f"{method.name}()", message, f"within {level:.2g}", got, step)
                )
                break


def check_rows(session: Session) -> None:
    """A row sounds alone as it does among others: each voice of ``mc.nn~`` has a state of its own."""
    rows = min(session.facts.max_batch or ROWS, ROWS)
    for method in session.methods if rows > 1 else ():
        session.step(f"{method.name}(), one row and {rows}")
        sizes = [session.smallest] * LEAST_BLOCKS
        torch.manual_seed(1)
        many = non_contiguous(torch.cat([_noise(method, sum(sizes)) for _ in range(rows)]))
        try:
            alone = [_stream(session, method, many[:1], sizes, seed=seed) for seed in (2, 3)]
            among = _stream(session, method, many, sizes, seed=2)
        except FAILURES:
            continue  # told where blocks are fed
        if not torch.equal(*alone):
            continue  # random
        among = among[: method.out_channels]
        away = float((alone[0] - among).abs().max()) if alone[0].shape == among.shape else math.nan
        level = TOLERANCE * max(1.0, float(among.abs().max()))
        if not away <= level:
            message = "a row among others sounds not as it does alone: the rows are not kept apart"
            got, step = f"{away:.3g}, with {rows} rows", "keep one cache for each row"
            session.tell(failure("streaming", f"{method.name}()", message, f"within {level:.2g}", got, step))


def _noise(method: Method, samples: int) -> Tensor:
    return non_contiguous(0.3 * torch.randn(1, method.in_channels, method.columns(samples)))


def _mixed(smallest: int, total: int) -> list[int]:
    """Sizes that double and halve, and begin anew until all is played."""
    sizes: list[int] = []
    while (left := total - sum(sizes)) > 0:
        wanted = smallest * (2, 1, 4, 1, 1)[len(sizes) % 5]
        sizes.append(wanted if wanted <= left else smallest)
    return sizes


def _stream(session: Session, method: Method, whole: Tensor, sizes: Iterable[int], seed: int) -> Tensor:
    """What a fresh copy gives for a stream in blocks, ``[rows * channels, samples]``."""
    module, place, parts = session.load(), 0, []
    torch.manual_seed(seed)
    for samples in sizes:
        columns = method.columns(samples)
        out = play(module, method, non_contiguous(whole[..., place : place + columns]))
        if not isinstance(out, Tensor):
            raise TypeError("no tensor")
        parts.append(out.reshape(len(whole) * method.out_channels, -1).float())
        place += columns
    return torch.cat(parts, -1)


def _left_over(tensor: Tensor) -> bool:
    """Whether there are different numbers in it: what was initialised has one."""
    flat = tensor.flatten()
    return flat.numel() > 1 and flat.is_floating_point() and not bool((flat == flat[0]).all())


def _span(tensors: list[Tensor]) -> str:
    numbers = torch.cat([tensor.flatten() for tensor in tensors])
    return f"numbers between {float(numbers.min()):.4g} and {float(numbers.max()):.4g}"
