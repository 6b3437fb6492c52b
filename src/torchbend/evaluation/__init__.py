"""How far sounds lie from one another: spectra, pitch, loudness, timbre; and what is the least to beat."""

from torchbend.evaluation.baseline import vocoder_noise
from torchbend.evaluation.embedding import embedding_distance, frechet_distance, timbre_features
from torchbend.evaluation.latents import LatentStatistics, latent_statistics
from torchbend.evaluation.loudness import a_weighting, loudness, loudness_error
from torchbend.evaluation.pitch import (
    PitchError,
    PitchSettings,
    PitchTrack,
    cents,
    compare_pitch,
    pitch_error,
    track_pitch,
)
from torchbend.evaluation.spectral import log_mel_distance, spectral_distance

__all__ = [
    "LatentStatistics",
    "PitchError",
    "PitchSettings",
    "PitchTrack",
    "a_weighting",
    "cents",
    "compare_pitch",
    "embedding_distance",
    "frechet_distance",
    "latent_statistics",
    "log_mel_distance",
    "loudness",
    "loudness_error",
    "pitch_error",
    "spectral_distance",
    "timbre_features",
    "track_pitch",
    "vocoder_noise",
]
