"""Statistics over several inputs equal those of all inputs put together, and measuring changes nothing."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import torchbend as tb
from torchbend.bending.site import Site
from torchbend.bending.statistics import Accumulator, Statistics
from torchbend.errors import CaptureError, NotTracedError, ShapeError, SiteNotFoundError, TorchbendError

from .models import Branching, TwoWays


def site(kind="activation"):
    return Site("x", kind, "forward" if kind == "activation" else None, torch.Size([1]), torch.float32, "")


def accumulated(*tensors, kind="activation", **settings):
    found = Accumulator(site(kind), **settings)
    for tensor in tensors:
        found.add(tensor)
    return found.result()


@given(
    seed=st.integers(0, 1 << 16),
    sizes=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40)), min_size=1, max_size=5),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    offset=st.sampled_from([0.0, 1.0, -1e5]),
)
def test_the_union_of_inputs_has_the_statistics_of_their_concatenation(seed, sizes, scale, offset):
    generator = torch.Generator().manual_seed(seed)
    parts = [
        torch.randn(batch, 4, length, generator=generator, dtype=torch.float64) * scale + offset
        for batch, length in sizes
    ]
    parts = [part * torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)[:, None] for part in parts]
    found = accumulated(*parts)
    whole = torch.cat([part.flatten() for part in parts])
    assert found.elements == whole.numel()
    assert found.inputs == len(parts)
    assert (found.min, found.max) == (whole.min().item(), whole.max().item())
    assert found.mean == pytest.approx(whole.mean().item(), rel=1e-12, abs=1e-12 * scale)
    assert found.std == pytest.approx(whole.std().item(), rel=1e-10, abs=1e-12 * scale)
    assert (found.channels, found.dead) == (4, 0.25)
    assert found.non_finite == 0


def test_a_large_tensor_is_taken_in_chunks_without_loss():
    x = torch.randn(3, 5, 200_000) + 100
    found = accumulated(x)
    assert found.mean == pytest.approx(x.double().mean().item(), rel=1e-12)
    assert found.std == pytest.approx(x.double().std().item(), rel=1e-12)


def test_values_that_are_not_finite_are_counted_and_left_out():
    x = torch.tensor([[1.0, math.nan, 3.0, -math.inf]])
    found = accumulated(x)
    assert (found.min, found.max, found.mean, found.non_finite) == (1.0, 3.0, 2.0, 0.5)
    assert found.std == pytest.approx(math.sqrt(2))
    # A channel of NaN is broken, not dead.
    assert found.dead == 0


def test_a_channel_is_dead_if_it_stays_near_zero_in_every_input():
    quiet = torch.tensor([[0.0, 1e-7, 1.0, 0.0]])
    assert accumulated(quiet).dead == 0.75
    assert accumulated(quiet, torch.tensor([[0.0, 0.0, 0.0, -2.0]])).dead == 0.5
    assert accumulated(quiet, dead_below=1e-8).dead == 0.5
    assert accumulated(quiet, dead_below=0).dead == 0.5


def test_channels_lie_along_dim_1_of_activations_and_dim_0_of_weights():
    x = torch.zeros(4, 2, 8)
    x[0] = 1
    assert (accumulated(x).channels, accumulated(x).dead) == (2, 0.0)
    assert (accumulated(x, kind="weight").channels, accumulated(x, kind="weight").dead) == (4, 0.75)
    assert accumulated(x, dim=-1).channels == 8
    assert accumulated(torch.zeros(3)).channels == 3
    assert accumulated(torch.tensor(2.0)).channels == 1
    with pytest.raises(ShapeError, match=r"dim in \[-3, 2\]"):
        accumulated(x, dim=3)


def test_the_number_of_channels_may_differ_between_inputs():
    found = accumulated(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 0.0, 0.0, 1.0]]), torch.zeros(1, 1))
    assert (found.channels, found.dead) == (4, 0.5)


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor([[True, False]]),
        torch.tensor([[1, 0]], dtype=torch.uint8),
        torch.tensor([[1, 0]], dtype=torch.int64),
        torch.tensor([[1.0, 0.0]], dtype=torch.bfloat16),
        torch.tensor([[1j, 0]]),
        torch.tensor([[1.0, 0.0]]).to_sparse(),
        torch.tensor([[1.0, 0.0]]).to(torch.float8_e4m3fn),
    ],
    ids=str,
)
def test_tensors_of_every_type_are_measured(x):
    found = accumulated(x)
    assert (found.min, found.max, found.mean, found.dead) == (0, 1, 0.5, 0.5)


def test_the_most_negative_integer_is_not_dead():
    assert accumulated(torch.full((1, 1), -128, dtype=torch.int8)).dead == 0


def test_where_there_is_nothing_there_is_no_number():
    for found in (accumulated(torch.zeros(0, 3)), accumulated(torch.zeros(2, 2, device="meta"))):
        assert math.isnan(found.mean) and math.isnan(found.dead) and math.isnan(found.non_finite)
    one = accumulated(torch.ones(1, 1))
    assert (one.mean, math.isnan(one.std)) == (1.0, True)
    assert accumulated(torch.full((7, 1), 0.1)).std == 0


@pytest.fixture
def bended():
    torch.manual_seed(0)
    model = tb.BendedModule(TwoWays())
    model.trace(torch.randn(1, 2, 8))
    model.trace("encode", torch.randn(1, 2, 8))
    return model


def test_activations_over_a_list_of_inputs(bended):
    inputs = [torch.randn(batch, 2, length) for batch, length in ((1, 8), (3, 5), (2, 20))]
    found = bended.stats("relu", "tanh", inputs=inputs)
    assert [row.site.label for row in found] == ["forward:relu", "forward:tanh"]
    values = [bended.module.down(x).relu().detach().double().flatten() for x in inputs]
    whole = torch.cat(values)
    row = found["relu"]
    assert (row.inputs, row.elements, row.channels) == (3, whole.numel(), 4)
    assert (row.min, row.max) == (whole.min().item(), whole.max().item())
    assert row.mean == pytest.approx(whole.mean().item(), rel=1e-9)
    assert row.std == pytest.approx(whole.std().item(), rel=1e-9)


def test_inputs_come_in_every_form(bended):
    x = torch.randn(1, 2, 8)
    expected = bended.stats("relu", inputs=[x])
    for given_inputs in (x, {"x": x}, [(x,)], [{"x": x}], (x for x in [x])):
        assert bended.stats("relu", inputs=given_inputs) == expected
    assert bended.stats("relu", x=x) == expected
    assert bended.stats("encode:relu", x=x)[0].site.fn == "encode"
    assert bended.stats("relu", fn="encode", x=x)[0].site.fn == "encode"
    assert bended.select("forward:relu").stats([x]) == expected
    assert bended.select("relu").stats([x])["encode:relu"].mean == expected["relu"].mean


def test_what_is_missing_is_told(bended):
    with pytest.raises(CaptureError, match="without an input"):
        bended.stats("relu")
    with pytest.raises(CaptureError, match="list of inputs is empty"):
        bended.stats("relu", inputs=[])
    with pytest.raises(CaptureError, match="no inputs"):
        bended.stats("relu", inputs=3)
    with pytest.raises(SiteNotFoundError, match="closest names"):
        bended.stats("rleu", inputs=[torch.randn(1, 2, 8)])
    with pytest.raises(NotTracedError):
        tb.BendedModule(TwoWays()).stats()
    with pytest.raises(NotTracedError):
        tb.BendedModule(TwoWays()).stats("decode:tanh")


def test_weights_need_neither_inputs_nor_a_trace():
    bended = tb.BendedModule(TwoWays())
    found = bended.stats("up", "shift", buffers=True)
    weight = bended.module.up.weight.detach()
    assert [row.site.kind for row in found] == ["weight", "weight", "buffer"]
    assert (found["up.weight"].channels, found["up.weight"].inputs) == (2, None)
    assert found["up.weight"].std == pytest.approx(weight.std().item(), rel=1e-6)
    with bended.bend(tb.Scale(0.0), "up.weight"):
        assert bended.stats("up.weight")[0].dead == 1


def test_all_activations_are_measured_by_default(bended):
    found = bended.stats(inputs=[torch.randn(1, 2, 8)])
    assert {row.site.kind for row in found} == {"activation"}
    assert {row.site.fn for row in found} == {"forward"}
    assert "tanh" in [row.site.name for row in found]


def test_bends_are_seen(bended):
    x = torch.randn(1, 2, 8)
    plain = bended.stats("relu", inputs=x)["relu"]
    bended.bend(tb.Scale(-2.0), "forward:relu")
    bent = bended.stats("relu", inputs=x)["relu"]
    assert bent.min == pytest.approx(-2 * plain.max)
    assert bent.std == pytest.approx(2 * plain.std)


def test_a_site_that_some_inputs_do_not_reach_counts_those_that_do():
    bended = tb.BendedModule(Branching())
    bended.trace(torch.ones(1, 2))
    found = bended.stats("sin", inputs=[torch.ones(1, 2), -torch.ones(1, 2)])
    assert found["sin"].inputs == 1
    assert math.isnan(bended.stats("sin", inputs=[-torch.ones(1, 2)])["sin"].mean)


def test_measuring_changes_neither_buffers_nor_the_random_state():
    module = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)).train()
    bended = tb.BendedModule(module)
    bended.trace(torch.randn(4, 3))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = torch.get_rng_state()
    inputs = [torch.ones(4, 3), torch.zeros(2, 3)]
    bended.stats(inputs=inputs)
    bended.similar_channels("_1", inputs=inputs)
    assert torch.equal(torch.get_rng_state(), state)
    assert tb.compare_state_dict_tensors(before, module.state_dict())


def test_nothing_of_an_input_is_kept_and_no_gradient_is_made(bended):
    found = bended.stats("relu", inputs=[torch.randn(1, 2, 8, requires_grad=True)])
    assert bended.module.down.weight.grad is None
    assert not any(isinstance(value, torch.Tensor) for value in vars(found[0]).values())


def test_an_error_in_the_middle_leaves_the_module_as_it_was(bended):
    x = torch.randn(1, 2, 8)
    plain = bended(x)
    with pytest.raises(RuntimeError):
        bended.stats("relu", inputs=[x, torch.randn(1, 7, 8)])
    assert torch.equal(bended(x), plain)
    assert all(not part._forward_hooks for part in bended.module.modules())


def test_the_table_prints_sorts_and_is_data(bended):
    found = bended.stats("relu", "down.weight", inputs=[torch.zeros(1, 2, 8)])
    assert isinstance(found, Statistics)
    text = str(found)
    assert text == repr(found)
    assert text.splitlines()[0].split() == [
        *("site", "inputs", "elements", "channels", "min", "max", "mean", "std", "dead", "non_finite")
    ]
    assert "dead: channels that stay within 1e-06 of zero" in text
    assert "<table" in found._repr_html_()
    assert [row.elements for row in found.sorted("elements", descending=False)] == sorted(
        row.elements for row in found
    )
    assert found.sorted("inputs")[-1].inputs is None
    assert len(found[:1]) == 1
    with pytest.raises(TorchbendError, match="unknown column"):
        found.sorted("site")
    with pytest.raises(SiteNotFoundError, match="none of these 2"):
        found["sin"]


def test_a_bar_is_shown_only_when_asked_for_where_there_is_no_terminal(bended, capsys):
    inputs = [torch.randn(1, 2, 8)] * 3
    bended.stats("relu", inputs=inputs)
    assert capsys.readouterr().err == ""
    assert bended.stats("relu", inputs=inputs, progress=True)[0].inputs == 3
    shown = capsys.readouterr()
    assert "inputs" in shown.err and "3/3" in shown.err
    assert shown.out == ""
