"""Sliders that bend a model, and a button that plays it, in a notebook."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from html import escape
from typing import Any

from torch import Tensor

from dandb.control_panel import WAVE_COLOUR, ControlPanel
from torchbend.bending.callback import BendingCallback
from torchbend.bending.parameter import BendingParameter
from torchbend.errors import ControlError, MissingExtraError, TorchbendError
from torchbend.module import BendedModule
from torchbend.plots import wav_bytes, waveform_svg

__all__ = ["ControlWidgets", "make_widgets"]

_STEPS = 200
"""Steps of a slider from end to end."""

_WIDTH = "640px"


def make_widgets(
    bended: BendedModule,
    callbacks: Sequence[BendingCallback] | None = None,
    site: str | None = None,
    *,
    fn: str = "forward",
    sample_rate: int | None = None,
    live: bool = False,
    **inputs: Any,
) -> ControlWidgets:
    """A slider for each control, a button that plays, one that resets, and a player.

    Moving a slider bends the model at once; the sound is made when "play" is pressed (or at each change, with
    ``live=True`` or the box "play at each change" ticked).

    Args:
        bended: a bent model.
        callbacks: from `make_clustered_bending_callbacks`; they are put in force at ``site``. None: the
            controls of the bends that are in force.
        site: where the callbacks bend, as ``"decode:add_6"``.
        fn: the method that makes the sound.
        sample_rate: of the sound, in Hz. None: the model's own ``sample_rate``.
        live: make the sound anew at each change.
        inputs: the arguments of the method by name: ``z=z`` for ``fn="decode"``.

    Returns:
        Shown by the notebook where it is the last line of a cell. ``.sliders`` and ``.panel`` work in
        programs too; ``.close()`` takes the bends back.

    Raises:
        MissingExtraError: ipywidgets is not installed. `dandb.control_panel.ControlPanel` does without.
        TorchbendError: callbacks without a site, no sample rate, or no such method.
        ControlError: there is no control to turn, or one is complex.
        SiteNotFoundError: the site matches nothing.

    Example:
        >>> import torch, torchbend as tb
        >>> bended = tb.BendedModule(torch.nn.Sequential(torch.nn.ReLU()))
        >>> graph = bended.trace(torch.zeros(1, 1, 4))
        >>> callbacks = [tb.Scale(tb.BendingParameter("gain", 1.0, range=(0.0, 2.0)))]
        >>> x = torch.ones(1, 1, 4)
        >>> widgets = make_widgets(bended, callbacks, "forward:_0", sample_rate=8000, input=x)
        >>> widgets.sliders["gain"].value = 0.25
        >>> widgets.play()
        tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
        >>> widgets.close()
    """
    kit = _ipywidgets()
    panel = ControlPanel(bended, callbacks, site, fn=fn, sample_rate=sample_rate, **inputs)
    try:
        return ControlWidgets(panel, kit, live)
    except TorchbendError:
        panel.close()
        raise


class ControlWidgets:
    """The widgets around a control panel; made by `make_widgets`.

    Args:
        panel: the controls and the sound.
        kit: the module ``ipywidgets``.
        live: make the sound anew at each change.

    Attributes:
        panel: the controls and the sound.
        sliders: a slider (a box to tick for a bool) for each control, by name.
        play_button, reset_button, live_box: as shown.
        player: what plays the sound.
        status: a line below: the sound's length and level, or what went wrong.
        box: everything together.

    Raises:
        ControlError: a control is complex: it has no slider.
    """

    def __init__(self, panel: ControlPanel, kit: Any, live: bool = False) -> None:
        self.panel = panel
        self._following = False
        self.sliders = {
            name: _slider(kit, control, panel.about(name)) for name, control in panel.controls.items()
        }
        for name, slider in self.sliders.items():
            slider.observe(lambda change, name=name: self._turned(name, change["new"]), names="value")
        self.play_button = kit.Button(
            description="play", icon="play", button_style="primary", tooltip="make the sound and play it"
        )
        self.play_button.on_click(lambda _: self._shown())
        self.reset_button = kit.Button(
            description="reset", icon="undo", tooltip="turn all controls back to where they began"
        )
        self.reset_button.on_click(lambda _: self.reset())
        self.live_box = kit.Checkbox(value=live, description="play at each change", indent=False)
        self.player = kit.Audio(value=b"", format="wav", autoplay=True, loop=False, controls=True)
        self.player.layout.display, self.player.layout.width = "none", _WIDTH
        self.status = kit.HTML()
        buttons = kit.HBox([self.play_button, self.reset_button, self.live_box])
        self.box = kit.VBox([*self.sliders.values(), buttons, self.player, self.status])

    def play(self) -> Tensor:
        """Make the sound with the controls as they are, and show it.

        Shape: ``[C, T]``.

        Raises:
            TorchbendError: a bend failed, or what came out cannot be played.
        """
        self.follow()
        sound = self.panel.play()
        self.player.value = wav_bytes(sound, self.panel.sample_rate)
        self.player.layout.display = ""
        wave = waveform_svg(
            sound, height=48, colour=WAVE_COLOUR, label="waveform of the sound as it is bent now"
        )
        self.status.value = f"{wave}<div>{escape(_described(sound, self.panel.sample_rate))}</div>"
        return sound

    def reset(self) -> None:
        """Turn all controls back to where they began; the sliders follow."""
        self.panel.reset()
        self.follow()
        if self.live_box.value:
            self._shown()

    def follow(self) -> None:
        """Move the sliders to the values of the controls, which may have been turned elsewhere."""
        self._following = True
        try:
            for name, value in self.panel.values.items():
                self.sliders[name].value = value
        finally:
            self._following = False

    def close(self) -> None:
        """Undo the bends that the widgets made, and take the widgets away."""
        self.panel.close()
        self.box.close()

    def _turned(self, name: str, value: Any) -> None:
        if self._following:
            return
        try:
            self.panel[name] = value
        except TorchbendError as error:
            self._tell(error)
            return
        if self.live_box.value:
            self._shown()

    def _shown(self) -> None:
        """Play, and tell what went wrong below the buttons: an error in a button's code is not shown."""
        try:
            self.play()
        except TorchbendError as error:
            self._tell(error)

    def _tell(self, error: TorchbendError) -> None:
        self.status.value = f'<pre role="alert">{escape(str(error))}</pre>'

    def __repr__(self) -> str:
        return f"ControlWidgets around a {self.panel!r}"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """What a notebook shows: the widgets, and a table where none can be shown."""
        shown = self.box._repr_mimebundle_(**kwargs)
        shown["text/plain"] = repr(self)
        return shown


