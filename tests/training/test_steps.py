"""What a step does, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.training.conftest import LENGTH, losses, settings, tiny

from torchbend.corpus.store import Corpus
from torchbend.errors import TrainingError
from torchbend.rave.losses.step import generator_losses, total
from torchbend.rave.model import RAVE
from torchbend.training.engine import Engine
from torchbend.training.folder import RunFolder
from torchbend.training.machine import accelerated
from torchbend.training.model import Training
from torchbend.training.records import read_records


def _engine(**changes: object) -> Engine:
    torch.manual_seed(0)
    warmup = int(str(changes.pop("warmup", 1000)))
    return Engine(RAVE(tiny(warmup=warmup)).train(), settings(**changes), accelerated(device="cpu"))


def test_a_step_is_adam_on_the_sum_of_the_losses() -> None:
    engine, other = _engine(), _engine()
    x = torch.randn(2, 1, LENGTH, generator=torch.Generator().manual_seed(1)) * 0.1
    engine.turn(0)
    engine.seed()
    rate = engine.generator.param_groups[0]["lr"]
    parameters = [*other.model.encoder.parameters(), *other.model.decoder.parameters()]
    adam = torch.optim.Adam(parameters, rate, betas=(0.5, 0.9))
    beta = 1e-6 ** (1 - 1 / 20000) * 0.05 ** (1 / 20000)
    state = torch.get_rng_state()
    loss = total(generator_losses(other.model, x, False, beta), other.model.config.training.loss_weights)
    loss.backward()
    adam.step()
    engine.train(x, 0)
    torch.set_rng_state(state)
    for (name, mine), theirs in zip(engine.model.named_parameters(), other.model.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6), name


def test_phases_change_what_learns() -> None:
    engine = _engine(warmup=1)
    x = torch.randn(2, 1, LENGTH) * 0.1

    def learnt() -> set[str]:
        before = {name: p.detach().clone() for name, p in engine.model.named_parameters()}
        engine.train(x, 0)
        now = engine.model.named_parameters()
        return {name.split(".")[0] for name, p in now if not torch.equal(p, before[name])}

    assert learnt() == {"encoder", "decoder"}
    kinds = [learnt() for _ in range(4)]
    assert kinds.count({"discriminator"}) == 1 and kinds.count({"decoder"}) == 3


@pytest.mark.parametrize("as_original", [False, True])
def test_a_step_leaves_no_gradients_to_the_next(as_original: bool) -> None:
    engine = _engine(warmup=1, as_original=as_original)
    x = torch.randn(2, 1, LENGTH, generator=torch.Generator().manual_seed(4)) * 0.1
    for batch in (0, 1, 4, 2):
        engine.train(x, batch)
        assert [name for name, p in engine.model.named_parameters() if p.grad is not None] == []


def test_accumulated_batches_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    x = torch.randn(1, 1, LENGTH, generator=torch.Generator().manual_seed(2)) * 0.1
    one, two = _engine(), _engine(accumulate=2)
    told, told_twice = one.train(x, 0), two.train(torch.cat([x, x]), 0)
    assert one.step == two.step == 1
    assert {name: float(v) for name, v in told.items()} == pytest.approx(
        {name: float(v) for name, v in told_twice.items()}, rel=1e-5
    )
    for (name, mine), theirs in zip(one.model.named_parameters(), two.model.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6), name


def test_a_loss_that_is_not_finite_names_the_step_and_its_sounds(tmp_path: Path, corpus: Corpus) -> None:
    training = Training(RunFolder(tmp_path / "run"), tiny(), settings(max_steps=6), corpus, device="cpu")
    plain, count = training.engine.train, 0

    def broken(x: torch.Tensor, batch: int) -> dict[str, torch.Tensor]:
        nonlocal count
        count += 1
        return plain(x * (float("nan") if count == 4 else 1), batch)

    training.engine.train = broken  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="not finite") as caught:
        training.run()
    assert "step 3" in str(caught.value) and "tone" in str(caught.value)
    held = training.folder.load()
    assert held["global_step"] == 2
    assert all(value.isfinite().all() for value in held["state_dict"].values())


def test_weights_that_are_not_finite_are_never_kept(tmp_path: Path, corpus: Corpus) -> None:
    training = Training(RunFolder(tmp_path / "run"), tiny(), settings(max_steps=3), corpus, device="cpu")
    training.run()
    before = (tmp_path / "run/checkpoints/last.ckpt").read_bytes()
    with torch.no_grad():
        next(training.model.decoder.parameters()).view(-1)[0] = float("inf")
    with pytest.raises(TrainingError, match="weights are not finite"):
        training._save()
    assert (tmp_path / "run/checkpoints/last.ckpt").read_bytes() == before


def test_a_silent_batch_is_learnt_without_harm() -> None:
    engine = _engine()
    told = engine.train(torch.zeros(2, 1, LENGTH), 0)
    assert all(torch.isfinite(value) for value in told.values())
    assert all(torch.isfinite(p).all() for p in engine.model.parameters())


def test_a_run_writes_what_the_original_logs(tmp_path: Path, corpus: Corpus) -> None:
    training = Training(RunFolder(tmp_path / "run"), tiny(warmup=4), settings(), corpus, device="cpu")
    events: list[str] = []
    training.run(lambda progress: events.append(progress.event))
    assert [event.split(":")[0] for event in events if event] == [
        "validation",
        "phase 2 begins",
        "validation",
    ]
    records = read_records(training.folder.records)
    last = [record for record in records if "validation" in record][0]
    assert {"fidelity_0.8", "fidelity_0.95", "fidelity_0.99"} <= set(last)
    steps = losses(training.folder.records)
    assert {"multiband_spectral_distance", "fullband_spectral_distance"} == set(steps[4])
    assert set(steps[5]) == {"loss_dis"} and "adversarial" in steps[6]
    fidelity = training.model.fidelity
    assert float(fidelity[-1]) == pytest.approx(1, abs=1e-4) and (fidelity.diff() >= -1e-6).all()
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))
    assert sorted(file.name for file in (tmp_path / "run/checkpoints").iterdir()) == [
        "best.ckpt",
        "last.ckpt",
        "step_4.ckpt",
        "step_8.ckpt",
    ]


def test_a_discrete_model_quantises(tmp_path: Path, corpus: Corpus) -> None:
    config = tiny("discrete", num_quantizers=2, codebook_size=8)
    training = Training(RunFolder(tmp_path / "run"), config, settings(max_steps=3), corpus, device="cpu")
    training.run()
    assert int(training.model.encoder.enabled) == 1
    original = Training(
        RunFolder(tmp_path / "old"), config, settings(max_steps=3, as_original=True), corpus, device="cpu"
    )
    original.run()
    assert int(original.model.encoder.enabled) == 0


def test_sixteen_bits_change_the_networks_and_little_else() -> None:
    x = torch.randn(2, 1, LENGTH, generator=torch.Generator().manual_seed(3)) * 0.1
    told = []
    for precision in ("no", "bf16"):
        engine = _engine(warmup=1, precision=precision)
        told.append([engine.train(x, 0) for _ in range(10)])
    for exact, rough in zip(*told, strict=True):
        for name, value in exact.items():
            assert float(rough[name]) == pytest.approx(float(value), rel=0.02, abs=0.01), name
    assert any(float(a[name]) != float(b[name]) for a, b in zip(*told, strict=True) for name in a)


def test_what_cannot_be_compiled_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no compiler is here")

    monkeypatch.setattr("torchbend.training.stepping.BACKEND", fails)
    engine = _engine(compile=True)
    with pytest.raises(TrainingError) as caught:
        engine.train(0.1 * torch.randn(2, 1, LENGTH), 0)
    assert caught.value.site == "--compile" and "without --compile" in str(caught.value.next_step)
    assert "no compiler is here" in str(caught.value) and engine.step == 0


def test_compiled_networks_learn_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Captured by the compiler, and run as captured: the code that it would generate is its own affair."""
    monkeypatch.setattr("torchbend.training.stepping.BACKEND", "eager")
    x = torch.randn(2, 1, LENGTH, generator=torch.Generator().manual_seed(3)) * 0.1
    plain, compiled = _engine(warmup=1), _engine(warmup=1, compile=True)
    assert set(compiled.model.state_dict()) == set(plain.model.state_dict())
    for _ in range(3):
        for (name, value), other in zip(
            plain.train(x, 0).items(), compiled.train(x, 0).values(), strict=True
        ):
            assert float(other) == pytest.approx(float(value), rel=1e-4), name
