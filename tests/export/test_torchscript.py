"""A bent model as TorchScript is the bent model, at any length, and its controls stay live."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from torchbend.errors import NotTracedError


class Vocoder(nn.Module):
    """Two methods, a buffer, a weight computed from parts, a length read from the input."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv1d(1, 4, 3, padding=1)
        self.last = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 2, 3, padding=1))
        self.register_buffer("level", torch.tensor([[[1.0], [2.0]]]))

    def encode(self, x: Tensor) -> Tensor:
        return torch.sin(self.first(x))

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        ramp = torch.arange(x.shape[-1]).to(x) * slope
        return self.last(self.encode(x)) * self.level + ramp


@pytest.fixture
def bended() -> tb.BendedModule:
    bended = tb.BendedModule(Vocoder())
    x = torch.randn(1, 1, 16, generator=torch.Generator().manual_seed(1))
    bended.trace("forward", x)
    bended.trace("encode", x)
    return bended


def same(exported: nn.Module, bended: tb.BendedModule) -> bool:
    """Whether both methods give the same to the bit, for lengths and batches other than the traced ones."""
    with torch.no_grad():
        return all(
            torch.equal(exported(x), bended(x)) and torch.equal(exported.encode(x), bended.encode(x))
            for x in (torch.randn(1, 1, 16), torch.randn(3, 1, 5), torch.randn(2, 1, 200))
        )


def test_an_unbent_model_is_exported_as_it_is(bended: tb.BendedModule) -> None:
    assert same(bended.script(), bended)


def test_fixed_bends_are_in_the_file_in_the_place_of_the_weights(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(2.0), "first.weight")
    bended.bend(tb.Mask(0.5, seed=3), "last.weight$", "encode:sin")
    bended.bend(tb.Scale(3.0), "last.parametrizations.weight.original0")
    bended.bend(tb.Bias(0.25), "level", buffers=True)
    exported = bended.script()
    assert same(exported, bended)
    held = dict(exported.named_buffers())
    assert torch.equal(held["model.first.weight"], 2 * bended.module.first.weight)
    assert not any(name.startswith("bent.") for name in held)


def test_controls_of_weights_and_activations_are_live(bended: tb.BendedModule) -> None:
    gain = tb.BendingParameter("gain", 2.0, range=(0, 4))
    shift = tb.BendingParameter("shift", 2, range=(0, 8))
    on = tb.BendingParameter("on", True)
    bended.bend(tb.Scale(2 * gain), "first.weight")
    bended.bend(tb.Scale(gain) >> tb.Bias(shift), "last.weight$")
    bended.bend(tb.Scale(gain + on), "encode:sin", "forward:sin")
    exported = bended.script()
    for values in ((2.0, 2, True), (0.5, 8, False), (4.0, 0, True)):
        for name, value in zip(("gain", "shift", "on"), values, strict=True):
            assert getattr(exported, f"set_{name}")(value) == 0
            assert getattr(exported, f"get_{name}")() == value
            bended.update(name, value)
        assert same(exported, bended)


def test_a_bent_weight_is_computed_when_a_control_is_set_and_not_at_each_call(
    bended: tb.BendedModule,
) -> None:
    bended.bend(tb.Scale(tb.BendingParameter("gain", 2.0)), "first.weight")
    exported = bended.script()
    weight = dict(exported.named_buffers())["bent.w0"]
    assert torch.equal(weight, 2 * bended.module.first.weight)
    exported.set_gain(3.0)
    assert torch.equal(weight, 3 * bended.module.first.weight)
    assert "mul(weight" not in exported.encode.code.replace("torch.", "")


def test_weight_and_bias_of_a_control_apply(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(tb.BendingParameter("gain", 0.5, weight=4.0, bias=-1.0)), "first.weight")
    exported = bended.script()
    exported.set_gain(0.25)
    bended.update("gain", 0.25)
    assert same(exported, bended)
    assert exported.get_gain() == 0.25


