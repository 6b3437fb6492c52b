"""Exports for nn~ beside the export design of RAVE's first implementation, and bent beside not bent."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import torchbend as tb
from benchmarks.harness import AGAIN, PLAIN, Bar, Row, Section, Settings, Timings, interleaved
from benchmarks.original_rave import OriginalDesign
from torchbend import rave
from torchbend.interfaces.rave import BendedRAVE

__all__ = ["exports"]

_BLOCK = 2048
_METHODS = ("encode", "decode", "forward")
_DESIGN = Bar("<= 0.8x", ratio=0.8)
_BENT = Bar("<= 1.05x", ratio=1.05)
_TIME = Bar("<= 10 s", ratio=0.0, extra=10.0)
_SIZE = 1.02


def exports(settings: Settings) -> Section:
    """A full-size v2 in files: the original's design, ours, and ours with three controls."""
    torch.manual_seed(0)
    few = {"capacity": 4, "dilations": ((1,), (3,), (1,), (1,))} if settings.tiny else {}
    model = rave.RAVE(rave.preset("v2", **few))
    model.eval().requires_grad_(False)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        folder = Path(name)
        bended = BendedRAVE(model)
        seconds = _times_to_write(model, bended, folder, rounds=max(settings.rounds // 10, 1))
        sizes = {kind: (folder / f"{kind}.ts").stat().st_size for kind in ("original", "plain")}
        _bend(bended)
        bended.export(folder / "bent.ts", batch=1, patches=False)
        files = {kind: torch.jit.load(str(folder / f"{kind}.ts")).eval() for kind in (*sizes, "bent")}  # type: ignore[no-untyped-call]
        rows = [row for method in _METHODS for row in _rows(method, files, model, settings.rounds)]
    rows.append(Row.of("v2: to write the file", Timings(seconds), "torchbend", _TIME))
    weights = sum(_played(model).values())
    share = sizes["plain"] / weights
    text = (
        "A full-size v2 with random weights, on blocks of 2048 samples (46.4 ms at 44.1 kHz), each from a "
        "`.ts` that was saved and loaded, under inference mode. *plain* of the unbent rows is the design of "
        "the first implementation, rebuilt from its description: weight norm folded, caches of 64 rows as "
        "buffers, scripted. *plain* of the bent rows is our own unbent export. The bent one has three "
        "controls: a weight that is scaled, an activation that is scaled, another one with an affine map. "
        f"The unbent file has {sizes['plain'] / 2**20:.1f} MiB, {share:.3f}x of the weights that it plays "
        f"with (bar: {_SIZE}x, {'met' if share <= _SIZE else '**not met**'}); the original's design has "
        f"{sizes['original'] / 2**20:.1f} MiB."
    )
    return Section("RAVE: exports for nn~", text, rows)


def _times_to_write(
    model: rave.RAVE, bended: BendedRAVE, folder: Path, rounds: int
) -> dict[str, list[float]]:
    """Seconds to write the original's design, scripted, and our export of the same model."""

    def original() -> None:
        model.stream(as_original=True)
        scripted: Any = torch.jit.script(OriginalDesign(model).eval())
        model.offline()
        torch.jit.save(scripted, str(folder / "original.ts"))  # type: ignore[no-untyped-call]

    def ours() -> None:
        bended.export(folder / "plain.ts", batch=1, patches=False)

    timings = interleaved({PLAIN: original, "torchbend": ours}, rounds, warm_up=0)
    return dict(timings.seconds)


def _bend(bended: BendedRAVE) -> None:
    """Three controls: on a weight, on an activation, and in an affine map of another one."""
    drive = tb.BendingParameter("drive", 1.1, range=(0.0, 2.0))
    gain = tb.BendingParameter("gain", 0.9, range=(0.0, 2.0))
    shift = tb.BendingParameter("shift", 0.1, range=(-1.0, 1.0))
    bended.bend(tb.Scale(drive), r"decoder\.net\.2\.weight_g$")
    bended.bend(tb.Scale(gain), "decode:add_5$")
    bended.bend(tb.Affine(shift, 1.05), "decode:conv_transpose1d_1$")


def _played(model: rave.RAVE) -> dict[str, int]:
    """Bytes of the weights that encoder and decoder compute with, by name: norms are folded in."""
    return {
        name: value.numel() * value.element_size()
        for name, value in model.state_dict().items()
        if name.startswith(("encoder.", "decoder.", "pqmf.")) and not name.endswith("weight_g")
    }


def _rows(method: str, files: Mapping[str, Any], model: rave.RAVE, rounds: int) -> list[Row]:
    """One row for our design beside the original's, one for bent beside not bent; measured together."""
    frames = _BLOCK // model.ratio
    audio = 0.1 * torch.randn(1, model.channels, _BLOCK)

    def call(kind: str) -> Callable[[], Tensor]:
        size = files["plain"].decode_params[0] if kind != "original" else model.latent_size
        x = torch.randn(1, int(size), frames) if method == "decode" else audio
        function = getattr(files[kind], method)
        return lambda: function(x)  # type: ignore[no-any-return]

    calls = {"original": call("original"), PLAIN: call("plain"), "bent": call("bent")}
    with torch.inference_mode():
        found = interleaved(calls, 2 * rounds, warm_up=6).seconds
    design = Timings({PLAIN: found["original"], AGAIN: found["original"], "torchbend": found[PLAIN]})
    bent = Timings({PLAIN: found[PLAIN], AGAIN: found[AGAIN], "torchbend": found["bent"]})
    noise = bent.noise
    first = Row.of(f"v2: {method}, unbent", design, "torchbend", _DESIGN)
    second = Row.of(f"v2: {method}, three controls", bent, "torchbend", _BENT)
    return [_with_noise(first, noise), second]


def _with_noise(row: Row, noise: float) -> Row:
    """The original's design is measured once: the noise is that of our own file, in the same rounds."""
    return Row(row.what, row.plain, row.measured, row.added, noise, row.bar)
