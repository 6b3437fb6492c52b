"""The names that the documents rely on, offline and in a stream."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from torchbend import BendedModule, Scale
from torchbend.interfaces.rave import BendedRAVE
from torchbend.rave import RAVE, preset


@pytest.fixture(scope="module")
def bended() -> BendedRAVE:
    torch.manual_seed(0)
    return BendedRAVE(RAVE(preset("v2_nopqmf", "snake", capacity=4, latent_size=8)).requires_grad_(False))


def traced(streaming: bool) -> BendedModule:
    torch.manual_seed(0)
    model = RAVE(preset("v2_nopqmf", "snake", capacity=4, latent_size=8)).eval().requires_grad_(False)
    if streaming:
        model.stream()
    whole = BendedModule(model)
    whole.trace("encode", torch.randn(1, 1, 8192))
    whole.trace("decode", torch.randn(1, 8, 4))
    return whole


def families(whole: BendedModule, fn: str) -> dict[str, int]:
    """How many activations of each operation there are."""
    names = whole.activation_names(fn)
    return {
        family: sum(name == family or name.startswith(f"{family}_") for name in names)
        for family in ("conv1d", "conv_transpose1d", "add", "sin", "pow", "sigmoid", "tanh")
    }


def test_loading_traces_all_three_methods(bended: BendedRAVE) -> None:
    assert all(bended.is_traced(fn) for fn in ("encode", "decode", "forward"))
    for name in ("add_4", "add_9", "add_14", "add_18", "conv1d_28"):
        assert name in bended.activation_names("encode")
    for name in ("add_6", "add_12", "add_18", "add_24", "sigmoid"):
        assert name in bended.activation_names("decode")


@pytest.mark.parametrize("streaming", [False, True])
def test_numbering(streaming: bool) -> None:
    """One convolution of the filter bank, then of each layer; one addition per residual, two per Snake."""
    whole = traced(streaming)
    assert families(whole, "encode") == {
        "conv1d": 29,
        "conv_transpose1d": 0,
        "add": 11 + 2 * 5,
        "sin": 5,
        "pow": 5,
        "sigmoid": 0,
        "tanh": 0,
    }
    assert families(whole, "decode") == {
        "conv1d": 1 + 2 * 11 + 1,
        "conv_transpose1d": 4,
        "add": 11 + 4 + 2 * 5,
        "sin": 5,
        "pow": 5,
        "sigmoid": 1,
        "tanh": 1,
    }


@pytest.mark.shows("BendedRAVE", "names of activations")
@pytest.mark.parametrize("streaming", [False, True])
def test_named_places_are_where_the_stages_end(streaming: bool) -> None:
    whole = traced(streaming)
    assert isinstance(whole.module, RAVE)
    encoder, decoder = whole.module.encoder.encoder.net, whole.module.decoder.net
    x, z = torch.randn(1, 1, 8192), torch.randn(1, 8, 4)
    places: list[tuple[str, str, nn.Module]] = [
        *(("encode", n, encoder[p]) for n, p in (("add_4", 4), ("add_9", 9), ("add_14", 14), ("add_18", 18))),
        ("encode", "conv1d_28", encoder[21]),
        *(
            ("decode", n, decoder[p])
            for n, p in (("add_6", 5), ("add_12", 10), ("add_18", 15), ("add_24", 20))
        ),
    ]
    for fn, name, module in places:
        seen: list[torch.Tensor] = []
        hook = module.register_forward_hook(lambda m, i, o, seen=seen: seen.append(o.clone()))
        given = {"x": x} if fn == "encode" else {"z": z}
        if streaming:
            whole.module.stream()
        getattr(whole, fn)(**given)
        hook.remove()
        if streaming:
            whole.module.stream()
        got = whole.get_activations(f"{name}$", fn=fn, **given)[name]
        assert torch.equal(got, seen[0]), name


@pytest.mark.shows("BendedRAVE", "bends hold in a stream")
def test_a_bend_made_offline_holds_in_the_stream(bended: BendedRAVE) -> None:
    x = torch.randn(1, 1, 8 * bended.ratio)
    bended.bend(Scale(0.0), "conv1d_28$", fn="encode")
    try:
        assert float(bended.encode(x).abs().max()) == 0.0
        bended.stream()
        assert float(bended.encode(x).abs().max()) == 0.0
    finally:
        bended.offline()
        bended.reset()
    assert float(bended.encode(x).abs().max()) > 0.0
