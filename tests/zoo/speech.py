"""Speech models of transformers: recognisers, self-supervised encoders, text to speech."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .definition import RANDOM, Entry
from .make import by_length, by_shape, entries, from_transformers, noise, tokens

FAMILY = "speech"

SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}

#: the feature extractor and the transformer that the Wav2Vec 2 family shares: a hop of 20 samples
WAVE: dict[str, Any] = {
    "vocab_size": 32,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8, 8, 8],
    "conv_stride": [5, 2, 2],
    "conv_kernel": [10, 3, 2],
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}

SPEECH_T5: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 32,
    "conv_dim": [8, 8],
    "conv_stride": [5, 4],
    "conv_kernel": [10, 4],
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "num_mel_bins": 8,
    "speech_decoder_prenet_units": 16,
    "speech_decoder_postnet_layers": 2,
    "speech_decoder_postnet_units": 16,
    "speaker_embedding_dim": 8,
    "max_speech_positions": 64,
    "max_text_positions": 64,
}

CONFORMER: dict[str, Any] = {
    "hidden_size": 16,
    "vocab_size": 64,
    "num_mel_bins": 8,
    "encoder_layers": 1,
    "encoder_linear_units": 32,
    "decoder_layers": 1,
    "decoder_linear_units": 32,
    "speech_decoder_postnet_layers": 2,
    "speech_decoder_postnet_units": 16,
    "decoder_kernel_size": 7,
    "duration_predictor_channels": 16,
    "energy_predictor_channels": 16,
    "pitch_predictor_layers": 2,
    "pitch_predictor_channels": 16,
    "max_source_positions": 64,
}

HIFI_GAN: dict[str, Any] = {
    "model_in_dim": 8,
    "upsample_initial_channel": 16,
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3]],
}

BARK: dict[str, Any] = {
    "block_size": 32,
    "input_vocab_size": 64,
    "output_vocab_size": 64,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_size": 16,
}


def _waves(name: str, model: str, config: str, **settings: Any) -> Entry:
    """A model that takes raw audio."""
    build = from_transformers(model, config, **{**WAVE, **settings})
    return Entry(name, FAMILY, build, **by_shape("input_values", (1, 400), (2, 600)))


def _heard_and_said(frames: int, length: int) -> dict[str, Tensor]:
    return {"input_features": noise(2, 8, frames, seed=1), "decoder_input_ids": tokens(2, length, seed=2)}


def _spoken(length: int, frames: int) -> dict[str, Tensor]:
    return {
        "input_ids": tokens(2, length, seed=1),
        "decoder_input_values": noise(2, frames, 8, seed=2),
        "speaker_embeddings": noise(2, 8, seed=3),
    }


def _recognised(samples: int, length: int) -> dict[str, Tensor]:
    return {"input_values": noise(2, samples, seed=1), "decoder_input_ids": tokens(2, length, seed=2)}


def _fine_codes(length: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(length)
    return {"codebook_idx": 2, "input_ids": torch.randint(64, (2, length, 4), generator=generator)}


RECOGNISERS = entries(
    FAMILY,
    Entry(
        "whisper",
        FAMILY,
        from_transformers(
            "WhisperForConditionalGeneration",
            "WhisperConfig",
            vocab_size=64,
            num_mel_bins=8,
            encoder_layers=1,
            encoder_attention_heads=2,
            decoder_layers=1,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            d_model=16,
            max_source_positions=16,
            max_target_positions=16,
            decoder_start_token_id=3,
            begin_suppress_tokens=None,
            **SPECIAL,
        ),
        lambda: _heard_and_said(32, 4),
        lambda: _heard_and_said(32, 7),
    ),
    _waves("wav2vec2", "Wav2Vec2ForCTC", "Wav2Vec2Config"),
    _waves("hubert", "HubertModel", "HubertConfig"),
    _waves("wavlm", "WavLMModel", "WavLMConfig", num_buckets=16, max_bucket_distance=32),
    _waves("sew", "SEWModel", "SEWConfig", squeeze_factor=2),
    Entry(
        "audio_spectrogram_transformer",
        FAMILY,
        from_transformers(
            "ASTForAudioClassification",
            "ASTConfig",
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            patch_size=4,
            frequency_stride=4,
            time_stride=4,
            max_length=16,
            num_mel_bins=8,
        ),
        **by_shape("input_values", (1, 16, 8), (2, 16, 8)),
    ),
    Entry(
        "speecht5_recognition",
        FAMILY,
        from_transformers("SpeechT5ForSpeechToText", "SpeechT5Config", **SPEECH_T5),
        lambda: _recognised(400, 4),
        lambda: _recognised(600, 6),
    ),
)

SPEAKERS = entries(
    FAMILY,
    Entry(
        "speecht5",
        FAMILY,
        from_transformers("SpeechT5ForTextToSpeech", "SpeechT5Config", **SPEECH_T5),
        lambda: _spoken(6, 8),
        lambda: _spoken(9, 10),
        note=f"{RANDOM}: the decoder's prenet keeps its dropout in eval mode",
    ),
    Entry(
        "vits",
        FAMILY,
        from_transformers(
            "VitsModel",
            "VitsConfig",
            vocab_size=64,
            hidden_size=16,
            num_hidden_layers=1,
            ffn_dim=32,
            flow_size=16,
            spectrogram_bins=9,
            upsample_initial_channel=16,
            upsample_rates=[4, 2],
            upsample_kernel_sizes=[8, 4],
            resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3]],
            duration_predictor_flow_bins=4,
            duration_predictor_num_flows=2,
            duration_predictor_filter_channels=16,
            depth_separable_num_layers=1,
            prior_encoder_num_flows=2,
            prior_encoder_num_wavenet_layers=1,
            posterior_encoder_num_wavenet_layers=1,
        ),
        note=f"{RANDOM}: samples durations and latents",
        **by_length("input_ids", 6, 9, batch=1),
    ),
    Entry(
        "fastspeech2_conformer",
        FAMILY,
        from_transformers("FastSpeech2ConformerModel", "FastSpeech2ConformerConfig", **CONFORMER),
        **by_length("input_ids", 6, 9, batch=1),
    ),
    Entry(
        "fastspeech2_hifigan",
        FAMILY,
        from_transformers("FastSpeech2ConformerHifiGan", "FastSpeech2ConformerHifiGanConfig", **HIFI_GAN),
        **by_shape("spectrogram", (1, 6, 8), (2, 9, 8)),
    ),
    Entry(
        "speecht5_hifigan",
        FAMILY,
        from_transformers("SpeechT5HifiGan", "SpeechT5HifiGanConfig", **HIFI_GAN),
        **by_shape("spectrogram", (6, 8), (2, 9, 8)),
    ),
    Entry(
        "bark_semantic",
        FAMILY,
        from_transformers("BarkSemanticModel", "BarkSemanticConfig", **BARK),
        **by_length("input_ids", 8, 11),
    ),
    Entry(
        "bark_coarse",
        FAMILY,
        from_transformers("BarkCoarseModel", "BarkCoarseConfig", **BARK),
        **by_length("input_ids", 8, 11),
    ),
    Entry(
        "bark_fine",
        FAMILY,
        from_transformers("BarkFineModel", "BarkFineConfig", n_codes_total=4, n_codes_given=1, **BARK),
        lambda: _fine_codes(8),
        lambda: _fine_codes(11),
    ),
)

SPEECH = [*RECOGNISERS, *SPEAKERS]
