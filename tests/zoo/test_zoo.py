"""Each architecture is captured, replayed, looked into, bent and reset."""

from __future__ import annotations

import copy
import logging
import operator
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.capture import Capture, Replay
from torchbend.errors import ReplayError

from .compare import call, flatten_tensors, same
from .definition import Entry
from .entry import ZOO

ENTRIES = [pytest.param(entry, id=entry.name) for entry in ZOO]

# The graph of these takes something for granted that the other input changes: they refuse it.
REFUSED = {
    "gpt2_generate": "the length of the prompt decides when the loop ends",
    "mamba": "a Python loop over time",
    "swin": "padding is decided by the size",
    "fastspeech2_conformer": "the positional table is cut by the length",
    "speecht5_hifigan": "a batch dimension is added by the number of dimensions",
    "encodec": "a Python loop over chunks of the sound",
    "mimi": "the mask is decided by the length",
    "univnet": "noise is drawn for the length",
    "einops_vit": "einops keeps a recipe per shape",
    "data_control": "the values decide the branch",
    "time_loop": "a Python loop over time",
    "through_numpy": "numpy computes in the middle",
    "custom_function": "a function under vmap computes in the middle",
    "vits": "torch.IntTensor(...) makes a tensor unseen",
}

# Whatever is bent in these, values decide the way, or reach the result through code that cannot be seen:
# the graph is no reference. The activation that is bent instead, and compared at its own place.
DECIDED_BY_VALUES = {"data_control": "where", "custom_function": "linear"}


HOOKS = [
    operator.attrgetter(name)
    for name in ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_always_called", "_backward_hooks")
]


@cache
def traced(name: str) -> tuple[nn.Module, tb.BendedModule, Any]:
    """The built model, bent by nothing, with its method traced, and the plain output."""
    entry = next(e for e in ZOO if e.name == name)
    model = entry.build()
    plain = call(entry, model)
    bended = tb.BendedModule(model)
    torch.manual_seed(0)
    bended.trace(fn=entry.method, **entry.inputs())
    return model, bended, plain


class Generated(nn.Module):
    """The generated code of a capture, called as the model's method, with the model's buffers in sight."""

    def __init__(self, code: nn.Module, model: nn.Module, entry: Entry) -> None:
        super().__init__()
        self.model = model
        self.__dict__[entry.method] = code


def replayed(
    entry: Entry, model: nn.Module, capture: Capture, inputs: dict[str, Any], change: Any = None
) -> Any:
    """What the captured graph gives, from the same random state and buffers as `call`."""
    buffers = {n: b.clone() for n, b in model.named_buffers()} if entry.stateful else {}
    torch.manual_seed(0)
    with torch.no_grad():
        try:
            return copy.deepcopy(Replay(model, capture, change).run_all(inputs))
        finally:
            for name, value in model.named_buffers():
                if name in buffers:
                    value.copy_(buffers[name])


@pytest.mark.parametrize("entry", ENTRIES)
def test_capture_changes_nothing(entry: Entry) -> None:
    model = entry.build()
    weights = {n: t.clone() for n, t in [*model.named_parameters(), *model.named_buffers()]}
    modes = [m.training for m in model.modules()]
    registered = [[list(hooks(m)) for hooks in HOOKS] for m in model.modules()]
    attributes = [sorted(vars(m)) for m in model.modules()]
    torch.manual_seed(3)
    random_state = torch.get_rng_state()
    tb.BendedModule(model).trace(fn=entry.method, **entry.inputs())
    assert torch.equal(torch.get_rng_state(), random_state)
    after = dict([*model.named_parameters(), *model.named_buffers()])
    assert list(after) == list(weights)
    for name, tensor in weights.items():
        assert same(after[name].detach(), tensor.detach()), name
    assert [m.training for m in model.modules()] == modes
    assert [sorted(vars(m)) for m in model.modules()] == attributes
    assert [[list(hooks(m)) for hooks in HOOKS] for m in model.modules()] == registered


@pytest.mark.parametrize("entry", ENTRIES)
def test_replay_equals_the_model(entry: Entry) -> None:
    model, bended, plain = traced(entry.name)
    capture = bended._captures[entry.method]
    bended.graph(entry.method).lint()
    assert same(replayed(entry, model, capture, entry.inputs()), plain)
    modes = [m.training for m in model.modules()]
    assert same(call(entry, Generated(bended.graph_module(entry.method), model, entry)), plain)
    assert [m.training for m in model.modules()] == modes
    if entry.other_inputs is None:
        return
    other = entry.other_inputs()
    if entry.name in REFUSED:
        with pytest.raises(ReplayError):
            replayed(entry, model, capture, other)
    else:
        got, wanted = replayed(entry, model, capture, other), call(entry, model, entry.other_inputs())
        assert same(got, wanted)
    # the bent model itself takes every input that the model takes
    assert same(call(entry, bended, entry.other_inputs()), call(entry, model, entry.other_inputs()))


