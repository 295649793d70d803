"""A failed case: its window's products add up to PyTorch's values, its file is bounded, its drawing is safe XML."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mytorch.explain.case import MAX_NUMBERS, FailedCase, Window, read_case
from mytorch.explain.svg import draw, number
from mytorch.explain.trace import trace

rng = np.random.default_rng(5)


def reference(window, shape, out=2):
    """The arrays of a layer with these windows, and what PyTorch computes from them."""
    axes = len(shape) - 2
    A = torch.tensor(rng.standard_normal(shape), requires_grad=True)
    W = torch.tensor(rng.standard_normal((out, shape[1], *window.kernel)), requires_grad=True)
    b = torch.tensor(rng.standard_normal(out), requires_grad=True)
    if window.kind == "conv":
        spread = A.new_zeros((*shape[:2], *(window.upsampling * (size - 1) + 1 for size in shape[2:])))
        spread[(..., *(slice(None, None, window.upsampling),) * axes)] = A
        Z = (F.conv1d if axes == 1 else F.conv2d)(spread, W, b, window.stride, window.padding)
    else:
        Z = (F.max_pool2d if window.kind == "max" else F.avg_pool2d)(A, window.kernel, window.stride)
    G = torch.tensor(rng.standard_normal(tuple(Z.shape)))
    Z.backward(G)
    values = {"A": A, "dLdZ": G} | ({"W": W, "b": b} if window.kind == "conv" else {})
    expected = {"Z": Z, "dLdA": A.grad} | ({"dLdW": W.grad, "dLdb": b.grad} if window.kind == "conv" else {})
    return ({name: value.detach().numpy() for name, value in part.items()} for part in (values, expected))


@pytest.mark.parametrize(
    ("window", "shape"),
    [
        (Window("conv", (3,)), (2, 3, 7)),
        (Window("conv", (3,), 2, 1), (1, 2, 8)),
        (Window("conv", (2, 3), 2, 1), (2, 2, 5, 6)),
        (Window("conv", (3, 3), upsampling=2), (1, 2, 3, 2)),
        (Window("max", (2, 2), 2), (2, 2, 5, 4)),
        (Window("max", (3, 3), 1), (1, 2, 5, 4)),
        (Window("mean", (3, 3), 2), (2, 1, 8, 7)),
    ],
)
def test_the_terms_of_every_element_add_up_to_pytorchs_value(window, shape):
    arrays, expected = reference(window, shape)
    for what, right in expected.items():
        for place in np.ndindex(right.shape):
            found = trace(window, what, place, arrays)
            assert found is not None
            np.testing.assert_allclose(found.total, right[place], rtol=1e-10, atol=1e-12, err_msg=f"{what}{place}")


def test_the_first_of_equal_values_gets_the_gradient():
    A = np.array([[[[1.0, 1.0], [0.0, 1.0]]]])
    arrays = {"A": A, "dLdZ": np.array([[[[5.0]]]])}
    totals = [trace(Window("max", (2, 2), 2), "dLdA", (0, 0, *at), arrays).total for at in np.ndindex(2, 2)]
    assert totals == [5, 0, 0, 0]


def test_arrays_of_another_layer_have_no_trace():
    assert trace(Window("conv", (3, 3)), "Z", (0, 0, 0, 0), {"A": np.ones((1, 1, 4, 4))}) is None
    assert trace(Window("max", (2, 2)), "Z", (0, 0), {"A": np.ones((3, 4))}) is None
    assert trace(Window("max", (2, 2)), "dLdW", (0, 0, 0, 0), {"A": np.ones((1, 1, 4, 4))}) is None


def failed(got=None, expected=None, **more):
    window = Window("conv", (2, 2))
    arrays, right = reference(window, (1, 1, 3, 3), out=1)
    expected = right["Z"] if expected is None else expected
    got = expected + np.eye(2) if got is None else got
    wrong = got != expected if np.shape(got) == expected.shape else None
    return FailedCase.bounded("a layer", "Z", "wrong", expected, got, wrong, arrays, window)


def drawn(case):
    """The drawing's classes and texts, read as XML."""
    root = ET.fromstring(draw(case))
    classes = [e.get("class", "") for e in root.iter("{http://www.w3.org/2000/svg}rect")]
    return classes, [e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}text")]


