"""The entries in plain PyTorch: textbook networks, generators, audio, and programs that are hard to trace."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from . import nets_audio as audio
from . import nets_classic as classic
from . import nets_generative as generative
from . import nets_program as program
from .definition import RANDOM, STATEFUL, Entry
from .make import by_length, by_shape, entries, noise, seeded

FAMILY = "handwritten"


def _graph(nodes: int, edges: int) -> dict[str, Tensor]:
    ends = torch.randint(nodes, (2, edges), generator=torch.Generator().manual_seed(0))
    return {"nodes": noise(nodes, 8), "edges": ends}


def _translation(source: int, target: int) -> dict[str, Tensor]:
    return {"source": noise(2, source, 16, seed=1), "target": noise(2, target, 16, seed=2)}


def _seconds(batch: int, length: int) -> dict[str, Tensor]:
    return {"t": torch.arange(length).expand(batch, length) / 44100}


def _pitch(length: int) -> dict[str, Tensor]:
    return {"f0": 200 + 50 * noise(2, length, 1, seed=1), "loudness": noise(2, length, 1, seed=2)}


def _keywords(batch: int) -> dict[str, Any]:
    right = {"x": noise(batch, 8, seed=2), "more": [noise(batch, 8, seed=3), noise(1, 8, seed=4)]}
    return {"left": noise(batch, 8, seed=1), "right": right, "gain": 0.25}


def _named_input(batch: int) -> dict[str, Tensor]:
    return {"input": noise(batch, 8, seed=1), "target": noise(batch, 8, seed=2)}


CLASSIC = entries(
    FAMILY,
    Entry("mlp", FAMILY, seeded(classic.MLP), **by_shape("x", (2, 16), (5, 16))),
    Entry("sequential", FAMILY, seeded(classic.sequential), **by_shape("input", (1, 1, 32), (2, 1, 48))),
    Entry(
        "conv_autoencoder",
        FAMILY,
        seeded(classic.ConvAutoencoder),
        **by_shape("x", (1, 1, 16, 16), (2, 1, 24, 16)),
    ),
    Entry(
        "conv_autoencoder_encode",
        FAMILY,
        seeded(classic.ConvAutoencoder),
        method="encode",
        **by_shape("x", (1, 1, 16, 16), (2, 1, 24, 16)),
    ),
    Entry(
        "conv_autoencoder_decode",
        FAMILY,
        seeded(classic.ConvAutoencoder),
        method="decode",
        **by_shape("z", (1, 16, 4, 4), (2, 16, 6, 4)),
    ),
    Entry("lstm", FAMILY, seeded(classic.Recurrent, nn.LSTM), **by_shape("x", (2, 6, 8), (3, 9, 8))),
    Entry("gru", FAMILY, seeded(classic.Recurrent, nn.GRU), **by_shape("x", (2, 6, 8), (3, 9, 8))),
    Entry("lstm_cell_loop", FAMILY, seeded(classic.CellLoop), **by_shape("x", (2, 4, 8), (3, 4, 8))),
    Entry("transformer_encoder", FAMILY, seeded(classic.TokenEncoder), **by_length("ids", 8, 11)),
    Entry(
        "transformer",
        FAMILY,
        seeded(classic.Translator),
        lambda: _translation(7, 5),
        lambda: _translation(9, 6),
    ),
    Entry("tied_language_model", FAMILY, seeded(classic.TiedLanguageModel), **by_length("ids", 8, 11)),
    Entry("graph_net", FAMILY, seeded(classic.GraphNet), lambda: _graph(6, 12), lambda: _graph(9, 20)),
    Entry("mixture_of_experts", FAMILY, seeded(classic.Experts), **by_shape("x", (12, 16), (20, 16))),
    Entry(
        "fourier_operator", FAMILY, seeded(classic.FourierOperator), **by_shape("x", (1, 1, 32), (2, 1, 48))
    ),
    Entry(
        "einops_vit", FAMILY, seeded(classic.EinopsViT), **by_shape("image", (1, 3, 16, 16), (2, 3, 32, 16))
    ),
    Entry(
        "batch_norm_train_mode",
        FAMILY,
        classic.batch_norm_in_training,
        note=STATEFUL,
        **by_shape("input", (2, 2, 16), (3, 2, 24)),
    ),
)

GENERATIVE = entries(
    FAMILY,
    Entry(
        "dcgan_generator",
        FAMILY,
        seeded(generative.dcgan_generator),
        **by_shape("input", (1, 16, 1, 1), (2, 16, 2, 1)),
    ),
    Entry(
        "dcgan_discriminator",
        FAMILY,
        seeded(generative.Discriminator),
        **by_shape("x", (1, 3, 16, 16), (2, 3, 24, 16)),
    ),
    Entry("old_spectral_norm", FAMILY, seeded(generative.OldSpectralNorm), **by_shape("x", (2, 8), (5, 8))),
    Entry(
        "style_generator",
        FAMILY,
        seeded(generative.StyleGenerator),
        **by_shape("z", (1, 16), (3, 16), truncation=0.8),
    ),
    Entry("coupling_flow", FAMILY, seeded(generative.CouplingFlow), **by_shape("x", (2, 8), (5, 8))),
    Entry(
        "coupling_flow_inverse",
        FAMILY,
        seeded(generative.CouplingFlow),
        method="inverse",
        **by_shape("z", (2, 8), (5, 8)),
    ),
    Entry(
        "vae_of_distributions", FAMILY, seeded(generative.VAE), note=RANDOM, **by_shape("x", (2, 16), (5, 16))
    ),
    Entry("vae_encode", FAMILY, seeded(generative.VAE), method="encode", **by_shape("x", (2, 16), (5, 16))),
    Entry("neural_ode", FAMILY, seeded(generative.NeuralODE), **by_shape("x", (2, 8), (5, 8), steps=6)),
    Entry("energy_score", FAMILY, seeded(generative.EnergyScore), **by_shape("x", (2, 8), (5, 8))),
    Entry(
        "vector_quantizer", FAMILY, seeded(generative.VectorQuantizer), **by_shape("x", (1, 8, 6), (2, 8, 9))
    ),
)

SOUND = entries(
    FAMILY,
    Entry("joseph", FAMILY, seeded(audio.Joseph, 110, 4), lambda: _seconds(1, 256), lambda: _seconds(2, 400)),
    Entry("wavenet", FAMILY, seeded(audio.WaveNet), **by_shape("x", (1, 1, 32), (2, 1, 48))),
    Entry(
        "vocoder_old_weight_norm",
        FAMILY,
        seeded(audio.vocoder_with_old_norm),
        **by_shape("mel", (1, 16, 6), (2, 16, 9)),
    ),
    Entry(
        "vocoder_parametrized_weight_norm",
        FAMILY,
        seeded(audio.vocoder_with_parametrized_norm),
        **by_shape("mel", (1, 16, 6), (2, 16, 9)),
    ),
    Entry("spectral_head", FAMILY, seeded(audio.SpectralHead), **by_shape("mel", (1, 16, 8), (2, 16, 11))),
    Entry("spectral_mask", FAMILY, seeded(audio.SpectralMask), **by_shape("wave", (1, 128), (2, 192))),
    Entry(
        "streaming_stack",
        FAMILY,
        seeded(audio.StreamingStack),
        note=STATEFUL,
        **by_shape("x", (1, 4, 16), (1, 4, 24)),
    ),
    Entry(
        "harmonic_plus_noise",
        FAMILY,
        seeded(audio.HarmonicPlusNoise),
        lambda: _pitch(6),
        lambda: _pitch(9),
        note=RANDOM,
    ),
)

PROGRAMS = entries(
    FAMILY,
    Entry("self_recursive", FAMILY, seeded(program.SelfRecursive), **by_shape("x", (2, 16), (3, 16))),
    Entry("scripted_submodule", FAMILY, seeded(program.WithScripts), **by_shape("x", (2, 8), (5, 8))),
    Entry("nested_outputs", FAMILY, seeded(program.NestedOutputs), **by_shape("x", (2, 8), (5, 8))),
    Entry("keywords_only", FAMILY, seeded(program.KeywordsOnly), lambda: _keywords(2), lambda: _keywords(5)),
    Entry(
        "argument_named_input",
        FAMILY,
        seeded(program.ArgumentNamedInput),
        lambda: _named_input(2),
        lambda: _named_input(5),
    ),
    Entry("in_place_views", FAMILY, seeded(program.InPlaceViews), **by_shape("x", (1, 8, 12), (2, 8, 17))),
    Entry("checkpointed", FAMILY, seeded(program.Checkpointed), **by_shape("x", (2, 8), (5, 8))),
    Entry("data_control", FAMILY, seeded(program.DataControl), **by_shape("x", (2, 8), (5, 8))),
    Entry("time_loop", FAMILY, seeded(program.TimeLoop), **by_shape("x", (2, 5, 8), (3, 7, 8))),
    Entry("traced_sizes", FAMILY, seeded(program.TracedSizes), **by_shape("x", (1, 2, 8), (2, 3, 12))),
    Entry("constants_in_graph", FAMILY, seeded(program.ConstantsInGraph), **by_shape("x", (2, 16), (3, 20))),
    Entry("shared_submodule", FAMILY, seeded(program.SharedSubmodule), **by_shape("x", (2, 8), (5, 8))),
    Entry("custom_function", FAMILY, seeded(program.CustomFunction), **by_shape("x", (2, 8), (5, 8))),
    Entry(
        "random_dropout", FAMILY, seeded(program.RandomDropout), note=RANDOM, **by_shape("x", (2, 8), (5, 8))
    ),
    Entry("through_numpy", FAMILY, seeded(program.ThroughNumpy), **by_shape("x", (2, 8), (5, 8))),
    Entry("own_hooks", FAMILY, seeded(program.HookedSubmodule), **by_shape("x", (2, 8), (5, 8))),
)

HANDWRITTEN = [*CLASSIC, *GENERATIVE, *SOUND, *PROGRAMS]
