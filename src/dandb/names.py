"""Where to listen in a decoder: the names of its activations, for the RAVE models of the documents."""

from __future__ import annotations

__all__ = ["RAVE_DECODER_ACT_NAMES", "RAVE_DECODER_ACT_NAMES_DECODE"]

RAVE_DECODER_ACT_NAMES_DECODE = ["add_6", "add_12", "add_18", "add_24", "sigmoid"]
"""What comes out of each stage of the decoder, in the graph of ``decode``.

The first four lie behind the activation functions that end the stages, from few frames and many channels to
many frames and few channels; the last one is the loudness that shapes the waveform. They are the names for
models without a filter bank after the decoder and with Snake activations: ``sax`` and ``sol_full_nopqmf``.
`BendedModule.print_activations` lists those of any other model.
"""

RAVE_DECODER_ACT_NAMES = ["add_27", "add_33", "add_39", "add_45", "sigmoid"]
"""The same places in the graph of ``forward``, which encodes first and so counts on from the encoder."""
