"""The quick demonstration makes sounds, recipes and a page; its recipes give its sounds again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import torchbend as tb
from torchbend.audio import read_audio
from torchbend.bending.recipe import Bend
from torchbend.cli.main import app
from torchbend.demo import Demo, additive, open_demo
from torchbend.demo.additive import additive_instrument
from torchbend.demo.instrument import NamedBend, Sweep
from torchbend.demo.programs import bend_code
from torchbend.demo.render import difference_db, levelled, play
from torchbend.errors import TorchbendError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Path, list[str]]]:
    out = tmp_path_factory.mktemp("demo") / "out"
    demo = open_demo("additive")
    yield demo, out, list(demo.run(out))


def test_it_makes_what_it_says(made: tuple[Demo, Path, list[str]]) -> None:
    demo, out, lines = made
    assert len(list(out.glob("*.wav"))) == demo.step_count - 1 == 12
    assert len(list((out / "recipes").glob("*.json"))) == 5
    told = {line.split()[1] for line in lines}
    assert told == {str(path) for path in out.rglob("*") if path.is_file()}


def test_its_sounds_are_sane_and_differ_clearly(made: tuple[Demo, Path, list[str]]) -> None:
    demo, out, _ = made
    loudness = {}
    for path in out.glob("*.wav"):
        sound, rate = read_audio(path)
        assert rate == 22050 and sound.isfinite().all()
        assert 0.05 < float(sound.abs().max()) < 0.99
        loudness[path.name] = 20 * float(sound.square().mean().sqrt().log10())
    for phrase in ("low", "high"):
        levels = [level for name, level in loudness.items() if name.startswith(phrase)]
        assert max(levels) - min(levels) < 3
    takes = [take for take in demo.results.takes if take.way is not None]
    assert len(takes) == 10 and all((take.distance or 0) > 3 for take in takes)
    for phrase in ("low", "high"):
        bent = [take.after for take in takes if take.phrase == phrase]
        pairs = [(a, b) for k, a in enumerate(bent) for b in bent[k + 1 :]]
        assert all(difference_db(a, b, 22050) > 3 for a, b in pairs)


def test_a_recipe_gives_its_sound_again(made: tuple[Demo, Path, list[str]]) -> None:
    _, out, _ = made
    instrument = additive_instrument()
    bended = tb.BendedModule(additive())
    bended.trace(instrument.phrases["low"])
    for name in ("missing-teeth", "bent-bells", "paper-folds", "upside-down"):
        bended.bend(tb.BendingConfig.load(out / "recipes" / f"{name}.json", bended))
        plain = levelled(play(instrument, instrument.phrases["low"])) * 0.5
        again = levelled(bended(instrument.phrases["low"]).reshape(-1), plain)
        assert torch.allclose(again, read_audio(out / f"low-{name}.wav")[0][0], atol=2**-15)
        bended.reset()


def test_the_page_holds_everything_and_asks_for_nothing(made: tuple[Demo, Path, list[str]]) -> None:
    demo, out, _ = made
    text = (out / "index.html").read_text(encoding="utf-8")
    assert text.count("<audio") == 20 and text.count("data:image/png") == 20
    for bend in demo.instrument.bends:
        assert bend.name in text and bend.note in text
    for name in (*demo.instrument.bended.weight_names, *demo.instrument.bended.activation_names()):
        assert name in text
    addresses = set(re.findall(r"https?://[^\"' ]*", text)) - {"http://www.w3.org/2000/svg"}
    assert not addresses


def test_what_the_page_tells_to_do_works(
    made: tuple[Demo, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    demo, out, _ = made
    monkeypatch.chdir(out)
    plain = read_audio("low-original.wav")[0][0]
    wanted = read_audio("low-missing-teeth.wav")[0][0]
    names: dict[str, Any] = {}
    exec(demo.instrument.program, names)  # noqa: S102
    assert torch.allclose(levelled(names["out"].reshape(-1), plain), wanted, atol=1e-4)
    for line in demo.instrument.commands.replace("\\\n", "").splitlines():
        result = CliRunner().invoke(app, line.split()[1:])
        assert result.exit_code == 0, result.output
    assert torch.allclose(levelled(read_audio("bent.wav")[0][0], plain), wanted, atol=1e-3)
    (out / "bent.wav").unlink()


def test_the_lines_of_each_bend_can_be_pasted(made: tuple[Demo, Path, list[str]]) -> None:
    demo, out, _ = made
    page = html.unescape((out / "index.html").read_text(encoding="utf-8"))
    for bend in demo.instrument.bends:
        bended = tb.BendedModule(additive())
        bended.trace(demo.instrument.phrases["low"])
        for entry in bend.recipe.entries:
            lines = bend_code(entry)
            assert lines in page
            exec(lines, {"tb": tb, "bended": bended})  # noqa: S102
        assert bended.bending_config() == bend.recipe


def test_lines_of_a_long_bend_stay_within_the_page() -> None:
    bend = Bend(tb.Cluster(tb.Scale(tb.BendingParameter("choir", 4.0)), list(range(0, 60, 2))), ("conv",))
    lines = bend_code(bend).splitlines()
    assert lines[0] == "bended.bend(" and lines[-2:] == ['    "conv",', ")"]
    assert max(map(len, lines)) <= 90 and lines[1].startswith("    tb.Cluster(callback=tb.Scale(")
    assert "[0, 2, 4" in " ".join(line.strip() for line in lines)


def test_the_model_is_as_it_was_after_it(made: tuple[Demo, Path, list[str]]) -> None:
    bended = made[0].instrument.bended
    assert bended.bended_keys() == []
    (control,) = made[0].instrument.bends[-1].recipe.callbacks[0].controls()
    assert control.value == 0
    pairs = zip(bended.module.parameters(), additive().parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_control_that_stands_still_is_no_sweep() -> None:
    instrument = additive_instrument()
    phrase = instrument.phrases["low"]
    rust = tb.BendingParameter("rust", 0.0, range=[0.0, 1.0])
    recipe = tb.BendingConfig((tb.Blend(tb.Quantize(levels=3), rust), "sin$"))
    still = play(instrument, phrase, NamedBend("still", "", recipe, Sweep("rust", lambda position: 0.0, "")))
    assert torch.allclose(still, play(instrument, phrase), atol=1e-6)
    full = play(instrument, phrase, NamedBend("full", "", recipe, Sweep("rust", lambda position: 1.0, "")))
    rust.set_value(1.0)
    assert torch.allclose(full, play(instrument, phrase, NamedBend("on", "", recipe)), atol=1e-6)


def test_the_command_prints_tables_and_where_to_look(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--quick", "--out", str(tmp_path / "d")])
    assert result.exit_code == 0, result.output
    assert "ratios" in result.stdout and "call_function" in result.stdout
    assert f"Open {tmp_path / 'd' / 'index.html'}" in result.stdout


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["demo", "--quick", "--out", str(tmp_path / "file" / "d")])
    assert result.exit_code == 1 and "torchbend: " in result.stderr
    with pytest.raises(TorchbendError):
        list(open_demo("additive").run(tmp_path / "file"))


def test_the_page_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("my own page", encoding="utf-8")
    result = CliRunner().invoke(app, ["demo", "--quick", "--out", str(tmp_path)])
    assert result.exit_code == 1 and "--out FOLDER" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == "my own page"


def test_a_second_run_replaces_what_the_first_one_made(
    made: tuple[Demo, Path, list[str]], tmp_path: Path
) -> None:
    _, out, _ = made
    (tmp_path / "index.html").write_text((out / "index.html").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "low-original.wav").write_text("half a file")
    (tmp_path / "notes.txt").write_text("mine")
    list(Demo(additive_instrument()).run(tmp_path))
    assert (tmp_path / "notes.txt").read_text() == "mine"
    for path in out.glob("*.wav"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "words", [["--model", "organ"], ["--quick", "--model", "sax"], ["--quick", "--model", "vocoder"]]
)
def test_an_instrument_that_there_is_not_is_refused_before_the_work(words: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", *words, "--out", str(tmp_path / "d")])
    assert result.exit_code == 2 and not (tmp_path / "d").exists()
    with pytest.raises(TorchbendError, match="sax, vocoder, additive"):
        open_demo("organ")
