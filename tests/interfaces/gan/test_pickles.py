"""NVIDIA's pickles are read, and nothing in them is run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from torchbend.errors import TorchbendError, WeightsFileError
from torchbend.interfaces.gan import BendedGAN, StyleGAN2, tiny_gan
from torchbend.interfaces.gan.nvidia import read_nvidia
from torchbend.pickles import Record, tensor_of

from .names import EasyDict, _reconstruct_persistent_obj, images, nvidia, write_nvidia


@pytest.fixture(scope="module")
def model() -> StyleGAN2:
    return tiny_gan(seed=1)


class Evil:
    """An object whose pickle runs a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.shows("BendedGAN", "load NVIDIA's pickle without running it", model="StyleGAN2")
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_network_pickle_is_read_whole(model: StyleGAN2, tmp_path: Path, protocol: int) -> None:
    path = nvidia(tmp_path / "network.pkl", model, clamp=256.0, protocol=protocol)
    with pytest.raises((AssertionError, ModuleNotFoundError)):
        pickle.loads(path.read_bytes())  # the usual way runs what it names
    pickled = read_nvidia(path)
    own = model.state_dict()
    assert pickled.weights.keys() == own.keys() and pickled.clamp == 256.0
    assert all(torch.equal(pickled.weights[name], own[name]) for name in own)
    gan = BendedGAN(path)
    assert torch.equal(gan.module(torch.ones(1, 32)), model(torch.ones(1, 32)))
    assert gan.module.sizes.clamp == 256.0 and BendedGAN(path, clamp=0.1).generate(1, seed=0).std() < 0.2


@pytest.mark.shows("BendedGAN", "a pickle that would run a program does nothing", model="StyleGAN2")
def test_a_pickle_that_would_run_a_command_does_not(model: StyleGAN2, tmp_path: Path) -> None:
    marker = tmp_path / "it-ran"
    pickle.loads(pickle.dumps(Evil(marker)))
    assert marker.exists(), "the pickle is not dangerous: this test would show nothing"
    marker.unlink()
    for content in ({"G_ema": Evil(marker)}, Evil(marker), {"G": Evil(marker)}, [Evil(marker)]):
        path = tmp_path / "evil.pkl"
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(WeightsFileError, match="no generator"):
            BendedGAN(path)
        assert not marker.exists()


def test_a_command_beside_and_inside_of_a_generator_does_not_run(model: StyleGAN2, tmp_path: Path) -> None:
    marker, path = tmp_path / "it-ran", tmp_path / "evil.pkl"
    from .names import Persistent as Pickled

    write_nvidia(path, {"augment_pipe": Evil(marker), "G_ema": Pickled(model, conv_clamp=Evil(marker))})
    assert torch.equal(BendedGAN(path).generate(1, seed=0), BendedGAN(model).generate(1, seed=0))
    inner = pickle.dumps(Evil(marker))
    stored = Record("torch.storage._load_from_bytes", (inner,))
    with pytest.raises(WeightsFileError, match="begin"):
        tensor_of(Record("torch._utils._rebuild_tensor_v2", (stored, 0, (1,), (1,), False, {})))
    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"N",  # no end
        b".",  # nothing on the stack
        b"(.",  # a mark as the result
        b"h\x05.",  # nothing in the memory
        b"t.",  # no mark
        b"]]s.",  # an item for a list
        b"K\x01K\x02R.",  # a call of a number
        b"K\x01}b.",  # a state of a number
        b"\x82\x01.",  # an extension
        b"}]K\x01s.",  # a list as a key
        b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00.",
        b"just some text",
    ],
)
def test_broken_pickles_are_told_as_such(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.pkl"
    path.write_bytes(data)
    with pytest.raises(WeightsFileError):
        read_nvidia(path)


def test_a_cut_off_file_is_told_and_named(model: StyleGAN2, tmp_path: Path) -> None:
    whole = nvidia(tmp_path / "network.pkl", model).read_bytes()
    path = tmp_path / "cut.pkl"
    for part in (0.3, 0.6, 0.999):
        path.write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(WeightsFileError, match=r"cut\.pkl"):
            read_nvidia(path)


def test_random_bytes_changed_raise_nothing_but_the_package_s_errors(
    model: StyleGAN2, tmp_path: Path
) -> None:
    whole = nvidia(tmp_path / "network.pkl", model).read_bytes()
    dice = torch.Generator().manual_seed(0)
    path = tmp_path / "changed.pkl"
    for _ in range(25):
        data = bytearray(whole)
        for at in torch.randint(0, len(data), (20,), generator=dice).tolist():
            data[at] = int(torch.randint(0, 256, (1,), generator=dice))
        path.write_bytes(data)
        try:
            read_nvidia(path)
        except TorchbendError:
            continue


def test_tensorflow_s_pickles_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "old.pkl"
    path.write_bytes(b"(cdnnlib.tflib.network\nNetwork\n)\x81NNt.")
    with pytest.raises(WeightsFileError, match="TensorFlow"):
        BendedGAN(path)


def test_other_pickles_say_what_they_hold(tmp_path: Path) -> None:
    path = write_nvidia(tmp_path / "other.pkl", {"ema": EasyDict(a=1), "loss_fn": 3})
    with pytest.raises(WeightsFileError, match="ema, loss_fn"):
        BendedGAN(path)
    with pytest.raises(WeightsFileError, match="cannot be read"):
        read_nvidia(tmp_path / "missing.pkl")


class Shared:
    """A module in NVIDIA's way, which several others may hold."""

    def __init__(self, modules: dict[Any, Any], parameters: dict[Any, Any] | None = None) -> None:
        self.state = {"_modules": modules, "_parameters": parameters or {}, "_buffers": {}}

    def __reduce__(self) -> Any:
        return _reconstruct_persistent_obj, ({"state": self.state},)


def bombs() -> dict[str, Shared]:
    many = Shared({})
    for _ in range(20):
        many = Shared({f"m{n}": many for n in range(20)})
    deep = Shared({})
    for _ in range(50):
        deep = Shared({"m": deep})
    numbers = torch.zeros(100_000)
    return {
        "hold themselves": many,
        "hold themselves ": deep,
        "more weights than it holds": Shared({}, {f"w{n}": numbers for n in range(50)}),
        "no name": Shared({7: Shared({})}),
        "no name ": Shared({}, {"w" * 1000: numbers}),
        "is no tensor": Shared({}, {"w": 3}),
        "no module": Shared({"m": 3}),
    }


@pytest.mark.parametrize("told", bombs())
def test_short_pickles_do_not_stand_for_endless_weights(told: str, tmp_path: Path) -> None:
    path = write_nvidia(tmp_path / "bomb.pkl", {"G_ema": bombs()[told]})
    with pytest.raises(WeightsFileError, match=told.strip()) as error:
        read_nvidia(path)
    assert error.value.site == str(path)


@pytest.mark.parametrize("clamp", [2**2000, 0, -1.0, float("nan"), float("inf"), "256"])
def test_a_clamp_that_is_none_is_left_aside(model: StyleGAN2, tmp_path: Path, clamp: Any) -> None:
    assert read_nvidia(nvidia(tmp_path / "network.pkl", model, clamp)).clamp is None


def test_images_of_a_pickle_are_the_model_s(model: StyleGAN2, tmp_path: Path) -> None:
    gan = BendedGAN(nvidia(tmp_path / "network.pkl", model))
    assert torch.equal(images(gan.module), images(model))  # type: ignore[arg-type]
