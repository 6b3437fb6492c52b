"""A stream is the offline output, late by the delay that is told, whatever the size of its blocks."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from torchbend.errors import StreamError
from torchbend.rave import RAVE, preset

SMALL = {"capacity": 4, "latent_size": 8}
CONFIGS: dict[str, tuple[str, ...]] = {
    "v1": ("v1",),
    "v2": ("v2",),
    "v2_small": ("v2_small",),
    "v2_noise": ("v2", "noise"),
    "v2_causal": ("v2", "causal"),
    "v2_nopqmf": ("v2_nopqmf", "snake"),
    "v3": ("v3",),
    "discrete": ("discrete",),
    "onnx": ("onnx",),
    "hybrid": ("v2", "hybrid"),
    "spherical": ("v2", "spherical"),
    "brave": ("brave",),
}


def small(name: str, **more: int) -> RAVE:
    torch.manual_seed(0)
    options = dict(SMALL)
    if name in ("discrete",):
        options |= {"num_quantizers": 2, "codebook_size": 16, "noise_augmentation": 0}
    model = RAVE(preset(*CONFIGS[name], **options, **more)).eval().requires_grad_(False)
    for layer in model.modules():  # loud enough that errors are not lost in silence
        if hasattr(layer, "weight_g"):
            layer.weight_g.mul_(2.0)
    model.encoder.samples = False
    return model


@pytest.fixture(autouse=True)
def constant_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise that is the same in each frame, so that it can be compared: a click at the frame's start."""

    def click(like: Tensor) -> Tensor:
        noise = torch.full_like(like, 0.5)
        noise[..., 0] = 1.0
        return noise

    monkeypatch.setattr(torch, "rand_like", click)


def streamed(model: RAVE, method: str, x: Tensor, block: int) -> Tensor:
    return torch.cat([getattr(model, method)(part) for part in x.split(block, -1)], -1)


def late(offline: Tensor, stream: Tensor, frames: int, settled: int) -> float:
    """The largest difference once the start is over, in standard deviations."""
    a, b = offline[..., settled : offline.shape[-1] - frames], stream[..., settled + frames :]
    assert a.shape == b.shape and a.shape[-1] > 0
    return float((a - b).abs().max() / offline.std())


