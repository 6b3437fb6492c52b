"""Pickles read without running them: their data as records, and the tensors in it."""

from torchbend.pickles.reader import read_pickle
from torchbend.pickles.records import Named, Persistent, Record
from torchbend.pickles.tensors import tensor_of

__all__ = ["Named", "Persistent", "Record", "read_pickle", "tensor_of"]
