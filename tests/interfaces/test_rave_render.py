"""BendedRAVE makes files, and has a tiny model; a bend is an edit by hand that leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torchbend import Clamp, Scale
from torchbend.audio import read_audio, write_audio
from torchbend.errors import AudioFileError, GenerationError
from torchbend.interfaces import BendedRAVE
from torchbend.interfaces.rendering import render


@pytest.fixture(scope="module")
def tiny() -> BendedRAVE:
    return BendedRAVE.tiny()


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    noise = 0.3 * torch.rand(1, 9000, generator=torch.Generator().manual_seed(1)) - 0.15
    write_audio(tmp_path / "in.wav", noise, 44100, subtype="FLOAT")
    return tmp_path / "in.wav"


@pytest.mark.shows("BendedRAVE", "a tiny model to try things out")
def test_a_tiny_model_follows_its_seed_and_draws_from_no_other_numbers(tiny: BendedRAVE) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    same, other = BendedRAVE.tiny(0, sample=True), BendedRAVE.tiny(1)
    assert torch.equal(before, torch.get_rng_state())
    weights = tiny.rave.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in same.rave.state_dict().items())
    assert not torch.equal(
        other.rave.decoder.state_dict()["net.0.weight_v"], weights["decoder.net.0.weight_v"]
    )
    assert same.sample and BendedRAVE.has_tiny()
    with torch.no_grad():
        made = tiny(0.2 * torch.randn(1, 1, 22050))
    assert float(made.std()) > 0.01 and float(made.abs().max()) < 1


@pytest.mark.shows("BendedRAVE", "render a sound file")
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_rendered_is_what_is_played(tiny: BendedRAVE, sound: Path, stream: bool) -> None:
    before = torch.get_rng_state()
    out = tiny.render(sound.with_name("out.wav"), [str(sound)], seed=3, stream=stream)
    assert torch.equal(torch.get_rng_state(), before)
    written, rate = read_audio(out)
    torch.manual_seed(3)
    wanted = render(tiny, read_audio(sound)[0], stream=stream)
    assert rate == 44100 and torch.allclose(written, wanted.clamp(-1, 1), atol=2**-15)


@pytest.mark.parametrize("inputs", [[], ["a.wav", "b.wav"]])
def test_one_sound_is_wanted(tiny: BendedRAVE, tmp_path: Path, inputs: list[str]) -> None:
    with pytest.raises(GenerationError, match="one sound file"):
        tiny.render(tmp_path / "out.wav", inputs)


def test_what_cannot_be_read_or_written_is_told(tiny: BendedRAVE, sound: Path) -> None:
    for out, source in (("out.wav", "nowhere.wav"), ("out.txt", str(sound))):
        with pytest.raises(AudioFileError):
            tiny.render(sound.with_name(out), [source])
    assert [path.name for path in sound.parent.iterdir()] == ["in.wav"]


@pytest.mark.shows("BendedRAVE", "bend weights")
@pytest.mark.shows("BendedRAVE", "reset is bit-identical")
def test_a_bent_weight_is_one_that_was_edited_by_hand() -> None:
    bent, edited = BendedRAVE.tiny(), BendedRAVE.tiny()
    x = 0.2 * torch.randn(1, 1, 8192, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain = bent(x)
        bent.bend(Scale(1.5), "decoder.net.0.weight_g", "encoder.encoder.net.0.weight_v")
        for name in ("decoder.net.0.weight_g", "encoder.encoder.net.0.weight_v"):
            edited.rave.get_parameter(name).mul_(1.5)
        assert torch.equal(bent(x), edited(x)) and not torch.equal(bent(x), plain)
        bent.bend(Clamp(0.0, 0.0), "decode:add_6$")
        bent.reset()
        assert torch.equal(bent(x), plain)
