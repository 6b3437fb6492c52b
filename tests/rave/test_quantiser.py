"""Codes are the original's; codebooks start on the data, follow it, and let no code rot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from torchbend.errors import ShapeError
from torchbend.rave.codebook import Codebook, k_means, nearest
from torchbend.rave.config import DiscreteConfig
from torchbend.rave.quantiser import ResidualQuantiser

SMALL = DiscreteConfig(num_quantizers=3, codebook_size=8)


@pytest.fixture
def stored(shared_dir: Path) -> tuple[ResidualQuantiser, dict[str, Tensor]]:
    folder = shared_dir / "rave_ref/discrete"
    state = torch.load(folder / "run/version_0/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    prefix = "encoder.rvq."
    quantiser = ResidualQuantiser(16, DiscreteConfig(num_quantizers=4, codebook_size=32)).eval()
    quantiser.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    with np.load(folder / "vectors.npz") as file:
        return quantiser, {name: torch.from_numpy(file[name]) for name in ("enc_raw", "codes", "z", "reg")}


def _data(seed: int = 0, frames: int = 200) -> Tensor:
    return torch.randn(2, 4, frames, generator=torch.Generator().manual_seed(seed))


def _clusters(seed: int = 0) -> Tensor:
    """Vectors around eight far corners of a cube; shape ``[4, 3, 100]``."""
    draw = torch.Generator().manual_seed(seed)
    corners = torch.cartesian_prod(*[torch.tensor([-5.0, 5.0])] * 3)
    vectors = corners[torch.arange(400) % 8] + 0.01 * torch.randn(400, 3, generator=draw)
    return vectors.reshape(4, 100, 3).transpose(1, 2)


def test_codes_and_vectors_are_the_original_s(stored: tuple[ResidualQuantiser, dict[str, Tensor]]) -> None:
    quantiser, arrays = stored
    z, loss, codes = quantiser(arrays["enc_raw"])
    assert torch.equal(codes, arrays["codes"]) and codes.dtype == torch.int64
    assert torch.equal(quantiser.encode(arrays["enc_raw"]), arrays["codes"])
    wanted = arrays["z"][:, :16]  # noise channels stand behind the vectors
    torch.testing.assert_close(z, wanted, rtol=0, atol=1e-7)
    torch.testing.assert_close(quantiser.decode(codes), wanted, rtol=0, atol=1e-7)
    assert torch.equal(loss, arrays["reg"])


def test_keys_are_the_checkpoints_ones() -> None:
    keys = {name for name, _ in ResidualQuantiser(4, SMALL).named_buffers()}
    parts = ("inited", "cluster_size", "embed", "embed_avg")
    assert keys == {f"layers.{layer}._codebook.{part}" for layer in range(3) for part in parts}


def test_the_nearest_code_is_the_one_at_the_smallest_distance() -> None:
    draw = torch.Generator().manual_seed(5)
    vectors, codes = torch.randn(300, 6, generator=draw), torch.randn(40, 6, generator=draw)
    assert torch.equal(nearest(vectors, codes), torch.cdist(vectors, codes).argmin(-1))


def test_each_codebook_lowers_the_error() -> None:
    quantiser = ResidualQuantiser(4, SMALL).eval()
    x = _data()
    codes = quantiser(x)[2]
    errors = [float((quantiser.decode(codes[:, :n]) - x).square().mean()) for n in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]


def test_a_stream_of_blocks_has_the_codes_of_the_whole() -> None:
    quantiser = ResidualQuantiser(4, SMALL).eval()
    x = _data()
    whole = quantiser(x)[2]
    assert torch.equal(torch.cat([quantiser.encode(block) for block in x.split(25, -1)], -1), whole)


@pytest.mark.parametrize("training", [True, False])
def test_the_first_call_finds_the_codes(training: bool) -> None:
    torch.manual_seed(1)
    quantiser = ResidualQuantiser(3, DiscreteConfig(num_quantizers=1, codebook_size=8)).train(training)
    book = quantiser.codebooks[0]
    assert not book.embed.any()
    quantiser(_clusters())
    assert float(book.inited) == 1
    torch.testing.assert_close(
        book.embed_avg, book.embed * book.cluster_size.unsqueeze(1), atol=0.1, rtol=0.02
    )


def test_k_means_keeps_an_empty_cluster_s_centre_and_counts_all_vectors() -> None:
    torch.manual_seed(0)
    vectors = torch.cat([torch.zeros(20, 2), torch.ones(20, 2)])
    centres, counts = k_means(vectors, 5, 10)
    assert counts.sum() == 40 and int((counts > 0).sum()) == 2
    assert all(float(c[0]) in (0.0, 1.0) for c in centres)


def test_fewer_vectors_than_codes_are_enough() -> None:
    torch.manual_seed(0)
    centres, counts = k_means(torch.randn(3, 2), 8, 5)
    assert centres.shape == (8, 2) and counts.sum() == 3


def test_codes_keep_their_size_after_the_first_step_and_shrink_in_the_original() -> None:
    sizes = {}
    for as_original in (False, True):
        torch.manual_seed(1)
        quantiser = ResidualQuantiser(
            3, DiscreteConfig(num_quantizers=1, codebook_size=8), as_original=as_original
        )
        for _ in range(2):
            quantiser(_clusters())
        sizes[as_original] = float(quantiser.codebooks[0].embed.norm(dim=1).mean())
    assert sizes[False] == pytest.approx(5 * 3**0.5, rel=0.15)
    assert sizes[True] < 0.2 * sizes[False]


def test_codes_follow_the_data() -> None:
    torch.manual_seed(1)
    quantiser = ResidualQuantiser(3, DiscreteConfig(num_quantizers=1, codebook_size=8, decay=0.5))
    quantiser(_clusters())
    for _ in range(30):
        z, loss, _ = quantiser(_clusters() + 1)
    torch.testing.assert_close(z, _clusters() + 1, atol=0.2, rtol=0)
    assert float(loss) < 0.01


def test_one_step_is_the_moving_average() -> None:
    codebook = Codebook(2, DiscreteConfig(codebook_size=2, dead_code_threshold=0.0))
    start = torch.tensor([[0.0, 0.0], [4.0, 4.0]])
    codebook.embed.copy_(start)
    codebook.embed_avg.copy_(start * 10)
    codebook.cluster_size.fill_(10.0)
    vectors = torch.tensor([[1.0, 1.0], [1.0, 0.0], [5.0, 5.0]])
    codebook.learn(vectors, codebook.nearest(vectors), as_original=True)
    counts = torch.tensor([9.9 + 0.02, 9.9 + 0.01])
    sums = torch.tensor([[0.02, 0.01], [39.6 + 0.05, 39.6 + 0.05]])
    torch.testing.assert_close(codebook.cluster_size, counts)
    torch.testing.assert_close(codebook.embed_avg, sums)
    torch.testing.assert_close(codebook.embed, sums / counts.unsqueeze(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("as_original", [False, True])
def test_a_code_that_nothing_uses_is_drawn_anew(as_original: bool) -> None:
    quantiser = ResidualQuantiser(
        3, DiscreteConfig(num_quantizers=1, codebook_size=8), as_original=as_original
    )
    torch.manual_seed(1)
    quantiser(_clusters())
    book = quantiser.codebooks[0]
    with torch.no_grad():
        book.embed[3], book.embed_avg[3], book.cluster_size[3] = 1000.0, 0.0, 0.0
    codes = quantiser(_clusters())[2]
    assert not bool((codes == 3).any())
    distance = float(torch.cdist(book.embed[3:4], _clusters().transpose(1, 2).reshape(-1, 3)).min())
    assert (distance > 1) == as_original
    if not as_original:
        assert float(book.cluster_size[3]) > 0
        quantiser(_clusters())
        torch.testing.assert_close(
            book.embed, book.embed_avg / book.cluster_size.unsqueeze(1), rtol=1e-3, atol=1e-3
        )


def test_codes_in_fair_use_are_not_drawn_anew() -> None:
    """A batch with one frame for each code leaves most of them below the threshold of 2."""
    torch.manual_seed(1)
    quantiser = ResidualQuantiser(3, DiscreteConfig(num_quantizers=1, codebook_size=8))
    x = _clusters()[:1, :, :8]
    quantiser(x)
    before = quantiser.codebooks[0].embed.clone()
    used = quantiser.codebooks[0].cluster_size >= 0.6
    quantiser(x)
    torch.testing.assert_close(quantiser.codebooks[0].embed[used], before[used], rtol=1e-3, atol=1e-3)


def test_gradients_pass_straight_through_and_only_the_first_loss_reaches_the_encoder() -> None:
    torch.manual_seed(0)
    quantiser = ResidualQuantiser(4, SMALL)
    quantiser(_data())
    x = _data(1).requires_grad_()
    z, loss, codes = quantiser(x)
    weights = torch.randn_like(z)
    (gradient,) = torch.autograd.grad((z * weights).sum(), x, retain_graph=True)
    torch.testing.assert_close(gradient, weights, rtol=0, atol=1e-6)
    (gradient,) = torch.autograd.grad(loss, x)
    assert bool(gradient.isfinite().all()) and float(gradient.abs().sum()) > 0
    assert loss.shape == () and codes.shape == (2, 3, 200)


def test_the_loss_is_the_sum_of_all_layers() -> None:
    quantiser = ResidualQuantiser(4, SMALL)
    quantiser(_data())
    books = [book.embed.clone() for book in quantiser.codebooks]
    loss, residual = 0.0, _data().transpose(1, 2).reshape(-1, 4)
    for codes in books:
        q = codes[torch.cdist(residual, codes).argmin(-1)]
        loss += float((q - residual).square().mean())
        residual = residual - q
    assert float(quantiser(_data())[1]) == pytest.approx(loss, rel=1e-5)


def test_outside_training_nothing_moves() -> None:
    quantiser = ResidualQuantiser(4, SMALL)
    quantiser(_data())
    quantiser.eval()
    before = {name: tensor.clone() for name, tensor in quantiser.state_dict().items()}
    assert float(quantiser(_data(7))[1]) == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in quantiser.state_dict().items())


def test_loaded_codes_are_not_found_again_and_untrained_ones_are() -> None:
    trained = ResidualQuantiser(4, SMALL).eval()
    fresh = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    trained(_data())
    other = ResidualQuantiser(4, SMALL).eval()
    other.load_state_dict(trained.state_dict())
    assert torch.equal(other(_data(3))[0], trained(_data(3))[0])
    other.load_state_dict(fresh)
    other(_data(3))
    assert float(other.codebooks[0].inited) == 1 and bool(other.codebooks[0].embed.any())


def test_a_loaded_quantiser_decides_nothing_by_data() -> None:
    trained = ResidualQuantiser(4, SMALL).eval()
    trained(_data())
    loaded = ResidualQuantiser(4, SMALL).eval()
    loaded.load_state_dict(trained.state_dict())
    exported = torch.export.export(loaded, (_data(),), dynamic_shapes=({2: torch.export.Dim("frames")},))
    for frames in (7, 300):
        for got, wanted in zip(exported.module()(_data(2, frames)), loaded(_data(2, frames)), strict=True):
            torch.testing.assert_close(got, wanted)


def test_what_does_not_fit_is_told() -> None:
    quantiser = ResidualQuantiser(4, SMALL).eval()
    with pytest.raises(ShapeError, match="these latents"):
        quantiser(torch.randn(1, 5, 10))
    for codes in (torch.zeros(1, 4, 2, dtype=torch.long), torch.zeros(1, 3, 2), torch.zeros(3, 2).long()):
        with pytest.raises(ShapeError, match="cannot decode"):
            quantiser.decode(codes)
