"""Channels that do alike are found, whatever their order, and bent together and alone."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import torchbend as tb
from dandb import (
    compute_activations_similarity,
    compute_clusters,
    extract_activations,
    make_clustered_bending_callbacks,
    sort_clusters,
)
from dandb.clusters.linkage import average_linkage, groups_after
from torchbend.errors import (
    CallbackError,
    ControlError,
    NotTracedError,
    ShapeError,
    SiteNotFoundError,
    TorchbendError,
)

BLOCKS = [[1, 4, 6, 9], [0, 3, 8], [2, 5], [7]]


def planted(blocks: list[list[int]] = BLOCKS, samples: int = 400) -> Tensor:
    """Channels that are scaled copies of one wave for each block, and a little noise. Shape [2, C, T]."""
    generator = torch.Generator().manual_seed(0)
    waves = torch.randn(len(blocks), 2, samples, generator=generator)
    count = sum(map(len, blocks))
    out = torch.empty(2, count, samples)
    for number, block in enumerate(blocks):
        for place, channel in enumerate(block):
            out[:, channel] = (1 + place) * waves[number]
    return out + 0.01 * torch.randn(out.shape, generator=generator)


def slow_average_linkage(similarity: np.ndarray, left: int) -> list[list[int]]:
    """By the definition: all pairs of clusters compared at each step."""
    groups = [[item] for item in range(len(similarity))]
    while len(groups) > left:
        _, a, b = max(
            (similarity[np.ix_(groups[a], groups[b])].mean(), -a, -b)
            for a in range(len(groups))
            for b in range(a + 1, len(groups))
        )
        joined = sorted(groups[-a] + groups[-b])
        groups = [g for n, g in enumerate(groups) if n not in (-a, -b)] + [joined]
    return sorted(groups, key=lambda group: (-len(group), group[0]))


# -- similarity ----------------------------------------------------------------------------------------


def test_similarities_are_cosines_over_batch_and_time():
    x = planted()
    similarity = compute_activations_similarity(x)
    rows = x.movedim(1, 0).flatten(1).double()
    expected = torch.nn.functional.cosine_similarity(rows[:, None], rows[None], dim=-1)
    assert torch.allclose(similarity.double(), expected, atol=1e-5)
    assert torch.equal(similarity, similarity.T)
    assert torch.equal(similarity.diagonal(), torch.ones(10))


def test_correlation_does_not_see_means():
    x = planted() + 1000.0
    assert float(compute_activations_similarity(x).min()) > 0.99
    similarity = compute_activations_similarity(x, "correlation")
    expected = np.corrcoef(x.movedim(1, 0).flatten(1).double().numpy())
    assert np.allclose(similarity.numpy(), expected, atol=1e-3)
    assert compute_clusters(similarity, 4) == BLOCKS


def test_channels_may_lie_along_another_dimension_and_values_may_be_complex():
    x = planted()
    assert torch.equal(
        compute_activations_similarity(x.movedim(1, -1), dim=-1), compute_activations_similarity(x)
    )
    turned = torch.complex(x, -2 * x)
    assert torch.allclose(
        compute_activations_similarity(turned), compute_activations_similarity(x), atol=1e-5
    )


def test_channels_without_a_direction_are_told_and_are_like_no_other(caplog):
    x = planted()
    x[:, 3] = 0.0
    x[0, 8, 5] = torch.nan
    x[1, 0, 7] = torch.inf
    with caplog.at_level(logging.WARNING, logger="dandb"):
        similarity = compute_activations_similarity(x)
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 10 channels are like no other, silent: 3",
        "2 of 10 channels are like no other, holding NaN or infinity: 0, 8",
    ]
    assert bool(similarity.isfinite().all())
    assert not similarity[[0, 3, 8]].any() and not similarity[:, [0, 3, 8]].any()
    assert compute_clusters(similarity, 4) == [[1, 4, 6, 9], [2, 5], [7], [0, 3, 8]]
    assert compute_clusters(similarity, 10)[-1] == [0, 3, 8]
    assert compute_clusters(similarity, threshold=0.9)[-1] == [0, 3, 8]
    assert compute_clusters(similarity, 1) == [list(range(10))]


def test_constants_have_no_correlation(caplog):
    x = planted()
    x[:, 7] = 0.1
    with caplog.at_level(logging.WARNING, logger="dandb"):
        similarity = compute_activations_similarity(x, "correlation")
    assert "holding one value only: 7" in caplog.text
    assert not similarity[7].any()
    assert compute_activations_similarity(x)[7, 7] == 1


def test_all_silent_is_one_cluster():
    similarity = compute_activations_similarity(torch.zeros(1, 4, 9))
    assert compute_clusters(similarity, 2) == [[0, 1, 2, 3]]


def test_a_warning_does_not_name_hundreds(caplog):
    compute_activations_similarity(torch.zeros(1, 300, 4))
    assert "300 of 300 channels" in caplog.text and "and 292 more" in caplog.text


# -- clusters ------------------------------------------------------------------------------------------


def test_planted_blocks_come_back_exactly():
    similarity = compute_activations_similarity(planted())
    assert compute_clusters(similarity, 4) == BLOCKS
    assert compute_clusters(similarity, threshold=0.8) == BLOCKS
    assert compute_clusters(similarity, 1) == [list(range(10))]
    assert sorted(compute_clusters(similarity, 10)) == [[c] for c in range(10)]
    assert len(compute_clusters(similarity)) == 8


def test_the_order_of_the_channels_does_not_matter():
    x = planted()
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    shuffled = compute_clusters(compute_activations_similarity(x[:, order]), 4)
    assert sorted(sorted(int(order[c]) for c in group) for group in shuffled) == sorted(BLOCKS)


@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 16), count=st.integers(1, 14), data=st.data())
def test_chains_find_what_all_pairs_find(seed, count, data):
    left = data.draw(st.integers(1, count))
    rows = np.random.default_rng(seed).normal(size=(count, 3))
    similarity = np.corrcoef(rows) if count > 1 else np.ones((1, 1))
    joins = average_linkage(similarity)
    assert [join.similarity for join in joins] == sorted((j.similarity for j in joins), reverse=True)
    assert groups_after(joins[: count - left], count) == slow_average_linkage(similarity, left)


@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 16), count=st.integers(2, 40))
def test_many_equal_similarities_end_too(seed, count):
    values = np.random.default_rng(seed).integers(-1, 2, size=(count, count)) / 3
    joins = average_linkage((values + values.T) / 2)
    assert len(joins) == count - 1
    assert groups_after(joins, count) == [list(range(count))]


def test_a_thousand_channels_in_the_clusters_that_were_planted():
    blocks = [list(range(start, 1024, 32)) for start in range(32)]
    similarity = compute_activations_similarity(planted(blocks))
    assert compute_clusters(similarity, 32) == blocks


def test_the_loudest_cluster_is_first():
    x = planted()
    energies = {tuple(block): float(x[:, block].double().square().sum()) for block in BLOCKS}
    found = sort_clusters([[7], [5, 2], [8, 0, 3], [9, 1, 6, 4]], x)
    assert found == [sorted(group) for group in sorted(energies, key=lambda g: -energies[g])]
    x[:, 9] = torch.nan
    assert sort_clusters([[9], [7]], x) == [[7], [9]]


# -- on a model ----------------------------------------------------------------------------------------


class Two(nn.Module):
    """Two layers; the second's twelve names begin with those of the first."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.up = nn.Conv1d(1, 10, 5, padding=2, bias=False)
        self.down = nn.Conv1d(10, 1, 5, padding=2)
        with torch.no_grad():
            for block in BLOCKS:
                for place, channel in enumerate(block):
                    self.up.weight[channel] = (1 + place) * self.up.weight[block[0]]

    def forward(self, x):
        h = self.up(x)
        for _ in range(11):
            h = h + 0.0
        return self.down(torch.tanh(h))


