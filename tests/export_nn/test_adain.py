"""The switches of models that learn a target and a source: in the file as live."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .conftest import Export
from .playing import as_host, away, on_stage

SWITCHES = ["learn_target", "reset_target", "learn_source", "reset_source"]


def test_the_switches_are_attributes(exported: Callable[..., Export]) -> None:
    module = exported("v3").load()
    assert module.get_attributes() == ["drive", "shift", *SWITCHES]
    for name in SWITCHES:
        assert getattr(module, f"{name}_params").tolist() == [0]
        assert getattr(module, f"get_{name}")() == (False,)
        assert getattr(module, f"set_{name}")(True) == 0
        assert getattr(module, f"get_{name}")() == (True,)
    assert exported("v2").load().get_attributes() == ["drive", "shift"]


def test_a_file_learns_transfers_and_forgets_as_the_live_model(exported: Callable[..., Export]) -> None:
    export = exported("v3")
    module, bended = export.load(), export.bended
    from torchbend.rave.adain import AdaIN

    layers = [layer for layer in bended.rave.modules() if isinstance(layer, AdaIN)]
    quiet, loud = 0.1 * torch.randn(4, 1, 1, 4096), 0.6 * torch.randn(4, 1, 1, 4096)
    plain: list[Tensor] = []

    def play(x: Tensor) -> float:
        wanted = live["forward"](x).clone()
        with torch.inference_mode():
            got = module.forward(as_host(x)).clone()
        plain.append(got)
        return away(wanted, got)

    def switch(side: str, on: bool) -> None:
        assert getattr(module, f"set_learn_{'target' if side == 'y' else 'source'}")(on) == 0
        for layer in layers:
            getattr(layer, f"learn_{side}").fill_(on)

    try:
        with on_stage(bended, export.rows, export.options) as live:
            for side, sound in (("y", loud), ("x", quiet)):
                switch(side, True)
                assert max(play(x) for x in sound) <= 1e-5
                switch(side, False)
            assert all(float(layer.num_update_x) >= 4 and float(layer.num_update_y) >= 4 for layer in layers)
            assert max(play(x) for x in quiet) <= 1e-5
            transferred = plain[-1]
            assert module.set_reset_target(True) == 0 and module.set_reset_source(True) == 0
            for layer in layers:
                layer.reset_x()
                layer.reset_y()
            assert max(play(x) for x in quiet) <= 1e-5
            assert away(plain[-1], transferred) > 0.05, "what was learned is heard"
    finally:
        for layer in layers:
            layer.reset_x()
            layer.reset_y()
