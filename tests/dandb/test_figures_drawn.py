"""What figures draw is what they were given: peaks, channels, colours, and plain words about the rest."""

from __future__ import annotations

import numpy as np
import plotly.io
import pytest
import torch

import dandb
from dandb.figures import Figure
from dandb.figures.chart import Curve, HeatMap
from dandb.figures.features import principal_components
from dandb.figures.reduce import strongest
from dandb.figures.sound_panels import mel_levels
from dandb.figures.theme import theme_of
from torchbend.errors import ShapeError, SiteNotFoundError, TorchbendError
from torchbend.plots import log_mel
from torchbend.plots.lines import look

SR = 44100


def curves(figure: Figure) -> list[Curve]:
    return [mark for mark in figure.chart.marks() if isinstance(mark, Curve) and mark.colour >= 0]


def heat_maps(figure: Figure) -> list[HeatMap]:
    return [mark for mark in figure.chart.marks() if isinstance(mark, HeatMap)]


def test_a_click_of_one_sample_in_30_seconds_is_drawn_where_it_is() -> None:
    x = 0.1 * torch.sin(torch.arange(30 * SR) * 0.05)
    x[777_777], x[1_000_001] = 0.9, -0.8
    figure = dandb.plot_audio(x, "long", display=False)
    (wave,) = curves(figure)
    assert len(wave.x) <= 4000
    assert wave.y.max() == np.float32(0.9) and wave.y.min() == np.float32(-0.8)
    assert wave.x[wave.y.argmax()] == 777_777 / SR and wave.x[wave.y.argmin()] == 1_000_001 / SR
    # The click is in the spectrogram too, over all bands of its column.
    (levels,) = heat_maps(figure)
    column = int(777_777 / (30 * SR) * levels.z.shape[1])
    high = levels.z[100:, column - 1 : column + 2].max(1)
    assert (high > np.median(levels.z[100:], 1) + 10).all()
    drawn = figure.plotly.data[0]
    assert np.array_equal(drawn.x, wave.x) and np.array_equal(drawn.y, wave.y)
    line = figure.matplotlib().axes[0].lines[0]
    assert np.array_equal(line.get_ydata(), wave.y)


