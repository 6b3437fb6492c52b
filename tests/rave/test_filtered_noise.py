"""Filtered noise is the original's for the same random numbers, frame by frame, at any length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, leaky_relu, pad

from torchbend.errors import ShapeError
from torchbend.rave.filtered_noise import (
    amplitudes_to_impulse_response,
    filter_noise,
    impulse_responses,
    mod_sigmoid,
    synthesise,
)

Reference = tuple[dict[str, Tensor], Tensor, int]


@pytest.fixture(params=["v1", "v2_noise"])
def reference(request: pytest.FixtureRequest, shared_dir: Path) -> Reference:
    """The stored arrays, the features that the stored convolutions make of ``noise_in``, the frame."""
    folder = shared_dir / "rave_ref" / request.param
    with np.load(folder / "vectors.npz") as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files if name.startswith("noise")}
    weights = torch.load(folder / "run/version_0/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    first = request.param == "v1"
    prefix = "decoder.synth.branches.2" if first else "decoder.noise_module"
    stride, sides = (4, (1, 1)) if first else (2, (2, 0))
    x = arrays["noise_in"]
    for layer in (0, 2, 4):
        x = leaky_relu(x, 0.2) if layer else x
        x = conv1d(pad(x, sides), weights[f"{prefix}.net.{layer}.weight"], stride=stride)
    return arrays, x, int(weights[f"{prefix}.target_size"])


def _relative(got: Tensor, wanted: Tensor) -> float:
    assert got.shape == wanted.shape
    return float((got - wanted).abs().max() / wanted.std())


def test_the_impulse_responses_are_the_original_s(reference: Reference) -> None:
    arrays, features, size = reference
    assert _relative(impulse_responses(features, 16, size), arrays["noise_ir"]) < 1e-5


def test_the_noise_is_the_original_s_for_its_random_numbers(reference: Reference) -> None:
    arrays, features, size = reference
    assert _relative(synthesise(features, 16, size, arrays["noise_u"]), arrays["noise_out"]) < 1e-5


def test_blocks_give_what_the_whole_signal_gives(reference: Reference) -> None:
    arrays, features, size = reference
    whole = synthesise(features, 16, size, arrays["noise_u"])
    cut = features.shape[-1] // 2
    blocks = [
        synthesise(features[..., part], 16, size, arrays["noise_u"][:, part])
        for part in (slice(None, cut), slice(cut, None))
    ]
    torch.testing.assert_close(torch.cat(blocks, -1), whole, rtol=0, atol=0)


def test_flat_magnitudes_leave_the_noise_as_it_is() -> None:
    responses = amplitudes_to_impulse_response(torch.ones(1, 3, 2, 5), 64)
    noise = torch.rand(1, 3, 2, 64) * 2 - 1
    torch.testing.assert_close(
        filter_noise(noise, responses), noise.transpose(1, 2).reshape(1, 2, -1), atol=1e-6, rtol=0
    )


def test_filtering_is_the_causal_convolution_of_each_frame() -> None:
    draw = torch.Generator().manual_seed(3)
    noise, responses = torch.randn(2, 3, 4, 8, generator=draw), torch.randn(2, 3, 4, 8, generator=draw)
    got = filter_noise(noise, responses).reshape(2, 4, 3, 8)
    for place in np.ndindex(2, 3, 4):
        wanted = np.convolve(noise[place].numpy(), responses[place].numpy())[:8]
        np.testing.assert_allclose(got[place[0], place[2], place[1]].numpy(), wanted, atol=1e-5)


def test_a_response_longer_than_the_frame_keeps_its_first_samples() -> None:
    amplitudes = torch.rand(32, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    whole = np.roll(np.fft.irfft(amplitudes.numpy()), 31) * (
        0.5 - 0.5 * np.cos(2 * np.pi * np.arange(62) / 62)
    )
    got = amplitudes_to_impulse_response(amplitudes, 8)
    np.testing.assert_allclose(got.numpy(), np.roll(whole[:8], -31), atol=1e-12)


def test_amplitudes_lie_between_nearly_nothing_and_two() -> None:
    x = torch.linspace(-50, 50, 101)
    y = mod_sigmoid(x)
    assert y.min() >= 1e-7 and y.max() <= 2.0 + 1e-6
    assert bool((y.diff() >= 0).all())


def test_a_traced_call_serves_any_length() -> None:
    def run(features: Tensor) -> Tensor:
        responses = impulse_responses(features, 2, 16)
        return filter_noise(torch.full_like(responses, 0.5), responses)

    traced: Callable[[Tensor], Tensor] = torch.jit.trace(run, torch.randn(1, 10, 4))
    for shape in ((1, 10, 1), (3, 10, 7)):
        x = torch.randn(*shape)
        torch.testing.assert_close(traced(x), run(x))


def test_gradients_reach_the_features() -> None:
    features = torch.randn(1, 10, 4, requires_grad=True)
    synthesise(features, 2, 16).square().sum().backward()
    assert features.grad is not None and bool((features.grad != 0).all())


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ShapeError, match="two frequencies"):
        amplitudes_to_impulse_response(torch.ones(2, 1), 8)
    with pytest.raises(ShapeError, match="no filters"):
        impulse_responses(torch.ones(1, 9, 4), 2, 8)
    with pytest.raises(ShapeError, match="own length"):
        filter_noise(torch.ones(1, 2, 3, 8), torch.ones(1, 2, 3, 4))
