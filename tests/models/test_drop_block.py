"""DropBlock behind named parts: in training alone, without a trace in the state dict."""

import copy

import pytest
import torch

from models.backbones import build
from models.drop_block import insert_drop_block
from models.face_net import FaceNet
from models.heads import build_head
from models.parts import parts, set_trainable


def face_net(name: str = "resnet18") -> FaceNet:
    torch.manual_seed(0)
    features = {"resnet18": 512, "mobilenet_v2": 1280, "vit_tiny_patch16_224": 192}[name]
    return FaceNet(build(name), build_head("linear", features, 3))


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
    last = [*parts(net)[part].children()][-1] if name == "mobilenet_v2" else parts(net)[part]
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
        (["head"], {}, "no feature map behind 'head'"),
    ],
)
def test_bad_request_is_refused(names, settings, message):
    with pytest.raises(ValueError, match=message):
        insert_drop_block(face_net(), names, **settings)


def test_network_without_feature_maps_says_so():
    net = face_net("vit_tiny_patch16_224").train()
    insert_drop_block(net, ["stage12"])
    with pytest.raises(ValueError, match=r"output is no feature map \(N, C, H, W\)"):
        net(torch.randn(1, 3, 224, 224))
