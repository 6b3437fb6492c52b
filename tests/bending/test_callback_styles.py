"""One method on tensors is enough; the documents' style works; chains, copies and equality."""

import copy
import pickle

import pytest
import torch
from torch import nn

from torchbend.bending.callback import BendingCallback, CallbackChain
from torchbend.bending.callbacks import Affine, Bias, Blend, InterpolateActivation, Mask, Normal, Scale
from torchbend.bending.parameter import BendingParameter
from torchbend.bending.site_state import SiteState
from torchbend.errors import CallbackError


def weight(name="w"):
    return SiteState(name, "weight")


def activation(name="a"):
    return SiteState(name, "activation", "forward")


class Twice(BendingCallback):
    def bend(self, x):
        return x * 2


class Counting(BendingCallback):
    def bend(self, x, site):
        site.memory["n"] = site.memory.get("n", 0) + 1
        return x * site.memory["n"]


class Documents(BendingCallback):
    controllable_params = ["amount"]

    def __init__(self, amount=0.5):
        super().__init__()
        self.register_controllable("amount", amount)
        self.registered = []
        self.updates = 0

    def register_weight(self, parameter, name=None, cache=True):
        self.registered.append((name, tuple(parameter.shape)))

    def register_activation(self, name, shape):
        self.registered.append((name, tuple(shape)))

    def update(self):
        self.updates += 1

    def bend_input(self, x, name):
        return x * self.get("amount")

    def apply_to_param(self, idx, param, cache):
        param.set_(cache * self.get("amount") + idx)


def test_one_method_serves_weights_and_activations():
    for site in (weight(), activation()):
        assert torch.equal(Twice().apply(torch.ones(2, 3), site), torch.full((2, 3), 2.0))


def test_the_site_remembers_between_calls_and_each_site_by_itself():
    callback, first, second = Counting(), weight("a"), weight("b")
    assert [float(callback.apply(torch.ones(()), first)) for _ in range(3)] == [1, 2, 3]
    assert float(callback.apply(torch.ones(()), second)) == 1
    first.clear()
    assert float(callback.apply(torch.ones(()), first)) == 1


def test_documents_style_serves_both_in_place_or_by_return():
    control = BendingParameter("amount", 2.0)
    callback = Documents(control)
    x = torch.ones(2)
    sites = [weight("a"), weight("b")]
    for _ in range(2):
        out = [callback.apply(x, site) for site in sites]
    assert torch.equal(out[0], torch.full((2,), 2.0)) and torch.equal(out[1], torch.full((2,), 3.0))
    assert torch.equal(x, torch.ones(2))
    assert torch.equal(callback.apply(x, activation()), torch.full((2,), 2.0))
    assert callback.registered == [("a", (2,)), ("b", (2,)), ("a", (2,))]
    assert callback.updates == 1
    control.set_value(3.0)
    callback.apply(x, activation())
    assert callback.updates == 2 and callback.controls() == [control]


def test_update_is_called_when_a_control_has_moved():
    class Derived(Scale):
        def update(self):
            self.squared = self.get("scale") ** 2

        def bend(self, x):
            return x * self.squared

    control = BendingParameter("c", 2.0)
    callback, site = Derived(control), activation()
    assert float(callback.apply(torch.ones(()), site)) == 4.0
    control.set_value(3.0)
    assert float(callback.apply(torch.ones(()), site)) == 9.0


def test_gradients_reach_the_weight_through_the_documents_style():
    class Copying(BendingCallback):
        def apply_to_param(self, idx, param, cache):
            param.copy_(cache * 3)

    leaf = torch.ones(2, requires_grad=True)
    Copying().apply(leaf, weight()).sum().backward()
    assert torch.equal(leaf.grad, torch.full((2,), 3.0))


def test_bend_input_alone_serves_weights_too():
    class OnlyInput(BendingCallback):
        def bend_input(self, x, name):
            return x + len(name)

    assert torch.equal(OnlyInput().apply(torch.zeros(2), weight("abc")), torch.full((2,), 3.0))


def test_apply_to_param_alone_refuses_activations():
    class OnlyParam(BendingCallback):
        def apply_to_param(self, idx, param, cache):
            return cache * 3

    assert torch.equal(OnlyParam().apply(torch.ones(2), weight()), torch.full((2,), 3.0))
    with pytest.raises(CallbackError, match="weights only"):
        OnlyParam().apply(torch.ones(2), activation())


def test_a_built_in_can_be_extended_in_the_documents_style():
    class Louder(Mask):
        def bend_input(self, x, name):
            return super().bend_input(x, name) * 10

    x = torch.ones(1, 64)
    site = activation("sin")
    expected = Mask(0.5, seed=3).apply(x, activation("sin")) * 10
    assert torch.equal(Louder(0.5, seed=3).apply(x, site), expected)


def test_further_parameters_of_bend_input_are_extra_inputs():
    class Mixed(BendingCallback):
        def bend_input(self, x, name=None, amount=1.0, *, offset=0.0):
            return x * amount + offset

    assert Mixed().extra_inputs == ("amount", "offset")
    assert float(Mixed().apply(torch.ones(()), activation(), {"amount": 3.0, "other": 1})) == 3.0


