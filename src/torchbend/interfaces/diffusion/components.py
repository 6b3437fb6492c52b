"""The modules of a pipeline as one, with the methods that bends apply to."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

__all__ = ["DiffusionModel"]

_DENOISERS = ("unet", "transformer", "prior", "decoder")
_CODECS = ("vae", "vqvae", "vqgan", "movq")


class DiffusionModel(nn.Module):
    """The modules of a pipeline under the names that it gives them: weights are ``unet.*``, ``vae.*``, ...

    Their calls are methods: ``denoise`` (the UNet or transformer, one step), ``condition`` (the text encoder;
    ``condition_2``, ``condition_3`` where there are more), ``encode`` and ``decode`` (the VAE). Any other
    module is called by ``use_<name>``.

    Args:
        parts: the modules by name.

    Attributes:
        calls: for each method, the module that it calls and by which of that module's methods.
        denoisers: names of the modules that are called in each step.
        codec: name of the VAE; None where the pipeline works on images themselves.
    """

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.training = any(part.training for part in parts.values())
        self.denoisers = _denoisers(parts)
        self.codec = next((name for name in _CODECS if name in parts), None)
        self.calls: dict[str, tuple[str, str]] = {}
        for name in parts:
            self.calls.update(self._calls_of(name))
        self._methods = {call: method for method, call in self.calls.items()}
        self._signatures: dict[tuple[str, str], inspect.Signature] = {}

    def _calls_of(self, name: str) -> dict[str, tuple[str, str]]:
        if name in self.denoisers:
            return {"denoise" + name[len(self.denoisers[0]) :]: (name, "forward")}
        if name == self.codec:
            part = self._modules[name]
            return {verb: (name, verb) for verb in ("encode", "decode") if hasattr(part, verb)}
        if name == "text_encoder" or name.startswith("text_encoder_"):
            return {"condition" + name[len("text_encoder") :]: (name, "forward")}
        return {f"use_{name}": (name, "forward")}

    def __getattr__(self, name: str) -> Any:
        call = self.__dict__.get("calls", {}).get(name)
        return super().__getattr__(name) if call is None else types.MethodType(_calling(*call), self)

    @property
    def denoiser(self) -> nn.Module:
        """The module that is called in each step."""
        return self.get_submodule(self.denoisers[0])

    @property
    def autoencoder(self) -> Any:
        """The VAE; None where the pipeline works on images themselves."""
        return None if self.codec is None else self._modules[self.codec]

    @property
    def device(self) -> torch.device:
        """Where the denoiser is."""
        return next(self.denoiser.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the denoiser's weights."""
        return next(self.denoiser.parameters()).dtype

    def method_of(self, part: str, called: str) -> str | None:
        """The method of this class that stands for a call of a part; None: there is none."""
        return self._methods.get((part, called))

    def by_name(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Arguments by name, however the pipeline gave them; None where they have no names.

        Names make one thing of what is given by position here and by name there.
        """
        call = self.calls[method]
        if call not in self._signatures:
            part = self._modules[call[0]]
            self._signatures[call] = inspect.signature(getattr(part, call[1]))
        signature = self._signatures[call]
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return None
        named: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL or kind is inspect.Parameter.POSITIONAL_ONLY:
                return None
            named.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
        return named


def _calling(part: str, called: str) -> Callable[..., Any]:
    """A method that calls a part."""

    def call(self: DiffusionModel, *args: Any, **inputs: Any) -> Any:
        module: Any = self._modules[part]
        return module(*args, **inputs) if called == "forward" else getattr(module, called)(*args, **inputs)

    return call


def _denoisers(parts: Mapping[str, nn.Module]) -> list[str]:
    """The module that denoises, and those that take turns with it (``transformer_2``)."""
    first = next((name for name in _DENOISERS if name in parts), None)
    if first is None:
        return []
    return [first, *(name for name in parts if name.startswith(f"{first}_") and name[-1].isdigit())]
