"""The figures of the workshop: seen in a notebook, saved to files, described in words.

All of them follow one rule for ``display``: ``True`` draws at once; ``None``, the default, draws when the
cell ends, unless the figure has been shown by then or is the cell's last line; ``False`` draws only what is
asked for. So each figure appears exactly once. What a button or a slider calls runs between cells: there
``None`` draws at once. Outside a notebook nothing is drawn until ``figure.show()``, which opens a browser.
"""

from dandb.figures.activation import plot_1d_activation
from dandb.figures.audio import plot_audio
from dandb.figures.figure import Figure
from dandb.figures.kernels import plot_kernel_grid
from dandb.figures.latents import plot_latent_trajs

__all__ = [
    "Figure",
    "plot_1d_activation",
    "plot_audio",
    "plot_kernel_grid",
    "plot_latent_trajs",
]
