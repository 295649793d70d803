import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from experiments.data.images import ImageError, fit_image, load_images, map_in_threads, read_image
from experiments.errors import FacesError

HALVES = np.zeros((16, 32, 3), np.uint8)  # red and blue, side by side
HALVES[:, :16, 0] = HALVES[:, 16:, 2] = 255

# Fitting


def test_crop_keeps_the_center():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    np.testing.assert_array_equal(fit_image(wide, (10, 10), "crop"), np.full((10, 10, 3), 200, np.uint8))


@settings(max_examples=100, deadline=None)
@given(
    source=st.tuples(*[st.integers(16, 40)] * 2), size=st.tuples(*[st.integers(16, 80)] * 2), seed=st.integers(0, 99)
)
def test_crop_is_pillows_fit(source, size, seed):
    image = np.random.default_rng(seed).integers(0, 256, (*source, 3), np.uint8)
    expected = np.array(ImageOps.fit(Image.fromarray(image), size[::-1], Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(fit_image(image, size, "crop") - expected).max() <= 1  # the box differs in its last bits


def test_pad_keeps_everything_and_repeats_the_edges():
    fitted = fit_image(HALVES, (33, 32), "pad")
    np.testing.assert_array_equal(fitted[8:24], HALVES)
    np.testing.assert_array_equal(fitted[:8], HALVES[:8])
    np.testing.assert_array_equal(fitted[24:], HALVES[:9])


def test_stretch_changes_the_proportions():
    fitted = fit_image(HALVES, (32, 8), "stretch")
    np.testing.assert_array_equal(fitted[:, [0, -1]], HALVES[[0] * 32][:, [0, -1]])


def test_resizing_is_antialiased():
    board = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)
    fitted = fit_image(np.repeat(board[..., None], 3, 2).astype(np.uint8), (7, 9), "stretch")
    assert np.abs(fitted.astype(int) - 127).max() < 12


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_an_image_of_the_size_is_left_alone(fit, rng):
    image = rng.integers(0, 256, (5, 8, 3), np.uint8)
    fitted = fit_image(image, (5, 8), fit)
    np.testing.assert_array_equal(fitted, image)
    assert not np.shares_memory(fitted, image)


sides = st.integers(1, 80)


@settings(max_examples=300, deadline=None)
@given(
    source=st.tuples(sides, sides),
    size=st.tuples(sides, sides),
    fit=st.sampled_from(["crop", "stretch", "pad"]),
    color=st.tuples(*[st.integers(0, 255)] * 3),
)
def test_every_fit_gives_the_size_and_keeps_a_plain_color(source, size, fit, color):
    image = np.full((*source, 3), color, np.uint8)
    np.testing.assert_array_equal(fit_image(image, size, fit), np.full((*size, 3), color, np.uint8))


@pytest.mark.parametrize(("size", "fit", "message"), [
    ((4, 4), "squash", "fit is 'squash', expected one of: crop, stretch, pad"),
    ((0, 4), "crop", r"size is \(0, 4\), expected \(height, width\)"),
])  # fmt: skip
def test_a_wrong_setting(size, fit, message):
    with pytest.raises(FacesError, match=message):
        fit_image(np.zeros((3, 3, 3), np.uint8), size, fit)
    with pytest.raises(FacesError, match=message):
        load_images([], size, fit)


@pytest.mark.parametrize("image", [np.zeros((3, 3), np.uint8), np.zeros((3, 3, 3)), np.zeros((3, 3, 4), np.uint8)])
def test_what_is_not_an_image(image):
    with pytest.raises(ValueError, match=r"expected an image of shape \(H, W, 3\)"):
        fit_image(image, (2, 2), "crop")


# Many at once


def test_images_come_in_the_order_of_the_paths(paint):
    paths = [paint(f"{n}.png", (n, 0, 0), size=(4 + n % 7, 5)) for n in range(60)][::-1]
    seen = []
    pixels = load_images(paths, (6, 4), "crop", 4, lambda *done: seen.append((*done, threading.get_ident())))
    assert pixels.shape == (60, 6, 4, 3)
    assert pixels[:, 0, 0, 0].tolist() == list(range(60))[::-1]
    assert seen == [(n + 1, 60, threading.get_ident()) for n in range(60)]


def test_no_images_at_all():
    assert load_images([], (6, 4), "pad").shape == (0, 6, 4, 3)


def test_the_first_bad_image_by_order_is_reported(paint):
    paths = [paint(f"{n}.png") for n in range(40)]
    Image.effect_noise((1500, 1500), 90).save(paths[20])
    paths[20].write_bytes(paths[20].read_bytes()[:-1000])  # takes long to fail
    paths[21].write_text("fails at once")
    for _ in range(3):
        with pytest.raises(ImageError, match=r"20\.png"):
            load_images(paths, (8, 8), "crop", workers=4)


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path):
    smooth = Image.linear_gradient("L").resize((1600, 1200)).convert("RGB")
    path = tmp_path / "a.jpg"
    smooth.save(path, quality=95)
    assert read_image(path, at_least=100).shape == (150, 200, 3)
    assert read_image(path, at_least=1300).shape == (1200, 1600, 3)
    quick = load_images([path], (50, 60), "crop")[0].astype(int)
    assert np.abs(quick - fit_image(np.array(smooth), (50, 60), "crop")).max() <= 3


# Threads


def test_threads_give_results_in_order_and_run_ahead_but_not_far():
    begun = []

    def slow_if_even(item):
        begun.append(item)
        time.sleep(0.002 * (item % 2 == 0))
        return item

    results = map_in_threads(slow_if_even, range(10_000), workers=4)
    assert [next(results) for _ in range(50)] == list(range(50))
    results.close()
    assert len(begun) < 200


@pytest.mark.parametrize("workers", [0, -1])
def test_too_few_workers(workers):
    with pytest.raises(FacesError, match=rf"workers is {workers}, expected at least 1"):
        list(map_in_threads(str, [1], workers))


def test_an_iterator_may_be_closed_in_one_of_its_own_workers():
    """Garbage collection does that to one that was forgotten, in whichever thread it happens to run."""
    suspended, closed, errors = threading.Event(), threading.Event(), []

    def close(item):
        if item == 3:
            suspended.wait(30)
            try:
                results.close()
            except BaseException as error:
                errors.append(error)
            closed.set()
        return item

    results = map_in_threads(close, range(100), workers=1)
    assert next(results) == 0
    suspended.set()
    assert closed.wait(30)
    assert errors == []
