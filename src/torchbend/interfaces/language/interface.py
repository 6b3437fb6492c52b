"""A causal language model, looked into and bent under readable names; what it writes is in `writing`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from torchbend.bending.callbacks import Cluster
from torchbend.bending.recipe import Bend
from torchbend.bending.statistics import Statistics
from torchbend.display import Table, emit
from torchbend.display.table import TextWriter
from torchbend.errors import CheckpointError, SiteNotFoundError
from torchbend.interfaces.base import BendingInterface
from torchbend.interfaces.language.anatomy import anatomy
from torchbend.interfaces.language.generation import context_of, device_of
from torchbend.interfaces.language.loading import Loaded, Location, Options, opened
from torchbend.interfaces.language.names import METHOD, NamedSite, Names
from torchbend.interfaces.language.sites import channels, named_sites, sites_table
from torchbend.interfaces.language.texts import Texts
from torchbend.interfaces.language.tiny import tiny_language_model
from torchbend.module.selection import Selection

__all__ = ["LanguageInterface"]

Self = TypeVar("Self", bound="LanguageInterface")


class LanguageInterface(BendingInterface):
    """Loading, names and bends; see `BendedLanguageModel`."""

    kind = "language"
    extra = "transformers"
    makes = "text"
    writes = (".txt", ".md", ".json")
    export_targets = ()
    why_no_export = "it writes token by token, each from what it wrote before, which no block can hold"

    def __init__(
        self,
        source: Location | Loaded | nn.Module,
        cache_dir: Location | None = None,
        *,
        tokenizer: Any = None,
        dtype: str | torch.dtype = "auto",
        device: str | torch.device = "cpu",
        device_map: str | Mapping[str, Any] | None = None,
        offload_folder: Location | None = None,
        attention: Literal["fused", "explicit"] = "fused",
    ) -> None:
        if attention not in ("fused", "explicit"):
            raise CheckpointError(
                "unknown kind of attention",
                site="attention",
                wanted="'fused' or 'explicit'",
                got=repr(attention),
            )
        explicit = attention == "explicit"
        self.__dict__["_options"] = options = Options(
            cache_dir, dtype, device, device_map, offload_folder, explicit
        )
        loaded = _loaded(source, options, tokenizer)
        super().__init__(loaded.model.eval())
        self.__dict__["_source"] = loaded.source
        words = getattr(getattr(loaded.model, "config", None), "vocab_size", None)
        self.__dict__["_texts"] = Texts(loaded.tokenizer, words if isinstance(words, int) else None)
        self.trace_methods()

    @classmethod
    def tiny(cls: type[Self], seed: int = 0, *, model: str = "gpt2", **options: Any) -> Self:
        """A tiny model with random weights (`tiny_language_model`): what it writes is noise.

        Args:
            seed: of its weights.
            model: its architecture, as ``"llama"``.
            options: the class's other arguments.
        """
        return cls(tiny_language_model(model, seed), **options)

    def example_inputs(self) -> Mapping[str, Any]:
        """Three tokens: what is traced. The names hold in every step of a generation too."""
        parts = anatomy(self.module)
        length = 4 if parts.heads == 3 else 3  # not the number of the heads: they are told apart by it
        ids = torch.arange(1, length + 1, device=device_of(self.module))[None]
        return {METHOD: {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": True}}

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """Trace a call (see `BendedModule.trace`), without gradients; it renews the readable names."""
        with torch.no_grad():
            traced = super().trace(*args, **kwargs)
        self._name_sites()
        return traced

    def _name_sites(self) -> None:
        capture = self._captures[METHOD]
        self.__dict__["names"] = named_sites(self.module, anatomy(self.module), capture)
        self._engine.channels = channels(self.names, capture)
        self._engine.changed()

    _texts: Texts
    _source: str
    _options: Options
    names: Names

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, as it was given."""
        return self._texts.tokenizer

    @property
    def context(self) -> int | None:
        """How many tokens the model can read at once; None where it sets no limit."""
        return context_of(self.module)

    def sites(self, *patterns: str) -> Table:
        """The readable names, beside those of the model.

        Args:
            patterns: readable patterns; by default all, layers that are alike once.
        """
        return sites_table(self.names, self._chosen(patterns) if patterns else None)

    def print_sites(self, *patterns: str, out: str | os.PathLike[str] | TextWriter | None = None) -> str:
        """Print the table of `sites`.

        Args:
            patterns: as of `sites`.
            out: a file, or its path, to write to instead.

        Returns:
            The table as text.
        """
        return emit(self.sites(*patterns), out)

    def _chosen(self, patterns: Sequence[str]) -> list[NamedSite]:
        found: dict[str, NamedSite] = {}
        for pattern in patterns:
            meant = self.names.meant(pattern)
            if meant is None:
                raise SiteNotFoundError(
                    f"{pattern!r} is no readable name",
                    site=str(pattern),
                    wanted="such as layer.0.attention, layer.*.mlp, embedding, head",
                    next_step="print_sites() lists them",
                )
            found |= {site.name: site for site in meant}
        return list(found.values())

    def _chosen_activations(self, patterns: Sequence[str]) -> list[NamedSite]:
        sites = [site for site in self._chosen(patterns) if site.kind == "activation"]
        if not sites:
            raise SiteNotFoundError(
                "no activation was asked for",
                site=", ".join(patterns) or None,
                wanted="readable names of activations, such as layer.0.attention",
                next_step="print_sites() lists them; names that end in .weight or .bias are weights",
            )
        return sites

    # -- readable names --------------------------------------------------------------------------------------

    def _own_names(self, patterns: Sequence[str], kind: str | None = None) -> Sequence[str]:
        """The patterns with the model's own names; a part means the site that holds it."""
        found: list[str] = []
        for pattern in patterns:
            meant = self.names.meant(pattern)
            own = [site.pattern for site in meant or () if kind in (None, site.kind)]
            found += [pattern] if meant is None else list(dict.fromkeys(own))
        return found

    def _written_out(self, bend: Bend) -> Sequence[Bend]:
        """The bend with the model's own names; parts of a site are clusters of its channels."""
        patterns: list[str] = []
        parts: dict[tuple[tuple[int, ...], int], list[str]] = {}
        for pattern in bend.patterns:
            meant = self.names.meant(pattern)
            if meant is None:
                patterns.append(pattern)
            for site in meant or ():
                if site.part is None:
                    patterns.append(site.pattern)
                else:
                    parts.setdefault((site.part, site.dim), []).append(site.pattern)
        found = [replace(bend, patterns=tuple(patterns))] if patterns or not parts else []
        for (part, dim), names in parts.items():
            found.append(
                replace(bend, callback=Cluster(bend.callback, list(part), dim), patterns=tuple(names))
            )
        return found

    def _check_whole(self, patterns: Sequence[str]) -> None:
        """Refuse a name that means a part of a site where only whole sites will do."""
        for pattern in patterns:
            meant = self.names.meant(pattern)
            if meant and all(site.part is not None for site in meant):
                raise SiteNotFoundError(
                    f"{pattern!r} is a part of a site, and a selection holds whole sites",
                    site=pattern,
                    wanted=f"{meant[0].site}, which holds it",
                    next_step=f"bend(callback, {pattern!r}) bends the part",
                )

    def select(self, pattern: str = ".*", *more: str, **options: Any) -> Selection:
        """Select sites (see `BendedModule.select`); patterns may be readable names."""
        self._check_whole((pattern, *more))
        return super().select(pattern, *more, **options)

    def __getitem__(self, name: str) -> Selection:
        if name in self.names:
            return self.select(name)
        return super().__getitem__(name)

    def _ipython_key_completions_(self) -> list[str]:
        return [*self.names, *super()._ipython_key_completions_()]

    def stats(self, *patterns: str, dim: int | None = -1, **options: Any) -> Statistics:
        """Statistics of sites (see `BendedModule.stats`); the channels lie along the last dimension."""
        self._check_whole(patterns)
        return super().stats(*patterns, dim=dim, **options)

    # -- other checkpoints -----------------------------------------------------------------------------------

    def add_checkpoint(self, name: str, source: Location | Loaded | nn.Module | Mapping[str, Tensor]) -> None:
        """Keep the weights of another model of the same build as a version; `interpolate` mixes them.

        Args:
            name: of the version: ``interpolate(0.5, name=0.5)``.
            source: a folder, a hub name, a model, or its state dict. Only weights that differ are kept.

        Raises:
            CheckpointError: there is no such model.
            VersionError: the name is taken, or the weights are of another build.
        """
        if isinstance(source, Mapping | nn.Module):
            self.create_version(name, source)
            return
        if not isinstance(source, Loaded):
            own = next(self.module.parameters()).dtype
            options = Options(self._options.cache_dir, own, explicit=self._options.explicit)
            source = opened(source, options, with_tokenizer=False)
        self.create_version(name, source.model)

    # -- inside ----------------------------------------------------------------------------------------------

    def _run(self, given: dict[str, Any], *, bent: bool = True) -> Any:
        """A call of the model with arguments by name; unbent: as it was loaded."""
        with torch.no_grad():
            if bent:
                return self._call(METHOD, (), given)
            with self._engine.lock:
                return self.module(**given)

    def __repr__(self) -> str:
        weights = sum(weight.numel() for weight in self.module.parameters())
        layers = len({name.split(".")[1] for name in self.names if name.startswith("layer.")})
        build = type(self.module).__name__
        return f"{type(self).__name__}({self._source}: {build}, {layers} layers, {weights:,} weights)"


def _loaded(source: Location | Loaded | nn.Module, options: Options, tokenizer: Any) -> Loaded:
    if isinstance(source, nn.Module):
        source = Loaded(source, tokenizer)
    if not isinstance(source, Loaded):
        loaded = opened(source, options, with_tokenizer=tokenizer is None)
        return loaded if tokenizer is None else Loaded(loaded.model, tokenizer, loaded.source)
    model: Any = source.model
    if options.explicit:
        if not hasattr(model, "set_attn_implementation"):
            raise CheckpointError(
                "only models of transformers can make their attention explicit",
                site="attention",
                got=type(model).__name__,
            )
        model.set_attn_implementation("eager")
    return source if tokenizer is None else Loaded(model, tokenizer, source.source)
