"""Parts cover a network once, and frozen means frozen."""

import copy

import pytest
import torch
from torch import nn

from models.backbones import BACKBONES, build_backbone, find_backbone
from models.face_net import FaceNet, embedding_neck
from models.heads import build_head
from models.stages import named_layers, named_parts, set_trainable

NAMES = [*BACKBONES, "mobilenetv3_small_050", "vit_tiny_patch16_224", "regnetx_002", "densenet121", "vgg11_bn"]
SMALL = {"mobilefacenet": 112, "inception_resnet_v1": 80}


def face_net(name: str, neck: bool = True) -> FaceNet:
    torch.manual_seed(0)
    features = find_backbone(name).features
    return FaceNet(
        build_backbone(name),
        build_head("cosine", 16 if neck else features, 4),
        embedding_neck(features, 16, 0.5) if neck else None,
    )


def step(net: nn.Module, side: int) -> None:
    """One step of SGD in training mode."""
    net.train()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    nn.functional.cross_entropy(net(torch.randn(4, 3, side, side), torch.arange(4)), torch.arange(4)).backward()
    optimizer.step()


def moved(net: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("name", NAMES)
def test_parts_cover_every_parameter_once_and_layers_stand_in_their_order(name):
    net = face_net(name)
    found = named_parts(net)
    ids = [id(p) for part in found.values() for p in part.parameters()]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(map(id, net.parameters()))
    assert list(found)[-2:] == ["neck", "head"]
    assert list(found)[:-2] == list(named_parts(net.backbone))
    assert len(found) > 5
    inside = [id(p) for _, layer in named_layers(net) for p in layer.parameters(recurse=False)]
    assert inside == [id(p) for p in net.parameters()]
    order = {id(p): n for n, p in enumerate(net.parameters())}
    firsts = [min(order[id(p)] for p in part.parameters()) for part in found.values()]
    assert firsts == sorted(firsts)


def test_names_are_the_ones_people_know():
    resnet = list(named_parts(face_net("resnet18", neck=False)))
    assert resnet == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
    mobile = named_parts(face_net("mobilenet_v2"))
    assert [*mobile][:9] == ["stem", *(f"stage{n}" for n in range(1, 8)), "tail"]
    assert [len(list(mobile[f"stage{n}"].children())) for n in range(1, 8)] == [1, 2, 3, 4, 3, 3, 1]  # paper's table 2


@pytest.mark.parametrize(
    "name", ["resnet18", "efficientnet_b0", "convnext_tiny", "mobilefacenet", "inception_resnet_v1"]
)
def test_frozen_parts_stay_as_they_are_with_their_running_statistics(name):
    net = face_net(name)
    known = list(named_parts(net))
    train = known[-3:]
    set_trainable(net, train)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    step(net, SMALL.get(name, 64))
    changed = moved(net, before)
    own = {id(p) for part in train for p in named_parts(net)[part].parameters()}
    allowed = {key for key, p in net.named_parameters() if id(p) in own}
    assert {key for key, p in net.named_parameters() if key in changed} <= allowed
    frozen = {id(m) for part in known[:-3] for m in named_parts(net)[part].modules()}
    names = {key for key, m in net.named_modules() if id(m) in frozen}
    assert not {key for key in changed if key.rpartition(".")[0] in names}
    assert any(key.startswith("neck.") and "running" in key for key in changed)
    assert any(key.startswith("backbone.") for key in changed)


def test_everything_moves_again_once_thawed():
    net = face_net("resnet18")
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.ones_(norm.weight)  # timm starts some at zero, and the layers before them move a step later
    set_trainable(net, ["head"])
    set_trainable(net, ["all"])
    before = {key: value.clone() for key, value in net.state_dict().items()}
    step(net, 64)
    assert moved(net, before) == set(before)


def test_dropout_of_a_frozen_part_drops_nothing_and_a_copy_stays_frozen():
    net = face_net("mobilenet_v2")
    set_trainable(net, ["head"])
    for each in (net, copy.deepcopy(net)):
        each.train()
        x = torch.randn(3, 3, 64, 64)
        assert torch.equal(each.features(x), each.features(x))
        assert not each.neck[0].training
        assert each.head.training
    set_trainable(net, ["neck", "head"])
    assert net.neck[0].training


def test_first_dropout_of_a_training_head_drops_behind_a_frozen_backbone():
    net = FaceNet(build_backbone("resnet18"), build_head("linear", 512, 4, dropout=0.5)).train()
    set_trainable(net, ["head"])
    assert net.head.layers[0].training
    assert not net.backbone.bn1.training


def test_last_layers_are_layers_and_not_parameter_tensors():
    net = face_net("mobilenet_v2")
    set_trainable(net, ["neck", "head"], last_layers=4)
    net.train()
    trained = [
        name
        for name, layer in named_layers(net.backbone)
        if all(p.requires_grad for p in layer.parameters(recurse=False))
    ]
    assert trained == ["features.17.conv.2", "features.17.conv.3", "features.18.0", "features.18.1"]
    tensors = [p for p in net.backbone.parameters() if p.requires_grad]
    assert len(tensors) == 6
    assert [net.backbone.features[17].conv[3].training, net.backbone.features[17].conv[1][1].training] == [True, False]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    step(net, 64)
    backbone = {
        key.removeprefix("backbone.").rpartition(".")[0] for key in moved(net, before) if key.startswith("backbone")
    }
    assert backbone == set(trained)


def test_backbone_alone_can_be_frozen_too():
    backbone = build_backbone("resnet18").train()
    set_trainable(backbone, ["layer4"])
    assert [backbone.layer4[0].bn1.training, backbone.layer3[0].bn1.training] == [True, False]


@pytest.mark.parametrize(
    ("names", "last", "message"),
    [
        (
            ["layer5"],
            0,
            "no part is called 'layer5': this network has stem, layer1, layer2, layer3, layer4, neck, head",
        ),
        (["head"], 41, "the last 41 layers: the backbone has 40"),
        (["head"], -1, "expected 0 to all of them"),
    ],
)
def test_what_is_not_there_cannot_be_trained(names, last, message):
    with pytest.raises(ValueError, match=message):
        set_trainable(face_net("resnet18"), names, last)


def test_a_block_that_is_trained_in_part_stays_in_training_mode():
    """Its own behavior, such as stochastic depth, is that of training; its frozen layers are not."""
    net = face_net("mobilenet_v2")
    set_trainable(net, ["neck", "head"], last_layers=4)
    net.train()
    blocks = dict(net.backbone.named_modules())
    assert blocks["features.17"].training
    assert blocks["features.17.conv"].training
    assert not blocks["features.17.conv.0"].training
    assert blocks["features.17.conv.2"].training
    assert not blocks["features.16"].training
