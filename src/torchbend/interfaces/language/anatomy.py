"""Where attention, MLP and the rest are in a causal language model of transformers.

Models differ in what they call their parts, less in what these do. The words below cover GPT-2, GPT-Neo,
GPT-J, GPT-NeoX, OPT, Bloom, Falcon, Phi, Llama and those built alike (Mistral, Qwen, Gemma, ...). A part that
is not found has no readable name; its own name always works.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

__all__ = ["Anatomy", "Layer", "anatomy"]

_ATTENTION = ("attn", "self_attn", "attention", "self_attention")
_MLP = ("mlp", "feed_forward", "ffn", "ff", "block_sparse_moe")
_IN_ATTENTION = {
    "query": ("q_proj", "query", "wq", "q"),
    "key": ("k_proj", "key", "wk", "k"),
    "value": ("v_proj", "value", "wv", "v"),
    "qkv": ("c_attn", "qkv_proj", "query_key_value", "Wqkv", "qkv"),
    "out": ("o_proj", "c_proj", "out_proj", "dense", "wo"),
}
_IN_MLP = {
    "gate": ("gate_proj", "w1"),
    "up": ("up_proj", "c_fc", "fc1", "fc_in", "dense_h_to_4h", "w3"),
    "gate_up": ("gate_up_proj",),
    "down": ("down_proj", "c_proj", "fc2", "fc_out", "dense_4h_to_h", "w2"),
}


@dataclass
class Layer:
    """Paths of a layer's parts.

    Attributes:
        path: of the layer.
        attention, mlp: of the two halves; empty where there is none.
        inside: of the parts of both, by readable name (``"attention.query"``, ``"norm1"``).
    """

    path: str
    attention: str = ""
    mlp: str = ""
    inside: dict[str, str] = field(default_factory=dict)


@dataclass
class Anatomy:
    """Paths of a model's parts.

    Attributes:
        layers: in order.
        outside: of what belongs to no layer, by readable name (``"embedding"``, ``"head"``).
        heads: of each attention.
        head_size: channels of each.
    """

    layers: list[Layer]
    outside: dict[str, str]
    heads: int = 0
    head_size: int = 0


def anatomy(model: nn.Module) -> Anatomy:
    """Look at a model's modules and configuration; nothing is run."""
    path, blocks = _blocks(model)
    layers = [_layer(f"{path}.{index}", block) for index, block in enumerate(blocks)]
    config: Any = getattr(model, "config", None)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    heads = int(getattr(text, "num_attention_heads", 0) or 0)
    size = int(getattr(text, "hidden_size", 0) or 0)
    head_size = int(getattr(text, "head_dim", 0) or 0) or (size // heads if heads else 0)
    return Anatomy(layers, _outside(model, path), heads, head_size)


def _blocks(model: nn.Module) -> tuple[str, list[nn.Module]]:
    """The list of layers: the outermost one whose members attend."""
    for path, part in model.named_modules():
        if isinstance(part, nn.ModuleList) and len(part):
            children = [name for name, _ in part[0].named_children()]
            if any(word in children for word in _ATTENTION):
                return path, list(part)
    return "", []


def _layer(path: str, block: nn.Module) -> Layer:
    children = dict(block.named_children())
    layer = Layer(path)
    attention = next((word for word in _ATTENTION if word in children), None)
    if attention is not None:
        layer.attention = f"{path}.{attention}"
        layer.inside |= _found("attention", layer.attention, children[attention], _IN_ATTENTION)
    mlp = next((word for word in _MLP if word in children), None)
    if mlp is not None:
        layer.mlp = f"{path}.{mlp}"
        layer.inside |= _found("mlp", layer.mlp, children[mlp], _IN_MLP)
    elif "fc1" in children:  # OPT: the two linear layers are the block's own
        layer.inside |= _found("mlp", path, block, {"up": ("fc1",), "down": ("fc2",)})
    norms = [name for name, part in children.items() if "Norm" in type(part).__name__]
    layer.inside |= {f"norm{number}": f"{path}.{name}" for number, name in enumerate(norms, start=1)}
    return layer


def _found(half: str, path: str, part: nn.Module, words: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """The parts that have one of the known names, in the part itself or one below (GPT-Neo's attention)."""
    own = dict(part.named_children())
    below = next((name for name in _ATTENTION if name in own), None)
    if below is not None:
        return _found(half, f"{path}.{below}", own[below], words)
    found = {}
    for role, known in words.items():
        name = next((word for word in known if word in own), None)
        if name is not None:
            found[f"{half}.{role}"] = f"{path}.{name}"
    return found


def _outside(model: nn.Module, layers: str) -> dict[str, str]:
    paths = {id(part): path for path, part in model.named_modules()}
    found = {}
    for role, getter in (("embedding", "get_input_embeddings"), ("head", "get_output_embeddings")):
        part = getattr(model, getter)() if hasattr(model, getter) else None
        if part is not None and id(part) in paths:
            found[role] = paths[id(part)]
    taken = set(found.values())
    free = [
        (path, part)
        for path, part in model.named_modules()
        if path not in taken and not (layers and path.startswith(f"{layers}."))
    ]
    positions = [path for path, part in free if isinstance(part, nn.Embedding)]
    norms = [path for path, part in free if "Norm" in type(part).__name__]
    if positions:
        found["positions"] = positions[0]
    if norms:
        found["norm"] = norms[-1]
    return {role: found[role] for role in ("embedding", "positions", "norm", "head") if role in found}
