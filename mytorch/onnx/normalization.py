"""Normalization layers."""

import numpy as np

from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.onnx.node import Node, Unsupported, layer_class, operator, set_weights


@operator("BatchNormalization")
def batch_norm(node: Node) -> Value:
    """BatchNormalization with running statistics. ONNX's momentum is that of the old average, PyTorch's of the new."""
    if node.attribute("training_mode", 0):
        raise Unsupported("it computes the statistics of the batch (training_mode=1), expected those of training")
    if any(node.uses_output(index) for index in range(1, 5)):
        raise Unsupported("its statistics are used as outputs, expected its first output alone")
    weight, bias = node.floats(1, "scale"), node.floats(2, "bias")
    names = {"weight": weight, "bias": bias, "running_mean": node.floats(3, "mean")}
    names["running_var"] = node.floats(4, "variance")
    rank = _rank_of_features(node)
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}.get(rank)
    if kind is None:
        raise Unsupported(f"its input has {rank} axes, expected 2 to 5")
    layer = kind(
        len(weight), node.attribute("epsilon", 1e-5), 1 - node.attribute("momentum", 0.9), dtype=node.target.dtype
    )
    return node.add(set_weights(layer, names), node.value())


def _rank_of_features(node: Node) -> int:
    """Return the number of axes of the input, 4 if it is not known."""
    shape = node.shape()
    return 4 if shape is None else len(shape)


@operator("InstanceNormalization")
def instance_norm(node: Node) -> Value:
    """InstanceNormalization: each channel of each image has mean 0 and variance 1."""
    weight, bias = node.floats(1, "scale"), node.floats(2, "bias")
    kind = layer_class("InstanceNorm", node.rank() - 2)
    layer = kind(len(weight), node.attribute("epsilon", 1e-5), affine=True, dtype=node.target.dtype)
    return node.add(set_weights(layer, {"weight": weight, "bias": bias}), node.value())


@operator("GroupNormalization")
def group_norm(node: Node) -> Value:
    """GroupNormalization: since opset 21 one scale per channel, before one per group."""
    groups, (channels,) = node.attribute("num_groups"), node.size([1])
    weight, bias = (np.repeat(one, channels // len(one)) for one in (node.floats(1, "scale"), node.floats(2, "bias")))
    layer = nn.GroupNorm(groups, channels, node.attribute("epsilon", 1e-5), dtype=node.target.dtype)
    return node.add(set_weights(layer, {"weight": weight, "bias": bias}), node.value())


@operator("LayerNormalization")
def layer_norm(node: Node) -> Value:
    """LayerNormalization over the axes from `axis` to the last."""
    if node.uses_output(1) or node.uses_output(2):
        raise Unsupported("its mean or its deviation is used as an output, expected its first output alone")
    rank, axis = node.rank(), node.attribute("axis", -1)
    shape = node.size(range(axis % rank, rank))
    weight = np.broadcast_to(node.floats(1, "scale"), shape).copy()
    bias = np.broadcast_to(node.floats(2, "bias"), shape).copy() if node.has(2) else None
    layer = nn.LayerNorm(shape, node.attribute("epsilon", 1e-5), bias=bias is not None, dtype=node.target.dtype)
    return node.add(set_weights(layer, {"weight": weight, "bias": bias}), node.value())


@operator("RMSNormalization")
def rms_norm(node: Node) -> Value:
    """RMSNormalization over the axes from `axis` to the last."""
    rank, axis = node.rank(), node.attribute("axis", -1)
    shape = node.size(range(axis % rank, rank))
    weight = np.broadcast_to(node.floats(1, "scale"), shape).copy()
    layer = nn.RMSNorm(shape, node.attribute("epsilon", 1e-5), dtype=node.target.dtype)
    return node.add(set_weights(layer, {"weight": weight}), node.value())


@operator("LRN")
def local_response_norm(node: Node) -> Value:
    """LRN: divides by a power of the mean square of neighboring channels."""
    size = node.attribute("size")
    if size % 2 == 0:
        raise Unsupported(f"size={size}, expected an odd number: the even ones begin at another channel in PyTorch")
    settings = node.attribute("alpha", 1e-4), node.attribute("beta", 0.75), node.attribute("bias", 1.0)
    return node.add(nn.LocalResponseNorm(size, *settings), node.value())
