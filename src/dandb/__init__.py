"""The workshop: models, sounds and figures that its documents use.

The names of this module are imported at first use: ``import dandb`` waits neither for torch nor for plotly.

Example:
    >>> import dandb
    >>> model_list = dandb.download_models(quiet=True)
    >>> "sax" in model_list
    True
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dandb.clusters import (
        compute_activations_similarity,
        compute_clusters,
        extract_activations,
        make_clustered_bending_callbacks,
        sort_clusters,
    )
    from dandb.figures import (
        make_audio_grid,
        plot_1d_activation,
        plot_audio,
        plot_features,
        plot_image_activations,
        plot_image_grid,
        plot_image_reconstructions,
        plot_kernel_grid,
        plot_latent_trajs,
        plot_reconstructions,
    )
    from dandb.models import download_models, import_model
    from dandb.names import RAVE_DECODER_ACT_NAMES, RAVE_DECODER_ACT_NAMES_DECODE
    from dandb.sounds import Sounds, get_sounds
    from dandb.widgets import make_widgets

__all__ = [
    "RAVE_DECODER_ACT_NAMES",
    "RAVE_DECODER_ACT_NAMES_DECODE",
    "Sounds",
    "compute_activations_similarity",
    "compute_clusters",
    "download_models",
    "extract_activations",
    "get_sounds",
    "import_model",
    "make_audio_grid",
    "make_clustered_bending_callbacks",
    "make_widgets",
    "plot_1d_activation",
    "plot_audio",
    "plot_features",
    "plot_image_activations",
    "plot_image_grid",
    "plot_image_reconstructions",
    "plot_kernel_grid",
    "plot_latent_trajs",
    "plot_reconstructions",
    "sort_clusters",
]

# Where each name lives; the imports above say the same to type checkers.
_HOMES = {
    "dandb.clusters": (
        "compute_activations_similarity compute_clusters extract_activations "
        "make_clustered_bending_callbacks sort_clusters"
    ),
    "dandb.figures": (
        "make_audio_grid plot_1d_activation plot_audio plot_features plot_image_activations plot_image_grid "
        "plot_image_reconstructions plot_kernel_grid plot_latent_trajs plot_reconstructions"
    ),
    "dandb.models": "download_models import_model",
    "dandb.names": "RAVE_DECODER_ACT_NAMES RAVE_DECODER_ACT_NAMES_DECODE",
    "dandb.sounds": "Sounds get_sounds",
    "dandb.widgets": "make_widgets",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """A public name, or a part of the package, imported when it is first asked for."""
    if name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    elif not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
