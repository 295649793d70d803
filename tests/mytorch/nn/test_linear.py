import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])


@settings(max_examples=100)
@given(
    data=st.data(),
    dtype=FLOATS,
    lead=st.lists(st.integers(0, 4), max_size=3),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    bias=st.booleans(),
)
def test_linear_is_pytorchs_over_any_leading_axes(agree, data, dtype, lead, sizes, bias):
    agree(data, nn.Linear(*sizes, bias=bias), torch.nn.Linear(*sizes, bias=bias), (*lead, sizes[0]), dtype)


@given(data=st.data(), dtype=FLOATS, shape=st.lists(st.integers(1, 4), min_size=2, max_size=5))
def test_flatten_is_pytorchs_in_any_layout(agree, data, dtype, shape):
    agree(data, nn.Flatten(), torch.nn.Flatten(), tuple(shape), dtype)


@given(data=st.data(), shape=st.lists(st.integers(1, 4), max_size=5))
def test_flatten_of_some_axes_is_pytorchs(agree, data, shape):
    axes = max(1, len(shape))
    first = data.draw(st.integers(0, axes - 1))
    last = data.draw(st.integers(first, axes - 1))
    first, last = (n - axes if data.draw(st.booleans()) else n for n in (first, last))
    agree(data, nn.Flatten(first, last), torch.nn.Flatten(first, last), tuple(shape))


@given(
    data=st.data(),
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    parts=st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_unflatten_is_pytorchs(agree, data, shape, parts):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    shape[dim] = int(np.prod(parts))
    if data.draw(st.booleans()):
        parts[data.draw(st.integers(0, len(parts) - 1))] = -1
    agree(data, nn.Unflatten(dim, tuple(parts)), torch.nn.Unflatten(dim, tuple(parts)), tuple(shape))


@settings(max_examples=60)
@given(
    data=st.data(),
    dtype=FLOATS,
    lead=st.lists(st.integers(0, 3), max_size=2),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    bias=st.booleans(),
)
def test_bilinear_and_both_its_gradients_are_pytorchs(close, array, data, dtype, lead, sizes, bias):
    theirs = torch.nn.Bilinear(*sizes, bias=bias, dtype=torch.float64 if dtype == np.float64 else torch.float32)
    ours = nn.Bilinear(*sizes, bias=bias, dtype=dtype)
    ours.load_state_dict({name: value.detach().numpy() for name, value in theirs.state_dict().items()})
    inputs = [array(data, (*lead, size), dtype, stream=number) for number, size in enumerate(sizes[:2])]
    tensors = [torch.tensor(np.ascontiguousarray(x), requires_grad=True) for x in inputs]
    y, expected = ours(*inputs), theirs(*tensors)
    close("output", y, expected)
    grad = array(data, y.shape, dtype, stream=2)
    expected.backward(torch.tensor(np.ascontiguousarray(grad)))
    for ours_at, tensor in zip(ours.backward(grad), tensors, strict=True):
        close("gradient", ours_at, tensor.grad)
    for name, value in theirs.named_parameters():
        close(name, getattr(ours, name).grad, value.grad)


@pytest.mark.parametrize(
    ("build", "shapes", "message"),
    [
        (lambda: nn.Flatten(2), [(3, 4)], "it has no axes from 2 to -1; build it with start_dim and end_dim from -2"),
        (lambda: nn.Flatten(1, 0), [(3, 4)], "it has no axes from 1 to 0"),
        (lambda: nn.Unflatten(1, (2, 3)), [(3, 4)], r"its axis 1 cannot be split into \(2, 3\)"),
        (lambda: nn.Unflatten(1, (-1, 3)), [(3, 4)], r"its axis 1 cannot be split into \(-1, 3\)"),
        (lambda: nn.Unflatten(5, (2,)), [(3, 4)], "its axis 5 cannot be split"),
        (lambda: nn.Unflatten(0, (-1, -1)), [], "one of which may be -1"),
        (lambda: nn.Bilinear(2, 3, 1, dtype=float), [(4, 2), (5, 3)], "expected the same leading axes"),
        (lambda: nn.Bilinear(2, 3, 1, dtype=float), [(4, 3), (4, 3)], r"expected \(\*, 2\); give it 2"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(build, shapes, message):
    with pytest.raises(ValueError, match=message):
        build()(*map(np.zeros, shapes))


def test_flatten_takes_an_empty_batch():
    layer = nn.Flatten()
    assert layer(np.zeros((0, 3, 2))).shape == (0, 6)
    assert layer.backward(np.zeros((0, 6))).shape == (0, 3, 2)


def test_linear_without_features_is_its_bias_and_fewer_are_refused():
    layer = nn.Linear(0, 3)
    np.testing.assert_array_equal(layer(np.zeros((2, 0), "f")), [layer.bias.data] * 2)
    assert layer.backward(np.ones((2, 3), "f")).shape == (2, 0)
    np.testing.assert_array_equal(layer.bias.grad, [2, 2, 2])
    with pytest.raises(ValueError, match=r"in_features and out_features=\(-1, 3\)"):
        nn.Linear(-1, 3)
