"""RAVE beside the design of its first implementation: the same weights, the same output."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.harness import PLAIN, Bar, Row, Section, Settings, Timings, interleaved
from benchmarks.memory import resident
from benchmarks.original_rave import OriginalDesign
from torchbend import rave
from torchbend.rave.compiled import compiled
from torchbend.rave.model import Method

__all__ = ["streams", "offline", "loading"]

_NAMES = ("v1", "v2", "v3", "raspberry")
_METHODS: tuple[Method, ...] = ("encode", "decode", "forward")
_STREAM = Bar("<= 0.7x", ratio=0.7)
_OFFLINE = Bar("<= 0.9x", ratio=0.9)
_LOAD = Bar("<= 0.33x", ratio=1 / 3)
_BLOCK = 2048
_SECONDS = 10


def _model(name: str, tiny: bool) -> rave.RAVE:
    torch.manual_seed(0)
    return rave.RAVE(rave.preset(name, **({"capacity": 4} if tiny else {}))).eval()


def _input(model: rave.RAVE, method: str, frames: int) -> Tensor:
    size = model.config.decoder_inputs if method == "decode" else model.channels
    return 0.1 * torch.randn(1, size, frames * (1 if method == "decode" else model.ratio))


def streams(settings: Settings) -> Section:
    """Blocks of 2048 samples: the original's design in TorchScript, our model, and our model compiled."""
    rows = []
    for name in ("v2",) if settings.tiny else _NAMES:
        model = _model(name, settings.tiny)
        model.stream(as_original=True)
        first: Callable[..., Tensor] = torch.jit.script(OriginalDesign(model).eval())
        model.stream()
        for method in _METHODS:
            x = _input(model, method, _BLOCK // model.ratio)
            fast = compiled(model, method, _BLOCK)
            ways = {PLAIN: getattr(first, method), "torchbend": fast}
            ways["not compiled"] = getattr(model, method)
            with torch.no_grad():
                timings = interleaved(_on(x, ways), settings.rounds)
            bar = _STREAM if (name, method) == ("v2", "forward") else None
            rows.append(_row(f"{name}: {method}", timings, _BLOCK / model.sample_rate, bar))
    grown = _growth(_model("v2", settings.tiny), 10 if settings.tiny else 500)
    text = (
        "Full-size models on blocks of 2048 samples (46.4 ms at 44.1 kHz). *plain* is the design of the "
        "first implementation, rebuilt from its description: weight norm folded, caches of 64 rows, "
        "scripted, as its exports are (beside the real ones it takes 0.97x). *torchbend* is `rave.compiled`, "
        f"*not compiled* the model itself. Resident memory grew by {grown / 1024:.0f} KiB over "
        "the blocks of a long stream."
    )
    return Section("RAVE: streams", text, rows, noted="times real time")


def _growth(model: rave.RAVE, blocks: int) -> int:
    """Bytes that a stream comes to hold on top of what its first blocks did."""
    model.stream()
    x = _input(model, "forward", 1)
    with torch.no_grad():
        for _ in range(blocks // 10):
            model(x)
        before = resident()
        for _ in range(blocks):
            model(x)
    return resident() - before


def offline(settings: Settings) -> Section:
    """Ten seconds at once: the original's design in Python with its weight norm, and our model."""
    rows = []
    for name in ("v2",) if settings.tiny else _NAMES:
        model = _model(name, settings.tiny)
        first, folded = OriginalDesign(model, weight_norm=True).eval(), OriginalDesign(model).eval()
        for method in _METHODS:
            frames = 2 if settings.tiny else round(_SECONDS * model.sample_rate / model.ratio)
            x = _input(model, method, frames)
            ways = {PLAIN: first, "torchbend": model, "folded": folded}
            ways = {way: getattr(module, method) for way, module in ways.items()}
            with torch.no_grad():
                timings = interleaved(_on(x, ways), max(settings.rounds // 5, 1), warm_up=1)
            length = frames * model.ratio / model.sample_rate
            rows.append(_row(f"{name}: {method}", timings, length, _OFFLINE if name == "v2" else None))
    text = (
        "Ten seconds of audio, full-size models. *plain* is the design of the first implementation in "
        "Python, where weight norm is computed at each call; *folded* is the same without it."
    )
    return Section("RAVE: whole signals", text, rows, noted="times real time")


def _on(x: Tensor, ways: Mapping[str, Callable[[Tensor], Tensor]]) -> dict[str, Callable[[], object]]:
    return {name: partial(way, x) for name, way in ways.items()}


def _row(what: str, timings: Timings, length: float, bar: Bar | None) -> Row:
    """A row whose note is how many times faster than real time ours is; ``length`` in seconds."""
    return Row.of(what, timings, "torchbend", bar, f"{length / timings.median('torchbend'):.1f}")


def loading(settings: Settings) -> Section:
    """`rave.load`, and building a model that then gets the weights of a file."""
    rows = []
    for name in ("v1",) if settings.tiny else ("v2", "v3"):
        model = _model(name, settings.tiny)
        with tempfile.TemporaryDirectory() as folder:
            checkpoint, own = Path(folder) / "model.ckpt", Path(folder) / "model.safetensors"
            torch.save({"state_dict": model.state_dict()}, checkpoint)
            rave.save(model, own)
            for path in (own, checkpoint):

                def built(config: rave.RAVEConfig = model.config, path: Path = checkpoint) -> rave.RAVE:
                    made = rave.RAVE(config)
                    made.load_state_dict(torch.load(path, weights_only=True)["state_dict"])
                    return made

                calls: dict[str, Callable[[], object]] = {
                    PLAIN: built,
                    "torchbend": partial(rave.load, path),
                }
                timings = interleaved(calls, max(settings.rounds // 4, 1), warm_up=1)
                rows.append(Row.of(f"{name}: `{path.suffix}`", timings, "torchbend", _LOAD))
    text = (
        "`rave.load` from a file that the system has in memory. *plain* builds the model, reads the `.ckpt` "
        "and copies its weights, with this package's modules: what else the first implementation imports "
        "is not in it."
    )
    return Section("RAVE: loading", text, rows)
