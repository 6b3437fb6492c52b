"""Codes that several processes learn together are those that one process learns from the vectors of all."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from torchbend.rave.config import DiscreteConfig
from torchbend.rave.quantiser import ResidualQuantiser
from torchbend.rave.together import Together

COUNT = 2


class _Table:
    """Adds up what the threads lay on it, as processes add up by messages; counts the numbers."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(COUNT, timeout=30)
        self.laid: dict[int, Tensor] = {}
        self.sent = 0

    def seen_from(self, place: int) -> Together:
        def added(tensor: Tensor) -> Tensor:
            self.laid[place] = tensor.clone()
            self.barrier.wait()
            whole = sum(self.laid[number] for number in range(COUNT))
            self.sent += tensor.numel() if place == 0 else 0
            self.barrier.wait()
            return whole

        return Together(place, COUNT, added)


def _learn(start: ResidualQuantiser, batches: list[Tensor]) -> tuple[list[ResidualQuantiser], _Table]:
    """What each of two makes of its half of each batch; only the first one has chance."""
    table, made = _Table(), [copy.deepcopy(start) for _ in range(COUNT)]

    def work(place: int) -> None:
        made[place].learn_together(table.seen_from(place))
        for x in batches:
            made[place](x.chunk(COUNT)[place])

    with ThreadPoolExecutor(COUNT) as pool:
        list(pool.map(work, range(COUNT)))
    return made, table


@pytest.mark.parametrize("frames", [40, 2])
def test_two_halves_are_one_batch(frames: int) -> None:
    """First codes, moves and codes that are drawn anew; also with fewer vectors than codes."""
    torch.manual_seed(0)
    start = ResidualQuantiser(3, DiscreteConfig(num_quantizers=2, codebook_size=16, decay=0.3)).train()
    batches = [torch.randn(4, 3, frames) + shift for shift in (0, 0, 3, 6, 6)]
    one = copy.deepcopy(start)
    torch.manual_seed(1)
    for x in batches:
        one(x)
    torch.manual_seed(1)
    two, _ = _learn(start, batches)
    for name, value in one.state_dict().items():
        assert torch.equal(two[0].state_dict()[name], two[1].state_dict()[name]), name
        torch.testing.assert_close(two[0].state_dict()[name], value, rtol=1e-4, atol=1e-4, msg=name)
    # The sounds have moved ten away; codes that nothing used have followed: they were drawn anew.
    near = batches[-1].transpose(1, 2).reshape(-1, 3)
    assert float(torch.cdist(one.codebooks[0].embed, near).amin(1).max()) < 5


def test_halves_that_differ_give_codes_for_both() -> None:
    torch.manual_seed(2)
    start = ResidualQuantiser(2, DiscreteConfig(num_quantizers=1, codebook_size=8)).train()
    x = 0.01 * torch.randn(2, 2, 50) + torch.tensor([-5.0, 5.0])[:, None, None]
    (first, _), _ = _learn(start, [x, x])
    signs = first.codebooks[0].embed[:, 0].sign()
    assert sorted(set(signs.tolist())) == [-1.0, 1.0]
    assert float(first.codebooks[0].cluster_size.sum()) == pytest.approx(100, rel=1e-3)


def test_a_step_sends_counts_and_sums_and_no_codes_where_all_are_used() -> None:
    torch.manual_seed(3)
    config = DiscreteConfig(num_quantizers=1, codebook_size=4, kmeans_iterations=10)
    x = torch.randn(2, 3, 500)
    table = _learn(ResidualQuantiser(3, config).train(), [x])[1]
    more = _learn(ResidualQuantiser(3, config).train(), [x, x])[1]
    assert table.sent == 4 + 4 * 3 + 11 * 4 * (3 + 1)
    assert more.sent - table.sent == 4 * (3 + 1)
