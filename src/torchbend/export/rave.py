"""What of a RAVE model is played: reduced latents, codes or angles, several channels, AdaIN's switches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

from torch import Tensor

from torchbend.bending.engine import Engine
from torchbend.errors import ExportError
from torchbend.export.nntilde import Switch
from torchbend.export.play import Played, PlayMethod
from torchbend.rave import RAVE, Prior
from torchbend.rave.adain import AdaIN
from torchbend.rave.bottlenecks import Discrete, Spherical, Variational
from torchbend.rave.pca import dims_for_fidelity, project, unproject
from torchbend.rave.resampling import Resampling
from torchbend.rave.sphere import from_angles, to_angles

__all__ = ["RavePlan"]

_HEAT = ("(signal) Temperature",)


@dataclass(frozen=True)
class RavePlan:
    """How a RAVE model is played.

    Attributes:
        engine: of the bent model.
        model: the model.
        latents: exactly so many principal components; None for as many as ``fidelity`` asks for.
        fidelity: share of the latents' variance that the components reconstruct.
        fill: what stands for the components that are not played.
        channels: of audio; those beyond the model's are further signals side by side.
        resampling: between the host's sample rate and the model's.
        prior: makes latents up.
    """

    engine: Engine
    model: RAVE
    latents: int | None = None
    fidelity: float = 0.95
    fill: Literal["noise", "zeros"] = "noise"
    channels: int | None = None
    resampling: Resampling | None = None
    prior: Prior | None = None

    def __post_init__(self) -> None:
        own, wanted = self.model.channels, self.channels
        if wanted is not None and (wanted < own or wanted % own):
            raise ExportError(
                "the model cannot be played with so many channels",
                site="channels",
                wanted=f"a multiple of {own}",
                got=wanted,
            )
        if self.latents is not None:
            most = self._most
            if not isinstance(self.model.encoder, Variational) and self.latents != most:
                raise ExportError(
                    "only the latents of a variational model can be reduced",
                    site="latents",
                    wanted=most,
                    got=self.latents,
                )
            if not 1 <= self.latents <= most:
                raise ExportError(
                    "the model has not so many latents",
                    site="latents",
                    wanted=f"1 to {most}",
                    got=self.latents,
                )
            if self.prior is not None and self.latents != self.prior.config.latents:
                raise ExportError(
                    "as many latents are played as the prior makes",
                    site="latents",
                    wanted=self.prior.config.latents,
                    got=self.latents,
                )

    @property
    def _most(self) -> int:
        encoder, size = self.model.encoder, self.model.latent_size
        if isinstance(encoder, Discrete):
            return len(encoder.rvq.codebooks)
        return size - 1 if isinstance(encoder, Spherical) else size

    @property
    def played_latents(self) -> int:
        """Channels of ``encode``'s output for each signal."""
        if self.latents is not None:
            return self.latents
        if self.prior is not None:
            return self.prior.config.latents
        if isinstance(self.model.encoder, Variational):
            return dims_for_fidelity(self.model.fidelity, self.fidelity)
        return self._most

    @property
    def signals(self) -> int:
        """Signals side by side that make up the channels."""
        return (self.channels or self.model.channels) // self.model.channels

    def methods(self) -> dict[str, Played]:
        """``encode``, ``decode`` and ``forward`` as they are played; ``prior`` where there is one."""
        audio = self.signals * self.model.channels
        latents = self.signals * self.played_latents
        step = 1 if self.resampling is None else self.resampling.ratio
        ratio = self.model.ratio * step
        sound = tuple(f"(signal) Channel {k + 1}" for k in range(audio))
        dims = tuple(f"(signal) Latent dimension {k + 1}" for k in range(latents))
        late = self._delays()
        found = {
            "encode": Played(PlayMethod(audio, 1, latents, ratio, sound, dims), self._encode, late["encode"]),
            "decode": Played(PlayMethod(latents, ratio, audio, 1, dims, sound), self._decode, late["decode"]),
            "forward": Played(PlayMethod(audio, 1, audio, 1, sound, sound), self._forward, late["forward"]),
        }
        if self.prior is not None:
            heat = tuple(f"(signal) Temperature {k + 1}" for k in range(self.signals))
            about = PlayMethod(self.signals, ratio, latents, ratio, heat if self.signals > 1 else _HEAT, dims)
            found["prior"] = Played(about, self._prior, float(self.prior.delay * ratio), by_frame=True)
        return found

    def _delays(self) -> dict[str, float]:
        """How late each method is, in samples of the host."""
        if self.resampling is None:
            return {name: float(self.model.delay(name)) for name in ("encode", "decode", "forward")}
        step, (down, up) = self.resampling.ratio, self.resampling.delays
        encode = float(self.model.delay("encode", late=down // step)) * step
        decode = float(self.model.delay("decode")) * step + up
        return {"encode": encode, "decode": decode, "forward": encode + decode}

    def switches(self) -> dict[str, Switch]:
        """The attributes of models that learn a target sound and a source sound."""
        layers = [layer for layer in self.model.modules() if isinstance(layer, AdaIN)]
        if not layers:
            return {}
        return {
            "learn_target": partial(_learn, [layer.learn_y for layer in layers]),
            "reset_target": partial(_forget, [(x.mean_y, x.std_y, x.num_update_y) for x in layers]),
            "learn_source": partial(_learn, [layer.learn_x for layer in layers]),
            "reset_source": partial(_forget, [(x.mean_x, x.std_x, x.num_update_x) for x in layers]),
        }

    # -- the methods, from [B, channels, T] ------------------------------------------------------------------

    def _encode(self, x: Tensor) -> Tensor:
        x = self._apart(x)
        raw = self.engine.call("encode", self.model.encode, (x,), {})
        return self._together(self.engine.call("encoder.latents()", self._reduced, (raw,), {}))

    def _reduced(self, raw: Tensor) -> Tensor:
        encoder = self.model.encoder
        if isinstance(encoder, Discrete):
            return encoder.rvq.encode(raw).to(raw)
        z = encoder.latents(raw)
        if isinstance(encoder, Spherical):
            return to_angles(z)
        if isinstance(encoder, Variational):
            return project(z, self.model.latent_pca[: self.played_latents], self.model.latent_mean)
        return z

    def _decode(self, z: Tensor) -> Tensor:
        z = self._split(z)
        z = self.engine.call("encoder.whole()", self._whole, (z,), {})
        return self._joined(self.engine.call("decode", self.model.decode, (z,), {}))

    def _whole(self, z: Tensor) -> Tensor:
        encoder = self.model.encoder
        if isinstance(encoder, Discrete):
            codes = encoder.rvq.codebooks[0].embed.shape[0]
            return encoder.rvq.decode(z.clamp(0, codes - 1).long())
        if isinstance(encoder, Spherical):
            return from_angles(z)
        if isinstance(encoder, Variational):
            return unproject(z, self.model.latent_pca, self.model.latent_mean, self.fill)
        return z

    def _forward(self, x: Tensor) -> Tensor:
        x = self._apart(x)
        return self._joined(self.engine.call("forward", self.model, (x,), {}))

    def _prior(self, temperature: Tensor) -> Tensor:
        prior = cast(Prior, self.prior)
        return self._together(prior(self._split(temperature)))

    # -- channels that are signals ---------------------------------------------------------------------------

    def _split(self, x: Tensor) -> Tensor:
        """Channels of several signals as a batch."""
        if self.signals == 1:
            return x
        return x.reshape(x.shape[0] * self.signals, -1, x.shape[-1])

    def _together(self, x: Tensor) -> Tensor:
        """The batch as channels again."""
        if self.signals == 1:
            return x
        return x.reshape(x.shape[0] // self.signals, -1, x.shape[-1])

    def _apart(self, x: Tensor) -> Tensor:
        x = self._split(x)
        return x if self.resampling is None else self.resampling.down(x)

    def _joined(self, x: Tensor) -> Tensor:
        return self._together(x if self.resampling is None else self.resampling.up(x))


def _learn(flags: list[Tensor], value: Tensor) -> Tensor:
    for flag in flags:
        flag.copy_(value)
    return value


def _forget(statistics: list[tuple[Tensor, Tensor, Tensor]], value: Tensor) -> Tensor:
    for mean, deviation, count in statistics:
        AdaIN.forget(mean, deviation, count, value)
    return value
