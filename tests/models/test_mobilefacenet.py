"""MobileFaceNet's layout and its weights."""

import pytest
import torch

from models.mobilefacenet import MobileFaceNet
from models.weights import read_weights


def test_it_has_the_papers_size():
    parameters = sum(p.numel() for p in MobileFaceNet().parameters())
    assert 0.98e6 < parameters < 1.02e6  # 0.99 million in the paper's table 2
    inside = {}
    network = MobileFaceNet().eval()
    for name, module in network.named_children():
        module.register_forward_hook(lambda _, __, out, name=name: inside.update({name: tuple(out.shape[1:])}))
    with torch.no_grad():
        assert network(torch.randn(1, 3, 112, 112)).shape == (1, 128)
    assert inside["dw_conv1"] == (64, 56, 56)
    assert inside["blocks"] == (128, 7, 7)
    assert inside["linear7"] == (512, 1, 1)


@pytest.mark.parametrize("size", [(96, 96), (112, 96), (128, 128)])
def test_pictures_of_another_size_are_refused(size):
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}, expected 112x112"):
        MobileFaceNet()(torch.zeros(1, 3, *size))


@pytest.mark.real
def test_real_weights_fill_it_strictly(shared_data):
    state = read_weights(shared_data.parent / "weights" / "mobilefacenet_ms1m_arcface.safetensors")
    MobileFaceNet().load_state_dict(state, strict=True)


def test_its_layers_are_those_of_the_papers_table():
    """Parameters layer by layer: kernels without bias, two a channel for batch norm, one a channel for PReLU."""

    def convolution(inputs, outputs, kernel, groups=1, activation=True):
        return outputs * inputs // groups * kernel**2 + 2 * outputs + activation * outputs

    def bottleneck(inputs, outputs, expansion):
        wide = inputs * expansion
        return convolution(inputs, wide, 1) + convolution(wide, wide, 3, wide) + convolution(wide, outputs, 1, 1, False)

    expected = convolution(3, 64, 3) + convolution(64, 64, 3, 64)
    inputs = 64
    for expansion, channels, repeats in ((2, 64, 5), (4, 128, 1), (2, 128, 6), (4, 128, 1), (2, 128, 2)):
        for _ in range(repeats):
            expected += bottleneck(inputs, channels, expansion)
            inputs = channels
    expected += convolution(128, 512, 1) + convolution(512, 512, 7, 512, False) + convolution(512, 128, 1, 1, False)
    network = MobileFaceNet()
    assert sum(p.numel() for p in network.parameters()) == expected
    activations = {name for name, module in network.named_modules() if isinstance(module, torch.nn.PReLU)}
    assert activations == {
        "conv1.prelu", "dw_conv1.prelu", "conv2.prelu",
        *(f"blocks.{block}.conv.{place}" for block in range(15) for place in (2, 5)),
    }  # fmt: skip


def test_initial_weights_keep_the_variance_of_the_gradient():
    """Kaiming's normal draw for the backward pass: variance 2 / (outputs x kernel area)."""
    torch.manual_seed(0)
    network = MobileFaceNet()
    for weight, fan_out in ((network.conv1.conv.weight, 64 * 9), (network.blocks[6].conv[0].weight, 256)):
        assert float(weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=5 / (2 * weight.numel()) ** 0.5)
