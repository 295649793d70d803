"""Rules that every layer must follow."""

import numpy as np
import pytest
import torch

import mytorch
from mytorch import nn

from .every_layer import IMAGES, LAYERS


@pytest.fixture(params=LAYERS)
def layer(request):
    mytorch.manual_seed(0)
    return LAYERS[request.param]().to(float)


def gradients(layer):
    return {name: parameter.grad.copy() for name, parameter in layer.named_parameters()}


def run(layer, x=IMAGES, seed=1):
    """Output, gradient at the input, and the parameters' gradients of one pass, always with the same dropout."""
    mytorch.manual_seed(seed)
    y = layer(x)
    return y, layer.backward(np.cos(np.arange(y.size, dtype=x.dtype)).reshape(y.shape))


def test_backward_is_the_derivative_of_forward(layer):
    errors = mytorch.gradcheck(layer, IMAGES)
    assert set(errors) == {"input", *(name for name, _ in layer.named_parameters())}
    mytorch.gradcheck(layer.eval(), IMAGES)


def test_gradients_of_two_passes_add_up_until_zero_grad(layer):
    run(layer)
    once = gradients(layer)
    run(layer)
    for name, grad in gradients(layer).items():
        np.testing.assert_allclose(grad, 2 * once[name], rtol=1e-12)
    layer.zero_grad()
    assert all(parameter.grad is None for parameter in layer.parameters())
    run(layer)
    for name, grad in gradients(layer).items():
        np.testing.assert_array_equal(grad, once[name])


def test_evaluation_between_forward_and_backward_changes_no_gradient(layer):
    _, expected = run(layer)
    own = gradients(layer)
    layer.zero_grad()
    mytorch.manual_seed(1)
    y = layer(IMAGES)
    with mytorch.no_grad():
        layer(IMAGES * 3)
    layer.eval()
    layer(IMAGES * 2)
    layer.train()
    grad = layer.backward(np.cos(np.arange(y.size, dtype=float)).reshape(y.shape))
    np.testing.assert_array_equal(grad, expected)
    for name, value in gradients(layer).items():
        np.testing.assert_array_equal(value, own[name])


def test_arrays_handed_out_are_never_written_to_again(layer):
    mytorch.manual_seed(2)
    state = [array.copy() for array in layer.state_dict().values()]
    y, grad = run(layer)
    given = [y, grad, *(parameter.grad for parameter in layer.parameters())]
    before = [array.copy() for array in given]
    layer.zero_grad()
    run(layer, IMAGES * 2 + 1)
    run(layer, IMAGES[:3])
    for array, value in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, value)
    for (name, array), value in zip(layer.state_dict().items(), state, strict=True):
        assert name.rpartition(".")[2].startswith(("running", "num")) or np.array_equal(array, value), name


def test_gradients_share_no_memory_with_one_another_or_with_what_was_given(layer):
    y = layer(IMAGES)
    grad = np.ones(y.shape)
    back = layer.backward(grad)
    arrays = [parameter.grad for parameter in layer.parameters()]
    for index, array in enumerate(arrays):
        others = [grad, IMAGES, y, back, *arrays[:index], *(parameter.data for parameter in layer.parameters())]
        assert not any(np.shares_memory(array, other) for other in others)


def test_float32_stays_float32_end_to_end(layer):
    layer.to(np.float32)
    y, grad = run(layer, IMAGES.astype("f"))
    assert y.dtype == grad.dtype == np.float32
    y = layer.eval()(IMAGES.astype("f"))
    assert y.dtype == layer.backward(y).dtype == np.float32
    for name, value in layer.state_dict().items():
        assert value.dtype == (np.int64 if name.endswith("tracked") else np.float32), name
    assert all(parameter.grad.dtype == np.float32 for parameter in layer.parameters())


def test_backward_without_a_forward_is_refused(layer):
    with pytest.raises(RuntimeError, match="found nothing saved by a forward in training mode: call forward first"):
        layer.backward(layer.eval()(IMAGES) if not layer.train() else IMAGES)


def test_second_backward_after_one_forward_is_refused(layer):
    y, _ = run(layer)
    with pytest.raises(RuntimeError, match="backward once after each forward"):
        layer.backward(y)


