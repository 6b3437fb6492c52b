"""A run that was ended goes on as if it had not been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tests.training.conftest import losses, settings, tiny

from torchbend.corpus.store import Corpus
from torchbend.errors import TrainingError
from torchbend.rave import load
from torchbend.rave.pca import fit
from torchbend.training.folder import RunFolder
from torchbend.training.model import Training

WARMUP = 5


def _run(folder: Path, corpus: Corpus, steps: int, go_on: bool = False, **changes: object) -> Training:
    own = settings(max_steps=steps, **changes)
    training = Training(RunFolder(folder), tiny(warmup=WARMUP), own, corpus, go_on or None, device="cpu")
    training.run()
    return training


def test_a_run_in_two_pieces_makes_the_steps_of_one(tmp_path: Path, corpus: Corpus) -> None:
    whole = _run(tmp_path / "whole", corpus, 8, ema=0.9)
    _run(tmp_path / "parts", corpus, 3, ema=0.9)
    parts = _run(tmp_path / "parts", corpus, 8, go_on=True, ema=0.9)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, parts.model.state_dict()[name]), name
    assert whole.engine.average is not None and parts.engine.average is not None
    for name, value in whole.engine.average.weights.items():
        assert torch.equal(value, parts.engine.average.weights[name]), name
    assert len(whole.engine.of_average) == 3
    for name, value in whole.engine.of_average.items():
        assert torch.equal(value, parts.engine.of_average[name]), name
    first, second = losses(tmp_path / "whole/records.jsonl"), losses(tmp_path / "parts/records.jsonl")
    assert sorted(first) == list(range(1, 9))
    assert first == second


def test_what_a_killed_run_logged_after_its_checkpoint_is_taken_back(tmp_path: Path, corpus: Corpus) -> None:
    _run(tmp_path / "run", corpus, 4)
    log = tmp_path / "run/records.jsonl"
    half = tmp_path / "run/checkpoints/.last-0123456789ab.ckpt"
    half.write_bytes(b"PK")
    log.write_text(log.read_text() + '{"step": 5, "fullband_spectral_distance": 99.0}\n{"step": 6, "full')
    _run(tmp_path / "run", corpus, 6, go_on=True)
    assert sorted(losses(log)) == [1, 2, 3, 4, 5, 6]
    assert losses(log)[5]["fullband_spectral_distance"] != 99.0
    assert not half.exists()


def test_the_checkpoint_is_a_model_with_its_configuration(tmp_path: Path, corpus: Corpus) -> None:
    training = _run(tmp_path / "run", corpus, 4, ema=0.5)
    model = load(tmp_path / "run")
    assert model.config == training.config
    x = torch.randn(1, 1, 8192) * 0.1
    training.model.eval()
    for each in (model, training.model):
        each.encoder.samples = False
    with torch.no_grad():
        assert torch.allclose(model(x), training.model(x), atol=1e-6)
    averaged = load(tmp_path / "run", ema=True)
    assert training.engine.average is not None
    name, value = next(iter(training.engine.average.weights.items()))
    assert torch.equal(dict(averaged.named_parameters())[name].detach(), value)
    for each in (model, averaged):  # each set of weights has the components of its own latents
        held_out = list(training.data.validation())
        with torch.no_grad():
            wanted = fit([each.encode(x).chunk(2, 1)[0] for x in held_out])
        torch.testing.assert_close(each.latent_mean, wanted.mean, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(each.fidelity, wanted.fidelity, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(each.latent_pca, wanted.pca, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(model.latent_mean, averaged.latent_mean, rtol=1e-2, atol=0)


def test_another_run_of_the_name_is_refused(tmp_path: Path, corpus: Corpus) -> None:
    _run(tmp_path / "run", corpus, 2)
    before = (tmp_path / "run/checkpoints/last.ckpt").read_bytes()
    with pytest.raises(TrainingError, match="already"):
        _run(tmp_path / "run", corpus, 2)
    assert (tmp_path / "run/checkpoints/last.ckpt").read_bytes() == before


def test_a_run_that_is_under_way_is_left_alone(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchbend.training.folder._PATIENCE", 0.0)
    _run(tmp_path / "run", corpus, 2)
    before = (tmp_path / "run/records.jsonl").read_bytes()
    with RunFolder(tmp_path / "run").held(), pytest.raises(TrainingError, match="another process"):
        _run(tmp_path / "run", corpus, 4, go_on=True)
    assert (tmp_path / "run/records.jsonl").read_bytes() == before
    _run(tmp_path / "run", corpus, 4, go_on=True)


def test_a_damaged_checkpoint_is_told_and_the_others_stay(tmp_path: Path, corpus: Corpus) -> None:
    _run(tmp_path / "run", corpus, 4)
    last = tmp_path / "run/checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="cannot be read"):
        _run(tmp_path / "run", corpus, 6, go_on=True)
    other = str(tmp_path / "run/checkpoints/step_4.ckpt")
    own = settings(max_steps=5)
    Training(RunFolder(tmp_path / "run"), tiny(warmup=WARMUP), own, corpus, other, device="cpu").run()
    assert load(last).config.latent_size == 4


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, corpus: Corpus) -> None:
    _run(tmp_path / "run", corpus, 2)
    with pytest.raises(TrainingError, match="does not fit"):
        Training(
            RunFolder(tmp_path / "run"),
            tiny("v2", "noise"),
            settings(),
            corpus,
            checkpoint=True,
            device="cpu",
        )


@pytest.mark.slow
def test_a_kill_at_any_time_leaves_a_run_that_goes_on(tmp_path: Path, corpus: Corpus) -> None:
    command = [
        sys.executable,
        "-m",
        "torchbend.cli.main",
        "rave",
        "train",
        "--out",
        str(tmp_path),
        "--name",
        "k",
    ]
    model = ["--set", "capacity=2", "--set", "latent_size=4", "--set", "training.valid_signal_crop=0"]
    small = ["--length", "32768", "--batch", "1", "--workers", "0", "--held-out", "0.2", "--device", "cpu"]
    often = ["--checkpoint-every", "1", "--max-steps", "100000", "-d", str(corpus.path)]
    process = subprocess.Popen([*command, *model, *small, *often], start_new_session=True)
    last, begun = tmp_path / "k/checkpoints/last.ckpt", time.monotonic()
    while not last.exists() and time.monotonic() - begun < 120:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    step = int(torch.load(last, weights_only=True)["global_step"])
    load(tmp_path / "k")
    end = [*command, "--resume", "--max-steps", str(step + 1), "--device", "cpu"]
    subprocess.run(end, check=True, timeout=120)
    assert int(torch.load(last, weights_only=True)["global_step"]) == step + 1
