"""In a notebook, tables are HTML, and a bent module is a tree that shows its bends and stays small."""

import re

import pytest
import torch
from torch import nn

import torchbend as tb
from torchbend.display import using_output

from .models import TwoWays


@pytest.fixture
def bended():
    model = tb.BendedModule(TwoWays())
    model.trace("encode", torch.randn(1, 2, 8))
    return model


def words(html):
    html = re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize(
    "show",
    [
        lambda b: b.print_weights(),
        lambda b: b.print_activations("encode"),
        lambda b: b.print_graph("encode"),
        lambda b: b.print_buffers(),
        lambda b: b.graph("encode").print_tabular(),
    ],
    ids=["weights", "activations", "graph", "buffers", "tabular"],
)
def test_tables_are_shown_as_html(bended, show, capsys):
    pytest.importorskip("IPython")
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    InteractiveShell.instance()  # display() prints a plain text where there is no shell
    try:
        with using_output("notebook"), capture_output() as shown:
            show(bended)
    finally:
        InteractiveShell.clear_instance()
    assert len(shown.outputs) == 1
    assert "<table" in shown.outputs[0].data["text/html"]
    assert shown.stdout == ""


def test_a_bent_activation_is_shown_in_its_module_under_the_name_that_selects_it(bended):
    bended.bend(tb.Scale(2.0), "encode:down$")
    bended.bend(tb.Scale(3.0), "encode:relu")
    html = bended._repr_html_()
    assert 'data-tb-path="encode:down"' in html
    down, up = html.index(">down</button>"), html.index(">up</button>")
    assert html.index('data-tb-path="encode:relu"') < down < html.index('data-tb-path="encode:down"') < up
    assert "encode:down [1, 4, 8] activation \N{BLACK CIRCLE} Scale(scale=2.0)" in words(html)
    assert "bent elsewhere" not in html
    assert "TwoWays 54 parameters \N{BLACK CIRCLE} 2 bent" in words(html)
    assert [bended.select(label).one().label for label in bended.bended_keys()] == bended.bended_keys()


def test_a_bent_activation_of_a_shared_module_is_not_lost():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    module.append(module[0])
    bended = tb.BendedModule(module)
    bended.trace(torch.randn(1, 2))
    bended.bend(tb.Scale(2.0), ".*_?0")
    html = bended._repr_html_()
    assert all(f'data-tb-path="{key}"' in html for key in bended.bended_keys())


@pytest.mark.parametrize(
    ("norm", "part"),
    [
        (nn.utils.parametrizations.weight_norm, "parametrizations.weight.original1"),
        (nn.utils.parametrizations.spectral_norm, "parametrizations.weight.original"),
    ],
)
def test_a_computed_weight_is_shown_before_its_parts(norm, part):
    bended = tb.BendedModule(nn.Sequential(norm(nn.Conv1d(2, 4, 3))).eval())
    bended.bend(tb.Scale(2.0), "0.weight$")
    html = bended._repr_html_()
    assert "0 Conv1d" in words(html)
    assert "weight [4, 2, 3] float32 -" not in html
    assert html.index('data-tb-path="0.weight"') < html.index(f'data-tb-path="0.{part}"')
    assert html.count("\N{BLACK CIRCLE} Scale(scale=2.0)") == 1
    assert "bent elsewhere" not in html
    assert all(f'data-tb-path="{name}"' in html for name in bended.weight_names)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_weight_of_the_old_weight_norm_is_shown():
    bended = tb.BendedModule(nn.utils.weight_norm(nn.Linear(2, 3)))
    html = bended._repr_html_()
    assert "weight [3, 2] float32" in words(html) and "computed" in words(html)
    assert all(f'data-tb-path="{name}"' in html for name in bended.weight_names)


def test_a_list_of_sites_has_a_cell_for_each_column(bended):
    bended.bend(tb.Scale(2.0), "encode:relu")
    html = bended.select("encode:.*")._repr_html_()
    lines = re.findall(r'<div class="tb-weight">(.*?)</div>', html)
    assert len(lines) == len(bended.select("encode:.*"))
    assert {len(re.findall(r"<(?:span|button)[ >]", line)) for line in lines} == {5}


def test_a_model_of_a_hundred_million_weights_gives_a_small_page():
    with torch.device("meta"):
        layers = [nn.TransformerEncoderLayer(768, 12, 3072) for _ in range(12)]
    bended = tb.BendedModule(nn.Sequential(*layers))
    assert len(bended._repr_html_()) < 20_000
    for index, layer in enumerate(bended.weight_names):
        bended.bend(tb.Scale(float(index)), layer)
    assert len(bended._repr_html_()) < 200_000
    assert len(bended.select()._repr_html_()) < 200_000
