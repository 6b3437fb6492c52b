"""StyleGAN3: filters and layers against their formulas, and the paper's promise: it moves as its waves do."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

import torchbend as tb
from torchbend.errors import CheckpointError, GenerationError
from torchbend.interfaces.gan import BendedGAN, StyleGAN3, StyleGAN3Sizes
from torchbend.interfaces.gan.layers import Dense
from torchbend.interfaces.gan.stylegan3_filters import filtered, lowpass, spread

from .names import nvidia

TURN = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def small(rotation: bool = False, seed: int = 0) -> StyleGAN3:
    """64 pixels, few channels."""
    torch.manual_seed(seed)
    sizes = StyleGAN3Sizes.at(
        64, rotation=rotation, channel_base=512, channel_max=16, layers=6, z_dim=16, w_dim=16
    )
    model = StyleGAN3(sizes).eval().requires_grad_(False)
    model.mapping.w_avg.normal_()
    for layer in model.synthesis.modules():
        if isinstance(layer, Dense) and len(layer.bias) != 4:
            layer.bias.add_(0.3 * torch.randn(len(layer.bias)))
    return model


@pytest.fixture(scope="module")
def model() -> StyleGAN3:
    return small()


def moved(model: StyleGAN3, ws: Tensor, transform: Tensor) -> Tensor:
    model.synthesis.input.transform.copy_(transform)
    try:
        return model.synthesize(ws)
    finally:
        model.synthesis.input.transform.copy_(torch.eye(3))


def db(wanted: Tensor, got: Tensor) -> float:
    """How far the difference lies below what differs from place to place."""
    return 10 * math.log10(float(wanted.var() / (wanted - got).square().mean().clamp(min=1e-20)))


@pytest.mark.shows("BendedGAN", "full-size names and shapes", model="StyleGAN3")
def test_full_sizes_have_the_published_numbers_of_weights() -> None:
    with torch.device("meta"):
        turns, moves = (StyleGAN3(StyleGAN3Sizes.at(1024, rotation=rotation)) for rotation in (True, False))
    # as told by the summary that NVIDIA's program prints for configuration R at 1024 pixels
    assert sum(weight.numel() for weight in turns.parameters()) == 15_093_151
    assert sum(buffer.numel() for buffer in turns.buffers()) == 5_600
    assert turns.synthesis.names[-5:] == [
        "L10_1044_161",
        "L11_1044_102",
        "L12_1044_64",
        "L13_1024_64",
        "L14_1024_3",
    ]
    assert turns.state_dict()["synthesis.input.weight"].shape == (1024, 1024)
    counts = {
        name: sum(w.numel() for w in turns.get_submodule(f"synthesis.{name}").parameters())
        for name in turns.synthesis.names
    }
    assert counts["L10_1044_161"] == 41_377 + 131_328 and counts["L14_1024_3"] == 195 + 32_832
    assert moves.synthesis.names[:3] == ["L0_36_512", "L1_36_512", "L2_52_512"] and moves.sizes.styles == 16
    assert moves.synthesis.L0_36_512.weight.shape == (512, 512, 3, 3)
    small_one = StyleGAN3Sizes.at(128, rotation=True)
    assert [layer.out_size for layer in small_one.layers[8:]] == [84, 148, 148, 148, 148, 128, 128]
    assert [layer.outputs for layer in small_one.layers[9:]] == [1024, 912, 683, 512, 512, 3]


def test_filters_let_slow_waves_pass_and_stop_fast_ones() -> None:
    for radial in (False, True):
        kernel = lowpass(24, 4.0, 4.0, 32.0, radial)
        assert float(kernel.sum()) == pytest.approx(1.0, abs=1e-6)
        along = kernel.sum(0) if radial else kernel
        answer = torch.fft.rfft(along, 3200).abs()  # 100 values for each cycle in a unit
        assert float(answer[:100].min()) > 0.97 and float(answer[800:].max()) < 0.03
        assert float(answer[400]) == pytest.approx(0.5, abs=0.1)
        assert torch.allclose(kernel, kernel.flip(-1), atol=1e-7)
    square = lowpass(24, 4.0, 4.0, 32.0, True)
    spectrum = torch.fft.fft2(square, (320, 320)).abs()
    assert float((spectrum[0, 40] - spectrum[28, 28]).abs()) < 0.05  # as slow in every direction


def test_filtering_is_convolution() -> None:
    torch.manual_seed(0)
    x, taps = torch.randn(2, 3, 9, 9), torch.randn(4)
    square = torch.outer(taps, taps)
    wanted = torch.zeros(2, 3, 6, 6)
    for row in range(6):
        for column in range(6):
            part = x[:, :, row : row + 4, column : column + 4]
            wanted[:, :, row, column] = (part * square.flip(0, 1)).sum((2, 3))
    assert torch.allclose(filtered(x, taps), wanted, atol=1e-5)
    assert torch.allclose(filtered(x, square), wanted, atol=1e-5)
    assert torch.allclose(filtered(x, taps, 2), wanted[..., ::2, ::2], atol=1e-5)
    apart = spread(x, 3)
    assert torch.equal(apart[..., ::3, ::3], x) and float(apart.abs().sum()) == pytest.approx(
        float(x.abs().sum())
    )


def test_a_layer_is_its_formula_written_out(model: StyleGAN3) -> None:
    torch.manual_seed(1)
    layer = model.synthesis.L2_52_16
    layer.magnitude_ema.fill_(2.5)
    layer.bias.normal_()
    x, w = torch.randn(2, 16, 36, 36), torch.randn(2, 16)
    made = []
    for one, style in zip(x, layer.affine(w), strict=True):
        own = layer.weight * style[None, :, None, None]
        own = own / own.square().sum((1, 2, 3), keepdim=True).sqrt() / math.sqrt(2.5)
        y = torch.nn.functional.conv2d(one[None], own, padding=2) + layer.bias[:, None, None]
        before, after = layer.padding
        padded = torch.zeros(1, 16, *(2 * [layer.up * y.shape[-1] + before + after]))
        for row in range(y.shape[-1]):  # each pixel at its place
            for column in range(y.shape[-1]):
                down, right = before + row * layer.up, before + column * layer.up
                if 0 <= down < padded.shape[2] and 0 <= right < padded.shape[3]:
                    padded[:, :, down, right] = y[:, :, row, column]
        y = filtered(padded, layer.up_filter) * layer.up**2
        y = torch.where(y > 0, y, 0.2 * y) * math.sqrt(2)
        made.append(filtered(y.clamp(-256, 256), layer.down_filter)[..., :: layer.down, :: layer.down])
    assert torch.allclose(layer(x, w), torch.cat(made), atol=1e-4)
    layer.magnitude_ema.fill_(1.0)


@pytest.mark.shows("BendedGAN", "the image moves with its waves", model="StyleGAN3")
@pytest.mark.parametrize("rotation", [False, True])
def test_the_image_moves_with_its_waves(rotation: bool) -> None:
    model = small(rotation)
    ws = model.map(torch.randn(1, 16, generator=torch.Generator().manual_seed(2)))
    still = model.synthesize(ws)
    assert still.shape == (1, 3, 64, 64) and float(still.std()) > 1e-3
    for pixels in (4, 16):
        shift = torch.eye(3)
        shift[0, 2] = -pixels / 64
        there = moved(model, ws, shift)[..., 6:-6, 6 + pixels : -6]
        here = still[..., 6:-6, 6 : -6 - pixels]
        unmoved = still[..., 6:-6, 6 + pixels : -6]
        assert db(here, there) > max(35, 20 + db(here, unmoved)), pixels
    turned = moved(model, ws, TURN)
    if rotation:  # only configuration R promises it
        assert db(torch.rot90(still, 1, (2, 3)), turned) > 80


def test_the_first_style_moves_the_waves(model: StyleGAN3) -> None:
    waves = model.synthesis.input
    w = torch.zeros(1, 16)
    plain = waves(w)
    waves.affine.bias.copy_(
        torch.tensor([3.0, 0.0, 3 * 2 / 16, 0.0])
    )  # two places to the right; 3 is divided out
    assert torch.allclose(waves(w)[..., 2:], plain[..., :-2], atol=1e-4)
    waves.affine.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))  # a quarter turn
    turned = waves(w)
    assert any(torch.allclose(turned, torch.rot90(plain, k, (2, 3)), atol=1e-4) for k in (1, 3))
    waves.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))


@pytest.mark.shows("BendedGAN", "load from a file", model="StyleGAN3")
@pytest.mark.parametrize("rotation", [False, True])
def test_weights_and_pickles_are_loaded(rotation: bool, tmp_path: Path) -> None:
    model = small(rotation, seed=4)
    z = torch.randn(2, 16)
    gan = BendedGAN({name: w.clone() for name, w in model.state_dict().items()})
    assert gan.module.state_dict().keys() == model.state_dict().keys()
    assert torch.equal(gan.module(z), model(z)) and gan.styles == 8 and gan.resolution == 64
    pickled = BendedGAN(nvidia(tmp_path / "network.pkl", model, clamp=256.0))  # type: ignore[arg-type]
    assert torch.equal(pickled.module(z), model(z))
    some = {name: w for name, w in model.state_dict().items() if ".L3_" not in name}
    with pytest.raises(CheckpointError, match="L0"):
        BendedGAN(some)


@pytest.mark.shows("BendedGAN", "bend weights", model="StyleGAN3")
@pytest.mark.shows("BendedGAN", "bend activations", model="StyleGAN3")
@pytest.mark.shows("BendedGAN", "reset is bit-identical", model="StyleGAN3")
def test_it_is_bent_as_others_are(model: StyleGAN3) -> None:
    gan = BendedGAN(model)
    before = gan.generate([1])
    assert torch.equal(gan.map(gan.latents([1]), 0.0)[0], model.mapping.w_avg.expand(8, -1))
    assert torch.equal(gan.mix(1, 2, range(8)), gan.generate([2])) and len(gan.walk(1, 2, 2)) == 2
    assert torch.equal(gan.generate([1], noise="none"), before)
    with pytest.raises(GenerationError, match="noise"):
        gan.generate([1], noise="random")
    with gan.bend(tb.Scale(0.0), "synthesize:synthesis_l6_64_3_out$"):
        assert torch.allclose(gan.generate([1]), torch.full_like(before, 0.5))
    with gan.bend(tb.Scale(-1.0), "synthesis.L6_64_3.weight", "synthesis.L6_64_3.bias"):
        assert torch.allclose(gan.generate([1]), 1 - before, atol=1e-5)
    with gan.bend(tb.Lambda(lambda _: TURN), "synthesis.input.transform", buffers=True):
        assert not torch.equal(gan.generate([1]), before)
    assert torch.equal(gan.generate([1]), before)
