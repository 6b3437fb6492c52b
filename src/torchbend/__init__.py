"""Point at any place in any PyTorch model, see what is there, change it, and hear it."""

from torchbend import errors
from torchbend.bending.callback import BendingCallback, CallbackChain
from torchbend.bending.callbacks import (
    Affine,
    Bias,
    Blend,
    Capture,
    Clamp,
    Cluster,
    Fold,
    Freeze,
    Gate,
    InterpolateActivation,
    InterpolationFromCapture,
    Lambda,
    Mask,
    Normal,
    OrderedMask,
    Permute,
    Quantize,
    Replace,
    Reverse,
    Rewire,
    Roll,
    Scale,
    Smooth,
    ThresholdActivation,
    ThresholdPermute,
)
from torchbend.bending.parameter import BendingParameter, BendingParamType
from torchbend.bending.recipe import BendingConfig
from torchbend.bending.site_state import SiteState
from torchbend.display import (
    compare_outs,
    compare_state_dict_tensors,
    debug,
    get_output,
    log_error,
    log_warning,
    set_output,
)
from torchbend.errors import TorchbendError
from torchbend.module import BendedModule

__version__ = "0.1.0"

__all__ = [
    "Affine",
    "BendedModule",
    "BendingCallback",
    "BendingConfig",
    "BendingParamType",
    "BendingParameter",
    "Bias",
    "Blend",
    "CallbackChain",
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
    "SiteState",
    "Smooth",
    "ThresholdActivation",
    "ThresholdPermute",
    "TorchbendError",
    "compare_outs",
    "compare_state_dict_tensors",
    "debug",
    "errors",
    "get_output",
    "log_error",
    "log_warning",
    "set_output",
]
