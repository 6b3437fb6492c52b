"""A selection is a value: it shows, counts, iterates and combines; then it acts on exactly its sites."""

import pytest
import torch
from torch import nn

import torchbend as tb
from torchbend.errors import CaptureError, NotTracedError, SiteNotFoundError

from .models import NameTwice, TwoWays


@pytest.fixture
def bended():
    torch.manual_seed(0)
    model = tb.BendedModule(TwoWays())
    model.trace("encode", torch.randn(1, 2, 8))
    model.trace("decode", torch.randn(1, 4, 8))
    return model


def test_a_selection_counts_iterates_and_gives_sites(bended):
    chosen = bended.select("up.weight", "encode:relu")
    assert len(chosen) == 2
    weight, activation = chosen
    assert (weight.name, weight.kind, weight.fn, weight.label) == ("up.weight", "weight", None, "up.weight")
    assert weight.shape == (2, 4, 3)
    assert weight.dtype == torch.float32
    assert weight.module_path == "up"
    assert (activation.name, activation.kind, activation.fn) == ("relu", "activation", "encode")
    assert activation.label == "encode:relu"
    assert activation.shape == (1, 4, 8)
    assert "models.py:" in activation.source
    assert chosen.names == ["up.weight", "relu"]
    assert chosen[0] is weight
    assert chosen["encode:relu"] == chosen["relu"] == activation
    assert list(chosen[1:]) == [activation]
    assert "relu" in chosen and weight in chosen and "tanh" not in chosen
    with pytest.raises(AttributeError):
        weight.name = "other"


def test_selections_combine_like_sets_and_keep_their_order(bended):
    every, down = bended.select(".*"), bended.select("down")
    assert (every & down) == down
    assert (every - down) | down == every
    assert len((every - down) & down) == 0
    assert (down | down).labels == down.labels
    assert (bended.select("up") | down).labels == [*bended.select("up").labels, *down.labels]
    assert hash(every | down) == hash(every)
    assert down != bended.select("up")
    with pytest.raises(SiteNotFoundError, match="two bent modules"):
        down | tb.BendedModule(TwoWays()).select("down")
    with pytest.raises(TypeError):
        down | ["down.weight"]


def test_only_and_where_narrow(bended):
    chosen = bended.select(".*", buffers=True)
    assert chosen.only("weights").names == bended.weight_names
    assert chosen.only("buffers").names == ["shift"]
    assert {site.kind for site in chosen.only("weights", "activations")} == {"weight", "activation"}
    assert chosen.where(lambda site: site.fn == "decode").labels[-1] == "decode:tanh"
    with pytest.raises(SiteNotFoundError, match="unknown kind"):
        chosen.only("layers")


def test_one_tells_how_many_there_were(bended):
    assert bended.select("encode:relu$").one().name == "relu"
    with pytest.raises(SiteNotFoundError, match=r"there were 2[\s\S]*narrow the pattern"):
        bended.select("up").only("weights").one()
    with pytest.raises(SiteNotFoundError, match="there were none"):
        bended.select("encode:relu").only("weights").one()


def test_a_pattern_without_a_match_names_the_closest(bended):
    with pytest.raises(SiteNotFoundError, match=r"closest names: .*down\.weight"):
        bended.select("dwon.weight")
    with pytest.raises(NotTracedError, match="'forward' has not been traced"):
        bended.select("forward:relu")
    with pytest.raises(NotTracedError, match=r"write flt='\.\*relu'"):
        bended.print_activations(".*relu")
    with pytest.raises(SiteNotFoundError, match="pass buffers=True"):
        tb.BendedModule(TwoWays()).select("shift$")
    with pytest.raises(SiteNotFoundError, match=r"closest names: up\.weight"):
        bended.select("up")["up.wieght"]


def test_bending_a_selection_bends_exactly_its_sites_and_lands_in_the_recipe(bended):
    x = torch.randn(1, 2, 8)
    plain = bended.encode(x)
    handle = bended.select("encode:relu").bend(tb.Scale(0.0))
    assert bended.bended_keys() == ["encode:relu"]
    assert torch.equal(bended.encode(x), torch.full_like(plain, 0.5))
    other = tb.BendedModule(bended.module)
    other.trace("encode", x)
    other.bend(bended.bending_config())
    assert torch.equal(other.encode(x), bended.encode(x))
    handle.remove()
    assert torch.equal(bended.encode(x), plain)


def test_every_kind_of_site_is_bent_by_a_selection(bended):
    chosen = bended.select("up.weight$", "shift$", "decode:add$", buffers=True)
    with chosen.bend(tb.Scale(0.0)) as handle:
        assert handle.keys == chosen.labels
        constant = bended.module.up.bias.tanh()[:, None].expand(1, 2, 8)
        assert torch.equal(bended.decode(torch.randn(1, 4, 8)), constant)
    assert bended.bended_keys() == []


