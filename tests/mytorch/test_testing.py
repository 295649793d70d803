"""`mytorch.testing.compare`: right layers pass, and each planted mistake is described as what it is."""

import numpy as np
import pytest
import torch

from mytorch import nn
from mytorch.testing import DifferenceError, compare, describe, relative_error

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((4, 5))
IMAGES = RNG.standard_normal((4, 3, 8, 8))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("ours", "theirs", "x"),
    [
        (lambda: nn.Linear(5, 3), lambda: torch.nn.Linear(5, 3), ROWS),
        (lambda: nn.Conv2d(3, 4, 3, padding=1), lambda: torch.nn.Conv2d(3, 4, 3, padding=1), IMAGES),
        (lambda: nn.BatchNorm2d(3), lambda: torch.nn.BatchNorm2d(3), IMAGES),
        (lambda: nn.MaxPool2d(2), lambda: torch.nn.MaxPool2d(2), IMAGES),
        (lambda: nn.Flatten(), lambda: torch.nn.Flatten(), IMAGES),
    ],
)
def test_right_layers_pass_with_small_errors(ours, theirs, x, dtype):
    other = theirs().to(torch.float64 if dtype == np.float64 else torch.float32)
    errors = compare(ours().to(dtype), other, x.astype(dtype))
    expected = {"output", "gradient of input", *(f"gradient of {name}" for name, _ in other.named_parameters())}
    assert set(errors) == expected
    assert max(errors.values()) < (1e-12 if dtype == np.float64 else 1e-5)


def test_a_loss_is_compared_with_its_target():
    logits, labels = RNG.standard_normal((6, 4)), np.array([0, 3, 1, 1, 2, 0])
    assert set(compare(nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss(), logits, labels)) == {
        "output", "gradient of input",
    }  # fmt: skip


class Handout:
    """A linear layer in the handout's style."""

    def __init__(self):
        self.W, self.b = np.zeros((3, 5)), np.zeros((3, 1))

    def forward(self, A):
        self.A = A
        return A @ self.W.T + self.b.T

    def backward(self, dLdZ):
        self.dLdW, self.dLdb = dLdZ.T @ self.A, dLdZ.sum(0)[:, None]
        return dLdZ @ self.W


def linear(**changes):
    """A Handout whose methods get a last step: `forward(layer, y)`, or `backward(layer, back)`."""

    class Changed(Handout):
        def forward(self, A):
            y = super().forward(A)
            return changes["forward"](self, y) if "forward" in changes else y

        def backward(self, dLdZ):
            back = super().backward(dLdZ)
            return changes["backward"](self, back) if "backward" in changes else back

    return Changed()


def set_gradient(name, change):
    def step(layer, back):
        setattr(layer, name, change(getattr(layer, name), layer))
        return back

    return step


def partly(array, index, value):
    changed = array.copy()
    changed[index] += value
    return changed


