"""Small generative networks in plain PyTorch: adversarial, variational, flows, equations, energies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.utils.parametrizations import orthogonal, spectral_norm


def dcgan_generator() -> nn.Module:
    """Transposed convolutions from a latent to an image. Shape: input [B, 16, 1, 1] -> [B, 3, 16, 16]."""
    return nn.Sequential(
        nn.ConvTranspose2d(16, 16, 4, 1, 0, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(True),
        nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(True),
        nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


class Discriminator(nn.Module):
    """Spectrally normalised convolutions, feature maps returned.

    Shape: x [B, 3, H, W] -> score [B], features.
    """

    def __init__(self) -> None:
        super().__init__()
        sizes = [3, 8, 16]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in zip(sizes[:-1], sizes[1:], strict=True)
        )
        self.head = orthogonal(nn.Linear(16, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.head(x.mean(dim=(2, 3))).squeeze(-1), features


class OldSpectralNorm(nn.Module):
    """The hook-based spectral norm of older code. Shape: x [B, 8] -> [B, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.utils.spectral_norm(nn.Linear(8, 16))
        self.second = nn.utils.spectral_norm(nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.leaky_relu(self.first(x), 0.2))


class ModulatedConv(nn.Module):
    """A convolution whose kernel is scaled by a style for each sample (StyleGAN 2, equations 1 and 3)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, 3, 3))
        self.style = nn.Linear(16, inputs)
        self.strength = nn.Parameter(torch.full((1,), 0.1))
        self.register_buffer("grain", torch.randn(1, 1, 64, 64))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        kernel = self.weight * (1 + self.style(w)).reshape(batch, 1, channels, 1, 1)
        kernel = kernel * torch.rsqrt(kernel.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
        x = F.conv2d(
            x.reshape(1, batch * channels, height, width), kernel.flatten(0, 1), padding=1, groups=batch
        )
        x = x.reshape(batch, -1, height, width) + self.strength * self.grain[..., :height, :width]
        return F.leaky_relu(x, 0.2) * 2**0.5


class StyleGenerator(nn.Module):
    """Mapping, a learnt constant, modulated convolutions. Shape: z [B, 16] -> [B, 3, 16, 16]."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Sequential(nn.Linear(16, 16), nn.LeakyReLU(0.2), nn.Linear(16, 16))
        self.constant = nn.Parameter(torch.randn(1, 8, 4, 4))
        self.blocks = nn.ModuleList([ModulatedConv(8, 8), ModulatedConv(8, 8), ModulatedConv(8, 8)])
        self.to_rgb = nn.Conv2d(8, 3, 1)
        self.register_buffer("average", torch.zeros(16))

    def forward(self, z: Tensor, truncation: float = 0.7) -> Tensor:
        w = torch.lerp(self.average, self.mapping(F.normalize(z, dim=-1)), truncation)
        x = self.constant.repeat(z.shape[0], 1, 1, 1)
        rgb: Tensor | None = None
        for number, block in enumerate(self.blocks):
            if number > 0:
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(x, w)
            old = 0 if rgb is None else F.interpolate(rgb, scale_factor=2)
            rgb = self.to_rgb(x) + old
        if rgb is None:
            raise RuntimeError("a generator needs a block")
        return rgb


class CouplingFlow(nn.Module):
    """Affine couplings (RealNVP) that return the latent and the log-determinant.

    Shape: x [B, 8] -> [B, 8], [B].
    """

    def __init__(self) -> None:
        super().__init__()
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 8)) for _ in range(3)
        )
        self.register_buffer("order", torch.randperm(8))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        log_det = torch.zeros(x.shape[0])
        for net in self.nets:
            kept, moved = x[:, self.order].chunk(2, dim=-1)
            log_scale, shift = net(kept).chunk(2, dim=-1)
            log_scale = torch.tanh(log_scale)
            x = torch.cat([kept, moved * log_scale.exp() + shift], dim=-1)
            log_det = log_det + log_scale.sum(-1)
        return {"latent": x, "log_det": log_det}

    def inverse(self, z: Tensor) -> Tensor:
        for net in reversed(self.nets):
            kept, moved = z.chunk(2, dim=-1)
            log_scale, shift = net(kept).chunk(2, dim=-1)
            z = torch.cat([kept, (moved - shift) * (-torch.tanh(log_scale)).exp()], dim=-1)
            z = z[:, self.order.argsort()]
        return z


class VAE(nn.Module):
    """A variational autoencoder that returns distributions.

    Shape: x [B, 16] -> Normal [B, 4], Normal [B, 16].
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(16, 8)
        self.decoder = nn.Linear(4, 16)

    def encode(self, x: Tensor) -> Normal:
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)
        return Normal(mean, (log_variance / 2).exp())

    def forward(self, x: Tensor) -> tuple[Normal, Normal]:
        posterior = self.encode(x)
        return posterior, Normal(self.decoder(posterior.rsample()), 1.0)


class NeuralODE(nn.Module):
    """Euler steps of a learnt velocity. Shape: x [B, 8] -> trajectory [steps + 1, B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.velocity = nn.Sequential(nn.Linear(9, 32), nn.Tanh(), nn.Linear(32, 8))

    def forward(self, x: Tensor, steps: int = 8) -> Tensor:
        path = [x]
        for t in torch.linspace(0, 1, steps + 1)[:-1]:
            x = x + self.velocity(torch.cat([x, t.expand(x.shape[0], 1)], dim=-1)) / steps
            path.append(x)
        return torch.stack(path)


class EnergyScore(nn.Module):
    """The gradient of an energy, taken inside forward. Shape: x [B, 8] -> [B, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(8, 16), nn.Softplus(), nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            place = x.detach().requires_grad_()
            (score,) = torch.autograd.grad(self.energy(place).sum(), place)
        return -score


class VectorQuantizer(nn.Module):
    """Residual vector quantisation: the nearest code, then of what is left.

    Shape: x [B, 8, T] -> [B, 8, T], codes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.books = nn.ParameterList(nn.Parameter(torch.randn(16, 8)) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rest = x.transpose(1, 2)
        total = torch.zeros_like(rest)
        codes = []
        for book in self.books:
            code = torch.cdist(rest, book.expand(rest.shape[0], -1, -1)).argmin(-1)
            chosen = F.embedding(code, book)
            rest, total = rest - chosen, total + chosen
            codes.append(code)
        return total.transpose(1, 2), torch.stack(codes, dim=1)
