import re

import numpy as np
import pytest

import mytorch
from mytorch import nn
from mytorch.ops import conv, linear

X = np.random.default_rng(0).standard_normal((3, 2, 6, 5))


class ForgottenBiasSum(nn.Linear):
    def backward(self, grad):
        (x,) = self.saved(grad)
        self.weight.accumulate(linear.linear_weight_grad(grad, x))
        self.bias.accumulate(grad[0])
        return linear.linear_input_grad(grad, self.weight.data)


class FlippedKernel(nn.Conv2d):
    def backward(self, grad):
        x, *_ = self.saved(grad)
        geometry = (self.stride, self.padding, self.dilation, self.groups)
        self.bias.accumulate(conv.conv_bias_grad(grad))
        flipped = conv.conv_weight_grad(grad, x, self.kernel_size, *geometry)[:, :, ::-1, ::-1]
        self.weight.accumulate(flipped)
        return conv.conv_input_grad(grad, self.weight.data, x.shape[2:], *geometry)


class WrongScale(nn.AvgPool2d):
    def backward(self, grad):
        return super().backward(grad) * self.kernel_size[0]


class NotANumber(nn.Linear):
    def backward(self, grad):
        back = super().backward(grad)
        self.weight.grad[0, 0] = np.nan
        return back


class NoGradientAtAll(nn.Linear):
    def backward(self, grad):
        (_,) = self.saved(grad)
        return grad @ self.weight.data


class OneElementWrong(nn.ReLU):
    def backward(self, grad):
        back = super().backward(grad)
        back[0, 0, 0, 0] += 1e-3
        return back


@pytest.mark.parametrize(
    ("layer", "x", "culprit"),
    [
        (ForgottenBiasSum(5, 2), X[:, 0, 0], "bias"),
        (FlippedKernel(2, 3, 3), X, "weight"),
        (WrongScale(2), X, "input"),
        (NotANumber(5, 2), X[:, 0, 0], "weight"),
        (OneElementWrong(), X, "input"),
    ],
)
def test_planted_mistake_is_found_and_named(layer, x, culprit):
    with pytest.raises(mytorch.GradientError, match=f"{type(layer).__name__}: the gradient of ({culprit}) is off by"):
        mytorch.gradcheck(layer.to(float), x)


def test_network_and_loss_pass():
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(24, 5),
    ).to(float)
    mytorch.manual_seed(0)
    errors = mytorch.gradcheck(network, X)
    assert list(errors) == ["input", "0.weight", "1.weight", "1.bias", "6.weight", "6.bias"]
    logits = np.random.default_rng(1).standard_normal((4, 3))
    for target in (np.array([0, 2, 1, 1]), np.abs(logits)):
        mytorch.gradcheck(nn.CrossEntropyLoss(label_smoothing=0.1), logits, target)
        mytorch.gradcheck(nn.CrossEntropyLoss(reduction="sum"), logits, target)


class Handout:
    """A student's linear layer with the handout's names, which saves its input and its gradient."""

    def __init__(self, mistake=0.0, dtype=float):
        self.W = np.random.default_rng(2).standard_normal((2, 5)).astype(dtype)
        self.b = np.zeros((2, 1), dtype)
        self.mistake = mistake

    def forward(self, A):
        self.A = A.copy()
        return A @ self.W.T + self.b.T

    def backward(self, dLdZ):
        self.dLdA = dLdZ @ self.W
        self.dLdW = dLdZ.T @ self.A + self.mistake
        self.dLdb = dLdZ.sum(0)[:, None]
        return self.dLdA


def test_plain_class_with_the_handouts_names_is_checked():
    layer = Handout()
    assert set(mytorch.gradcheck(layer, X[:, 0, 0])) == {"input", "W", "b"}
    layer.forward(X[:, 0, 0])
    assert set(mytorch.gradcheck(layer, X[:, 0, 0])) == {"input", "W", "b"}
    with pytest.raises(mytorch.GradientError, match="Handout: the gradient of W is off by"):
        mytorch.gradcheck(Handout(mistake=0.1), X[:, 0, 0])


def test_gradient_of_a_wrong_shape_is_an_error_and_not_broadcast():
    layer = Handout()
    layer.backward = lambda dLdZ: Handout.backward(layer, dLdZ)[:1]
    with pytest.raises(mytorch.GradientError, match=r"the gradient of input has the shape \(1, 5\): expected \(3, 5\)"):
        mytorch.gradcheck(layer, X[:, 0, 0])


@pytest.mark.parametrize(
    ("layer", "inputs", "came"),
    [
        (nn.ReLU(), [X.astype("f")], "float32"),
        (nn.ReLU(), [[1.0, 2.0]], "list"),
        (nn.ReLU(), [], "no input"),
        (Handout(dtype=np.float32), [X[:, 0, 0]], "a parameter of float32"),
    ],
)
def test_all_but_float64_is_refused(layer, inputs, came):
    with pytest.raises(TypeError, match=f"gradcheck got {came}: differences need the precision of float64"):
        mytorch.gradcheck(layer, *inputs)


