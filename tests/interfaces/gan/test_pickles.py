"""NVIDIA's pickles are read, and nothing in them is run."""

from __future__ import annotations

import io
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from torchbend.errors import TorchbendError, WeightsFileError
from torchbend.interfaces.gan import BendedGAN, StyleGAN2, tiny_gan
from torchbend.interfaces.gan.nvidia import read_nvidia
from torchbend.pickles import Named, Persistent, Record, read_pickle, tensor_of

from .names import EasyDict, images, nvidia, write_nvidia


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


def test_every_step_of_a_pickle_gives_the_same_data() -> None:
    shared = [1, 2]
    content = {
        "numbers": (0, 1, -1, 255, 65535, 2**31, -(2**70), 1.5, True, False, None),
        "texts": ("", "a", "ä" * 300, "x" * 70000, b"", b"bytes", b"y" * 300, bytearray(b"z")),
        "more": [
            [],
            (),
            {},
            set(),
            {1, 2},
            frozenset([3]),
            (1,),
            (1, 2),
            (1, 2, 3),
            (1, 2, 3, 4),
            shared,
            shared,
        ],
    }
    for protocol in range(6):
        some = content if protocol >= 3 else {"numbers": content["numbers"], "more": content["more"][:3]}
        if protocol < 5 and protocol >= 3:
            some = {**content, "texts": content["texts"][:-1]}
        got = read_pickle(io.BytesIO(pickle.dumps(some, protocol)))
        if protocol >= 4:
            assert got == some
            assert got["more"][-1] is got["more"][-2]
        else:
            assert got["numbers"] == some["numbers"]


def test_objects_become_records() -> None:
    got = read_pickle(io.BytesIO(b"cos\nsystem\n(S'rm -rf x'\ntR."))
    assert isinstance(got, Record) and (got.name, got.args) == ("os.system", ("rm -rf x",))
    assert read_pickle(io.BytesIO(pickle.dumps(io.BytesIO, 4))) == Named("_io.BytesIO")
    assert read_pickle(io.BytesIO(b"Pmark\n.")) == Persistent("mark")
    complex_number = read_pickle(io.BytesIO(pickle.dumps(1 + 2j, 4)))
    assert complex_number.name == "builtins.complex" and complex_number.args == (1.0, 2.0)
    instance = read_pickle(io.BytesIO(b"(ios\nsystem\n."))
    assert instance.name == "os.system"


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


def test_tensors_of_all_kinds_are_read() -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    views = [whole, whole.T, whole[1:, ::2], whole[0, 0], torch.empty(0, 3), torch.nn.Parameter(whole)]
    kinds = [whole.to(kind) for kind in (torch.half, torch.double, torch.bfloat16, torch.long, torch.bool)]
    for tensor in views + kinds:
        for protocol in (2, 5):
            got = tensor_of(read_pickle(io.BytesIO(pickle.dumps(tensor, protocol))))
            assert got is not None and got.dtype == tensor.dtype and torch.equal(got, tensor)


def test_a_tensor_cannot_reach_beyond_its_numbers() -> None:
    good = read_pickle(io.BytesIO(pickle.dumps(torch.arange(4.0), 4)))
    stored = good.args[0]
    for offset, size, stride in (
        (1, (4,), (1,)),
        (0, (2, 3), (3, 1)),
        (0, (10**9,), (0,)),
        (-1, (1,), (1,)),
        (0, (2,), (9,)),
    ):
        with pytest.raises(WeightsFileError, match="tensor"):
            tensor_of(Record(good.name, (stored, offset, size, stride)))
    data = stored.args[0]
    for bad in (data[:-1], data[:20], data[: -4 * 4 - 8] + struct.pack("<q", 2**60) + data[-16:]):
        with pytest.raises(WeightsFileError):
            tensor_of(Record(good.name, (Record(stored.name, (bad,)), 0, (4,), (1,))))


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


def test_images_of_a_pickle_are_the_model_s(model: StyleGAN2, tmp_path: Path) -> None:
    gan = BendedGAN(nvidia(tmp_path / "network.pkl", model))
    assert torch.equal(images(gan.module), images(model))  # type: ignore[arg-type]
