import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from notebooks.drawing import draw_equation, frame, image_file, plot_image, plot_numbers, show_row

NOISE = np.random.default_rng(0).standard_normal((6, 5))


@pytest.fixture(autouse=True)
def _figures():
    """Laid out as in a lesson, and closed after the test."""
    with mpl.rc_context({"figure.constrained_layout.use": True}):
        yield
    plt.close("all")


def test_a_row_has_an_axis_a_picture_and_rows_as_asked():
    show_row([np.zeros((4, 4))] * 5, ["a", "b\nc"], columns=3)
    axes = plt.gcf().axes
    assert len(axes) == 6
    assert [len(axis.images) for axis in axes] == [1, 1, 1, 1, 1, 0]
    assert axes[1].get_title() == "b\nc"


@pytest.mark.parametrize("signed", [True, False])
def test_a_picture_of_one_channel_has_the_scale_it_says(signed):
    _, axis = plt.subplots()
    plot_image(axis, NOISE, signed)
    reach = np.abs(NOISE).max()
    assert axis.images[0].get_clim() == ((-reach, reach) if signed else (0, 1))


def test_a_signed_picture_of_zeros_is_white():
    _, axis = plt.subplots()
    plot_image(axis, np.zeros((2, 2)), signed=True)
    shown = axis.images[0].cmap(axis.images[0].norm(0.0))
    assert min(shown[:3]) > 0.95


def test_every_number_stands_in_its_cell_and_can_be_read():
    _, axis = plt.subplots()
    plot_numbers(axis, NOISE, "{:.2f}", cmap="RdBu_r", vmin=-2, vmax=2)
    for text in axis.texts:
        column, row = (int(place) for place in text.get_position())
        assert text.get_text() == f"{NOISE[row, column]:.2f}"
        behind = np.array(axis.images[0].cmap(axis.images[0].norm(NOISE[row, column])))[:3]
        ink = 0.0 if text.get_color() == "black" else 1.0
        assert abs(behind @ [0.3, 0.59, 0.11] - ink) > 0.4


def test_an_equations_cells_are_all_squares_of_one_size_and_nothing_overlaps():
    axes = draw_equation([NOISE, "@", NOISE.T, "=", NOISE @ NOISE.T], ["a", "b", "c"])
    assert [*axes] == [0, 2, 4]
    plt.gcf().canvas.draw()
    boxes = [axis.get_window_extent() for axis in axes.values()]
    shapes = [(6, 5), (5, 6), (6, 6)]
    cells = [(b.width / w, b.height / h) for b, (h, w) in zip(boxes, shapes, strict=True)]
    np.testing.assert_allclose(cells, np.full((3, 2), cells[0][0]), rtol=1e-6)
    assert boxes[0].x1 < boxes[1].x0
    assert boxes[1].x1 < boxes[2].x0
    texts = [axis.title.get_window_extent() for axis in axes.values()]
    assert max(t.y1 for t in texts) <= plt.gcf().bbox.y1


def test_a_frame_surrounds_the_pixels():
    _, axis = plt.subplots()
    frame(axis, 2, 1, 3, 4, "red")
    (box,) = axis.patches
    assert (box.get_y(), box.get_x(), box.get_height(), box.get_width()) == (1.5, 0.5, 3, 4)


def test_a_picture_file_is_shown_no_wider_than_asked(tmp_path):
    Image.fromarray(np.full((50, 200, 3), 40, np.uint8)).save(tmp_path / "wide.png")
    assert image_file(tmp_path / "wide.png", 100).size == (100, 25)
    assert image_file(tmp_path / "wide.png").size == (200, 50)
    assert np.asarray(image_file(tmp_path / "wide.png").convert("RGB")).mean() == pytest.approx(40, abs=2)