def test_layer_input_and_generators_are_restored():
    mytorch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Dropout()).to(float)
    before = {name: value.copy() for name, value in layer.state_dict().items()}
    x = X.copy()
    mytorch.manual_seed(5)
    np.random.seed(5)
    mytorch.gradcheck(layer, x)
    drawn = mytorch.random.default_generator().random(), np.random.rand()
    mytorch.manual_seed(5)
    np.random.seed(5)
    assert drawn == (mytorch.random.default_generator().random(), np.random.rand())
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    np.testing.assert_array_equal(x, X)
    assert all(parameter.grad is None for parameter in layer.parameters())
    with pytest.raises(RuntimeError):
        layer.backward(np.zeros((3, 3, 4, 3)))


class HandoutVariant(Handout):
    """The handout's layer with its backward's attributes changed by `change(layer)` after each backward."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def backward(self, dLdZ):
        back = super().backward(dLdZ)
        return self.change(self, back)


def misspelled(layer, back):
    layer.dLdw = vars(layer).pop("dLdW")
    return back


def left_out(layer, back):
    del layer.dLdb
    return back


def none(layer, back):
    layer.dLdb = None
    return back


def flat_bias(layer, back):
    layer.dLdb = layer.dLdb[:, 0]
    return back


def transposed(layer, back):
    layer.dLdW = layer.dLdW.T
    return back


def a_number(layer, back):
    layer.dLdb = 0.0
    return back


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            misspelled,
            r"backward gave W no gradient, but the output depends on it: set self.dLdW; there is self.dLdw",
        ),
        (left_out, r"backward gave b no gradient, but the output depends on it: set self.dLdb"),
        (none, r"backward gave b no gradient, but the output depends on it: set self.dLdb"),
        (flat_bias, r"the gradient of b has the shape \(2,\): expected \(2, 1\)"),
        (transposed, r"the gradient of W has the shape \(5, 2\): expected \(2, 5\)"),
        (a_number, r"the gradient of b is 0.0: expected an array of shape \(2, 1\)"),
        (lambda layer, back: None, r"HandoutVariant.backward returned None: return the gradient at the input"),
    ],
)
def test_a_gradient_that_is_missing_or_of_another_kind_is_named(change, message):
    with pytest.raises(mytorch.GradientError, match=message):
        mytorch.gradcheck(HandoutVariant(change), X[:, 0, 0])


def test_a_parameter_of_a_module_without_gradient_is_named():
    message = "NoGradientAtAll: backward gave weight no gradient, but the output depends on it"
    with pytest.raises(mytorch.GradientError, match=message):
        mytorch.gradcheck(NoGradientAtAll(5, 2).to(float), X[:, 0, 0])


def test_a_parameter_that_forward_does_not_use_needs_no_gradient():
    layer = nn.ReLU()
    layer.unused = nn.Parameter(np.ones(3))
    assert set(mytorch.gradcheck(layer, X)) == {"input"}


class Accumulating(Handout):
    """Gradients that add up over calls, as those of some solutions do."""

    def __init__(self):
        super().__init__()
        self.dLdW, self.dLdb = np.zeros_like(self.W), np.zeros_like(self.b)

    def backward(self, dLdZ):
        self.dLdW += dLdZ.T @ self.A
        self.dLdb += dLdZ.sum(0)[:, None]
        return dLdZ @ self.W


def test_gradients_that_accumulate_are_reset():
    layer = Accumulating()
    layer.forward(X[:, 0, 0])
    layer.backward(np.ones((3, 2)))
    assert set(mytorch.gradcheck(layer, X[:, 0, 0])) == {"input", "W", "b"}


def test_the_worst_element_is_shown_with_both_values():
    class OneWrong(nn.Linear):
        def backward(self, grad):
            back = super().backward(grad)
            self.weight.grad[1, 3] += 0.5
            return back

    with pytest.raises(
        mytorch.GradientError, match=r"worst element \[1, 3\]: backward gives (\S+), the .* is (\S+)"
    ) as found:
        mytorch.gradcheck(OneWrong(5, 2).to(float), X[:, 0, 0])
    values = re.search(r"gives (\S+), the numerical gradient is (\S+)", str(found.value))
    assert float(values[1]) - float(values[2]) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("wrong_calls", [{0}, {1}, {2}])
def test_every_direction_counts(wrong_calls):
    class WrongAtTimes(nn.ReLU):
        calls = 0

        def backward(self, grad):
            back = super().backward(grad)
            type(self).calls += 1
            return back * (10 if self.calls - 1 in wrong_calls else 1)

    with pytest.raises(mytorch.GradientError, match="the gradient of input is off by 9"):
        mytorch.gradcheck(WrongAtTimes(), X)


def test_without_directions_nothing_would_be_checked():
    with pytest.raises(ValueError, match="directions=0"):
        mytorch.gradcheck(nn.ReLU(), X, directions=0)
