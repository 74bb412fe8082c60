"""The shipped network and its data: what the training script and the tests both need."""

import gzip
import pathlib

import numpy
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

DATA_DIR = pathlib.Path("/usr/share/datasets/fashion-mnist")
LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
PIXEL_MEAN = 0.2860
PIXEL_STD = 0.3530


def read_split(split, data_dir=DATA_DIR):
    """Images [n,1,28,28] u8 and labels [n] i64 of the split "train" or "t10k"."""
    data_dir = pathlib.Path(data_dir)
    with gzip.open(data_dir / f"{split}-images-idx3-ubyte.gz") as stream:
        images = numpy.frombuffer(stream.read(), numpy.uint8, offset=16)
    with gzip.open(data_dir / f"{split}-labels-idx1-ubyte.gz") as stream:
        labels = numpy.frombuffer(stream.read(), numpy.uint8, offset=8)
    return images.reshape(-1, 1, 28, 28).copy(), labels.astype(numpy.int64)


class ConvBn(nn.Module):
    """Convolution, batch normalisation, activation; `fuse` folds the second into the first."""

    def __init__(self, cin, cout, kernel=1, stride=1, groups=1, activation=nn.Identity):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(cout)
        self.activation = activation()

    def forward(self, x):
        return self.activation(self.norm(self.conv(x)))

    def fuse(self):
        self.conv = fuse_conv_bn_eval(self.conv, self.norm)
        self.norm = nn.Identity()


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel by 3x3, project by 1x1, add the input."""

    def __init__(self, channels, expansion, activation):
        super().__init__()
        hidden = channels * expansion
        self.expand = ConvBn(channels, hidden, activation=activation)
        self.depthwise = ConvBn(hidden, hidden, 3, groups=hidden, activation=activation)
        self.project = ConvBn(hidden, channels)

    def forward(self, x):
        return x + self.project(self.depthwise(self.expand(x)))


class Downsample(nn.Module):
    """Halve height and width, double the channels: a strided convolution beside a pooling."""

    def __init__(self, channels):
        super().__init__()
        self.conv = ConvBn(channels, channels, 3, stride=2, activation=nn.ReLU)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return torch.cat([self.conv(x), self.pool(x)], 1)


class FashionNet(nn.Module):
    """Image [batch,1,28,28] in 0..1 to logits [batch,10]."""

    def __init__(self, width=24):
        super().__init__()
        self.stem = ConvBn(1, width, 3, stride=2, activation=nn.ReLU)
        self.fine = nn.Sequential(*(InvertedResidual(width, 2, nn.ReLU) for _ in range(2)))
        self.down = Downsample(width)
        self.coarse = nn.Sequential(*(InvertedResidual(2 * width, 3, nn.ReLU6) for _ in range(2)))
        self.head = ConvBn(2 * width, 128, activation=nn.ReLU)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(128, len(LABELS))

    def forward(self, image):
        x = (image - PIXEL_MEAN) / PIXEL_STD
        x = self.head(self.coarse(self.down(self.fine(self.stem(x)))))
        return self.classify(torch.flatten(self.pool(x), 1))


class Classifier(nn.Module):
    """What is exported: image to probabilities, every batch normalisation folded away."""

    def __init__(self, net):
        super().__init__()
        self.net = net.eval()
        for module in self.net.modules():
            if isinstance(module, ConvBn):
                module.fuse()

    def forward(self, image):
        return torch.softmax(self.net(image), 1)


def export_classifier(classifier, path, opset):
    """Writes `classifier` as an ONNX file with a symbolic batch."""
    torch.onnx.export(
        classifier,
        torch.zeros(1, 1, 28, 28),
        str(path),
        opset_version=opset,
        input_names=["image"],
        output_names=["probabilities"],
        dynamic_axes={"image": {0: "batch"}, "probabilities": {0: "batch"}},
    )
