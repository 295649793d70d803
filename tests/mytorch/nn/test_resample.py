import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mytorch
from mytorch import course, nn

FLOATS = st.sampled_from([np.float64, np.float32])
MODES = [
    *(("nearest", axes) for axes in (1, 2, 3)),
    *(("nearest-exact", axes) for axes in (1, 2, 3)),
    *(("area", axes) for axes in (1, 2, 3)),
    *(("linear", 1), ("bilinear", 2), ("trilinear", 3), ("bicubic", 2)),
    *(("bilinear, antialiased", 2), ("bicubic, antialiased", 2)),
]


class Interpolation(torch.nn.Module):
    """torch.nn.functional.interpolate, which has antialias, as a module."""

    def __init__(self, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias):
        super().__init__()
        self.options = {"size": size, "scale_factor": scale_factor, "mode": mode, "align_corners": align_corners}
        self.options |= {"recompute_scale_factor": recompute_scale_factor, "antialias": antialias}

    def forward(self, x):
        return torch.nn.functional.interpolate(x, **self.options)


def undecided(name, size, outs, factors):
    """Whether an output of a nearest mode is so close to the border of two inputs that rounding decides.

    PyTorch computes it in float32 or float64 by memory layout.
    """
    half = 0.5 if name == "nearest-exact" else 0
    for n, out, factor in zip(size, outs, factors, strict=True):
        position = (np.arange(out) + half) * (1 / factor if factor else n / out)
        if (abs(position - np.round(position)) < 1e-5).any() and factor not in (None, 1, 2):
            return True
    return False


@pytest.mark.parametrize(("name", "axes"), MODES)
@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, by_size=st.booleans(), one=st.booleans(), recompute=st.booleans())
def test_upsampling_is_pytorchs_to_any_size_and_by_any_factor(agree, data, dtype, name, axes, by_size, one, recompute):
    mode, _, antialias = name.partition(", ")
    corners = data.draw(st.booleans()) if mode.endswith(("linear", "cubic")) else None
    lead = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    size = data.draw(st.tuples(*[st.integers(1, 9 if axes < 3 else 5)] * axes))
    wanted = data.draw(st.tuples(*[st.integers(1, 19 - 3 * axes) if by_size else st.floats(0.2, 4)] * axes))
    wanted = wanted[0] if one else wanted
    factors = () if by_size else np.broadcast_to(wanted, axes)
    outs = [int(n * f) for n, f in zip(size, factors, strict=False)]
    assume(all(outs))
    width = np.broadcast_to(wanted, axes)[-1] if by_size else outs[-1]
    assume(not antialias or min(size[-1], width) > 1)  # of an image that is one pixel wide PyTorch repeats a row
    if antialias and not recompute:  # see below
        assume(all(n != out or factor == 1 for n, out, factor in zip(size, outs, factors, strict=False)))
    if mode == "bicubic" and not recompute and outs == list(size):  # PyTorch fails its own gradcheck: backward copies
        assume(all(factor == 1 for factor in factors))
    if mode == "nearest" and axes == 1 and outs:
        assume(outs[0] not in (size[0], 2 * size[0]) or factors[0] in (1, 2))  # see below
    recompute = None if by_size else recompute
    if mode.startswith("nearest"):
        scales = [None] * axes if by_size or recompute else factors
        assume(not undecided(mode, size, np.broadcast_to(wanted, axes) if by_size else outs, scales))
    arguments = (wanted if by_size else None, None if by_size else wanted, mode, corners, recompute)
    ours, theirs = nn.Upsample(*arguments, antialias=bool(antialias)), Interpolation(*arguments, bool(antialias))
    agree(data, ours, theirs, (*lead, *size), dtype)