def test_forward_inside_no_grad_saves_nothing(layer):
    with mytorch.no_grad():
        y = layer(IMAGES)
    assert not any(module.__dict__.get("_kept") for _, module in layer.named_modules())
    with pytest.raises(RuntimeError, match="outside of no_grad"):
        layer.backward(y)


def test_backward_frees_what_forward_saved(layer):
    run(layer)
    assert not any(module.__dict__.get("_kept") for _, module in layer.named_modules())


def test_gradient_of_another_shape_is_refused(layer):
    y = layer(IMAGES)
    with pytest.raises(ValueError, match=rf"gradient of shape .*: expected \({len(y)}, .*, that of its output"):
        layer.backward(np.ones((1, *y.shape[1:])))  # would broadcast silently


def test_gradient_of_another_dtype_is_refused(layer):
    y = layer(IMAGES)
    with pytest.raises(TypeError, match="gradient of float32: expected float64, as its output"):
        layer.backward(np.ones(y.shape, "f"))


@pytest.mark.parametrize("dtype", [int, np.float16, bool, complex])
def test_input_that_is_not_float32_or_float64_is_refused(layer, dtype):
    with pytest.raises(TypeError, match=f"got an input of {np.dtype(dtype)}: expected float32 or float64; convert"):
        layer(np.zeros((4, 6, 7, 5), dtype))


@pytest.mark.parametrize("input", [[[1.0, 2.0]], torch.zeros(4, 6, 7, 5)])
def test_list_and_tensor_are_refused(layer, input):
    with pytest.raises(TypeError, match=f"got a {type(input).__name__}: expected an array"):
        layer(input)


def test_gradient_that_is_a_tensor_is_refused(layer):
    y = layer(IMAGES)
    with pytest.raises(TypeError, match="backward got a Tensor as the gradient: expected an array of shape"):
        layer.backward(torch.ones(y.shape))


@pytest.mark.parametrize("name", ["Conv2d", "Linear", "BatchNorm2d"])
def test_input_of_another_dtype_than_the_parameters_is_refused(name):
    layer = LAYERS[name]()
    with pytest.raises(TypeError, match=r"parameters of float32: .*x.astype\('float32'\).*\.to\('float64'"):
        layer(IMAGES)


def test_every_layer_is_here():
    here = {type(module).__name__ for build in LAYERS.values() for _, module in build().named_modules()}
    two_arguments = {name for name in nn.__all__ if name.endswith("Loss")} | {"ArcFace", "Bilinear", "CosFace"}
    two_arguments |= {"CosineSimilarity", "PairwiseDistance"}
    assert set(nn.__all__) - two_arguments - {"Module", "Parameter"} <= here


def test_precision_is_the_weights_and_never_mixed_without_weights_it_is_the_inputs(layer):
    if not list(layer.parameters()):
        assert layer(IMAGES.astype("f")).dtype == np.float32
        return
    with pytest.raises(TypeError, match=r"got an input of float32 and has parameters of float64: convert"):
        layer(IMAGES.astype("f"))


@pytest.mark.parametrize(
    "name",
    [
        "BatchNorm2d",
        "Downsample2d",
        "DropBlock2d",
        "GlobalAvgPool2d",
        "SqueezeExcitation",
        "ZeroUpsample2d",
    ],
)
def test_input_without_a_batch_axis_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name} got an input of shape \(6, 7, 5\): expected 4 axes, \(N, C, H, W\)"):
        LAYERS[name]()(IMAGES[0].astype("f"))


@pytest.mark.parametrize("name", ["Conv2d", "BatchNorm2d", "Linear"])
def test_input_with_other_channels_is_refused(name):
    wanted = r"\*, 5" if name == "Linear" else "N, 6, H, W"
    with pytest.raises(ValueError, match=rf"{name} got .* shape .*: expected \({wanted}\); give it [56] channels"):
        LAYERS[name]()(IMAGES[:, :5, :, :4].astype("f"))


def test_an_empty_batch_gives_an_empty_result(layer):
    """As the last part of a filtered batch may be; PyTorch's layers accept it in evaluation mode, too."""
    layer.eval()
    one = layer(IMAGES[:1])
    y = layer(IMAGES[:0])
    assert y.shape == (0, *one.shape[1:])
    grad = layer.backward(np.zeros_like(y))
    assert grad.shape == IMAGES[:0].shape
    assert all(not parameter.grad.any() for parameter in layer.parameters() if parameter.grad is not None)
