import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch.ops.cuda import loss as cuda
from mytorch.ops.cuda import softmax as cuda_softmax

FLOATS = st.sampled_from([np.float64, np.float32])
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 70))


def exact(array):
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, requires_grad=True)


@pytest.mark.kernels("log_softmax", "log_softmax_grad", "softmax", "softmax_grad")
@settings(max_examples=60)
@given(
    data=st.data(),
    dtype=FLOATS,
    shape=SHAPES,
    lead=st.lists(st.integers(1, 3), max_size=2),
    scale=st.sampled_from([1, 1000]),
)
def test_softmax_and_its_logarithm_are_pytorchs(grid, array, same, data, dtype, shape, lead, scale):
    grid(data)
    x = array(data, (*lead, *shape), dtype) * dtype(scale)
    grad = array(data, x.shape, dtype, stream=1)
    for name in ("log_softmax", "softmax"):
        tensor = exact(x)
        expected = getattr(torch, name)(tensor, -1)
        y = getattr(cuda_softmax, name)(x)
        same(name, y, expected, dtype)
        tensor.grad = None
        expected.backward(torch.tensor(grad.astype(float)))
        if dtype == np.float64 or scale == 1:  # the gradient of a rounded logarithm of 1000 has fewer digits
            same(f"gradient of {name}", getattr(cuda_softmax, f"{name}_grad")(grad, y), tensor.grad, dtype)


@pytest.mark.kernels("cross_entropy_classes", "cross_entropy_classes_grad")
@settings(max_examples=60)
@given(
    data=st.data(),
    dtype=FLOATS,
    shape=SHAPES,
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    scale=st.sampled_from([1.0, 0.25]),
)
def test_cross_entropy_with_classes_is_pytorchs(grid, array, same, data, dtype, shape, smoothing, scale):
    grid(data)
    logits = array(data, shape, dtype)
    kind = data.draw(st.sampled_from(["int64", "int32", "uint8"]))
    target = np.random.default_rng(0).integers(0, shape[1], shape[0]).astype(kind)
    agree(same, logits, target, torch.tensor(target.astype("int64")), smoothing, scale, dtype)


@pytest.mark.kernels("cross_entropy_soft", "cross_entropy_soft_grad")
@settings(max_examples=60)
@given(
    data=st.data(),
    dtype=FLOATS,
    shape=SHAPES,
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    scale=st.sampled_from([1.0, 0.25]),
)
def test_cross_entropy_with_soft_targets_is_pytorchs(grid, array, same, data, dtype, shape, smoothing, scale):
    grid(data)
    logits, target = array(data, shape, dtype), np.abs(array(data, shape, dtype, stream=1))
    agree(same, logits, target, torch.tensor(target.astype(float)), smoothing, scale, dtype)


def agree(same, logits, target, their_target, smoothing, scale, dtype):
    smoothing_here = float(dtype(smoothing))  # as the kernel gets it
    tensor = exact(logits)
    expected = torch.nn.functional.cross_entropy(tensor, their_target, reduction="none", label_smoothing=smoothing_here)
    (expected.sum() * scale).backward()
    same("losses", cuda.cross_entropy(logits, target, smoothing), expected, dtype)
    same("gradient", cuda.cross_entropy_grad(logits, target, smoothing, scale), tensor.grad, dtype)


@pytest.mark.kernels("log_softmax")
def test_a_nan_spoils_its_row_alone():
    for dtype in "fd":
        x = np.zeros((3, 40), dtype)
        x[1, 37] = np.nan
        y = cuda_softmax.log_softmax(x)
        assert np.isnan(y[1]).all()
        np.testing.assert_allclose(y[[0, 2]], -np.log(40), rtol=1e-6)
