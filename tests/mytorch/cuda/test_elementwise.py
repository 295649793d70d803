import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.ops.cuda import activation as cuda

FLOATS = st.sampled_from([np.float64, np.float32])
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=5).map(tuple)

FUNCTIONS = {
    "relu": (torch.relu, "y", ()),
    "leaky_relu": (lambda x: torch.nn.functional.leaky_relu(x, 0.25), "x", (0.25,)),
    "sigmoid": (torch.sigmoid, "y", ()),
    "tanh": (torch.tanh, "y", ()),
    "gelu": (lambda x: x * torch.special.erfc(-x / 2**0.5) / 2, "x", ()),  # torch's own loses digits far to the left
    "silu": (torch.nn.functional.silu, "x", ()),
}
"""PyTorch's function; what the gradient is computed from; further arguments."""


def backward(function, x, grad):
    tensor = torch.tensor(np.ascontiguousarray(x.astype(float)), requires_grad=True)
    y = function(tensor)
    y.backward(torch.tensor(np.ascontiguousarray(grad.astype(float))))
    return y, tensor.grad


@pytest.mark.kernels(
    *("relu", "relu_grad", "leaky_relu", "leaky_relu_grad", "sigmoid", "sigmoid_grad", "hyperbolic_tangent"),
    *("hyperbolic_tangent_grad", "gelu", "gelu_grad", "silu", "silu_grad"),
)
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, shape=SHAPES, scale=st.sampled_from([1, 10]))
def test_activations_and_their_gradients_are_pytorchs(grid, array, same, data, dtype, shape, scale):
    grid(data)
    x, grad = array(data, shape, dtype) * dtype(scale), array(data, shape, dtype, stream=1)
    x.flat[0] = grad.flat[0] = 1  # errors are relative to the largest value, so it must not be tiny
    for name, (theirs, needed, further) in FUNCTIONS.items():
        expected, expected_grad = backward(theirs, x, grad)
        y = getattr(cuda, name)(x, *further)
        same(name, y, expected, dtype)
        ours = getattr(cuda, f"{name}_grad")(grad, y if needed == "y" else x, *further)
        same(f"gradient of {name}", ours, expected_grad, dtype)


@pytest.mark.kernels("relu", "leaky_relu", "sigmoid", "hyperbolic_tangent", "gelu", "silu")
def test_nan_stays_nan_and_large_values_do_not_overflow():
    for dtype in (np.float32, np.float64):
        x = np.array([np.nan, -1e4, 1e4], dtype)
        for name, (theirs, _, further) in FUNCTIONS.items():
            expected = theirs(torch.tensor(x)).numpy()
            np.testing.assert_allclose(getattr(cuda, name)(x, *further), expected, rtol=1e-6, err_msg=name)


@pytest.mark.kernels("prelu", "prelu_grad", "prelu_slope_sums", "combine_sums")
@settings(max_examples=60)
@given(
    data=st.data(),
    dtype=FLOATS,
    batch=st.integers(1, 3),
    channels=st.integers(1, 4),
    size=st.lists(st.integers(1, 4), max_size=3),
    shared=st.booleans(),
)
def test_prelu_is_pytorchs(grid, array, same, data, dtype, batch, channels, size, shared):
    grid(data)
    x, grad = (array(data, (batch, channels, *size), dtype, stream=stream) for stream in (0, 1))
    slope = array(data, (1 if shared else channels,), dtype, stream=2)
    theirs = torch.tensor(np.ascontiguousarray(slope.astype(float)), requires_grad=True)
    expected, expected_grad = backward(lambda t: torch.nn.functional.prelu(t, theirs), x, grad)
    same("output", cuda.prelu(x, slope), expected, dtype)
    same("gradient", cuda.prelu_grad(grad, x, slope), expected_grad, dtype)
    same("gradient at the slope", cuda.prelu_slope_grad(grad, x, len(slope)), theirs.grad, dtype)


@pytest.mark.kernels("dropout", "add_bias")
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, shape=SHAPES)
def test_dropout_keeps_what_the_mask_keeps_and_a_bias_is_added(grid, array, same, data, dtype, shape):
    grid(data)
    x = array(data, shape, dtype)
    kept = array(data, shape, dtype, stream=1) > 0
    same("dropout", cuda.dropout(x, kept, 1.5), x.astype(float) * kept * 1.5, dtype)
    y, bias = np.ascontiguousarray(x), array(data, shape[-1:], dtype, stream=2)
    expected = y.astype(float) + bias
    cuda.add_bias(y, bias)
    same("bias", y, expected, dtype)
