"""DropBlock behind named parts: in training alone, without a trace in the state dict."""

import copy

import pytest
import torch
from torchvision.ops import drop_block2d

from models.backbones import build_backbone
from models.face_net import FaceNet
from models.heads import build_head
from models.stages import named_parts, set_trainable
from models.surgery import DropBlock, insert_drop_block


def face_net(name: str = "resnet18") -> FaceNet:
    torch.manual_seed(0)
    features = {"resnet18": 512, "mobilenet_v2": 1280, "vit_tiny_patch16_224": 192}[name]
    return FaceNet(build_backbone(name), build_head("linear", features, 3))


@pytest.mark.parametrize(("name", "part"), [("resnet18", "layer3"), ("mobilenet_v2", "stage6")])
def test_blocks_are_dropped_in_training_alone(name, part):
    net = face_net(name)
    keys = list(net.state_dict())
    x = torch.randn(2, 3, 224, 224)
    plain = net.eval()(x)
    insert_drop_block(net, [part], p=0.3, block_size=3)
    assert list(net.state_dict()) == keys
    assert torch.equal(net.eval()(x), plain)
    net.train()
    net.backbone.eval()
    last = [*named_parts(net)[part].children()][-1] if name == "mobilenet_v2" else named_parts(net)[part]
    seen = []
    last.drop_block.register_forward_hook(lambda _, given, out: seen.append((given[0], out)))
    last.drop_block.train()
    net(x)
    ((given, out),) = seen
    dropped = (out == 0) & (given != 0)
    assert 0.15 < dropped.sum() / (given != 0).sum() < 0.45
    # every dropped place lies in a 3x3 block that is dropped whole
    gone = (out == 0).float()
    whole = torch.nn.functional.avg_pool2d(gone, 3, 1) > 0.999
    covered = torch.nn.functional.max_pool2d(torch.nn.functional.pad(whole.float(), (2, 2, 2, 2)), 3, 1) > 0
    assert covered[dropped].all()


@pytest.mark.parametrize(
    ("height", "width", "block"), [(2, 2, 1), (4, 4, 3), (6, 6, 5), (5, 9, 5), (4, 3, 3), (8, 8, 7)]
)
def test_the_block_is_the_largest_odd_one_that_fits_the_map(height, width, block):
    layer, x = DropBlock(0.2, 7), torch.ones(64, 32, height, width)
    torch.manual_seed(0)
    dropped = layer(x)
    torch.manual_seed(0)
    assert torch.equal(dropped, drop_block2d(x, 0.2, block))
    assert 0.1 < (dropped == 0).float().mean() < 0.3
    assert dropped.mean() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
@pytest.mark.parametrize("size", [64, 112])
def test_small_pictures_are_learned_from(name, size):
    net = face_net(name)
    insert_drop_block(net, [part for part in named_parts(net) if part.startswith(("layer", "stage"))][-2:], p=0.1)
    net.train()
    net(torch.randn(2, 3, size, size)).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_frozen_parts_drop_nothing_and_a_copy_keeps_a_setting_of_its_own():
    net = face_net()
    insert_drop_block(net, ["layer3", "layer4"], p=0.5, block_size=3)
    set_trainable(net, ["layer4", "head"])
    net.train()
    assert [net.backbone.layer3.drop_block.training, net.backbone.layer4.drop_block.training] == [False, True]
    twin = copy.deepcopy(net)
    twin.backbone.layer4.drop_block.p = 0.0
    x = torch.randn(2, 3, 96, 96)
    assert torch.equal(twin(x), twin(x))
    assert not torch.equal(net(x), net(x))


def test_inserting_again_replaces():
    net = face_net()
    insert_drop_block(net, ["layer4"], p=0.5)
    insert_drop_block(net, ["layer4"], p=0.0)
    net.train()
    x = torch.randn(2, 3, 64, 64)
    net.backbone.eval()
    plain = net(x)
    net.backbone.layer4.drop_block.train()
    assert torch.equal(net(x), plain)


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (["layer9"], {}, "no part is called 'layer9': this network has stem"),
        (["layer4"], {"p": 1.0}, "DropBlock with p 1.0"),
        (["layer4"], {"block_size": 4}, "an odd size"),
        (["head"], {}, "'head' has no feature map"),
    ],
)
def test_bad_request_is_refused(names, settings, message):
    with pytest.raises(ValueError, match=message):
        insert_drop_block(face_net(), names, **settings)


def test_network_without_feature_maps_says_so():
    net = face_net("vit_tiny_patch16_224").train()
    insert_drop_block(net, ["stage12"])
    with pytest.raises(ValueError, match=r"output is not a feature map \(N, C, H, W\)"):
        net(torch.randn(1, 3, 224, 224))
