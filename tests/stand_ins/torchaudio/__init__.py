"""A stand-in for the audio library that the documents import: only what their cells take from it."""

from . import functional

__all__ = ["functional"]
