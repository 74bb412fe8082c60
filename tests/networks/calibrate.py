"""Random weights under which a network computes something: activations near unit variance.

A freshly initialised network in inference mode gives outputs near zero or nearly the same output
for every input, and agreement on those proves nothing. Here every layer is scaled, in the order
of execution, by the statistics of what really reaches it.
"""

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# A channel that hardly varies over the calibration batch must not be blown up by its scale.
LEAST_VARIANCE = 0.05
# About the distance between the last positions of the networks: blobs that neither vanish in the
# average over the picture nor look alike at every position.
CELL = 32


def images(count, height, width, generator):
    """Colour blobs of some CELL pixels and some noise [count,3,height,width], unit variance."""

    def normal(*size):
        return torch.randn(count, 3, *size, generator=generator, dtype=torch.float64)

    smooth = nn.functional.interpolate(
        normal(height // CELL, width // CELL), (height, width), mode="bilinear", align_corners=False
    )
    mixed = smooth + 0.7 * normal(1, 1) + 0.3 * normal(height, width)
    return (mixed - mixed.mean()) / mixed.std()


def channel_statistics(x, channels=1):
    """Mean and variance of `x` per channel (the axis `channels`), the variance kept off zero."""
    axes = [axis for axis in range(x.dim()) if axis != channels % x.dim()]
    variance = x.var(axes, unbiased=False)
    return x.mean(axes), variance.clamp(min=LEAST_VARIANCE * variance.mean().item())


def calibrate(net, batch, generator):
    """Sets weights and statistics of `net` (f64, inference mode) in one pass over `batch`."""

    def random_like(x):
        return torch.randn(x.shape, generator=generator, dtype=x.dtype)

    def scale_layer(layer, inputs, output):
        if layer.bias is None:
            scale = 1 / output.std()
            layer.weight *= scale
            return output * scale
        mean, variance = channel_statistics(output, -1 if isinstance(layer, nn.Linear) else 1)
        scale = variance.rsqrt()
        layer.weight *= scale.reshape([-1] + [1] * (layer.weight.dim() - 1))
        layer.bias.copy_((layer.bias - mean) * scale + 0.3 * random_like(mean))
        return layer.forward(*inputs)

    def set_statistics(norm, inputs):
        mean, variance = channel_statistics(inputs[0])
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(1 + 0.2 * random_like(mean))
        norm.bias.copy_(0.3 * random_like(mean))

    hooks = []
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_hook(scale_layer))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(set_statistics))
    with torch.no_grad():
        net(batch)
    for hook in hooks:
        hook.remove()


def fold_batch_norms(net):
    """Folds every batch normalisation that directly follows a convolution into it."""
    for module in net.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for index in range(len(module) - 1):
            if isinstance(module[index], nn.Conv2d) and isinstance(
                module[index + 1], nn.BatchNorm2d
            ):
                module[index] = fuse_conv_bn_eval(module[index], module[index + 1])
                module[index + 1] = nn.Identity()


@torch.no_grad()
def check(net, batch):
    """Asserts that every layer of `net` is near unit variance and that outputs tell inputs apart.

    `batch` must not be the one that calibrated. Returns the figures that were checked.
    """
    spreads = []
    hooks = [
        module.register_forward_hook(lambda _, inputs, output: spreads.append(output.std().item()))
        for module in net.modules()
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.BatchNorm2d))
    ]
    output = net(batch)
    classifies = output.dim() == 2
    output = output.flatten(1)
    for hook in hooks:
        hook.remove()
    likeness = torch.corrcoef(output).fill_diagonal_(0).abs().max().item()
    best = output.topk(2, 1).values
    margin = ((best[:, 0] - best[:, 1]) / output.std()).min().item()
    figures = {
        "least_layer_std": round(min(spreads), 3),
        "most_layer_std": round(max(spreads), 3),
        "output_std": round(output.std().item(), 3),
        "most_correlation": round(likeness, 3),
        "least_margin": round(margin, 5),
    }
    assert 0.3 < min(spreads) and max(spreads) < 3, figures
    assert 0.1 < output.std().item() < 5, figures
    assert likeness < 0.9, figures
    # Largest among states of many places nearly alike, it says nothing.
    assert margin > 1e-4 or not classifies, figures
    return figures
