"""The callbacks, one idea per file."""

from torchbend.bending.callbacks.affine import Affine, Bias, Scale
from torchbend.bending.callbacks.blend import Blend
from torchbend.bending.callbacks.capture import Capture
from torchbend.bending.callbacks.clamp import Clamp
from torchbend.bending.callbacks.cluster import Cluster
from torchbend.bending.callbacks.fold import Fold
from torchbend.bending.callbacks.freeze import Freeze
from torchbend.bending.callbacks.gate import Gate
from torchbend.bending.callbacks.interpolation import InterpolateActivation, InterpolationFromCapture
from torchbend.bending.callbacks.lambda_ import Lambda
from torchbend.bending.callbacks.mask import Mask, OrderedMask
from torchbend.bending.callbacks.noise import Normal
from torchbend.bending.callbacks.permute import Permute, ThresholdPermute
from torchbend.bending.callbacks.quantize import Quantize
from torchbend.bending.callbacks.replace import Replace
from torchbend.bending.callbacks.rewire import Rewire
from torchbend.bending.callbacks.smooth import Smooth
from torchbend.bending.callbacks.threshold import ThresholdActivation
from torchbend.bending.callbacks.time_shift import Reverse, Roll, Shift

__all__ = [
    "Affine",
    "Bias",
    "Blend",
    "Capture",
    "Clamp",
    "Cluster",
    "Fold",
    "Freeze",
    "Gate",
    "InterpolateActivation",
    "InterpolationFromCapture",
    "Lambda",
    "Mask",
    "Normal",
    "OrderedMask",
    "Permute",
    "Quantize",
    "Replace",
    "Reverse",
    "Rewire",
    "Roll",
    "Scale",
    "Shift",
    "Smooth",
    "ThresholdActivation",
    "ThresholdPermute",
]
