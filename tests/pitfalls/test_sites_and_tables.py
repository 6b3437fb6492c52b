"""Buffers and parametrized weights are sites; tables have headers, in text and in notebooks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.zoo.nets_audio import old_weight_norm
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import torchbend as tb
from torchbend.errors import SiteNotFoundError

from .models import joseph, seconds


class _Buffered(nn.Module):
    """A buffer, a plain tensor attribute and a weight. Shape: x [B, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(4.0))
        self.register_buffer("window", torch.tensor([1.0, 2.0, 3.0, 4.0]))
        self.plain = torch.full((4,), 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight * self.window + self.plain


def test_buffers_are_sites_listed_apart() -> None:
    bended = tb.BendedModule(_Buffered())
    assert bended.weight_names == ["weight"]
    assert bended.buffer_names == ["window", "plain"]
    assert "window" not in bended.print_weights()
    assert "window" in bended.print_buffers()


@pytest.mark.parametrize("traced", [False, True])
def test_buffers_are_bent_when_asked(traced: bool) -> None:
    model = _Buffered()
    x = torch.ones(1, 4)
    plain = model(x)
    bended = tb.BendedModule(model)
    if traced:
        bended.trace(x)
    handle = bended.bend(tb.Scale(2.0), "w.*")  # the weight alone
    assert handle.keys == ["weight"]
    bended.reset()
    bended.bend(tb.Scale(2.0), "window", buffers=True)
    assert torch.equal(bended(x), x * model.weight * model.window * 2 + 0.5)
    bended.reset()
    bended.bend(tb.Scale(3.0), "plain", buffers=True)
    assert torch.equal(bended(x), x * model.weight * model.window + 1.5)
    bended.reset()
    assert torch.equal(bended(x), plain)
    assert torch.equal(model.window, torch.tensor([1.0, 2.0, 3.0, 4.0]))


def test_a_buffer_that_was_not_asked_for_is_no_match() -> None:
    bended = tb.BendedModule(_Buffered())
    with pytest.raises(SiteNotFoundError):
        bended.bend(tb.Scale(2.0), "window")


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, old_weight_norm])
def test_parts_and_effective_weight_of_a_normed_layer_are_sites(norm: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(norm(nn.Conv1d(2, 3, 3)))
    x = torch.randn(1, 2, 8)
    plain, weight = model(x), model[0].weight.detach().clone()
    bended = tb.BendedModule(model)
    parts = [n for n in bended.weight_names if "original" in n or n.endswith(("_g", "_v"))]
    assert len(parts) == 2 and "0.weight" in bended.weight_names
    magnitude = next(n for n in parts if n.endswith(("original0", "_g")))
    direction = next(n for n in parts if n != magnitude)

    bended.bend(tb.Scale(2.0), magnitude)
    wanted = nn.functional.conv1d(x, 2 * weight, model[0].bias)
    assert torch.allclose(bended(x), wanted, atol=1e-6)
    bended.reset()
    bended.bend(tb.Scale(2.0), direction)  # the norm takes a scale of the direction away
    assert torch.allclose(bended(x), plain, atol=1e-6)
    bended.reset()
    bended.bend(tb.Scale(2.0), "0.weight$")
    assert torch.allclose(bended(x), wanted, atol=1e-6)
    assert torch.allclose(bended.bended_weights()["0.weight"], 2 * weight, atol=1e-6)
    bended.bend(tb.Scale(3.0), magnitude)  # both: the parts first, then what is computed from them
    wanted = nn.functional.conv1d(x, 6 * weight, model[0].bias)
    assert torch.allclose(bended(x), wanted, atol=1e-5)
    bended.reset()
    assert torch.equal(bended(x), plain)


def test_a_pattern_over_parts_and_effective_weight_bends_the_parts() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Conv1d(2, 3, 3)))
    bended = tb.BendedModule(model)
    bended.bend(tb.Scale(2.0), ".*")
    assert "0.weight" not in bended.bended_keys()
    assert sum("original" in key for key in bended.bended_keys()) == 2


def test_other_parametrizations_can_be_wrapped() -> None:
    torch.manual_seed(0)
    for parametrization in (parametrizations.spectral_norm, parametrizations.orthogonal):
        model = nn.Sequential(parametrization(nn.Linear(4, 4))).eval()
        x = torch.randn(2, 4)
        plain, weight = model(x), model[0].weight.detach().clone()
        bended = tb.BendedModule(model)
        bended.trace(x)
        bended.bend(tb.Scale(2.0), "0.weight$")
        wanted = nn.functional.linear(x, 2 * weight, model[0].bias)
        assert torch.allclose(bended(x), wanted, atol=1e-6)
        bended.reset()
        assert torch.equal(bended(x), plain)


def test_encodec_with_its_weight_norm_can_be_wrapped() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.EncodecConfig(
        num_filters=4, codebook_size=16, codebook_dim=8, hidden_size=8, upsampling_ratios=[4, 2]
    )
    torch.manual_seed(0)
    model = transformers.EncodecModel(config).eval()
    x = torch.randn(1, 1, 320)
    bended = tb.BendedModule(model)
    with torch.no_grad():
        plain = model.encoder(x)
        names = [n for n in bended.weight_names if n.startswith("encoder") and n.endswith("original0")]
        assert names
        bended.bend(tb.Scale(1.5), names[0].replace(".", r"\.") + "$")
        assert not torch.equal(bended.encoder(x), plain)
        bended.reset()
        assert torch.equal(bended.encoder(x), plain)


def test_print_activations_has_a_header_row() -> None:
    bended = tb.BendedModule(joseph())
    bended.trace(t=seconds())
    lines = bended.print_activations().splitlines()
    assert lines[0].split()[:5] == ["name", "op", "target", "shape", "dtype"]
    assert set(lines[1]) == {"-", " "}
    assert lines[2].split()[0] == "t"


def test_the_deviation_of_one_element_is_nan_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = tb.BendedModule(joseph()).print_weights()
    row = next(line for line in table.splitlines() if line.startswith("f0"))
    assert row.split()[-1] == "nan"
    assert capsys.readouterr().out.strip() == table.strip()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What notebook tables show, as HTML; the mode is put back afterwards."""
    display = pytest.importorskip("IPython.display")
    pieces: list[str] = []

    def collect(*objects: Any, **options: Any) -> None:
        pieces.extend(o._repr_html_() for o in objects)

    monkeypatch.setattr(display, "display", collect)
    before = tb.get_output()
    tb.set_output("notebook")
    yield pieces
    tb.set_output(before)


def test_notebook_tables_show(shown: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    bended = tb.BendedModule(joseph())
    bended.trace(t=seconds())
    texts = [
        bended.print_weights(),
        bended.print_graph(),
        bended.print_activations(flt="sin"),
    ]
    assert capsys.readouterr().out == ""
    assert len(shown) == 3 and all("<table" in piece for piece in shown)
    assert "f_mult" in shown[0] and "unsqueeze" in shown[1] and "sin" in shown[2]
    assert "f_mult" in texts[0] and "<table" not in texts[0]
