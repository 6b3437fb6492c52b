"""The callbacks, one idea per file."""

from torchbend.bending.callbacks.affine import Affine, Bias, Scale
from torchbend.bending.callbacks.capture import Capture
from torchbend.bending.callbacks.interpolation import InterpolateActivation, InterpolationFromCapture
from torchbend.bending.callbacks.lambda_ import Lambda
from torchbend.bending.callbacks.mask import Mask, OrderedMask
from torchbend.bending.callbacks.noise import Normal
from torchbend.bending.callbacks.permute import Permute, ThresholdPermute
from torchbend.bending.callbacks.threshold import ThresholdActivation

__all__ = [
    "Affine",
    "Bias",
    "Capture",
    "InterpolateActivation",
    "InterpolationFromCapture",
    "Lambda",
    "Mask",
    "Normal",
    "OrderedMask",
    "Permute",
    "Scale",
    "ThresholdActivation",
    "ThresholdPermute",
]
