"""A model passed through the evaluation: its reconstruction, its latents, its speed; and the tables of it."""

from __future__ import annotations

import json
import math

import pytest
import torch

from torchbend import rave
from torchbend.errors import ShapeError, TorchbendError
from torchbend.evaluation.figure import comparison_figure, figure_bytes
from torchbend.evaluation.models import Evaluation, evaluate, evaluate_baseline, pass_through
from torchbend.evaluation.scores import Reference
from torchbend.evaluation.speed import real_time_factors
from torchbend.evaluation.summary import MEASURES, as_data, table_of

from .signals import RATE, saw


@pytest.fixture(scope="module")
def model() -> rave.RAVE:
    torch.manual_seed(0)
    return (
        rave.RAVE(rave.preset("v2_nopqmf", "snake", capacity=4, latent_size=8)).eval().requires_grad_(False)
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference([saw(220, 0.6), saw(330, 0.7)], RATE)


@pytest.fixture(scope="module")
def evaluations(model: rave.RAVE, reference: Reference) -> list[Evaluation]:
    return [evaluate(model, reference, "tiny", speed=False), evaluate_baseline(reference)]


def test_a_sound_passes_as_through_the_model(model: rave.RAVE) -> None:
    sound = saw(220, 0.5)[None]
    passed = pass_through(model, sound)
    frames = math.ceil(sound.shape[-1] / model.ratio)
    padded = torch.nn.functional.pad(sound, (0, frames * model.ratio - sound.shape[-1]))[None]
    with model.encoder.sampling(False):
        torch.testing.assert_close(passed.made, model(padded)[0, :, : sound.shape[-1]])
    assert passed.latents.shape == (8, frames)
    assert (
        passed.scales is not None and passed.scales.shape == (8, frames) and bool((passed.scales > 0).all())
    )


@pytest.mark.parametrize("name", ["discrete", "spherical"])
def test_models_without_scales(name: str) -> None:
    torch.manual_seed(0)
    names = ("discrete",) if name == "discrete" else ("v2", "spherical")
    made = rave.RAVE(rave.preset(*names, capacity=4)).eval().requires_grad_(False)
    assert pass_through(made, saw(220, 0.5)[None]).scales is None


def test_an_evaluation_is_repeatable_and_leaves_the_model_as_it_was(
    model: rave.RAVE, reference: Reference, evaluations: list[Evaluation]
) -> None:
    model.train()
    state = model.stream()
    told: list[int] = []
    again = evaluate(model, reference, "tiny", speed=False, told=lambda: told.append(1))
    assert model.training and model.stream_state is state
    model.offline()
    model.eval()
    assert len(told) == 2
    assert again.scores == evaluations[0].scores
    assert again.latents is not None and again.latents.mean.shape == (8,)
    assert again.latents.total_divergence > 0


def test_a_model_of_another_rate_is_refused(model: rave.RAVE) -> None:
    with pytest.raises(ShapeError, match="44100 Hz"):
        evaluate(model, Reference([saw(220, rate=16000)], 16000))


def test_speed_is_told_and_threads_are_put_back(model: rave.RAVE) -> None:
    threads = torch.get_num_threads()
    speed = real_time_factors(model, seconds=0.5, repeats=1, blocks=5)
    assert torch.get_num_threads() == threads and not model.is_streaming
    assert speed.whole > 0 and speed.block == 2048
    assert speed.blocks == pytest.approx(1000 * 2048 / RATE / speed.block_ms)
    assert speed.slowest_ms >= speed.block_ms


def test_the_table_has_a_row_for_each_measure_that_is_known(evaluations: list[Evaluation]) -> None:
    table = table_of(evaluations)
    assert list(table.columns) == ["", "tiny", "noise in 16 bands", "better"]
    assert [row[0] for row in table.rows] == [m.name for m in MEASURES[:9]]
    assert table.rows[0][1] == f"{evaluations[0].scores.spectral_distance:.3f}"
    assert table.rows[7][2] == "-"


def test_data_are_json(evaluations: list[Evaluation]) -> None:
    data = [json.loads(json.dumps(as_data(e), allow_nan=False)) for e in evaluations]
    assert data[0]["model"] == "tiny" and len(data[0]["latents"]["std"]) == 8
    assert "latents" not in data[1] and "real_time_factor" not in data[0]
    assert data[1]["spectral_distance"] == evaluations[1].scores.spectral_distance
    assert data[1]["pitch_median_cents"] is None or data[1]["pitch_median_cents"] >= 0


def test_the_figure_shows_each_measure(evaluations: list[Evaluation]) -> None:
    pytest.importorskip("matplotlib")
    figure = comparison_figure(evaluations, "two")
    titles = [panel.get_title("left").rstrip(" ↓↑") for panel in figure.axes]
    # Nothing of a fresh model is voiced: there is no median of pitch errors to show.
    expected = [m.name for m in MEASURES[:9] if "median" not in m.name]
    assert titles == [*expected, "divergence of each latent (nats)"]
    bars = [patch.get_width() for patch in figure.axes[0].patches]
    assert bars == pytest.approx([e.scores.spectral_distance for e in evaluations])
    assert figure_bytes(figure).startswith(b"\x89PNG")
    assert b"<svg" in figure_bytes(figure, "svg")
    with pytest.raises(TorchbendError, match="nothing to show"):
        comparison_figure([])
