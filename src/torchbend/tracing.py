"""The prototype's names around captured graphs, under the module where its users look for them."""

from torchbend.capture.editing import (
    graph_from_activations,
    graph_get_activations,
    graph_insert_callbacks,
)
from torchbend.capture.graph import Activation, FlowStep, LogicalFlowStep, LoopFlowStep

__all__ = [
    "ActivationProperties",
    "FlowStep",
    "LogicalFlowStep",
    "LoopFlowStep",
    "graph_from_activations",
    "graph_get_activations",
    "graph_insert_callbacks",
]

ActivationProperties = Activation
