"""`faces show explore`: what the page holds is what mytorch and PyTorch compute, and the page is closed and bounded."""

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import mytorch
from experiments.errors import FacesError
from experiments.visualize import explore
from models.scratch.face_cnn import face_cnn
from mytorch import nn

rng = np.random.default_rng(2)
PIXELS = rng.standard_normal((1, 3, 10, 12)).astype(np.float32)


def branched():
    """A graph with a branch, groups, a stride, average pooling and a vector that is flattened."""
    graph = nn.Graph()
    x = graph.add("stem", nn.Conv2d(3, 8, 3, stride=2, padding=1), graph.input("face"))
    y = graph.add("body", nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=2)), x)
    y = graph.add("pool", nn.AvgPool2d(2, padding=1), graph.add("sum", nn.Add(), x, y))
    graph.output(graph.add("head", nn.Linear(8 * 3 * 4, 5), graph.add("flat", nn.Flatten(), y)))
    return graph


def network(kind):
    mytorch.manual_seed(1)
    made = face_cnn(6, (8, 12), dropout=0.3) if kind == "sequential" else branched()
    for _ in range(3):
        made(rng.standard_normal((4, 3, 10, 12)).astype(np.float32))  # so that batch norm has statistics
    return made


def unpacked(stored):
    scale = np.array(stored["scale"])
    return np.frombuffer(b64decode(stored["data"]), "<i2").reshape(len(scale), -1) * scale[:, None]


def stored(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page)[1])


@pytest.mark.parametrize("kind", ["sequential", "graph"])
def test_maps_and_gradients_are_those_of_mytorch(kind):
    made = network(kind)
    data = stored(explore.page(explore.describe(made, PIXELS), "a"))
    made.eval()
    for module in made.modules():
        module.needs_input_grad = True
    logits = made(PIXELS)
    assert data["label"] == logits[0].argmax()
    last = data["nodes"][-1]
    np.testing.assert_allclose(unpacked(last["values"])[:, 0], logits[0, last["channels"]], atol=1e-4)
    chosen = np.zeros_like(logits)
    chosen[0, data["label"]] = 1
    grad = made.backward(chosen)[0].reshape(3, -1)
    first = data["nodes"][0]
    np.testing.assert_allclose(unpacked(first["values"]), PIXELS[0].reshape(3, -1), atol=1e-3)
    np.testing.assert_allclose(unpacked(first["grads"]), grad, atol=1e-4 * np.abs(grad).max())


def test_every_layer_of_a_sequential_has_the_values_and_gradients_of_its_twin():
    from models.twin import twin

    made = network("sequential")
    data = explore.describe(made, PIXELS)
    x, outputs = torch.from_numpy(PIXELS), []
    for layer in twin(made).eval():
        x = layer(x)
        x.requires_grad_() if not x.requires_grad else x.retain_grad()
        outputs.append(x)
    x[0, data["label"]].backward()
    assert len(data["nodes"]) == len(outputs) + 1
    for node, output in zip(data["nodes"][1:], outputs, strict=True):
        keep, count = node["channels"], int(np.prod(node["size"]))
        for name, right in (("values", output.detach()), ("grads", output.grad)):
            right = right.numpy()[0].reshape(-1, count)[keep]
            np.testing.assert_allclose(unpacked(node[name]), right, atol=2e-4 * max(np.abs(right).max(), 1e-6))


@pytest.mark.parametrize("kind", ["sequential", "graph"])
def test_the_stored_kernels_make_the_stored_maps(kind):
    data = explore.describe(network(kind), PIXELS, channels=16)
    nodes = {node["name"]: node for node in data["nodes"]}
    checked = 0
    for node in data["nodes"]:
        op, source = node["op"], nodes.get(node["inputs"][0]) if node["inputs"] else None
        if source is None or "kernel" not in op:
            continue
        x = torch.from_numpy(unpacked(source["values"]).reshape(1, -1, *source["size"]))
        if op["kind"] == "conv":
            none = [0.0] * (op["kernel"][0] * op["kernel"][1])
            weight = torch.tensor([[kernel or none for kernel in row] for row in op["weight"]], dtype=torch.float64)
            weight = weight.reshape(*weight.shape[:2], *op["kernel"])
            found = F.conv2d(x, weight, torch.tensor(op["bias"], dtype=torch.float64), op["stride"], op["padding"])
        elif op["kind"] == "max":
            found = F.max_pool2d(x, op["kernel"], op["stride"], op["padding"])
        else:
            found = F.avg_pool2d(x, op["kernel"], op["stride"], op["padding"], count_include_pad=op["all"])
        right = unpacked(node["values"]).reshape(found.shape[1:])
        np.testing.assert_allclose(found[0].numpy(), right, atol=1e-3 * np.abs(right).max())
        checked += 1
    assert checked >= 3


