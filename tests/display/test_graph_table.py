"""A graph prints as torch.fx prints it."""

import contextlib
import io

import pytest
import torch
from torch import nn
from torch.fx import symbolic_trace

from torchbend.display import graph_table


class Joseph(nn.Module):
    def __init__(self):
        super().__init__()
        self.f0 = nn.Parameter(torch.ones(1))
        self.net = nn.Sequential(nn.Linear(2, 2), nn.Tanh())

    def forward(self, t):
        waves = torch.sin(6.25 * self.f0 * t.unsqueeze(-2)) * torch.softmax(self.f0, dim=-1)
        return {"out": self.net(waves)[..., 0, :], "list": [waves, None]}


EXPECTED = """\
opcode         name       target                   args              kwargs
-------------  ---------  -----------------------  ----------------  --------
placeholder    t          t                        ()                {}
get_attr       f0         f0                       ()                {}
call_function  mul        <built-in function mul>  (6.25, f0)        {}
call_method    unsqueeze  unsqueeze                (t, -2)           {}
call_function  mul_1      <built-in function mul>  (mul, unsqueeze)  {}"""


def test_the_text_is_that_of_torch_fx():
    graph = symbolic_trace(Joseph()).graph
    assert graph_table(graph, list(graph.nodes)[:5]).text() == EXPECTED


def test_it_equals_print_tabular_byte_for_byte():
    pytest.importorskip("tabulate")
    graph = symbolic_trace(Joseph()).graph
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        graph.print_tabular()
    assert graph_table(graph).text() + "\n" == printed.getvalue()


def test_nodes_choose_the_rows():
    graph = symbolic_trace(Joseph()).graph
    chosen = [node for node in graph.nodes if node.op == "call_module"]
    assert [row[2] for row in graph_table(graph, chosen).rows] == ["net.0", "net.1"]
