"""Run a method once and get its graph: ``capture``, ``Replay``, ``graph_module``."""

from torchbend.capture.code import graph_module
from torchbend.capture.graph import Activation, Address, Capture, CapturedGraph, FlowStep
from torchbend.capture.replay import Replay
from torchbend.capture.trace import capture

__all__ = [
    "Activation",
    "Address",
    "Capture",
    "CapturedGraph",
    "FlowStep",
    "Replay",
    "capture",
    "graph_module",
]
