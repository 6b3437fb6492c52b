"""The prior gives what the original's gives, streams what it generates offline, refuses what cannot be."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.rave import references
from torch import Tensor
from torch.nn import functional as F

from torchbend import rave
from torchbend.errors import CheckpointError, ControlError, RAVEConfigError, ShapeError, StreamError
from torchbend.rave.config import MultiScaleConfig
from torchbend.rave.prior import Prior, PriorConfig, latents_for_fidelity, load_prior, save_prior
from torchbend.rave.prior.diagonal_shift import shift, unshift
from torchbend.rave.prior.quantised_normal import QuantisedNormal
from torchbend.rave.prior.sampling import draw
from torchbend.rave.streaming import StreamState

SMALL = PriorConfig(
    latents=4, resolution=8, residual_size=16, skip_size=8, kernel_size=3, cycle_size=3, layers=4
)


def model(*names: str, latent_size: int = 6) -> rave.RAVE:
    options: dict[str, Any] = {
        "discriminator": MultiScaleConfig(2),
        "capacity": 4,
        "latent_size": latent_size,
    }
    return rave.RAVE(rave.preset(*(names or ("v2",)), **options)).eval()


@pytest.fixture
def prior() -> Prior:
    torch.manual_seed(0)
    made = Prior(model(), SMALL).eval()
    for layer in made.residuals:  # sure enough that its choices do not hang on rounding
        layer.sconv.weight.data.mul_(8)  # type: ignore[union-attr, operator]
    return made.requires_grad_(False)


# -- the original's arrays -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def original(shared_dir: Path) -> Prior:
    return load_prior(shared_dir / "rave_ref" / "prior_v2" / "prior.ckpt")


@pytest.fixture
def arrays(shared_dir: Path) -> dict[str, Tensor]:
    return references.arrays("prior_v2")


def near(got: Tensor, wanted: Tensor) -> None:
    assert got.shape == wanted.shape
    assert float((got - wanted).abs().max()) <= 1e-5 * float(wanted.std())


def test_sizes_of_the_reference(original: Prior) -> None:
    wanted = references.manifest("prior_v2")
    assert original.config == PriorConfig(8, 32, 32, 16, 3, 4, 5)
    assert original.config.latents == wanted["latent_size"]
    assert PriorConfig().training_samples(original.ratio) == wanted["min_receptive_field"]
    assert original.ratio == 2048 and original.delay == 7


def test_latents_of_the_reference(original: Prior, arrays: dict[str, Tensor], shared_dir: Path) -> None:
    with references.without_randomness():
        near(original.encode(references.arrays("v2")["x"]), arrays["z8"])
    assert latents_for_fidelity(original.synth.fidelity, 0.95, as_original=True) == 8
    assert latents_for_fidelity(original.synth.fidelity, 0.95) == 16  # nine hold more than 95 %


def test_steps_of_the_reference(original: Prior, arrays: dict[str, Tensor]) -> None:
    near(shift(arrays["z8"]), arrays["shifted"])
    assert torch.equal(original.steps(arrays["z8"]), arrays["index"])
    one_hot = original.quantiser.to_one_hot(arrays["index"])
    assert list(one_hot.shape) == arrays["onehot_shape"].tolist()
    assert torch.equal(original.quantiser.from_one_hot(one_hot), arrays["index"])
    values = original.quantiser.to_values(arrays["index"], 0.0)
    near(values, arrays["decoded_dither0"])
    near(unshift(values), arrays["unshifted"])


def test_logits_of_the_reference(original: Prior, arrays: dict[str, Tensor]) -> None:
    near(original.logits(original.quantiser.to_one_hot(arrays["index"])), arrays["logits"])
    loss = float(original.loss(arrays["z8"]))
    assert math.isclose(loss, 3.610121, rel_tol=1e-4)
    assert math.isclose(loss, float(arrays["cross_entropy"]), rel_tol=1e-5)


def test_likeliest_steps_of_the_reference(original: Prior, arrays: dict[str, Tensor]) -> None:
    wanted = arrays["argmax_generate_index"]
    got = original.continue_steps(wanted[..., :1], wanted.shape[-1] - 1, argmax=True)
    assert torch.equal(got, wanted)


def test_names_and_parameters_of_the_original(shared_dir: Path) -> None:
    wanted = references.manifest("prior_v2")
    full = Prior(model(latent_size=8))
    own = {name: list(v.shape) for name, v in full.state_dict().items() if not name.startswith("synth.")}
    assert own == wanted["shapes"]
    assert sum(math.prod(shape) for shape in own.values()) == wanted["full_size_params(latent 8)"]


# -- parts -----------------------------------------------------------------------------------------------


def test_the_shift_is_what_it_says_and_is_undone() -> None:
    z = torch.randn(2, 5, 20)
    steps = shift(z)
    for d in range(5):
        assert torch.equal(steps[:, d], z[:, d, 4 - d : 20 - d])
    assert torch.equal(unshift(steps), z[..., 4:16])
    assert torch.equal(shift(z[:, :1]), z[:, :1])
    with pytest.raises(ShapeError, match="as many frames"):
        shift(z[..., :4])


@pytest.mark.parametrize("resolution", [2, 3, 32, 257])
def test_quantised_normal_numbers(resolution: int) -> None:
    quantiser = QuantisedNormal(resolution)
    torch.manual_seed(1)
    x = torch.randn(1, 4, 50_000)
    index = quantiser.to_index(x)
    counts = torch.bincount(index.flatten(), minlength=resolution) / x.numel()
    assert len(counts) == resolution
    assert float((counts * resolution - 1).abs().max()) < 0.2, "each value is as likely as each other"
    back = quantiser.to_values(index, torch.rand_like(x))
    assert torch.equal(quantiser.to_index(back), index) or resolution == 257  # rounding at the edges
    assert abs(float(back.mean())) < 0.01 and abs(float(back.std()) - 1) < 0.01
    assert torch.equal(quantiser.from_one_hot(quantiser.to_one_hot(index)), index)


def test_numbers_that_are_not_normal() -> None:
    extremes = torch.tensor([-math.inf, -50.0, 50.0, math.inf, math.nan])
    assert QuantisedNormal(8).to_index(extremes).tolist() == [0, 0, 7, 7, 0]
    assert QuantisedNormal(8).to_values(torch.tensor([0]), 0.0).tolist() == [-4.0]
    with pytest.raises(ShapeError, match="quantised latents"):
        QuantisedNormal(8).apart(torch.zeros(1, 12, 3))


def test_values_are_drawn_as_often_as_they_should() -> None:
    torch.manual_seed(2)
    logits = torch.tensor([0.0, 1.0, -1.0, 0.5, -math.inf])
    for temperature in (0.5, 1.0, 3.0):
        drawn = draw(logits.expand(40_000, 5), temperature, torch.rand(40_000))
        shares = torch.bincount(drawn, minlength=5) / 40_000
        assert torch.allclose(shares, torch.softmax(logits / temperature, -1), atol=0.01)
    highest = torch.tensor(1 - 2**-24)
    assert int(draw(logits, 1.0, highest)) == 3, "a value without a share is never drawn"
    assert int(draw(logits, 0.0, highest)) == 1
    assert int(draw(logits[:4].neg(), torch.tensor([1e-30]), torch.tensor(0.0))) == 2


def test_a_prediction_looks_back_only(prior: Prior) -> None:
    field = prior.config.receptive_field
    index = torch.randint(8, (1, 4, field + 10))
    before = prior.logits(prior.quantiser.to_one_hot(index))
    index[..., 5] = (index[..., 5] + 1) % 8
    changed = (prior.logits(prior.quantiser.to_one_hot(index)) - before).abs().amax((0, 1)) > 1e-7
    assert changed.nonzero().flatten().min() == 5
    assert changed.nonzero().flatten().max() == 5 + field - 1


# -- generating ------------------------------------------------------------------------------------------


def slowly(prior: Prior, index: Tensor, count: int) -> Tensor:
    """The definition: the likeliest next step, with the whole past given anew at each step."""
    for _ in range(count):
        logits = prior.quantiser.apart(prior.logits(prior.quantiser.to_one_hot(index)))
        index = torch.cat([index, logits[..., -1:].argmax(2)], -1)
    return index


def test_steps_follow_from_the_whole_past(prior: Prior) -> None:
    start = torch.randint(8, (2, 4, 3))
    got = prior.continue_steps(start, 40, argmax=True)
    assert torch.equal(got, slowly(prior, start, 40))
    assert len(got[0, :, 3:].unique(dim=-1)[0]) > 1, "the steps are not all alike"


@pytest.mark.parametrize("block", [1, 3, 16])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_stream_is_what_is_generated_offline(prior: Prior, block: int, batch: int) -> None:
    offline = prior.generate(29, batch=batch, argmax=True)
    prior.stream(batch)
    temperature = torch.zeros(batch, 1, 29 + prior.delay)
    got = torch.cat([prior(part, argmax=True) for part in temperature.split(block, -1)], -1)
    assert got.shape == (batch, 4, 29 + prior.delay)
    assert torch.equal(got[..., prior.delay :], offline)
    prior.offline()
    assert torch.equal(prior(temperature, argmax=True), got)


def test_a_cold_stream_takes_the_likeliest(prior: Prior) -> None:
    prior.stream()
    cold = prior.quantiser.to_index(prior(torch.full((1, 1, 30), -200.0)))[..., 3:]
    assert torch.equal(cold, prior.quantiser.to_index(prior.generate(27, argmax=True)))


@pytest.mark.parametrize("block", [1, 4, 32])
def test_the_same_seed_gives_the_same_latents_for_all_blocks(prior: Prior, block: int) -> None:
    torch.manual_seed(5)
    offline = prior.generate(29)
    torch.manual_seed(5)
    prior.stream()
    parts = torch.zeros(1, 1, 32).split(block, -1)
    assert torch.allclose(torch.cat([prior(part) for part in parts], -1)[..., 3:], offline, atol=1e-6)


def test_seeds(prior: Prior) -> None:
    before = torch.get_rng_state()
    first = prior.generate(20, seed=3)
    assert torch.equal(torch.get_rng_state(), before), "a seed leaves PyTorch's own randomness alone"
    assert torch.equal(prior.generate(20, seed=3), first)
    assert not torch.equal(prior.generate(20, seed=4), first)
    assert not torch.equal(prior.generate(20), prior.generate(20))
    assert float(first.abs().max()) <= 4


@pytest.mark.parametrize("given", [0, 1, 3, 4, 9])
def test_a_prompt_is_continued(prior: Prior, given: int) -> None:
    """Latents of the prompt stay as they are; the others of the same steps are chosen beside them."""
    z = torch.randn(2, 4, given)
    got = prior.generate(12, z, argmax=True)
    assert got.shape == (2, 4, 12)
    # The definition, step by step, with all that is known put in.
    padded = F.pad(z, (max(4 - given, 0), 0))
    frames = padded.shape[-1]
    whole = prior.quantiser.to_index(F.pad(padded, (0, 12 + 3)))
    index = shift(whole)[..., : frames - 3]
    for step in range(frames - 3, frames + 12):
        index = slowly(prior, index, 1)
        for d in range(4):
            frame = step + 3 - d
            if frames - given <= frame < frames:
                index[:, d, -1] = whole[:, d, frame]
    assert torch.equal(prior.quantiser.to_index(got), unshift(index)[..., -12:])


def test_what_is_generated_follows_the_prompt_only_in_its_past(prior: Prior) -> None:
    z = torch.randn(1, 4, 10)
    assert torch.equal(prior.generate(5, z, argmax=True), prior.generate(9, z, argmax=True)[..., :5])


def test_generating_leaves_a_stream_alone(prior: Prior) -> None:
    temperature = torch.zeros(1, 1, 30)
    prior.stream()
    wanted = prior(temperature, argmax=True)
    prior.stream()
    parts = []
    for part in temperature.split(5, -1):
        parts.append(prior(part, argmax=True))
        prior.generate(3, batch=4)
        prior.loss(torch.randn(1, 4, 12))
    assert torch.equal(torch.cat(parts, -1), wanted)


def test_the_past_of_a_stream_never_grows(prior: Prior) -> None:
    state = prior.stream(2)
    size = state.bytes
    shapes = {name: cache.shape for name, cache in state.tensors.items()}
    for _ in range(20):
        prior(torch.zeros(2, 1, 7))
    assert {name: cache.shape for name, cache in state.tensors.items()} == shapes
    assert state.bytes == size == StreamState(prior, 2).bytes, "the model under it has no stream"


def test_reset_copy_and_resume(prior: Prior) -> None:
    temperature = torch.zeros(1, 1, 6)
    state = prior.stream()
    first = prior(temperature, argmax=True)
    kept = state.copy()
    second = prior(temperature, argmax=True)
    state.reset()
    assert torch.equal(prior(temperature, argmax=True), first)
    prior.resume(kept)
    assert torch.equal(prior(temperature, argmax=True), second)
    prior.offline()
    assert not prior.is_streaming
    with pytest.raises(StreamError, match="not of this"):
        prior.resume(prior.synth.stream())


def test_each_frame_has_its_own_temperature(prior: Prior) -> None:
    torch.manual_seed(0)
    mixed = torch.tensor([[[-300.0] * 8 + [300.0] * 8]])
    prior.stream()
    surely = prior.quantiser.to_index(prior(mixed))[..., 3:8]
    assert torch.equal(surely, prior.quantiser.to_index(prior.generate(5, argmax=True)))
    prior.stream(as_original=True)  # one temperature for the whole block, as in the original's exports
    torch.manual_seed(0)
    averaged = prior(mixed)
    prior.stream()
    torch.manual_seed(0)
    assert torch.equal(averaged, prior(torch.zeros(1, 1, 16)))


def test_a_prior_moves_while_it_streams(prior: Prior) -> None:
    state = prior.stream()
    prior(torch.zeros(1, 1, 4))
    prior.double()
    assert prior(torch.zeros(1, 1, 2)).dtype == torch.float64
    assert all(cache.dtype == torch.float64 for cache in state.tensors.values())
    state.reset()
    twin = copy.deepcopy(prior)
    once = prior(torch.zeros(1, 1, 5), argmax=True)
    assert torch.equal(twin(torch.zeros(1, 1, 5), argmax=True), once)


# -- training and sound ----------------------------------------------------------------------------------


def test_training_learns_and_leaves_the_model_alone() -> None:
    torch.manual_seed(0)
    prior = Prior(model(), SMALL).train()
    assert prior.training and not prior.synth.training
    assert not any(p.requires_grad for p in prior.synth.parameters())
    before = {name: v.clone() for name, v in prior.synth.state_dict().items()}
    optimiser = torch.optim.Adam((p for p in prior.parameters() if p.requires_grad), 1e-2)
    z = torch.randn(1, 4, 5).repeat(2, 1, 12)  # five frames over and over
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = prior.loss(z)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert abs(losses[0] - math.log(8)) < 0.3, "at the start it knows nothing"
    assert losses[-1] < 0.3 * losses[0]
    assert all(torch.equal(v, before[name]) for name, v in prior.synth.state_dict().items())
    said = prior.quantiser.to_index(prior.generate(10, z[:1, :, :30], argmax=True))
    heard = prior.quantiser.to_index(z[:1, :, 30:40])
    assert float((said == heard).float().mean()) > 0.8


def test_audio_in_and_out(prior: Prior) -> None:
    x = 0.3 * torch.randn(1, 1, 8 * prior.ratio)
    z = prior.encode(x)
    assert z.shape == (1, 4, 8)
    y = prior.decode(prior.generate(3, z))
    assert y.shape == (1, 1, 3 * prior.ratio) and bool(y.isfinite().all())


def test_how_many_latents() -> None:
    curve = torch.tensor([0.3, 0.5, 0.7, 0.8, 0.96, 1.0])
    assert latents_for_fidelity(curve, 0.6) == 4  # three are enough
    assert latents_for_fidelity(curve, 0.6, as_original=True) == 2  # two are not
    assert latents_for_fidelity(curve, 0.95) == 4  # five would need eight, and there are six
    assert latents_for_fidelity(curve, 0.1) == latents_for_fidelity(curve, 0.1, as_original=True) == 1
    assert latents_for_fidelity(torch.zeros(8)) == 8


# -- files -----------------------------------------------------------------------------------------------


def original_checkpoint(prior: Prior, folder: Path, **more: Any) -> Path:
    path = folder / "prior.ckpt"
    torch.save({"state_dict": prior.state_dict(), "epoch": 3, **more}, path)
    return path


def test_own_files(prior: Prior, tmp_path: Path) -> None:
    path = save_prior(prior, tmp_path / "prior")
    assert path.suffix == ".safetensors"
    loaded = rave.load_prior(path)
    assert loaded.config == prior.config and loaded.synth.config == prior.synth.config
    state = loaded.state_dict()
    for name, value in prior.state_dict().items():
        assert name.startswith("synth.discriminator.") or torch.equal(state[name], value), name
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert torch.equal(loaded.generate(9, seed=1), prior.generate(9, seed=1))
    with pytest.raises(CheckpointError, match="safetensors"):
        save_prior(prior, tmp_path / "prior.pt")


def test_checkpoints_of_runs(prior: Prior, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = original_checkpoint(prior, tmp_path)
    with caplog.at_level("INFO"):
        guessed = load_prior(path)
    assert guessed.config.cycle_size == 4 and "taken to be 4 layers" in caplog.text
    assert load_prior(path, cycle_size=3).config == prior.config
    (tmp_path / "config.gin").write_text("prior.Prior.cycle_size = 3\nprior.Prior.n_layers = 4\n")
    loaded = load_prior(tmp_path)
    assert loaded.config == prior.config
    assert torch.equal(loaded.generate(9, seed=1), prior.generate(9, seed=1))


def test_a_checkpoint_with_the_models_configuration(shared_dir: Path, tmp_path: Path) -> None:
    folder = shared_dir / "rave_ref"
    (tmp_path / "prior.ckpt").symlink_to(folder / "prior_v2" / "prior.ckpt")
    text = (folder / "v2" / "run" / "config.gin").read_text()
    (tmp_path / "config.gin").write_text(text + "\nprior.Prior.cycle_size = 2\n")
    loaded = load_prior(tmp_path)
    assert loaded.config.cycle_size == 2
    wanted = rave.load(folder / "v2" / "run").config  # but for its name, which is that of its folder
    assert dataclasses.replace(loaded.synth.config, name=wanted.name) == wanted


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_damaged_files(prior: Prior, tmp_path: Path, share: float) -> None:
    for path in (original_checkpoint(prior, tmp_path), save_prior(prior, tmp_path / "prior")):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(CheckpointError, match="damaged|empty"):
            load_prior(path)


def test_files_that_hold_no_prior(prior: Prior, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load_prior(tmp_path / "nothing.ckpt")
    with pytest.raises(CheckpointError, match="no prior"):
        load_prior(rave.save(prior.synth, tmp_path / "model"))
    torch.save({"state_dict": prior.synth.state_dict()}, tmp_path / "model.ckpt")
    with pytest.raises(CheckpointError, match="no prior"):
        load_prior(tmp_path / "model.ckpt")
    torch.save([torch.zeros(1)], tmp_path / "list.ckpt")
    with pytest.raises(CheckpointError, match="no weights"):
        load_prior(tmp_path / "list.ckpt")


def test_weights_that_do_not_fit(prior: Prior, tmp_path: Path) -> None:
    for name, value in (
        ("residuals.1.dconv.weight", torch.zeros(32, 16, 5)),
        ("residuals.1.rconv.bias", None),
        ("residuals.77.rconv.bias", torch.zeros(16)),
        ("nothing.weight", torch.zeros(1)),
    ):
        state: dict[str, Any] = dict(prior.state_dict())
        state[name] = value
        torch.save({"state_dict": {k: v for k, v in state.items() if v is not None}}, tmp_path / "a.ckpt")
        with pytest.raises(CheckpointError, match="do not fit"):
            load_prior(tmp_path / "a.ckpt")
    state = dict(prior.state_dict())
    state["post_net.2.weight"] = torch.zeros(24, 2, 1)  # three latents do not share sixteen channels
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="multiple of 3"):
        load_prior(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "torchbend.rave/1"}, "no prior"),
        ({"prior": "{"}, "damaged"),
        ({"prior": "[]"}, "no configuration of a prior"),
        ({"prior": json.dumps({"colour": 1})}, "colour"),
        ({"prior": json.dumps({"latents": 4.0})}, "no size"),
        ({"prior": json.dumps({"latents": 2})}, "do not fit"),
        ({"config": json.dumps({"latent": {"kind": "spherical"}})}, "do not fit|cannot be used"),
    ],
)
def test_foreign_files(prior: Prior, tmp_path: Path, changes: dict[str, str], said: str) -> None:
    path = save_prior(prior, tmp_path / "prior")
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(load_file(path), path, {**metadata, **changes})
    with pytest.raises(CheckpointError, match=said):
        load_prior(path)


# -- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("v2", "wasserstein"), ("v2", "spherical"), ("discrete",)])
def test_only_variational_models_have_a_prior(names: tuple[str, ...]) -> None:
    with pytest.raises(RAVEConfigError, match="variational"):
        Prior(model(*names), SMALL)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"latents": 8}, "fewer latents"),
        ({"latents": 0}, "no size"),
        ({"latents": 3}, "multiple of 3"),
        ({"skip_size": 6}, "skip_size"),
        ({"resolution": 1}, "from 2"),
        ({"layers": 0}, "layers"),
        ({"kernel_size": True}, "kernel_size"),
        ({"cycle_size": 1.5}, "cycle_size"),
    ],
)
def test_sizes_that_cannot_be(sizes: dict[str, Any], said: str) -> None:
    with pytest.raises(RAVEConfigError, match=said):
        Prior(model(), replace(SMALL, **sizes))


def test_calls_that_cannot_be(prior: Prior) -> None:
    for z in (torch.zeros(1, 5, 20), torch.zeros(4, 20), torch.zeros(1, 4, 4)):
        with pytest.raises(ShapeError, match=re.escape(str(list(z.shape)))):
            prior.loss(z)
    for temperature in (torch.zeros(1, 2, 3), torch.zeros(3), torch.zeros(1, 1, 0)):
        with pytest.raises(ShapeError, match="no temperatures"):
            prior(temperature)
    with pytest.raises(ShapeError, match="cannot take"):
        prior.generate(3, torch.zeros(1, 3, 9))
    with pytest.raises(ShapeError, match="cannot take"):
        prior.continue_steps(torch.zeros(1, 4, 0, dtype=torch.long), 3)
    for options in ({"frames": 0}, {"frames": 3, "batch": 0}):
        with pytest.raises(ControlError, match="nothing to generate"):
            prior.generate(**options)
    for heat in (-1.0, math.inf, math.nan):
        with pytest.raises(ControlError, match="no temperature"):
            prior.generate(3, temperature=heat)
    prior.stream(batch=2)
    with pytest.raises(StreamError, match="larger than this stream"):
        prior(torch.zeros(3, 1, 1))
    with pytest.raises(StreamError, match="at least 1"):
        prior.stream(batch=0)
