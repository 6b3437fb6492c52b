"""Encoder, latents and decoder from the names and shapes of their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torchbend.errors import CheckpointError
from torchbend.rave.checkpoints.state import State
from torchbend.rave.config import (
    Dilations,
    DiscreteConfig,
    EncoderConfig,
    EncoderV1Config,
    EncoderV2Config,
    GeneratorConfig,
    GeneratorV1Config,
    GeneratorV2Config,
    LatentConfig,
    NoiseV1Config,
    NoiseV2Config,
    SphericalConfig,
    VariationalConfig,
    WassersteinConfig,
)

__all__ = ["Hints", "infer_decoder", "infer_encoder", "infer_latent", "size_of_output"]

ENCODER = "encoder.encoder.net."
DECODER = "decoder.net."
UNIT = ".aligned.branches.0.net.1.weight_v"


@dataclass(frozen=True)
class Hints:
    """What other parts of a file tell about a model.

    Attributes:
        padding: of the convolutions; ``None`` if nothing tells.
        dilations: by the name of a convolution, as ``"encoder.encoder.net.1.aligned.branches.0.net.1"``.
        strides: by the name of a convolution of a noise generator.
        spherical: whether the latents lie on a sphere; ``None`` if nothing tells.
        sampling_rate: in Hz.
    """

    padding: Any = None
    dilations: Mapping[str, int] = field(default_factory=dict)
    strides: Mapping[str, int] = field(default_factory=dict)
    spherical: bool | None = None
    sampling_rate: int | None = None


@dataclass(frozen=True)
class _Chain:
    """The elements of an encoder or decoder of the second kind, by number."""

    convolutions: dict[int, tuple[int, ...]]
    units: dict[int, tuple[int, ...]]
    adain: bool
    snake: bool
    recurrent: int


def infer_encoder(state: State, source: str, hints: Hints) -> EncoderConfig:
    """The encoder inside the bottleneck.

    Raises:
        CheckpointError: its weights are those of no encoder of the family.
    """
    if f"{ENCODER}0.weight_v" not in state:
        return _first_encoder(state, source)
    chain = _chain(state, ENCODER)
    order = sorted(chain.convolutions)
    strided = order[1:-1]
    if not strided:
        raise _strange(source, ENCODER, "strided convolutions between a first and a last one", order)
    shapes = [chain.convolutions[i] for i in strided]
    ratios = tuple(shape[2] // 2 for shape in shapes)
    keeps = [shape[0] == shape[1] * r for shape, r in zip(shapes, ratios, strict=True) if r != 2]
    stages = [_between(chain, before, here) for before, here in zip(order, strided, strict=False)]
    return EncoderV2Config(
        capacity=chain.convolutions[order[0]][0],
        ratios=ratios,
        dilations=_dilations(stages, ENCODER, hints),
        kernel_size=(chain.convolutions[order[0]][2] - 1) // 2,
        keep_dim=bool(keeps) and all(keeps),
        activation="snake" if chain.snake else "leaky_relu",
        adain=chain.adain,
        recurrent_layers=chain.recurrent,
    )


def infer_latent(state: State, source: str, hints: Hints) -> LatentConfig:
    """The bottleneck.

    Raises:
        CheckpointError: the encoder's outputs fit no bottleneck of the family.
    """
    size = int(state["latent_pca"].shape[0])
    outputs = _last(state, ENCODER, source)[0]
    inputs = _first_of_decoder(state, source)[1]
    noise = inputs - size
    layers = [name for name in state if re.fullmatch(r"encoder\.rvq\.layers\.\d+\._codebook\.embed", name)]
    if layers:
        codes = int(state[layers[0]].shape[0])
        return DiscreteConfig(num_quantizers=len(layers), codebook_size=codes, noise_augmentation=noise)
    if outputs == 2 * size and noise == 0:
        return VariationalConfig()
    if outputs == size and noise >= 0:
        # The spherical bottleneck is the only one without this flag.
        spherical = hints.spherical
        if spherical is None:
            spherical = "encoder.warmed_up" not in state and not noise
        return SphericalConfig() if spherical else WassersteinConfig(noise)
    raise _strange(source, ENCODER, f"{size} or {2 * size} outputs, {size} or more inputs of the decoder",
                   f"{outputs} outputs, {inputs} inputs")  # fmt: skip


def infer_decoder(state: State, source: str, hints: Hints, bands: int) -> GeneratorConfig:
    """The decoder; the number of its noise bands is left open.

    Raises:
        CheckpointError: its weights are those of no generator of the family.
    """
    if "decoder.synth.branches.0.weight_v" in state:
        return _first_generator(state, source, hints)
    chain = _chain(state, DECODER)
    order = sorted(chain.convolutions)
    raised = order[1:] if "decoder.waveform_module.weight_v" in state else order[1:-1]
    if not raised:
        raise _strange(source, DECODER, "transposed convolutions behind a first convolution", order)
    shapes = [chain.convolutions[i] for i in raised]
    ratios = tuple(shape[2] // 2 for shape in shapes)
    ends = [*raised[1:], max([*chain.units, *order]) + 1]
    stages = [_between(chain, here, after) for here, after in zip(raised, ends, strict=True)]
    keeps = [shape[1] == shape[0] // r for shape, r in zip(shapes, ratios, strict=True) if r != 2]
    return GeneratorV2Config(
        capacity=shapes[-1][1],
        ratios=ratios[::-1],
        dilations=_dilations(stages, DECODER, hints)[::-1],
        kernel_size=chain.convolutions[order[0]][2],
        keep_dim=bool(keeps) and all(keeps),
        activation="snake" if chain.snake else "leaky_relu",
        adain=chain.adain,
        recurrent_layers=chain.recurrent,
        noise=_second_noise(state),
    )


def size_of_output(state: State, source: str) -> int:
    """Channels of the decoder's last convolution."""
    for name in ("decoder.synth.branches.0.weight_v", "decoder.waveform_module.weight_v"):
        if name in state:
            return int(state[name].shape[0])
    return _last(state, DECODER, source)[0]


