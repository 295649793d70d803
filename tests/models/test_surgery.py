import pytest
import torch
from torch import nn

from models.backbones import build_backbone
from models.face_net import FaceNet
from models.heads import build_head
from models.surgery import remove_last_stride


def last_map(net, x):
    """The size of the last feature map."""
    sizes = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[-2:]))
    with torch.no_grad():
        net.eval()(x)
    return tuple(sizes[-1])


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v2_tf", "resnet18", "resnet50"])
def test_the_last_map_is_twice_as_large_and_the_weights_are_the_same(name):
    x = torch.randn(1, 3, 112, 112)
    plain, dense = build_backbone(name, "none"), build_backbone(name, "none")
    remove_last_stride(dense)
    assert last_map(plain, x) == (4, 4)
    assert last_map(dense, x) == (7, 7)
    assert {k: v.shape for k, v in plain.state_dict().items()} == {k: v.shape for k, v in dense.state_dict().items()}


def test_a_head_is_left_alone():
    net = FaceNet(build_backbone("resnet18", "none"), build_head("linear", 512, 3))
    remove_last_stride(net)
    assert net(torch.randn(1, 3, 64, 64)).shape == (1, 3)


def test_a_network_without_strides_is_refused():
    with pytest.raises(ValueError, match="no convolution that halves"):
        remove_last_stride(nn.Sequential(nn.Conv2d(3, 4, 3)))
