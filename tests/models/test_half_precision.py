import copy

import pytest
import torch
from torch import nn

from models.backbones import build_backbone
from models.surgery import keep_depthwise_float32


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 4, 3, 2, groups=4), nn.Conv2d(4, 4, 3, 1, groups=4), nn.Conv2d(4, 6, 3, 2))


def test_strided_depthwise_convolutions_alone_stay_in_float32():
    kinds = []
    net = network()
    keep_depthwise_float32(net)
    for layer in net:
        layer.register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        net(torch.randn(2, 4, 24, 24)).sum().backward()
    assert kinds == [torch.float32, torch.bfloat16, torch.bfloat16]
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_outside_of_autocast_nothing_changes_nor_do_names_or_copies():
    net, plain = network(), network()
    keep_depthwise_float32(net)
    x = torch.randn(2, 4, 24, 24)
    assert torch.equal(copy.deepcopy(net)(x), plain(x))
    assert list(net.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v2_tf"])
def test_both_mobilenets_compute_theirs_in_float32(name):
    net = build_backbone(name, "none")
    keep_depthwise_float32(net)
    kinds = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1 and max(module.stride) > 1:
            module.register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        net(torch.randn(1, 3, 64, 64))
    assert kinds == [torch.float32] * 4