LINEAR = {
    "no bias": (linear(forward=lambda s, y: y - s.b.T), "output", "a missing bias"),
    "bias twice": (linear(forward=lambda s, y: y + s.b.T), "output", "a bias that is added twice"),
    "bias subtracted": (linear(forward=lambda s, y: y - 2 * s.b.T), "output", "first difference at [0, 0]"),
    "transposed output": (linear(forward=lambda s, y: y.T), "output", "transposed: use .transpose(1, 0)"),
    "an axis too many": (linear(forward=lambda s, y: y[..., None]), "output", "the right values in another shape"),
    "constant added": (linear(forward=lambda s, y: y + 0.25), "output", "the right values plus 0.25 everywhere"),
    "zeros": (linear(forward=lambda s, y: y * 0), "output", "zeros: it is never computed"),
    "NaN": (linear(forward=lambda s, y: partly(y, (0, 1), np.nan)), "output", "NaN in 1 elements"),
    "negative": (linear(forward=lambda s, y: -y), "output", "the wrong sign"),
    "sign of input gradient": (linear(backward=lambda s, b: -b), "gradient of input", "the wrong sign"),
    "batch size": (linear(backward=lambda s, b: b * 4), "gradient of input", "a missing division by the batch size 4"),
    "mean": (linear(backward=lambda s, b: b / 4), "gradient of input", "a division by the batch size 4 too many"),
    "twice": (
        linear(backward=set_gradient("dLdW", lambda g, s: 2 * g)),
        "gradient of weight",
        "twice the right values",
    ),
    "W transposed": (linear(backward=set_gradient("dLdW", lambda g, s: g.T)), "gradient of weight", "transposed"),
    "no sum": (
        linear(backward=set_gradient("dLdb", lambda g, s: np.ones((4, 3)))),
        "gradient of bias",
        "shape (4, 3), expected (3,)",
    ),
    "no gradient": (
        linear(backward=set_gradient("dLdb", lambda g, s: None)),
        "gradient of bias",
        "missing; expected an array",
    ),
    "None": (linear(backward=lambda s, b: None), "gradient of input", "missing; expected an array of shape (4, 5)"),
    "one sample": (linear(forward=lambda s, y: partly(y, 2, 0.1)), "output", "a mistake in samples [2] only"),
    "one element": (linear(forward=lambda s, y: partly(y, (1, 2), 0.1)), "output", "first difference at [1, 2]"),
    "times 0.3": (linear(forward=lambda s, y: 0.3 * y), "output", "the right values times 0.3"),
    "flipped": (linear(forward=lambda s, y: y[:, ::-1]), "output", "flipped along axis 1"),
    "float16 inside": (linear(forward=lambda s, y: y.astype("e").astype("d")), "output", "a loss of precision"),
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_mistake_of_a_plain_class_is_described(name):
    torch.manual_seed(0)
    layer, where, what = LINEAR[name]
    with pytest.raises(DifferenceError) as found:
        compare(layer, torch.nn.Linear(5, 3).double(), ROWS)
    lines = [line for line in str(found.value).splitlines() if line.startswith(f"  {where}:")]
    assert len(lines) == 1, found.value
    assert what in lines[0]


def conv(change):
    class Changed(nn.Conv2d):
        def forward(self, x):
            return change(super().forward(x))

    return Changed(3, 4, 3, padding=1).to(np.float64)


def shifted(y):
    moved = np.roll(y, 1, axis=2)
    moved[:, :, 0] = 0
    return moved


def bordered(y):
    y = y.copy()
    y[:, :, 0] = 0
    y[:, :, :, -1] = 0
    return y


CONVOLUTION = {
    "shifted": (shifted, "shifted by one along axis 2"),
    "flipped": (lambda y: np.ascontiguousarray(y[:, :, ::-1, ::-1]), "flipped along axes 2 and 3"),
    "exchanged": (lambda y: np.swapaxes(y, 2, 3), "with axes 2 and 3 exchanged"),
    "border": (bordered, "a wrong border: check the padding"),
    "channel": (lambda y: y * np.array([1, 1, 2, 1])[:, None, None], "a mistake in channels [2] only"),
    "size": (lambda y: y[:, :, :-1], "an output size that is off by one or two"),
    "channels last": (lambda y: np.moveaxis(y, 1, -1), "transposed: use .transpose(0, 3, 1, 2)"),
    "sum for mean": (lambda y: y * 64, "a missing division by the 64 positions"),
}


@pytest.mark.parametrize("name", CONVOLUTION)
def test_a_mistake_of_a_convolution_is_described(name):
    torch.manual_seed(0)
    change, what = CONVOLUTION[name]
    with pytest.raises(DifferenceError, match="output: ") as found:
        compare(conv(change), torch.nn.Conv2d(3, 4, 3, padding=1).double(), IMAGES)
    assert what in str(found.value)


def test_all_arrays_that_differ_are_listed():
    with pytest.raises(DifferenceError, match="Linear differs from Linear") as found:
        compare(nn.Linear(5, 3).to(np.float64), torch.nn.Linear(5, 3).double(), ROWS, copy_weights=False)
    assert [line.split(":")[0].strip() for line in str(found.value).splitlines()[1:]] == ["output", "gradient of input"]


def test_weights_that_cannot_be_copied_are_named():
    with pytest.raises(ValueError, match=r"missing: weight"):
        compare(nn.Linear(5, 3), torch.nn.ReLU(), ROWS)
    with pytest.raises(ValueError, match=r"Handout has no parameter for PyTorch's weight of shape \(2, 5\)"):
        compare(Handout(), torch.nn.Linear(5, 2), ROWS)
    with pytest.raises(ValueError, match="compare got no inputs"):
        compare(nn.ReLU(), torch.nn.ReLU())


@pytest.mark.parametrize(
    ("got", "right", "error"),
    [
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ([np.nan, 1.0], [np.nan, 1.0], 0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([], [], 0),
    ],
)
def test_relative_error(got, right, error):
    assert relative_error(np.array(got), np.array(right)) == error


def test_describe_names_the_first_element():
    right = np.arange(6.0).reshape(2, 3) + 1
    got = right.copy()
    got[1, 0] = 7
    assert describe(got, right).startswith("first difference at [1, 0]: 7, expected 4 (1 of 6 elements differ)")
