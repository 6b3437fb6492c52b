"""One verb that reads every form in which a RAVE model lies on disk. Nothing in a file is executed."""

from __future__ import annotations

import json
import logging
import os
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from torchbend.errors import CheckpointError, RAVEConfigError, WeightsFileError
from torchbend.rave.checkpoints.build import build
from torchbend.rave.checkpoints.caveat import Caveat
from torchbend.rave.checkpoints.exported import is_exported, read_exported
from torchbend.rave.checkpoints.from_gin import SHIPPED, read_gin
from torchbend.rave.checkpoints.gin import read_gin_file
from torchbend.rave.checkpoints.infer import infer
from torchbend.rave.checkpoints.locate import Source, locate
from torchbend.rave.checkpoints.native import read_native
from torchbend.rave.checkpoints.state import State, audio_channels, cleaned, modulates, with_ema
from torchbend.rave.config import GeneratorV2Config, RAVEConfig
from torchbend.rave.config_json import from_dict
from torchbend.rave.model import RAVE
from torchbend.weights_file import BROKEN, load_tensors

__all__ = ["load", "load_with_notes"]

# How the files begin that servers give instead of a model.
_DOWNLOADS = {
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<head": "a web page",
    b"<!--": "a web page",
    b"<?xml": "a text in XML",
    b"version https://git-lfs": "a pointer of Git LFS",
}

_log = logging.getLogger(__name__)


def load(path: str | os.PathLike[str], *, ema: bool = False, strict: bool = True) -> RAVE:
    """A model from a file or a run.

    Args:
        path: the folder of a training run (its newest ``.ckpt`` is taken, and its ``config.gin``), a
            ``.ckpt``, a ``.safetensors`` that `torchbend.rave.checkpoints.native.save` wrote, or an exported
            ``.ts``, which is read without running it. A prior's checkpoint gives the model inside it. Or the
            name of a model that comes with the package, as ``"sax"``, where nothing else has this path.
        ema: take the averaged weights that the run kept, with the PCA that was found of them; where the run
            kept one PCA only, it stays, as other statistics do.
        strict: refuse weights that do not fit the configuration; otherwise take what fits.

    Returns:
        The model in evaluation mode, without gradients. What was left out is logged; what was filled in, and
        the sound depends on, is logged as a warning. `load_with_notes` gives both.

    Raises:
        CheckpointError: there is no such file, it is damaged, foreign, needs code to be read, or does not fit
            its configuration. Nothing is loaded then.
    """
    model, notes = load_with_notes(path, ema=ema, strict=strict)
    for note in notes:
        if not isinstance(note, Caveat):
            _log.info("%s: %s", path, note)
    caveats = [note for note in notes if isinstance(note, Caveat)]
    if caveats:
        _log.warning("%s: %s", path, "; ".join(caveats))
    return model


def load_with_notes(
    path: str | os.PathLike[str], *, ema: bool = False, strict: bool = True
) -> tuple[RAVE, tuple[str, ...]]:
    """A model as `load` gives it, and what a reader of the file should know.

    Raises:
        CheckpointError: as `load`.
    """
    source = locate(path)
    name = str(source.file)
    _check_download(source.file)
    shared = True
    try:
        if source.file.suffix == ".safetensors":
            _no_ema(ema, name)
            config, state = read_native(source.file)
            notes: list[str] = []
        elif is_exported(source.file):
            _no_ema(ema, name)
            config, state, notes = read_exported(source.file)
            shared = False
        else:
            config, state, notes = _read_checkpoint(source, ema)
        model, told = build(config, state, name, strict, shared)
    except RAVEConfigError as error:
        raise CheckpointError(
            "the configuration of this model cannot be used",
            site=str(source.gin or source.file),
            got=str(error),
        ) from error
    return model, (*notes, *told)


