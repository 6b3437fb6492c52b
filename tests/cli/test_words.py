"""The small language of bends, inputs and literals: what it reads, and that it runs nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

import torchbend as tb
from torchbend.cli.inputs import read_inputs
from torchbend.cli.words import callback_names, callback_of, literal, parse_bend
from torchbend.errors import TorchbendError

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.tuples(inner),
    max_leaves=8,
)


@given(plain)
def test_a_literal_is_read_as_it_is_written(value: Any) -> None:
    assert literal(repr(value)) == value


@pytest.mark.parametrize(
    ("text", "callback", "pattern"),
    [
        ("Scale(2.0)@decoder.*weight", tb.Scale(2.0), "decoder.*weight"),
        ("Reverse@x", tb.Reverse(), "x"),
        ("Scale(-1) >> Clamp(max=+0.5)@a@b", tb.Scale(-1) >> tb.Clamp(max=0.5), "a@b"),
        ("Blend(Fold(0.2), 0.5)@x$", tb.Blend(tb.Fold(0.2), 0.5), "x$"),
        ("Rewire({0: 3, 3: 0}, dim=1)@x", tb.Rewire({0: 3, 3: 0}, dim=1), "x"),
        ("Cluster(Scale(0), [1, 2])@x", tb.Cluster(tb.Scale(0), [1, 2]), "x"),
        ("Mask(0.5, seed=1, dim=None)@encode:add_4$", tb.Mask(0.5, seed=1), "encode:add_4$"),
        ("Normal(0.1, 3, op='mul')@x", tb.Normal(0.1, 3, op="mul"), "x"),
    ],
)
def test_a_bend_is_read(text: str, callback: tb.BendingCallback, pattern: str) -> None:
    assert parse_bend(text) == (callback, pattern)


@pytest.mark.parametrize("name", callback_names())
def test_what_a_callback_prints_can_be_read(name: str) -> None:
    made: tb.BendingCallback
    if name == "Blend":
        made = tb.Blend(tb.Scale(2.0), 0.5)
    elif name == "Cluster":
        made = tb.Cluster(tb.Scale(2.0), [0, 1])
    else:
        made = getattr(tb, name)()
    assert callback_of(repr(made)) == made


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "Scale(open('x'))",
        "Scale(2).__class__",
        "Scale([x for x in (1, 2)])",
        "Scale(2 ** 9)",
        "Scale(*[1])",
        "Scale(**{'scale': 1})",
        "(lambda: 1)()",
        "Scale(f'{1}')",
        "Scale(2); Scale(3)",
        "Scale(x := 1)",
        "BendedModule()",
        "Scale(2) >> 3",
        "3",
        "",
        "(" * 500,
        "-" * 9000 + "1",
        "1" * 20_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        callback_of(text)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(typer.BadParameter, TorchbendError):
        parse_bend(text)
    with contextlib.suppress(typer.BadParameter):
        literal(text)


def test_inputs_are_made(folder: Path) -> None:
    torch.save({"a": torch.ones(2), "b": torch.zeros(3)}, "two.pt")
    made = read_inputs(
        [
            *("random:2,3", "zeros:4", "ones:1x2", "integers:5:100", "line:0:1:2,3", "0.5", "[1, 2]"),
            *("two.pt:b", "flag=True", "name='x'", "x=x.safetensors"),
        ]
    )
    noise, zeros, ones, integers, line, half, pair, kept = made.in_order
    assert noise.shape == (2, 3) and float(noise.std()) > 0
    assert torch.equal(zeros, torch.zeros(4)) and torch.equal(ones, torch.ones(1, 2))
    assert integers.dtype == torch.int64 and 0 <= int(integers.min()) <= int(integers.max()) == 4
    assert torch.equal(line, torch.tensor([[0, 0.5, 1], [0, 0.5, 1]]))
    assert half == 0.5 and torch.equal(pair, torch.tensor([1, 2])) and torch.equal(kept, torch.zeros(3))
    assert made.by_name["flag"] is True and made.by_name["name"] == "x"
    assert made.by_name["x"].shape == (1, 1, 50)
    assert made.sample_rate is None


def test_random_inputs_follow_the_seed() -> None:
    first, second = read_inputs(["random:9", "random:9"], seed=1).in_order
    assert not torch.equal(first, second)
    assert torch.equal(first, read_inputs(["random:9"], seed=1).in_order[0])
    assert not torch.equal(first, read_inputs(["random:9"], seed=2).in_order[0])


def test_sounds_tell_their_rate(folder: Path, program: Callable[..., Result]) -> None:
    made = read_inputs(["in.wav"])
    assert made.sample_rate == 8000 and made.in_order[0].shape == (1, 2, 2000)
    made = read_inputs(["in.wav"], sample_rate=4000, mono=True)
    assert made.sample_rate == 4000 and made.in_order[0].shape == (1, 1, 1000)


def test_a_prompt_needs_no_quotes() -> None:
    made = read_inputs(["the sea, asleep", "2 cats", "prompt=rain", "0.5", "[1, 2]"], texts=True)
    assert made.in_order[:3] == ["the sea, asleep", "2 cats", 0.5] and made.by_name == {"prompt": "rain"}
    assert torch.equal(made.in_order[3], torch.tensor([1, 2]))
    for text in ("random:1,-1", "integers:0:3"):
        with pytest.raises(typer.BadParameter):
            read_inputs([text], texts=True)
