"""The sounds of docs/gallery.md: runs the page's examples, and keeps what they write for the site.

Usage: python tools/site_gallery.py

Each ``NAME.wav`` that an example writes becomes ``NAME.flac`` and a spectrogram ``NAME.png`` in
build/gallery. Nothing is done again while the examples, the model and this file stay.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gallery.md"
FOLDER = ROOT / "build" / "gallery"
STAMP = FOLDER / "made_from.json"

_EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:```text\n.*?^```\n)?", re.MULTILINE | re.DOTALL)
_WRITES = re.compile(r"write_audio\(\"(\w+)\.wav\"")


def rendered() -> list[Path]:
    """The files of the gallery, made if they are not there or out of date."""
    wanted = _made_from()
    if not STAMP.exists() or json.loads(STAMP.read_text(encoding="utf-8"))["sum"] != wanted:
        _render(wanted)
    return sorted([*FOLDER.glob("*.flac"), *FOLDER.glob("*.png")])


def _made_from() -> str:
    models = sorted((ROOT / "src" / "torchbend" / "shipped").glob("*.safetensors"))
    digest = hashlib.sha256()
    for example in _EXAMPLE.finditer(PAGE.read_text(encoding="utf-8")):
        digest.update(example[1].encode())
    for file in (Path(__file__), *models):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _render(made_from: str) -> None:
    """Runs the examples and keeps their sounds."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        _run(PAGE.read_text(encoding="utf-8"), Path(folder))
        told = {wav.stem: _keep(wav) for wav in sorted(Path(folder).glob("*.wav"))}
    STAMP.write_text(json.dumps({"sum": made_from, "told": told}), encoding="utf-8")


def _run(page: str, folder: Path) -> None:
    """Runs a page's Python examples in one namespace, within a folder; what they print is not shown."""
    import torch  # seconds: only where there is something to run

    gradients, here = torch.is_grad_enabled(), Path.cwd()
    namespace: dict[str, Any] = {"__name__": "__main__"}
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(None):
            for example in _EXAMPLE.finditer(page):
                exec(compile(example[1], PAGE.name, "exec"), namespace)  # noqa: S102  our own page's examples
    finally:
        os.chdir(here)
        torch.set_grad_enabled(gradients)


def _keep(wav: Path) -> str:
    """Packs a sound and draws it; gives what a listener who does not see the picture is told."""
    import soundfile

    from torchbend.audio import read_audio
    from torchbend.plots import spectrogram_png

    x, rate = read_audio(wav)
    soundfile.write(FOLDER / f"{wav.stem}.flac", x.T.numpy(), rate, format="FLAC", subtype="PCM_16")
    (FOLDER / f"{wav.stem}.png").write_bytes(spectrogram_png(x, rate, width=800, height=180))
    return f"{x.shape[-1] / rate:.0f} seconds, {_level(x)}, {_brightness(x, rate)}"


def _level(x: Any) -> str:
    return f"level {20 * x.square().mean().sqrt().clamp_min(1e-6).log10().item():.0f} dB"


def _brightness(x: Any, rate: int) -> str:
    """The frequency that halves the energy, to two digits."""
    import torch

    power = torch.fft.rfft(x.mean(0)).abs().square().cumsum(0)
    middle = int(torch.searchsorted(power, power[-1] / 2)) * rate / x.shape[-1]
    return f"half of the energy below {float(f'{middle:.2g}'):.0f} hertz"


def with_players(page: str) -> str:
    """The page with a player and a picture behind each example for each sound that it writes."""
    rendered()
    told = json.loads(STAMP.read_text(encoding="utf-8"))["told"]

    def add(found: re.Match[str]) -> str:
        return found[0] + "".join(player(name, told[name]) for name in _WRITES.findall(found[1]))

    return _EXAMPLE.sub(add, page)


def player(name: str, told: str) -> str:
    """One sound: its picture, its player, its name."""
    words = name.replace("_", " ")
    alt = escape(f"Spectrogram of the sound {words}: {told}", quote=True)
    label = escape(words, quote=True)
    return (
        f'\n<figure class="tb-sound"><figcaption>{label}</figcaption><div class="tb-screen">'
        f'<img src="sounds/{name}.png" alt="{alt}" width="800" height="180" loading="lazy"><i></i></div>'
        f'<audio controls preload="metadata" aria-label="{label}" src="sounds/{name}.flac"></audio>'
        "</figure>\n"
    )


if __name__ == "__main__":
    print(*rendered(), sep="\n")
    sys.exit(0)
