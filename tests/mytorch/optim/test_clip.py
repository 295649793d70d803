import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mytorch.optim import SGD, clip_grad_norm_, clip_grad_value_


@given(
    scale=st.sampled_from([1e-3, 0.1, 1.0, 1e6]),
    limit=st.sampled_from([0.0, 0.5, 3.0, 1e9]),
    norm=st.sampled_from([1.0, 2.0, 3.5, float("inf")]),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_norm_clipping_is_pytorchs(twins, steps, scale, limit, norm, dtype):
    ours, theirs = twins(dtype)
    for _ in steps(ours, theirs, 3):
        for mine, other in zip(ours, theirs, strict=True):
            if mine.grad is not None:
                mine.grad *= dtype(scale)
                other.grad *= scale
        expected = torch.nn.utils.clip_grad_norm_(theirs, limit, norm).item()
        assert clip_grad_norm_(ours, limit, norm) == pytest.approx(expected, rel=1e-5 if dtype == np.float32 else 1e-12)
        for mine, other in zip(ours, theirs, strict=True):
            if mine.grad is not None:
                assert mine.grad.dtype == dtype
                np.testing.assert_allclose(mine.grad, other.grad, rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_value_clipping_is_pytorchs(twins, steps):
    ours, theirs = twins()
    for _ in steps(ours, theirs, 3):
        torch.nn.utils.clip_grad_value_(theirs, 0.3)
        clip_grad_value_(ours, 0.3)
        for mine, other in zip(ours, theirs, strict=True):
            if mine.grad is not None:
                np.testing.assert_array_equal(mine.grad, other.grad)


def test_no_gradients_have_a_norm_of_zero(twins):
    assert clip_grad_norm_(twins()[0], 1.0) == 0


def test_nan_shows_or_is_an_error_where_that_is_asked_for(twins, steps):
    ours, theirs = twins()
    next(steps(ours, theirs, 1))
    ours[0].grad[0, 0] = np.nan
    with pytest.raises(RuntimeError, match="the norm of the gradients is nan: look for NaN in the batch"):
        clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    assert np.isnan(clip_grad_norm_(ours, 1.0))
    assert np.isnan(ours[2].grad).all()


@pytest.mark.parametrize("arguments", [{"max_norm": -1}, {"max_norm": 1, "norm_type": 0}, {"max_norm": float("nan")}])
def test_impossible_norm_is_refused(twins, arguments):
    with pytest.raises(ValueError, match="max_norm="):
        clip_grad_norm_(twins()[0], **arguments)
    with pytest.raises(ValueError, match="clip_value=-1"):
        clip_grad_value_(twins()[0], -1)


def test_clipped_gradients_are_what_the_optimizer_steps_by(twins, steps):
    ours, theirs = twins()
    next(steps(ours, theirs, 1))
    before = [parameter.data.copy() for parameter in ours]
    clip_grad_norm_(ours, 0.1)
    SGD(ours, lr=1.0).step()
    moved = np.sqrt(sum(((now.data - was) ** 2).sum() for now, was in zip(ours, before, strict=True)))
    assert moved == pytest.approx(0.1, rel=1e-4)
