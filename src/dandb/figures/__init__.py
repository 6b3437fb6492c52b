"""The figures of the workshop: seen in a notebook, saved to files, described in words.

All of them follow one rule for ``display``: ``True`` draws at once; ``None``, the default, draws when the
cell ends, unless the figure has been shown by then or is the cell's last line; ``False`` draws only what is
asked for. So each figure appears exactly once. What a button or a slider calls runs between cells: there
``None`` draws at once. Outside a notebook nothing is drawn until ``figure.show()``, which opens a browser.
"""

from dandb.figures.activation import plot_1d_activation
from dandb.figures.audio import plot_audio
from dandb.figures.audio_grid import AudioGrid, make_audio_grid
from dandb.figures.features import plot_features
from dandb.figures.figure import Figure
from dandb.figures.image_activations import plot_image_activations
from dandb.figures.images import plot_image_grid, plot_image_reconstructions
from dandb.figures.kernels import plot_kernel_grid
from dandb.figures.latents import plot_latent_trajs
from dandb.figures.reconstructions import plot_reconstructions

__all__ = [
    "AudioGrid",
    "Figure",
    "make_audio_grid",
    "plot_1d_activation",
    "plot_audio",
    "plot_features",
    "plot_image_activations",
    "plot_image_grid",
    "plot_image_reconstructions",
    "plot_kernel_grid",
    "plot_latent_trajs",
    "plot_reconstructions",
]
