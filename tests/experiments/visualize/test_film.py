"""Films as files: of the form that was asked for, and nothing where it cannot be."""

import numpy as np
import pytest
from PIL import Image

from experiments.errors import FacesError
from experiments.visualize import convolution
from experiments.visualize.film import Shades, choose_steps, format_number, make_acts, most_striking, write_film
from experiments.visualize.inputs import load_color_face, load_gray_face, read_kernel


@pytest.fixture(scope="module")
def film() -> convolution.Film:
    return convolution.make_film(load_gray_face(8), read_kernel("edges"), frames=8)


def test_a_gif_has_every_step_and_stops_at_the_last(film, tmp_path):
    done = []
    write_film(film, tmp_path / "film.gif", fps=4, progress=lambda n, total: done.append((n, total)))
    with Image.open(tmp_path / "film.gif") as animation:
        assert animation.format == "GIF"
        assert animation.n_frames == len(film)
        assert animation.size == (1100, 400)
        assert animation.info["loop"] == 0
        waits = []
        for number in range(animation.n_frames):
            animation.seek(number)
            waits.append(animation.info["duration"])
    assert waits == [250] * (len(film) - 1) + [2500]
    assert done[-1] == (len(film), len(film))


def test_a_png_has_the_steps_that_tell_the_story(film, tmp_path):
    write_film(film, tmp_path / "film.PNG")
    with Image.open(tmp_path / "film.PNG") as poster:
        assert poster.format == "PNG"
        assert poster.size == (1100, 400 * len(film.story))
        assert len(poster.convert("RGB").getcolors(1 << 20) or ()) > 50


def test_frames_of_a_film_differ(film):
    from experiments.visualize.film import rasterize

    assert not np.array_equal(rasterize(film.figure(0)), rasterize(film.figure(-1)))


@pytest.mark.parametrize("count", [1, 2, 7, 100, 5000])
@pytest.mark.parametrize("most", [2, 3, 10, 48])
def test_chosen_steps_begin_at_the_first_end_at_the_last_and_show_the_middle(count, most):
    middle = count // 2
    steps, told = choose_steps(count, most, middle)
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, count - 1)
    assert len(steps) <= most + 1
    assert 0 <= told < len(steps)
    if len(steps) > 2:
        assert steps[told] == middle


def test_too_few_frames_are_refused():
    with pytest.raises(FacesError, match=r"--frames 3: expected at least 4"):
        make_acts(10, 3, [lambda number: None] * 2, 5, (1, 1))


def test_the_telling_step_is_about_the_middle():
    values = np.zeros((20, 20))
    values[0, 0], values[10, 9], values[9, 6] = 9, 3, -5
    assert divmod(most_striking(values), 20) == (9, 6)


def test_a_drawn_face_is_the_seeds_and_a_picture_is_the_pictures(tmp_path):
    np.testing.assert_array_equal(load_gray_face(16, seed=3), load_gray_face(16, seed=3))
    assert not np.array_equal(load_gray_face(16, seed=3), load_gray_face(16, seed=4))
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = (255, 255, 255)
    Image.fromarray(pixels).save(tmp_path / "half.png")
    np.testing.assert_array_equal(load_color_face(16, tmp_path / "half.png"), pixels)
    np.testing.assert_array_equal(load_gray_face(16, tmp_path / "half.png")[:, 0], [1] * 8 + [0] * 8)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (-0.001, "0.00"), (0.5, "0.50"), (-1, "−1"), (12.34, "12.3"), (-1234.5, "−1234")]
)
def test_numbers_are_written_short(value, text):
    assert format_number(value) == text


def test_shades_are_about_zero_where_signs_differ_and_text_can_be_read_on_them():
    signed, gray = Shades.of(np.array([-1.0, 3.0, np.nan])), Shades.of(np.array([0.2, 0.8]))
    assert (signed.low, signed.high) == (-3, 3)
    assert gray.ink(0.2) == "white"
    assert gray.ink(0.8) != "white"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("egdes", "did you mean edges"),
        ("1,2/3", r"rows of \[2, 1\] numbers"),
        ("1,x/2,3", "expected rows of numbers"),
        ("1,nan", "expected finite numbers"),
        ("1,2,3,4,5,6", "at most 5"),
    ],
)
def test_a_kernel_that_is_none_is_refused_with_the_remedy(text, message):
    with pytest.raises(FacesError, match=message):
        read_kernel(text)