def test_a_complex_control_is_live() -> None:
    class Turned(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.rfft(x).exp()

    bended = tb.BendedModule(Turned())
    bended.trace(torch.randn(2, 8))
    bended.bend(tb.Scale(tb.BendingParameter("turn", 1 + 2j)), "fft_rfft|rfft")
    exported = bended.script()
    exported.set_turn(0.5 - 1j)
    bended.update("turn", 0.5 - 1j)
    x = torch.randn(3, 12)
    assert exported.get_turn() == 0.5 - 1j
    assert torch.allclose(exported(x), bended(x))


@pytest.mark.parametrize("value", [-0.01, 4.01, float("nan"), float("inf")])
def test_a_value_out_of_range_is_refused_and_changes_nothing(bended: tb.BendedModule, value: float) -> None:
    bended.bend(tb.Scale(tb.BendingParameter("gain", 2.0, range=(0, 4))), "first.weight")
    exported = bended.script()
    with pytest.raises(torch.jit.Error, match=r"the control 'gain' takes a value in \(0, 4\), not"):
        exported.set_gain(value)
    assert exported.get_gain() == 2.0
    assert same(exported, bended)


def test_a_clamped_control_goes_to_the_end_of_its_range(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(tb.BendingParameter("gain", 2.0, range=(0, 4), clamp=True)), "forward:sin")
    exported = bended.script()
    exported.set_gain(9.0)
    assert exported.get_gain() == 4.0
    exported.set_gain(-9.0)
    assert exported.get_gain() == 0.0
    with pytest.raises(torch.jit.Error, match="nan"):
        exported.set_gain(float("nan"))


def test_the_live_model_and_the_export_share_nothing(bended: tb.BendedModule) -> None:
    gain = tb.BendingParameter("gain", 2.0)
    bended.bend(tb.Scale(gain), "first.weight")
    before = {name: t.clone() for name, t in bended.module.state_dict().items()}
    random = torch.get_rng_state()
    exported = bended.script()
    assert torch.equal(torch.get_rng_state(), random)
    assert tb.compare_state_dict_tensors(before, bended.module.state_dict())
    exported.set_gain(3.0)
    assert gain.value == 2.0
    assert torch.equal(bended.bended_weights()["first.weight"], 2 * before["first.weight"])
    with torch.no_grad():
        bended.module.first.bias.zero_()
    assert not torch.equal(dict(exported.named_buffers())["model.first.bias"], torch.zeros(4))
    assert not any(t.requires_grad for t in exported.state_dict().values())


def test_state_written_in_place_lives_on_in_the_export_and_starts_as_it_was() -> None:
    class Delay(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("kept", torch.zeros(1, 4))

        def forward(self, x: Tensor) -> Tensor:
            both = torch.cat([self.kept, x], -1)
            self.kept.copy_(both[..., -4:])
            return both[..., :-4] * 1.0

    model = Delay()
    bended = tb.BendedModule(model)
    bended.trace(torch.randn(1, 8))
    bended.bend(tb.Scale(tb.BendingParameter("gain", 2.0)), "mul$")
    exported = bended.script()
    assert torch.equal(model.kept, torch.zeros(1, 4))
    blocks = torch.randn(5, 1, 8)
    assert all(torch.equal(exported(block), bended(block)) for block in blocks)


def test_a_scripted_submodule_is_exported_too() -> None:
    model = nn.Sequential(torch.jit.script(nn.Linear(3, 3)), nn.Tanh())
    bended = tb.BendedModule(model)
    bended.trace(torch.randn(1, 3))
    exported = bended.script()
    x = torch.randn(4, 3)
    assert torch.equal(exported(x), bended(x))


def test_arguments_without_tensors_are_fixed_and_inputs_can_be_given() -> None:
    bended = tb.BendedModule(Vocoder())
    x = torch.randn(2, 1, 9)
    exported = bended.script(inputs={"forward": {"x": x, "slope": 3.0}, "encode": x})
    assert torch.equal(exported(x), bended(x, slope=3.0))
    assert torch.equal(exported(x=x), bended(x, slope=3.0))
    assert torch.equal(exported.encode(x), bended.encode(x))


def test_inputs_of_callbacks_are_inputs_of_the_export(bended: tb.BendedModule) -> None:
    bended.bend(tb.InterpolateActivation(), "encode:sin")
    x, mix = torch.randn(3, 1, 16), torch.tensor([[0.25, 0.5, 0.25]])
    given = {"x": x, "interp_weights": mix}
    exported = bended.script(inputs={"encode": given, "forward": given})
    other = torch.tensor([[1.0, -1.0, 2.0]])
    assert torch.equal(exported.encode(x, other), bended.encode(x, interp_weights=other))
    assert torch.equal(exported(x, other), bended(x, interp_weights=other))


def test_nothing_traced_is_told() -> None:
    with pytest.raises(NotTracedError):
        tb.BendedModule(Vocoder()).script()


def test_the_protocol_of_nn_can_be_had_without_a_file() -> None:
    bended = tb.BendedModule(nn.Conv1d(1, 2, 3, padding=1))
    bended.trace(torch.randn(1, 1, 64))
    bended.bend(tb.Scale(tb.BendingParameter("gain", 1.0, range=(0.0, 2.0))), "weight$")
    exported = bended.script(export_for_nn=True)
    assert exported.get_methods() == ["forward"] and exported.get_attributes() == ["gain"]
    assert exported.forward_params.tolist() == [1, 1, 2, 1]
    x = torch.randn(1, 1, 128)
    assert exported.set_gain(2.0) == 0 and exported.get_gain() == (2.0,)
    bended.update("gain", 2.0)
    assert torch.allclose(exported(x), bended(x), atol=1e-6)
    with pytest.raises(tb.errors.ExportError, match="compiled"):
        bended.script(script=False, export_for_nn=True)


def test_without_script_the_module_to_trace_is_given(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(2.0), "first.weight")
    shell = bended.script(script=False)
    assert not isinstance(shell, torch.jit.ScriptModule)
    x = torch.randn(1, 1, 8)
    assert torch.equal(shell(x), bended(x))


def test_two_controls_meet_in_a_weight_and_in_its_parts(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(tb.BendingParameter("part", 1.0)), "last.parametrizations.weight.original0")
    bended.bend(tb.Bias(tb.BendingParameter("whole", 0.0)), "last.weight$")
    exported = bended.script()
    for name, value in (("part", 2.0), ("whole", 0.5), ("part", -1.0), ("whole", 0.0)):
        getattr(exported, f"set_{name}")(value)
        bended.update(name, value)
        assert same(exported, bended)


def test_an_lstm_and_tied_weights_follow_their_control() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.lstm = nn.LSTM(4, 4, batch_first=True)
            self.up, self.down = nn.Linear(4, 4), nn.Linear(4, 4)
            self.down.weight = self.up.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.down(self.up(self.lstm(x)[0]))

    bended = tb.BendedModule(Recurrent())
    bended.trace(torch.randn(1, 6, 4))
    gain = tb.BendingParameter("gain", 1.5)
    bended.bend(tb.Scale(gain), "lstm.weight_hh_l0", "up.weight", r"lstm\[0\]")
    exported = bended.script()
    x = torch.randn(2, 6, 4)
    for value in (1.5, 0.25, -2.0):
        exported.set_gain(value)
        bended.update("gain", value)
        with torch.no_grad():
            assert torch.allclose(exported(x), bended(x), atol=1e-6)


def test_versions_are_exported_as_they_are_active(bended: tb.BendedModule) -> None:
    louder = {name: 2 * t for name, t in bended.module.state_dict().items()}
    bended.create_version("louder", louder)
    bended.bend(tb.Scale(tb.BendingParameter("gain", 1.5)), "first.weight")
    with bended.set_version("louder"):
        exported = bended.script()
        exported.set_gain(0.5)
        bended.update("gain", 0.5)
        assert same(exported, bended)
    assert not same(exported, bended)


def test_a_module_that_was_exported_can_be_bent_on(bended: tb.BendedModule) -> None:
    gain = tb.BendingParameter("gain", 2.0)
    bended.bend(tb.Scale(gain), "first.weight", "forward:sin")
    x = torch.randn(1, 1, 16)
    before = bended(x)
    bended.script()
    assert torch.equal(bended(x), before)
    gain.set_value(1.0)
    assert torch.equal(bended(x), bended.module(x))
