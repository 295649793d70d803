"""The handout's contract, as an external grader checks it: constructor calls, attributes, shapes, dtypes, draws."""

from operator import attrgetter
from types import SimpleNamespace

import numpy as np
import pytest

from mytorch import course

# class, constructor's arguments, shapes of attributes, shape of input, shape of output
LAYERS = [
    ("Upsample1d", (3,), {}, (2, 3, 5), (2, 3, 13)),
    ("Upsample2d", (3,), {}, (2, 3, 5, 4), (2, 3, 13, 10)),
    ("Downsample1d", (3,), {}, (2, 3, 8), (2, 3, 3)),
    ("Downsample2d", (3,), {}, (2, 3, 8, 7), (2, 3, 3, 3)),
    ("Conv1d_stride1", (3, 4, 5), {"W": (4, 3, 5), "b": (4,)}, (2, 3, 9), (2, 4, 5)),
    ("Conv2d_stride1", (3, 4, 2), {"W": (4, 3, 2, 2), "b": (4,)}, (2, 3, 9, 6), (2, 4, 8, 5)),
    ("Conv1d", (3, 4, 5, 2), {"conv1d_stride1.W": (4, 3, 5), "conv1d_stride1.b": (4,)}, (2, 3, 10), (2, 4, 3)),
    ("Conv1d", (3, 4, 5, 2, 1), {"conv1d_stride1.W": (4, 3, 5)}, (2, 3, 10), (2, 4, 4)),
    ("Conv2d", (3, 4, 2, 3), {"conv2d_stride1.W": (4, 3, 2, 2), "conv2d_stride1.b": (4,)}, (2, 3, 9, 6), (2, 4, 3, 2)),
    ("Conv2d", (3, 4, 2, 3, 2), {"conv2d_stride1.W": (4, 3, 2, 2)}, (2, 3, 9, 6), (2, 4, 4, 3)),
    (
        "ConvTranspose1d",
        (3, 4, 2, 3),
        {"conv1d_stride1.W": (4, 3, 2), "conv1d_stride1.b": (4,), "upsample1d.upsampling_factor": ()},
        (2, 3, 5),
        (2, 4, 12),
    ),
    (
        "ConvTranspose2d",
        (3, 4, 2, 3),
        {"conv2d_stride1.W": (4, 3, 2, 2), "conv2d_stride1.b": (4,), "upsample2d.upsampling_factor": ()},
        (2, 3, 5, 4),
        (2, 4, 12, 9),
    ),
    ("MaxPool2d_stride1", (3,), {}, (2, 3, 7, 5), (2, 3, 5, 3)),
    ("MeanPool2d_stride1", (3,), {}, (2, 3, 7, 5), (2, 3, 5, 3)),
    ("MaxPool2d", (3, 2), {}, (2, 3, 8, 5), (2, 3, 3, 2)),
    ("MeanPool2d", (3, 2), {}, (2, 3, 8, 5), (2, 3, 3, 2)),
    ("Flatten", (), {}, (2, 3, 5), (2, 15)),
    ("Flatten", (), {}, (2, 3, 5, 4), (2, 60)),
    ("Linear", (3, 4), {"W": (4, 3), "b": (4, 1)}, (2, 3), (2, 4)),
    ("Identity", (), {}, (2, 3), (2, 3)),
    ("Sigmoid", (), {}, (2, 3), (2, 3)),
    ("Tanh", (), {}, (2, 3), (2, 3)),
    ("ReLU", (), {}, (2, 3, 4), (2, 3, 4)),
    ("GELU", (), {}, (2, 3), (2, 3)),
    ("Swish", (), {"beta": ()}, (2, 3), (2, 3)),
    ("Softmax", (), {}, (2, 3), (2, 3)),
    ("BatchNorm1d", (3,), {"BW": (1, 3), "Bb": (1, 3), "running_M": (1, 3), "running_V": (1, 3)}, (4, 3), (4, 3)),
    (
        "BatchNorm2d",
        (3, 0.8),
        {"BW": (1, 3, 1, 1), "Bb": (1, 3, 1, 1), "running_M": (1, 3, 1, 1), "running_V": (1, 3, 1, 1)},
        (2, 3, 5, 4),
        (2, 3, 5, 4),
    ),
    ("Dropout", (), {}, (2, 3), (2, 3)),
    ("Dropout2d", (0.3,), {}, (2, 3, 5, 4), (2, 3, 5, 4)),
    ("ResBlock", (3, 4, 3), {}, (2, 3, 9, 7), (2, 4, 3, 3)),
    ("ResBlock", (3, 3, 1, 1, 0), {}, (2, 3, 9, 7), (2, 3, 9, 7)),
]
IDS = [f"{name}{arguments}" for name, arguments, *_ in LAYERS]
layers = pytest.mark.parametrize(("name", "arguments", "attributes", "before", "after"), LAYERS, ids=IDS)
GRADIENTS = {"W": "dLdW", "b": "dLdb", "BW": "dLdBW", "Bb": "dLdBb", "beta": "dLdbeta"}