@pytest.mark.parametrize("name", ["UpsamplingNearest2d", "UpsamplingBilinear2d"])
@given(data=st.data(), dtype=FLOATS)
def test_older_names_are_pytorchs(agree, name, data, dtype):
    arguments = data.draw(st.sampled_from([(5,), ((4, 9),), (None, 2), (None, (1.5, 2))]))
    agree(data, *(getattr(library, name)(*arguments) for library in (nn, torch.nn)), (2, 3, 4, 6), dtype)


@pytest.mark.parametrize("arguments", [(3,), ((3, 4),), (None, 1.5), (None, (1, 2.5)), (5, None, "bilinear", True)])
def test_arguments_are_printed_as_pytorch_prints_them(arguments):
    ours, theirs = nn.Upsample(*arguments), torch.nn.Upsample(*arguments)
    assert ours.extra_repr().partition(", align")[0] == theirs.extra_repr()


def test_nearest_gradient_in_one_dimension_is_that_of_the_forward_where_pytorchs_is_not():
    x = np.random.default_rng(0).standard_normal((1, 2, 5))
    ours, theirs = nn.Upsample(scale_factor=2.1), torch.nn.Upsample(scale_factor=2.1)
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor)
    np.testing.assert_array_equal(ours(x), expected.detach())
    grad = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.tensor(grad))
    assert not np.allclose(ours.backward(grad), tensor.grad)  # PyTorch repeats each twice there, and not in forward
    mytorch.gradcheck(ours, x)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialiased_gradient_of_an_axis_that_keeps_its_size_is_that_of_the_forward_where_pytorchs_is_not(mode):
    x = np.random.default_rng(0).standard_normal((1, 2, 3, 4))
    options = {"scale_factor": (2.0, 1.2), "mode": mode, "antialias": True}
    ours, tensor = nn.Upsample(**options), torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.interpolate(tensor, **options)
    np.testing.assert_allclose(ours(x), expected.detach(), rtol=1e-12)
    grad = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.tensor(grad))
    assert not np.allclose(ours.backward(grad), tensor.grad)  # PyTorch uses the factor there, and not in forward
    mytorch.gradcheck(ours, x)


@given(data=st.data(), dtype=FLOATS, axes=st.integers(1, 2))
def test_repeating_each_pixel_a_whole_number_of_times_is_pytorchs(agree, data, dtype, axes):
    shape, factors = (data.draw(st.tuples(*[st.integers(1, 4)] * count)) for count in (2 + axes, axes))
    size = tuple(n * k for n, k in zip(shape[2:], factors, strict=True))
    agree(data, nn.Upsample(size), torch.nn.Upsample(size), shape, dtype)


@pytest.mark.parametrize("size", [(6, 10), (4, 13)])
def test_upsampled_in_many_parts_and_by_two_threads_is_the_same(monkeypatch, threads, size):
    from mytorch import threads as shared

    rng = np.random.default_rng(0)
    layer, x, grad = nn.Upsample(size), rng.standard_normal((5, 2, 3, 5)), rng.standard_normal((5, 2, *size))
    whole = layer(x), layer.backward(grad)
    monkeypatch.setattr(shared, "CHUNK_BYTES", 1)  # an image at a time
    np.testing.assert_array_equal(layer(x), whole[0])
    np.testing.assert_array_equal(layer.backward(grad), whole[1])


def test_infinities_stay_with_their_own_pixels_where_each_is_repeated():
    layer = nn.Upsample(scale_factor=2)
    x = np.array([[[[np.inf, 1], [np.nan, -np.inf]]]])
    np.testing.assert_array_equal(layer(x), x.repeat(2, 2).repeat(2, 3))
    np.testing.assert_array_equal(layer.backward(x.repeat(2, 2).repeat(2, 3)), 4 * x)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_memory_stays_channels_last(mode):
    x = np.moveaxis(np.random.default_rng(0).standard_normal((2, 5, 4, 3)), -1, 1)
    layer = nn.Upsample(scale_factor=2, mode=mode)
    y = layer(x)
    for array in (y, layer.backward(y)):
        assert np.moveaxis(array, 1, -1).flags.c_contiguous


