"""One verb that reads priors, those of the original and our own. Nothing in a file is executed."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from torchbend.errors import CheckpointError, RAVEConfigError, WeightsFileError
from torchbend.rave.checkpoints.build import build
from torchbend.rave.checkpoints.from_gin import SHIPPED
from torchbend.rave.checkpoints.gin import GinFile, read_gin_file
from torchbend.rave.checkpoints.gin_lookup import Lookup
from torchbend.rave.checkpoints.infer import infer
from torchbend.rave.checkpoints.load import load_with_notes
from torchbend.rave.checkpoints.locate import Source, locate
from torchbend.rave.checkpoints.state import CACHES, PRIOR, State, cleaned
from torchbend.rave.model import RAVE
from torchbend.rave.prior.config import PriorConfig, check_prior, prior_from_dict
from torchbend.rave.prior.network import Network
from torchbend.rave.prior.prior import Prior
from torchbend.rave.prior.save import read_prior
from torchbend.weights_file import load_tensors

__all__ = ["load_prior"]

_log = logging.getLogger(__name__)

SIZES = ("pre_net.0.weight", "residuals.0.dconv.weight", "post_net.0.weight", "post_net.2.weight")
"""The weights that tell the sizes of a prior."""


def load_prior(path: str | os.PathLike[str], *, cycle_size: int | None = None) -> Prior:
    """A prior from a file or a run, with the model that it is for.

    Args:
        path: a ``.ckpt`` of the original, the folder of a run (its newest ``.ckpt`` is taken), or a
            ``.safetensors`` that `save_prior` wrote.
        cycle_size: layers after which the dilation starts at 1 again. The weights do not tell it: where it is
            left out, it is that of the run's configuration, or else 4, as the original's.

    Returns:
        The prior in evaluation mode, without gradients. What had to be guessed is logged.

    Raises:
        CheckpointError: there is no such file, it is damaged, foreign, needs code to be read, or holds no
            prior of a variational model. Nothing is loaded then.
    """
    source = locate(path)
    name = str(source.file)
    try:
        if source.file.suffix == ".safetensors":
            model_config, config, state = read_prior(source.file)
            own, inside = _parts(state)
            model, notes = build(model_config, inside, name)
        else:
            given, written = _state(source)
            own, inside = _parts(given)
            gin = None if written is not None or source.gin is None else read_gin_file(source.gin, SHIPPED)
            config, notes = (written, []) if written is not None else _sizes(own, gin, name)
            model, told = _model(source, gin, inside)
            notes += told
        if cycle_size is not None:
            config = replace(config, cycle_size=cycle_size)
        check_prior(config, model.latent_size)
        _check_fit(config, own, name)
        prior = Prior(model, config)
    except RAVEConfigError as error:
        raise CheckpointError("this prior cannot be used", site=name, got=str(error)) from error
    prior.load_state_dict(own, strict=False)
    for note in notes:
        _log.info("%s: %s", path, note)
    return prior.eval().requires_grad_(False)


def _state(source: Source) -> tuple[Mapping[str, object], PriorConfig | None]:
    """What a checkpoint holds, and the sizes of the prior, where this project's training wrote them."""
    name = str(source.file)
    try:
        content = load_tensors(source.file)
    except WeightsFileError as error:
        raise CheckpointError(
            error.message, site=error.site, wanted=error.wanted, got=error.got, next_step=error.next_step
        ) from error
    given = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(given, Mapping):
        raise CheckpointError(
            "this checkpoint holds no weights", site=name, wanted="a state_dict", got=type(content).__name__
        )
    return given, _written(content, name)


def _written(content: Mapping[str, object], name: str) -> PriorConfig | None:
    """The sizes in a checkpoint of this project's own training; None in others."""
    held = content.get("torchbend")
    text = held.get("prior") if isinstance(held, Mapping) else None
    if not isinstance(text, str):
        return None
    try:
        return prior_from_dict(json.loads(text))
    except ValueError as error:
        raise CheckpointError(
            "the sizes in this checkpoint are damaged", site=name, got=str(error)
        ) from error


def _parts(given: Mapping[str, object]) -> tuple[State, State]:
    """The weights of the prior, and those of the model inside, without what a stream keeps."""
    tensors = {
        name: value
        for name, value in given.items()
        if isinstance(name, str) and isinstance(value, Tensor) and not name.endswith(CACHES)
    }
    inside = {name[len(PRIOR) :]: value for name, value in tensors.items() if name.startswith(PRIOR)}
    return {name: value for name, value in tensors.items() if not name.startswith(PRIOR)}, inside


def _model(source: Source, gin: GinFile | None, inside: State) -> tuple[RAVE, list[str]]:
    """The model inside of a checkpoint; the run's configuration may be one of the prior alone."""
    if gin is None or gin.bases or Lookup(gin).has("RAVE", "encoder"):
        model, notes = load_with_notes(source.file)
        return model, list(notes)
    name = str(source.file)
    state, notes_of_state = cleaned(inside, name)
    config, guessed = infer(state, name)
    model, told = build(config, state, name)
    return model, [*notes_of_state, "the model's configuration follows from the sizes", *guessed, *told]


def _sizes(own: State, gin: GinFile | None, name: str) -> tuple[PriorConfig, list[str]]:
    """A prior's configuration from its weights, and what had to be guessed."""
    shapes = {key: tuple(own[key].shape) for key in SIZES if key in own}
    if len(shapes) < len(SIZES) or any(len(shape) != 3 or 0 in shape for shape in shapes.values()):
        raise CheckpointError(
            "this file holds no prior",
            site=name,
            wanted=f"three-dimensional weights: {', '.join(SIZES)}",
            got=", ".join(f"{key}: {list(value.shape)}" for key, value in list(own.items())[:4])
            or "no weights",
            next_step="torchbend.rave.load reads models without a prior",
        )
    width, resolution, kernel = shapes[SIZES[0]]
    cycle, notes = PriorConfig.cycle_size, []
    bound = [b.name for b in (gin.bindings if gin is not None else ()) if b.parameter == "cycle_size"]
    if gin is not None and bound:
        cycle = Lookup(gin).whole(bound[-1], "cycle_size", cycle)
    else:
        notes.append(f"the cycle of the dilations is taken to be {cycle} layers")
    config = PriorConfig(
        latents=shapes[SIZES[3]][0] // resolution,
        resolution=resolution,
        residual_size=width,
        skip_size=shapes[SIZES[2]][0],
        kernel_size=kernel,
        cycle_size=cycle,
        layers=len({key.split(".")[1] for key in own if key.startswith("residuals.")}),
    )
    return config, notes


def _check_fit(config: PriorConfig, own: State, name: str) -> None:
    """Raise if weights do not fit sizes, before any memory is taken for them."""
    with torch.device("meta"):
        wanted = Network(config).state_dict()
    wrong = [key for key in wanted if key not in own or own[key].shape != wanted[key].shape]
    unknown = [key for key in own if key not in wanted]
    if wrong or unknown:
        raise CheckpointError(
            "the weights of this prior do not fit each other",
            site=name,
            wanted=", ".join(f"{key}: {list(wanted[key].shape)}" for key in wrong[:4]) or "nothing more",
            got=", ".join(
                f"{key}: {list(own[key].shape) if key in own else 'missing'}"
                for key in (*wrong, *unknown)[:4]
            ),
        )
