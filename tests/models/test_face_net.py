"""What a face network promises whatever it is made of."""

import pytest
import torch
from safetensors.torch import save_file

from models.backbones import build_backbone, find_backbone
from models.face_net import FaceNet, embedding_neck
from models.heads import HEADS, build_head


@pytest.mark.parametrize("kind", HEADS)
def test_embeddings_have_length_one_and_logits_are_the_heads(kind):
    torch.manual_seed(0)
    net = FaceNet(
        build_backbone("mobilenetv3_small_050"), build_head(kind, 24, 5), embedding_neck(1024, 24, 0.2)
    ).eval()
    x, labels = torch.randn(5, 3, 32, 32), torch.arange(5)
    if kind == "prototypes":
        net.head.fit(net.embed(x).detach(), labels)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = net.embed(x)
    assert (found.shape, found.dtype) == ((5, 24), torch.float32)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(5))
    assert torch.equal(net(x), net.head(net.features(x)))
    assert net(x, labels).shape == (5, 5)
    assert torch.equal(net(x, labels), net(x))  # the margin is for training alone


def test_whole_face_network_serves_as_weights_of_its_backbone(tmp_path):
    net = FaceNet(build_backbone("resnet18"), build_head("arcface", 32, 9), embedding_neck(512, 32))
    save_file(net.state_dict(), tmp_path / "best.safetensors")
    said = []
    backbone = build_backbone("resnet18", tmp_path / "best.safetensors", said.append)
    assert "only its backbone is used" in said[0]
    assert all(torch.equal(value, net.backbone.state_dict()[key]) for key, value in backbone.state_dict().items())


def test_state_dict_travels_between_networks_built_alike():
    def net() -> FaceNet:
        return FaceNet(
            build_backbone("mobilefacenet"), build_head("subcenter_arcface", find_backbone("mobilefacenet").features, 4)
        ).eval()

    first, second = net(), net()
    second.load_state_dict(first.state_dict())
    x = torch.randn(2, 3, 112, 112)
    with torch.no_grad():
        assert torch.equal(first(x), second(x))


@pytest.mark.parametrize("settings", [(0, 0.0), (8, 1.0), (8, -0.1)])
def test_impossible_neck_is_refused(settings):
    with pytest.raises(ValueError, match="embedding of length"):
        embedding_neck(16, *settings)