@pytest.fixture
def model() -> tb.BendedModule:
    bended = tb.BendedModule(Two())
    bended.trace(torch.randn(1, 1, 32))
    return bended


def test_activations_come_by_their_full_names(model):
    x = torch.randn(2, 1, 64)
    acts = extract_activations(model, ["tanh", "add_1", "up"], x=x)
    assert list(acts) == ["tanh", "add_1", "up"]
    assert torch.equal(acts["up"], model.module.up(x).detach())
    assert not acts["up"].requires_grad
    assert list(extract_activations(model, "add_1", x=x)) == ["add_1"]
    assert list(extract_activations(model, "add_1.*", x=x)) == ["add_1", "add_10"]
    with pytest.raises(SiteNotFoundError, match="closest names"):
        extract_activations(model, ["tanhh"], x=x)
    with pytest.raises(NotTracedError):
        extract_activations(model, ["up"], fn="decode", x=x)


def test_one_cluster_is_taken_out_and_nothing_else_changes(model):
    x = torch.randn(1, 1, 64)
    plain_out = model(x)
    plain = extract_activations(model, "up", x=x)["up"]
    clusters = compute_clusters(compute_activations_similarity(plain), 4)
    assert clusters == BLOCKS
    for callback in make_clustered_bending_callbacks(clusters, name="up"):
        model.bend(callback, "forward:up$")
    assert list(model.controllables) == ["up_0", "up_1", "up_2", "up_3"]
    assert torch.equal(model(x), plain_out)
    model.update("up_1", 0.0)
    bent = extract_activations(model, "up", x=x)["up"]
    assert not bent[:, BLOCKS[1]].any()
    others = [c for c in range(10) if c not in BLOCKS[1]]
    assert torch.equal(bent[:, others], plain[:, others])
    assert not torch.equal(model(x), plain_out)
    model.update("up_1", 1.0)
    assert torch.equal(model(x), plain_out)
    with pytest.raises(ControlError):
        model.update("up_0", 2.5)