@pytest.mark.parametrize("kind", ["sequential", "graph"])
def test_batch_norm_and_the_classifier_are_stored_as_they_compute(kind):
    data = explore.describe(network(kind), PIXELS, channels=16)
    nodes = {node["name"]: node for node in data["nodes"]}
    norm = next(node for node in data["nodes"] if node["op"]["kind"] == "affine")
    x = unpacked(nodes[norm["inputs"][0]]["values"])
    scale, shift = (np.array(norm["op"][name])[:, None] for name in ("scale", "shift"))
    np.testing.assert_allclose(x * scale + shift, unpacked(norm["values"]), atol=2e-3)
    head = data["nodes"][-1]
    x = unpacked(nodes[head["inputs"][0]]["values"])[:, 0]
    logits = unpacked(head["op"]["weight"]) @ x + head["op"]["bias"]
    np.testing.assert_allclose(logits, unpacked(head["values"])[:, 0], atol=2e-3)


def test_the_network_is_left_as_it_was():
    made = network("sequential")
    before = {name: array.copy() for name, array in made.state_dict().items()}
    made[0].needs_input_grad = False
    explore.describe(made, PIXELS)
    assert made.training
    assert not made[0].needs_input_grad
    assert all(parameter.grad is None for parameter in made.parameters())
    for name, array in made.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_layer_that_is_called_twice_has_its_gradient_at_both_places():
    graph, shared = nn.Graph(), nn.Linear(4, 4)
    x = graph.add("flat", nn.Flatten(), graph.input())
    graph.output(graph.add("two", shared, graph.add("one", shared, x)))
    pixels = rng.standard_normal((1, 1, 2, 2)).astype(np.float32)
    data = explore.describe(graph, pixels, label=2)
    right = (shared.weight.data[2] @ shared.weight.data).reshape(1, -1)
    np.testing.assert_allclose(unpacked(data["nodes"][0]["grads"]), right, atol=1e-4)


def test_the_page_loads_nothing_and_no_name_breaks_out():
    nasty = ['</script><img src=x onerror="alert(1)">'] * 6
    page = explore.page(explore.describe(network("sequential"), PIXELS, nasty), "<b>run</b>")
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "<b>" not in page
    code = page.replace(re.search(r'id="data">(.*?)</script>', page)[1], "")
    assert not re.search(r"(?:src|href)=|https?://|url\(|@import|\beval\b|new Function|innerHTML", code)
    assert nasty[0] in stored(page)["classes"].values()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    for tag in ("script", "style"):
        text = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        assert f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; ")


def test_a_wide_network_keeps_its_size():
    made = nn.Sequential(nn.Conv2d(3, 600, 3), nn.ReLU(), nn.Flatten(), nn.Linear(600 * 80, 300))
    page = explore.page(explore.describe(made, PIXELS), "wide")
    assert len(page) < 400_000
    assert len(stored(page)["nodes"][1]["channels"]) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [({"channels": 0}, "--channels 0: expected 1 to 16"), ({"label": 9}, "class 9, expected 0 to 5")],
)
def test_a_wrong_option_is_refused(change, message):
    with pytest.raises(FacesError, match=message):
        explore.describe(network("sequential"), PIXELS, **change)


def test_networks_that_cannot_be_shown_are_refused():
    with pytest.raises(FacesError, match="finite logits"):
        explore.describe(nn.Sequential(nn.Conv2d(3, 2, 3)), PIXELS)
    with pytest.raises(FacesError, match="finite logits"):
        explore.describe(network("sequential"), np.full_like(PIXELS, np.nan))
    two = nn.Graph()
    two.output(two.add("sum", nn.Add(), two.input("a"), two.input("b")))
    with pytest.raises(FacesError, match="one input"):
        explore.describe(two, PIXELS)
