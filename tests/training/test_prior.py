"""The training of a prior: what it learns, how it goes on, what it leaves, what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.rave import references
from tests.training.conftest import SMALL, tiny, tones

from torchbend.audio import read_audio
from torchbend.corpus.store import Corpus
from torchbend.corpus.writing import CorpusWriter
from torchbend.errors import RAVEConfigError, TorchbendError, TrainingError
from torchbend.rave import RAVE, load
from torchbend.rave.pca import fit
from torchbend.rave.prior import Prior, PriorConfig, load_prior, sound
from torchbend.rave.prior.sound import made_up
from torchbend.training.folder import RunFolder
from torchbend.training.machine import accelerated
from torchbend.training.prior import PriorTraining, prior_sizes
from torchbend.training.prior_engine import PriorEngine
from torchbend.training.records import read_records
from torchbend.training.settings import PriorSettings

SIZES = PriorConfig(
    latents=2, resolution=8, residual_size=16, skip_size=8, kernel_size=2, cycle_size=3, layers=4
)
LENGTH = 32768


def settings(**changes: object) -> PriorSettings:
    """Settings for steps that take milliseconds."""
    own = {**SMALL, "max_steps": 6, "length": LENGTH}
    return PriorSettings(**{**own, **changes})  # type: ignore[arg-type]


def model(corpus: Corpus) -> RAVE:
    """A model without training, whose latents along its components are normal numbers nevertheless."""
    torch.manual_seed(0)
    made = RAVE(tiny()).eval().requires_grad_(False)
    with torch.no_grad():
        sounds = [torch.from_numpy(corpus.read(n, 0, LENGTH))[None] for n in range(len(corpus.sounds))]
        found = fit(made.encode(torch.cat(sounds)).chunk(2, 1)[0])
        made.latent_mean.copy_(found.mean)
        made.fidelity.copy_(found.fidelity)
        made.latent_pca.copy_(found.pca)
        spread = made.encoder.latents(made.encode(torch.cat(sounds))).std()
        made.latent_pca.div_(spread)
    return made


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Eight tones."""
    return tones(tmp_path_factory.mktemp("tones") / "db")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> PriorTraining:
    """A run of six steps; nothing changes it."""
    return _run(tmp_path_factory.mktemp("trained") / "run", corpus)


