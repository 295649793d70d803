import numpy as np
import pytest
import torch

from mytorch import nn


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.LeakyReLU()),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(8, 5),
        nn.BatchNorm1d(5, affine=False),
    )


def twin():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1, bias=False),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3, groups=8), torch.nn.LeakyReLU()),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.1),
        torch.nn.Linear(8, 5),
        torch.nn.BatchNorm1d(5, affine=False),
    )


def test_state_has_pytorchs_names_shapes_types_and_order():
    ours, theirs = network(), twin()
    described = [(name, value.shape, str(value.dtype)) for name, value in ours.state_dict().items()]
    expected = [(name, tuple(value.shape), str(value.numpy().dtype)) for name, value in theirs.state_dict().items()]
    assert described == expected
    parameters = [name for name, _ in theirs.named_parameters()]
    assert [name for name, _ in ours.named_parameters()] == parameters


def test_modules_children_and_buffers_have_pytorchs_names_and_order():
    ours, theirs = network(), twin()
    for name in ("modules", "children"):
        kinds = [
            type(module).__name__.replace("GlobalAvgPool2d", "AdaptiveAvgPool2d") for module in getattr(ours, name)()
        ]
        assert kinds == [type(module).__name__ for module in getattr(theirs, name)()]
    assert [name for name, _ in ours.named_buffers()] == [name for name, _ in theirs.named_buffers()]
    assert all(a is b for (_, a), b in zip(ours.named_buffers(), ours.buffers(), strict=True))


def test_state_is_loaded_by_copy():
    ours = network()
    state = {name: value + 1 for name, value in ours.state_dict().items()}
    ours.load_state_dict(state)
    state["0.weight"][...] = 7
    assert not (ours[0].weight.data == 7).any()


def test_loading_keeps_this_networks_dtype():
    ours = network().to(float)
    ours.load_state_dict(network().state_dict())
    assert ours[0].weight.dtype == ours[1].running_mean.dtype == np.float64
    assert ours[1].num_batches_tracked.dtype == np.int64


def test_weights_that_do_not_fit_are_all_listed_and_nothing_is_changed():
    ours = network()
    before = {name: value.copy() for name, value in ours.state_dict().items()}
    state = {name: value + 1 for name, value in before.items()}
    del state["0.weight"], state["8.bias"]
    state["head.weight"] = np.zeros(3)
    state["8.weight"] = np.zeros((4, 8))
    with pytest.raises(ValueError, match="these weights do not fit this Sequential") as error:
        ours.load_state_dict(state)
    for line in ("missing: 0.weight", "missing: 8.bias", "unknown: head.weight", "8.weight: shape (4, 8) where (5, 8)"):
        assert line in str(error.value)
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_weights_that_are_tensors_are_refused():
    with pytest.raises(TypeError, match="not arrays, but such as a Tensor: weight, bias; convert each"):
        nn.Linear(3, 2).load_state_dict(torch.nn.Linear(3, 2).state_dict())


def test_gradient_given_to_a_parameter_is_not_its_own_array():
    parameter, grad = nn.Parameter(np.zeros(3)), np.ones(3)
    parameter.accumulate(grad)
    parameter.accumulate(grad)
    parameter.accumulate(parameter.grad)
    assert np.array_equal(grad, [1, 1, 1])
    assert np.array_equal(parameter.grad, [4, 4, 4])


def test_gradient_of_another_shape_than_the_parameter_is_refused():
    parameter = nn.Parameter(np.zeros((2, 3)))
    for shape in [(3,), (1, 3), (3, 2)]:
        with pytest.raises(ValueError, match=r"a parameter of shape \(2, 3\) got a gradient of shape"):
            parameter.accumulate(np.ones(shape))


def test_gradient_is_kept_in_the_parameters_dtype():
    parameter = nn.Parameter(np.zeros(3, "f"))
    for _ in range(2):
        parameter.accumulate(np.ones(3))
        assert parameter.grad.dtype == np.float32


def test_train_and_eval_reach_every_layer():
    ours = network()
    assert ours.eval() is ours
    assert not any(module.training for _, module in ours.named_modules())
    assert ours.train() is ours
    assert all(module.training for _, module in ours.named_modules())


