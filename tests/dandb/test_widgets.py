"""Controls turned by hand or by a slider bend the model, and what is heard is what the model makes."""

from __future__ import annotations

import io
import sys
import wave

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import torchbend as tb
from dandb import make_clustered_bending_callbacks, make_widgets
from dandb.control_panel import ControlPanel
from torchbend.errors import ControlError, MissingExtraError, SiteNotFoundError, TorchbendError

RATE = 8000


class Voices(nn.Module):
    """Four sines, added up by a layer; with noise where it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.sample_rate = RATE
        self.register_buffer("hz", torch.tensor([200.0, 300.0, 400.0, 500.0])[:, None])

    def decode(self, z: Tensor) -> Tensor:
        waves = torch.sin(2 * torch.pi * self.hz * torch.arange(z.shape[-1]) / RATE)
        gains = z.sigmoid() * waves
        for _ in range(11):
            gains = gains + 0.0
        return gains.sum(1, keepdim=True) / 4 + 0.001 * torch.randn(len(z), 1, z.shape[-1])

    def forward(self, z: Tensor) -> Tensor:
        return self.decode(z)


@pytest.fixture
def z() -> Tensor:
    return torch.zeros(2, 4, 400)


@pytest.fixture
def model(z: Tensor) -> tb.BendedModule:
    bended = tb.BendedModule(Voices())
    bended.trace("decode", z)
    return bended


@pytest.fixture
def panel(model: tb.BendedModule, z: Tensor) -> ControlPanel:
    callbacks = make_clustered_bending_callbacks([[0, 2], [1], [3]])
    return ControlPanel(model, callbacks, "decode:add_1", fn="decode", z=z)


def level(sound: Tensor, hz: float) -> float:
    """How loud a frequency is in a sound: 1 for a sine of amplitude 1."""
    turns = torch.polar(torch.ones(sound.shape[-1]), 2 * torch.pi * hz * torch.arange(sound.shape[-1]) / RATE)
    return float((sound[0] * turns).mean().abs() * 2)


def levels(sound: Tensor) -> list[float]:
    return [round(level(sound, hz), 2) for hz in (200, 300, 400, 500)]


# -- without widgets -----------------------------------------------------------------------------------


def test_controls_bend_their_own_cluster(panel: ControlPanel):
    plain = panel.play()
    assert plain.shape == (1, 400)
    assert levels(plain) == pytest.approx([0.125] * 4, abs=0.011)
    panel["cluster_0"] = 0.0
    panel["cluster_2"] = 2.0
    low, kept, also_low, loud = levels(panel.play())
    assert (low, also_low) == (0.0, 0.0)
    assert kept == pytest.approx(0.125, abs=0.011) and loud == pytest.approx(0.25, abs=0.011)
    assert panel.values == {"cluster_0": 0.0, "cluster_1": 1.0, "cluster_2": 2.0}
    panel.reset()
    assert torch.equal(panel.play(), plain)


def test_unbent_gains_are_the_model_itself(panel: ControlPanel, model: tb.BendedModule, z: Tensor):
    torch.manual_seed(0)
    assert torch.equal(panel.play(), model.module.decode(z)[0])


def test_playing_leaves_the_random_state(panel: ControlPanel):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    panel.play()
    assert torch.equal(torch.rand(4), expected)


def test_closing_takes_back_its_own_bends_only(panel: ControlPanel, model: tb.BendedModule):
    model.bend(tb.Scale(0.5), "decode:sigmoid$")
    assert model.bended_keys() == ["decode:add_1", "decode:sigmoid"]
    panel.close()
    assert model.bended_keys() == ["decode:sigmoid"]
    panel.close()


def test_bends_that_are_in_force_are_taken(model: tb.BendedModule, z: Tensor):
    gain = tb.BendingParameter("gain", 0.5, range=(0, 1))
    model.bend(tb.Scale(gain), "decode:sigmoid$")
    panel = ControlPanel(model, fn="decode", z=z)
    assert list(panel) == ["gain"] and panel.about("gain") == "Scale"
    before = panel.play()
    panel["gain"] = 1.0
    assert level(panel.play(), 300) == pytest.approx(2 * level(before, 300), rel=0.05)
    panel.close()
    assert model.bended_keys() == ["decode:sigmoid"]


def test_a_panel_shows_itself(panel: ControlPanel):
    lines = repr(panel).splitlines()
    assert lines[0] == "ControlPanel of decode(), 3 controls"
    assert lines[3].split() == ["cluster_0", "1.0", "0", "to", "2", "2", "channels"]
    assert lines[4].split()[-2:] == ["1", "channel"]
    assert "<audio" not in panel._repr_html_()
    panel.play()
    assert "<table" in panel._repr_html_() and "data:audio/wav;base64," in panel._repr_html_()


def test_what_is_wrong_is_told(model: tb.BendedModule, z: Tensor):
    callbacks = make_clustered_bending_callbacks([[0], [1]])
    with pytest.raises(TorchbendError, match="place to bend"):
        ControlPanel(model, callbacks, fn="decode", z=z)
    with pytest.raises(ControlError, match="no control to turn"):
        ControlPanel(model, fn="decode", z=z)
    with pytest.raises(SiteNotFoundError, match="closest names"):
        ControlPanel(model, callbacks, "decode:addd_1", fn="decode", z=z)
    with pytest.raises(TorchbendError, match="no such method"):
        ControlPanel(model, callbacks, "decode:add_1", fn="deccode", z=z)
    other = make_clustered_bending_callbacks([[2], [3]])
    with pytest.raises(ControlError, match="two different controls"):
        ControlPanel(model, [*callbacks, *other], "decode:add_1", fn="decode", z=z)
    assert model.bended_keys() == []
    panel = ControlPanel(model, callbacks, "decode:add_1", fn="decode", z=z)
    with pytest.raises(ControlError, match="one of: cluster_0, cluster_1"):
        panel["cluster_9"] = 1.0
    with pytest.raises(ControlError, match="out of its range"):
        panel["cluster_0"] = 2.5
    unknown = tb.BendedModule(nn.Sequential(nn.ReLU()))
    unknown.trace(z)
    with pytest.raises(TorchbendError, match="sample rate"):
        ControlPanel(unknown, callbacks, "_0", input=z)
    images = ControlPanel(unknown, callbacks, "_0", sample_rate=8000, input=torch.zeros(1, 4, 2, 2))
    with pytest.raises(TorchbendError, match="no sound"):
        images.play()


# -- with widgets --------------------------------------------------------------------------------------


@pytest.fixture
def widgets(model: tb.BendedModule, z: Tensor):
    pytest.importorskip("ipywidgets")
    callbacks = make_clustered_bending_callbacks([[0, 2], [1], [3]])
    return make_widgets(model, callbacks, "decode:add_1", fn="decode", z=z)


def heard(widgets) -> Tensor:
    """What the player plays."""
    with wave.open(io.BytesIO(widgets.player.value)) as file:
        assert file.getframerate() == RATE
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return torch.from_numpy(frames / 32768.0)[None]


def test_a_slider_bends_the_model_and_the_button_plays_it(widgets, model: tb.BendedModule):
    assert list(widgets.sliders) == ["cluster_0", "cluster_1", "cluster_2"]
    slider = widgets.sliders["cluster_1"]
    assert (slider.min, slider.max, slider.value, slider.step) == (0.0, 2.0, 1.0, 0.01)
    assert slider.description == "cluster_1, 1 channel"
    widgets.play_button.click()
    plain = widgets.panel.sound
    assert float((heard(widgets) - plain).abs().max()) <= 0.5 / 32768 + 1e-6
    slider.value = 0.0
    assert model.controllables["cluster_1"].value == 0.0
    assert torch.equal(widgets.panel.sound, plain)  # not before "play" is pressed
    widgets.play_button.click()
    assert level(heard(widgets), 300) < 0.01
    assert level(heard(widgets), 200) == pytest.approx(0.125, abs=0.01)
    assert "0.1 s, peak -" in widgets.status.value and "<svg" in widgets.status.value
    widgets.reset_button.click()
    assert slider.value == 1.0 and model.controllables["cluster_1"].value == 1.0
    assert torch.equal(widgets.play(), plain)


def test_live_widgets_play_at_each_change(widgets):
    widgets.live_box.value = True
    widgets.sliders["cluster_0"].value = 0.0
    assert levels(heard(widgets))[0] == 0.0
    widgets.reset_button.click()
    assert levels(heard(widgets))[0] > 0.1


def test_sliders_follow_controls_that_are_turned_elsewhere(widgets, model: tb.BendedModule):
    model.update("cluster_2", 0.25)
    widgets.play()
    assert widgets.sliders["cluster_2"].value == 0.25
    assert model.controllables["cluster_2"].value == 0.25


def test_a_bend_that_fails_is_told_below_the_buttons(widgets, model: tb.BendedModule):
    with model.bend(tb.Lambda(lambda x: x[:, :2]), "decode:sigmoid$"):
        widgets.play_button.click()
    assert "decode:sigmoid" in widgets.status.value and 'role="alert"' in widgets.status.value
    with model.bend(tb.Scale(float("inf")), "decode:add_10$"):
        widgets.play_button.click()
        assert "cannot be played" in widgets.status.value
    widgets.play_button.click()
    assert "<svg" in widgets.status.value


def test_widgets_are_shown_and_taken_away(widgets, model: tb.BendedModule):
    shown = widgets._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/plain"].startswith("ControlWidgets around a ControlPanel of decode(), 3 controls")
    widgets.close()
    assert model.bended_keys() == []


def test_each_type_of_control_has_its_own_widget(model: tb.BendedModule, z: Tensor):
    pytest.importorskip("ipywidgets")
    controls = [
        tb.BendingParameter("free", 3.0),
        tb.BendingParameter("whole", 2, range=(0, 5)),
        tb.BendingParameter("switch", True),
    ]
    for control in controls:
        model.bend(tb.Scale(control), "decode:add_1$")
    widgets = make_widgets(model, fn="decode", z=z)
    free, whole, switch = widgets.sliders.values()
    assert (free.min, free.max) == (-3.0, 9.0)
    assert (whole.min, whole.max, type(whole.value)) == (0, 5, int)
    switch.value = False
    whole.value = 4
    assert [control.value for control in controls] == [3.0, 4, False]
    model.bend(tb.Scale(tb.BendingParameter("turn", 1j)), "decode:add_1$")
    with pytest.raises(ControlError, match="has no slider"):
        make_widgets(model, fn="decode", z=z)


def test_without_ipywidgets_the_extra_is_named(model, z, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingExtraError, match=r"torchbend\[workshop\]"):
        make_widgets(model, make_clustered_bending_callbacks([[0]]), "decode:add_1", fn="decode", z=z)
    assert model.bended_keys() == []
