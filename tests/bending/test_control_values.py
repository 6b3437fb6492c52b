"""Controls: typed, ranged, live in arithmetic, one value per call."""

import copy
import operator
import pickle
import threading

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchbend.bending.parameter import BendingExpression, BendingParameter, BendingParamType, frozen
from torchbend.errors import ControlError

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod]


@pytest.mark.parametrize("value", [0.5, 3, True, 1 + 2j])
def test_a_control_keeps_its_type(value):
    control = BendingParameter("c", value)
    assert control.get_value() == value
    assert type(control.get_python_value()) is type(value)
    assert control.param_type == BendingParamType[type(value)] == BendingParamType[type(value).__name__]


def test_an_int_control_takes_whole_floats_and_refuses_halves():
    control = BendingParameter("steps", 3)
    control.set_value(2.0)
    assert control.get_value() == 2 and type(control.get_value()) is int
    for wrong in (0.5, float("inf"), 1j, "2", None):
        with pytest.raises(ControlError):
            control.set_value(wrong)
    assert control.get_value() == 2


def test_a_float_control_takes_ints_numpy_and_tensors():
    control = BendingParameter("gain", 1.0)
    for value in (
        2,
        numpy.float32(2),
        numpy.array(2.0),
        torch.tensor(2),
        torch.tensor([2.0]),
        numpy.float64(2),
    ):
        control.set_value(value)
        assert control.get_value() == 2.0 and type(control.get_value()) is float


def test_out_of_range_is_refused_or_clamped():
    strict = BendingParameter("gain", 1.0, range=[0.0, 2.0])
    with pytest.raises(ControlError, match="gain") as caught:
        strict.set_value(3.0)
    assert "next:" in str(caught.value) and "(0.0, 2.0)" in str(caught.value)
    assert strict.get_value() == 1.0
    clamped = BendingParameter("gain", 1.0, range=[0.0, 2.0], clamp=True)
    for value, expected in [(3.0, 2.0), (-1, 0.0), (1.5, 1.5)]:
        clamped.set_value(value)
        assert clamped.get_value() == expected
    with pytest.raises(ControlError):
        BendingParameter("gain", 5.0, range=[0, 1])


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": 3},
        {"value": "x"},
        {"value": float("nan")},
        {"range": (1, 0)},
        {"range": 3},
        {"range": (0, "a")},
        {"value": 1j, "range": (0, 1)},
        {"value": 1, "range": (0.5, 3)},
        {"weight": 1j},
        {"value": torch.ones(2)},
    ],
)
def test_malformed_controls_are_refused(arguments):
    with pytest.raises(ControlError):
        BendingParameter(**{"name": "c", "value": 1.0, **arguments})


def test_weight_and_bias_apply_to_what_is_read():
    control = BendingParameter("c", 2.0, weight=3.0, bias=1.0, range=(0, 2))
    assert control.get_value() == 7.0 and control.value == 2.0


@pytest.mark.parametrize("op", BINARY)
@given(first=st.floats(-100, 100), second=st.floats(-100, 100), other=st.sampled_from([0.5, 3, -2.0]))
def test_arithmetic_follows_the_control(op, first, second, other):
    control = BendingParameter("c", first)
    right, left = op(control, other), op(other, control)
    control.set_value(second)
    assert right.get_value() == op(second, other)
    if second != 0:
        assert left.get_value() == op(other, second)
    assert right.parameters == (control,)


def test_expressions_nest_and_list_their_controls_once():
    a, b = BendingParameter("a", 2.0), BendingParameter("b", 3.0, range=(0, 5))
    expression = -(2 * a + b * a) / 2 + abs(-b) ** 2
    assert expression.get_value() == -(4 + 6) / 2 + 9
    assert expression.parameters == (a, b)
    assert float(expression) == 4.0 and int(expression) == 4 and complex(expression) == 4 and bool(expression)
    assert expression.parameters[1].range == (0, 5)
    assert repr(2 * a + 1) == "(2 * a) + 1"
    assert isinstance(1 - a, BendingExpression) and (1 - a).get_value() == -1.0


def test_arithmetic_with_a_tensor_or_an_array_is_done_now():
    control = BendingParameter("c", 2.0)
    x = torch.ones(3)
    for out in (x * control, control * x, x + control, 2 * control * x):
        assert isinstance(out, torch.Tensor) and out.shape == x.shape
    assert isinstance(numpy.ones(3) * control, numpy.ndarray)
    with pytest.raises(TypeError):
        control + "a"


def test_an_expression_without_a_value_says_so():
    control = BendingParameter("c", 0.0)
    with pytest.raises(ControlError, match="no value") as caught:
        (1 / control).get_value()
    assert "c = 0.0" in str(caught.value)


def test_controls_are_equal_by_identity():
    a, b = BendingParameter("c", 1.0), BendingParameter("c", 1.0)
    assert a == a and a != b and len({a, b}) == 2
    assert repr(BendingParameter("c", 1.0, range=(0, 2), clamp=True)) == (
        "BendingParameter('c', 1.0, range=(0, 2), clamp=True)"
    )


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_keep_sharing_inside_one_graph_of_objects(copied):
    control = BendingParameter("c", 1.0)
    first, second = copied((2 * control, control))
    assert first.parameters[0] is second and second is not control
    second.set_value(5.0)
    assert first.get_value() == 10.0 and control.get_value() == 1.0


def test_frozen_holds_a_value_for_this_thread_only():
    control = BendingParameter("c", 1.0)
    seen = []
    with frozen({control: control.state}):
        control.set_value(2.0)
        assert control.get_value() == 1.0 and (2 * control).get_value() == 2.0
        with frozen({control: control.state}):
            assert control.get_value() == 1.0
        thread = threading.Thread(target=lambda: seen.append(control.get_value()))
        thread.start()
        thread.join()
    assert seen == [2.0] and control.get_value() == 2.0


def test_frozen_may_hold_a_tensor():
    control = BendingParameter("c", 1.0)
    with frozen({control: (0, torch.tensor(3.0))}):
        assert torch.equal((2 * control + 1).get_value(), torch.tensor(7.0))
        assert control.get_python_value() == 3.0


def test_each_setting_has_its_own_revision_from_any_thread():
    control = BendingParameter("c", 0.0)
    seen = set()

    def turn(start):
        for i in range(200):
            control.set_value(float(start + i))
            seen.add(control.state)

    threads = [threading.Thread(target=turn, args=(1000 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({revision for revision, _ in seen}) == len(seen)