def test_a_frozen_layers_mode_is_its_own():
    ours = network()
    ours[1].eval()
    before = ours[1].running_mean.copy()
    ours(np.ones((2, 3, 6, 6), "f"))
    np.testing.assert_array_equal(ours[1].running_mean, before)
    assert ours[9].num_batches_tracked == 1


@pytest.mark.parametrize("dtype", [int, np.float16])
def test_networks_are_in_float32_or_float64(dtype):
    with pytest.raises(TypeError, match=rf"to\({np.dtype(dtype)}\): networks compute in float32 or float64"):
        network().to(dtype)


def test_layer_without_forward_or_backward_says_so():
    class Half(nn.Module):
        pass

    with pytest.raises(TypeError, match="Half has no forward: define forward"):
        Half()(np.zeros(1))
    with pytest.raises(TypeError, match="Half has no backward: define backward"):
        Half().backward(np.zeros(1))


def test_own_layer_needs_nothing_but_forward_and_backward():
    class Scale(nn.Module):
        def __init__(self):
            self.factor = nn.Parameter(np.array(2.0))

        def forward(self, x):
            self.save_for_backward(x)
            return self.factor.data * x

        def backward(self, grad):
            (x,) = self.saved()
            self.factor.accumulate((grad * x).sum())
            return grad * self.factor.data

    from mytorch import gradcheck

    assert set(gradcheck(nn.Sequential(Scale()), np.arange(5.0))) == {"input", "0.factor"}


def test_network_prints_readably():
    assert repr(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Residual(nn.Sequential(nn.ReLU())))) == (
        "Sequential(\n"
        "  (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)\n"
        "  (1): Residual(\n"
        "    (body): Sequential(\n"
        "      (0): ReLU()\n"
        "    )\n"
        "  )\n"
        ")"
    )
    for ours, theirs in [
        (nn.Conv2d(2, 4, (3, 2), 2, dilation=3, groups=2), torch.nn.Conv2d(2, 4, (3, 2), 2, dilation=3, groups=2)),
        (nn.LeakyReLU(0.2), torch.nn.LeakyReLU(0.2)),
    ]:
        assert repr(ours) == repr(theirs)
    assert repr(nn.Linear(3, 2, bias=False)) == "Linear(3, 2, bias=False)"
    assert repr(nn.BatchNorm2d(4)) == "BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    assert repr(nn.MaxPool2d(3, 2)) == "MaxPool2d(kernel_size=(3, 3), stride=(2, 2), padding=(0, 0))"
    assert repr(nn.Dropout(0.2)) == "Dropout(p=0.2, inplace=False)"
    assert repr(nn.Linear(3, 2).weight) == "Parameter(2x3, float32)"


@pytest.mark.parametrize("value", [np.array(["a", "b"]), np.array([{}, 1], object), np.array([[], 1], object)])
def test_a_value_that_is_no_number_changes_nothing(value):
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = {name: array.copy() for name, array in network.state_dict().items()}
    state = {name: np.full(array.shape, 9, "f") for name, array in before.items()}
    with pytest.raises(ValueError, match=r"do not fit this Sequential:\n  1\.bias: "):
        network.load_state_dict({**state, "1.bias": value})
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_to_drops_gradients():
    layer = nn.Linear(2, 2)
    layer.backward(np.ones_like(layer(np.ones((1, 2), "f"))))
    assert layer.weight.grad is not None
    assert all(parameter.grad is None for parameter in layer.to(np.float64).parameters())


@pytest.mark.parametrize("grad", [np.float32(1), np.array(1.0), np.float64(1)])
def test_a_parameter_without_dimensions_has_arrays(grad):
    parameter = nn.Parameter(np.float32(2))
    parameter.accumulate(grad)
    parameter.accumulate(grad)
    assert isinstance(parameter.data, np.ndarray)
    assert isinstance(parameter.grad, np.ndarray)
    assert (parameter.grad.shape, parameter.grad.dtype, parameter.grad) == ((), np.float32, 2)
    parameter.grad = np.float32(3)
    assert isinstance(parameter.grad, np.ndarray)
