"""Short patterns of the documents, written out.

``lm.transformer.3.weight`` says what its reader means, all weights of layer 3. But no weight has such a name:
audiocraft calls them ``lm.transformer.layers.3.self_attn.in_proj_weight`` and so on. As a regular expression
it would match nothing.
"""

from __future__ import annotations

import re

__all__ = ["written_out"]

_LAYER = re.compile(r"lm(\\?\.)transformer\1(?P<layer>\d+)\1(?P<kind>weight|bias)(?P<end>\$?)")


def written_out(pattern: str) -> str:
    """The pattern for real names; any other pattern is given back as it is.

    >>> written_out("lm.transformer.3.weight")
    'lm\\\\.transformer\\\\.layers\\\\.3\\\\..*weight'
    >>> written_out("lm.transformer.layers.3.norm1")
    'lm.transformer.layers.3.norm1'
    """
    found = _LAYER.fullmatch(pattern)
    if found is None:
        return pattern
    return rf"lm\.transformer\.layers\.{found['layer']}\..*{found['kind']}{found['end']}"