def _ipywidgets() -> Any:
    try:
        return importlib.import_module("ipywidgets")
    except ImportError as error:
        raise MissingExtraError.of("ipywidgets", "workshop", "make_widgets") from error


def _slider(kit: Any, control: BendingParameter, about: str) -> Any:
    """A slider over the control's range; where an end is open, it goes a little beyond the value."""
    words = {"description": f"{control.name}, {about}", "tooltip": f"{control.name}: {about}"}
    wide = {"style": {"description_width": "14em"}, "layout": {"width": _WIDTH}}
    if control.type is bool:
        return kit.Checkbox(value=control.value, **words)
    if control.type is complex:
        raise ControlError(
            f"the complex control {control.name!r} has no slider",
            site=control.name,
            wanted="a float, an int or a bool",
            next_step="take two float controls",
        )
    room = 2 * abs(control.value) or 1
    low, high = control.range
    low = control.value - room if low is None else low
    high = control.value + room if high is None else high
    if control.type is int:
        return kit.IntSlider(
            value=control.value, min=int(low), max=int(high), continuous_update=False, **words, **wide
        )
    step = 10.0 ** math.floor(math.log10((high - low) / _STEPS)) if high > low else 0.01
    return kit.FloatSlider(
        value=control.value, min=low, max=high, step=step, continuous_update=False, **words, **wide
    )


def _described(sound: Tensor, sample_rate: int) -> str:
    """``"8.0 s, peak -2.1 dB"``; the words tell where the peak is cut."""
    peak = float(sound.abs().max())
    level = "silent" if peak == 0 else f"peak {20 * math.log10(peak):.1f} dB"
    return f"{sound.shape[-1] / sample_rate:.1f} s, {level}" + (", too loud: cut at 0 dB" if peak > 1 else "")
