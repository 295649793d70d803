"""Shared by the library's tests: arrays in any memory layout, and PyTorch as the oracle of a layer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from .launchers import GPU, every_op_on, launcher_for

ON_BOTH_BACKENDS = ("nn", "ops", "optim")
"""The folders whose tests are repeated with the GPU's kernels, where there is a GPU."""

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}
"""Largest |ours - theirs| / largest |theirs|, over all elements of an array."""

LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": np.asarray,
    "axes turned": lambda x: np.ascontiguousarray(x.T).T,
    "channels last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1) if x.ndim > 1 else x,
    "every second": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "backwards": lambda x: np.flip(np.ascontiguousarray(np.flip(x))),
    "one of a larger": lambda x: np.stack([x, x + 1], -1)[..., 0],
}


def _array(
    data: st.DataObject, shape: tuple, dtype: Any = np.float64, whole: bool = False, stream: int = 0
) -> np.ndarray:
    rng = np.random.default_rng((data.draw(st.integers(0, 2**32 - 1), label="seed"), stream))
    layout = data.draw(st.sampled_from(list(LAYOUTS)), label="layout")
    values = rng.integers(-3, 4, shape) if whole else rng.standard_normal(shape)
    given = np.asarray(values, dtype)
    array = LAYOUTS[layout](given) if given.ndim else given
    assert np.array_equal(array, given)
    return array


def _as_tensor(array: np.ndarray, requires_grad: bool = False) -> torch.Tensor:
    return torch.tensor(np.array(array, order="C"), requires_grad=requires_grad)


def _close(what: str, ours: np.ndarray, theirs: Any) -> None:
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, expected {theirs.shape}"
    assert ours.dtype == theirs.dtype, f"{what}: {ours.dtype}, expected {theirs.dtype}"
    if ours.size:
        largest = max(float(np.abs(theirs).max()), np.finfo(np.float64).tiny)
        error = float(np.abs(ours - theirs).max()) / largest
        assert error <= TOLERANCE.get(ours.dtype.type, 0), f"{what}: relative error {error:.1e}"


def _agree(
    data: st.DataObject, ours: Any, theirs: torch.nn.Module, shape: tuple, dtype: Any = np.float64, whole: bool = False
) -> None:
    ours.to(dtype)
    theirs.to(_as_tensor(np.zeros(0, dtype)).dtype)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = _array(data, shape, dtype, whole)
    x_before, tensor = x.copy(), _as_tensor(x, requires_grad=True)
    y, expected = ours(x), theirs(tensor)
    _close("output", y, expected)
    grad = _array(data, y.shape, dtype, stream=1)  # as x, it would lie where batch norm's gradient vanishes
    grad_before, y_before = grad.copy(), y.copy()
    grad_x = ours.backward(grad)
    expected.backward(_as_tensor(grad))
    _close("gradient at the input", grad_x, tensor.grad)
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        _close(f"gradient of {name}", parameter.grad, gradients[name])
    buffers = dict(theirs.named_buffers())
    for name, value in ours.state_dict().items():
        if name in buffers:
            _close(name, value, buffers[name])
    assert np.array_equal(x, x_before), "the input was modified"
    assert np.array_equal(grad, grad_before), "the gradient at the output was modified"
    assert np.array_equal(y, y_before), "the output was modified by backward"


@pytest.fixture(scope="session")
def array() -> Callable[..., np.ndarray]:
    """array(data, shape, dtype, whole): normal values, or few whole ones, in a memory layout that hypothesis draws."""
    return _array


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    """agree(data, ours, theirs, shape, dtype): output, every gradient and every buffer are PyTorch's, from its weights.

    Input and gradient at the output are drawn by `array`, and must come out unmodified.
    """
    return _agree


@pytest.fixture(scope="session")
def close() -> Callable[..., None]:
    """close(what, ours, theirs): the same shape and dtype, and values within the tolerance of the dtype."""
    return _close


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test of these folders on both backends if there is a GPU."""
    if GPU and Path(metafunc.definition.path).parent.name in ON_BOTH_BACKENDS:
        metafunc.fixturenames.append("backend")
        metafunc.parametrize("backend", ["numpy", *GPU], indirect=True, scope="session")


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The backend: NumPy, or the GPU's kernels, which get the arrays for each operation."""
    if request.param == "numpy":
        yield
        return
    with every_op_on(launcher_for(request.param, tmp_path_factory)):
        yield


@pytest.fixture
def threads():
    """Two threads per operation on any machine."""
    from mytorch.threads import num_threads

    with num_threads(2):
        yield
