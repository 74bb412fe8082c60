"""Networks that torchvision does not have, as plain modules: a U-Net, a YOLO-style detector, BERT-base, an LSTM tagger."""

import torch
from torch import nn


def conv_block(inputs, outputs, kernel=3, stride=1, activation=nn.ReLU):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), activation()
    )


class UNet(nn.Module):
    """Four levels down and up with skip connections (Ronneberger et al., 2015), padded, with batch normalisation."""

    def __init__(self, channels=(32, 64, 128, 256), classes=4):
        super().__init__()
        sides = (3, *channels[:-1])
        self.down = nn.ModuleList(self.twice(i, o) for i, o in zip(sides, channels))
        self.middle = self.twice(channels[-1], 2 * channels[-1])
        self.widen = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, 2) for c in reversed(channels))
        self.up = nn.ModuleList(self.twice(2 * c, c) for c in reversed(channels))
        self.head = nn.Conv2d(channels[0], classes, 1)

    @staticmethod
    def twice(inputs, outputs):
        return nn.Sequential(conv_block(inputs, outputs), conv_block(outputs, outputs))

    def forward(self, x):
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.middle(x)
        for widen, block, skip in zip(self.widen, self.up, reversed(skips)):
            x = block(torch.cat((widen(x), skip), 1))
        return self.head(x)


class Bottleneck(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            conv_block(channels, channels, activation=nn.SiLU), conv_block(channels, channels, activation=nn.SiLU)
        )

    def forward(self, x):
        return x + self.body(x)


class CrossStage(nn.Module):
    """Splits the channels, sends one half through bottlenecks, keeps every step, joins all (as C2f of YOLOv8)."""

    def __init__(self, inputs, outputs, depth):
        super().__init__()
        self.first = conv_block(inputs, outputs, 1, activation=nn.SiLU)
        self.steps = nn.ModuleList(Bottleneck(outputs // 2) for _ in range(depth))
        self.last = conv_block(outputs // 2 * (2 + depth), outputs, 1, activation=nn.SiLU)

    def forward(self, x):
        parts = list(self.first(x).chunk(2, 1))
        for step in self.steps:
            parts.append(step(parts[-1]))
        return self.last(torch.cat(parts, 1))


class Detector(nn.Module):
    """A one-stage detector in the manner of YOLOv8's smallest: a backbone, a pyramid down and up, three heads."""

    def __init__(self, classes=80, bins=16):
        super().__init__()
        self.outputs = classes + 4 * bins

        def shrink(i, o):
            return conv_block(i, o, 3, 2, nn.SiLU)

        self.stem = nn.Sequential(shrink(3, 16), shrink(16, 32), CrossStage(32, 32, 1))
        self.stage3 = nn.Sequential(shrink(32, 64), CrossStage(64, 64, 2))
        self.stage4 = nn.Sequential(shrink(64, 128), CrossStage(128, 128, 2))
        self.stage5 = nn.Sequential(shrink(128, 256), CrossStage(256, 256, 1))
        self.top4, self.top3 = CrossStage(384, 128, 1), CrossStage(192, 64, 1)
        self.shrink3, self.shrink4 = shrink(64, 64), shrink(128, 128)
        self.bottom4, self.bottom5 = CrossStage(192, 128, 1), CrossStage(384, 256, 1)
        self.heads = nn.ModuleList(
            nn.Sequential(
                conv_block(c, 64, activation=nn.SiLU),
                conv_block(64, 64, activation=nn.SiLU),
                nn.Conv2d(64, self.outputs, 1),
            )
            for c in (64, 128, 256)
        )

    def forward(self, x):
        c3 = self.stage3(self.stem(x))
        c4 = self.stage4(c3)
        c5 = self.stage5(c4)
        p4 = self.top4(torch.cat((nn.functional.interpolate(c5, scale_factor=2.0), c4), 1))
        p3 = self.top3(torch.cat((nn.functional.interpolate(p4, scale_factor=2.0), c3), 1))
        p4 = self.bottom4(torch.cat((self.shrink3(p3), p4), 1))
        p5 = self.bottom5(torch.cat((self.shrink4(p4), c5), 1))
        maps = [head(p).flatten(2) for head, p in zip(self.heads, (p3, p4, p5))]
        return torch.cat(maps, 2)


class EncoderLayer(nn.Module):
    """A layer of BERT: attention and a GELU pair, each followed by a sum and a LayerNorm (Devlin et al., 2018)."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.rise, self.fall = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def split(self, x):
        batch, tokens, width = x.shape
        return x.reshape(batch, tokens, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x):
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
        mixed = (scores.softmax(3) @ value).transpose(1, 2).reshape(x.shape)
        x = self.norm1(x + self.out(mixed))
        return self.norm2(x + self.fall(nn.functional.gelu(self.rise(x))))


class Bert(nn.Module):
    """BERT-base without its pooler; token numbers [batch, tokens] -> states [batch, tokens, width]."""

    def __init__(self, vocabulary=30522, width=768, heads=12, layers=12, positions=512):
        super().__init__()
        self.words, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(*(EncoderLayer(width, heads) for _ in range(layers)))

    def forward(self, tokens):
        places = self.positions.weight[: tokens.shape[1]]
        return self.layers(self.norm(self.words(tokens) + places))


class Tagger(nn.Module):
    """Two bidirectional LSTMs over features [batch, tokens, features], and a score for each tag and token."""

    def __init__(self, features=128, hidden=256, tags=17):
        super().__init__()
        self.recurrent = nn.LSTM(features, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * hidden, tags)

    def forward(self, x):
        return self.head(self.recurrent(x)[0])
