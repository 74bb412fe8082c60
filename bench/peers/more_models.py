"""Networks of other kinds than those of models.py, as plain modules: language, speech, pictures from pictures, points."""

import math

import torch
from torch import nn
from torch.nn import functional

from models import conv_block


class Output(nn.Module):
    """The result `out` of a network that has several."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)["out"]


def heads_of(x, heads):
    """[batch, length, width] to [batch, heads, length, width / heads]."""
    batch, length, width = x.shape
    return x.view(batch, length, heads, width // heads).transpose(1, 2)


def attend(q, k, v, mask):
    """Softmax of q k^T, masked, times v, the heads side by side again."""
    weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask).softmax(-1)
    batch, heads, length, width = q.shape
    return (weights @ v).transpose(1, 2).reshape(batch, length, heads * width)


def causal_mask(length):
    return torch.full((length, length), -1e9).triu(1)


def tanh_gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


class GptBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask):
        q, k, v = (heads_of(part, self.heads) for part in self.qkv(self.first_norm(x)).chunk(3, -1))
        x = x + self.out(attend(q, k, v, mask))
        return x + self.down(tanh_gelu(self.up(self.second_norm(x))))


class Gpt(nn.Module):
    """GPT-2's blocks (Radford et al., 2019), smaller: a whole prompt at once."""

    def __init__(self, length=64, width=512, heads=8, depth=6, vocabulary=8000):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(GptBlock(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.register_buffer("mask", causal_mask(length))

    def forward(self, tokens):
        x = self.token(tokens) + self.position
        for block in self.blocks:
            x = block(x, self.mask)
        return self.head(self.norm(x))


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class LlamaBlock(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads = heads
        self.first_norm, self.second_norm = RmsNorm(width), RmsNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, cos, sin, mask):
        def rotate(part):
            low, high = part.chunk(2, -1)
            return part * cos + torch.cat((-high, low), -1) * sin

        y = self.first_norm(x)
        q, k, v = (heads_of(layer(y), self.heads) for layer in (self.q, self.k, self.v))
        x = x + self.out(attend(rotate(q), rotate(k), v, mask))
        y = self.second_norm(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    """Llama's blocks (Touvron et al., 2023), smaller: RMS norms, rotary positions, gated hidden layers."""

    def __init__(self, length=64, width=512, heads=8, depth=4, hidden=1376, vocabulary=4000):
        super().__init__()
        half = width // heads
        angles = torch.outer(torch.arange(length).float(), 1e4 ** -(torch.arange(0, half, 2) / half))
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos())
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin())
        self.register_buffer("mask", causal_mask(length))
        self.token = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(LlamaBlock(width, heads, hidden) for _ in range(depth))
        self.norm, self.head = RmsNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens):
        x = self.token(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin, self.mask)
        return self.head(self.norm(x))


class WaveNet(nn.Module):
    """Dilated convolutions of a signal with gates (van den Oord et al., 2016), not causal."""

    def __init__(self, channels=64, depth=8):
        super().__init__()

        def dilated():
            return nn.ModuleList(
                nn.Conv1d(channels, channels, 3, dilation=2**i, padding=2**i) for i in range(depth)
            )

        self.first, self.last = nn.Conv1d(1, channels, 1), nn.Conv1d(channels, 1, 1)
        self.filters, self.gates = dilated(), dilated()
        self.mixes = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(depth))

    def forward(self, x):
        x, skip = self.first(x), 0
        for filter_, gate, mix in zip(self.filters, self.gates, self.mixes):
            y = mix(torch.tanh(filter_(x)) * torch.sigmoid(gate(x)))
            x, skip = x + y, skip + y
        return self.last(functional.relu(skip))


