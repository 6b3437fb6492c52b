"""Spectrograms, waveforms, and self-contained pages of sounds."""

from torchbend.plots.mel import hz_to_mel, mel_filterbank, mel_to_hz
from torchbend.plots.player import (
    AudioComparison,
    Heading,
    Paragraph,
    Preformatted,
    Section,
    TableHtml,
    audio_data_uri,
    page,
    wav_bytes,
)
from torchbend.plots.png import COLOUR_MAP, indexed_png, rgb_png
from torchbend.plots.spectrogram import log_mel, spectrogram_png
from torchbend.plots.waveform import envelope, waveform_svg

__all__ = [
    "COLOUR_MAP",
    "AudioComparison",
    "Heading",
    "Paragraph",
    "Preformatted",
    "Section",
    "TableHtml",
    "audio_data_uri",
    "envelope",
    "hz_to_mel",
    "indexed_png",
    "log_mel",
    "mel_filterbank",
    "mel_to_hz",
    "page",
    "rgb_png",
    "spectrogram_png",
    "wav_bytes",
    "waveform_svg",
]
