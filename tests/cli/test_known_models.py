"""Known models on the command line: KIND:SOURCE in every command does what the class does in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file

import torchbend as tb
from torchbend.audio import read_audio, write_audio
from torchbend.cli.known import known_model, render_options
from torchbend.interfaces import BendedRAVE

Program = Callable[..., Result]
BEND = ("--bend", "Scale(0.5)@decoder.net.0.weight_g")


@pytest.fixture
def sound(folder: Path) -> Path:
    """A short sound at the rate of RAVE, in the folder that the program runs in."""
    time = torch.arange(8192) / 44100
    write_audio(folder / "short.wav", 0.3 * torch.sin(2000 * time)[None], 44100)
    return folder / "short.wav"


def fine(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("rave:tiny", "tiny"),
        ("rave:runs/birds", "runs/birds"),
        ("rave:C:/runs", "C:/runs"),
        ("sax", "sax"),
        ("in.wav", "in.wav"),
    ],
)
def test_known_models_by_their_names(folder: Path, spec: str, source: str) -> None:
    known = known_model(spec)
    assert known is not None and known.kind is BendedRAVE and known.source == source


@pytest.mark.parametrize(
    "spec", ["net_for_cli:Net", "./rave.py:make", "net_for_cli.py", "rave:", "birds:x", "x"]
)
def test_everything_else_is_a_factory(folder: Path, spec: str) -> None:
    assert known_model(spec) is None


def test_a_kind_wins_over_a_module_of_its_name_and_the_file_is_still_reached(
    folder: Path, program: Program
) -> None:
    (folder / "rave.py").write_text((folder / "net_for_cli.py").read_text("utf-8"), "utf-8")
    assert "decoder.net.0" in fine(program("inspect", "rave:tiny"))
    assert "second.weight" in fine(program("inspect", "./rave.py:Net"))


@pytest.mark.shows("BendedRAVE", "render from the command line")
def test_render_writes_what_the_class_renders(sound: Path, program: Program) -> None:
    said = fine(program("render", "rave:tiny", sound, *BEND, "--out", "y.wav", "--save-recipe", "r.json"))
    assert said.splitlines() == [
        "bent 1 site(s): decoder.net.0.weight_g",
        "wrote y.wav",
        "wrote r.json",
    ]
    model = BendedRAVE.tiny(0)
    model.bend(tb.Scale(0.5), "decoder.net.0.weight_g")
    model.render("z.wav", [str(sound)], seed=0)
    assert Path("y.wav").read_bytes() == Path("z.wav").read_bytes()
    fine(program("render", "rave:tiny", sound, "--recipe", "r.json", "--out", "again.wav"))
    assert Path("y.wav").read_bytes() == Path("again.wav").read_bytes()
    fine(program("render", "rave:tiny", sound, "--out", "plain.wav"))
    assert Path("y.wav").read_bytes() != Path("plain.wav").read_bytes()
    fine(program("render", "rave:tiny", sound, "--out", "other.wav", "--seed", "1"))
    assert Path("other.wav").read_bytes() != Path("plain.wav").read_bytes()
    assert read_audio("y.wav")[0].shape == (1, 8192)


def test_bend_without_a_method_renders_too(sound: Path, program: Program) -> None:
    fine(program("render", "rave:tiny", sound, *BEND, "--out", "y.wav"))
    fine(program("bend", "rave:tiny", "-i", sound, *BEND, "--out", "z.wav"))
    assert Path("y.wav").read_bytes() == Path("z.wav").read_bytes()


def test_a_recipes_controls_reach_a_known_model(birds: Path, sound: Path, program: Program) -> None:
    recipe = ("--recipe", birds.parent / "r.json")
    fine(program("render", f"rave:{birds}", sound, *recipe, "--set", "amount=0", "--out", "y.wav"))
    assert not read_audio("y.wav")[0].any()
    fine(program("render", birds, sound, *recipe, "--option", "stream=True", "--out", "z.wav"))
    assert read_audio("z.wav")[0].any()
    assert program("render", birds, sound, *recipe, "--set", "amount=9", "--out", "y.wav").exit_code == 1


def test_a_verb_is_called_with_tensors(sound: Path, program: Program) -> None:
    fine(program("bend", "rave:tiny", "--call", "encode", "-i", sound, "-o", "z.safetensors"))
    model = BendedRAVE.tiny(0)
    assert torch.equal(load_file("z.safetensors")["out"], model.encode(sound))
    fine(program("render", "rave:tiny", "z.safetensors", "--call", "decode", "-o", "y.wav"))
    wanted = model.decode(model.encode(sound))[0].detach()
    assert torch.allclose(read_audio("y.wav")[0], wanted, atol=2**-15)


@pytest.mark.shows("BendedRAVE", "look inside from the command line")
def test_inspect_needs_no_input(program: Program) -> None:
    said = fine(program("inspect", "rave:tiny", "--weights-filter", "decoder.net.0"))
    assert "decoder.net.0.weight_g" in said and "encoder.net.0.weight_g" not in said.partition("\n\n")[2]
    assert "activations of encode, decode, forward" in said
    said = fine(program("inspect", "rave:tiny", "--call", "decode", "--activations"))
    assert "activations of decode()" in said and "add_24" in said and "activations of encode()" not in said
    said = fine(program("inspect", "rave:tiny", "--graph", "--arg", "sample=True"))
    assert "graph of encode()" in said and "graph of decode()" in said


@pytest.mark.shows("BendedRAVE", "activations from the command line")
def test_activations_are_those_of_the_rendering(sound: Path, program: Program) -> None:
    words = ("activations", "rave:tiny", "decode:add_6$", "encode:conv1d_1$", "-i", sound)
    said = fine(program(*words, "--stats", "-o", "a.safetensors"))
    assert "decode:add_6" in said and "wrote 2 tensor(s)" in said
    model = BendedRAVE.tiny(0)
    written = load_file("a.safetensors")
    wanted = model.get_activations("add_6$", fn="decode", z=model.encode(sound))["add_6"]
    assert torch.allclose(written["decode:add_6"], wanted, atol=1e-7)
    fine(program(*words, "--bend", "Scale(0)@encode:conv1d_1$", "-o", "b.safetensors"))
    assert not load_file("b.safetensors")["encode:conv1d_1"].any()
    refused = program("activations", "rave:tiny", "decoder.net.0.weight_g", "-i", sound, "--stats")
    assert refused.exit_code == 1 and "no activation was asked for" in refused.stderr


@pytest.mark.shows("BendedRAVE", "export from the command line")
def test_export_takes_a_kind(sound: Path, program: Program) -> None:
    said = fine(
        program("export", "rave:tiny", "--latents", "3", "--out", "m.ts", "--no-patches", "--no-warm-up")
    )
    assert "wrote m.ts" in said
    loaded = torch.jit.load("m.ts")  # type: ignore[no-untyped-call]
    assert loaded.encode_params.tolist()[2] == 3


def test_values_of_options_may_be_sentences() -> None:
    class Toy(BendedRAVE):
        kind = "toy"

        def render(self, out, inputs=(), *, seed=0, negative="", steps=3):  # type: ignore[no-untyped-def, override]
            return out

    given = render_options(Toy, ["negative=a cat, asleep", "steps=4"])
    assert given == {"negative": "a cat, asleep", "steps": 4}
    assert render_options(Toy, ["negative=2 cats", "steps=[1, 2]"]) == {"negative": "2 cats", "steps": [1, 2]}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("render", "rave:tiny", "-o", "y.wav"), 1, "plays one sound file"),
        (("render", "rave:tiny", "a.wav", "b.wav", "-o", "y.wav"), 1, "one sound file"),
        (("render", "rave:tiny", "short.wav", "-o", "y.png"), 2, "should end in .wav"),
        (
            ("render", "rave:tiny", "short.wav", "-o", "y.wav", "--option", "duration=3"),
            2,
            "no option 'duration'",
        ),
        (("render", "rave:tiny", "short.wav", "-o", "y.wav", "--option", "ema=True"), 2, "--arg ema=..."),
        (("render", "rave:tiny", "short.wav", "-o", "y.wav", "--option", "stream"), 2, "is not NAME=VALUE"),
        (
            ("render", "rave:tiny", "short.wav", "-o", "y.wav", "--arg", "size=3"),
            2,
            "BendedRAVE takes strict=True",
        ),
        (("render", "rave:tiny", "short.wav", "-o", "y.wav", "--normalize"), 2, "sees to this itself"),
        (
            ("render", "rave:tiny", "short.wav", "-o", "y.wav", "--weights", "w.pt"),
            2,
            "brings its own weights",
        ),
        (("render", "rave:tiny", "short.wav", "-o", "y.wav", "-b", "Scale(2)@nothing"), 1, "matches no site"),
        (("render", "rave:tiny", "gone.wav", "-o", "y.wav"), 1, "gone.wav"),
        (("render", "rave:nowhere", "short.wav", "-o", "y.wav"), 1, "no such file"),
        (("render", "raves:tiny", "short.wav", "-o", "y.txt"), 1, "closest kinds: rave"),
        (("render", "net_for_cli:Net", "-o", "y.wav"), 2, "give an --input"),
        (("render", "net_for_cli:Net", "zeros:1,1,9", "-o", "y.wav", "--option", "a=1"), 2, "known models"),
        (("render", "rave", "short.wav", "-o", "y.txt"), 2, "write rave:SOURCE, or rave:tiny"),
        (("inspect", "raves:tiny"), 1, "closest kinds: rave"),
        (("inspect", "rave:tiny", "--call", "decode", "-i", "random:1,9,4"), 0, "graph of decode()"),
        (
            ("bend", "rave:tiny", "--call", "decode", "-i", "random:1,9,4", "-o", "y.wav"),
            1,
            "[batch, 8, time]",
        ),
        (("bend", "rave:tiny", "--call", "sing", "-i", "random:1,9,4", "-o", "y.wav"), 1, "sing"),
        (("export", "rave:tiny", "-i", "short.wav", "-o", "y.ts"), 2, "factory's models"),
        (
            ("export", "net_for_cli:Net", "-i", "random:1,1,9", "--option", "a=1", "-o", "y.ts"),
            2,
            "known models",
        ),
        (("export", "rave:tiny", "--option", "tempo=3", "-o", "y.ts"), 2, "takes no 'tempo'"),
        (("models", "raves"), 2, "closest: rave"),
    ],
)
def test_mistakes_are_told(
    sound: Path, program: Program, words: tuple[str, ...], status: int, said: str
) -> None:
    result = program(*words)
    assert result.exit_code == status, result.output
    assert said in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert not any(Path(name).exists() for name in ("y.wav", "y.png", "y.ts", "y.txt"))


BELLS = """
import torch
from torchbend.interfaces import BendingInterface

