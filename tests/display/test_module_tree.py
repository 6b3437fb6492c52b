"""The module tree is static, complete, honest about what is bent, and small for large models."""

import re
from html.parser import HTMLParser

import pytest
import torch
from torch import nn

from torchbend.display import SiteRow, module_tree_html, sites_html
from torchbend.display.histogram import histogram_svg, sample


class Balance(HTMLParser):
    """Checks that what opens closes."""

    def __init__(self):
        super().__init__()
        self.stack, self.urls = [], []

    def handle_starttag(self, tag, attrs):
        self.stack.append(tag)
        self.urls += [value for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass


def checked(html):
    parser = Balance()
    parser.feed(html)
    assert parser.stack == []
    assert parser.urls == []
    assert "http" not in html
    return html


def text_of(html):
    html = re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def model():
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.Tanh(), nn.BatchNorm1d(4))


def test_every_weight_and_buffer_is_there_with_shape_type_and_path():
    html = checked(module_tree_html(model()))
    for name in ("0.weight", "0.bias", "2.weight", "2.running_mean", "2.num_batches_tracked"):
        assert f'data-tb-path="{name}"' in html
    words = text_of(html)
    assert "Sequential 36 parameters" in words
    assert "0 Conv1d 28 parameters" in words
    assert "weight [4, 2, 3] float32" in words
    assert "num_batches_tracked [] int64" in words
    assert html.count("<svg") == 7


def test_what_is_bent_is_marked_with_what_bends_it():
    html = checked(module_tree_html(model(), bent={"0.weight": "Scale(<b>)", "sin": "Mask(0.3)"}))
    words = text_of(html)
    assert "\u25cf 2 bent" in words
    assert "0 Conv1d 28 parameters \u25cf 1 bent" in words
    assert "Scale(&lt;b&gt;)" in words
    assert "bent elsewhere sin" in words
    assert re.search(r"<details open><summary><button[^>]*data-tb-path=\"0\"", html)


def test_names_and_titles_are_escaped():
    module = nn.Module()
    module.add_module('<img src=x onerror="a">', nn.Linear(1, 1))
    html = checked(module_tree_html(module, title="<script>"))
    assert "<img" not in html
    assert html.count("<script>") == 1


def test_layers_that_look_the_same_are_shown_once():
    layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(12))
    words = text_of(module_tree_html(layers))
    assert "1 \u2026 11: 11 more like 0 (Linear, 12 parameters each)" in words
    assert words.count("weight") == 1


def test_a_bent_layer_is_never_folded_away():
    layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(12))
    words = text_of(module_tree_html(layers, bent={"6.weight": "Scale(2)"}))
    assert "1 \u2026 5: 5 more like 0" in words
    assert "\u25cf Scale(2)" in words
    assert "8 \u2026 11: 4 more like 7" in words
    everywhere = {f"{index}.weight": "Scale(2)" for index in range(12)}
    words = text_of(module_tree_html(layers, bent=everywhere))
    assert "11 more like 0 (Linear, 12 parameters each, bent alike)" in words
    assert "bent elsewhere" not in words


def test_layers_with_names_of_their_own_are_not_folded():
    names = ("query", "key", "value", "out")
    words = text_of(module_tree_html(nn.ModuleDict({name: nn.Linear(3, 3) for name in names})))
    assert all(f"{name} Linear" in words for name in names)


def test_tied_weights_and_shared_modules_are_told():
    module = nn.Module()
    module.a, module.b = nn.Linear(2, 2), nn.Linear(2, 2)
    module.b.weight = module.a.weight
    module.c = module.a
    words = text_of(module_tree_html(module))
    assert "= a.weight" in words
    assert "c: the same module as a" in words


def test_only_so_many_weights_are_listed_and_the_rest_counted():
    module = nn.ModuleList(nn.Linear(size, size) for size in range(1, 21))
    html = checked(module_tree_html(module, max_weights=10, bent={"19.weight": "Scale(2)"}))
    assert html.count('class="tb-weight"') == 11
    assert "29 more weights are not listed here" in text_of(html)
    assert "Scale(2)" in html


def test_odd_tensors_are_drawn_or_left_blank():
    module = nn.Module()
    for index, x in enumerate(
        [
            torch.empty(3, device="meta"),
            torch.empty(0),
            torch.tensor(True),
            torch.ones(3) * 1j,
            torch.full((4,), float("nan")),
            torch.ones(2, 2).to_sparse(),
            torch.ones(3, dtype=torch.bfloat16),
        ]
    ):
        module.register_buffer(f"b{index}", x)
    module.lazy = nn.LazyLinear(2)
    html = checked(module_tree_html(module))
    assert "uninitialized" in html
    assert html.count("<svg") == 4


def test_a_sample_covers_a_large_tensor_from_end_to_end():
    x = torch.zeros(3_000_000, dtype=torch.uint8)
    x[0], x[-1] = 7, 9
    values = sample(x.reshape(1000, 3000), 100)
    assert values.numel() == 100
    assert values[0] == 7
    assert values[-1] == 9


def test_a_histogram_has_the_heights_of_its_counts():
    svg = histogram_svg(torch.tensor([0.0] * 4 + [1.0] * 2))
    heights = [float(found) for found in re.findall(r"v-([\d.]+)h", svg)]
    assert heights == [17, 8.5]
    assert "<title>0 to 1</title>" in svg


def test_a_large_model_gives_a_small_page():
    with torch.device("meta"):
        module = nn.ModuleList(nn.TransformerEncoderLayer(2048, 16, 8192) for _ in range(24))
    assert len(module_tree_html(module)) < 20_000


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_of_sites_shows_names_shapes_and_bends(count):
    sites = [
        SiteRow("decoder.3.weight", torch.Size([4, 2]), "weight", "Scale(<2>)"),
        SiteRow("sin", (1, 4), "activation"),
        SiteRow("x"),
    ][:count]
    html = checked(sites_html(sites))
    words = text_of(html)
    assert words.startswith(f"{count} site" + ("" if count == 1 else "s"))
    if count == 3:
        assert "decoder.3.weight [4, 2] weight \u25cf Scale(&lt;2&gt;) sin [1, 4] activation x" in words
    assert "2 more" in text_of(sites_html([SiteRow(str(i)) for i in range(5)], max_sites=3))
