"""``script(export_for_nn=True)`` is what `export` writes, without a file."""

from __future__ import annotations

import torch

from .conftest import Export
from .models import bent_rave
from .playing import played


def test_a_rave_model_scripted_for_nn_is_its_export(exported) -> None:  # type: ignore[no-untyped-def]
    export: Export = exported("wasserstein")
    module = bent_rave("wasserstein").script(export_for_nn=True)
    file = export.load()
    for name in ("encode", "decode", "forward"):
        assert getattr(module, f"{name}_params").tolist() == getattr(file, f"{name}_params").tolist()
    assert module.get_attributes() == file.get_attributes()
    x = 0.3 * torch.randn(2, 1, 5 * 2048)
    streams = []
    for each in (module, file):
        torch.manual_seed(0)
        streams.append(played(each, "forward", x, 2048))
    assert torch.equal(*streams)
    assert not bent_rave("wasserstein").rave.is_streaming