@pytest.mark.parametrize("name", CONFIGS)
def test_a_stream_is_the_offline_output_late_by_the_delay(name: str) -> None:
    model = small(name)
    frames = 48 if model.ratio >= 1024 else 256
    x = 0.3 * torch.randn(1, 1, frames * model.ratio)
    z = torch.randn(1, model.config.decoder_inputs, frames)
    offline = {"encode": model.encode(x), "decode": model.decode(z), "forward": model(x)}
    for method, given in (("encode", x), ("decode", z), ("forward", x)):
        if name == "hybrid" and method != "encode":
            continue  # its GRU never forgets: offline starts at another past; see the test of its blocks
        model.stream()
        size = model.ratio * 4 if given is x else 4
        got = streamed(model, method, given, size)
        delay = model.delay(method)  # type: ignore[arg-type]
        assert delay.denominator == 1
        unit = model.ratio if method == "encode" else 1
        assert delay % unit == 0
        total = frames if method == "encode" else frames * model.ratio
        assert late(offline[method], got, int(delay) // unit, total // 2) < 1e-4, method


@pytest.mark.parametrize("name", CONFIGS)
def test_the_size_of_blocks_does_not_matter(name: str) -> None:
    model = small(name)
    x = 0.3 * torch.randn(2, 1, 12 * model.ratio)
    outputs = []
    for frames in (1, 3, 4, 12):
        state = model.stream(batch=2)
        outputs.append(streamed(model, "forward", x, frames * model.ratio))
        state.reset()
        again = streamed(model, "forward", x, frames * model.ratio)
        assert torch.equal(outputs[-1], again), "reset() is a new start"
    scale = float(outputs[0].std())
    assert all(float((o - outputs[0]).abs().max()) < 1e-4 * scale for o in outputs[1:])


def test_signals_of_a_batch_do_not_touch() -> None:
    model = small("v2")
    x = torch.randn(3, 1, 6 * model.ratio)
    model.stream(batch=3)
    together = streamed(model, "forward", x, model.ratio)
    for row in range(3):
        model.stream(batch=1)
        alone = streamed(model, "forward", x[row : row + 1], model.ratio)
        assert torch.allclose(alone, together[row : row + 1], atol=1e-6)


def test_a_copy_of_the_state_goes_on_by_itself() -> None:
    model = small("v2")
    x = torch.randn(1, 1, 8 * model.ratio)
    state = model.stream()
    streamed(model, "forward", x[..., : 4 * model.ratio], model.ratio)
    kept = state.copy()
    first = streamed(model, "forward", x[..., 4 * model.ratio :], model.ratio)
    streamed(model, "forward", torch.randn_like(x), model.ratio)
    model.resume(kept)
    assert torch.equal(streamed(model, "forward", x[..., 4 * model.ratio :], model.ratio), first)


def test_a_copied_model_streams_apart() -> None:
    model = small("v2")
    x = torch.randn(1, 1, model.ratio)
    model.stream()
    model(x)
    twin = copy.deepcopy(model)
    assert torch.equal(twin(x), model(x))
    before = model.stream_state.tensors
    assert all(not torch.equal(t, torch.zeros_like(t)) for t in list(before.values())[:1])
    twin.stream_state.reset()
    assert not torch.equal(twin(x), model(x))


def test_offline_is_bit_for_bit_what_it_was() -> None:
    for name in ("v1", "v2", "v3"):
        model = small(name)
        x = torch.randn(1, 1, 8 * model.ratio)
        before = model(x)
        model.stream()
        model(x)
        model.offline()
        assert torch.equal(model(x), before)


def test_nothing_grows_in_a_stream() -> None:
    model = small("v2")
    state = model.stream()
    size = state.bytes
    tensors = dict(state.tensors)
    for _ in range(10):
        model(torch.randn(1, 1, 3 * model.ratio))
    assert state.bytes == size
    assert all(cache is tensors[name] for name, cache in model.stream_state.tensors.items())


def test_states_keep_no_gradients() -> None:
    model = small("v2").requires_grad_(True)
    state = model.stream()
    out = model(torch.randn(1, 1, model.ratio))
    assert not out.requires_grad
    assert not any(cache.requires_grad for cache in state.tensors.values())


@pytest.mark.parametrize(
    ("name", "encode", "decode"),
    [("v1", 8448, 17040), ("v2", 14208, 12512), ("v2_small", 5504, 5024), ("discrete", 9600, 8672)],
)
def test_delays_of_the_original(name: str, encode: int, decode: int) -> None:
    model = small(name)
    assert model.delay("encode", as_original=True) == encode
    assert model.delay("decode", as_original=True) == decode
    assert model.delay("forward") % model.ratio >= 0


def test_delays_in_milliseconds() -> None:
    model = small("v2")
    assert model.latency("decode") == pytest.approx(1000 * 12512 / 44100)
    brave = small("brave")
    assert brave.ratio == 128
    assert brave.latency("forward") < 10.0


def test_blocks_that_do_not_fit_are_refused() -> None:
    model = small("v2")
    model.stream(batch=2)
    with pytest.raises(StreamError, match="whole frames"):
        model.encode(torch.zeros(1, 1, model.ratio + 16))
    with pytest.raises(StreamError, match="stream\\(batch=3\\)"):
        model.encode(torch.zeros(3, 1, model.ratio))
    with pytest.raises(StreamError, match="batch"):
        model.stream(batch=0)
    with pytest.raises(StreamError, match="state"):
        model.resume(small("v1").stream())


def test_silence_through_a_sphere_is_silence() -> None:
    model = small("spherical")
    model.stream()
    assert bool(model(torch.zeros(1, 1, 4 * model.ratio)).isfinite().all())
