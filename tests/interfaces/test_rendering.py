"""Files through a model: where results go, channels, rates, streams, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torchbend import Scale, rave
from torchbend.audio import read_audio, write_audio
from torchbend.errors import AudioFileError, CorpusError, ShapeError
from torchbend.interfaces.rave import BendedRAVE
from torchbend.interfaces.rendering import Task, plan, render, render_file


@pytest.fixture(scope="module")
def bended() -> BendedRAVE:
    torch.manual_seed(0)
    model = rave.RAVE(rave.preset("v2_nopqmf", "snake", capacity=4, latent_size=8)).requires_grad_(False)
    # A fresh model is nearly silent.
    model.get_parameter("decoder.net.21.weight_g").mul_(1e3)
    return BendedRAVE(model)


def sound(channels: int = 1, samples: int = 30000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 0.3 * torch.rand(channels, samples, generator=generator) - 0.15


def tree(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "in"
    for name in names:
        write_audio(folder / name, sound(samples=500), 44100, subtype=None)
    return folder


# -- where results go ------------------------------------------------------------------------------------


def test_sub_folders_are_kept_and_other_files_left_alone(tmp_path: Path) -> None:
    folder = tree(tmp_path, "a.wav", "deep/er/b.FLAC", "deep/c.ogg")
    (folder / "notes.txt").write_text("no sound", encoding="utf-8")
    (folder / ".hidden.wav").write_bytes(b"")
    tasks = plan([folder], tmp_path / "out")
    assert [str(t.source.relative_to(folder)) for t in tasks] == ["a.wav", "deep/c.ogg", "deep/er/b.FLAC"]
    found = [str(t.target.relative_to(tmp_path / "out")) for t in tasks]
    assert found == ["a.wav", "deep/c.wav", "deep/er/b.wav"]


def test_equal_names_stay_apart(tmp_path: Path) -> None:
    folder = tree(tmp_path, "a.wav", "a.flac")
    assert [t.target.name for t in plan([folder], tmp_path / "out")] == ["a.flac.wav", "a.wav.wav"]
    other = tmp_path / "other"
    write_audio(other / "a.wav", sound(samples=500), 44100)
    both = plan([folder, other], tmp_path / "out")
    assert [str(t.target.relative_to(tmp_path / "out")) for t in both] == [
        "in/a.flac.wav",
        "in/a.wav.wav",
        "other/a.wav",
    ]
    with pytest.raises(AudioFileError, match="one result"):
        plan([folder / "a.wav", other / "a.wav"], tmp_path / "out")


def test_no_input_is_ever_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree(tmp_path, "a.wav", "b.flac")
    for out in (folder, folder / "deep" / ".."):
        with pytest.raises(AudioFileError, match="replace an input"):
            plan([folder.resolve() / "a.wav"], out)
    monkeypatch.chdir(folder)
    with pytest.raises(AudioFileError, match="replace an input"):
        plan(["a.wav"], ".")
    assert plan([folder / "b.flac"], folder)[0].target == folder / "b.wav"


def test_earlier_results_inside_of_a_folder_are_no_inputs(tmp_path: Path) -> None:
    folder = tree(tmp_path, "a.wav", "out/a.wav")
    assert [t.target for t in plan([folder], folder / "out")] == [folder / "out" / "a.wav"]


def test_missing_and_empty_inputs_are_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such"):
        plan([tmp_path / "none.wav"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no sound file"):
        plan([tmp_path / "empty"], tmp_path / "out")


# -- one sound -------------------------------------------------------------------------------------------


def test_a_whole_sound_is_what_forward_gives(bended: BendedRAVE) -> None:
    x = sound()
    torch.testing.assert_close(render(bended, x), bended(x)[0])


@pytest.mark.shows("BendedRAVE", "render in blocks")
def test_a_stream_is_aligned_with_the_whole_sound(bended: BendedRAVE) -> None:
    x = sound(samples=4 * 65536 + 77)
    whole, stream = render(bended, x), render(bended, x, stream=True)
    assert stream.shape == whole.shape == x.shape
    # Around the ends the whole sound sees padding where the stream sees silence.
    inner = slice(65536, -65536)
    scale = float(whole[:, inner].std())
    torch.testing.assert_close(stream[:, inner] / scale, whole[:, inner] / scale, atol=1e-3, rtol=0)
    assert not bended.rave.is_streaming


@pytest.mark.parametrize("stream", [False, True])
def test_channels_are_signals_of_their_own(bended: BendedRAVE, stream: bool) -> None:
    x = sound(2)
    made = render(bended, x, stream=stream)
    assert made.shape == x.shape
    torch.testing.assert_close(made[1:], render(bended, x[1:], stream=stream), atol=1e-5, rtol=1e-4)


def test_a_stereo_model_takes_pairs_and_the_mean_of_three() -> None:
    torch.manual_seed(0)
    stereo = BendedRAVE(rave.RAVE(rave.preset("v2_nopqmf", capacity=4, latent_size=4, channels=2)))
    pair, three, four = sound(2), sound(3), sound(4)
    torch.testing.assert_close(render(stereo, pair), stereo(pair)[0])
    assert render(stereo, four).shape == four.shape
    mean = three.mean(0, keepdim=True).expand(2, -1)
    torch.testing.assert_close(render(stereo, three), stereo(mean)[0])


def test_bends_are_heard(bended: BendedRAVE) -> None:
    x = sound()
    plain = render(bended, x)
    bended.bend(Scale(0.5), "decoder.net.21.weight_g")
    whole, bent = render(bended, x), render(bended, x, stream=True)
    bended.reset()
    torch.testing.assert_close(float(whole.std() / plain.std()), 0.5, atol=0.05, rtol=0)
    torch.testing.assert_close(float(bent.std() / plain.std()), 0.5, atol=0.1, rtol=0)
    torch.testing.assert_close(render(bended, x), plain)


def test_a_batch_of_sounds_is_refused(bended: BendedRAVE) -> None:
    with pytest.raises(ShapeError, match="channels"):
        render(bended, sound()[None])


# -- files -----------------------------------------------------------------------------------------------


@pytest.mark.shows("BendedRAVE", "render a sound file")
def test_a_file_gets_the_rate_of_the_model(bended: BendedRAVE, tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", sound(2, 16000), 16000)
    done = render_file(bended, Task(tmp_path / "a.wav", tmp_path / "out" / "deep" / "a.wav"))
    assert done.error is None and done.seconds == pytest.approx(1) and not done.streamed
    made, rate = read_audio(tmp_path / "out" / "deep" / "a.wav")
    assert rate == 44100 and made.shape == (2, 44100)


def test_what_cannot_be_read_is_told_and_is_no_exception(bended: BendedRAVE, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF, not really")
    done = render_file(bended, Task(tmp_path / "a.wav", tmp_path / "b.wav"))
    assert done.error is not None and "cannot be read" in str(done.error)
    assert not (tmp_path / "b.wav").exists()


def test_a_minute_is_streamed_unless_told(bended: BendedRAVE, tmp_path: Path) -> None:
    write_audio(tmp_path / "long.wav", sound(1, 61 * 8000), 8000)
    task = Task(tmp_path / "long.wav", tmp_path / "out.wav")
    assert render_file(bended, task).streamed
    assert read_audio(task.target)[0].shape == (1, 61 * 44100)


@pytest.mark.parametrize(
    ("stream", "error", "next_step"),
    [
        (
            False,
            RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"),
            "--stream",
        ),
        (True, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), "shorter"),
        (False, MemoryError(), "--stream"),
    ],
)
def test_a_sound_that_needs_too_much_memory_is_told_and_is_no_exception(
    bended: BendedRAVE,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stream: bool,
    error: Exception,
    next_step: str,
) -> None:
    def fails(*_: object) -> None:
        raise error

    write_audio(tmp_path / "long.wav", sound(), 44100)
    task = Task(tmp_path / "long.wav", tmp_path / "out" / "long.wav")
    with monkeypatch.context() as patch:
        patch.setattr(bended, "_call", fails)
        result = render_file(bended, task, stream=stream)
    assert result.error is not None and result.error.site == str(task.source)
    assert next_step in str(result.error.next_step) and not task.target.exists()
    assert not bended.rave.is_streaming
    assert render_file(bended, task, stream=stream).seconds > 0.5


def test_other_failures_are_no_lack_of_memory(
    bended: BendedRAVE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("something else")

    write_audio(tmp_path / "a.wav", sound(), 44100)
    monkeypatch.setattr(bended, "_call", fails)
    with pytest.raises(RuntimeError, match="something else"):
        render_file(bended, Task(tmp_path / "a.wav", tmp_path / "b.wav"))