@pytest.mark.parametrize("axes", [1, 2])
@given(data=st.data(), factor=st.integers(1, 4))
def test_zero_insertion_and_subsampling_are_the_handouts(array, axes, data, factor):
    shape = data.draw(st.tuples(*[st.integers(1, 6)] * (2 + axes)))
    x = array(data, shape)
    for ours, theirs in [("ZeroUpsample", "Upsample"), ("Downsample", "Downsample")]:
        layer, oracle = getattr(nn, f"{ours}{axes}d")(factor), getattr(course, f"{theirs}{axes}d")(factor)
        y = layer(x)
        np.testing.assert_array_equal(y, oracle.forward(x))
        grad = array(data, y.shape, stream=1)
        np.testing.assert_array_equal(layer.backward(grad), oracle.backward(grad))


def test_factors_may_differ_between_axes():
    y = nn.ZeroUpsample2d((1, 3))(np.ones((1, 1, 2, 2)))
    assert np.array_equal(y[0, 0], [[1, 0, 0, 1], [1, 0, 0, 1]])
    assert nn.Downsample2d((2, 1))(np.ones((1, 1, 3, 3))).shape == (1, 1, 2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "size=None, scale_factor=None: give one of them"),
        ({"size": 3, "scale_factor": 2}, "give one of them and not the other"),
        ({"size": 3, "mode": "cubic"}, r"mode='cubic': expected one of \['area', 'bicubic', 'bilinear', 'linear', "),
        ({"size": 3, "antialias": True}, "antialias=True with mode='nearest': use it with bilinear and bicubic only"),
        ({"size": 3, "recompute_scale_factor": True}, "recompute_scale_factor=True with size=3: use it with scale_fac"),
        ({"size": 3, "align_corners": True}, "align_corners=True with mode='nearest'"),
        ({"size": 0}, "size=0: give whole numbers of at least 1"),
        ({"scale_factor": -1}, "scale_factor=-1: give numbers above 0"),
        ({"scale_factor": ()}, r"scale_factor=\(\): give numbers above 0"),
    ],
)
def test_impossible_upsampling_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        nn.Upsample(**arguments)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.Upsample(3, mode="bilinear"), (1, 2, 3), r"expected 4 axes, \(N, C, H, W\)"),
        (nn.Upsample(3, mode="linear"), (1, 2, 3, 4), r"expected 3 axes, \(N, C, L\)"),
        (nn.Upsample(3), (2, 3), "expected 4 axes"),
        (nn.Upsample((3, 4)), (1, 2, 5), r"has sizes or scale factors for 2 axes: give 1 of them"),
        (nn.Upsample(scale_factor=0.1), (1, 2, 5), "an axis of 5 by 0.1 leaves nothing"),
    ],
)
def test_input_that_does_not_fit_is_refused(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer(np.zeros(shape, "f"))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("size", "factor"), [(5, 1.1), (9, 1.1), (7, 1.2), (3, 1.4)])
def test_a_factor_that_leaves_the_size_or_nearly_is_pytorchs(size, factor, align_corners):
    x = np.random.default_rng(0).standard_normal((1, 2, size, size + 1))
    ours = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=align_corners)(x)
    theirs = torch.nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=align_corners)(torch.tensor(x))
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("size", "scale"), [(3, 2.27), (4, 2.2), (3, 1.2)])
def test_scales_that_lead_to_once_or_twice_the_size_by_rounding(axes, size, scale):
    """PyTorch then repeats every pixel equally often with two axes, and only then."""
    x = np.random.default_rng(0).standard_normal((1, 2, *(5,) * (axes - 1), size))
    scales = (1.43,) * (axes - 1) + (scale,)
    expected = torch.nn.functional.interpolate(torch.from_numpy(x), scale_factor=scales, mode="nearest")
    np.testing.assert_array_equal(nn.Upsample(scale_factor=scales, mode="nearest")(x), expected.numpy())