# -- the first kind --------------------------------------------------------------------------------------


def _first_encoder(state: State, source: str) -> EncoderV1Config:
    weights = _numbered(state, ENCODER, r"(\d+)\.weight", dimensions=3)
    order = sorted(weights)
    if len(order) < 3:
        raise _strange(source, ENCODER, "at least three convolutions", order)
    inner = [weights[i] for i in order[1:-1]]
    strided = [shape for shape in inner if shape[0] != shape[1]]
    normalised = any(name.startswith(ENCODER) and name.endswith("running_mean") for name in state)
    return EncoderV1Config(
        capacity=weights[order[0]][0],
        ratios=tuple((shape[2] - 1) // 2 for shape in strided),
        repeat_layers=len(inner) // max(len(strided), 1),
        sample_norm=not normalised,
    )


def _first_generator(state: State, source: str, hints: Hints) -> GeneratorV1Config:
    raised = _numbered(state, DECODER, r"(\d+)\.net\.1\.weight_v")
    stacks = _numbered(
        state, DECODER, r"(\d+)\.net\.branches\.0\.net\.0\.net\.aligned\.branches\.0\.1\.weight_v"
    )
    if not raised or not stacks:
        raise _strange(source, DECODER, "stages of a first generator", sorted(raised))
    stack = f"{DECODER}{min(stacks)}.net.branches."
    pattern = r"(\d+)\.net\.0\.net\.aligned\.branches\.0\.1\.weight_v"
    chains = _numbered(state, stack, pattern)
    layers = sorted(_numbered(state, f"{stack}0.net.", r"(\d+)\.net\.aligned\.branches\.0\.1\.weight_v"))
    dilations = []
    for layer in layers:
        start = f"{stack}0.net.{layer}.net.aligned.branches.0."
        each = sorted(_numbered(state, start, r"(\d+)\.weight_v"))
        # The usual ones: 1, 3, 5 for the first convolution of each layer, 1 for the others.
        usual = [2 * layer + 1, *[1] * (len(each) - 1)]
        dilations.append(
            tuple(hints.dilations.get(f"{start}{i}", d) for i, d in zip(each, usual, strict=True))
        )
    last = state["decoder.synth.branches.0.weight_v"].shape[1]
    return GeneratorV1Config(
        capacity=int(last),
        # Without anything to raise there is a convolution of three samples.
        ratios=tuple(1 if raised[i][2] == 3 else raised[i][2] // 2 for i in sorted(raised)),
        kernels=tuple(chains[i][2] for i in sorted(chains)),
        dilations=tuple(dilations),
        loudness_stride=max((int(state["decoder.synth.branches.1.weight_v"].shape[2]) - 1) // 2, 1),
        noise=_first_noise(state, source, hints),
    )


def _first_noise(state: State, source: str, hints: Hints) -> NoiseV1Config | None:
    start = "decoder.synth.branches.2."
    convolutions = _numbered(state, f"{start}net.", r"(\d+)\.weight")
    if not convolutions:
        return None
    strides = [hints.strides.get(f"{start}net.{i}") for i in sorted(convolutions)]
    count = len(convolutions)
    target = int(state[f"{start}target_size"]) if f"{start}target_size" in state else 4**count
    ratio = round(target ** (1 / count))
    if None not in strides:
        return NoiseV1Config(tuple(stride for stride in strides if stride is not None))
    # The kernels do not tell the strides, only their product is stored.
    if ratio**count != target:
        raise _strange(source, start, f"{count} equal strides", f"a product of {target}")
    return NoiseV1Config((ratio,) * count)


# -- the second kind -------------------------------------------------------------------------------------


def _second_noise(state: State) -> NoiseV2Config | None:
    start = "decoder.noise_module."
    found = _numbered(state, f"{start}net.", r"(\d+)\.weight")
    if not found:
        return None
    shapes = [found[i] for i in sorted(found)]
    snake = any(name.startswith(start) and name.endswith(".alpha") for name in state)
    return NoiseV2Config(
        # With a single convolution there is nothing between, and any size fits.
        hidden_size=shapes[0][0] if len(shapes) > 1 else 1,
        ratios=tuple(shape[2] // 2 for shape in shapes),
        activation="snake" if snake else "leaky_relu",
    )


def _chain(state: State, start: str) -> _Chain:
    return _Chain(
        convolutions=_numbered(state, start, r"(\d+)\.weight_v"),
        units=_numbered(state, start, r"(\d+)" + re.escape(UNIT)),
        adain=bool(_numbered(state, start, r"(\d+)\.mean_x")),
        snake=bool(_numbered(state, start, r"(\d+)\.alpha")),
        recurrent=sum(
            bool(re.fullmatch(re.escape(start) + r"\d+\.gru\.weight_ih_l\d+", name)) for name in state
        ),
    )


def _between(chain: _Chain, low: int, high: int) -> list[int]:
    return [i for i in sorted(chain.units) if low < i < high]


def _dilations(stages: list[list[int]], start: str, hints: Hints) -> Dilations:
    return tuple(
        tuple(
            hints.dilations.get(f"{start}{unit}{UNIT}".removesuffix(".weight_v"), 3**place)
            for place, unit in enumerate(stage)
        )
        for stage in stages
    )


# -- names -----------------------------------------------------------------------------------------------


def _numbered(
    state: State, start: str, pattern: str, dimensions: int | None = None
) -> dict[int, tuple[int, ...]]:
    """Shapes by the number in a name."""
    compiled = re.compile(re.escape(start) + pattern)
    found = {}
    for name, value in state.items():
        match = compiled.fullmatch(name)
        if match and dimensions in (None, value.dim()):
            found[int(match.group(1))] = tuple(int(size) for size in value.shape)
    return found


def _last(state: State, start: str, source: str) -> tuple[int, ...]:
    found = _numbered(state, start, r"(\d+)\.weight_v") or _numbered(state, start, r"(\d+)\.weight", 3)
    if not found:
        raise _strange(source, start, "convolutions", "none")
    return found[max(found)]


def _first_of_decoder(state: State, source: str) -> tuple[int, ...]:
    found = _numbered(state, DECODER, r"(\d+)\.weight_v")
    if not found:
        raise _strange(source, DECODER, "convolutions", "none")
    return found[min(found)]


def _strange(source: str, start: str, wanted: str, got: object) -> CheckpointError:
    return CheckpointError(
        "these weights fit no model of the family",
        site=f"{source}, {start}",
        wanted=wanted,
        got=str(got),
        next_step="put the config.gin of the run beside the checkpoint",
    )
