"""``torchbend rave export`` gives what `BendedRAVE.export` gives, by RAVE's own options."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

import torchbend as tb

Program = Callable[..., Result]


def test_a_bent_model_is_written_and_plays(birds: Path, folder: Path, program: Program) -> None:
    model = tb.rave.load(birds)
    model.fidelity.copy_(torch.tensor([0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99, 1.0]))
    tb.rave.save(model, folder / "curved.safetensors")
    bend = ("--bend", birds.parent / "r.json", "--set", "amount=0.5")
    words = ("--fidelity", 0.75, "--batch", 1, "--means")
    result = program("rave", "export", "curved.safetensors", "--out", "m.ts", *words, *bend)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "bent 1 site(s): decoder.net.21.weight_g",
        *(f"wrote {name}" for name in ("m.ts", "m.json", "m.maxpat", "m.pd")),
        "next: torchbend check m.ts",
    ]
    facts = json.loads((folder / "m.json").read_text("utf-8"))
    assert facts["methods"]["encode"] == [1, 1, 3, 2048] and facts["max_batch"] == 1
    loaded = torch.jit.load(folder / "m.ts")  # type: ignore[no-untyped-call]
    assert loaded.get_amount() == (0.5,)
    model.get_parameter("decoder.net.21.weight_g").mul_(0.5)
    x = 0.1 * torch.randn(1, 1, 4 * 2048)
    model.stream()
    with torch.no_grad(), model.encoder.sampling(False):
        torch.testing.assert_close(loaded.forward(x), model(x), atol=1e-5, rtol=1e-4)


def test_options_reach_the_one_way_to_export(
    birds: Path, folder: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(tb.BendedRAVE, "export", lambda self, *_, **how: asked.append(how))
    plain = {"seed": None, "warm_up": True}
    given = {
        "seed": 7,
        "warm_up": False,
        "latents": 3,
        "channels": 2,
        "sample_rate": 88200,
        "batch": 1,
        "prior": Path("p.ckpt"),
    }
    words = ("--latents", 3, "--channels", 2, "--sr", 88200, "--batch", 1, "--prior", "p.ckpt")
    others = ("--noise-seed", 7, "--no-warm-up")
    for more in ((), (*words, *others, "--fill", "zeros", "--means", "--no-patches")):
        assert program("rave", "export", birds, "--out", "m.ts", *more).exit_code == 0
    assert asked[0] == {"fidelity": 0.95, "fill": "noise", "sample": True, "patches": True, **plain}
    assert asked[1] == {"fidelity": 0.95, "fill": "zeros", "sample": False, "patches": False, **given}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--out", "x.wav"), 2, "should end in .ts"),
        (("--out", "x.ts", "--fill", "water"), 2, "neither noise nor zeros"),
        (("--out", "x.ts", "--latents", "20"), 1, "1 to 8"),
        (("--out", "x.ts", "--sr", "48000"), 1, "a multiple of 44100"),
        (("--out", "x.ts", "--fidelity", "2"), 2, "fidelity"),
        (("--out", "x.ts", "--prior", "none.ckpt"), 1, "none.ckpt"),
        (("--out", "x.ts", "--ema"), 1, "averaged"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    birds: Path, folder: Path, program: Program, words: tuple[str, ...], status: int, said: str
) -> None:
    result = program("rave", "export", birds, *words)
    assert result.exit_code == status, result.output
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert [path.name for path in folder.glob("x.*")] == ["x.safetensors"]


def test_a_run_tells_how_many_latents_its_exports_play(
    birds: Path, folder: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchbend.training.folder import RunFolder
    from torchbend.training.settings import TrainSettings

    asked: list[dict[str, object]] = []
    monkeypatch.setattr(tb.BendedRAVE, "export", lambda self, *_, **how: asked.append(how))
    model = tb.rave.load(birds)
    (folder / "run" / "checkpoints").mkdir(parents=True)
    tb.rave.save(model, folder / "run" / "checkpoints" / "m.safetensors")
    RunFolder(folder / "run").describe(model.config, TrainSettings(cropped_latents=5), {})
    for more in ((), ("--latents", 2), ("--fidelity", 0.9)):
        words = ("rave", "export", "run/checkpoints/m.safetensors", "--out", "m.ts", *more)
        assert program(*words).exit_code == 0
    assert [(how.get("latents"), how["fidelity"]) for how in asked] == [(5, 0.95), (2, 0.95), (None, 0.9)]