@pytest.mark.parametrize("kind", ["weights", "activations"])
def test_a_weight_and_an_activation_of_one_name_are_kept_apart(kind):
    bended = tb.BendedModule(NameTwice())
    x = torch.tensor([1.0])
    bended.trace(x)
    chosen = bended.select("mul$")
    assert [site.kind for site in chosen] == ["weight", "activation"]
    with chosen.only(kind).bend(tb.Scale(10.0)):
        assert bended(x).item() == (3 + 20 if kind == "weights" else 30 + 2)
    with chosen.bend(tb.Scale(10.0)):
        assert bended(x).item() == 50
    assert bended(x).item() == 5


def test_an_empty_selection_does_not_act(bended):
    empty = bended.select("up").where(lambda site: False)
    assert str(empty) == repr(empty) == "0 sites"
    for act in (lambda: empty.bend(tb.Scale(2.0)), empty.capture, empty.stats):
        with pytest.raises(SiteNotFoundError, match="empty"):
            act()


def test_capture_gives_values_of_weights_and_activations(bended):
    x = torch.randn(3, 2, 5)
    module = bended.module
    values = bended.select("down.weight$", "encode:down$", "encode:relu").capture(x)
    assert list(values) == ["down.weight", "down", "relu"]
    assert torch.equal(values["down.weight"], module.down.weight)
    assert torch.equal(values["down"], module.down(x))
    assert torch.equal(values["relu"], module.down(x).relu())
    assert torch.equal(bended.select("encode:relu").capture(x=x)["relu"], values["relu"])
    assert list(bended.select("up").only("weights").capture()) == ["up.weight", "up.bias"]


def test_capture_shows_the_bends_unless_the_original_is_asked_for(bended):
    x = torch.randn(1, 2, 5)
    chosen = bended.select("down.weight$", "encode:relu")
    original = chosen.capture(x)
    chosen.bend(tb.Scale(2.0))
    both = chosen.capture(x, _values="both")
    assert torch.equal(both["down.weight"][0], original["down.weight"])
    assert torch.equal(both["down.weight"][1], 2 * original["down.weight"])
    assert torch.equal(both["relu"][1], 2 * both["relu"][0])
    assert torch.equal(chosen.capture(x)["relu"], both["relu"][1])
    with pytest.raises(CaptureError, match="unknown kind of values"):
        chosen.only("weights").capture(_values="bend")


def test_activations_of_several_methods_are_named_by_label():
    bended = tb.BendedModule(TwoWays())
    x = torch.randn(1, 2, 5)
    bended.trace("forward", x)
    bended.trace("encode", x)
    values = bended.select("relu").capture(x)
    assert list(values) == ["forward:relu", "encode:relu"]
    assert torch.equal(values["forward:relu"], values["encode:relu"])


def test_a_selection_prints_what_bends_its_sites(bended):
    chosen = bended.select("up", "encode:relu")
    bended.bend(tb.Scale(2.0), "up.weight$")
    bended.bend(tb.Scale(3.0), "up.weight$")
    line = next(line for line in str(chosen).splitlines() if line.startswith("up.weight"))
    assert line.split()[1:3] == ["weight", "[2,"]
    assert line.endswith("Scale(scale=2.0), Scale(scale=3.0)")
    html = chosen._repr_html_()
    assert "\N{BLACK CIRCLE} Scale(scale=2.0), Scale(scale=3.0)" in html
    assert "encode:relu" in html


def test_a_long_selection_is_cut_at_the_prompt_only():
    bended = tb.BendedModule(nn.ModuleList(nn.Linear(1, 1) for _ in range(50)))
    chosen = bended.select()
    assert len(chosen) == 100
    assert "40 more" in repr(chosen)
    assert "49.bias" not in repr(chosen)
    assert "49.bias" in str(chosen)


def test_a_tied_weight_is_marked_under_both_names():
    module = nn.Module()
    module.a, module.b = nn.Linear(2, 2), nn.Linear(2, 2)
    module.b.weight = module.a.weight
    bended = tb.BendedModule(module)
    bended.bend(tb.Scale(2.0), "a.weight")
    assert str(bended.select("b.weight")).rstrip().endswith("Scale(scale=2.0)")
    assert bended._repr_html_().count("\N{BLACK CIRCLE} Scale(scale=2.0)") == 2


def test_looking_at_a_spectral_norm_in_train_mode_changes_nothing():
    module = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3)))
    before = [tensor.clone() for tensor in module.buffers()]
    bended = tb.BendedModule(module)
    bended.select("0.weight$")
    bended.stats("0.weight$")
    bended._repr_html_()
    assert all(torch.equal(a, b) for a, b in zip(before, module.buffers(), strict=True))
