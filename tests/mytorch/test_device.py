"""Errors if there is no usable GPU: each names its cause and its remedy. CuPy is replaced by a fake."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import mytorch
from mytorch import nn
from mytorch.device import device_of, require_cuda

from .launchers import GPU, NO_GPU


class CUDARuntimeError(RuntimeError):
    pass


def cupy(driver, runtime=13020, devices=1):
    """A fake CuPy with these versions. If `devices` is an exception, counting the devices raises it."""

    def count():
        if isinstance(devices, Exception):
            raise devices
        return devices

    module = ModuleType("cupy")
    module.cuda = SimpleNamespace(
        runtime=SimpleNamespace(
            driverGetVersion=lambda: driver,
            runtimeGetVersion=lambda: runtime,
            getDeviceCount=count,
            CUDARuntimeError=CUDARuntimeError,
        )
    )
    return module


CASES = {
    "no driver": (cupy(0), r"no NVIDIA driver: install it .*stay on the CPU: .to\('cpu'\)"),
    "too old a driver": (
        cupy(12040),
        r"too old: it supports CUDA 12.4, this CuPy needs 13.2: update the driver, or .*\[cuda12\]",
    ),
    "no GPU": (cupy(13020, devices=0), "sees no GPU: check nvidia-smi and CUDA_VISIBLE_DEVICES"),
    "a driver that fails": (
        cupy(13020, devices=CUDARuntimeError("cudaErrorUnknown")),
        r"does not answer \(cudaErrorUnknown\): does nvidia-smi work",
    ),
    "no CuPy": (None, r"needs CuPy, .*pip install '.\[cuda13\]', or '.\[cuda12\]'"),
}


@pytest.fixture(params=CASES)
def without(request, monkeypatch):
    """The reason why there is no GPU; yields the expected message."""
    module, message = CASES[request.param]
    monkeypatch.setitem(sys.modules, "cupy", module)
    return message


def test_network_that_cannot_go_to_the_gpu_says_why_and_is_not_changed(without):
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = {name: value.copy() for name, value in network.state_dict().items()}
    with pytest.raises(RuntimeError, match=without):
        network.to("cuda")
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_network_without_parameters_says_why_too(without):
    with pytest.raises(RuntimeError, match=without):
        nn.ReLU().to("cuda")


def test_array_that_cannot_go_to_the_gpu_says_why(without):
    with pytest.raises(RuntimeError, match=without):
        mytorch.to_device(np.zeros(3), "cuda")


def test_driver_newer_than_cupy_is_fine(monkeypatch):
    for driver, runtime in [(13020, 13000), (13000, 13020), (13000, 12080)]:
        monkeypatch.setitem(sys.modules, "cupy", cupy(driver, runtime))
        require_cuda()


def test_cpu_is_always_available():
    x = np.zeros(3)
    assert mytorch.to_device(x, "cpu") is x
    assert device_of(x) == "cpu"
    layer = nn.Linear(3, 2)
    assert layer.to("cpu") is layer
    assert layer(np.zeros((1, 3), "f")).shape == (1, 2)


def test_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device='gpu': expected 'cpu' or 'cuda'"):
        mytorch.to_device(np.zeros(3), "gpu")
    with pytest.raises(TypeError, match=r"to\('gpu'\): expected a device, 'cpu' or 'cuda', or float32 or float64"):
        nn.Linear(3, 2).to("gpu")


def test_backward_of_a_forward_before_the_move_is_refused():
    layer = nn.Linear(3, 2)
    y = layer(np.zeros((1, 3), "f"))
    with pytest.raises(RuntimeError, match="call forward first"):
        layer.to("cpu").backward(y)


@pytest.mark.gpu
@pytest.mark.skipif(bool(NO_GPU), reason=f"nothing was tested on a GPU: {NO_GPU}")
def test_this_run_includes_a_gpu():
    assert GPU
