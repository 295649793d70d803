"""The residual block equals the same block in PyTorch, and draws its weights in the contract's order."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import course


def drawn_by_hand(seed, C, out, K, shortcut):
    """The weights in the order first, second, shortcut, as PyTorch tensors."""
    np.random.seed(seed)
    shapes = [(out, C, K, K), (out, out, 1, 1), (out, C, K, K)][: 3 if shortcut else 2]
    return [torch.tensor(np.random.normal(0, 1, shape)) for shape in shapes]


def normalized(z):
    return F.batch_norm(z, None, None, training=True, eps=1e-8)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(3, 7),
    st.integers(3, 7),
    st.integers(0, 99),
)
def test_forward_and_gradient_are_those_of_the_block_rebuilt_by_hand(N, C, out, K, stride, padding, H, W, seed):
    changed = out != C or (K, stride, padding) != (1, 1, 0)
    first, second, *shortcut = drawn_by_hand(seed, C, out, K, changed)
    np.random.seed(seed)
    block = course.ResBlock(C, out, K, stride, padding)

    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, C, H, W))
    tx = torch.tensor(x, requires_grad=True)
    residual = torch.relu(normalized(F.conv2d(tx, first, None, stride, padding)))
    residual = normalized(F.conv2d(residual, second))
    past = normalized(F.conv2d(tx, shortcut[0], None, stride, padding)) if changed else tx
    right = torch.relu(residual + past)

    answer = block(x)
    np.testing.assert_allclose(answer, right.detach(), rtol=1e-8, atol=1e-8)
    gradient = rng.standard_normal(answer.shape)
    right.backward(torch.tensor(gradient))
    scale = 1 + np.abs(tx.grad.numpy()).max()
    np.testing.assert_allclose(block.backward(gradient), tx.grad, rtol=0, atol=1e-8 * scale)


def test_stride_three_and_padding_one_by_default():
    assert course.ResBlock(2, 4, 3)(np.ones((2, 2, 9, 6))).shape == (2, 4, 3, 2)


def test_the_shortcut_is_the_identity_only_where_nothing_changes():
    assert isinstance(course.ResBlock(3, 3, 1, 1, 0).shortcut, course.Identity)
    for form in [(3, 4, 1, 1, 0), (3, 3, 3, 1, 1), (3, 3, 1, 2, 0), (3, 3, 1, 1, 1)]:
        assert not isinstance(course.ResBlock(*form).shortcut, course.Identity)


@pytest.mark.parametrize("form", [(2, 3, 3, 2, 1), (2, 2, 1, 1, 0)])
def test_evaluating_uses_the_running_statistics_and_leaves_them(form):
    x = np.random.default_rng(0).standard_normal((4, 2, 7, 5))
    block = course.ResBlock(*form)
    block(x)
    answer = block(x, True)
    np.testing.assert_allclose(block(x[:1], True), answer[:1], rtol=0, atol=1e-12)
    assert np.abs(block(x) - answer).max() > 1e-3
