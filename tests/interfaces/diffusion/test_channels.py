"""Channels: dimension 1 of images, the last one of tokens."""

from __future__ import annotations

import torch
from torch import Tensor

import torchbend as tb

from .conftest import Open


def test_tokens_have_their_channels_last(open_tiny: Open) -> None:
    model = open_tiny("flux")
    given: list[Tensor] = []
    block = model.pipeline.transformer.transformer_blocks[0]
    hook = block.ff.net[2].register_forward_pre_hook(lambda module, inputs: given.append(inputs[0].detach()))
    try:
        model.bend(tb.Mask(0.5, seed=2), "denoise:transformer_transformer_blocks_0_ff_net_0_proj$")
        model.generate("a cat", steps=1, seed=3)
    finally:
        hook.remove()
    silent = given[0][0] == 0
    assert torch.equal(silent.all(0), silent.any(0)) and 0 < int(silent.all(0).sum()) < silent.shape[1]


def test_flattened_images_have_them_first_until_they_are_turned(open_tiny: Open) -> None:
    known = open_tiny("stable-diffusion")._engine.channels
    own = {
        "view": 1,
        "transpose": -1,
        "transpose_1": 1,
        "vae_encoder_mid_block_attentions_0_group_norm": 1,
        "transpose_2": -1,
        "vae_encoder_mid_block_attentions_0_to_q": -1,
        "reshape": -1,
        "to": -1,
        "vae_encoder_mid_block_attentions_0_to_out_0": -1,
        "transpose_7": 1,
    }
    assert {name: known["encode", name] for name in own} == own
    assert ("encode", "vae_encoder_conv_in") not in known  # an image: the channels are dimension 1
    patches = open_tiny("stable-diffusion-3")._engine.channels
    assert patches["denoise", "flatten"] == 1 and patches["denoise", "transpose"] == -1
