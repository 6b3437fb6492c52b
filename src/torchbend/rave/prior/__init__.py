"""An autoregressive prior: it continues the latents of a variational model, or makes them up."""

from torchbend.rave.prior.config import PriorConfig
from torchbend.rave.prior.load import load_prior
from torchbend.rave.prior.prior import Prior, latents_for_fidelity
from torchbend.rave.prior.save import save_prior

__all__ = ["Prior", "PriorConfig", "latents_for_fidelity", "load_prior", "save_prior"]
