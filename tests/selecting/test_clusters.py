"""Clusters hold what a comparison of all pairs finds, and are targets."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import torchbend as tb
from torchbend.bending.similarity import cosine_clusters, mean_similarity, unit_rows
from torchbend.errors import CaptureError, ReplayError, ShapeError, SiteNotFoundError

from .models import Branching, TwoWays


def brute_force(rows, threshold):
    """Connected components by comparing every pair, one by one."""
    count = len(rows)
    near = [[False] * count for _ in range(count)]
    for i in range(count):
        for j in range(count):
            lengths = rows[i].norm() * rows[j].norm()
            near[i][j] = bool(lengths > 0 and (rows[i] @ rows[j]) / lengths > threshold)
    groups, seen = [], set()
    for i in range(count):
        group, waiting = [], [i]
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                group.append(at)
                waiting += [j for j in range(count) if near[at][j]]
        if group:
            groups.append(sorted(group))
    return sorted(groups, key=lambda group: (-len(group), group[0]))


@given(
    seed=st.integers(0, 1 << 16),
    count=st.integers(1, 40),
    width=st.integers(1, 4),
    threshold=st.sampled_from([-0.5, 0.0, 0.5, 0.9, 0.99]),
    block=st.sampled_from([1, 3, 16, 2048]),
)
def test_blocks_find_what_all_pairs_find(seed, count, width, threshold, block):
    # Cosines of small whole numbers often lie on such a threshold, where rounding decides: it is moved off.
    rows = torch.randint(-3, 4, (count, width), generator=torch.Generator().manual_seed(seed)).double()
    moved = threshold + 1e-9
    assert cosine_clusters(rows, moved, block) == brute_force(rows, moved)


def test_planted_duplicates_are_found_among_many():
    torch.manual_seed(0)
    rows = torch.randn(5000, 64)
    rows[[7, 2500, 4999]] = torch.tensor([1.0, 3.0, 0.2])[:, None] * rows[7].clone()
    rows[[10, 4000]] = rows[10] + 0.001 * torch.randn(2, 64)
    found = [group for group in cosine_clusters(rows, 0.95, block=512) if len(group) > 1]
    assert found == [[7, 2500, 4999], [10, 4000]]


def test_a_chain_is_one_cluster_though_its_ends_differ():
    angles = torch.linspace(0, math.pi, 500)[torch.randperm(500)]
    rows = torch.stack((angles.cos(), angles.sin()), 1)
    assert cosine_clusters(rows, math.cos(math.pi / 400), block=64) == [list(range(500))]


def test_many_rows_that_are_all_alike_are_one_cluster():
    assert cosine_clusters(torch.ones(20_000, 2), 0.9) == [list(range(20_000))]


def test_zeros_and_broken_rows_are_like_no_other():
    rows = torch.tensor([[0.0, 0], [0, 0], [math.nan, 1], [math.nan, 1], [math.inf, 1], [2, 1], [4, 2]])
    assert cosine_clusters(rows, -1.0)[0] == [5, 6]
    assert len(cosine_clusters(rows, -1.0)) == 6


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_very_small_and_very_large_rows_have_directions_too(scale):
    units = unit_rows(scale * torch.tensor([[3.0, 4.0]]))
    assert torch.allclose(units, torch.tensor([[0.6, 0.8]]))


def test_the_mean_similarity_is_that_of_all_pairs():
    units = unit_rows(torch.randn(5, 3, dtype=torch.float64))
    group = [0, 2, 3]
    expected = sum(float(units[i] @ units[j]) for i, j in ((0, 2), (0, 3), (2, 3))) / 3
    assert mean_similarity(units, group) == pytest.approx(expected)


@pytest.fixture
def bended():
    torch.manual_seed(0)
    module = TwoWays()
    with torch.no_grad():
        module.down.weight[3] = 2 * module.down.weight[1]
        module.down.bias[3] = 2 * module.down.bias[1]
    model = tb.BendedModule(module)
    model.trace("encode", torch.randn(1, 2, 8))
    return model


def test_clusters_of_a_weight(bended):
    found = bended.similar_channels("down.weight", threshold=0.99)
    assert found.channels == list(found) == [[1, 3]]
    assert found[0] == [1, 3]
    assert found.channel_count == 4
    assert found.site.label == "down.weight"
    assert found.similarity[0] == pytest.approx(1.0)
    every = bended.similar_channels("down.weight", threshold=0.99, singletons=True)
    assert every.channels == [[1, 3], [0], [2]]
    assert bended.similar_channels("up.weight", threshold=0.99).channels == []
    assert bended.similar_channels("up.weight", dim=1).channel_count == 4


def test_clusters_of_an_activation_over_inputs(bended):
    inputs = [torch.randn(2, 2, 8), torch.randn(1, 2, 30)]
    found = bended.similar_channels("encode:down", threshold=0.99, inputs=inputs)
    assert found.channels == [[1, 3]]
    assert found.channels == bended.similar_channels("down", "encode", 0.99, inputs).channels
    values = torch.cat([bended.module.down(x).detach().movedim(1, 0).flatten(1) for x in inputs], 1)
    for threshold in (-0.2, 0.0, 0.2, 0.5):
        clusters = bended.similar_channels("encode:down", threshold=threshold, inputs=inputs, singletons=True)
        assert clusters.channels == brute_force(values, threshold)


def test_a_cluster_is_a_target(bended):
    x = torch.randn(1, 2, 8)
    plain = bended.encode(x)
    found = bended.similar_channels("encode:relu", threshold=0.99, inputs=x)
    with found.bend(tb.Scale(0.0)) as handle:
        assert handle.keys == ["encode:relu"]
        bent = bended.encode(x)
        assert torch.equal(bent[:, [0, 2]], plain[:, [0, 2]])
        assert torch.equal(bent[:, [1, 3]], torch.full((1, 2, 8), 0.5))
        recipe = bended.bending_config()
        assert recipe.entries[0].callback == tb.Cluster(tb.Scale(0.0), [1, 3])
    assert torch.equal(bended.encode(x), plain)


def test_several_clusters_are_bent_together_and_a_dimension_is_kept(bended):
    every = bended.similar_channels("down.weight", threshold=0.99, singletons=True)
    with every.bend(tb.Scale(0.0), which=[0, 2]):
        weight = bended.bended_weights()["down.weight"]
        assert (weight.abs().sum((1, 2)) > 0).tolist() == [True, False, False, False]
    columns = bended.similar_channels("up.weight", threshold=-1.0, dim=1)
    with columns.bend(tb.Scale(0.0)):
        assert not bended.bended_weights()["up.weight"].any()
    with pytest.raises(SiteNotFoundError, match="0 to 2"):
        every.bend(tb.Scale(0.0), which=3)
    with pytest.raises(SiteNotFoundError, match="more alike than"):
        bended.similar_channels("up.weight", threshold=0.99).bend(tb.Scale(0.0))


def test_the_bent_values_are_compared(bended):
    bended.bend(tb.Cluster(tb.Scale(0.0), [1]), "down.weight")
    assert bended.similar_channels("down.weight", threshold=0.99).channels == []


def test_clusters_print(bended):
    found = bended.similar_channels("down.weight", threshold=0.99)
    assert str(found) == repr(found)
    assert "1 cluster of down.weight, holding 2 of its 4 channels (cosine similarity above 0.99)" in str(
        found
    )
    assert str(found).splitlines()[-1].split() == ["0", "2", "1", "1,", "3"]
    assert "<table" in found._repr_html_()
    none = bended.similar_channels("up.weight", threshold=0.99)
    assert str(none).startswith("0 clusters of up.weight") and none._repr_html_()
    many = tb.BendedModule(nn.Linear(1, 40, bias=False))
    with torch.no_grad():
        many.module.weight.fill_(1.0)
    assert "14, 15, ... 24 more" in str(many.similar_channels("weight"))


def test_what_is_wrong_is_told(bended):
    with pytest.raises(SiteNotFoundError, match=r"closest names: .*down\.weight"):
        bended.similar_channels("down.wieght")
    with pytest.raises(CaptureError, match="between -1 and 1"):
        bended.similar_channels("down.weight", threshold=2)
    with pytest.raises(CaptureError, match="without an input"):
        bended.similar_channels("encode:relu")
    with pytest.raises(ShapeError, match="no such dimension"):
        bended.similar_channels("down.weight", dim=3)
    with pytest.raises(ShapeError, match="differs between inputs"):
        bended.similar_channels("encode:relu", dim=2, inputs=[torch.randn(1, 2, 8), torch.randn(1, 2, 9)])
    branching = tb.BendedModule(Branching())
    branching.trace(torch.ones(1, 2))
    with pytest.raises(ReplayError, match="none of the inputs"):
        branching.similar_channels("sin", inputs=[-torch.ones(1, 2)])


def test_integers_and_complex_numbers_have_directions_too():
    module = nn.Module()
    module.register_buffer("whole", torch.tensor([[1, 2], [2, 4], [2, -1]]))
    module.register_buffer("turning", torch.tensor([[1j, 0], [2j, 0], [1.0, 0]]))
    bended = tb.BendedModule(module)
    assert bended.similar_channels("whole").channels == [[0, 1]]
    assert bended.similar_channels("turning").channels == [[0, 1]]
