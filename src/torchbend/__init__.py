"""Point at any place in any PyTorch model, see what is there, change it, and hear it.

The names of this module are imported at first use: ``torchbend --help`` does not wait for torch.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from torchbend.version import __version__ as __version__

if TYPE_CHECKING:
    from torchbend import errors as errors
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
        Shift,
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
    from torchbend.hacks import import_hacks_from_file
    from torchbend.interfaces import BendedRAVE, BendingInterface, Interface
    from torchbend.module import BendedModule, BendedWrapper


__all__ = [
    "Affine",
    "BendedModule",
    "BendedRAVE",
    "BendedWrapper",
    "BendingCallback",
    "BendingConfig",
    "BendingInterface",
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
    "Interface",
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
    "import_hacks_from_file",
    "log_error",
    "log_warning",
    "set_output",
]

# Where each name lives; the imports above say the same to type checkers.
_HOMES = {
    "torchbend.bending.callback": "BendingCallback CallbackChain",
    "torchbend.bending.callbacks": (
        "Affine Bias Blend Capture Clamp Cluster Fold Freeze Gate InterpolateActivation "
        "InterpolationFromCapture Lambda Mask Normal OrderedMask Permute Quantize Replace "
        "Reverse Rewire Roll Scale Shift Smooth ThresholdActivation ThresholdPermute"
    ),
    "torchbend.bending.parameter": "BendingParameter BendingParamType",
    "torchbend.bending.recipe": "BendingConfig",
    "torchbend.bending.site_state": "SiteState",
    "torchbend.display": (
        "compare_outs compare_state_dict_tensors debug get_output log_error log_warning set_output"
    ),
    "torchbend.errors": "TorchbendError",
    "torchbend.hacks": "import_hacks_from_file",
    "torchbend.interfaces": "BendedRAVE BendingInterface Interface",
    "torchbend.module": "BendedModule BendedWrapper",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """A public name, or a part of the package, imported when it is first asked for."""
    if name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    elif not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