@pytest.fixture
def pattern(tmp_path: Path) -> Corpus:
    """The same sound again and again: four bursts, repeated."""
    rng = np.random.default_rng(0)
    burst = np.concatenate([0.9 ** (8 * k) * rng.standard_normal(2048) for k in (0, 2, 1, 3)])
    sound = np.tile(0.3 * burst, LENGTH // len(burst))[None].astype(np.float32)
    with CorpusWriter(tmp_path / "pattern", 44100, 1) as writer:
        for number in range(10):
            writer.append(f"bursts{number}", sound)
    return Corpus.open(tmp_path / "pattern")


def _run(folder: Path, corpus: Corpus, go_on: bool = False, **changes: object) -> PriorTraining:
    own = settings(**changes)
    training = PriorTraining(
        RunFolder(folder), model(corpus), SIZES, own, corpus, go_on or None, "cpu", "runs/m"
    )
    training.run()
    return training


def _losses(path: Path) -> dict[int, float]:
    return {
        record["step"]: record["latent_prediction"]
        for record in read_records(path)
        if "latent_prediction" in record
    }


def test_the_loss_falls_on_a_pattern_that_repeats(tmp_path: Path, pattern: Corpus) -> None:
    own = settings(max_steps=50, val_every=50, learning_rate=2e-2, checkpoint_every=50, batch=1)
    synth = model(pattern)
    synth.encoder.samples = False
    training = PriorTraining(RunFolder(tmp_path / "run"), synth, SIZES, own, pattern, device="cpu")
    before = [value.clone() for value in synth.state_dict().values()]
    training.run()
    told = _losses(training.folder.records)
    assert told[1] > 0.8 * math.log(SIZES.resolution) and told[50] < 0.25 * told[1]
    validation = [r["validation"] for r in read_records(training.folder.records) if "validation" in r]
    assert validation[-1] == pytest.approx(told[50], rel=0.2)
    assert all(torch.equal(a, b) for a, b in zip(before, synth.state_dict().values(), strict=True))


def test_a_run_in_two_pieces_makes_the_steps_of_one(
    tmp_path: Path, corpus: Corpus, trained: PriorTraining
) -> None:
    whole = trained
    _run(tmp_path / "parts", corpus, max_steps=3)
    parts = _run(tmp_path / "parts", corpus, go_on=True)
    for name, value in whole.prior.state_dict().items():
        assert torch.equal(value, parts.prior.state_dict()[name]), name
    first, second = _losses(whole.folder.records), _losses(parts.folder.records)
    assert sorted(first) == [1, 2, 3, 4, 5, 6] and first == second


def test_a_step_begins_at_the_reference(shared_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prior = load_prior(shared_dir / "rave_ref" / "prior_v2" / "prior.ckpt")
    engine = PriorEngine(prior.train(), settings(), accelerated("cpu"))
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    x = references.arrays("v2")["x"]
    kept = {name: p.detach().clone() for name, p in prior.named_parameters()}
    assert float(engine.train(x, 0)["latent_prediction"]) == pytest.approx(3.610121, rel=1e-5)
    learnt = {name for name, p in prior.named_parameters() if not torch.equal(p, kept[name])}
    # The last layer's way to a next layer, which does not exist, learns nothing.
    unused = {f"residuals.{prior.config.layers - 1}.rconv.{kind}" for kind in ("weight", "bias")}
    assert learnt == {name for name in kept if not name.startswith("synth.")} - unused
    # Adam's first step changes each weight by the learning rate, whatever its gradient.
    moved = (prior.post_net[2].bias.detach() - kept["post_net.2.bias"]).abs()
    assert float(moved.median()) == pytest.approx(1e-4, rel=1e-2)
    assert float(engine.train(x, 1)["latent_prediction"]) < 3.610121


def test_the_checkpoint_is_a_prior_with_its_model(trained: PriorTraining) -> None:
    training, path = trained, trained.folder.path
    opened = load_prior(path)
    assert opened.config == SIZES  # the cycle of its dilations too, which the weights do not tell
    for name, value in training.prior.state_dict().items():
        assert torch.equal(value, opened.state_dict()[name]), name
    inside = load(path)
    assert inside.config == training.config
    assert torch.equal(inside.latent_pca, training.prior.synth.latent_pca)
    names = sorted(file.name for file in training.folder.checkpoints.iterdir())
    assert names == ["best.ckpt", "last.ckpt", "step_4.ckpt"]
    config, held, facts = training.folder.description(PriorSettings)
    assert config == training.config and held == training.settings
    assert facts["prior"]["cycle_size"] == 3 and facts["model"] == "runs/m"
    assert facts["parameters"] == sum(
        p.numel() for n, p in opened.named_parameters() if not n.startswith("synth.")
    )


def test_a_run_writes_curves_and_what_it_makes_up(trained: PriorTraining) -> None:
    folder = trained.folder
    assert sorted(file.name for file in folder.audio.iterdir()) == ["step_4.wav", "step_6.wav"]
    heard, rate = read_audio(folder.audio / "step_4.wav")
    assert rate == 44100 and heard.shape[-1] == LENGTH and float(heard.abs().max()) > 0
    assert list(folder.path.glob("events.out.tfevents.*"))


def test_what_a_prior_makes_up_as_sound(trained: PriorTraining, corpus: Corpus) -> None:
    prior = trained.prior.eval()
    state = torch.get_rng_state()
    made = made_up(prior, 0.5, seed=3)
    assert made.shape == (1, 22050) and torch.isfinite(made).all()
    assert torch.equal(made, made_up(prior, 0.5, seed=3)) and torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(made, made_up(prior, 0.5, seed=4))
    prompt = torch.from_numpy(corpus.read(0, 0, 3 * 2048 + 5))
    assert not torch.equal(made, made_up(prior, 0.5, prompt=prompt, seed=3))
    for wrong in ({"seconds": 0.0}, {"seconds": 1.0, "prompt": prompt[:, :2000]}):
        with pytest.raises(TorchbendError):
            made_up(prior, **wrong)  # type: ignore[arg-type]


def test_long_sounds_are_decoded_in_blocks(trained: PriorTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    prior = trained.prior.eval()
    monkeypatch.setattr(torch, "randn", torch.zeros)  # latents that are not modelled
    monkeypatch.setattr(sound, "BLOCK", 4)
    made, z = made_up(prior, 1.0, seed=3), prior.generate(30, seed=3)
    whole = prior.decode(z)[0, :, : made.shape[-1]]
    begun = 2 * int(prior.synth.delay("decode"))  # before, a stream remembers silence
    assert torch.allclose(made[:, begun:], whole[:, begun:], atol=1e-5)


def test_a_loss_that_is_not_finite_names_the_step_and_its_sounds(tmp_path: Path, corpus: Corpus) -> None:
    training = PriorTraining(
        RunFolder(tmp_path / "run"), model(corpus), SIZES, settings(), corpus, device="cpu"
    )
    plain = training.engine.train

    def broken(x: torch.Tensor, batch: int) -> dict[str, torch.Tensor]:
        if training.engine.step == 3:
            with torch.no_grad():
                training.prior.post_net[2].bias.fill_(float("nan"))
        return plain(x, batch)

    training.engine.train = broken  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="not finite") as caught:
        training.run()
    assert "step 3" in str(caught.value) and "tone" in str(caught.value)
    assert training.folder.load()["global_step"] == 2


# -- before the first step -------------------------------------------------------------------------------


def test_what_cannot_train_is_told(tmp_path: Path, corpus: Corpus) -> None:
    synth = model(corpus)

    def refused(sizes: PriorConfig, own: PriorSettings, synth: RAVE = synth) -> str:
        with pytest.raises(TorchbendError) as caught:
            PriorTraining(RunFolder(tmp_path / "run"), synth, sizes, own, corpus, device="cpu")
        assert not (tmp_path / "run").exists()
        return str(caught.value)

    assert f"--length {LENGTH}" in refused(SIZES, settings(length=LENGTH // 2))
    assert "multiple of 2048" in refused(SIZES, settings(length=LENGTH + 100))
    assert "--batch" in refused(SIZES, settings(batch=100))
    stereo = refused(SIZES, settings(), RAVE(tiny(channels=2)))
    assert "--channels 2" in stereo and "--set" not in stereo
    assert "--sr 48000" in refused(SIZES, settings(), RAVE(tiny(sampling_rate=48000)))
    assert "variational" in refused(SIZES, settings(), RAVE(tiny("discrete", num_quantizers=2)))
    assert "multiple of 3" in refused(PriorConfig(latents=3), settings())


def test_how_many_latents(corpus: Corpus) -> None:
    synth = RAVE(tiny())
    with pytest.raises(TrainingError, match="--latents"):
        prior_sizes(synth)
    synth.fidelity.copy_(torch.tensor([0.5, 0.96, 0.99, 1.0]))
    assert prior_sizes(synth) == PriorConfig(latents=2)
    assert prior_sizes(synth, fidelity=0.97) == PriorConfig(latents=4)
    three = prior_sizes(synth, latents=3, changes={"layers": 2})
    assert (three.latents, three.layers, three.residual_size, three.skip_size) == (3, 2, 513, 258)
    with pytest.raises(RAVEConfigError, match="depth"):
        prior_sizes(synth, changes={"depth": 3})


def _told(trained: PriorTraining, x: torch.Tensor, **changes: object) -> list[float]:
    """The losses of two steps of a new prior, and of a validation."""
    torch.manual_seed(1)
    prior = Prior(trained.prior.synth, replace(SIZES, layers=1)).train()
    engine = PriorEngine(prior, settings(**changes), accelerated("cpu"))
    losses = [float(engine.train(x, 0)["latent_prediction"]) for _ in range(2)]
    return [*losses, engine.validate([x]).value]


def test_sixteen_bits_change_little(corpus: Corpus, trained: PriorTraining) -> None:
    x = torch.from_numpy(corpus.read(0, 0, LENGTH))[None]
    exact, rough = _told(trained, x), _told(trained, x, precision="bf16")
    assert rough == pytest.approx(exact, rel=1e-2) and rough != exact


@pytest.mark.slow
def test_compiled_networks_learn_the_same(
    corpus: Corpus, trained: PriorTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Captured by the compiler, and run as captured: the code that it would generate is its own affair."""
    monkeypatch.setattr("torchbend.training.stepping.BACKEND", "eager")
    x = torch.from_numpy(corpus.read(0, 0, LENGTH))[None]
    assert _told(trained, x, compile=True) == pytest.approx(_told(trained, x), rel=1e-5)