def test_other_callbacks_and_clusters_by_threshold(model):
    x = torch.randn(1, 1, 64)
    found = model.similar_channels("up", threshold=0.99, inputs=x)
    callbacks = make_clustered_bending_callbacks(found, tb.Bias, "offset", 0.0, (-1.0, 1.0))
    assert [callback.channels for callback in callbacks] == [group for group in BLOCKS if len(group) > 1]
    model.bend(callbacks[0], "forward:up$")
    plain = model.module.up(x)
    model.update("offset_0", 0.5)
    bent = extract_activations(model, "up", x=x)["up"]
    assert torch.equal(bent[:, BLOCKS[0]], plain[:, BLOCKS[0]] + 0.5)


def test_a_number_of_clusters_may_come_from_numpy():
    assert compute_clusters(torch.eye(5), n_clusters=np.int64(5)) == [[0], [1], [2], [3], [4]]
    with pytest.raises(TorchbendError, match="this many clusters"):
        compute_clusters(torch.eye(5), n_clusters=2.0)


def test_what_is_wrong_is_told():
    x = planted()
    similarity = compute_activations_similarity(x)
    with pytest.raises(TorchbendError, match="'cosine' or 'correlation'"):
        compute_activations_similarity(x, "euclid")
    with pytest.raises(TorchbendError, match="no values"):
        compute_activations_similarity({"up": x})
    with pytest.raises(TorchbendError, match="no values"):
        compute_activations_similarity(torch.zeros(1, 0, 4))
    with pytest.raises(ShapeError, match="no such dimension"):
        compute_activations_similarity(x, dim=3)
    with pytest.raises(ShapeError, match="square"):
        compute_clusters(similarity[:3])
    with pytest.raises(TorchbendError, match="not symmetric"):
        compute_clusters(torch.tensor([[1.0, 0.5], [0.0, 1.0]]), 1)
    with pytest.raises(TorchbendError, match="NaN"):
        compute_clusters(torch.full((2, 2), torch.nan), 1)
    for wrong in (0, 11, 2.5, True):
        with pytest.raises(TorchbendError, match="1 to 10"):
            compute_clusters(similarity, wrong)
    with pytest.raises(TorchbendError, match="one of them"):
        compute_clusters(similarity, 2, threshold=0.5)
    with pytest.raises(TorchbendError, match="between -1 and 1"):
        compute_clusters(similarity, threshold=2)
    with pytest.raises(SiteNotFoundError, match="0 to 9"):
        sort_clusters([[0, 10]], x)
    with pytest.raises(CallbackError, match="each once"):
        make_clustered_bending_callbacks([[1, 1]])
    with pytest.raises(ControlError):
        make_clustered_bending_callbacks([[1]], value=3.0)