class Recurrent(nn.Module):
    """A stack of LSTM or GRU layers and a classifier of every step."""

    def __init__(self, kind, inputs, hidden, classes, layers=2, bidirectional=False):
        super().__init__()
        self.layers = kind(inputs, hidden, layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(hidden * (2 if bidirectional else 1), classes)

    def forward(self, x):
        return self.head(self.layers(x)[0])


class TextReader(nn.Module):
    """Letters of a line of text by convolutions and LSTMs (CRNN, Shi et al., 2015)."""

    def __init__(self, letters=37):
        super().__init__()
        self.features = nn.Sequential(
            conv_block(1, 64), nn.MaxPool2d(2), conv_block(64, 128), nn.MaxPool2d(2),
            conv_block(128, 256), conv_block(256, 256), nn.MaxPool2d((2, 2), (2, 1), (0, 1)),
            conv_block(256, 512), conv_block(512, 512), nn.MaxPool2d((2, 2), (2, 1), (0, 1)),
            nn.Conv2d(512, 512, 2), nn.ReLU(),
        )  # fmt: skip
        self.recurrent = Recurrent(nn.LSTM, 512, 256, letters, bidirectional=True)

    def forward(self, x):
        return self.recurrent(self.features(x).squeeze(2).transpose(1, 2)).log_softmax(-1)


def generator():
    """A picture of 64x64 from 100 numbers (DCGAN, Radford et al., 2015)."""
    widths = (100, 512, 256, 128, 64)
    layers = []
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        step = (4, 1, 0) if i == 0 else (4, 2, 1)
        layers += [nn.ConvTranspose2d(inputs, outputs, *step, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1), nn.Tanh())


def enlarger():
    """Three times as many pixels a side (ESPCN, Shi et al., 2016)."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh(),
        nn.Conv2d(32, 9, 3, padding=1), nn.PixelShuffle(3),
    )  # fmt: skip


class Residual(nn.Module):
    def __init__(self, body, scale=1.0):
        super().__init__()
        self.body, self.scale = body, scale

    def forward(self, x):
        return x + self.scale * self.body(x)


def deep_enlarger(channels=64, depth=8):
    """Twice as many pixels a side (EDSR, Lim et al., 2017)."""

    def conv(inputs, outputs):
        return nn.Conv2d(inputs, outputs, 3, padding=1)

    def block():
        return Residual(nn.Sequential(conv(channels, channels), nn.ReLU(), conv(channels, channels)), 0.1)

    return nn.Sequential(
        conv(3, channels), Residual(nn.Sequential(*(block() for _ in range(depth)))), conv(channels, 4 * channels),
        nn.PixelShuffle(2), conv(channels, 3),
    )  # fmt: skip


def painter():
    """A picture in the style of another one (Johnson et al., 2016)."""

    def conv(inputs, outputs, kernel, stride=1):
        return [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride)]

    def normed(inputs, outputs, kernel, stride=1):
        return [*conv(inputs, outputs, kernel, stride), nn.InstanceNorm2d(outputs, affine=True), nn.ReLU()]

    def block():
        norm = nn.InstanceNorm2d(128, affine=True)
        return Residual(nn.Sequential(*normed(128, 128, 3), *conv(128, 128, 3), norm))

    return nn.Sequential(
        *normed(3, 32, 9), *normed(32, 64, 3, 2), *normed(64, 128, 3, 2), *(block() for _ in range(5)),
        nn.Upsample(scale_factor=2), *normed(128, 64, 3), nn.Upsample(scale_factor=2), *normed(64, 32, 3),
        *conv(32, 3, 9),
    )  # fmt: skip


class DepthMap(nn.Module):
    """One number a pixel: MobileNetV2's features, joined from coarse to fine by bilinear steps."""

    def __init__(self, features):
        super().__init__()
        self.levels = nn.ModuleList((features[:4], features[4:7], features[7:14], features[14:18]))
        self.narrow = nn.ModuleList(nn.Conv2d(c, 64, 1) for c in (24, 32, 96, 320))
        self.join = nn.ModuleList(nn.Conv2d(64, 64, 3, padding=1) for _ in range(3))
        self.head = nn.Conv2d(64, 1, 3, padding=1)

    def forward(self, x):
        seen = []
        for level, narrow in zip(self.levels, self.narrow):
            x = level(x)
            seen.append(narrow(x))
        y = seen.pop()
        for join in self.join:
            finer = seen.pop()
            y = functional.interpolate(y, size=finer.shape[2:], mode="bilinear", align_corners=False)
            y = functional.relu(join(y + finer))
        return self.head(functional.interpolate(y, scale_factor=4.0, mode="bilinear", align_corners=False))


def conv_mixer(width=384, depth=8, kernel=9, patch=14, classes=1000):
    """Patches without attention (ConvMixer, Trockman and Kolter, 2022)."""

    def after():
        return nn.GELU(), nn.BatchNorm2d(width)

    def block():
        wide = nn.Conv2d(width, width, kernel, groups=width, padding=kernel // 2)
        return nn.Sequential(Residual(nn.Sequential(wide, *after())), nn.Conv2d(width, width, 1), *after())

    return nn.Sequential(
        nn.Conv2d(3, width, patch, patch), *after(), *(block() for _ in range(depth)), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(width, classes),
    )  # fmt: skip


class PointNet(nn.Module):
    """What a cloud of points is (Qi et al., 2017), without its transforms."""

    def __init__(self, classes=40):
        super().__init__()
        widths = (3, 64, 64, 64, 128, 1024)
        layers = [(nn.Conv1d(i, o, 1), nn.BatchNorm1d(o), nn.ReLU()) for i, o in zip(widths, widths[1:])]
        self.features = nn.Sequential(*(layer for block in layers for layer in block))
        self.head = perceptron(1024, 512, 256, classes)

    def forward(self, x):
        return self.head(self.features(x).amax(2))


def keyword_spotter(channels=64, classes=12):
    """Spoken words in a spectrogram by depthwise separable convolutions (DS-CNN, Zhang et al., 2017)."""

    def block():
        depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        point = nn.Conv2d(channels, channels, 1)
        return (depthwise, nn.BatchNorm2d(channels), nn.ReLU(), point, nn.BatchNorm2d(channels), nn.ReLU())

    return nn.Sequential(
        nn.Conv2d(1, channels, (10, 4), 2, (5, 1)), nn.BatchNorm2d(channels), nn.ReLU(),
        *(layer for _ in range(4) for layer in block()), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(channels, classes),
    )  # fmt: skip


def perceptron(*widths):
    layers = [layer for i, o in zip(widths, widths[1:]) for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*layers[:-1])
