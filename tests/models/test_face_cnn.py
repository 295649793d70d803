"""The project's two networks of mytorch layers."""

import numpy as np
import pytest
import torch

from models.scratch.face_cnn import face_cnn
from models.scratch.residual import small_resnet
from mytorch import manual_seed, nn


def torch_face_cnn(classes: int, widths: tuple[int, ...], depth: int, dropout: float) -> torch.nn.Sequential:
    """The architecture, written down a second time."""
    layers: list[torch.nn.Module] = []
    before = 3
    for width in widths:
        for _ in range(depth):
            layers.append(torch.nn.Conv2d(before, width, 3, padding=1, bias=False))
            layers.append(torch.nn.BatchNorm2d(width))
            layers.append(torch.nn.ReLU())
            before = width
        layers.append(torch.nn.MaxPool2d(2))
    layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Dropout(dropout)]
    return torch.nn.Sequential(*layers, torch.nn.Linear(before, classes))


@pytest.mark.parametrize(("widths", "depth"), [((4,), 1), ((4, 8), 2), ((4, 6, 8), 1)])
def test_the_cnn_is_the_one_described(widths, depth):
    ours = face_cnn(7, widths, depth, 0.4).eval()
    theirs = torch_face_cnn(7, widths, depth, 0.4).eval()
    theirs.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in ours.state_dict().items()})
    pixels = np.random.default_rng(0).standard_normal((3, 3, 17, 24)).astype(np.float32)
    np.testing.assert_allclose(ours(pixels), theirs(torch.from_numpy(pixels)).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("build", [face_cnn, small_resnet])
@pytest.mark.parametrize("size", [(16, 16), (16, 31), (40, 17)])
def test_logits_for_pictures_of_any_size(build, size):
    network = build(5, (4, 4, 4, 4))
    assert network(np.zeros((2, 3, *size), np.float32)).shape == (2, 5)


@pytest.mark.parametrize("build", [face_cnn, small_resnet])
def test_the_same_seed_gives_the_same_weights(build):
    states = []
    for seed in (1, 1, 2):
        manual_seed(seed)
        states.append(build(5, (4, 8)).state_dict())
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert not np.array_equal(states[0]["0.weight"], states[2]["0.weight"])


@pytest.mark.parametrize("build", [face_cnn, small_resnet])
def test_grey_pictures_and_a_batch_of_one(build):
    network = build(3, (4, 8), in_channels=1)
    assert network(np.zeros((1, 1, 16, 16), np.float32)).shape == (1, 3)


@pytest.mark.parametrize("build", [face_cnn, small_resnet])
def test_dropout_acts_in_training_alone(build):
    network = build(4, (4, 8), dropout=0.5)
    pixels = np.random.default_rng(0).standard_normal((4, 3, 16, 16)).astype(np.float32)
    assert not np.array_equal(network(pixels), network(pixels))
    network.eval()
    assert np.array_equal(network(pixels), network(pixels))


@pytest.mark.parametrize("depth", [1, 2])
def test_the_resnet_halves_the_picture_at_every_width_before_its_blocks(depth):
    network = small_resnet(5, (4, 8, 12), depth)
    blocks = [layer for layer in network if isinstance(layer, nn.Residual)]
    assert len(blocks) == 3 * depth
    x, sizes = np.zeros((2, 3, 24, 32), np.float32), []
    for layer in network:
        x = layer(x)
        if isinstance(layer, nn.Residual):
            sizes.append(x.shape[1:])
    assert sizes == [shape for shape in ((4, 12, 16), (8, 6, 8), (12, 3, 4)) for _ in range(depth)]
    assert all(block.shortcut is None for block in blocks)
