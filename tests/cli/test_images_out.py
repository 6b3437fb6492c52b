"""Models of a factory that give images: `--out` may be a PNG file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

Program = Callable[..., Result]

SOURCE = """
import torch
from torch import nn


class Ramp(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))
        self.channels = channels

    def forward(self, x):
        return (self.gain * x).expand(-1, self.channels, -1, -1)
"""


@pytest.fixture
def ramp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ramp.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pixels(path: Path) -> torch.Tensor:
    """Of a PNG file whose rows are not filtered: shape [height, width, 3]."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    place, body = 8, b""
    while place < len(data):
        (length,), name = struct.unpack(">I", data[place : place + 4]), data[place + 4 : place + 8]
        body += data[place + 8 : place + 8 + length] if name == b"IDAT" else b""
        place += 12 + length
    rows = torch.frombuffer(bytearray(zlib.decompress(body)), dtype=torch.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_written_bent(ramp: Path, program: Program, channels: int) -> None:
    words = ("render", "ramp.py:Ramp", "line:0:1:1,1,2,5", "--arg", f"channels={channels}", "--out", "r.png")
    assert program(*words).exit_code == 0
    wanted = (torch.linspace(0, 1, 5) * 255).round().byte()
    assert torch.equal(pixels(ramp / "r.png"), wanted[None, :, None].expand(2, 5, 3))
    assert program(*words, "--bend", "Scale(0.5)@gain").exit_code == 0
    assert int(pixels(ramp / "r.png").max()) == 128
    assert program(*words, "--bend", "Scale(0.5)@gain", "--normalize").exit_code == 0
    assert int(pixels(ramp / "r.png").max()) == 255


def test_what_is_no_image_is_told(ramp: Path, program: Program) -> None:
    result = program("render", "ramp.py:Ramp", "line:0:1:1,1,2,5", "--arg", "channels=2", "--out", "r.png")
    assert result.exit_code == 1 and "these are no images" in result.stderr
    assert not (ramp / "r.png").exists()