def _read_checkpoint(source: Source, ema: bool) -> tuple[RAVEConfig, State, list[str]]:
    name = str(source.file)
    content = _content(source.file)
    given = content.get("state_dict", content)
    if not isinstance(given, Mapping):
        raise CheckpointError(
            "this checkpoint holds no weights", site=name, wanted="a state_dict", got=type(given).__name__
        )
    state, notes = cleaned(given, name)
    if ema:
        state = with_ema(state, content, name)
    own = _own_configuration(content, name)
    if own is not None:
        return own, state, notes
    if source.gin is None:
        config, guessed = infer(state, name)
        notes.append("there is no config.gin: the configuration follows from the sizes of the weights")
        return config, state, notes + guessed
    reading = read_gin(read_gin_file(source.gin, SHIPPED))
    config = _with_stored_mel(reading.config, state)
    config = replace(config, channels=audio_channels(state, config, name), name=_run_name(source.gin))
    decoder = config.decoder
    modulated = modulates(state, config)
    if isinstance(decoder, GeneratorV2Config) and modulated is not None:
        config = replace(config, decoder=replace(decoder, amplitude_modulation=modulated))
    return config, state, [*notes, *reading.notes]


def _own_configuration(content: Mapping[str, Any], name: str) -> RAVEConfig | None:
    """The configuration in a checkpoint of this project's own training; None in others.

    Raises:
        CheckpointError: it is damaged.
    """
    held = content.get("torchbend")
    written = held.get("config") if isinstance(held, Mapping) else None
    if not isinstance(written, str):
        return None
    try:
        return from_dict(json.loads(written))
    except ValueError as error:
        raise CheckpointError(
            "the configuration in this checkpoint cannot be used", site=name, got=str(error)
        ) from error


def _run_name(gin: Path) -> str:
    """The name of the run that a configuration file belongs to: that of its folder."""
    return gin.absolute().parent.name or gin.stem


def _check_download(file: Path) -> None:
    """Refuse what servers give in the place of a file.

    Raises:
        CheckpointError: the file is a web page, or a pointer to a file that is kept elsewhere.
    """
    try:
        with file.open("rb") as opened:
            start = opened.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    except OSError as error:
        raise CheckpointError("the file cannot be read", site=str(file), got=str(error)) from error
    found = next((what for begins, what in _DOWNLOADS.items() if start.startswith(begins)), None)
    if found is not None:
        raise CheckpointError(
            f"this file is {found}, not a model",
            site=str(file),
            wanted="a checkpoint, a .safetensors or an exported .ts",
            got=repr(start[:40].decode("ascii", "replace")),
            next_step="fetch the model again, by the link that downloads the file itself",
        )


def _with_stored_mel(config: RAVEConfig, state: State) -> RAVEConfig:
    """The configuration with the spectrogram that the state holds: files name its parameters in many ways."""
    filters = state.get("spectrogram.mel_scale.fb")
    if config.mel is None or filters is None or filters.dim() != 2:
        return config
    bins, mels = filters.shape
    return replace(config, mel=replace(config.mel, n_fft=2 * (int(bins) - 1), mels=int(mels)))


def _content(file: Path) -> Mapping[str, Any]:
    """What a checkpoint holds: tensors stay on disk until they are taken."""
    content: Any = None
    if zipfile.is_zipfile(file):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except BROKEN:
            # The reader below finds out and says what is wrong.
            content = None
    if content is None:
        try:
            content = load_tensors(file)
        except WeightsFileError as error:
            raise CheckpointError(
                error.message, site=error.site, wanted=error.wanted, got=error.got, next_step=error.next_step
            ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(
            "this file holds no checkpoint",
            site=str(file),
            wanted="weights by name",
            got=type(content).__name__,
        )
    return content


def _no_ema(ema: bool, name: str) -> None:
    if ema:
        raise CheckpointError(
            "only checkpoints of training hold averaged weights",
            site=name,
            wanted="a .ckpt or the folder of a run",
            next_step="load it with ema=False",
        )