@layers
def test_shapes_are_the_contracts(name, arguments, attributes, before, after):
    layer = getattr(course, name)(*arguments)
    for attribute, shape in attributes.items():
        assert np.shape(attrgetter(attribute)(layer)) == shape
    Z = layer(np.random.default_rng(0).standard_normal(before))
    assert Z.shape == after
    assert layer.backward(np.ones(after)).shape == before
    for attribute, shape in attributes.items():
        *owner, last = attribute.split(".")
        if last in GRADIENTS:
            assert np.shape(attrgetter(".".join([*owner, GRADIENTS[last]]))(layer)) == shape


@layers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_have_the_inputs_dtype(name, arguments, attributes, before, after, dtype):
    layer = getattr(course, name)(*arguments)  # its parameters are float64
    x = np.random.default_rng(0).standard_normal(before).astype(dtype)
    assert layer(x).dtype == dtype
    assert layer.backward(np.ones(after, dtype)).dtype == dtype
    for attribute in attributes:
        *owner, last = attribute.split(".")
        if last in GRADIENTS and last != "beta":
            assert attrgetter(".".join([*owner, GRADIENTS[last]]))(layer).dtype == dtype
    if "eval" in layer.forward.__code__.co_varnames:
        assert layer(x, True).dtype == dtype


@layers
def test_arrays_given_to_a_layer_are_never_written_to(name, arguments, attributes, before, after):
    layer = getattr(course, name)(*arguments)
    x, gradient = np.random.default_rng(0).standard_normal(before), np.ones(after)
    x.flags.writeable = gradient.flags.writeable = False  # any write would raise
    kept = {a: np.array(attrgetter(a)(layer)) for a in attributes if not a.split(".")[-1].startswith("running")}
    layer(x)
    layer.backward(gradient)
    for attribute, value in kept.items():
        np.testing.assert_array_equal(attrgetter(attribute)(layer), value)


@layers
def test_backward_sets_gradients_and_does_not_add_to_them(name, arguments, attributes, before, after):
    layer = getattr(course, name)(*arguments)
    layer(np.random.default_rng(0).standard_normal(before))
    owner = getattr(layer, "conv1d_stride1", getattr(layer, "conv2d_stride1", layer))
    names = [gradient for gradient in GRADIENTS.values() if hasattr(owner, gradient)]
    first = layer.backward(np.ones(after)), *(np.array(getattr(owner, n)) for n in names)
    second = layer.backward(np.ones(after)), *(np.array(getattr(owner, n)) for n in names)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@layers
def test_memory_order_of_the_input_does_not_matter(name, arguments, attributes, before, after):
    rng = np.random.default_rng(0)
    x, gradient = rng.standard_normal(before), rng.standard_normal(after)
    layer = getattr(course, name)(*arguments)
    if name.startswith("Dropout"):
        layer.p = 0.0
    expected = layer(x), layer.backward(gradient)
    answers = layer(np.asfortranarray(x)), layer.backward(np.repeat(gradient, 2, axis=0)[::2])
    for answer, right in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, right, rtol=0, atol=1e-12)


@layers
def test_backward_before_forward_says_so(name, arguments, attributes, before, after):
    with pytest.raises(RuntimeError, match="call forward first"):
        getattr(course, name)(*arguments).backward(np.ones(after))


