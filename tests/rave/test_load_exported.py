"""Exported models are read without running them, into models that sound the same."""

from __future__ import annotations

import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.rave.exported_models import Node, VariationalScriptedRAVE, export, folded, tree
from torch import nn

from torchbend.bending.callbacks import Scale
from torchbend.errors import CheckpointError
from torchbend.interfaces.rave import BendedRAVE
from torchbend.rave import RAVE, load, preset
from torchbend.rave.checkpoints.load import load_with_notes
from torchbend.rave.config import EncoderV2Config, GeneratorV2Config, MultiScaleConfig
from torchbend.rave.config_json import to_dict

SMALL = {"discriminator": MultiScaleConfig(2), "capacity": 4, "latent_size": 4}
MODELS = {
    "v1": ("v1",),
    "v2": ("v2",),
    "v2_small": ("v2_small",),
    "v2_nopqmf": ("v2_nopqmf",),
    "v3": ("v3",),
    "causal": ("v2", "causal"),
    "noise and snake": ("v2", "noise", "snake"),
    "wasserstein": ("v2", "wasserstein"),
    "spherical": ("v2", "spherical"),
    "hybrid": ("v2", "hybrid"),
    "onnx": ("onnx",),
}


def small(*names: str, **overrides: object) -> RAVE:
    torch.manual_seed(0)
    model = RAVE(preset(*names, **{**SMALL, **overrides})).eval()
    with torch.no_grad():
        model.latent_mean.normal_()
        model.latent_pca.copy_(torch.linalg.qr(torch.randn_like(model.latent_pca))[0])
        model.fidelity.copy_(torch.linspace(0.1, 1, len(model.fidelity)))
        for flag in ("warmed_up", "enabled"):
            for part in (model.encoder, model.decoder):
                if flag in part._buffers:
                    part._buffers[flag].fill_(1)
    return model