def test_a_spectrogram_in_pieces_is_that_of_the_whole() -> None:
    x = torch.randn(4_500 * 512, generator=torch.Generator().manual_seed(0)) * 0.1
    whole = log_mel(x, SR, 2048, 512, 128).numpy()
    frames = whole.shape[1]
    wanted = np.maximum.reduceat(whole, np.arange(700) * frames // 700, axis=1)
    assert frames > 4096 and np.abs(mel_levels(x.numpy(), SR) - wanted).max() <= 0.51


def test_channels_have_the_numbers_that_they_have_in_the_model() -> None:
    v = torch.randn(1, 64, 500, generator=torch.Generator().manual_seed(0))
    chosen = torch.argsort(v.amax(dim=[0, 2]), descending=True)[:16]
    figure = dandb.plot_1d_activation("add_4", v[:, chosen], display=False, channel_idx=chosen.tolist())
    names = [f"channel {number}" for number in chosen.tolist()]
    assert [curve.name for curve in curves(figure)] == names
    for curve, number in zip(curves(figure), chosen.tolist(), strict=True):
        assert np.array_equal(curve.y, v[0, number].numpy())
    sides = [panel.side for _, _, panel in figure.chart.panels()]
    assert sides == [f"ch {number}" for number in chosen.tolist()]
    drawn = [trace for trace in figure.plotly.data if trace.name in names]
    assert [trace.name for trace in drawn] == names
    one = dandb.plot_1d_activation("add_4", v, display=False, channel_idx=[3, 60])
    assert np.array_equal(curves(one)[1].y, v[0, 60].numpy()) and curves(one)[1].name == "channel 60"


def test_a_thousand_channels_are_a_heat_map_that_keeps_peaks_and_says_so() -> None:
    v = np.zeros((1024, 5000), np.float32)
    v[700, 4321], v[5, 17] = -7.0, 3.0
    figure = dandb.plot_1d_activation("wide", v, display=False)
    (heat,) = heat_maps(figure)
    assert "heat map of 1,024 channels" in figure.chart.title and not curves(figure)
    assert heat.z.shape == (1024, 500) and heat.signed
    assert heat.z[700, 432] == -7.0 and heat.z[5, 1] == 3.0 and np.count_nonzero(heat.z) == 2
    assert np.array_equal(figure.plotly.data[0].z, heat.z)
    assert np.array_equal(figure.matplotlib().axes[0].images[0].get_array(), heat.z)
    assert np.array_equal(strongest(np.array([[1.0, np.nan, np.nan, np.nan]]), 1, 2), [[1, np.nan]], True)


def test_latents_that_move_most_are_lines_and_all_are_a_heat_map() -> None:
    z = torch.zeros(1, 128, 50)
    z[0, [3, 40, 41, 99, 127]] = torch.arange(50.0)
    z[0, 7] = 100.0  # far out, but it does not move
    figure = dandb.plot_latent_trajs(z, display=False, rate=10)
    assert [curve.name for curve in curves(figure)] == [f"latent {k}" for k in (3, 40, 41, 99, 127)]
    assert np.allclose(curves(figure)[0].x, np.arange(50) / 10)
    (heat,) = heat_maps(figure)
    assert np.array_equal(heat.z, z[0].numpy())
    few = dandb.plot_latent_trajs(z[:, :8], display=False)
    assert len(curves(few)) == 8 and not heat_maps(few)
    assert len(heat_maps(dandb.plot_latent_trajs(z.expand(6, -1, -1), display=False))) == 4


def test_each_kernel_is_in_its_field_with_its_values() -> None:
    kernels = torch.randn(64, 7, generator=torch.Generator().manual_seed(0))
    figure = dandb.plot_kernel_grid(kernels, display=False)
    (line,) = curves(figure)
    assert line.details is not None
    points = line.details.reshape(64, 8, 3)
    assert np.isnan(points[:, 7]).all() and np.array_equal(points[:, :7, 2], kernels.numpy())
    assert np.array_equal(np.round(line.x.reshape(64, 8)[:, 3]), np.arange(64) % 8)
    heights = line.y.reshape(64, 8)[:, :7] + (np.arange(64) // 8)[:, None] + 0.05
    assert np.allclose(heights, 0.36 * kernels.numpy() / kernels.abs().max().item(), atol=1e-6)
    many = dandb.plot_kernel_grid(torch.randn(20, 30, 5), display=False)
    assert heat_maps(many)[0].z.shape == (600, 5)
    assert "heat map of 600" in many.chart.title


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_the_palette_of_all_figures(theme: str) -> None:
    shades = look(theme == "dark")
    figure = dandb.plot_latent_trajs(torch.randn(5, 20), display=False, theme=theme)
    assert [trace.line.color for trace in figure.plotly.data] == list(shades.colours[:5])
    assert figure.plotly.layout.paper_bgcolor == shades.paper
    axes = figure.matplotlib().axes[0]
    assert [line.get_color() for line in axes.lines] == list(shades.colours[:5])


def test_the_theme_follows_plotly_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not theme_of(None).dark
    monkeypatch.setattr(plotly.io.templates, "default", "plotly_dark")
    assert theme_of(None).dark and not theme_of("light").dark
    with pytest.raises(TorchbendError, match="theme"):
        theme_of("blue")


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor([[0.0, 0.5, -0.25]], requires_grad=True),
        torch.tensor([0.0, 0.5, -0.25], dtype=torch.bfloat16),
        torch.tensor([[[0, 16384, -8192]]], dtype=torch.int16),
        np.array([0.0, 0.5, -0.25]),
        np.array([0, 64, -32], np.int8),
        [0.0, 0.5, -0.25],
    ],
)
def test_sounds_of_all_types_are_drawn_alike(x: object) -> None:
    (wave,) = curves(dandb.plot_audio(x, display=False))
    assert wave.y.tolist() == [0.0, 0.5, -0.25]


