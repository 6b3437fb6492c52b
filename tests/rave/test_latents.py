"""The latent tools give what the documents write by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from torchbend.errors import ControlError, ShapeError
from torchbend.rave.latents import (
    add_noise,
    exactly,
    interleave,
    morph,
    scale_and_bias,
    spherical_path,
    zero,
)


@pytest.fixture
def z() -> Tensor:
    """Two encoded sounds, 128 latents, 50 frames."""
    return torch.randn(2, 128, 50, generator=torch.Generator().manual_seed(1))


# -- what the documents write ----------------------------------------------------------------------------


def test_zeroing_odd_dimensions(z: Tensor) -> None:
    wanted = z.clone()
    wanted[..., 1::2, :] = 0
    assert torch.equal(zero(z, slice(1, None, 2)), wanted)


def test_noising_even_dimensions_progressively(z: Tensor) -> None:
    wanted = z.clone()
    torch.manual_seed(3)
    wanted[..., ::2, :] = torch.linspace(0, 1, z.shape[-1]) * torch.randn_like(wanted[..., ::2, :])
    torch.manual_seed(3)
    even = slice(None, None, 2)
    assert torch.equal(add_noise(zero(z, even), torch.linspace(0, 1, z.shape[-1]), even), wanted)


def test_morphing_through_time(z: Tensor) -> None:
    frames = z.shape[-1]
    wanted = (z[0] * torch.linspace(0, 1, frames) + z[1] * torch.linspace(1, 0, frames))[None]
    torch.testing.assert_close(morph(z[1:], z[:1]), wanted, rtol=0, atol=1e-6)


def test_interleaving(z: Tensor) -> None:
    wanted = torch.stack([z[0, i, :] if i % 2 == 0 else z[1, i, :] for i in range(z.shape[1])], 0)[None]
    assert torch.equal(interleave(z[:1], z[1:]), wanted)


def test_a_spherical_path() -> None:
    phase = torch.linspace(0, 1, 50)
    wanted = torch.cos(2 * torch.pi * (phase[None] + torch.linspace(0, 1, 128)[:, None]))[None]
    assert torch.equal(spherical_path(128, 50), wanted)


# -- morph -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["linear", "spherical"])
def test_a_morph_starts_at_one_and_ends_at_the_other(z: Tensor, method: str) -> None:
    out = morph(z[0], z[1], method=method)  # type: ignore[arg-type]
    torch.testing.assert_close(out[:, 0], z[0, :, 0], rtol=0, atol=2e-6)
    torch.testing.assert_close(out[:, -1], z[1, :, -1], rtol=0, atol=2e-6)
    torch.testing.assert_close(morph(z, z, method=method), z, rtol=0, atol=2e-6)  # type: ignore[arg-type]


def test_a_curve_says_how_far(z: Tensor) -> None:
    torch.testing.assert_close(morph(z[0], z[1], 0.25), 0.75 * z[0] + 0.25 * z[1])
    curve = torch.linspace(0, 1, 50) ** 2
    torch.testing.assert_close(morph(z[0], z[1], curve), z[0] * (1 - curve) + z[1] * curve)
    assert morph(z, z[0]).shape == z.shape


def test_a_spherical_morph_keeps_the_length_and_turns_evenly(z: Tensor) -> None:
    a, b = (x / x.norm(dim=0) for x in z.double())
    angles = torch.arccos((a * b).sum(0))
    for share in (0.25, 0.5, 0.75):
        out = morph(a, b, share, "spherical")
        torch.testing.assert_close(out.norm(dim=0), torch.ones(50, dtype=torch.float64))
        torch.testing.assert_close(torch.arccos((a * out).sum(0)), share * angles)
    assert float(morph(a, b, 0.5).norm(dim=0).max()) < 0.9


def test_a_spherical_morph_mixes_lengths(z: Tensor) -> None:
    out = morph(2 * z[0], 6 * z[1], 0.5, "spherical")
    torch.testing.assert_close(out.norm(dim=0), z[0].norm(dim=0) + 3 * z[1].norm(dim=0))


def test_silence_and_opposite_ends_give_numbers(z: Tensor) -> None:
    for other in (torch.zeros_like(z), -z):
        torch.testing.assert_close(morph(z, other, 0.3, "spherical"), morph(z, other, 0.3), rtol=0, atol=1e-5)
    silence = torch.zeros_like(z, requires_grad=True)
    out = morph(silence, torch.zeros_like(z), method="spherical")
    assert not out.any()
    out.sum().backward()
    assert silence.grad is not None and bool(silence.grad.isfinite().all())


# -- the others ------------------------------------------------------------------------------------------


def test_groups_of_dimensions_are_interleaved(z: Tensor) -> None:
    out = interleave(z[0], z[1], every=32)
    assert torch.equal(out[:32], z[0, :32]) and torch.equal(out[32:64], z[1, 32:64])
    assert torch.equal(out[64:96], z[0, 64:96])
    assert torch.equal(interleave(z[0], z[1], every=500), z[0])


def test_a_path_s_turns_spread_radius_and_phase() -> None:
    path = spherical_path(2, 101, turns=3, spread=0.25, radius=2.0, phase=0.5)
    assert path.shape == (1, 2, 101)
    time = 3 * torch.linspace(0, 1, 101)
    torch.testing.assert_close(path[0, 0], -2 * torch.cos(2 * math.pi * time), rtol=0, atol=1e-5)
    torch.testing.assert_close(path[0, 1], 2 * torch.sin(2 * math.pi * time), rtol=0, atol=1e-5)


def test_a_path_stays_on_a_sphere() -> None:
    """Full turns over equally spaced dimensions, but for the last, which stands where the first stands."""
    path = spherical_path(65, 20)[:, :-1]
    torch.testing.assert_close(path.square().sum(1), torch.full((1, 20), 32.0))


def test_noise_is_as_much_as_asked_and_where_asked(z: Tensor) -> None:
    out = add_noise(z, 0.5, slice(0, 16), seed=1)
    assert torch.equal(out[:, 16:], z[:, 16:])
    assert float((out - z)[:, :16].std()) == pytest.approx(0.5, rel=0.1)
    assert torch.equal(out, add_noise(z, 0.5, slice(0, 16), seed=1))
    assert not torch.equal(out, add_noise(z, 0.5, slice(0, 16), seed=2))
    assert torch.equal(add_noise(z, 0.0), z)


def test_a_seed_leaves_pytorch_s_randomness_alone(z: Tensor) -> None:
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    add_noise(z, seed=5)
    assert torch.equal(torch.rand(3), wanted)


def test_dimensions_are_chosen_by_number_too(z: Tensor) -> None:
    assert not zero(z).any()
    one = zero(z, -1)
    assert not one[:, 127].any() and torch.equal(one[:, :127], z[:, :127])
    some = zero(z[0], [0, 5])
    assert not some[[0, 5]].any() and torch.equal(some[1:5], z[0, 1:5])


def test_scale_and_bias_of_each_dimension(z: Tensor) -> None:
    scale, bias = torch.linspace(0, 2, 128), torch.linspace(-1, 1, 128)
    wanted = z * scale[:, None] + bias[:, None]
    assert torch.equal(scale_and_bias(z, scale, bias), wanted)
    assert torch.equal(scale_and_bias(z[0], scale.tolist(), bias.tolist()), wanted[0])
    torch.testing.assert_close(scale_and_bias(z, 2, 1), 2 * z + 1)
    assert torch.equal(scale_and_bias(z), z)


def test_exactly_so_many_latents(z: Tensor) -> None:
    assert torch.equal(exactly(z, 8), z[:, :8])
    assert torch.equal(exactly(z, 128), z)
    more = exactly(z, 130)
    assert torch.equal(more[:, :128], z) and not more[:, 128:].any()
    noisy = exactly(z[0], 256, "noise")
    assert noisy.shape == (256, 50) and float(noisy[128:].std()) == pytest.approx(1, rel=0.1)


def test_nothing_is_changed_in_place_and_gradients_pass(z: Tensor) -> None:
    before = z.clone()
    z.requires_grad_()
    out = exactly(scale_and_bias(add_noise(zero(morph(z, z * 2), 3), 0.1), 2.0), 64)
    out.sum().backward()
    assert torch.equal(z.detach(), before)
    assert z.grad is not None and bool(z.grad[:, :64].any()) and not z.grad[:, 64:].any()


def test_what_does_not_fit_is_told(z: Tensor) -> None:
    with pytest.raises(ShapeError, match="do not fit"):
        morph(z[0], z[1, :, :40])
    with pytest.raises(ShapeError, match="do not fit"):
        interleave(z, torch.cat([z, z[:1]]))
    with pytest.raises(ShapeError, match="one value for each frame"):
        morph(z, z, torch.linspace(0, 1, 49))
    with pytest.raises(ControlError, match="morphed"):
        morph(z, z, method="cubic")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="no latents"):
        zero(z[0, 0])
    with pytest.raises(ControlError, match="no such dimension"):
        add_noise(z, dims=[0, 128])
    with pytest.raises(ShapeError, match="for each dimension"):
        scale_and_bias(z, [1.0, 2.0])
    with pytest.raises(ControlError, match="group"):
        interleave(z, z, 0)
    with pytest.raises(ControlError, match="need a dimension"):
        exactly(z, 0)
    with pytest.raises(ControlError, match="cannot be this"):
        exactly(z, 200, "ones")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="a path needs"):
        spherical_path(0, 4)