def effective_weight(entry: Entry, model: nn.Module, plain: Any) -> tuple[str, Any]:
    """A weight near the middle whose bend is heard, and the output of a model edited by hand."""
    names = [n for n, _ in model.named_parameters()]
    middle = len(names) // 2
    edited = entry.build()
    for name in sorted(names, key=lambda n: abs(names.index(n) - middle)):
        own = dict(edited.named_parameters())[name]
        bent = nn.Parameter(own.detach() * 1.5 + 0.25, requires_grad=False)
        owners = [(m, k) for m in edited.modules() for k, p in m._parameters.items() if p is own]
        for owner, key in owners:
            setattr(owner, key, bent)
        wanted = call(entry, edited)
        if not same(wanted, plain):
            return name, wanted
        for owner, key in owners:
            setattr(owner, key, own)
    raise AssertionError(f"{entry.name}: no weight near the middle has an effect")


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_bent_weight_has_exactly_the_callbacks_effect(entry: Entry) -> None:
    model, bended, plain = traced(entry.name)
    name, wanted = effective_weight(entry, model, plain)
    bended.bend(tb.Affine(bias=0.25, scale=1.5), rf"{name.replace('.', '[.]')}$", bend_graph=False)
    try:
        assert same(call(entry, bended), wanted)
    finally:
        bended.reset()
    assert same(call(entry, bended), plain)
    assert same(call(entry, model), plain)


def bendable(capture: Capture) -> list[str]:
    """Names of floating-point activations that the program makes, those nearest to the middle first."""
    names = [
        name
        for name, a in capture.activations.items()
        if a.address is not None and a.dtype.is_floating_point and not a.target.startswith("empty")
    ]
    middle = len(names) // 2
    return sorted(names, key=lambda n: abs(names.index(n) - middle))


def bent_replay(entry: Entry, model: nn.Module, capture: Capture, name: str) -> Any:
    """The graph's output with one activation bent: a second way to the same result."""
    node, part = capture.node(name), capture.activations[name].address
    assert part is not None

    def change(of: str, value: Any) -> Any:
        if of != node.name:
            return value
        if not isinstance(value, Tensor):
            raise LookupError("a part of a tuple: bend another one")
        bent = value * 1.5 + 0.25
        if node.name.endswith("_") or str(node.target).startswith("<built-in function i"):
            return value.copy_(bent)
        return bent

    return replayed(entry, model, capture, entry.inputs(), change)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_bent_activation_has_exactly_the_callbacks_effect(entry: Entry) -> None:
    model, bended, plain = traced(entry.name)
    capture = bended._captures[entry.method]
    for name in bendable(capture):
        try:
            wanted = bent_replay(entry, model, capture, name)
        except (ReplayError, LookupError):  # the bend sends the program another way than the graph's
            continue
        if same(wanted, plain):
            continue
        if entry.name in DECIDED_BY_VALUES:
            break
        bended.bend(tb.Affine(bias=0.25, scale=1.5), f"{entry.method}:{name}$")
        try:
            assert same(call(entry, bended), wanted), name
        finally:
            bended.reset()
        assert same(call(entry, bended), plain)
        return
    assert entry.name in DECIDED_BY_VALUES, "no activation could be bent and compared"
    name = DECIDED_BY_VALUES[entry.name]
    bended.bend(tb.Affine(bias=0.25, scale=1.5), f"{entry.method}:{name}$")
    try:
        torch.manual_seed(0)
        with torch.no_grad():
            both = bended.get_activations(f"{name}$", fn=entry.method, _values="both", **entry.inputs())
        before, after = both[name]
        assert torch.equal(after, before * 1.5 + 0.25)
        assert not same(call(entry, bended), plain)
    finally:
        bended.reset()
    assert same(call(entry, bended), plain)


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_activation_is_what_the_graph_says(entry: Entry) -> None:
    model, bended, _ = traced(entry.name)
    capture = bended._captures[entry.method]
    values: dict[str, Any] = {}

    def keep(name: str, value: Any) -> Any:
        values[name] = value.detach().clone() if isinstance(value, Tensor) else value
        return value

    replayed(entry, model, capture, entry.inputs(), keep)
    whole = [n for n in bendable(capture) if isinstance(values.get(n), Tensor)]
    for name in whole[:2]:
        torch.manual_seed(0)
        with torch.no_grad():
            found = bended.get_activations(f"{name}$", fn=entry.method, **entry.inputs())
        assert same([found[name]], [values[name]]), name
        assert found[name].shape == bended.activation_shape(name, entry.method)


def test_the_zoo_is_large() -> None:
    assert len(ZOO) >= 60
    assert len({e.name for e in ZOO}) == len(ZOO)
    assert set(REFUSED) <= {e.name for e in ZOO}
    assert all(flatten_tensors(traced(e.name)[2]) for e in ZOO)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Constants from unseen code are told by a warning; that is tested elsewhere."""
    caplog.set_level(logging.ERROR, logger="torchbend")
