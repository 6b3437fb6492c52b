"""What runs without gradients, as validations do, has the weights of the last step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.training.conftest import settings, tiny

from torchbend.corpus.store import Corpus
from torchbend.training.folder import RunFolder
from torchbend.training.model import Training
from torchbend.training.records import read_records


@pytest.mark.parametrize("warmup", [1000, 2])
def test_each_validation_hears_the_model_as_it_is(tmp_path: Path, corpus: Corpus, warmup: int) -> None:
    own = settings(max_steps=9, val_every=3, learning_rate=0.02)
    training = Training(RunFolder(tmp_path / "run"), tiny(warmup=warmup), own, corpus, device="cpu")
    training.run()
    found = [r["validation"] for r in read_records(training.folder.records) if "validation" in r]
    assert len(set(found)) == 3
    model, x = training.model.eval(), 0.1 * torch.randn(1, 1, 8192)
    with torch.no_grad():
        kept = model.encode(x)
        for module in model.modules():
            if hasattr(module, "forget"):
                module.forget()
        assert torch.equal(kept, model.encode(x))
