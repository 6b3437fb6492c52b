"""Whoever bends the same module, or parts of it, takes turns: the weights are never left bent."""

from __future__ import annotations

import threading

import torch
from torch import nn

import torchbend as tb
from torchbend.bending.locks import lock_of


def storm(
    bent: list[tb.BendedModule], inputs: list[torch.Tensor], rounds: int = 150
) -> list[list[torch.Tensor]]:
    """Each bent module called over and over in a thread of its own; all their results."""
    results: list[list[torch.Tensor]] = [[] for _ in bent]

    def run(k: int) -> None:
        for _ in range(rounds):
            results[k].append(bent[k](inputs[k]))

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(bent))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@torch.no_grad()
def test_two_bent_modules_of_one_module_in_two_threads() -> None:
    module = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    before = [p.clone() for p in module.parameters()]
    bent = [tb.BendedModule(module) for _ in range(3)]
    for k, b in enumerate(bent):
        b.bend(tb.Scale(float(k + 2)), "0.weight")
    x = torch.randn(8, 64)
    wanted = [b(x) for b in bent]
    for found, right in zip(storm(bent, [x] * 3), wanted, strict=True):
        assert all(torch.equal(f, right) for f in found)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), before, strict=True))


@torch.no_grad()
def test_a_part_and_the_whole_in_two_threads() -> None:
    module = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    before = [p.clone() for p in module.parameters()]
    part, whole = tb.BendedModule(module[0]), tb.BendedModule(module)
    part.bend(tb.Scale(3.0), "weight")
    whole.bend(tb.Scale(5.0), "0.weight")
    x = torch.randn(8, 64)
    wanted = [part(x), whole(x)]
    for found, right in zip(storm([part, whole], [x, x]), wanted, strict=True):
        assert all(torch.equal(f, right) for f in found)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), before, strict=True))


def test_modules_that_share_nothing_do_not_wait_for_each_other() -> None:
    one, other = lock_of(nn.Linear(2, 2)), lock_of(nn.Linear(2, 2))
    entered = threading.Event()

    def enter() -> None:
        with other:
            entered.set()

    with one:
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(5)
    assert entered.is_set()


def test_a_lock_can_be_taken_again_by_its_thread_and_waits_for_others() -> None:
    module = nn.Linear(2, 2)
    one, same = lock_of(module), lock_of(module)
    entered = threading.Event()

    def enter() -> None:
        with same:
            entered.set()

    with one, one:
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.1)
    thread.join(5)
    assert entered.is_set()