def test_what_differs_is_framed_on_both_sides_and_its_window_below():
    case = failed()
    classes, texts = drawn(case)
    assert [classes.count(f"cell {kind}") for kind in ("right", "wrong")] == [2, 2]
    assert classes.count("cell window") == 4 + 4 + 1  # the input's window, all weights, the bias
    assert any(text.startswith("Where Z[0, 0, ") for text in texts)
    place = case.place
    assert f"Expected {number(case.expected[place], 6)}, got {number(case.got[place], 6)}." in texts


def test_no_window_is_drawn_where_its_terms_do_not_make_what_is_expected():
    case = failed(expected=np.full((1, 1, 2, 2), 77.0))
    classes, texts = drawn(case)
    assert "cell window" not in classes
    assert not any(text.startswith("Where ") for text in texts)


@pytest.mark.parametrize(
    "got", [np.zeros((3, 3, 3)), np.zeros((2, 2)), np.zeros(0), np.array(4.0), np.full((1, 1, 2, 2), np.nan), True]
)
def test_anything_that_came_can_be_drawn_and_stored(got):
    case = failed(got=np.asarray(got))
    again = FailedCase.from_dict(json.loads(json.dumps(case.to_dict(), allow_nan=False)))
    assert draw(again) == draw(case)


def test_a_large_array_is_named_and_left_out():
    case = failed(got=np.zeros((2, MAX_NUMBERS)))
    assert case.got is None
    assert case.left_out == [f"got (2×{MAX_NUMBERS})"]
    assert any(f"got (2×{MAX_NUMBERS})" in text for text in drawn(case)[1])
    assert len(json.dumps(case.to_dict())) < 4000


def test_a_drawing_of_large_arrays_stays_small():
    wide = rng.standard_normal((1, MAX_NUMBERS))
    case = FailedCase.bounded("t", "Z", "p" * 9000, wide, wide + 1, np.ones(wide.shape, bool), {"A": wide, "B": wide})
    assert len(draw(case)) < 40_000


def test_hostile_texts_stay_texts():
    nasty = '</text></svg><script>alert(1)</script>" onload="x\x00\x1b[2J\u202e\ud800'
    case = FailedCase.bounded(nasty, nasty, nasty, np.ones(2), np.zeros(2), np.ones(2, bool), {nasty: np.ones(2)})
    root = ET.fromstring(draw(case).encode())
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds == {"svg", "style", "rect", "text"}
    assert not any(name.startswith("on") for element in root.iter() for name in element.attrib)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", "other", "not a failed case"),
        ("title", 3, "expected a text"),
        ("expected", {"shape": [2], "values": [1]}, "expected: 1 values do not fill"),
        ("expected", {"shape": [1], "values": ["1; x"]}, "expected: expected numbers"),
        ("got", {"shape": [10**9] * 8, "values": []}, "got: 0 values do not fill"),
        ("got", [1, 2], "got: expected an object"),
        ("wrong", [99], "wrong: expected a list of places"),
        ("inputs", {str(n): None for n in range(50)}, "inputs: expected an object of at most"),
        ("window", {"kind": "x", "kernel": [2]}, "window: kind 'x', expected one of conv"),
        ("window", {"kind": "max", "kernel": [0]}, "window: kernel is 0"),
        ("window", {"kind": "max", "kernel": [2], "stride": "2"}, "window: stride is '2'"),
        ("left_out", [1], "expected a text"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, field, value, message):
    path = tmp_path / "case.json"
    path.write_text(json.dumps({**failed().to_dict(), field: value}))
    with pytest.raises(ValueError, match=message) as caught:
        read_case(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[" * 100_000, "[]", "\x00", "{}", " " * (2 << 20)])
def test_a_file_that_is_no_case_is_refused(tmp_path, text):
    path = tmp_path / "case.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"case\.json"):
        read_case(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0199, "−0.02"), (3.14159, "3.142"), (1e-9, "1.0e-9"), (-2.5e8, "−2.5e8"), (np.nan, "nan")],
)
def test_numbers_are_short(value, text):
    assert number(value).replace("e−", "e-") == text
