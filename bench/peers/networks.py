"""The networks that are measured: one row each. usage: networks.py [NAME...] [--core] prints the names of those chosen.

The name `more` stands for all networks that are measured only when they are asked for.
"""

import dataclasses
import sys
import typing

import torch
import torchvision
from torch import nn

import models
import more_models as more

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
    extra: bool = False  # weights as torch makes them, random inputs; measured only when asked for


def _vision(name, **options):
    return lambda: getattr(torchvision.models, name)(weights=None, **options)


def _segmentation(name):
    return lambda: more.Output(getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None))


def _extra(name, make, shape, vocabulary=0):
    return Network(name, make, shape, vocabulary=vocabulary, extra=True)


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
    _extra("alexnet", _vision("alexnet"), PICTURE),
    _extra("vgg16_bn", _vision("vgg16_bn"), PICTURE),
    _extra("googlenet", _vision("googlenet", aux_logits=False, init_weights=False), PICTURE),
    _extra("inception_v3", _vision("inception_v3", aux_logits=False, init_weights=False), (1, 3, 299, 299)),
    _extra("mnasnet1_0", _vision("mnasnet1_0"), PICTURE),
    _extra("mobilenet_v3_small", _vision("mobilenet_v3_small"), PICTURE),
    _extra("resnext50", _vision("resnext50_32x4d"), PICTURE),
    _extra("regnet_x_800mf", _vision("regnet_x_800mf"), PICTURE),
    _extra("efficientnet_v2_s", _vision("efficientnet_v2_s"), PICTURE),
    _extra("deeplab_v3", _segmentation("deeplabv3_mobilenet_v3_large"), PICTURE),
    _extra("lraspp", _segmentation("lraspp_mobilenet_v3_large"), PICTURE),
    _extra("video_resnet18", lambda: torchvision.models.video.r3d_18(weights=None), (1, 3, 8, 112, 112)),
    _extra("gpt", more.Gpt, (1, 64), vocabulary=8000),
    _extra("llama", more.Llama, (1, 64), vocabulary=4000),
    _extra("llama_token", lambda: more.Llama(length=1), (1, 1), vocabulary=4000),
    _extra("wavenet", more.WaveNet, (1, 1, 4000)),
    _extra("gru", lambda: more.Recurrent(nn.GRU, 80, 256, 64, bidirectional=True), (1, 100, 80)),
    _extra("lstm", lambda: more.Recurrent(nn.LSTM, 128, 512, 1000), (1, 50, 128)),
    _extra("lstm_of_8", lambda: more.Recurrent(nn.LSTM, 64, 256, 1000, layers=1), (8, 50, 64)),
    _extra("text_reader", more.TextReader, (1, 1, 32, 160)),
    _extra("generator", more.generator, (1, 100, 1, 1)),
    _extra("enlarger", more.enlarger, (1, 1, 160, 160)),
    _extra("deep_enlarger", more.deep_enlarger, (1, 3, 96, 96)),
    _extra("painter", more.painter, (1, 3, 160, 160)),
    _extra("depth_map", lambda: more.DepthMap(_vision("mobilenet_v2")().features), (1, 3, 256, 256)),
    _extra("conv_mixer", more.conv_mixer, PICTURE),
    _extra("point_net", more.PointNet, (1, 3, 1024)),
    _extra("keyword_spotter", more.keyword_spotter, (1, 1, 98, 40)),
    _extra("perceptron", lambda: more.perceptron(256, 1024, 1024, 256), (1, 256)),
    _extra("perceptron_of_32", lambda: more.perceptron(256, 1024, 1024, 256), (32, 256)),
)


def choose(names, core):
    """Those of the names, those of the short version, or all that are not extra."""
    if "more" in names:
        names = [*names, *(network.name for network in NETWORKS if network.extra)]
        names.remove("more")
    known = {network.name for network in NETWORKS}
    if unknown := sorted(set(names) - known):
        raise SystemExit(f"unknown network {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return [n for n in NETWORKS if (n.name in names if names else not n.extra and (n.core or not core))]


if __name__ == "__main__":
    print(*(n.name for n in choose([a for a in sys.argv[1:] if a != "--core"], "--core" in sys.argv)), sep="\n")
