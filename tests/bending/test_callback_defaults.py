"""Every callback works with its defaults, with numbers, controls and 0-dim tensors, alone and chained."""

import re

import pytest
import torch

from torchbend.bending import callbacks as cb
from torchbend.bending.callback import BendingCallback
from torchbend.bending.parameter import BendingParameter, frozen
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError, TorchbendError

SINGLE = [
    getattr(cb, name)
    for name in cb.__all__
    if name not in ("Lambda", "Cluster", "Blend", "InterpolateActivation")
]
MADE = [
    *((cls.__name__, cls) for cls in SINGLE),
    ("Cluster", lambda: cb.Cluster(cb.Scale(2.0), [0])),
    ("Blend", lambda: cb.Blend(cb.Scale(2.0), 0.5)),
    ("Lambda", lambda: cb.Lambda(torch.clone)),
    ("chain", lambda: cb.Scale(2.0) >> cb.Mask(0.5) >> cb.Fold()),
    ("pole", lambda: cb.Smooth(pole=0.5)),
    ("levels", lambda: cb.Quantize(levels=4, peak=1.0)),
    ("delay", lambda: cb.Roll(wrap=False)),
    ("mul", lambda: cb.Normal(op="mul")),
]
INPUTS = {
    "float": torch.linspace(-1, 1, 24).reshape(2, 4, 3),
    "half": torch.linspace(-1, 1, 24).reshape(2, 4, 3).half(),
    "bfloat16": torch.linspace(-1, 1, 24).reshape(2, 4, 3).bfloat16(),
    "double": torch.linspace(-1, 1, 24).reshape(2, 4, 3).double(),
    "complex": torch.linspace(-1, 1, 24).reshape(2, 4, 3) * (1 + 1j),
    "int": torch.arange(24).reshape(2, 4, 3),
    "bool": torch.ones(2, 2, dtype=torch.bool),
    "scalar": torch.tensor(0.5),
    "vector": torch.ones(5),
    "image": torch.randn(2, 3, 4, 4),
    "strided": torch.randn(3, 4, 2).transpose(0, 1),
}


@pytest.mark.parametrize("kind", ["weight", "activation"])
@pytest.mark.parametrize("dtype", INPUTS)
@pytest.mark.parametrize(("name", "make"), MADE, ids=[name for name, _ in MADE])
def test_every_callback_bends_everything_and_writes_nothing(name, make, dtype, kind):
    callback = make()
    if not (callback.weight_compatible if kind == "weight" else callback.activation_compatible):
        with pytest.raises(CallbackError, match="does not bend"):
            callback.apply(INPUTS[dtype], SiteState("s", kind))
        return
    x = INPUTS[dtype].clone()
    before = x.clone()
    out = callback.apply(x, SiteState("s", kind))
    assert out.shape == x.shape and out.device == x.device
    if x.is_floating_point():
        assert out.dtype == x.dtype
    assert torch.equal(x, before)


@pytest.mark.parametrize("cls", SINGLE, ids=lambda cls: cls.__name__)
def test_built_ins_are_pure_and_described(cls):
    callback = cls()
    assert callback.writes_in_place is False
    assert callback == cls(**callback.arguments) and repr(callback).startswith(cls.__name__)
    assert cls.__doc__ and ("Shape:" in cls.__doc__)


CONTROLLED = [
    (cb.Scale, "scale", 0.5),
    (cb.Bias, "bias", 0.5),
    (cb.Affine, "bias", 0.5),
    (cb.Affine, "scale", 0.5),
    (cb.Mask, "prob", 0.5),
    (cb.OrderedMask, "prob", 0.5),
    (cb.ThresholdActivation, "threshold", 0.5),
    (cb.ThresholdPermute, "threshold", 0.5),
    (cb.Normal, "std", 0.5),
    (cb.Clamp, "min", -0.5),
    (cb.Clamp, "max", 0.5),
    (cb.Quantize, "bits", 3.0),
    (cb.Quantize, "levels", 5.0),
    (cb.Quantize, "peak", 0.5),
    (cb.Fold, "threshold", 0.5),
    (cb.Fold, "gain", 3.0),
    (cb.Roll, "shift", 2),
    (cb.Smooth, "length", 3),
    (cb.Smooth, "pole", 0.5),
    (cb.Gate, "threshold", 0.5),
    (cb.Replace, "value", 0.5),
    (cb.Freeze, "hold", True),
]


