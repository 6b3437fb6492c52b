"""StyleGAN2 against its formulas: filters, modulation, equalised learning rates, how loud things are."""

from __future__ import annotations

import math

import pytest
import torch

from torchbend.interfaces.gan import tiny_gan
from torchbend.interfaces.gan.filtering import binomial, upsampled
from torchbend.interfaces.gan.layers import Dense, Styled, ToImage, modulated

from . import written_out


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_the_filter_is_convolved_by_hand_and_keeps_a_flat_image_flat() -> None:
    x = torch.randn(2, 3, 5, 6)
    byhand = torch.stack([written_out.grown(image) for image in x])
    assert torch.allclose(upsampled(x, binomial()), byhand, atol=1e-6)
    flat = upsampled(torch.full((1, 1, 6, 6), 0.7), binomial())
    assert torch.allclose(flat[..., 1:-1, 1:-1], torch.tensor(0.7))


def test_the_filter_leaves_no_mirror_of_a_slow_wave() -> None:
    slow = torch.cos(2 * math.pi * torch.arange(64) / 32).expand(1, 1, 64, 64)
    row = upsampled(slow, binomial())[0, 0, 64, :128]
    spectrum = torch.fft.rfft(row[32:96] * torch.hann_window(64)).abs()
    assert spectrum.argmax() == 1
    assert spectrum[28:].max() < 0.001 * spectrum.max()  # without the filter it is as loud as the wave


@pytest.mark.parametrize("up", [False, True])
def test_modulated_convolutions_are_those_of_each_image_s_own_weight(up: bool) -> None:
    x, weight, styles = torch.randn(3, 5, 4, 4), torch.randn(7, 5, 3, 3), 1 + torch.randn(3, 5)
    byhand = [written_out.convolved(one, weight, style, up) for one, style in zip(x, styles, strict=True)]
    got = modulated(x, weight, styles, kernel=binomial() if up else None)
    assert got.shape == (3, 7, 8, 8) if up else (3, 7, 4, 4)
    assert torch.allclose(got, torch.stack(byhand), atol=1e-5)


def test_what_is_demodulated_is_as_loud_as_what_came_in() -> None:
    x, weight = torch.randn(8, 64, 16, 16), 3 * torch.randn(32, 64, 3, 3)
    out = modulated(x, weight, torch.exp(torch.randn(8, 64)))
    inner = out[..., 1:-1, 1:-1]
    assert 0.9 < float(inner.var()) < 1.1
    assert bool(((inner.var((2, 3)) > 0.3) & (inner.var((2, 3)) < 3)).all())
    louder = modulated(x, weight, 5 * torch.exp(torch.randn(8, 64)), demodulate=False)
    assert float(louder.var()) > 100


def test_a_dense_layer_scales_its_weights_at_run_time() -> None:
    layer = Dense(400, 300, "lrelu", rate=0.01)
    x = torch.randn(50, 400)
    z = x @ layer.weight.T * 0.01 / 20 + layer.bias * 0.01
    assert torch.allclose(layer(x), torch.nn.functional.leaky_relu(z, 0.2) * math.sqrt(2), atol=1e-5)
    assert abs(float(layer.weight.detach().std()) - 100) < 1 and 0.9 < float(z.detach().var()) < 1.1
    assert torch.equal(Dense(4, 3, bias=1.0)(torch.zeros(1, 4)), torch.ones(1, 3))


def test_noise_is_added_by_its_strength_and_the_clamp_clamps() -> None:
    layer = Styled(4, 6, 8, 4, clamp=0.5)
    x, w, noise = torch.randn(2, 4, 4, 4), torch.randn(2, 8), torch.randn(2, 1, 4, 4)
    assert float(layer(x, w).detach().abs().max()) <= 0.5
    layer.clamp = None
    still = layer(x, w, noise)
    with torch.no_grad():
        assert torch.equal(layer(x, w), still)  # no strength, no noise
        layer.noise_strength.fill_(0.3)
        own, given = layer(x, w), layer(x, w, noise)
        linear = modulated(x, layer.weight, layer.affine(w))
    for got, grain in ((own, layer.noise_const), (given, noise)):
        assert torch.allclose(got, written_out.activated(linear + 0.3 * grain), atol=1e-6)


def test_colours_are_not_demodulated() -> None:
    layer = ToImage(16, 3, 8)
    x, w = torch.randn(1, 16, 4, 4), torch.randn(1, 8)
    assert torch.allclose(layer(3 * x, w), 3 * layer(x, w), atol=1e-5)


def test_the_whole_generator_is_the_papers_written_out() -> None:
    model = tiny_gan(seed=3)
    weights, sizes = dict(model.state_dict()), model.sizes
    z = torch.randn(2, sizes.z_dim)
    ws = model.map(z)
    styles = torch.stack([written_out.mapped(weights, one, sizes.mapping_layers) for one in z])
    assert torch.allclose(ws, styles[:, None].expand_as(ws), atol=1e-5)
    mixed = ws + 0.3 * torch.randn_like(ws)  # another style for each layer
    byhand = [written_out.synthesized(weights, one, list(sizes.resolutions)) for one in mixed]
    assert torch.allclose(model.synthesize(mixed), torch.stack(byhand), atol=1e-4)


def test_how_large_a_latent_is_does_not_matter() -> None:
    model = tiny_gan()
    z = torch.randn(2, 32)
    assert torch.allclose(model.map(z), model.map(7 * z), atol=1e-5)
