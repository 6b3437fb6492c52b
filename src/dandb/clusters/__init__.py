"""Clusters of channels that do alike, to be bent together.

A layer of a network has tens to thousands of channels: too many for a slider each. Channels whose activations
look alike over a sound are put together, and each cluster gets one control. The idea is that of Broad,
Leymarie, Grierson, "Network Bending: Expressive Manipulation of Deep Generative Models" (2021).

The way, from a model to its sliders::

    acts = extract_activations(model, ["add_12"], fn="decode", z=z)           # name -> [N, C, T]
    similarity = compute_activations_similarity(acts["add_12"])               # [C, C]
    clusters = compute_clusters(similarity, n_clusters=8)                     # lists of channels
    clusters = sort_clusters(clusters, acts["add_12"])                        # the loudest first
    callbacks = make_clustered_bending_callbacks(clusters)                    # one control each, 1.0 = unbent
    make_widgets(model, callbacks, "decode:add_12", fn="decode", z=z)         # sliders, and a play button

``bended.similar_channels`` finds clusters by a threshold instead of their number; the last two steps take
these too.
"""

from dandb.clusters.activations import channel_energies, compute_activations_similarity, extract_activations
from dandb.clusters.callbacks import make_clustered_bending_callbacks
from dandb.clusters.grouping import compute_clusters, sort_clusters

__all__ = [
    "channel_energies",
    "compute_activations_similarity",
    "compute_clusters",
    "extract_activations",
    "make_clustered_bending_callbacks",
    "sort_clusters",
]
