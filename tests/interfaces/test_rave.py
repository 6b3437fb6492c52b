"""BendedRAVE: its verbs on tensors and files, and what bad input gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from torchbend import InterpolateActivation, Scale, rave
from torchbend.audio import read_audio
from torchbend.errors import AudioFileError, CheckpointError, NonFiniteError, ShapeError, StreamError
from torchbend.interfaces.rave import BendedRAVE


def model(*names: str, **more: int) -> rave.RAVE:
    torch.manual_seed(0)
    made = rave.RAVE(rave.preset(*(names or ("v2",)), capacity=4, latent_size=8, **more))
    made.eval().requires_grad_(False)
    made.latent_pca.copy_(torch.linalg.qr(torch.randn(8, 8))[0])
    made.latent_mean.normal_()
    made.fidelity.copy_(torch.tensor([0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99, 1.0]))
    return made


@pytest.fixture(scope="module")
def bended() -> BendedRAVE:
    return BendedRAVE(model())


def test_sizes(bended: BendedRAVE) -> None:
    assert (bended.sample_rate, bended.channels, bended.latent_size, bended.ratio) == (44100, 1, 8, 2048)
    assert bended.batch_size == 4
    assert bended.encoder.module is bended.rave.encoder
    assert bended.decoder.module is bended.rave.decoder
    assert bended.discriminator.module is bended.rave.discriminator


def test_a_public_name_that_costs_nothing_before_it_is_used() -> None:
    import torchbend
    from torchbend import interfaces

    assert torchbend.BendedRAVE is BendedRAVE and interfaces.BendedRAVE is BendedRAVE
    code = "import torchbend, torchbend.interfaces, sys; sys.exit('torchbend.rave' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_tells_what_it_is(bended: BendedRAVE) -> None:
    name = bended.rave.config.name
    assert repr(bended) == f"BendedRAVE({name}: 44100 Hz, 1 channel, 8 latents, ratio 2048, offline)"


@pytest.mark.shows("BendedRAVE", "averaged weights of a run")
def test_averaged_weights(tmp_path: Path) -> None:
    made = model()
    averages = {name: 0.5 * weight for name, weight in made.named_parameters()}
    content = {"state_dict": made.state_dict(), "callbacks": {"EMA": averages}}
    torch.save(content, tmp_path / "run.ckpt")
    for ema, factor in ((False, 1.0), (True, 0.5)):
        loaded = BendedRAVE(tmp_path / "run.ckpt", ema=ema).rave
        wanted = factor * made.get_parameter("decoder.net.0.weight_g")
        assert torch.equal(loaded.get_parameter("decoder.net.0.weight_g"), wanted)
        assert torch.equal(loaded.latent_pca, made.latent_pca)
    with pytest.raises(CheckpointError, match="loaded already"):
        BendedRAVE(made, ema=True)


def test_delays(bended: BendedRAVE) -> None:
    for original in (False, True):
        samples = bended.delay("encode", as_original=original)
        assert samples == bended.rave.delay("encode", original)
        assert bended.latency("encode", as_original=original) == pytest.approx(float(samples) / 44.1)
    assert bended.delay("encode", as_original=True) != bended.delay("encode")


@pytest.mark.shows("BendedRAVE", "encode and decode")
def test_encode_gives_the_means_and_decode_the_audio(bended: BendedRAVE) -> None:
    x = torch.randn(2, 1, 5 * 2048)
    z = bended.encode(x)
    assert torch.equal(z, bended.rave.encode(x)[:, :8])
    y = bended.decode(z)
    assert torch.equal(y, bended.rave.decode(z))
    assert torch.equal(bended.forward(x), y)
    assert torch.equal(bended(x), y)


@pytest.mark.shows("BendedRAVE", "latents drawn as in training")
def test_sampling_is_a_choice() -> None:
    sampling = BendedRAVE(model(), sample=True)
    x = torch.randn(1, 1, 4096)
    assert not torch.equal(sampling.encode(x), sampling.encode(x))
    torch.manual_seed(3)
    first = sampling.forward(x)
    torch.manual_seed(3)
    assert torch.equal(sampling.forward(x), first)


def test_any_length_and_number_of_dimensions(bended: BendedRAVE) -> None:
    x = torch.randn(3000)
    y = bended.forward(x)
    assert y.shape == (1, 1, 3000)
    assert torch.equal(y, bended.forward(x[None])) and torch.equal(y, bended.forward(x[None, None]))
    padded = torch.nn.functional.pad(x, (0, 2 * 2048 - 3000))
    assert torch.equal(bended.encode(x), bended.encode(padded))


@pytest.mark.shows("BendedRAVE", "principal components of latents")
def test_principal_components(bended: BendedRAVE) -> None:
    x = torch.randn(1, 1, 4 * 2048)
    z, turned = bended.encode(x), bended.encode(x, postprocess=True)
    wanted = torch.einsum("pl,blt->bpt", bended.rave.latent_pca, z - bended.rave.latent_mean[None, :, None])
    assert torch.allclose(turned, wanted, atol=1e-5)
    assert torch.allclose(bended.decode(turned, preprocess=True), bended.decode(z), atol=1e-4)
    few = bended.decode(turned[:, :3], preprocess=True)
    zeros = torch.cat([turned[:, :3], torch.zeros_like(turned[:, 3:])], 1)
    assert torch.allclose(few, bended.decode(zeros, preprocess=True), atol=1e-6)
    assert not torch.equal(few, bended.decode(turned[:, :3], preprocess=True, fill="noise"))


def test_fidelity(bended: BendedRAVE) -> None:
    assert [bended.get_dims_for_fidelity(f) for f in (0.0, 0.6, 0.79, 0.94, 1.0)] == [1, 2, 3, 5, 8]
    assert bended.get_fidelity_for_dims(3) == pytest.approx(0.8)
    assert bended.get_fidelity_for_dims(8) == pytest.approx(1.0)


@pytest.mark.shows("BendedRAVE", "sound files in and out")
def test_sound_files(bended: BendedRAVE, phrase: Callable[[str], Path], tmp_path: Path) -> None:
    violin, piano = phrase("violin"), phrase("piano")
    both = bended.load_audio(violin, piano)
    assert both.shape == (2, 1, 8 * 44100)
    assert torch.equal(both[0], read_audio(violin, 44100)[0])
    assert torch.equal(bended.encode(violin), bended.encode(both[:1]))
    assert torch.equal(bended.encode([violin, piano])[1], bended.encode(both)[1])
    out = bended.forward(both[:1, :, :44100])
    bended.write_audio(tmp_path / "out.wav", out)
    again, rate = read_audio(tmp_path / "out.wav")
    assert rate == 44100 and torch.allclose(again, out[0].clamp(-1, 1), atol=1e-3)
    with pytest.raises(ShapeError, match="one signal"):
        bended.write_audio(tmp_path / "two.wav", both)
    assert not (tmp_path / "two.wav").exists()


@pytest.mark.shows("BendedRAVE", "stereo, and files of other sample rates")
def test_other_rates_and_channels_of_files(bended: BendedRAVE, tmp_path: Path) -> None:
    from torchbend.audio import write_audio

    stereo = torch.stack([torch.sin(torch.arange(22050) * 0.05), torch.zeros(22050)]) * 0.5
    write_audio(tmp_path / "stereo.wav", stereo, 22050)
    loaded = bended.load_audio(tmp_path / "stereo.wav")
    assert loaded.shape == (1, 1, 44100)
    assert float(loaded.abs().max()) == pytest.approx(0.25, abs=0.02)
    two = BendedRAVE(model(channels=2))
    assert two.load_audio(tmp_path / "stereo.wav").shape == (1, 2, 44100)
    assert two.forward(torch.randn(1, 2, 4096)).shape == (1, 2, 4096)


def test_bad_input_is_told(bended: BendedRAVE, tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match="x"):
        bended.encode(torch.full((1, 1, 4096), float("nan")))
    with pytest.raises(NonFiniteError):
        bended.decode(torch.full((1, 8, 2), float("inf")))
    with pytest.raises(ShapeError, match=r"\[batch, 1, time\]"):
        bended.encode(torch.zeros(1, 2, 4096))
    with pytest.raises(ShapeError, match=r"\[batch, 8, time\]"):
        bended.decode(torch.zeros(1, 9, 4))
    with pytest.raises(ShapeError):
        bended.encode(torch.zeros(1, 1, 0))
    nothing: Any
    for nothing in (None, 3, numpy.zeros((1, 1, 4096)), torch.zeros(1, 1, 4096, dtype=torch.complex64)):
        with pytest.raises(ShapeError, match="real numbers"):
            bended.encode(nothing)
        with pytest.raises(ShapeError, match="real numbers"):
            bended.decode(nothing)
    with pytest.raises(ShapeError, match="real numbers"):
        bended.encode(torch.zeros(1, 1, 4096, device="meta"))
    assert torch.equal(bended.encode(torch.tensor(0.5)), bended.encode(torch.full((1,), 0.5)))
    for nothing in (1.5, True, "a", 0):
        with pytest.raises(StreamError, match="whole number"):
            bended.stream(nothing)
    for nothing in (None, 5, "", torch.nn.Linear(1, 1)):
        with pytest.raises(CheckpointError, match="no path"):
            BendedRAVE(nothing)
    with pytest.raises(AudioFileError, match="48000"):
        bended.encode(torch.zeros(1, 1, 4096), sample_rate=48000)
    with pytest.raises(AudioFileError):
        bended.encode(tmp_path / "nowhere.wav")
    with pytest.raises(AudioFileError, match="at least one"):
        bended.load_audio()
    with pytest.raises(CheckpointError):
        BendedRAVE(tmp_path / "nothing.ckpt")


@pytest.mark.shows("BendedRAVE", "bend encoder and decoder by themselves")
def test_bends_of_parts_and_of_the_whole_are_the_same(bended: BendedRAVE) -> None:
    x = torch.randn(1, 1, 4096)
    plain = bended.encode(x)
    handle = bended.encoder.bend(Scale(0.5), r"encoder\.net\.21\.weight_g")
    assert bended.bended_keys() == ["encoder.encoder.net.21.weight_g"]
    assert bended.encoder.bended_keys() == ["encoder.net.21.weight_g"]
    assert torch.allclose(bended.encode(x), plain * 0.5, atol=1e-6)
    bands = bended.rave.pqmf(x)
    assert torch.allclose(bended.encoder(bands)[:, :8], plain * 0.5, atol=1e-6)
    handle.remove()
    assert torch.equal(bended.encode(x), plain)
    assert "encoder.encoder.net.0.weight_v" in bended.encoder.print_weights(r"encoder\.net\.0\.")
    assert "encoder.net.0.weight_v" in bended.encoder.weight_names


@pytest.mark.shows("BendedRAVE", "bend activations")
def test_bends_of_encode_hold_within_forward(bended: BendedRAVE) -> None:
    x = torch.randn(1, 1, 4 * 2048)
    bended.bend(Scale(0.0), "encode:conv1d_28$")
    try:
        silent = bended.decode(torch.zeros(1, 8, 4))
        assert torch.allclose(bended.forward(x), silent, atol=1e-6)
    finally:
        bended.reset()


@pytest.mark.shows("BendedRAVE", "streaming equals the whole")
def test_streams(bended: BendedRAVE) -> None:
    x = torch.randn(1, 1, 40 * 2048)
    whole = bended.forward(x)
    state = bended.stream()
    try:
        assert state.batch == 4
        late = int(bended.delay("forward"))
        blocks = torch.cat([bended.forward(part) for part in x.split(4096, -1)], -1)
        middle = 16 * 2048
        assert torch.allclose(
            blocks[..., middle + late - 2048 : middle + late], whole[..., middle - 2048 : middle], atol=1e-4
        )
        with pytest.raises(StreamError, match="whole frames"):
            bended.encode(torch.zeros(1, 1, 3000))
    finally:
        bended.offline()
    assert torch.equal(bended.forward(x), whole)


def test_receptive_field_is_read_or_measured() -> None:
    told = model()
    told.receptive_field.copy_(torch.tensor([100, 50]))
    assert BendedRAVE(told).receptive_field == (100, 50)


@pytest.mark.shows(
    "BendedRAVE", "every kind of latents", model="v1, v2, v3, discrete, wasserstein, spherical, hybrid"
)
def test_all_latent_kinds() -> None:
    x = torch.randn(1, 1, 8 * 2048)
    for names in (
        ("v1",),
        ("v2", "wasserstein"),
        ("v2", "spherical"),
        ("discrete",),
        ("v2", "hybrid"),
        ("v3",),
    ):
        torch.manual_seed(0)
        made = rave.RAVE(rave.preset(*names, capacity=4)).eval().requires_grad_(False)
        bended = BendedRAVE(made)
        z = bended.encode(x)
        assert z.shape == (1, made.latent_size, x.shape[-1] // made.ratio)
        assert bended.decode(z).shape == x.shape
        assert bended.forward(x).shape == x.shape


@pytest.mark.shows("BendedRAVE", "real weights: sax, which comes along")
def test_what_is_looked_at_is_what_is_heard() -> None:
    """Activations, their statistics and new traces draw no latents either, unless ``sample`` is set."""
    model = BendedRAVE("sax")
    x = 0.1 * torch.randn(1, 1, 8192, generator=torch.Generator().manual_seed(0))
    first, second = (model.get_activations("sigmoid$", fn="forward", x=x)["sigmoid"] for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(first, model.get_activations("sigmoid$", fn="decode", z=model.encode(x))["sigmoid"])
    again = [model.stats("sigmoid$", fn="forward", inputs=[x])["sigmoid"].mean for _ in range(2)]
    assert again[0] == again[1]
    model.trace("forward", x)
    assert not any(name.startswith("randn") for name in model.activation_names("forward"))
    model.sample = True
    drawn = model.get_activations("sigmoid$", fn="forward", x=x)["sigmoid"]
    assert not torch.equal(drawn, first)


@pytest.mark.shows("BendedRAVE", "interpolate between sounds")
def test_inputs_of_callbacks_are_given_beside_the_models(bended: BendedRAVE) -> None:
    z = torch.randn(2, 8, 4, generator=torch.Generator().manual_seed(0))
    x = 0.1 * torch.randn(2, 1, 8192, generator=torch.Generator().manual_seed(1))
    first = {name: bended.activation_names(name)[0] for name in ("encode", "decode", "forward")}
    expected = {"encode": bended.encode(x), "decode": bended.decode(z), "forward": bended(x)}
    for method, given in (("encode", x), ("decode", z), ("forward", x)):
        bended.bend(InterpolateActivation(), f"{first[method]}$", fn=method)
        mixed = getattr(bended, method)(given, interp_weights=[[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
        bended.reset()
        assert torch.allclose(mixed, expected[method][[1, 0, 1]], atol=1e-5), method
    with pytest.raises(TypeError, match="interp"):
        bended.decode(z, interp=[[0.0, 1.0]])
