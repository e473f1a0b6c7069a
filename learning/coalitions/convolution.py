"""Convolutions with weights of other models than the layer's own."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def convolved(layer: nn.Conv2d, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What a layer that pads with zeros makes of `inputs`, (samples, channels, height, width), with these weights.

    Without `torch.func.functional_call`, which takes as long to prepare as a small convolution to compute.
    """
    return functional.conv2d(inputs, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)


def convolved_exactly(layer: nn.Conv2d, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same in float64, in half of torch's time: a matrix product over patches, with the samples innermost in memory.

    Takes float64; sums in another order, which nothing notices where every sum is exact.
    """
    if layer.groups != 1 or isinstance(layer.padding, str):
        return convolved(layer, inputs, weight, bias)
    (up, left), (down, right), (rows, columns) = layer.padding, layer.dilation, layer.kernel_size
    padded = functional.pad(inputs.permute(1, 2, 3, 0), (0, 0, left, left, up, up)).contiguous()
    channels, height, width, samples = padded.shape
    out = (
        (height - down * (rows - 1) - 1) // layer.stride[0] + 1,
        (width - right * (columns - 1) - 1) // layer.stride[1] + 1,
    )
    channel, row, column, one = padded.stride()
    steps = (channel, down * row, right * column, layer.stride[0] * row, layer.stride[1] * column, one)
    patches = padded.as_strided((channels, rows, columns, *out, samples), steps)
    gathered = patches.reshape(channels * rows * columns, -1)
    found = weight.flatten(1) @ gathered if bias is None else torch.addmm(bias[:, None], weight.flatten(1), gathered)
    return found.view(-1, *out, samples).permute(3, 0, 1, 2)
