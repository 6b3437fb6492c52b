"""A configuration written as JSON comes back equal; anything else in its place is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from torchbend.errors import RAVEConfigError
from torchbend.rave.config_json import from_dict, to_dict
from torchbend.rave.presets import OPTIONS, PRESETS, preset

COMBINATIONS = [(name,) for name in PRESETS] + [("v2", option) for option in OPTIONS]


@pytest.mark.parametrize("names", COMBINATIONS, ids="+".join)
def test_round_trip(names: tuple[str, ...]) -> None:
    config = preset(*names, channels=2)
    assert from_dict(json.loads(json.dumps(to_dict(config), allow_nan=False))) == config


def test_readable() -> None:
    written = to_dict(preset("discrete"))
    assert written["latent"]["kind"] == "discrete"
    assert written["encoder"] | {"capacity": 96, "kind": "v2"} == written["encoder"]
    assert [part["kind"] for part in written["discriminator"]["parts"]] == ["multi_period", "multi_scale"]


def test_fields_left_out_take_their_defaults() -> None:
    assert from_dict({"encoder": {"kind": "v2"}, "name": "v2"}) == preset("v2")


@pytest.mark.parametrize(
    ("change", "site"),
    [
        ({"colour": 1}, "config.colour"),
        ({"latent_size": "16"}, "config.latent_size"),
        ({"latent_size": True}, "config.latent_size"),
        ({"latent_size": 16.5}, "config.latent_size"),
        ({"padding": "same"}, "config.padding"),
        ({"pqmf": None}, "config.pqmf"),
        ({"pqmf": {"attenuation": float("nan")}}, "config.pqmf.attenuation"),
        ({"pqmf": {"attenuation": 10**400}}, "config.pqmf.attenuation"),
        ({"encoder": {"ratios": [4]}}, "config.encoder.kind"),
        ({"encoder": {"kind": "v3"}}, "config.encoder.kind"),
        ({"encoder": {"kind": ["v2"]}}, "config.encoder.kind"),
        ({"encoder": {"kind": "v2", "ratios": [4, "4"]}}, r"config.encoder.ratios\[1\]"),
        ({"encoder": {"kind": "v2", "dilations": [1, 2]}}, r"config.encoder.dilations\[0\]"),
        ({"decoder": {"kind": "v2", "noise": {"kind": "v2"}}}, "config.decoder.noise.kind"),
        ({"discriminator": {"kind": "combined"}}, "config.discriminator.parts"),
        ({"discriminator": {"kind": "combined", "parts": [{"kind": "descript"}]}}, r"parts\[0\].kind"),
        ({"discriminator": {"kind": "descript", "bands": [[0.1]]}}, r"bands\[0\]"),
        ({"training": {"weights": [["a"]]}}, r"config.training.weights\[0\]"),
        ({"training": {"valid_signal_crop": 1}}, "config.training.valid_signal_crop"),
    ],
)
def test_wrong_values_are_told_by_their_place(change: dict[str, Any], site: str) -> None:
    with pytest.raises(RAVEConfigError, match=site):
        from_dict(to_dict(preset("v2")) | change)


@pytest.mark.parametrize("content", [None, 3, "v2", [], [1]])
def test_what_is_no_object(content: object) -> None:
    with pytest.raises(RAVEConfigError, match="wrong type"):
        from_dict(content)


def test_what_cannot_work_is_refused_here_too() -> None:
    with pytest.raises(RAVEConfigError, match="power of two"):
        from_dict({"pqmf": {"bands": 3}})