class Bells(torch.nn.Module):
    def strike(self, velocity):
        return torch.sin(velocity * torch.arange(800) / 8)[None]

class BendedBells(BendingInterface):
    export_targets = ()
    why_no_export = "a bell rings once"

    def __init__(self, seed=0):
        super().__init__(Bells())
        self.trace_methods()

    def example_inputs(self):
        return {"strike": torch.ones(1)}

    def ring(self, velocity):
        return self._call("strike", (torch.tensor([velocity]),), {})
"""


def test_an_interface_of_one_s_own_is_taken_as_it_is(folder: Path, program: Program) -> None:
    (folder / "own_bells.py").write_text(BELLS)
    spec = "own_bells.py:BendedBells"
    assert "strike" in fine(program("inspect", spec, "--call", "strike", "-i", "0.5", "--activations"))
    rung = ["bend", spec, "--call", "ring", "-i", "0.5", "--sample-rate", "8000", "-o"]
    fine(program(*rung, "plain.wav"))
    fine(program(*rung, "bent.wav", "-b", "Scale(0.5)@strike:sin$"))
    plain, bent = read_audio("plain.wav")[0], read_audio("bent.wav")[0]
    assert float(plain.abs().max()) > 0.9 and torch.allclose(bent, 0.5 * plain, atol=2**-14)
    refused = program("export", spec, "--call", "strike", "-i", "0.5", "-o", "y.ts")
    assert refused.exit_code == 1 and "a bell rings once" in refused.stderr


def test_a_class_that_renders_nothing_says_so(
    folder: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchbend.interfaces import BendingInterface

    monkeypatch.setattr(BendedRAVE, "render", BendingInterface.render)
    result = program("render", "rave:tiny", "-o", "y.wav")
    assert result.exit_code == 1 and "makes nothing that could be written" in result.stderr


def test_a_missing_extra_is_told_with_its_command(
    folder: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BendedRAVE, "extra", "not_there")
    result = program("render", "rave:tiny", "short.wav", "-o", "y.wav")
    assert result.exit_code == 1 and 'pip install "torchbend[not_there]"' in result.stderr
    assert 'pip install "torchbend[not_there]"' in fine(program("models"))
