"""The configuration of a model from the names and shapes of its weights, where nothing else tells it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from torchbend.errors import CheckpointError, RAVEConfigError
from torchbend.rave.checkpoints.caveat import Caveat
from torchbend.rave.checkpoints.infer_parts import (
    Hints,
    infer_decoder,
    infer_encoder,
    infer_latent,
    size_of_output,
)
from torchbend.rave.checkpoints.infer_training import infer_discriminator, infer_distance
from torchbend.rave.checkpoints.state import State
from torchbend.rave.config import (
    DiscreteConfig,
    EncoderConfig,
    GeneratorConfig,
    GeneratorV1Config,
    MelConfig,
    PQMFConfig,
    RAVEConfig,
)
from torchbend.rave.pqmf_design import prototype
from torchbend.rave.presets import preset

__all__ = ["infer"]

ATTENUATIONS = (100.0, 70.0, 40.0, 80.0, 60.0, 120.0, 50.0, 90.0, 110.0, 30.0)
"""Of filter banks, the usual ones first; told apart by the length of the prototype."""


@dataclass(frozen=True)
class _Frames:
    """One way to read the sizes at both ends of a model."""

    input: Any
    output: Any
    channels: int
    modulated: bool
    mel: MelConfig | None = None


@dataclass
class _Found:
    encoder: EncoderConfig
    decoder: GeneratorConfig
    bands: int
    notes: list[str] = field(default_factory=list)


def infer(state: State, source: str, hints: Hints | None = None) -> tuple[RAVEConfig, list[str]]:
    """The configuration that fits a state, and what had to be assumed.

    Args:
        state: tensors by name, as `torchbend.rave.checkpoints.state.cleaned` gives them.
        source: a name for messages.
        hints: what another part of the file tells: padding, dilations, sampling rate.

    Raises:
        CheckpointError: the sizes fit no model of the family.
    """
    try:
        return _infer(state, source, hints or Hints())
    except (IndexError, KeyError, ValueError, ZeroDivisionError) as error:
        if isinstance(error, RAVEConfigError):
            raise
        # A tensor with fewer dimensions than its name promises, or without any numbers.
        raise CheckpointError(
            "the shapes of these weights fit no model of the family",
            site=source,
            got=f"{type(error).__name__}: {error}",
            next_step="put the config.gin of the run beside the checkpoint",
        ) from error


def _infer(state: State, source: str, hints: Hints) -> tuple[RAVEConfig, list[str]]:
    bank = state.get("pqmf.hk", state.get("pqmf.forward_conv.weight"))
    bands = int(bank.shape[0]) if bank is not None else 1
    encoder = infer_encoder(state, source, hints)
    latent = infer_latent(state, source, hints)
    found = _Found(encoder, infer_decoder(state, source, hints, bands), bands)
    frames = _frames(state, found, source)
    decoder = found.decoder
    if not isinstance(decoder, GeneratorV1Config):
        decoder = replace(decoder, amplitude_modulation=frames.modulated)
    decoder = _with_noise_bands(state, decoder, frames.channels * (bands if frames.output == "pqmf" else 1))
    family = "discrete" if isinstance(latent, DiscreteConfig) else "v2"
    base = preset("v1" if isinstance(decoder, GeneratorV1Config) else family, capacity=encoder.capacity)
    config = replace(
        base,
        name="inferred",
        sampling_rate=hints.sampling_rate or base.sampling_rate,
        channels=frames.channels,
        latent_size=int(state["latent_pca"].shape[0]),
        padding=hints.padding or "centered",
        pqmf=PQMFConfig(bands, _attenuation(state, bands, found.notes)),
        input=frames.input,
        mel=frames.mel,
        encoder=encoder,
        latent=latent,
        decoder=decoder,
        output=frames.output,
        discriminator=infer_discriminator(state, base.discriminator, found.notes),
        training=replace(base.training, distance=infer_distance(state, base.training.distance)),
    )
    if not hints.dilations:
        found.notes.append(Caveat("dilations cannot be told from the weights: the usual ones are assumed"))
    if hints.padding is None:
        found.notes.append(Caveat("the padding cannot be told from the weights: centered is assumed"))
    if hints.sampling_rate is None:
        found.notes.append(Caveat(f"the sampling rate is assumed: {config.sampling_rate} Hz"))
    return config, found.notes


def _frames(state: State, found: _Found, source: str) -> _Frames:
    """How audio becomes frames on the way in and out: the reading in which all sizes fit."""
    name = "encoder.encoder.net.0."
    inputs = int(state.get(f"{name}weight_v", state.get(f"{name}weight", state["latent_pca"])).shape[1])
    outputs = size_of_output(state, source)
    made, taken = math.prod(found.decoder.ratios), math.prod(found.encoder.ratios)
    bands = found.bands
    modulations = (False,) if isinstance(found.decoder, GeneratorV1Config) else (True, False)
    ends = ["pqmf", "raw"] if bands > 1 else ["raw"]
    for output in ends:
        for end in ["mel"] if "spectrogram.mel_scale.fb" in state else ends:
            made_hop = bands if output == "pqmf" else 1
            mel = _mel(state, made * made_hop // taken) if end == "mel" else None
            each = mel.mels if mel is not None else (bands if end == "pqmf" else 1)
            hop = mel.hop if mel is not None else each
            for modulated in modulations:
                channels, rest = divmod(inputs, each)
                whole = channels * made_hop * (2 if modulated else 1)
                if not rest and whole == outputs and hop * taken == made_hop * made:
                    return _Frames(end, output, channels, modulated, mel)
    raise CheckpointError(
        "the sizes at the two ends of this model do not fit each other",
        site=source,
        wanted=f"{bands} bands, or audio itself, for each channel, and as many samples out as in",
        got=f"{inputs} channels in, ratio {taken}; {outputs} channels out, ratio {made}",
    )


def _mel(state: State, hop: int) -> MelConfig:
    bins, mels = state["spectrogram.mel_scale.fb"].shape
    return MelConfig(2 * (int(bins) - 1), max(hop, 1), int(mels))


def _with_noise_bands(state: State, decoder: Any, outputs: int) -> Any:
    """The generator with the number of noise bands, which needs the number of its outputs."""
    if decoder.noise is None:
        return decoder
    start = "decoder.synth.branches.2." if isinstance(decoder, GeneratorV1Config) else "decoder.noise_module."
    last = max(
        (name for name in state if name.startswith(f"{start}net.") and name.endswith(".weight")),
        key=lambda name: int(name.removeprefix(f"{start}net.").split(".")[0]),
    )
    return replace(decoder, noise=replace(decoder.noise, bands=int(state[last].shape[0]) // outputs))


def _attenuation(state: State, bands: int, notes: list[str]) -> float:
    """The attenuation whose prototype has the stored length; its values are in the weights anyway."""
    if bands == 1:
        return ATTENUATIONS[0]
    stored = state.get("pqmf.h")
    taps = state["pqmf.forward_conv.weight"].shape[-1] if stored is None else 0
    every = (*ATTENUATIONS, *(float(a) for a in range(25, 161)))
    for attenuation in every:
        length = len(prototype(bands, attenuation))
        # Filters are padded to a power of two, and by one more.
        if length == stored.numel() if stored is not None else 1 << (length - 1).bit_length() == taps - 1:
            return attenuation
    notes.append(Caveat("no filter bank has a prototype of this length: another may stand in its place"))
    return ATTENUATIONS[0]
