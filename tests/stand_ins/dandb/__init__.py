"""A stand-in for the workshop package: only what the documents' cells take from it."""

from .figures import plot_1d_activation, plot_audio, plot_kernel_grid, plot_latent_trajs
from .models import RAVE_DECODER_ACT_NAMES_DECODE, download_models, import_model
from .sounds import get_sounds

__all__ = [
    "RAVE_DECODER_ACT_NAMES_DECODE",
    "download_models",
    "get_sounds",
    "import_model",
    "plot_1d_activation",
    "plot_audio",
    "plot_kernel_grid",
    "plot_latent_trajs",
]
