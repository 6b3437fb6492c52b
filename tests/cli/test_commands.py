"""What the commands write is what the same steps give in Python."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file

import torchbend as tb
from torchbend.audio import read_audio
from torchbend.weights_file import load_weights

Program = Callable[..., Result]


def net_of(folder: Path) -> tb.BendedModule:
    """The folder's model with its weights, in Python."""
    spec = importlib.util.spec_from_file_location("net_in_python", folder / "net_for_cli.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.Net().eval()
    net.load_state_dict(load_weights(folder / "w.pt"))
    return tb.BendedModule(net)


def given(folder: Path) -> torch.Tensor:
    return load_file(folder / "x.safetensors")["x"]


def fine(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def test_inspect_prints_the_table_of_weights(folder: Path, program: Program) -> None:
    said = fine(program("inspect", "net_for_cli:Net", "--weights", "w.pt")).stdout
    assert net_of(folder).print_weights() in said
    assert "activations" not in said
    said = fine(program("inspect", "net_for_cli.py:Net", "--weights-filter", "second")).stdout
    assert "second.weight" in said and "first.weight" not in said


def test_inspect_with_an_input_prints_graph_and_activations(folder: Path, program: Program) -> None:
    bended = net_of(folder)
    bended.trace(given(folder))
    command = ("inspect", "net_for_cli.py:Net", "-w", "w.pt", "-i", "x.safetensors")
    said = fine(program(*command)).stdout
    assert bended.print_graph() in said
    assert "tanh" in said and "call_module" in said
    only = fine(program(*command, "--graph")).stdout
    assert "graph of" in only and "activations of" not in only
    only = fine(program(*command, "--activations", "--activations-filter", "sin")).stdout
    assert "sin" in only and "tanh" not in only


def test_inspect_writes_a_page(folder: Path, program: Program) -> None:
    fine(program("inspect", "net_for_cli.py:Net", "-i", "random:1,1,9", "--html", "out/page.html"))
    page = (folder / "out" / "page.html").read_text(encoding="utf-8")
    assert "second.weight" in page and "Activations of forward()" in page


def test_inspect_of_another_method(folder: Path, program: Program) -> None:
    said = fine(program("inspect", "net_for_cli.py:Net", "--call", "encode", "-i", "x=random:1,1,9")).stdout
    assert "activations of encode()" in said and "tanh" not in said


def test_bend_gives_what_python_gives(folder: Path, program: Program) -> None:
    fine(
        program(
            *("bend", "net_for_cli.py:Net", "--weights", "w.pt", "--input", "x=x.safetensors"),
            *("--bend", "Scale(2.0)@first.*weight", "--bend", "Clamp(-0.5, 0.5) >> Bias(0.1)@sin$"),
            *("--out", "out.safetensors", "--save-recipe", "r.json"),
        )
    )
    bended = net_of(folder)
    bended.trace(given(folder))
    plain = bended(given(folder))
    bended.bend(tb.Scale(2.0), "first.*weight")
    bended.bend(tb.Clamp(-0.5, 0.5) >> tb.Bias(0.1), "sin$")
    wanted = bended(given(folder))
    written = load_file("out.safetensors")["out"]
    assert torch.equal(written, wanted) and not torch.allclose(written, plain)

    again = ("bend", "net_for_cli.py:Net", "-w", "w.pt", "-i", "x.safetensors", "-r", "r.json")
    fine(program(*again, "-o", "again.safetensors"))
    assert torch.equal(load_file("again.safetensors")["out"], wanted)


def test_bend_of_sound_keeps_its_rate_or_takes_the_given_one(folder: Path, program: Program) -> None:
    command = ("bend", "net_for_cli.py:Net", "-w", "w.pt", "-i", "in.wav", "--mono", "-b", "Fold(0.1)@sin$")
    fine(program(*command, "-o", "out.wav"))
    bended = net_of(folder)
    sound, rate = read_audio("in.wav", mono=True)
    bended.trace(sound[None])
    bended.bend(tb.Fold(0.1), "sin$")
    written, got_rate = read_audio("out.wav")
    assert got_rate == rate == 8000
    assert torch.allclose(written, bended(sound[None])[0], atol=2**-15)
    fine(program(*command, "-o", "out16.wav", "--sample-rate", "16000", "--normalize"))
    written, got_rate = read_audio("out16.wav")
    assert got_rate == 16000 and written.shape == (1, 4000)
    assert float(written.abs().max()) > 0.999


def test_a_recipes_controls_can_be_set(folder: Path, program: Program) -> None:
    gain = tb.BendingParameter("gain", 1.0, range=[0.0, 4.0])
    tb.BendingConfig((tb.Scale(gain), "second.weight")).save("r.json")
    command = ("bend", "net_for_cli.py:Net", "-w", "w.pt", "-i", "x.safetensors", "-r", "r.json")
    fine(program(*command, "--set", "gain=3", "-o", "out.safetensors"))
    bended = net_of(folder)
    bended.bend(tb.Scale(3.0), "second.weight")
    assert torch.equal(load_file("out.safetensors")["out"], bended(given(folder)))
    assert program(*command, "--set", "gain=9", "-o", "out.safetensors").exit_code == 1
    assert program(*command, "--set", "gain", "-o", "out.safetensors").exit_code == 2


def test_seeds_make_random_things_the_same_again(folder: Path, program: Program) -> None:
    def out(*words: str) -> torch.Tensor:
        command = ("bend", "net_for_cli.py:Net", "-i", "random:1,1,20", "-b", "Normal(0.5)@first.weight")
        fine(program(*command, "-o", "out.safetensors", *words))
        return load_file("out.safetensors")["out"]

    assert torch.equal(out("--seed", "3"), out("--seed", "3"))
    assert not torch.allclose(out("--seed", "3"), out("--seed", "4"))


def test_every_tensor_of_a_structure_is_written(folder: Path, program: Program) -> None:
    command = ("bend", "net_for_cli.py:Net", "--call", "encode", "-i", "random:1,1,9", "-b", "Scale(2)@first")
    fine(program(*command, "-o", "out.safetensors"))
    assert {name: tuple(t.shape) for name, t in load_file("out.safetensors").items()} == {
        "out.code": (1, 4, 9)
    }


@pytest.mark.parametrize(("words", "shape"), [(("--arg", "width=6"), (6, 1, 3)), (("--arg", "5"), (5, 1, 3))])
def test_arguments_reach_the_factory(
    folder: Path, program: Program, words: tuple[str, ...], shape: tuple[int, ...]
) -> None:
    assert str(torch.Size(shape)) in fine(program("inspect", "net_for_cli:net", *words)).stdout


def test_a_module_is_a_factory_too(folder: Path, program: Program) -> None:
    assert "first.weight" in fine(program("inspect", "net_for_cli:ready")).stdout


def test_activations_are_those_of_python(folder: Path, program: Program) -> None:
    command = ("activations", "net_for_cli.py:Net", "sin", "first$", "-w", "w.pt", "-i", "x.safetensors")
    said = fine(program(*command, "--out", "acts.safetensors", "--stats")).stdout
    bended = net_of(folder)
    bended.trace(given(folder))
    wanted: dict[str, Any] = bended.get_activations("sin", "first$", _args=(given(folder),))
    written = load_file("acts.safetensors")
    assert set(written) == set(wanted) == {"sin", "first"}
    assert all(torch.equal(written[name], wanted[name]) for name in wanted)
    assert "dead" in said and "wrote 2 tensor(s)" in said
    fine(program(*command, "--out", "acts.safetensors", "--bend", "Scale(0)@first.*"))
    assert not load_file("acts.safetensors")["first"].any()


def test_the_saved_recipe_is_readable_data(folder: Path, program: Program) -> None:
    command = ("bend", "net_for_cli.py:Net", "-i", "random:1,1,9", "-b", "Mask(0.5, seed=1)@first.weight")
    fine(program(*command, "-o", "out.safetensors", "--save-recipe", "r.json"))
    text = (folder / "r.json").read_text(encoding="utf-8")
    assert "Mask" in text and json.loads(text)
