"""Names, opcodes, targets and arguments are torch.fx's own."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.zoo.handwritten import HANDWRITTEN

import torchbend as tb
from torchbend.capture import capture

from .fx_rows import Program, rows, symbolic_rows

X = torch.linspace(0.1, 2.4, 24).reshape(4, 6)

OPERATORS: dict[str, Callable[..., Any]] = {
    "x + 1": lambda x, m: x + 1,
    "1 + x": lambda x, m: 1 + x,
    "x - 1": lambda x, m: x - 1,
    "1 - x": lambda x, m: 1 - x,
    "x * 2": lambda x, m: x * 2,
    "2 * x": lambda x, m: 2 * x,
    "x / 2": lambda x, m: x / 2,
    "2 / x": lambda x, m: 2 / x,
    "x // 2": lambda x, m: x // 2,
    "7 // x": lambda x, m: 7 // x,
    "x % 2": lambda x, m: x % 2,
    "x ** 2": lambda x, m: x**2,
    "2 ** x": lambda x, m: 2**x,
    "-x": lambda x, m: -x,
    "+x": lambda x, m: +x,
    "x @ w": lambda x, m: x @ m.w,
    "x > 1": lambda x, m: x > 1,
    "1 > x": lambda x, m: x < 1,
    "x == x": lambda x, m: x == x,
    "(x > 1) & (x < 2)": lambda x, m: (x > 1) & (x < 2),
    "(x > 1) | (x < 2)": lambda x, m: (x > 1) | (x < 2),
    "~(x > 1)": lambda x, m: ~(x > 1),
    "x * w[0]": lambda x, m: x * m.w[0],
    "w * w": lambda x, m: x @ (m.w * m.w),
    "x[0]": lambda x, m: x[0],
    "x[..., None]": lambda x, m: x[..., None],
    "x[:, 1:]": lambda x, m: x[:, 1:],
    "x[[0, 1]]": lambda x, m: x[[0, 1]],
    "x[x > 1]": lambda x, m: x[x > 1],
    "same operator twice": lambda x, m: (x + 1) * (x + 2) * (x + 3),
    "a chain": lambda x, m: ((x * 2 + 1) / 3 - x).sum(-1) ** 2,
}

METHODS: dict[str, Callable[..., Any]] = {
    "x.add(1)": lambda x, m: x.add(1),
    "x.mul(x)": lambda x, m: x.mul(x),
    "x.sum(-1)": lambda x, m: x.sum(-1),
    "x.mean(dim=1, keepdim=True)": lambda x, m: x.mean(dim=1, keepdim=True),
    "x.unsqueeze(0)": lambda x, m: x.unsqueeze(0),
    "x.view(-1)": lambda x, m: x.view(-1),
    "x.t().contiguous()": lambda x, m: x.t().contiguous(),
    "x.float()": lambda x, m: x.float(),
    "x.to(dtype)": lambda x, m: x.to(torch.float64),
    "x.masked_fill": lambda x, m: x.masked_fill(x > 1, 0.0),
    "x.T": lambda x, m: x.T,
    "x.chunk": lambda x, m: torch.cat(x.chunk(2, dim=-1)),
    "x.type_as": lambda x, m: x.type_as(m.w),
    "x.clamp(min=)": lambda x, m: x.clamp(min=0.5),
    "x.permute": lambda x, m: x.permute(1, 0),
    "x.repeat": lambda x, m: x.repeat(2, 1),
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "torch.sin": lambda x, m: torch.sin(x),
    "torch.add": lambda x, m: torch.add(x, x, alpha=2),
    "torch.cat": lambda x, m: torch.cat([x, x], dim=-1),
    "torch.stack": lambda x, m: torch.stack((x, x)),
    "torch.where": lambda x, m: torch.where(x > 1, x, -x),
    "torch.einsum": lambda x, m: torch.einsum("ij,jk->ik", x, m.w),
    "torch.matmul": lambda x, m: torch.matmul(x, m.w),
    "torch.sum": lambda x, m: torch.sum(x, 1),
    "torch.flatten": lambda x, m: torch.flatten(x),
    "torch.zeros_like": lambda x, m: torch.zeros_like(x) + x,
    "torch.max values": lambda x, m: torch.max(x, dim=-1)[0],
    "torch.topk": lambda x, m: x.topk(2)[1],
    "torch.fft": lambda x, m: torch.fft.rfft(x),
    "torch.linalg": lambda x, m: torch.linalg.norm(x),
    "F.relu": lambda x, m: F.relu(x),
    "F.softmax": lambda x, m: F.softmax(x, dim=-1),
    "F.gelu": lambda x, m: F.gelu(x),
    "F.pad": lambda x, m: F.pad(x, (1, 2)),
    "F.linear": lambda x, m: F.linear(x, m.w),
    "F.layer_norm": lambda x, m: F.layer_norm(x, (6,)),
    "F.leaky_relu": lambda x, m: F.leaky_relu(x, 0.1),
    "F.interpolate": lambda x, m: F.interpolate(x[None], scale_factor=2.0),
    "F.conv1d": lambda x, m: F.conv1d(x[None], m.w[:4, :4, None]),
    "F.normalize": lambda x, m: F.normalize(x, dim=-1),
    "F.mse_loss": lambda x, m: F.mse_loss(x, x * 2),
}


def _unpacked(x: Any, m: Any) -> Any:
    a, b = x.chunk(2, dim=-1)
    return a * b


def _sized(x: Any, m: Any) -> Any:
    batch, width = x.shape
    return x.view(width, batch)


def _attention(x: Any, m: Any) -> Any:
    q = F.linear(x, m.w).view(x.size(0), 2, -1)
    return q @ q.transpose(-1, -2) / 3**0.5


def _values_and_indices(x: Any, m: Any) -> Any:
    values, indices = x.sort(dim=-1)
    return values + indices


PARTS: dict[str, Callable[..., Any]] = {
    "a, b = x.chunk(2)": _unpacked,
    "a, b = x.shape": _sized,
    "x.shape[0]": lambda x, m: x.reshape(x.shape[0], -1),
    "x.shape[-1]": lambda x, m: x.reshape(-1, x.shape[-1]),
    "x.size(0)": lambda x, m: x.reshape(x.size(0) * 2, -1),
    "x.size()[1]": lambda x, m: x.reshape(x.size()[1], -1),
    "x.shape[0] * 2 + 1": lambda x, m: x.sum() * (x.shape[0] * 2 + 1),
    "x.split": lambda x, m: x.split(2, dim=-1)[1],
    "x.max(-1).values": lambda x, m: x.max(-1).values,
    "values, indices = x.sort()": _values_and_indices,
    "attention": _attention,
    "dict output": lambda x, m: {"a": x + 1, "b": [x * 2, (x, 3)]},
    "tuple output": lambda x, m: (x.sin(), x.cos()),
}

PROGRAMS = {**OPERATORS, **METHODS, **FUNCTIONS, **PARTS}


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_operation_is_recorded_as_torch_fx_records_it(name: str) -> None:
    module = Program(PROGRAMS[name])
    captured, _ = capture(module, "forward", (X,), {})
    assert rows(captured.graph) == symbolic_rows(module)


# Networks of the zoo that torch.fx traces, and that come out the same node by node.
SAME = [
    "mlp",
    "sequential",
    "conv_autoencoder",
    "gru",
    "transformer",
    "tied_language_model",
    "batch_norm_train_mode",
    "dcgan_generator",
    "dcgan_discriminator",
    "old_spectral_norm",
    "joseph",
    "vocoder_old_weight_norm",
    "vocoder_parametrized_weight_norm",
    "spectral_head",
]
ENTRIES = {entry.name: entry for entry in HANDWRITTEN}


@pytest.mark.parametrize("name", SAME)
def test_whole_networks_come_out_the_same(name: str) -> None:
    module = ENTRIES[name].build()
    bended = tb.BendedModule(module)
    bended.trace(**ENTRIES[name].inputs())
    assert rows(bended.graph()) == symbolic_rows(module)


@pytest.mark.parametrize("name", ["transformer_encoder", "vector_quantizer"])
def test_a_weight_is_read_where_it_is_first_used(name: str) -> None:
    """torch.fx reads it where the attribute is looked up, an operation earlier: only that order differs."""
    module = ENTRIES[name].build()
    bended = tb.BendedModule(module)
    bended.trace(**ENTRIES[name].inputs())
    ours, theirs = rows(bended.graph()), symbolic_rows(module)
    assert [r for r in ours if r[0] != "get_attr"] == [r for r in theirs if r[0] != "get_attr"]
    assert {str(r) for r in ours} == {str(r) for r in theirs}


def test_a_buffer_is_read_once() -> None:
    """torch.fx reads it again at each use (``order_1``, ``order_2``); all other nodes are the same."""
    module = ENTRIES["coupling_flow"].build()
    bended = tb.BendedModule(module)
    bended.trace(**ENTRIES["coupling_flow"].inputs())
    ours, theirs = rows(bended.graph()), symbolic_rows(module)
    assert [r[1] for r in ours if r[0] == "get_attr"] == ["order"]
    assert [r[1] for r in theirs if r[0] == "get_attr"] == ["order", "order_1", "order_2"]
    plain = [r[:3] for r in theirs if r[1] not in ("order_1", "order_2")]
    assert [r[:3] for r in ours] == plain


def test_factories_are_nodes() -> None:
    """torch.fx keeps what they made as constants of the traced call."""
    module = ENTRIES["spectral_mask"].build()
    bended = tb.BendedModule(module)
    bended.trace(**ENTRIES["spectral_mask"].inputs())
    ours = [r[1] for r in rows(bended.graph())]
    theirs = [r[1] for r in symbolic_rows(module)]
    assert "_tensor_constant0" in theirs and "_tensor_constant0" not in ours
    assert ours[ours.index("mul") + 1 :][:4] == ["ones", "ones_1", "polar", "mul_1"]


def test_the_state_of_an_lstm_is_taken_apart() -> None:
    """torch.fx hands on the pair that it cannot see into; the result is otherwise the same."""
    module = ENTRIES["lstm"].build()
    bended = tb.BendedModule(module)
    bended.trace(**ENTRIES["lstm"].inputs())
    ours, theirs = rows(bended.graph()), symbolic_rows(module)
    assert ours[:5] == theirs[:5]
    assert [r[1] for r in ours[5:]] == ["getitem_2", "getitem_3", "output"]


def test_an_operator_that_a_builtin_applies_is_recorded_as_a_method() -> None:
    """``sum(tensors)`` leaves no trace of how it adds: the name is torch.fx's, the opcode is the method's."""
    module = ENTRIES["wavenet"].build()
    bended = tb.BendedModule(module)
    bended.trace(**ENTRIES["wavenet"].inputs())
    ours, theirs = rows(bended.graph()), symbolic_rows(module)
    assert [r[1] for r in ours] == [r[1] for r in theirs]
    differing = [(a[:3], b[2]) for a, b in zip(ours, theirs, strict=True) if a != b]
    assert {a[0] for a, _ in differing} <= {"call_method"} and {b for _, b in differing} == {operator.add}
    assert len(differing) == 3


def test_operators_in_place_keep_their_effect() -> None:
    """torch.fx records ``y += 1`` as ``y = y + 1``; here the view that was written to sees it too."""

    def program(x: Any, m: Any) -> Any:
        y = x * 2
        first = y[0]
        y += 1
        y -= 2
        y *= 3
        y /= 2
        return first + y[1]

    module = Program(program)
    captured, out = capture(module, "forward", (X,), {})
    ours, theirs = rows(captured.graph), symbolic_rows(module)
    assert [(r[0], r[1]) for r in ours] == [(r[0], r[1]) for r in theirs]
    assert ours[3][2].__name__ == "iadd" and theirs[3][2].__name__ == "add"
    bended = tb.BendedModule(module)
    bended.trace(X)
    assert torch.equal(bended.graph_module()(X), out)


def test_leaf_modules_are_torch_s_own_but_for_containers() -> None:
    module = torch.nn.Sequential(
        torch.nn.Linear(6, 6), torch.nn.Sequential(torch.nn.ReLU(), torch.nn.LSTM(6, 2))
    )
    captured, _ = capture(module, "forward", (X,), {})
    assert rows(captured.graph)[:4] == symbolic_rows(module)[:4]
    assert [n.target for n in captured.graph.nodes if n.op == "call_module"] == ["0", "1.0", "1.1"]
