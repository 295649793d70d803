"""MobileFaceNet's layout, its weights, and what it knows of real faces."""

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
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}, and takes 112x112 alone"):
        MobileFaceNet()(torch.zeros(1, 3, *size))


@pytest.mark.real
def test_real_weights_fill_it_strictly(shared_data):
    state = read_weights(shared_data.parent / "weights" / "mobilefacenet_ms1m_arcface.safetensors")
    MobileFaceNet().load_state_dict(state, strict=True)
