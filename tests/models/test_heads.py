"""Every head by its name, what a list of dense layers is made of, and refusals."""

import pytest
import torch
from torch import nn

from models.heads import HEADS, build_head


@pytest.mark.parametrize("kind", HEADS)
def test_every_head_takes_labels_or_none_and_gives_logits(kind):
    torch.manual_seed(0)
    head = build_head(kind, 8, 5)
    x, labels = torch.randn(10, 8), torch.arange(10) % 5
    if kind == "prototypes":
        head.fit(x, labels)
    assert head(x, labels).shape == head(x).shape == head(x, None).shape == (10, 5)


def test_dense_layers_stand_in_the_order_that_was_asked_for():
    head = build_head("dense", 20, 7, hidden=[16, 12], activation=["leaky_relu", "gelu"], batch_norm=True, dropout=0.5)
    block = [nn.Linear, nn.BatchNorm1d]
    expected = [*block, nn.LeakyReLU, nn.Dropout, *block, nn.GELU, nn.Dropout, nn.Linear]
    assert [type(layer) for layer in head.layers] == expected
    assert [(layer.in_features, layer.out_features) for layer in head.layers if isinstance(layer, nn.Linear)] == [
        (20, 16),
        (16, 12),
        (12, 7),
    ]
    assert head.layers[3].p == 0.5


def test_linear_head_drops_before_its_only_layer():
    assert [type(layer) for layer in build_head("linear", 4, 2, dropout=0.5).layers] == [nn.Dropout, nn.Linear]
    assert [type(layer) for layer in build_head("linear", 4, 2).layers] == [nn.Linear]


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("arcfaces", {}, r"no head is called 'arcfaces': did you mean 'arcface'\?"),
        ("zzz", {}, "expected one of: linear, dense"),
        ("linear", {"margin": 0.5}, "head 'linear' has no setting 'margin': it has dropout"),
        ("dense", {"hidden": [4], "activation": "relux"}, r"no activation is called 'relux': did you mean 'relu'\?"),
        ("dense", {"hidden": [4, 4], "activation": ["relu"]}, "1 activations for 2 hidden layers"),
        ("dense", {"dropout": 1.0}, "dropout 1.0: expected a probability"),
        ("dense", {"hidden": [0]}, r"hidden \[0\]: expected widths of 1 or more"),
    ],
)
def test_bad_request_is_refused(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        build_head(kind, 4, 2, **settings)


@pytest.mark.parametrize(("kind", "settings"), [*((kind, {}) for kind in HEADS), ("prototypes", {"nearest": 0.3})])
def test_every_head_becomes_a_graph_for_any_number_of_pictures(kind, settings):
    torch.manual_seed(0)
    head = build_head(kind, 8, 5, **settings).eval()
    x, labels = torch.randn(10, 8), torch.arange(10) % 5
    if kind == "prototypes":
        head.fit(x, labels)
    sizes = {"embeddings": {0: torch.export.Dim("pictures", min=2)}}
    graph = torch.export.export(head, (x,), dynamic_shapes=sizes).module()
    torch.testing.assert_close(graph(x[:7]), head(x[:7]))