@layers
def test_a_gradient_of_another_shape_is_refused(name, arguments, attributes, before, after):
    layer = getattr(course, name)(*arguments)
    layer(np.zeros(before))
    with pytest.raises(ValueError, match=r"gradient of .* got"):
        layer.backward(np.ones((*after[:-1], after[-1] + 1)))


@pytest.mark.parametrize(
    ("name", "arguments", "x", "error", "says"),
    [
        ("Conv1d", (3, 4, 5, 1), np.zeros((3, 9)), ValueError, r"expected 3 axes, \(N, 3, W\), got 2, \(3, 9\)"),
        ("Conv1d", (3, 4, 5, 1), np.zeros((2, 4, 9)), ValueError, r"Conv1d expected \(N, 3, W\), got \(2, 4, 9\)"),
        ("Conv1d", (3, 4, 5, 1), np.zeros((2, 3, 4)), ValueError, r"window of 5 does not fit .*\(2, 3, 4\)"),
        ("Conv2d", (3, 4, 5, 1), np.zeros((2, 3, 9)), ValueError, r"expected 4 axes, \(N, 3, H, W\)"),
        ("Conv2d", (3, 4, 5, 1), np.zeros((2, 3, 9, 4)), ValueError, "window of 5 does not fit"),
        ("ConvTranspose2d", (3, 4, 5, 2), np.zeros((2, 1, 9, 4)), ValueError, r"ConvTranspose2d expected \(N, 3, H, W"),
        ("MaxPool2d", (3, 1), np.zeros((2, 3, 2, 5)), ValueError, "window of 3 does not fit"),
        ("MeanPool2d", (3, 1), np.zeros((2, 3)), ValueError, "expected 4 axes"),
        ("Upsample1d", (2,), np.zeros((2, 3, 0)), ValueError, "does not fit"),
        ("Linear", (3, 4), np.zeros((2, 4)), ValueError, r"expected \(N, 3\), got \(2, 4\)"),
        ("Linear", (3, 4), [["a", "b", "c"]], TypeError, "array of real numbers, got list"),
        ("ReLU", (), np.array([1j]), TypeError, "real numbers"),
        ("Sigmoid", (), None, TypeError, "real numbers, got NoneType"),
        ("Softmax", (), np.zeros((2, 3, 4)), ValueError, "expected 2 axes"),
        ("Flatten", (), np.float64(3), ValueError, "batch axis"),
        ("BatchNorm1d", (3,), np.zeros((2, 4)), ValueError, r"expected \(N, 3\)"),
        ("BatchNorm2d", (3,), np.zeros((2, 3)), ValueError, "expected 4 axes"),
        ("Dropout2d", (), np.zeros((2, 3)), ValueError, "expected 4 axes"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_what_was_expected(name, arguments, x, error, says):
    with pytest.raises(error, match=says):
        getattr(course, name)(*arguments)(x)


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("Upsample1d", (0,), ValueError),
        ("Downsample2d", (1.5,), TypeError),
        ("Conv1d", (3, 4, 0, 1), ValueError),
        ("Conv2d", (3, 4, (2, 3), 1), TypeError),
        ("Conv2d", (3, 4, 2, 0), ValueError),
        ("Conv2d", (3, 4, 2, 1, -1), ValueError),
        ("MaxPool2d", (2, 0), ValueError),
        ("Linear", (0, 4), ValueError),
        ("Dropout", (1.0,), ValueError),
        ("Dropout2d", (-0.1,), ValueError),
        ("BatchNorm1d", (3, 1.5), ValueError),
    ],
)
def test_a_layer_that_cannot_be_is_refused(name, arguments, error):
    with pytest.raises(error):
        getattr(course, name)(*arguments)


def test_whole_numbers_are_computed_with_as_floats():
    layer = course.Linear(2, 1)
    layer.W, layer.b = np.array([[0.5, 0.25]]), np.array([[0.0]])
    assert layer(np.array([[1, 2]])) == np.array([[1.0]])


CONVOLUTIONS = [
    ("Conv1d_stride1", (3, 4, 5), (4, 3, 5)),
    ("Conv2d_stride1", (3, 4, 5), (4, 3, 5, 5)),
    ("Conv1d", (3, 4, 5, 2, 1), (4, 3, 5)),
    ("Conv2d", (3, 4, 5, 2, 1), (4, 3, 5, 5)),
    ("ConvTranspose1d", (3, 4, 5, 2), (4, 3, 5)),
    ("ConvTranspose2d", (3, 4, 5, 2), (4, 3, 5, 5)),
]


def inner(layer):
    return getattr(layer, "conv1d_stride1", getattr(layer, "conv2d_stride1", layer))


@pytest.mark.parametrize(("name", "arguments", "shape"), CONVOLUTIONS)
def test_initializers_are_called_with_the_shape_and_nothing_else_is_drawn(name, arguments, shape):
    np.random.seed(7)
    layer = inner(getattr(course, name)(*arguments, lambda *s: np.full(s, 2.0), lambda n: np.full(n, 3.0)))
    after = np.random.random()
    np.random.seed(7)
    assert after == np.random.random()
    np.testing.assert_array_equal(layer.W, np.full(shape, 2.0))
    np.testing.assert_array_equal(layer.b, np.full(4, 3.0))


@pytest.mark.parametrize(("name", "arguments", "shape"), CONVOLUTIONS)
def test_without_initializers_weights_are_one_standard_normal_draw_and_biases_zero(name, arguments, shape):
    np.random.seed(7)
    layer = inner(getattr(course, name)(*arguments))
    after = np.random.random()
    np.random.seed(7)
    np.testing.assert_array_equal(layer.W, np.random.normal(0, 1, shape))
    assert after == np.random.random()
    assert not layer.b.any()


@pytest.mark.parametrize(("name", "arguments", "shape"), CONVOLUTIONS[2:4])
def test_without_padding_initializers_may_come_fifth_and_sixth(name, arguments, shape):
    layer = inner(getattr(course, name)(*arguments[:4], lambda *s: np.full(s, 2.0), lambda n: np.full(n, 3.0)))
    np.testing.assert_array_equal(layer.W, np.full(shape, 2.0))
    np.testing.assert_array_equal(layer.b, np.full(4, 3.0))


def test_linear_starts_from_zeros_and_keeps_its_input_gradient_if_asked():
    np.random.seed(7)
    layer = course.Linear(3, 2, debug=True)
    assert np.random.random() == np.random.RandomState(7).random_sample()
    assert not layer.W.any()
    layer.W = np.arange(6.0).reshape(2, 3)
    layer(np.ones((1, 3)))
    np.testing.assert_array_equal(layer.backward(np.ones((1, 2))), layer.dLdA)


def test_an_initializer_that_returns_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"called with \(4, 3, 5\) and returned \(3, 4, 5\)"):
        course.Conv1d(3, 4, 5, 1, 0, lambda out, into, k: np.zeros((into, out, k)))
    assert course.Conv1d(3, 4, 5, 1, 0, None, lambda out: np.ones((out, 1))).conv1d_stride1.b.shape == (4,)


def test_every_layer_that_takes_eval_takes_it_by_place_and_by_name():
    for layer, shape in [
        (course.BatchNorm1d(3), (4, 3)),
        (course.BatchNorm2d(3), (4, 3, 2, 2)),
        (course.Dropout(0.9), (4, 3)),
        (course.Dropout2d(0.9), (4, 3, 2, 2)),
        (course.ResBlock(3, 3, 3), (4, 3, 5, 5)),
    ]:
        x = np.random.default_rng(0).standard_normal(shape)
        np.testing.assert_array_equal(layer(x, True), layer.forward(x, eval=True))


def test_optimizers_take_the_contracts_arguments():
    model = SimpleNamespace(layers=[course.Linear(2, 3)])
    course.SGD(model, 0.1, 0.9)
    course.Adam(model, 0.1, 0.9, 0.99, 1e-7)
    course.AdamW(model, 0.1, 0.9, 0.99, 1e-7, 0.1)
    assert vars(course.SGD(model))["lr"] == 0.1


def test_the_module_needs_numpy_alone():
    import subprocess
    import sys

    script = "import sys, mytorch.course; print([m for m in ('torch', 'scipy', 'cupy') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
