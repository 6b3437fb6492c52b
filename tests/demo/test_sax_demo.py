"""The demonstration of the saxophone: what it makes is whole, differs, comes again, and leaves no trace.

Whatever training the model that comes with the package has, these promises hold.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

import torchbend as tb
from torchbend.audio import read_audio
from torchbend.cli.main import app
from torchbend.demo import Demo
from torchbend.demo.render import level_db, levelled, play
from torchbend.demo.sax import sax_instrument
from torchbend.demo.stage import Staged
from torchbend.demo.takes import Take
from torchbend.export.check import read_structure
from torchbend.interfaces.rave import BendedRAVE

SECONDS = 1.2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Path, list[str]]]:
    out = tmp_path_factory.mktemp("demo") / "out"
    demo = Demo(sax_instrument(SECONDS))
    told: list[str] = []
    lines = list(demo.run(out, told.append))
    assert len(told) == demo.step_count
    yield demo, out, lines


def rave(demo: Demo) -> BendedRAVE:
    assert isinstance(demo.instrument.bended, BendedRAVE)
    return demo.instrument.bended


def staged(demo: Demo) -> Staged:
    assert demo.results.staged is not None
    return demo.results.staged


def sound(path: Path) -> Tensor:
    return read_audio(path)[0][0]


def like(x: Tensor, path: Path) -> bool:
    """Whether a sound is that of a file, but for its loudness."""
    wanted = sound(path)
    return torch.allclose(levelled(x.detach().reshape(-1), wanted), wanted, atol=1e-3)


def test_it_makes_what_it_says(made: tuple[Demo, Path, list[str]]) -> None:
    _, out, lines = made
    told = {line.split()[1] for line in lines}
    assert told == {str(path) for path in out.rglob("*") if path.is_file()}
    assert len(list(out.glob("*.wav"))) == 2 * (2 + 3) + 2
    assert len(list((out / "recipes").glob("*.json"))) == 3
    assert sorted(path.name for path in (out / "stage").iterdir()) == [
        "sax.json",
        "sax.maxpat",
        "sax.pd",
        "sax.ts",
    ]


def test_the_reconstruction_is_the_models_own(made: tuple[Demo, Path, list[str]]) -> None:
    demo, out, _ = made
    fresh = tb.BendedRAVE("sax")
    for name in ("violin", "piano"):
        assert like(fresh(demo.instrument.phrases[name]), out / f"{name}-reconstruction.wav")
        assert torch.allclose(
            sound(out / f"{name}-original.wav"), demo.instrument.phrases[name].reshape(-1), atol=1e-4
        )


def test_no_sound_is_silent_or_clipped(made: tuple[Demo, Path, list[str]]) -> None:
    _, out, _ = made
    for path in out.glob("*.wav"):
        samples, rate = read_audio(path)
        assert rate == 44100 and samples.shape[0] == 1 and samples.isfinite().all()
        assert 0.05 < float(samples.abs().max()) < 0.99, path.name
        assert level_db(samples) > -40, path.name


def test_each_way_is_heard(made: tuple[Demo, Path, list[str]]) -> None:
    demo, _, _ = made
    takes = [take for take in demo.results.takes if take.way is not None]
    assert [take.way.name for take in takes if take.way] == [
        *["worn reed", "folded bell", "loud choir"] * 2,
        "violin into piano",
        "drawn line",
    ]
    assert all(take.distance is None or take.distance > 1 for take in takes)
    bent = [take.after for take in takes if take.phrase == "violin"]
    assert all(not torch.allclose(a, b, atol=0.05) for k, a in enumerate(bent) for b in bent[:k])


def test_levels_are_told_as_the_model_gave_them(made: tuple[Demo, Path, list[str]]) -> None:
    demo, _, _ = made
    one = demo.instrument
    unbent = level_db(play(one, one.phrases["piano"]))
    bend = one.bends[2]
    (take,) = [take for take in demo.results.takes if take.phrase == "piano" and take.way is bend]
    assert take.gain == pytest.approx(level_db(play(one, one.phrases["piano"], bend)) - unbent, abs=1e-6)
    quiet = replace(take, gain=-0.01)
    assert isinstance(quiet, Take) and "+0.0 dB as the model gave it" in quiet.words()


def test_the_cluster_is_of_channels_that_move_alike(made: tuple[Demo, Path, list[str]]) -> None:
    demo, _, _ = made
    (cluster,) = demo.instrument.bends[2].recipe.callbacks
    assert isinstance(cluster, tb.Cluster)
    assert len(cluster.channels) >= 4 and str(len(cluster.channels)) in demo.instrument.bends[2].note
    probe = demo.instrument.probes["decode"]
    with torch.no_grad():
        values = rave(demo).get_activations("add_18$", fn="decode", _args=(probe,))["add_18"][0]
        with rave(demo).bend(demo.instrument.bends[2].recipe):
            bent = rave(demo).get_activations("add_18$", fn="decode", _args=(probe,))["add_18"][0]
    inside = torch.zeros(len(values), dtype=torch.bool)
    inside[cluster.channels] = True
    assert torch.allclose(bent[inside], 4 * values[inside]) and torch.equal(bent[~inside], values[~inside])


def test_a_recipe_gives_its_sound_again(made: tuple[Demo, Path, list[str]]) -> None:
    demo, out, _ = made
    fresh = tb.BendedRAVE("sax")
    plain = fresh(demo.instrument.phrases["piano"])
    for name in ("worn-reed", "folded-bell", "loud-choir"):
        with fresh.bend(tb.BendingConfig.load(out / "recipes" / f"{name}.json", fresh)):
            assert like(fresh(demo.instrument.phrases["piano"]), out / f"piano-{name}.wav")
    assert torch.equal(fresh(demo.instrument.phrases["piano"]), plain)


def test_the_programs_give_their_sounds_again(
    made: tuple[Demo, Path, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    demo, out, _ = made
    for path in out.glob("*-original.wav"):
        shutil.copy(path, tmp_path)
    shutil.copytree(out / "recipes", tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    for name in ("violin-into-piano", "drawn-line"):
        text = (out / "scripts" / f"{name}.py").read_text(encoding="utf-8")
        exec(compile(text, name, "exec"), {})  # noqa: S102
        assert like(sound(tmp_path / f"{name}-again.wav"), out / f"{name}.wav")
    names: dict[str, Any] = {}
    exec(demo.instrument.program, names)  # noqa: S102
    assert like(names["out"], out / "violin-worn-reed.wav")
    generate = demo.instrument.commands.splitlines()[1]
    result = CliRunner().invoke(app, generate.split()[1:])
    assert result.exit_code == 0, result.output
    assert like(sound(tmp_path / "bent" / "violin-original.wav"), out / "violin-worn-reed.wav")


def test_the_exported_file_plays_what_the_live_model_plays(made: tuple[Demo, Path, list[str]]) -> None:
    demo, _, lines = made
    file = staged(demo)
    assert read_structure(file.path).ours and file.report.ok
    assert file.difference < 1e-5
    assert [name for name, *_ in file.controls] == ["wear", "choir"]
    assert {a["name"] for a in file.report.attributes} == {"wear", "choir"}
    assert {m["name"]: (m["in_channels"], m["out_channels"]) for m in file.report.methods} == {
        "encode": (1, 8),
        "decode": (8, 1),
        "forward": (1, 1),
    }
    assert 0 < file.core_share < 1 and file.real_time > 0
    assert any(f"{file.core_share:.0%} of a core" in line and "checked" in line for line in lines)


def test_the_page_holds_everything_and_asks_for_nothing(made: tuple[Demo, Path, list[str]]) -> None:
    demo, out, _ = made
    text = (out / "index.html").read_text(encoding="utf-8")
    players = 2 * 2 + 2 * 2 * 3 + 2 + 1
    assert text.count("<audio") == text.count("data:image/png") == text.count("spectrogram of") == players
    assert text.count('<svg class="lines"') == text.count('role="img" aria-label="c') == 3
    for way in (*demo.instrument.bends, *demo.instrument.plays):
        assert f". {way.name}</h2>" in text
    assert "real-time factor" in text and "to the bit" in text or "within" in text
    for name in (*demo.instrument.bended.activation_names("decode"), "decoder.net.16.weight"):
        assert name in text
    assert not set(re.findall(r"https?://[^\"' ]*", text)) - {"http://www.w3.org/2000/svg"}


def test_the_model_is_as_it_was_after_it(made: tuple[Demo, Path, list[str]]) -> None:
    demo, _, _ = made
    assert rave(demo).bended_keys() == [] and not rave(demo).rave.is_streaming
    fresh = tb.BendedRAVE("sax")
    x = demo.instrument.phrases["violin"]
    assert torch.equal(rave(demo)(x), fresh(x))
    before, after = fresh.rave.state_dict(), rave(demo).rave.state_dict()
    kept = [name for name in before if not name.startswith("discriminator")]  # which no file of a model holds
    assert len(kept) > 100 and all(torch.equal(before[name], after[name]) for name in kept)


def test_a_bend_that_fails_leaves_no_bend(made: tuple[Demo, Path, list[str]]) -> None:
    demo, _, _ = made
    one = demo.instrument
    broken = replace(one.bends[1], recipe=tb.BendingConfig((tb.Scale(float("inf")), "decode:add_18$")))
    with contextlib.suppress(tb.TorchbendError):
        play(one, one.phrases["violin"], broken)
    assert rave(demo).bended_keys() == []