def test_extra_inputs_reach_callbacks_inside_others():
    x = torch.randn(3, 4)
    chain = Scale(2.0) >> InterpolateActivation()
    assert chain.extra_inputs == ("interp_weights", "softmax") and chain.changes_shape
    out = chain.apply(x, activation(), {"interp_weights": torch.eye(3)[:1]})
    assert torch.equal(out, 2 * x[:1])
    assert torch.equal(chain(x, torch.eye(3)), 2 * x)
    with pytest.raises(CallbackError, match="interp_weights"):
        chain.apply(x, activation())


def test_incompatible_kinds_and_wrong_results_are_refused():
    class Nothing(BendingCallback):
        def bend(self, x):
            return None

    with pytest.raises(CallbackError, match="not a tensor"):
        Nothing().apply(torch.ones(1), weight())
    with pytest.raises(CallbackError, match="does not bend a weight"):
        InterpolateActivation().apply(torch.ones(1), weight())
    with pytest.raises(CallbackError, match="does not say what it does"):
        BendingCallback().apply(torch.ones(1), weight())


def test_forgetting_super_init_is_told():
    class Forgetful(BendingCallback):
        def __init__(self):
            self.__dict__["x"] = 1

        def bend(self, x):
            return x

    with pytest.raises(CallbackError, match="super"):
        Forgetful()


def test_chains_are_flat_ordered_and_keep_memory_apart():
    chain = Scale(2.0) >> Bias(1.0) >> Counting()
    assert len(chain) == 3 and [type(c) for c in chain] == [Scale, Bias, Counting]
    site = weight()
    assert float(chain.apply(torch.ones(()), site)) == 3.0
    assert float(chain.apply(torch.ones(()), site)) == 6.0
    assert torch.equal(CallbackChain()(torch.ones(2)), torch.ones(2))
    with pytest.raises(CallbackError):
        CallbackChain(Scale(), 3)
    with pytest.raises(TypeError):
        Scale() >> 3


def test_in_place_callbacks_inside_others_leave_the_input():
    class InPlace(BendingCallback):
        def bend(self, x):
            return x.mul_(0)

    for callback in (CallbackChain(InPlace()), CallbackChain() >> InPlace(), Blend(InPlace(), 0.5)):
        assert not callback.writes_in_place
        x = torch.ones(3)
        callback.apply(x, weight())
        assert torch.equal(x, torch.ones(3))


def test_algebra_of_scale_and_affine():
    x = torch.randn(2, 3, 5, dtype=torch.float64)
    assert torch.equal((Scale(2.0) >> Scale(4.0))(x), Scale(8.0)(x))
    assert torch.equal(Affine(1.0, 2.0)(x), (Scale(2.0) >> Bias(1.0))(x))
    control = BendingParameter("c", 2.0)
    assert torch.equal((Scale(control) >> Scale(control))(x), x * 4)


def test_equal_by_what_they_were_made_with_but_apart_in_sets():
    assert Scale(2.0) == Scale(scale=2.0) and Scale(2.0) != Scale(3.0) and Scale(2.0) != Bias(2.0)
    assert Mask(0.3, seed=1) == Mask(seed=1) and Mask() != Mask()
    assert Scale(2.0) >> Bias() == Scale(2.0) >> Bias()
    assert len({Scale(2.0), Scale(2.0)}) == 2
    assert len(list((Scale(2.0) >> Scale(2.0)).controls())) == 0
    assert (
        repr(Scale(2.0) >> Mask(0.5, seed=1))
        == "CallbackChain(Scale(scale=2.0), Mask(prob=0.5, seed=1, dim=None))"
    )
    assert repr(Bias(BendingParameter("b", 1.0))) == "Bias(bias=BendingParameter('b', 1.0))"
    assert (Scale(2.0) >> Bias()).to_dict() == {
        "callback": "CallbackChain",
        "arguments": {
            "callbacks": [
                {"callback": "Scale", "arguments": {"scale": 2.0}},
                {"callback": "Bias", "arguments": {"bias": 0.0}},
            ]
        },
    }


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_callbacks_keep_sharing_their_control(copied):
    control = BendingParameter("c", 2.0)
    chain = copied(Scale(control) >> Blend(Bias(2 * control), control))
    assert len(chain.controls()) == 1 and chain.controls()[0] is not control
    chain.controls()[0].set_value(0.0)
    assert torch.equal(chain(torch.ones(2)), torch.zeros(2))
    control.set_value(0.0)
    assert chain == Scale(control) >> Blend(Bias(2 * control), control)


def test_making_a_callback_moves_the_random_state_only_when_it_draws():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Scale(2.0), Normal(seed=3), Twice()
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    first = Mask().seed
    torch.manual_seed(5)
    assert Mask().seed == first


def test_a_callback_lives_in_a_module():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.add_module("bend", Scale(2.0))
    visited = []
    model.apply(lambda module: visited.append(type(module)))
    assert Scale in visited
    assert model(torch.ones(1, 2)).shape == (1, 2)
