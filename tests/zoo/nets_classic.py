"""Small networks in plain PyTorch of the kinds that textbooks draw."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MLP(nn.Module):
    """Three linear layers. Shape: x [..., 16] -> [..., 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.ModuleList([nn.Linear(16, 32), nn.Linear(32, 32)])
        self.head = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.head(x)


class ConvAutoencoder(nn.Module):
    """Strided convolutions down, transposed ones up.

    Shape: x [B, 1, H, W] -> same, H and W multiples of 4.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)
        )

    def encode(self, x: Tensor) -> Tensor:
        return torch.tanh(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class Recurrent(nn.Module):
    """A recurrent layer and a head; the state is returned too. Shape: x [B, T, 8] -> [B, T, 4], state."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.recurrent = kind(8, 16, num_layers=2, batch_first=True, bidirectional=kind is nn.GRU)
        self.head = nn.Linear(32 if kind is nn.GRU else 16, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
        y, state = self.recurrent(x)
        return self.head(y), state


class CellLoop(nn.Module):
    """An LSTM cell called once per step, its outputs gathered in a list. Shape: x [B, T, 8] -> [B, T, 16]."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(8, 16)

    def forward(self, x: Tensor) -> Tensor:
        hidden = x.new_zeros(x.size(0), 16)
        memory = torch.zeros_like(hidden)
        steps = []
        for step in x.unbind(1):
            hidden, memory = self.cell(step, (hidden, memory))
            steps.append(hidden)
        return torch.stack(steps, dim=1)


class TokenEncoder(nn.Module):
    """Embedding, positions, nn.TransformerEncoder. Shape: ids [B, T] -> [B, T, 16]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(64, 16)
        self.position = nn.Parameter(torch.randn(1, 32, 16) * 0.1)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids) + self.position[:, : ids.shape[1]]
        return self.encoder(x)


class Translator(nn.Module):
    """nn.Transformer with a causal mask. Shape: source [B, S, 16], target [B, T, 16] -> [B, T, 16]."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.transformer(source, target, tgt_mask=mask, tgt_is_causal=True)


class TiedLanguageModel(nn.Module):
    """A GRU language model whose head is its embedding. Shape: ids [B, T] -> [B, T, 64]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(64, 16)
        self.body = nn.GRU(16, 16, batch_first=True)
        self.head = nn.Linear(16, 64, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.body(self.embedding(ids))[0])


class GraphNet(nn.Module):
    """Message passing with index_add and scatter_reduce. Shape: nodes [N, 8], edges [2, E] -> [N, 8]."""

    def __init__(self) -> None:
        super().__init__()
        self.message = nn.Linear(16, 8)
        self.update = nn.GRUCell(16, 8)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        source, target = edges
        for _ in range(2):
            messages = torch.relu(self.message(torch.cat([nodes[source], nodes[target]], dim=-1)))
            total = torch.zeros(nodes.shape[0], 8).index_add(0, target, messages)
            index = target[:, None].expand_as(messages)
            highest = torch.zeros_like(nodes).scatter_reduce(0, index, messages, "amax", include_self=False)
            nodes = self.update(torch.cat([total, highest], dim=-1), nodes)
        return nodes


class Experts(nn.Module):
    """A mixture of experts: each row goes to the two experts that score highest.

    Shape: x [N, 16] -> [N, 16].
    """

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(16, 4, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(16, 32), nn.SiLU(), nn.Linear(32, 16)) for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        share, chosen = self.router(x).softmax(-1).topk(2, dim=-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            row, rank = torch.where(chosen == number)
            if row.numel() == 0:
                continue
            out[row] += expert(x[row]) * share[row, rank].unsqueeze(-1)
        return out


class FourierOperator(nn.Module):
    """A Fourier neural operator: complex weights on the lowest modes.

    Shape: x [B, 1, T] -> [B, 1, T], T >= 16.
    """

    def __init__(self, channels: int = 8, modes: int = 8) -> None:
        super().__init__()
        self.lift = nn.Conv1d(1, channels, 1)
        self.spectral = nn.Parameter(torch.randn(channels, channels, modes, dtype=torch.cfloat) / channels)
        self.skip = nn.Conv1d(channels, channels, 1)
        self.project = nn.Conv1d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lift(x)
        spectrum = torch.fft.rfft(x)
        modes = self.spectral.shape[-1]
        mixed = torch.zeros_like(spectrum)
        mixed[..., :modes] = torch.einsum("bim,iom->bom", spectrum[..., :modes], self.spectral)
        return self.project(F.gelu(torch.fft.irfft(mixed, n=x.shape[-1]) + self.skip(x)))


class EinopsViT(nn.Module):
    """A one-block vision transformer written with einops.

    Shape: image [B, 3, H, W] -> [B, 10], multiples of 8.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3 * 8 * 8, 16)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48, bias=False)
        self.out = nn.Linear(16, 16)
        self.head = nn.Linear(16, 10)

    def forward(self, image: Tensor) -> Tensor:
        from einops import rearrange, reduce, repeat

        patches = rearrange(image, "b c (h p) (w q) -> b (h w) (p q c)", p=8, q=8)
        x = torch.cat([repeat(self.token, "1 1 d -> b 1 d", b=image.shape[0]), self.embed(patches)], dim=1)
        q, k, v = rearrange(self.qkv(self.norm(x)), "b n (three h d) -> three b h n d", three=3, h=2)
        weights = (torch.einsum("b h i d, b h j d -> b h i j", q, k) * q.shape[-1] ** -0.5).softmax(-1)
        x = x + self.out(rearrange(weights @ v, "b h n d -> b n (h d)"))
        return self.head(reduce(x, "b n d -> b d", "mean"))


def batch_norm_in_training() -> nn.Module:
    """Convolutions and batch norms in train mode: a call moves the running statistics."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(2, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU(), nn.Conv1d(8, 2, 1), nn.BatchNorm1d(2)
    )
    return net.train()


def sequential() -> nn.Sequential:
    """A plain nn.Sequential, whose forward takes an argument called `input`."""
    return nn.Sequential(
        nn.Conv1d(1, 8, 5, padding=2), nn.Tanh(), nn.GroupNorm(2, 8), nn.Conv1d(8, 1, 5, padding=2)
    )
