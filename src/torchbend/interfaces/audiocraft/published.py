"""A model as audiocraft publishes it: two files, the language model's and the codec's.

The text encoder is not in them: its name is, and its weights are taken from the model hub or from a folder.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from torchbend.errors import CheckpointError, WeightsFileError
from torchbend.interfaces.audiocraft.chroma import Chroma
from torchbend.interfaces.audiocraft.language import LanguageSizes
from torchbend.interfaces.audiocraft.loaded import Loaded, built, filled, tokenizer_of
from torchbend.interfaces.audiocraft.names import codec_from_audiocraft
from torchbend.interfaces.audiocraft.pretrained import fill_codec, fill_text_encoder
from torchbend.interfaces.audiocraft.sources import AUDIOCRAFT_FILES
from torchbend.interfaces.audiocraft.yaml_config import YamlConfig
from torchbend.interfaces.libraries import transformers
from torchbend.interfaces.sources import fetched
from torchbend.weights_file import load_tensors

__all__ = ["read_published"]

_TEXT = "conditioners.description"
_MELODY = "conditioners.self_wav"
_PROJECTION = "condition_provider.conditioners.{}.output_proj.weight"
_LARGEST_WINDOW = 24  # as a power of 2, in samples: of melodies
_COMPUTED = "condition_provider.conditioners.self_wav.chroma."
"""Window and filters of melodies: computed here, whatever the file has."""
_CONDITIONERS = {"description": "t5", "self_wav": "chroma_stem"}
_T5_FILES = ("config.json", "model.safetensors", "tokenizer*", "special_tokens_map.json", "spiece.model")


def read_published(
    folder: Path,
    text_encoder: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Loaded:
    """The model of a folder with audiocraft's two files.

    Args:
        folder: where they are.
        text_encoder: folder or hub name of T5; by default the one that the model was trained with, beside the
            files or from the model hub.
        cache_dir: of the model hub.

    Raises:
        CheckpointError: a file is a training's own checkpoint, or a model of another kind.
        WeightsFileError: a file cannot be read without running code.
    """
    library = transformers("MusicGen and AudioGen")
    language, config = _read(folder / AUDIOCRAFT_FILES[0])
    codec, codec_config = _read(folder / AUDIOCRAFT_FILES[1])
    text_folder = _text_folder(folder, config, text_encoder, cache_dir)
    t5 = library.T5EncoderModel.from_pretrained(text_folder)
    delays = _delays(config, language)
    sizes = _sizes(language, config, delays, str(folder))
    language = {name: t for name, t in language.items() if not name.startswith(_COMPUTED)}
    channels = 2 if config.get("interleave_stereo_codebooks.use", False) else 1
    model = built(sizes, _encodec(codec, codec_config, sizes.codes), t5.config, channels)
    filled(model.lm, language, str(folder / AUDIOCRAFT_FILES[0]), assign=True)
    fill_codec(model, codec_from_audiocraft(codec), str(folder / AUDIOCRAFT_FILES[1]))
    fill_text_encoder(model, t5.state_dict(), str(text_folder))
    longest = config.get("dataset.segment_duration")
    return Loaded(
        model,
        tokenizer_of(text_folder),
        float(longest) if isinstance(longest, int | float) else None,
    )


def _read(path: Path) -> tuple[dict[str, Tensor], YamlConfig]:
    """Weights and configuration of one file."""
    try:
        content = load_tensors(path)
    except WeightsFileError as error:
        if "omegaconf" not in str(error.got):
            raise
        raise _solver(path, f"a configuration that is a program's object ({error.got})") from error
    weights = content.get("best_state") if isinstance(content, Mapping) else None
    if isinstance(weights, Mapping) and isinstance(weights.get("model"), Mapping):
        weights = weights["model"]
    if not isinstance(weights, Mapping) or "xp.cfg" not in content:
        held = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise _solver(path, held[:200])
    return {str(n): t for n, t in weights.items() if isinstance(t, Tensor)}, YamlConfig(
        content["xp.cfg"], str(path)
    )


def _solver(path: Path, got: str) -> CheckpointError:
    return CheckpointError(
        "this is not a published model, but what a training keeps for itself: reading it would run code",
        site=str(path),
        wanted="best_state (weights) and xp.cfg (a text)",
        got=got,
        next_step="export it where it was trained: audiocraft.utils.export.export_lm and "
        "export_encodec write the two files",
    )


def _text_folder(folder: Path, config: YamlConfig, given: Any, cache_dir: Any) -> Path:
    given_to_it = {
        name: config.get(f"conditioners.{name}.model") for name in config.get("conditioners") or {}
    }
    given_to_it.pop("args", None)
    unknown = {name: kind for name, kind in given_to_it.items() if _CONDITIONERS.get(name) != kind}
    if unknown:
        raise CheckpointError(
            "this model listens to something else than a text and a melody",
            site=str(folder),
            wanted="T5 for a text, chroma_stem for a melody",
            got=", ".join(f"{name}: {kind}" for name, kind in unknown.items()),
            next_step="models that follow a style or chords are not known here",
        )
    name = os.fspath(given) if given is not None else str(config.get(f"{_TEXT}.t5.name", "t5-base"))
    for place in (folder / name, folder / Path(name).name, Path(name).expanduser()):
        if (place / "config.json").is_file():
            return place
    return fetched(name, cache_dir, _T5_FILES)


def _delays(config: YamlConfig, language: Mapping[str, Tensor]) -> tuple[int, ...]:
    books = sum(name.startswith("emb.") for name in language)
    kind = config.get("codebooks_pattern.modeling", "delay")
    delays = config.get("codebooks_pattern.delay.delays", list(range(books)))
    if kind != "delay" or len(delays) != books:
        raise CheckpointError(
            "the codebooks of this model are written in another pattern",
            site="xp.cfg: codebooks_pattern",
            wanted=f"delay, with {books} delays",
            got=f"{kind}, {delays}",
        )
    return tuple(int(d) for d in delays)


def _sizes(
    weights: Mapping[str, Tensor], config: YamlConfig, delays: tuple[int, ...], site: str
) -> LanguageSizes:
    """The language model's sizes: those of its weights; the number of heads is in the configuration."""
    melody = config.get(f"{_MELODY}.model") is not None
    try:
        codes, size = weights["emb.0.weight"].shape
        inner = len(weights["transformer.layers.0.linear1.weight"])
        text_size = weights[_PROJECTION.format("description")].shape[1]
        bins = weights[_PROJECTION.format("self_wav")].shape[1] if melody else 0
    except KeyError as error:
        raise CheckpointError(
            "this is no language model of MusicGen or AudioGen", site=site, wanted=f"a weight {error}"
        ) from error
    layers = {name.split(".")[2] for name in weights if name.startswith("transformer.layers.")}
    heads = config.whole("transformer_lm.num_heads", 16)
    chroma = _chroma(config, bins) if melody else None
    return LanguageSizes(size, len(layers), heads, inner, len(delays), codes - 1, text_size, delays, chroma)


