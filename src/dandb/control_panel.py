"""The controls of a bent model and the sound that it makes with them, without any widget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import torch
from torch import Tensor

from torchbend.bending.callback import BendingCallback
from torchbend.bending.callbacks import Cluster
from torchbend.bending.parameter import BendingParameter
from torchbend.display import Table
from torchbend.errors import ControlError, TorchbendError
from torchbend.module import BendedModule
from torchbend.plots import audio_data_uri, waveform_svg

__all__ = ["WAVE_COLOUR", "ControlPanel", "player_html"]

WAVE_COLOUR = "#0072b2"
"""Readable on light and on dark."""


class ControlPanel:
    """The controls of a bent model by name, and the sound that one of its methods makes.

    Works anywhere, without a notebook. ``panel["cluster_0"] = 0.0`` turns a control, ``panel.play()`` gives
    the sound, ``panel.reset()`` turns all controls back.

    Args:
        bended: a bent model.
        callbacks: bent in addition, until ``close()``; each needs a control. None: the bends in force.
        site: where the callbacks bend: a name or pattern, as ``"decode:add_6"``.
        fn: the method that makes the sound.
        sample_rate: of the sound, in Hz. None: the model's own ``sample_rate``.
        seed: of what the model draws: the same controls give the same sound.
        inputs: the arguments of the method by name.

    Raises:
        TorchbendError: callbacks without a site, no sample rate, or no such method.
        ControlError: there is no control to turn, or another one of the same name.
        SiteNotFoundError: the site matches nothing.
        CallbackError: a callback cannot bend the site.

    Example:
        >>> import torch, torchbend as tb
        >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.ReLU()))
        >>> graph = bended.trace(torch.zeros(1, 1, 4))
        >>> gain = tb.Scale(tb.BendingParameter("gain", 1.0, range=(0.0, 2.0)))
        >>> panel = ControlPanel(bended, [gain], "forward:_0", sample_rate=8000, input=torch.ones(1, 1, 4))
        >>> panel["gain"] = 0.5
        >>> panel.play()
        tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
        >>> panel.close()
    """

    def __init__(
        self,
        bended: BendedModule,
        callbacks: Sequence[BendingCallback] | None = None,
        site: str | None = None,
        *,
        fn: str = "forward",
        sample_rate: int | None = None,
        seed: int = 0,
        **inputs: Any,
    ) -> None:
        self.bended, self.fn, self.seed, self.inputs = bended, fn, seed, inputs
        self.sample_rate = _rate(bended, sample_rate)
        if not callable(getattr(bended, fn, None)):
            raise TorchbendError("the model has no such method", site="fn", got=fn, next_step="give fn=")
        if callbacks is not None and site is None:
            raise TorchbendError(
                "callbacks need a place to bend",
                site="site",
                wanted='the name of a site, as "decode:add_6"',
                next_step="print_activations(fn) lists the names",
            )
        self._handles: list[Any] = []
        self.sound: Tensor | None = None
        try:
            for callback in callbacks or ():
                self._handles.append(bended.bend(callback, *_exactly(bended, str(site))))
            self._controls = self._found(callbacks)
        except TorchbendError:
            self.close()
            raise
        self._first = {name: control.value for name, control in self._controls.items()}

    def _found(self, callbacks: Sequence[BendingCallback] | None) -> dict[str, BendingParameter]:
        owners = self.bended.bending_callbacks if callbacks is None else callbacks
        controls = {c.name: c for callback in owners for c in callback.controls()}
        if not controls:
            raise ControlError(
                "there is no control to turn",
                wanted="bends with a BendingParameter",
                next_step="make_clustered_bending_callbacks(clusters) makes one for each cluster",
            )
        return controls

    # -- controls -------------------------------------------------------------------------------------

    @property
    def controls(self) -> dict[str, BendingParameter]:
        """The controls by name."""
        return dict(self._controls)

    @property
    def values(self) -> dict[str, Any]:
        """The value of each control, as it is now."""
        return {name: control.value for name, control in self._controls.items()}

    def __getitem__(self, name: str) -> Any:
        return self._control(name).value

    def __setitem__(self, name: str, value: Any) -> None:
        self._control(name).set_value(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._controls)

    def __len__(self) -> int:
        return len(self._controls)

    def _control(self, name: str) -> BendingParameter:
        if name not in self._controls:
            raise ControlError(
                f"there is no control {name!r}", site=str(name), wanted=f"one of: {', '.join(self)}"
            )
        return self._controls[name]

    def about(self, name: str) -> str:
        """What a control turns: how many channels, or the callback's name.

        Raises:
            ControlError: there is no such control.
        """
        control = self._control(name)
        for callback in self.bended.bending_callbacks:
            if control in callback.controls():
                if isinstance(callback, Cluster):
                    count = len(callback.channels)
                    return f"{count} channel{'' if count == 1 else 's'}"
                return type(callback).__name__
        return ""

    def reset(self) -> None:
        """Turn all controls back to the values that they had when the panel was made."""
        for name, value in self._first.items():
            self._controls[name].set_value(value)

    def close(self) -> None:
        """Undo the bends that the panel made; others stay."""
        while self._handles:
            self._handles.pop().remove()

    # -- sound ----------------------------------------------------------------------------------------

    def play(self) -> Tensor:
        """The sound with the controls as they are now: of a batch, the first. It is kept as ``sound``.

        Shape: ``[C, T]``.

        Raises:
            TorchbendError: the method gives no sound (``[T]``, ``[C, T]`` or ``[B, C, T]``).
        """
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            made = getattr(self.bended, self.fn)(**self.inputs)
        fits = isinstance(made, Tensor) and 1 <= made.dim() <= 3 and made.numel() > 0
        if not fits or not made.is_floating_point():
            raise TorchbendError(
                "this is no sound",
                site=f"{self.fn}()",
                wanted="[T], [C, T] or [B, C, T], one sample at least",
                got=list(made.shape) if isinstance(made, Tensor) else type(made).__name__,
            )
        sound = made[0] if made.dim() == 3 else made
        self.sound = sound.reshape(-1, sound.shape[-1]).cpu()
        return self.sound

    # -- display --------------------------------------------------------------------------------------

    def table(self) -> Table:
        """One row for each control: its name, value, range, and what it turns."""
        rows = [
            (name, str(control.value), _written(control), self.about(name))
            for name, control in self._controls.items()
        ]
        return Table(("control", "value", "range", "turns"), rows)

    def __repr__(self) -> str:
        return (
            f"ControlPanel of {self.fn}(), {len(self)} control{'' if len(self) == 1 else 's'}\n{self.table()}"
        )

    def _repr_html_(self) -> str:
        sound = "" if self.sound is None else player_html(self.sound, self.sample_rate)
        return self.table().html() + sound


def player_html(sound: Tensor, sample_rate: int, label: str = "the sound as it is bent now") -> str:
    """The waveform of a sound and a player below it, as HTML that needs nothing from elsewhere.

    Args:
        sound: samples ``[C, T]``.
        sample_rate: in Hz.
        label: what a screen reader says.

    Raises:
        TorchbendError: the sound cannot be played, since it holds NaN or infinity.
    """
    source, words = audio_data_uri(sound, sample_rate), escape(label, quote=True)
    wave = waveform_svg(sound, colour=WAVE_COLOUR, label=f"waveform of {label}")
    player = f'<audio controls aria-label="{words}" style="width:100%" src="{source}"></audio>'
    return f'<div style="max-width:640px">{wave}{player}</div>'


def _exactly(bended: BendedModule, site: str) -> list[str]:
    """The patterns of a site: a full name or label means that one alone, anything else is a pattern."""
    found = bended.select(site)
    return [one.pattern for one in found if site in (one.label, one.name)] or [site]


def _rate(bended: BendedModule, given: int | None) -> int:
    rate = getattr(bended, "sample_rate", None) if given is None else given
    if isinstance(rate, bool) or not isinstance(rate, int) or rate < 1:
        raise TorchbendError(
            "the sample rate of the sound is not known",
            site="sample_rate",
            wanted="a number of Hz, as 44100",
            got=rate,
            next_step="give sample_rate=",
        )
    return rate


def _written(control: BendingParameter) -> str:
    low, high = control.range
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}".strip()
