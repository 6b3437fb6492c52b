"""The names and signatures that workshop code written for the prototype relies on."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

import torchbend as tb
from torchbend.tracing import FlowStep, LogicalFlowStep, LoopFlowStep

TOP_LEVEL = {
    "debug": "flag",
    "set_output": "mode",
    "get_output": "",
    "log_warning": "parts",
    "log_error": "parts",
    "compare_outs": "a b allow_subclasses allow_almost_equal",
    "compare_state_dict_tensors": "d1 d2",
    "import_hacks_from_file": "path",
    "BendedModule": "module _wrapped_methods",
    "BendedWrapper": "obj _wrapped_methods",
    "Interface": "model",
    "BendingConfig": "entries module",
    "BendingParameter": "name value weight bias range clamp",
    "BendingCallback": "seed",
    "CallbackChain": "callbacks",
    "Scale": "scale",
    "Bias": "bias",
    "Affine": "bias scale",
    "Mask": "prob seed dim",
    "OrderedMask": "prob seed dim",
    "ThresholdActivation": "threshold dim invert",
    "Normal": "std seed dim op",
    "Permute": "dim seed",
    "ThresholdPermute": "",
    "Lambda": "fn",
    "Capture": "",
    "InterpolationFromCapture": "",
    "InterpolateActivation": "",
}

MEMBERS = {
    "BendedModule": {
        "weight_shape": "name",
        "state_dict": "version with_versions",
        "print_weights": "flt exclude out",
        "trace": "args fn _return_out _proxied_buffers _no_tensor_for_args inputs",
        "is_traced": "fn",
        "graph": "fn bended",
        "bend_graph": "fn",
        "graph_module": "fn module make_jit_compatible",
        "bend_module": "fn version",
        "activations": "fn op flt exclude",
        "activation_names": "fn",
        "activation_shape": "name fn",
        "print_activations": "fn op flt exclude out",
        "print_graph": "fn op flt exclude out",
        "resolve_parameters": "patterns",
        "resolve_activations": "patterns fn",
        "bendable_keys": "patterns fn return_weights return_activations",
        "bend": "callback patterns fn config verbose bend_param bend_graph",
        "bended_activations": "fn",
        "bended_keys": "fn version",
        "bended_state_dict": "version",
        "bending_config": "config",
        "save_config_as": "name force",
        "save_config": "name config",
        "set_config": "name",
        "reset_bending": "version",
        "reset": "version",
        "update": "name value",
        "forward": "args kwargs",
        "get_activations": "patterns fn _return_graph _save_as_method _filter_bended inputs",
        "from_activations": "names callbacks fn _return_graph _save_as_method inputs",
        "write": "version force deep clear",
        "create_version": "name weights strict",
        "set_version": "version",
        "interpolate": "default weights",
        "set_interpolation_weights": "default weights",
        "remove_interpolation_weights": "",
        "capture": "callbacks",
        "enable_capture": "callbacks",
        "disable_capture": "callbacks",
        "script": "script export_for_nn",
        "to": "args _no_warning",
        "copy": "module",
        "parameters": "",
        "named_parameters": "",
    },
    "BendedWrapper": {"create_version": "name weights strict"},
    "BendingConfig": {
        "append": "entry",
        "extend": "entries",
        "bind": "module",
        "copy_and_bind": "module",
        "op_from_key": "key",
        "save": "path",
        "load": "path module",
    },
    "BendingParameter": {"get_value": "", "get_python_value": "", "set_value": "value"},
    "BendingCallback": {
        "bend_input": "x name",
        "apply_to_param": "idx param cache",
        "register_weight": "parameter name cache",
        "register_activation": "name shape",
        "update": "",
        "get": "name",
        "register_controllable": "name value",
        "capture": "",
        "stop": "",
        "apply": "x",
    },
    "Capture": {"clear": "", "get_capture": "name"},
}

PROPERTIES = {
    "BendedModule": "module version config weight_names bended_params bending_callbacks controllables",
    "BendedWrapper": "wrapped_module",
    "BendingConfig": "binded_fn is_binded",
    "BendingParameter": "name",
    "BendingCallback": "is_ready",
    "Capture": "captures",
}


def takes(function: Any, names: str) -> None:
    """Checks that a function has the parameters, and takes those given by position in this order."""
    parameters, wanted = inspect.signature(function).parameters, names.split()
    assert set(wanted) <= set(parameters)
    by_position = [
        n
        for n, p in parameters.items()
        if n in wanted and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    assert by_position == [n for n in wanted if n in by_position]


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_a_name_of_the_package_is_there(name: str) -> None:
    takes(getattr(tb, name), TOP_LEVEL[name])
    assert name in tb.__all__


@pytest.mark.parametrize(("owner", "name"), [(o, n) for o, members in MEMBERS.items() for n in members])
def test_a_method_is_there(owner: str, name: str) -> None:
    takes(getattr(getattr(tb, owner), name), MEMBERS[owner][name])


@pytest.mark.parametrize(("owner", "name"), [(o, n) for o, p in PROPERTIES.items() for n in p.split()])
def test_a_property_is_there(owner: str, name: str) -> None:
    assert isinstance(inspect.getattr_static(getattr(tb, owner), name), property)


# -- what they do, where no test of their own says so -------------------------------------------------


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 3)

    def encode(self, x: Tensor) -> Tensor:
        return torch.sin(self.linear(x))

    def forward(self, x: Tensor) -> Tensor:
        y = self.encode(x)
        for row in range(x.shape[0]):
            y[row] = y[row] * 2
        return y if y.sum() < 1e9 else -y


X = torch.linspace(-1, 1, 6).reshape(2, 3)


@pytest.fixture
def bended() -> tb.BendedModule:
    bended = tb.BendedModule(Net())
    bended.trace("encode", x=X)
    return bended


def test_trace_gives_the_graph_and_the_output() -> None:
    bended = tb.BendedModule(Net())
    graph, out = bended.trace("encode", x=X, _return_out=True)
    assert isinstance(graph, fx.Graph) and torch.equal(out, bended.module.encode(X))
    assert bended.is_traced("encode") and not bended.is_traced("forward")


def test_versions_and_configs_have_a_default(bended: tb.BendedModule) -> None:
    assert (bended.version, bended.config) == ("_default", "_default")
    bended.bend(tb.Scale(2.0), "linear.weight")
    bended.write("loud")
    assert bended.version == "loud"
    del bended.version
    assert bended.version == "_default"
    bended.bend(tb.Scale(3.0), "linear.bias")
    bended.save_config_as("other")
    bended.reset()
    assert bended.bended_keys() == []
    bended.config = "other"
    assert bended.bended_keys() == ["linear.bias"]
    del bended.config
    assert (bended.config, bended.bended_keys()) == ("_default", [])


def test_state_dicts_of_versions(bended: tb.BendedModule) -> None:
    own = bended.module.state_dict()
    bended.create_version("zero", {name: 0 * t for name, t in own.items()})
    assert torch.equal(bended.state_dict("zero")["linear.bias"], torch.zeros(3))
    every = bended.state_dict(with_versions=True)
    assert tb.compare_state_dict_tensors(every["_default"], own)
    assert set(every) == {"_default", "zero"}
    bended.bend(tb.Bias(1.0), "linear.bias")
    assert torch.equal(bended.bended_state_dict("zero")["linear.bias"], torch.ones(3))
    assert torch.equal(bended.bended_state_dict()["linear.bias"], own["linear.bias"] + 1)


def test_set_version_and_interpolate_are_contexts(bended: tb.BendedModule) -> None:
    own = bended.module.state_dict()
    bended.create_version("double", {name: 2 * t for name, t in own.items()})
    plain = bended.module.linear(X)
    with torch.no_grad():
        with bended.set_version("double"):
            assert torch.allclose(torch.sin(2 * plain), bended.encode(X))
        with bended.interpolate(-1.0, double=1.0):
            assert torch.allclose(torch.sin(plain), bended.encode(X), atol=1e-6)
        bended.set_interpolation_weights(0.5, double=0.5)
        assert torch.allclose(torch.sin(1.5 * plain), bended.encode(X), atol=1e-6)
        bended.remove_interpolation_weights()
        assert torch.equal(torch.sin(plain), bended.encode(X))


def test_keys_callbacks_and_controls_of_bends(bended: tb.BendedModule) -> None:
    gain = tb.BendingParameter("gain", 2.0, range=[0, 4])
    scale = tb.Scale(gain)
    assert bended.resolve_parameters("linear") == ["linear.weight", "linear.bias"]
    assert bended.resolve_activations("sin", fn="encode") == ["sin"]
    assert bended.bendable_keys("sin", "linear.bias") == ["linear.bias", "encode:sin"]
    bended.bend(scale, "linear.bias", "encode:sin$")
    assert bended.bended_keys() == ["linear.bias", "encode:sin"]
    assert bended.bended_params == {"linear.bias": [scale]}
    assert bended.bended_activations("encode") == {"sin": [scale]}
    assert bended.bending_callbacks == [scale]
    assert bended.controllables == {"gain": gain}
    bended.update("gain", 0.0)
    assert torch.equal(bended.encode(X), torch.zeros(2, 3))


def test_only_weights_or_only_activations_are_bent(bended: tb.BendedModule) -> None:
    bended.bend(tb.Scale(2.0), "linear", bend_graph=False)
    assert bended.bended_keys() == ["linear.weight", "linear.bias"]
    bended.reset()
    bended.bend(tb.Scale(2.0), "linear", bend_param=False)
    assert bended.bended_keys() == ["encode:linear"]


def test_a_bend_is_a_context(bended: tb.BendedModule) -> None:
    plain = bended.encode(X)
    with bended.bend(tb.Scale(2.0), "sin"):
        assert torch.equal(bended.encode(X), 2 * plain)
    assert torch.equal(bended.encode(X), plain)


def test_activations_are_got_kept_as_methods_and_started_from(bended: tb.BendedModule) -> None:
    bended.get_activations("linear", fn="encode", _save_as_method="before_sine")
    found = bended.before_sine(x=X)
    assert torch.equal(found["linear"], bended.module.linear(X))
    bended.from_activations("linear", fn="encode", _save_as_method="sine")
    assert torch.equal(bended.sine(linear=found["linear"]), bended.encode(X))
    other = bended.from_activations("linear", fn="encode", callbacks=[tb.Scale(2.0)], linear=X)
    assert torch.equal(other, torch.sin(2 * X))


def test_graphs_as_modules(bended: tb.BendedModule) -> None:
    assert torch.equal(bended.graph_module("encode")(X), bended.encode(X))
    assert torch.equal(
        torch.jit.script(bended.graph_module("encode", make_jit_compatible=True))(X), bended.encode(X)
    )
    bended.bend(tb.Scale(2.0), "sin")
    assert "sin_bended" in [node.name for node in bended.graph("encode", bended=True).nodes]
    assert [n.name for n in bended.bend_graph("encode").nodes] == [
        n.name for n in bended.graph("encode", bended=True).nodes
    ]


def test_flow_steps_have_kinds() -> None:
    graph = tb.BendedModule(Net()).trace(X)
    kinds = [type(step) for step in graph.flow_steps]
    assert LoopFlowStep in kinds and LogicalFlowStep in kinds
    assert all(
        isinstance(step, FlowStep) and "test_prototype_names.py" in str(step) for step in graph.flow_steps
    )


def test_codes_of_control_types() -> None:
    assert [tb.BendingParamType[t] for t in ("float", "int", "bool", "complex")] == [1, 2, 3, 4]
    assert tb.BendingParamType[float] == tb.BendingParameter("gain", 1.0).param_type == 1


def test_an_independent_copy(bended: tb.BendedModule) -> None:
    copied = tb.BendedModule.copy(bended)
    assert isinstance(copied, tb.BendedModule)
    copied.bend(tb.Scale(0.0), "sin")
    assert torch.equal(copied.encode(X), torch.zeros(2, 3))
    assert bended.bended_keys() == []


def test_a_recipe_is_iterated_added_and_asked(tmp_path: Path, bended: tb.BendedModule) -> None:
    scale, bias = tb.Scale(2.0), tb.Bias(1.0)
    recipe = tb.BendingConfig((scale, "linear.weight"), (bias, "encode:sin"), module=bended)
    assert list(recipe) == [(scale, "linear.weight"), (bias, "encode:sin")]
    assert recipe.op_from_key("linear.weight") is scale
    assert recipe.is_binded and recipe.binded_fn == ["encode"]
    assert scale in recipe and recipe + tb.BendingConfig() == recipe
    recipe.save(tmp_path / "recipe.json")
    assert tb.BendingConfig.load(tmp_path / "recipe.json", bended) == recipe
    bended.bend(recipe)
    assert bended.bending_config() == recipe