def _chroma(config: YamlConfig, bins: int) -> Chroma:
    """How melodies are heard: a frame each quarter of a window, as many as the training's sounds had."""
    if not config.get(f"{_MELODY}.chroma_stem.argmax", True):
        raise CheckpointError(
            "this model hears melodies in another way",
            site=f"xp.cfg: {_MELODY}",
            wanted="argmax: the strongest pitch class of each frame",
            got="argmax: false",
        )
    window = 2 ** min(config.whole(f"{_MELODY}.chroma_stem.radix2_exp", 14), _LARGEST_WINDOW)
    samples = config.whole("dataset.segment_duration", 30) * config.whole("sample_rate", 32000)
    hop = max(window // 4, 1)
    return Chroma(bins, samples // hop + 1, window, hop)


def _encodec(weights: Mapping[str, Tensor], config: YamlConfig, codes: int) -> Any:
    """transformers' configuration of the codec."""

    def seanet(name: str, default: Any) -> Any:
        return config.get(f"seanet.decoder.{name}", config.get(f"seanet.{name}", default))

    books = len({n.split(".")[3] for n in weights if n.startswith("quantizer.vq.layers.")})
    ratios = [int(r) for r in seanet("ratios", [8, 5, 4, 4])]
    rate = config.whole("sample_rate", 32000)
    frame_rate = math.ceil(rate / math.prod(ratios))
    bits = math.ceil(math.log2(codes))
    return transformers("MusicGen and AudioGen").EncodecConfig(
        # half a codebook more than there are: rounding down then gives all of them, whatever the fraction
        target_bandwidths=[(books + 0.5) * frame_rate * bits / 1000],
        sampling_rate=rate,
        audio_channels=1,
        normalize=bool(config.get("encodec.renormalize", False)),
        hidden_size=int(seanet("dimension", 128)),
        num_filters=int(seanet("n_filters", 64)),
        num_residual_layers=int(seanet("n_residual_layers", 1)),
        upsampling_ratios=ratios,
        norm_type=str(seanet("norm", "weight_norm")),
        kernel_size=int(seanet("kernel_size", 7)),
        last_kernel_size=int(seanet("last_kernel_size", 7)),
        residual_kernel_size=int(seanet("residual_kernel_size", 3)),
        dilation_growth_rate=int(seanet("dilation_base", 2)),
        use_causal_conv=bool(seanet("causal", False)),
        pad_mode=str(seanet("pad_mode", "reflect")),
        compress=int(seanet("compress", 2)),
        num_lstm_layers=int(seanet("lstm", 2)),
        trim_right_ratio=float(seanet("trim_right_ratio", 1.0)),
        codebook_size=codes,
        use_conv_shortcut=not bool(seanet("true_skip", True)),
    )
