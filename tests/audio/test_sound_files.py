"""A sound written is the sound read, and a file is whole, untouched, or explained."""

import logging
import math

import pytest
import soundfile
import torch

from torchbend.audio import read_audio, write_audio
from torchbend.errors import AudioFileError, MissingExtraError

RATE = 22050


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 1.9 - 0.95


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".AIF"])
@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24), (None, 16)])
def test_a_round_trip_stays_within_half_a_step(tmp_path, suffix, subtype, bits):
    x = noise(2, 4000)
    write_audio(tmp_path / f"x{suffix}", x, RATE, subtype)
    found, rate = read_audio(tmp_path / f"x{suffix}")
    assert rate == RATE
    assert found.dtype == torch.float32
    # Half a quantisation step, and the rounding of float32 itself.
    assert (found - x).abs().max().item() <= 0.5 / 2 ** (bits - 1) + 2**-24


def test_a_float_file_is_exact_beyond_full_scale_too(tmp_path, caplog):
    x = noise(2, 1000) * 5
    write_audio(tmp_path / "x.wav", x, RATE, "FLOAT")
    assert torch.equal(read_audio(tmp_path / "x.wav")[0], x)
    assert not caplog.records


@pytest.mark.parametrize("shape", [(50,), (1, 50), (2, 50), (1, 2, 50), (1, 1, 50)])
def test_waveforms_of_these_shapes_are_written(tmp_path, shape):
    x = noise(*shape)
    write_audio(tmp_path / "x.wav", x.requires_grad_(), RATE, "FLOAT")
    found, _ = read_audio(tmp_path / "x.wav")
    assert torch.equal(found, x.detach().reshape(-1, 50))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(2, 2, 50), r"waveform\[0\]"),
        (torch.zeros(3000, 2), "channels come first"),
        (torch.zeros(0), "not empty"),
        (torch.zeros(2, 0), "not empty"),
        (torch.tensor(0.0), r"\[samples\]"),
        (torch.zeros(5, dtype=torch.int16), "torch.int16"),
        (torch.tensor([0.0, math.nan]), r"1 of 2 samples.*at \[0, 1\]"),
        (torch.tensor([math.inf, 0.0]), "NaN or infinity"),
    ],
)
def test_other_waveforms_are_refused_and_nothing_is_written(tmp_path, x, words):
    with pytest.raises(AudioFileError, match=words):
        write_audio(tmp_path / "x.wav", x, RATE)
    assert list(tmp_path.iterdir()) == []


def test_clipping_is_told_in_decibels(tmp_path, caplog):
    x = torch.tensor([0.5, 2.0, -2.0, 1.0])
    with caplog.at_level(logging.WARNING):
        write_audio(tmp_path / "x.wav", x, RATE)
    assert "6.02 dB" in caplog.text
    found = read_audio(tmp_path / "x.wav")[0][0]
    assert found.tolist() == pytest.approx([0.5, 1, -1, 1], abs=2**-15)


def test_full_scale_is_not_clipping_and_normalising_avoids_it(tmp_path, caplog):
    write_audio(tmp_path / "x.wav", torch.tensor([1.0, -1.0]), RATE)
    write_audio(tmp_path / "y.wav", torch.tensor([0.5, 2.0]), RATE, normalize=True)
    write_audio(tmp_path / "z.wav", torch.zeros(4), RATE, normalize=True)
    assert not caplog.records
    assert read_audio(tmp_path / "y.wav")[0][0].tolist() == pytest.approx([0.25, 1], abs=2**-15)
    assert read_audio(tmp_path / "z.wav")[0].abs().max() == 0


