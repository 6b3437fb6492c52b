"""The published sizes, built without memory: names, shapes, numbers of weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from torchbend.interfaces.codec.dac import DacCodec
from torchbend.interfaces.codec.encodec import EncodecCodec
from torchbend.interfaces.weight_norm import fold

transformers = pytest.importorskip("transformers")

ENCODEC: dict[str, dict[str, Any]] = {
    "24khz": {},
    "48khz": {
        "sampling_rate": 48000,
        "audio_channels": 2,
        "normalize": True,
        "chunk_length_s": 1.0,
        "overlap": 0.01,
        "norm_type": "time_group_norm",
        "use_causal_conv": False,
        "target_bandwidths": [3.0, 6.0, 12.0, 24.0],
    },
    "32khz": {
        "sampling_rate": 32000,
        "num_filters": 64,
        "upsampling_ratios": [8, 5, 4, 4],
        "codebook_size": 2048,
        "target_bandwidths": [2.2],
        "use_causal_conv": False,
        "use_conv_shortcut": False,
    },
}
DAC: dict[str, dict[str, Any]] = {
    "16khz": {"n_codebooks": 12, "downsampling_ratios": [2, 4, 5, 8], "sampling_rate": 16000},
    "24khz": {"n_codebooks": 32, "downsampling_ratios": [2, 4, 5, 8], "sampling_rate": 24000},
    "44khz": {"n_codebooks": 9, "downsampling_ratios": [2, 4, 8, 8], "sampling_rate": 44100},
}


@pytest.mark.shows("BendedCodec", "full-size names and shapes", model="EnCodec")
@pytest.mark.parametrize(
    ("size", "weights", "with_codebooks", "hop", "codebooks", "streams"),
    [
        ("24khz", 14_851_810, 23_273_218, 320, 32, "causal"),
        ("48khz", 14_856_294, 19_066_998, 320, 16, "no"),
        ("32khz", 56_884_674, 58_990_022, 640, 4, "no"),
    ],
)
def test_encodec(
    size: str, weights: int, with_codebooks: int, hop: int, codebooks: int, streams: str
) -> None:
    with torch.device("meta"):
        model = transformers.EncodecModel(transformers.EncodecConfig(**ENCODEC[size]))
    state = model.state_dict()
    assert sum(p.numel() for p in model.parameters()) == weights
    assert sum(t.numel() for t in state.values()) == with_codebooks
    codec = EncodecCodec(fold(model))
    assert (codec.hop, codec.most, codec.streams) == (hop, codebooks, streams)
    own = codec.state_dict()
    names = [name for name in state if "original0" not in name]
    assert set(own) == {name.replace("parametrizations.weight.original1", "weight") for name in names}
    wide = 32 * ENCODEC[size].get("num_filters", 32) // 2
    assert own["decoder.layers.0.conv.weight"].shape == (wide, 128, 7)
    assert own["encoder.layers.13.lstm.weight_hh_l1"].shape == (4 * wide, wide)
    assert own[f"quantizer.layers.{codebooks - 1}.codebook.embed"].shape == (codec.codes, 128)
    if streams == "causal":
        assert codec.first_frames(codec.encoder) == 7


@pytest.mark.shows("BendedCodec", "full-size names and shapes", model="DAC")
@pytest.mark.parametrize(
    ("size", "weights", "hop"),
    [("16khz", 74_141_697, 320), ("24khz", 74_653_857, 320), ("44khz", 76_620_777, 512)],
)
def test_dac(size: str, weights: int, hop: int) -> None:
    with torch.device("meta"):
        codec = DacCodec(transformers.DacModel(transformers.DacConfig(**DAC[size])))
    assert sum(p.numel() for p in codec.parameters()) == weights
    assert (codec.hop, codec.most, codec.size, codec.codes) == (hop, DAC[size]["n_codebooks"], 1024, 1024)
    own = codec.state_dict()
    assert own["decoder.conv1.weight"].shape == (1536, 1024, 7)
    assert own["encoder.block.3.res_unit2.conv1.weight"].shape == (512, 512, 7)
    assert own[f"quantizer.quantizers.{codec.most - 1}.codebook.weight"].shape == (1024, 8)
    assert (codec.around(codec.encoder), codec.around(codec.decoder)) == (9, 12)