def assert_same(found: RAVE, wanted: RAVE) -> None:
    for part in ("encoder", "decoder"):
        assert getattr(found.config, part) == getattr(wanted.config, part)
    own = wanted.config
    assert replace(
        found.config, name=own.name, discriminator=own.discriminator, training=own.training
    ) == replace(own)
    state = found.state_dict()
    for name, value in wanted.state_dict().items():
        if not name.startswith(("discriminator.", "audio_", "multiband_")) and "weight_" not in name:
            assert torch.equal(state[name], value), name
    x = torch.randn(1, wanted.channels, 4 * wanted.ratio)
    with torch.no_grad():
        torch.manual_seed(1)
        expected = wanted(x)
        torch.manual_seed(1)
        torch.testing.assert_close(found(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.shows("BendedRAVE", "load exports of the original", model="v1, v2, v3")
@pytest.mark.parametrize("name", MODELS)
def test_every_kind(tmp_path: Path, name: str) -> None:
    wanted = small(*MODELS[name])
    found, notes = load_with_notes(export(wanted, tmp_path / "model.ts"))
    assert_same(found, wanted)
    assert found.config.name == "model" and not found.training
    assert not any(parameter.requires_grad for parameter in found.parameters())
    assert any("discriminator" in note for note in notes)


def test_discrete(tmp_path: Path) -> None:
    wanted = small("discrete", num_quantizers=3, codebook_size=5, noise_augmentation=2)
    for name, value in wanted.named_buffers():
        if name.endswith("embed"):
            value.normal_()
        elif name.endswith("inited"):
            value.fill_(1)
    assert_same(load(export(wanted, tmp_path / "model.ts")), wanted)


@pytest.mark.parametrize("wrapper", ["_rave", "model"])
def test_wrapped(tmp_path: Path, wrapper: str) -> None:
    wanted = small("v2", channels=2)
    found, notes = load_with_notes(export(wanted, tmp_path / "model.ts", wrapper))
    assert_same(found, wanted)
    assert any(f"{wrapper}." in note for note in notes)


@pytest.mark.shows("BendedRAVE", "real weights: an export of the original")
def test_real_weights(shared_dir: Path, tmp_path: Path) -> None:
    wanted = load(shared_dir / "rave_ref" / "v2" / "run")
    assert_same(load(export(wanted, tmp_path / "model.ts")), wanted)


def test_a_resampling_export_tells_the_rate_outside(tmp_path: Path) -> None:
    found, notes = load_with_notes(export(small("v2"), tmp_path / "model.ts", sr=88_200))
    assert found.sample_rate == 44_100
    assert any("resamples by 2" in note for note in notes)


def test_dilations_come_from_the_caches(tmp_path: Path) -> None:
    wanted = small("v2", dilations=((2, 4), (1, 5), (1,), (7, 1, 2)))
    found = load(export(wanted, tmp_path / "model.ts"))
    assert isinstance(found.config.encoder, EncoderV2Config)
    assert isinstance(found.config.decoder, GeneratorV2Config)
    assert found.config.encoder.dilations == ((2, 4), (1, 5), (1,), (7, 1, 2))
    assert found.config.decoder.dilations == found.config.encoder.dilations


class Padded(nn.Conv1d):
    """A convolution that is not streamed: dilation and padding are constants of its program."""

    def __init__(self, weight: torch.Tensor, dilation: int, pad: tuple[int, int]) -> None:
        out, inner, kernel = weight.shape
        super().__init__(inner, out, kernel, dilation=dilation, bias=False)
        self.weight.data = weight.clone()
        self._pad = pad

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.pad(x, self._pad)
        return nn.functional.conv1d(x, self.weight, None, self.stride, 0, self.dilation)


@pytest.mark.parametrize(
    ("pad", "padding"), [((3, 3), "centered"), ((6, 0), "causal"), ((0, 6), "anticausal")]
)
def test_dilations_come_from_the_program_s_constants(
    tmp_path: Path, pad: tuple[int, int], padding: str
) -> None:
    wanted = small("v2", dilations=((3, 3, 3),) * 4)
    top = tree(VariationalScriptedRAVE(), folded(wanted))
    for name, module in list(top.named_modules()):
        if name.endswith("aligned.branches.0.net.1"):
            parent, _, last = name.rpartition(".")
            top.get_submodule(parent)._modules[last] = Padded(module.weight, 3, pad)
    torch.jit.script(top).save(str(tmp_path / "model.ts"))
    found = load(tmp_path / "model.ts")
    assert isinstance(found.config.encoder, EncoderV2Config)
    assert found.config.encoder.dilations == ((3, 3, 3),) * 4
    assert found.config.padding == padding


def test_a_row_of_zeros_stays_one(tmp_path: Path) -> None:
    wanted = small("v2")
    with torch.no_grad():
        wanted.encoder.encoder.net[0].weight_g[1] = 0
    found = load(export(wanted, tmp_path / "model.ts"))
    assert found.encoder.encoder.net[0].weight[1].abs().max() == 0
    assert found(torch.randn(1, 1, 4096)).isfinite().all()


def test_a_folder_with_one_export(tmp_path: Path) -> None:
    export(small("onnx"), tmp_path / "model.ts")
    assert load(tmp_path).config.name == "model"


# -- this project's exports -------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("v2",), ("v1",), ("v2_nopqmf", "snake")])
def test_exports_of_bent_models(tmp_path: Path, names: tuple[str, ...]) -> None:
    wanted = small(*names)
    wanted.latent_pca.copy_(torch.eye(4))
    wanted.latent_mean.zero_()
    wanted.fidelity.zero_()
    bended = BendedRAVE(wanted)
    weight = "decoder.net.0.weight" if names != ("v2_nopqmf", "snake") else "decoder.net.0.weight_v"
    bended.bend(Scale(0.5), weight)
    bended.script().save(str(tmp_path / "model.ts"))
    found, notes = load_with_notes(tmp_path / "model.ts")
    assert "the PCA of the latents is not in this file" in notes
    with torch.no_grad():
        z = torch.randn(1, 4, 8)
        torch.manual_seed(2)
        expected = bended.decode(z)
        torch.manual_seed(2)
        torch.testing.assert_close(found.decode(z), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", ["causal", "centered"])
def test_traces_of_streams(tmp_path: Path, padding: str) -> None:
    dilations = ((1, 2), (1,), (3, 5), (1, 3))
    model = small("v2", padding=padding, dilations=dilations)
    x = torch.randn(1, 1, 4 * model.ratio)
    wanted = model.encode(x)
    model.stream()
    torch.jit.trace_module(model, {"encode": x, "forward": x}, check_trace=False).save(str(tmp_path / "t.ts"))
    found = load(tmp_path / "t.ts")
    assert found.config.padding == padding
    assert (found.config.encoder, found.config.decoder) == (model.config.encoder, model.config.decoder)
    assert torch.allclose(found.encode(x), wanted, atol=1e-6)


def test_a_configuration_inside_of_an_export(tmp_path: Path) -> None:
    wanted = small("v2", "causal", "adain", dilations=((2, 1),) * 4)
    state = {name: value for name, value in folded(wanted).items() if not name.endswith(("_x", "_y"))}
    extra = {"rave_config.json": json.dumps(to_dict(wanted.config))}
    scripted = torch.jit.script(tree(Node(), state))
    torch.jit.save(scripted, str(tmp_path / "model.ts"), _extra_files=extra)
    found = load(tmp_path / "model.ts")
    assert found.config == wanted.config
    assert_same(found, wanted)


@pytest.mark.parametrize("text", ["{", "[]", '{"colour": 1}', '{"latent_size": 3}'])
def test_a_wrong_configuration_inside_of_an_export(tmp_path: Path, text: str) -> None:
    scripted = torch.jit.script(tree(Node(), folded(small("onnx"))))
    torch.jit.save(scripted, str(tmp_path / "model.ts"), _extra_files={"rave_config.json": text})
    with pytest.raises(CheckpointError):
        load(tmp_path / "model.ts")


# -- what is no exported RAVE ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return export(small("onnx"), tmp_path_factory.mktemp("whole") / "model.ts").read_bytes()


def copy_of(whole: bytes, folder: Path) -> Path:
    (folder / "model.ts").write_bytes(whole)
    return folder / "model.ts"


def test_another_model_is_described(tmp_path: Path) -> None:
    top = tree(Node(), {"layers.0.weight": torch.zeros(2), "head.bias": torch.zeros(1)})
    torch.jit.script(top).save(str(tmp_path / "other.ts"))
    with pytest.raises(CheckpointError, match="layers, head") as error:
        load(tmp_path / "other.ts")
    assert "layers.0.weight" in str(error.value) and "Node" in str(error.value)


def test_an_export_without_names_is_described(tmp_path: Path) -> None:
    streamed = {"model.encoder.encoder.net.0.cache": torch.zeros(4, 4, 6), "encode_params": torch.ones(4)}
    torch.jit.script(tree(Node(), streamed)).save(str(tmp_path / "played.ts"))
    with pytest.raises(CheckpointError, match="constants of its program") as error:
        load(tmp_path / "played.ts")
    assert error.value.next_step is not None
    assert "checkpoint" in error.value.next_step and "played.json" in error.value.next_step


def test_a_half_known_model_is_described(tmp_path: Path) -> None:
    top = tree(Node(), {"latent_pca": torch.eye(4), "encoder.blocks.0.weight": torch.zeros(2)})
    torch.jit.script(top).save(str(tmp_path / "other.ts"))
    with pytest.raises(CheckpointError, match="encoder.blocks.0.weight"):
        load(tmp_path / "other.ts")


def test_sizes_that_do_not_fit(tmp_path: Path) -> None:
    wrong = {"decoder.net.0.weight": torch.zeros(64, 9, 3)}
    with pytest.raises(CheckpointError, match="fit no model"):
        load(export(small("v2"), tmp_path / "model.ts", extra=wrong))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file(whole: bytes, tmp_path: Path, share: float) -> None:
    (tmp_path / "model.ts").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError):
        load(tmp_path / "model.ts")


def test_a_flipped_bit_in_the_weights(whole: bytes, tmp_path: Path) -> None:
    path = copy_of(whole, tmp_path)
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + largest.file_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)


def rewritten(path: Path, data: bytes) -> None:
    """Put another pickle in the place of an archive's own."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, data if name.endswith("/data.pkl") else content)


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self.path), "w"))


def test_a_hostile_pickle_runs_nothing(whole: bytes, tmp_path: Path) -> None:
    path = copy_of(whole, tmp_path)
    for protocol in (0, 1, 2, 4):
        rewritten(path, pickle.dumps({"state": Hostile(tmp_path / "touched")}, protocol))
        with pytest.raises(CheckpointError):
            load(path)
        assert not (tmp_path / "touched").exists()


def test_a_hostile_value_inside_of_a_good_model_runs_nothing(whole: bytes, tmp_path: Path) -> None:
    path = copy_of(whole, tmp_path)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        data = archive.read(name)
    # os.system in the place of the harmless function that gives lists their type.
    evil = data.replace(b"ctorch._utils\n_rebuild_tensor_v2\n", b"cos\nsystem\n", 1)
    assert evil != data
    rewritten(path, evil)
    with pytest.raises(CheckpointError):
        load(path)


@pytest.mark.parametrize(
    "data",
    [
        b"", b".", b"\x80\x02.", b"\x80\x05N.", b"(" * 100 + b".", b"X\xff\xff\xff\xffabc.", b"h\x00.",
        b"N" + b"\x86.", b"}N.s", b"\x8a\xff.", b"c__torch__\nTop\n)\x81}(X\x01\x00\x00\x00ah\x00u.",
        b"c__torch__\nTop\n)\x81q\x00}(X\x01\x00\x00\x00ah\x00ub.",
    ],
)  # fmt: skip
def test_pickles_that_make_no_sense(whole: bytes, tmp_path: Path, data: bytes) -> None:
    path = copy_of(whole, tmp_path)
    rewritten(path, data)
    with pytest.raises(CheckpointError):
        load(path)


def test_a_tensor_larger_than_its_data(tmp_path: Path) -> None:
    path = tmp_path / "model.ts"
    top = tree(Node(), {"latent_pca": torch.eye(7)})
    torch.jit.script(top).save(str(path))
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        data = archive.read(name)
    from torchbend.rave.checkpoints.archive import Archive

    rewritten(path, data.replace(b"(K\x07K\x07t", b"(K\xffK\x07t"))
    with Archive(path) as archive_, pytest.raises(CheckpointError, match="damaged"):
        archive_.tensor("latent_pca")


def test_averages_are_not_in_exports(whole: bytes, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="averaged"):
        load(copy_of(whole, tmp_path), ema=True)