@pytest.mark.parametrize("kind", ["weight", "activation"])
@pytest.mark.parametrize(("cls", "name", "value"), CONTROLLED, ids=lambda v: getattr(v, "__name__", str(v)))
def test_numbers_controls_expressions_and_tensors_agree(cls, name, value, kind):
    seed = {"seed": 3} if "seed" in cls().arguments else {}
    control = BendingParameter("c", value)
    x = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(1))
    expected = cls(**{name: value}, **seed).apply(x, SiteState("s", kind))
    live = cls(**{name: control}, **seed)
    assert live.controls() == [control]
    assert torch.equal(live.apply(x, SiteState("s", kind)), expected)
    with frozen({control: (0, torch.tensor(value))}):
        assert torch.allclose(live.apply(x, SiteState("s", kind)), expected)
    if value is not True:
        half = BendingParameter("half", value / 2)
        assert torch.equal(cls(**{name: half * 2}, **seed).apply(x, SiteState("s", kind)), expected)


WRONG = [
    (cb.Scale, {"scale": "loud"}),
    (cb.Scale, {"scale": None}),
    (cb.Scale, {"scale": torch.ones(2)}),
    (cb.Mask, {"prob": 1.5}),
    (cb.Mask, {"prob": -0.1}),
    (cb.Mask, {"prob": 0.5j}),
    (cb.Mask, {"prob": float("nan")}),
    (cb.Mask, {"prob": BendingParameter("p", 2.0)}),
    (cb.Mask, {"dim": 1.0}),
    (cb.Mask, {"dim": True}),
    (cb.ThresholdActivation, {"threshold": 2}),
    (cb.Normal, {"op": "div"}),
    (cb.Permute, {"dim": "time"}),
    (cb.Clamp, {"min": 2, "max": 1}),
    (cb.Clamp, {"min": None, "max": None}),
    (cb.Quantize, {"bits": 1}),
    (cb.Quantize, {"levels": 1}),
    (cb.Quantize, {"peak": 0}),
    (cb.Quantize, {"bits": None}),
    (cb.Fold, {"threshold": 0}),
    (cb.Roll, {"shift": 1j}),
    (cb.Roll, {"dim": None}),
    (cb.Smooth, {"length": 0}),
    (cb.Smooth, {"pole": 1.0}),
    (cb.Gate, {"threshold": -1}),
    (cb.Replace, {"value": "x"}),
    (cb.Rewire, {"channels": "01"}),
    (cb.Rewire, {"channels": [0.5]}),
    (cb.Cluster, {"callback": cb.Scale(), "channels": [1, 1]}),
    (cb.Cluster, {"callback": torch.relu, "channels": [1]}),
    (cb.Blend, {"callback": 3}),
    (cb.Blend, {"callback": cb.Scale(), "mix": "wet"}),
    (cb.Lambda, {"fn": 3}),
]


def _words(value: object) -> str:
    """Without the addresses of functions, which differ from process to process."""
    return re.sub(r" at 0x[0-9a-f]+", "", getattr(value, "__name__", str(value)))


@pytest.mark.parametrize(("cls", "arguments"), WRONG, ids=_words)
def test_wrong_arguments_are_refused_when_made(cls, arguments):
    with pytest.raises(CallbackError) as caught:
        cls(**arguments)
    error = caught.value
    assert (
        cls.__name__ in str(error) and error.wanted is not None and error.got is not None and error.next_step
    )


@pytest.mark.parametrize(
    "callback",
    [
        cb.Mask(dim=3),
        cb.Normal(dim=-4),
        cb.Permute(3),
        cb.Roll(dim=5),
        cb.Reverse(3),
        cb.Smooth(dim=3),
        cb.Gate(dim=9),
    ],
    ids=lambda c: type(c).__name__,
)
def test_a_dim_out_of_range_is_told_at_the_site(callback):
    with pytest.raises(TorchbendError) as caught:
        callback.apply(torch.ones(2, 3, 4), SiteState("decoder.sin", "activation", "forward"))
    assert caught.value.site == "forward:decoder.sin" and "(2, 3, 4)" in str(caught.value)


def test_gradients_pass_through():
    for callback in (
        cb.Scale(2.0),
        cb.Mask(0.5),
        cb.Normal(),
        cb.Permute(),
        cb.Fold(),
        cb.Smooth(),
        cb.Smooth(pole=0.5),
    ):
        x = torch.linspace(-2, 2, 24).reshape(2, 4, 3).requires_grad_()
        callback.apply(x, SiteState("s", "activation")).sum().backward()
        assert x.grad is not None and x.grad.any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("name", "make"), MADE, ids=[name for name, _ in MADE])
def test_the_same_on_cuda_as_on_the_cpu(name, make):
    callback: BendingCallback = make()
    x = INPUTS["float"]
    expected = callback.apply(x, SiteState("s", "activation"))
    out = callback.apply(x.cuda(), SiteState("s", "activation"))
    assert out.is_cuda and torch.allclose(out.cpu(), expected, atol=1e-6)
