import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mytorch
from mytorch import nn, optim


class TorchResidual(torch.nn.Module):
    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


def block(library, residual, channels, out, stride):
    body = library.Sequential(
        library.Conv2d(channels, out, 3, stride, 1, bias=False),
        library.BatchNorm2d(out),
        library.ReLU(),
        library.Conv2d(out, out, 3, 1, 1),
    )
    plain = stride == 1 and channels == out
    projection = library.Sequential(library.Conv2d(channels, out, 1, stride, bias=False), library.BatchNorm2d(out))
    return library.Sequential(residual(body, None if plain else projection), library.ReLU())


@given(
    data=st.data(),
    channels=st.integers(2, 4),  # of one channel, the weight before batch norm is a scale, whose gradient vanishes
    out=st.integers(1, 4),
    stride=st.integers(1, 2),
    size=st.tuples(st.integers(4, 8), st.integers(4, 8)),
)
def test_residual_blocks_are_pytorchs_on_both_paths(agree, data, channels, out, stride, size):
    arguments = (channels, out, stride)
    ours, theirs = block(nn, nn.Residual, *arguments), block(torch.nn, TorchResidual, *arguments)
    agree(data, ours, theirs, (4, channels, *size))


def face_network(library, residual, pool):
    return library.Sequential(
        library.Conv2d(3, 8, 3, 1, 1, bias=False),
        library.BatchNorm2d(8),
        library.ReLU(),
        library.MaxPool2d(2),
        block(library, residual, 8, 8, 1),
        block(library, residual, 8, 12, 2),
        pool,
        library.Flatten(),
        library.Linear(12, 5),
    )


def test_thirty_training_steps_of_a_network_are_pytorchs(close):
    ours = face_network(nn, nn.Residual, nn.GlobalAvgPool2d()).to(float)
    theirs = face_network(torch.nn, TorchResidual, torch.nn.AdaptiveAvgPool2d(1)).double()
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    optimizer = optim.SGD(ours.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    expected = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    loss, reference = nn.CrossEntropyLoss(label_smoothing=0.1), torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((10, 3, 9, 7)), rng.integers(0, 5, 10)
    for _ in range(30):
        optimizer.zero_grad()
        value = loss(ours(x), target)
        ours.backward(loss.backward())
        optimizer.step()
        expected.zero_grad()
        other = reference(theirs(torch.tensor(x)), torch.tensor(target))
        other.backward()
        expected.step()
        assert value == pytest.approx(other.item(), rel=1e-10)
    for name, array in theirs.state_dict().items():
        close(name, ours.state_dict()[name], array)
    close("evaluation", ours.eval()(x), theirs.eval()(torch.tensor(x)))


def test_layers_are_found_by_index_length_and_iteration():
    layers = [nn.ReLU() for _ in range(12)]
    network = nn.Sequential(*layers)
    assert list(network) == layers
    assert len(network) == 12
    assert network[10] is layers[10]
    assert network[-1] is layers[-1]


@pytest.mark.parametrize("layer", [nn.ReLU, np.zeros(3), [nn.ReLU()]])
def test_sequential_of_something_else_than_layers_is_refused(layer):
    with pytest.raises(
        TypeError, match=r"Sequential got .* as layer 1: expected a Module of mytorch, such as nn.ReLU\(\)"
    ):
        nn.Sequential(nn.ReLU(), layer)


def test_residual_whose_paths_differ_in_shape_is_refused():
    layer = nn.Residual(nn.Conv2d(3, 3, 3))
    with pytest.raises(
        ValueError, match=r"the body returns \(1, 3, 3, 3\) and the shortcut \(1, 3, 5, 5\): give a shortcut"
    ):
        layer(np.zeros((1, 3, 5, 5), "f"))


def test_layer_used_in_two_places_is_refused():
    relu = nn.ReLU()
    network = nn.Sequential(relu, nn.Linear(3, 3), relu).to(float)
    y = network(np.ones((2, 3)))
    with pytest.raises(RuntimeError, match="use a layer in one place of a network only"):
        network.backward(y)


def test_same_seed_same_network_and_dropout():
    def output():
        mytorch.manual_seed(4)
        network = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5))
        return network(np.ones((3, 6), "f"))

    np.testing.assert_array_equal(output(), output())


def test_a_slice_is_a_sequential_of_the_same_layers():
    whole = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    part = whole[:-1]
    assert isinstance(part, nn.Sequential)
    assert list(part) == list(whole)[:2]
    x = np.ones((2, 3), np.float32)
    assert np.array_equal(whole[2](part(x)), whole(x))
    assert list(whole[::-1]) == list(whole)[::-1]