def test_a_part_of_a_file_is_read(tmp_path):
    x = noise(1, RATE)
    write_audio(tmp_path / "x.wav", x, RATE, "FLOAT")
    found, _ = read_audio(tmp_path / "x.wav", start=0.25, duration=0.5)
    first = round(RATE * 0.25)
    assert torch.equal(found, x[:, first : first + RATE // 2])
    assert read_audio(tmp_path / "x.wav", start=0.9, duration=9)[0].shape == (1, RATE - round(0.9 * RATE))
    with pytest.raises(AudioFileError, match="samples after 2 s"):
        read_audio(tmp_path / "x.wav", start=2)


def test_a_part_of_an_mp3_begins_with_sound(tmp_path):
    """libsndfile gives zeros after a jump, until the bits of earlier frames are there."""
    tone = 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(4 * 44100) / 44100)
    soundfile.write(tmp_path / "a.mp3", tone.numpy(), 44100)
    whole, _ = read_audio(tmp_path / "a.mp3")
    part, _ = read_audio(tmp_path / "a.mp3", start=2.0, duration=0.5)
    assert part.shape[-1] == 22050
    assert torch.allclose(part, whole[:, 88200:110250], atol=1e-4)


def test_mono_is_the_mean_and_the_rate_is_converted(tmp_path):
    t = torch.arange(RATE) / RATE
    x = torch.stack([torch.sin(2 * math.pi * 440 * t) * 0.5, torch.zeros(RATE)])
    write_audio(tmp_path / "x.wav", x, RATE, "FLOAT")
    found, rate = read_audio(tmp_path / "x.wav", sample_rate=48000, mono=True)
    assert (rate, found.shape) == (48000, (1, 48000))
    expected = 0.25 * torch.sin(2 * math.pi * 440 * torch.arange(48000) / 48000)
    assert (found[0] - expected)[1000:-1000].abs().max() < 1e-4


@pytest.mark.parametrize("arguments", [{"start": -1}, {"start": math.nan}, {"duration": 0}, {"duration": -1}])
def test_a_span_without_sense_is_refused(tmp_path, arguments):
    with pytest.raises(AudioFileError, match="unknown"):
        read_audio(tmp_path / "x.wav", **arguments)


def test_missing_empty_and_unreadable_files_are_told_apart(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("this is no sound" * 10)
    write_audio(tmp_path / "x.wav", torch.zeros(100), RATE)
    whole = (tmp_path / "x.wav").read_bytes()
    (tmp_path / "header.wav").write_bytes(whole[:44])
    for name, words in {
        "none.wav": "no such file",
        "empty.wav": "empty",
        "text.wav": "cannot be read",
        "header.wav": "no sound",
        ".": "folder",
    }.items():
        with pytest.raises(AudioFileError, match=words) as caught:
            read_audio(tmp_path / name)
        assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["x.xyz", "x", "x.txt"])
def test_unknown_formats_are_refused(tmp_path, name):
    with pytest.raises(AudioFileError, match=r"\.wav, \.flac"):
        write_audio(tmp_path / name, torch.zeros(3), RATE)


def test_a_format_that_cannot_hold_the_subtype_names_those_it_can(tmp_path):
    with pytest.raises(AudioFileError, match="VORBIS"):
        write_audio(tmp_path / "x.ogg", torch.zeros(3000), RATE)
    write_audio(tmp_path / "x.ogg", noise(2, RATE) * 0.1, RATE, subtype=None)
    assert read_audio(tmp_path / "x.ogg")[0].shape[0] == 2


@pytest.mark.parametrize("rate", [0, -1, 0.5])
def test_an_impossible_rate_is_refused(tmp_path, rate):
    with pytest.raises(AudioFileError, match="sample rate"):
        write_audio(tmp_path / "x.wav", torch.zeros(3), rate)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    import soundfile

    write_audio(tmp_path / "x.wav", noise(1, 100), RATE)
    before = (tmp_path / "x.wav").read_bytes()

    def broken(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(soundfile, "write", broken)
    with pytest.raises(AudioFileError, match="disk full"):
        write_audio(tmp_path / "x.wav", torch.zeros(9), RATE)
    assert (tmp_path / "x.wav").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]


def test_without_soundfile_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match="pip install soundfile"):
        write_audio(tmp_path / "x.wav", torch.zeros(9), RATE)
