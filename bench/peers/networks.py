"""The networks that are measured: one row each. usage: networks.py [NAME...] [--core] prints the names of those chosen."""

import dataclasses
import sys
import typing

import torch
import torchvision

import models

# What dominates a network, and so which of the targets it counts for.
CONV3X3, SMALL, GEMM, OTHER = "3x3 convolution", "small", "GEMM", "other"


@dataclasses.dataclass(frozen=True)
class Network:
    name: str
    make: typing.Callable[[], torch.nn.Module] | None
    shape: tuple  # of one input: [batch, ...]; of token numbers where `vocabulary` is given
    kind: str = OTHER
    core: bool = False  # part of the short version
    vocabulary: int = 0


def _vision(name, **options):
    return lambda: getattr(torchvision.models, name)(weights=None, **options)


PICTURE = (1, 3, 224, 224)

# The model that is in the repository, with its trained weights.
SHIPPED = Network("fashion_mnist", None, (1, 1, 28, 28), SMALL)

NETWORKS = (
    Network("resnet18", _vision("resnet18"), PICTURE, CONV3X3, core=True),
    Network("resnet50", _vision("resnet50"), PICTURE, core=True),
    Network("mobilenet_v2", _vision("mobilenet_v2"), PICTURE, SMALL, core=True),
    Network("mobilenet_v3_large", _vision("mobilenet_v3_large"), PICTURE, SMALL),
    Network("efficientnet_b0", _vision("efficientnet_b0"), PICTURE, SMALL, core=True),
    Network("squeezenet1_1", _vision("squeezenet1_1"), PICTURE),
    Network("shufflenet_v2", _vision("shufflenet_v2_x1_0"), PICTURE, SMALL),
    Network("densenet121", _vision("densenet121"), PICTURE),
    Network("regnet_y_400mf", _vision("regnet_y_400mf"), PICTURE, SMALL),
    Network("convnext_tiny", _vision("convnext_tiny"), PICTURE, GEMM),
    Network("vit_b_16", _vision("vit_b_16"), PICTURE, GEMM),
    Network("swin_t", _vision("swin_t"), PICTURE, GEMM),
    Network("unet", models.UNet, (1, 3, 256, 256), CONV3X3),
    Network("detector", models.Detector, (1, 3, 320, 320), CONV3X3),
    Network("bert_base", models.Bert, (1, 128), GEMM, core=True, vocabulary=30522),
    Network("lstm_tagger", models.Tagger, (1, 128, 128), SMALL, core=True),
    Network("resnet50_batch8", _vision("resnet50"), (8, 3, 224, 224)),
    Network("mobilenet_v2_batch8", _vision("mobilenet_v2"), (8, 3, 224, 224), SMALL),
    Network("vit_b_16_batch8", _vision("vit_b_16"), (8, 3, 224, 224), GEMM),
    SHIPPED,
)


def choose(names, core):
    """Those of the names, those of the short version, or all."""
    known = {network.name for network in NETWORKS}
    if unknown := sorted(set(names) - known):
        raise SystemExit(f"unknown network {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return [n for n in NETWORKS if (n.name in names if names else n.core or not core)]


if __name__ == "__main__":
    print(*(n.name for n in choose([a for a in sys.argv[1:] if a != "--core"], "--core" in sys.argv)), sep="\n")
