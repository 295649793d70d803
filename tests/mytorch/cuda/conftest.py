"""Kernels launched on NumPy arrays, and comparisons of their results."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from mytorch.ops.cuda.loader import set_host_launcher

from ..launchers import HOST_AND_GPU, Launcher, launcher_for, signatures_of

TOLERANCE = {np.float64: 1e-12, np.float32: 2e-6}
"""Largest |ours - expected| / largest |expected|; the expected values are computed in float64."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kernels(*names): the kernels that this test runs, in both types of number")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with the mark `kernels` on the host, and on a GPU if there is one."""
    if metafunc.definition.get_closest_marker("kernels"):
        metafunc.fixturenames.append("launcher")
        metafunc.parametrize("launcher", HOST_AND_GPU, indirect=True, scope="session")


@pytest.fixture(scope="session")
def launcher(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    """The function that runs the kernels."""
    return launcher_for(request.param, tmp_path_factory)


@pytest.fixture(autouse=True)
def launches(request: pytest.FixtureRequest) -> Iterator[None]:
    """For a test with the mark `kernels`: use the launcher, and check at the end that each kernel was launched."""
    mark = request.node.get_closest_marker("kernels")
    if mark is None:
        yield
        return
    launcher = request.getfixturevalue("launcher")
    launcher.launched.clear()
    before = set_host_launcher(launcher)
    yield
    set_host_launcher(before)
    missing = {(name, kind) for name in mark.args for kind in "fd"} - launcher.launched
    assert not missing, f"never launched: {sorted(missing)}"


@pytest.fixture(scope="session")
def grid(launcher: Launcher) -> Callable[[st.DataObject], None]:
    """grid(data): draw a grid, mostly smaller than the data, and the order in which its threads run."""

    def draw(data: st.DataObject) -> None:
        launcher.blocks = data.draw(st.integers(1, 5), label="blocks")
        launcher.threads = data.draw(st.sampled_from([1, 2, 4, 16, 32]), label="threads")
        launcher.backwards = data.draw(st.booleans(), label="backwards")

    return draw


def _same(what: str, ours: np.ndarray, expected: Any, dtype: Any) -> None:
    expected = expected.detach().numpy() if hasattr(expected, "detach") else np.asarray(expected)
    assert ours.dtype == dtype, f"{what}: {ours.dtype}, expected {np.dtype(dtype)}"
    assert ours.shape == expected.shape, f"{what}: shape {ours.shape}, expected {expected.shape}"
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(ours[~finite], expected[~finite].astype(dtype), what)
    if finite.any():
        error = np.abs(ours[finite] - expected[finite]).max() / max(np.abs(expected[finite]).max(), 1e-30)
        assert error <= TOLERANCE[dtype], f"{what}: relative error {error:.1e}"


@pytest.fixture(scope="session")
def same() -> Callable[..., None]:
    """same(what, ours, expected, dtype): ours are the values expected, rounded to `dtype`."""
    return _same


@pytest.fixture(scope="session")
def signatures() -> Callable[[str], dict[str, list[str]]]:
    """signatures(source): the types of each kernel's parameters."""
    return signatures_of
