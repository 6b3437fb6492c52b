"""Spectrograms show the right frequency, level and time; pictures are valid files."""

import math
import re
import struct
import zlib

import numpy as np
import pytest
import torch

from torchbend.errors import TorchbendError
from torchbend.plots import (
    COLOUR_MAP,
    envelope,
    hz_to_mel,
    indexed_png,
    log_mel,
    mel_filterbank,
    mel_to_hz,
    spectrogram_png,
    waveform_svg,
)

RATE = 22050


def tone(frequency, seconds=1.0, rate=RATE):
    return torch.sin(2 * math.pi * frequency * torch.arange(round(rate * seconds)) / rate)


def decoded(png):
    """Pixels of an indexed PNG without line filters, read by the rules of the format."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        assert checksum == zlib.crc32(kind + data)
        chunks[kind] = data
        at += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (8, 3)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not lines[:, 0].any()
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    return lines[:, 1:]


def test_the_mel_scale_has_its_published_corners_and_an_inverse():
    hz = torch.tensor([0.0, 500.0, 1000.0, 6400.0, 20000.0], dtype=torch.float64)
    assert hz_to_mel(hz)[:4].tolist() == pytest.approx([0, 7.5, 15, 42])
    torch.testing.assert_close(mel_to_hz(hz_to_mel(hz)), hz)


@pytest.mark.parametrize("n_mels", [1, 40, 128, 400])
def test_no_band_is_empty_and_neighbours_share(n_mels):
    bank = mel_filterbank(44100, 2048, n_mels)
    assert bank.shape == (n_mels, 1025)
    assert (bank.amax(1) > 0).all()
    assert bank.min() >= 0
    assert bank.max() <= 1
    if n_mels == 40:
        centres = mel_to_hz(torch.linspace(0, hz_to_mel(torch.tensor(22050.0)).item(), 42))
        inside = (torch.linspace(0, 22050, 1025) > centres[1]) & (
            torch.linspace(0, 22050, 1025) < centres[-2]
        )
        torch.testing.assert_close(bank.sum(0)[inside], torch.ones(int(inside.sum())))


@pytest.mark.parametrize("frequency", [220.0, 1000.0, 5000.0])
def test_a_full_scale_tone_has_0_db_in_the_band_of_its_frequency(frequency):
    levels = log_mel(tone(frequency), RATE)
    middle = levels[:, levels.shape[1] // 2]
    total = 10 * math.log10((10 ** (middle.double() / 10)).sum().item())
    assert total == pytest.approx(0, abs=0.05)
    centres = mel_to_hz(torch.linspace(0, hz_to_mel(torch.tensor(RATE / 2)).item(), 130))[1:-1]
    assert int(middle.argmax()) == int((centres - frequency).abs().argmin())


def test_half_the_amplitude_is_6_db_less_and_silence_is_the_floor():
    difference = log_mel(tone(1000.0), RATE) - log_mel(tone(1000.0) / 2, RATE)
    middle = log_mel(tone(1000.0), RATE)[:, 20].argmax()
    assert difference[middle, 20].item() == pytest.approx(6.0206, abs=1e-3)
    assert log_mel(torch.zeros(1000), RATE).unique().tolist() == [-120]


@pytest.mark.parametrize("shape", [(1,), (7,), (2, 3000), (2, 3, 5000)])
def test_shapes_follow_the_rule_for_short_sounds_too(shape):
    assert log_mel(torch.randn(shape), RATE, hop=300).shape == (*shape[:-1], 128, shape[-1] // 300 + 1)


@pytest.mark.parametrize("x", [torch.zeros(0), torch.tensor(1.0), torch.zeros(4).int()])
def test_no_sound_no_picture(x):
    for draw in (lambda: log_mel(x, RATE), lambda: spectrogram_png(x, RATE), lambda: waveform_svg(x)):
        with pytest.raises(TorchbendError, match="wanted"):
            draw()


def test_a_png_holds_its_pixels():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    assert np.array_equal(decoded(indexed_png(image)), image)
    with pytest.raises(TorchbendError):
        indexed_png(image.astype(np.float32))


def test_the_colour_map_gets_steadily_lighter():
    lightness = COLOUR_MAP.astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -1).all()
    assert lightness[0] < 20
    assert lightness[-1] > 225


def test_low_tones_lie_low_and_later_sounds_lie_right():
    x = torch.cat([tone(200.0), torch.zeros(RATE), tone(8000.0)])
    image = decoded(spectrogram_png(x, RATE, 300, 90)).astype(float)
    assert image.shape == (90, 300)
    assert image[:, 50].argmax() > 80
    assert image[:, 250].argmax() < 15
    assert image[:, 150].max() == 0


@pytest.mark.parametrize("shape", [(1,), (100,), (2, 4000), (1, 2, 50_000)])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (500, 33)])
def test_any_length_fills_any_size(shape, width, height):
    x = torch.randn(shape)
    x[..., 0] = math.nan
    assert decoded(spectrogram_png(x, RATE, width, height)).shape == (height, width)
    assert f'viewBox="0 0 {width} {height}"' in waveform_svg(x, width, height)


@pytest.mark.parametrize("arguments", [{"width": 0}, {"height": 0}, {"low_db": 0.0, "high_db": -1.0}])
def test_a_picture_needs_room(arguments):
    with pytest.raises(TorchbendError, match="no picture"):
        spectrogram_png(torch.zeros(10), RATE, **arguments)


def test_the_envelope_holds_every_peak():
    x = torch.zeros(1003)
    x[501], x[1002] = 0.75, -0.5
    low, high = envelope(x, 10)
    assert high.tolist() == [0] * 5 + [0.75] + [0] * 4 or high.tolist() == [0] * 4 + [0.75] + [0] * 5
    assert low.tolist() == [0] * 9 + [-0.5]
    assert [part.shape for part in envelope(torch.randn(3), 10)] == [(10,), (10,)]


def test_a_waveform_is_drawn_to_scale_and_escaped():
    svg = waveform_svg(torch.tensor([1.0, -5.0]), 2, 100, colour='"><script>', label="<a>")
    assert "<script" not in svg
    numbers = [float(y) for y in re.findall(r"[ML]\d+ (-?[\d.]+)", svg)]
    assert numbers == [-0.5, 99.5, 100.5, 0.5]
