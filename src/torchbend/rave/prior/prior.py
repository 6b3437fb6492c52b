"""A model that makes up latents, frame by frame, and the variational model that they are for."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from torchbend.errors import ControlError, RAVEConfigError, ShapeError
from torchbend.rave.config import VariationalConfig
from torchbend.rave.model import RAVE
from torchbend.rave.pca import dims_for_fidelity, project, unproject
from torchbend.rave.prior.config import PriorConfig, check_prior
from torchbend.rave.prior.continuation import Plan, plan_for
from torchbend.rave.prior.diagonal_shift import shift, unshift
from torchbend.rave.prior.sampling import Choice, uniform
from torchbend.rave.prior.stream import StreamingNetwork

__all__ = ["Prior", "latents_for_fidelity"]


def latents_for_fidelity(fidelity: Tensor, share: float = 0.95, as_original: bool = False) -> int:
    """How many latents a prior should model.

    Args:
        fidelity: of the model, shape ``[L]``.
        share: of the variance, of which they have to hold more, in [0, 1].
        as_original: what the original takes, which counts one component too few.

    Returns:
        A power of two, as the channels of the network are divided among the latents; at most L.

    Raises:
        ControlError: the share is out of its range.
        ShapeError: the curve is no list of numbers.

    >>> curve = torch.tensor([0.5, 0.8, 0.9, 0.96, 1.0])
    >>> latents_for_fidelity(curve, 0.85), latents_for_fidelity(curve, 0.85, as_original=True)
    (4, 2)
    """
    if as_original:
        return dims_for_fidelity(fidelity, share, as_original=True)
    enough = 1 << (dims_for_fidelity(fidelity, share) - 1).bit_length()
    return min(enough, 1 << (len(fidelity).bit_length() - 1))


class Prior(StreamingNetwork):
    """An autoregressive model of the principal latents of a variational RAVE.

    Latents are shifted diagonally, so that each is drawn with the earlier ones of its frame known, and
    quantised; the network tells how likely each value is at the next step. Called with temperatures, it gives
    latents, in a stream too; `generate` continues latents.

    The names of its parameters are those of the original's checkpoints; the model is under ``synth``.

    Args:
        synth: the model that the latents are for. It is set to evaluation, and its gradients are turned off.
        config: sizes of the network; by default those of the original.

    Raises:
        RAVEConfigError: the model is not variational, or the sizes cannot work together.
    """

    def __init__(self, synth: RAVE, config: PriorConfig | None = None) -> None:
        config = PriorConfig() if config is None else config
        if not isinstance(synth.config.latent, VariationalConfig):
            raise RAVEConfigError(
                "a prior needs the latents of a variational model",
                site="latent",
                wanted="VariationalConfig",
                got=type(synth.config.latent).__name__,
            )
        check_prior(config, synth.latent_size)
        super().__init__(config)
        self.synth = synth.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Prior:
        """Set the network to training or evaluation; the model that it is for stays in evaluation."""
        super().train(mode)
        self.synth.eval()
        return self

    # -- audio, latents, steps -------------------------------------------------------------------------------

    @property
    def ratio(self) -> int:
        """Audio samples for each frame."""
        return self.synth.ratio

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The latents that are modelled: a sample, along the first principal components.

        Args:
            x: audio in [-1, 1], shape ``[B, channels, T]``.

        Returns:
            Shape ``[B, latents, T / ratio]``.
        """
        model = self.synth
        return project(model.latents(x), model.latent_pca[: self.config.latents], model.latent_mean)

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Audio from latents; those that are not modelled are drawn from a normal distribution.

        Args:
            z: shape ``[B, latents, T]``.

        Returns:
            Shape ``[B, channels, T * ratio]``.
        """
        return self.synth.decode(unproject(z, self.synth.latent_pca, self.synth.latent_mean))

    def steps(self, z: Tensor) -> Tensor:
        """Latents as the network sees them: shifted diagonally and quantised.

        Args:
            z: shape ``[B, latents, T]``, T at least ``latents``.

        Returns:
            Whole numbers below the resolution, shape ``[B, latents, T - latents + 1]``.

        Raises:
            ShapeError: there are other latents, or too few frames.
        """
        self._check(z, "z", self.config.latents)
        return self.quantiser.to_index(shift(z))

    def loss(self, z: Tensor) -> Tensor:
        """Cross entropy of each next step, the mean over batch, latents and steps, in nats.

        Args:
            z: as `encode` gives it, shape ``[B, latents, T]``, T more than ``latents``.
                `PriorConfig.training_samples` of audio show all that a prediction depends on.

        Raises:
            ShapeError: there are other latents, or too few frames.
        """
        self._check(z, "z", self.config.latents + 1)
        index = self.steps(z)
        with self.aside():
            logits = self.logits(self.quantiser.to_one_hot(index[..., :-1]).to(self.like))
        scores = self.quantiser.apart(logits).to(self.like)  # in 16 bits, a sum of shares is too coarse
        return F.cross_entropy(scores.transpose(1, 2), index[..., 1:])

    # -- continuing ------------------------------------------------------------------------------------------

    @torch.no_grad()
    def generate(
        self,
        frames: int,
        prompt: Tensor | None = None,
        *,
        batch: int = 1,
        argmax: bool = False,
        temperature: float = 1.0,
        seed: int | None = None,
    ) -> Tensor:
        """Latents that follow others, or start from nothing.

        Args:
            frames: how many.
            prompt: what comes before, as `encode` gives it, shape ``[B, latents, n]``.
            batch: how many trajectories, where there is no prompt.
            argmax: take the likeliest value at each step: nothing is random.
            temperature: logits are divided by it: 1 is as learnt, less is surer, more is freer.
            seed: gives the same latents each time; PyTorch's own randomness when left out.

        Returns:
            The frames after the prompt, shape ``[B, latents, frames]``. Without a prompt they are those of a
            new stream, without its delay.

        Raises:
            ControlError: there would be no frames, or the temperature is below zero or no number.
            ShapeError: the prompt has other latents.
        """
        if prompt is None:
            prompt = self.like.new_zeros(_positive(batch, "batch"), self.config.latents, 0)
        self._check(prompt, "prompt", 0)
        plan = plan_for(prompt, _positive(frames, "frames"), self.quantiser)
        _, values = self._continue(plan, argmax, temperature, seed)
        return unshift(values)[..., -frames:]

    @torch.no_grad()
    def continue_steps(
        self,
        index: Tensor,
        count: int,
        *,
        argmax: bool = False,
        temperature: float = 1.0,
        seed: int | None = None,
    ) -> Tensor:
        """Steps that follow others.

        Args:
            index: as `steps` gives them, shape ``[B, latents, n]``, n at least 1.
            count: how many follow.
            argmax: take the likeliest value at each step.
            temperature: as for `generate`.
            seed: gives the same steps each time.

        Returns:
            The given steps and those that follow, shape ``[B, latents, n + count]``.

        Raises:
            ControlError: there would be no steps, or the temperature is below zero or no number.
            ShapeError: there are other latents, or no steps.
        """
        self._check(index, "index", 1)
        given = index.shape[-1]
        known = torch.arange(given + _positive(count, "count"), device=index.device) < given
        plan = Plan(F.pad(index, (0, count)), known.expand(self.config.latents, -1))
        return self._continue(plan, argmax, temperature, seed)[0]

    def _continue(
        self, plan: Plan, argmax: bool, temperature: float, seed: int | None
    ) -> tuple[Tensor, Tensor]:
        """All steps of a plan as whole numbers, and as values; both of shape ``[B, latents, S]``."""
        if not 0 <= temperature < math.inf:
            raise ControlError(
                "this is no temperature", site="temperature", wanted="a number from 0 on", got=temperature
            )
        choice = Choice(self.quantiser, uniform(seed), argmax)
        index, start = plan.index.clone(), plan.start
        values = self.quantiser.to_values(index).to(self.like)
        with self.aside(len(index)):
            for step in range(start, index.shape[-1]):
                new = index[..., step - 1 : step] if step > start else index[..., :start]
                drawn, value = choice(self.last_logits(new), temperature)
                told = plan.known[:, step]
                index[..., step] = torch.where(told, index[..., step], drawn)
                values[..., step] = torch.where(told, values[..., step], value)
        return index, values

    def _check(self, z: Tensor, site: str, frames: int) -> None:
        if z.dim() != 3 or z.shape[1] != self.config.latents or z.shape[-1] < frames:
            raise ShapeError(
                "the prior cannot take these latents",
                site=site,
                wanted=f"[batch, {self.config.latents}, time], time at least {frames}",
                got=list(z.shape),
            )


def _positive(number: int, site: str) -> int:
    if number < 1:
        raise ControlError("there is nothing to generate", site=site, wanted="1 or more", got=number)
    return number