def test_nan_and_infinity_are_told_and_left_blank() -> None:
    x = torch.zeros(1, 1000)
    x[0, 10], x[0, 500] = float("nan"), float("inf")
    figure = dandb.plot_audio(x, display=False)
    assert "2 of 1,000 values are NaN or infinite" in figure.chart.subtitle
    assert "played as silence" in figure.chart.players[0].note
    assert np.isnan(curves(figure)[0].y[[10, 500]]).all() and figure.chart.players[0].sound.isfinite().all()
    for other in (
        dandb.plot_1d_activation("a", torch.full((3, 4), float("nan")), display=False),
        dandb.plot_1d_activation("a", torch.full((99, 4), float("inf")), display=False),
        dandb.plot_latent_trajs(torch.full((20, 4), float("nan")), display=False),
        dandb.plot_kernel_grid(torch.full((3, 4), float("nan")), display=False),
        dandb.plot_image_grid(torch.full((2, 3, 4, 4), float("nan")), display=False),
        dandb.plot_image_activations("a", torch.full((3, 4, 4), float("nan")), display=False),
    ):
        assert "NaN" in other.chart.subtitle and "NaN" in other.description
        assert other.plotly is not None and other.matplotlib() is not None
    dots = dandb.plot_features([[0.0, 1.0], [1.0, 0.0], [float("nan"), 0.0]], display=False)
    assert "1 of 3 vectors" in dots.description and len(dots.plotly.data[0].x) == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dandb.plot_audio(torch.zeros(2, 1, 9), display=False), r"\[2, 1, 9\]"),
        (lambda: dandb.plot_audio(torch.zeros(64, 9), display=False), "plot_1d_activation"),
        (lambda: dandb.plot_audio(torch.zeros(1, 0), display=False), r"\[1, 0\]"),
        (lambda: dandb.plot_1d_activation("a", torch.zeros(1, 2, 3, 4), display=False), "plot_image_act"),
        (lambda: dandb.plot_latent_trajs(torch.tensor(1.0), display=False), "latents"),
        (lambda: dandb.plot_kernel_grid(torch.zeros(1, 2, 3, 4), display=False), r"\[1, 2, 3, 4\]"),
        (lambda: dandb.plot_image_grid(torch.zeros(1, 9, 5, 5), display=False), "plot_image_activations"),
        (lambda: dandb.plot_image_reconstructions(torch.zeros(1, 4, 4), torch.zeros(1, 4, 5)), "do not go"),
        (lambda: dandb.plot_features(torch.zeros(3), display=False), r"\[3\]"),
        (lambda: dandb.plot_features(torch.zeros(3, 2), labels=["a"], display=False), "labels"),
        (lambda: dandb.make_audio_grid([[[0.0, 1.0]], []], display=False), "no table"),
        (lambda: dandb.plot_reconstructions([torch.zeros(4)], [], display=False), "one sound"),
    ],
)
def test_wrong_shapes_are_refused_with_what_was_wanted(call: object, words: str) -> None:
    with pytest.raises(ShapeError, match=words) as told:
        call()  # type: ignore[operator]
    assert told.value.wanted is not None and told.value.got is not None


def test_other_wrong_arguments_are_told() -> None:
    with pytest.raises(SiteNotFoundError, match="no channel 9"):
        dandb.plot_1d_activation("a", torch.zeros(4, 5), display=False, channel_idx=[0, 9])
    ragged: object = [[1.0], [1.0, 2.0]]
    for x in (torch.zeros(3, dtype=torch.complex64), "words", torch.zeros(3, device="meta"), ragged):
        with pytest.raises(TorchbendError, match="real numbers"):
            dandb.plot_audio(x, display=False)
    for rate in (0, float("nan"), "44100"):
        with pytest.raises(TorchbendError, match="sample rate"):
            dandb.plot_audio([0.0], sr=rate, display=False)  # type: ignore[arg-type]


def test_principal_components_are_those_of_the_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    x = torch.randn(400, 8, generator=generator) * torch.tensor([9.0, 4, 1, 0, 0, 0, 0, 0]) @ axes.T + 50
    places, shares = principal_components(x.numpy())
    values = torch.linalg.eigvalsh(torch.cov(x.double().T)).flip(0)
    assert np.allclose(places.var(0, ddof=1), values[:2].numpy(), rtol=1e-4)
    assert shares == pytest.approx((values[:2] / values.sum()).tolist(), rel=1e-4)
    groups = [f"g{k % 3}" for k in range(400)]
    figure = dandb.plot_features(x, groups, display=False)
    assert [trace.name for trace in figure.plotly.data] == ["g0", "g1", "g2"]
    assert len({trace.marker.symbol for trace in figure.plotly.data}) == 3
    assert np.allclose(np.sort(figure.plotly.data[1].x), np.sort(places[1::3, 0]))
