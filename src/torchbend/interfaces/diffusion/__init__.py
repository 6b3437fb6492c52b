"""Pipelines of diffusers, bent: Stable Diffusion and its kin."""

from torchbend.interfaces.diffusion.during import DuringSteps
from torchbend.interfaces.diffusion.latents import slerp
from torchbend.interfaces.diffusion.model import BendedDiffusion
from torchbend.interfaces.diffusion.tiny import TINY_PIPELINES, tiny_pipeline

__all__ = ["TINY_PIPELINES", "BendedDiffusion", "DuringSteps", "slerp", "tiny_pipeline"]
