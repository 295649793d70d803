import numpy as np
import pytest
import torch
from torch.nn import functional as F

from experiments.inference.predict import make_views

FACES = np.random.default_rng(0).integers(0, 256, (3, 21, 16, 3), np.uint8)


@pytest.mark.parametrize(("how", "count"), [("none", 1), ("flip", 2), ("zooms", 6), ("crops", 10)])
def test_every_view_has_the_pictures_shape(how, count):
    seen = list(make_views(FACES, how))
    assert len(seen) == count
    assert all(view.shape == FACES.shape and view.dtype == np.uint8 for view in seen)
    np.testing.assert_array_equal(seen[0], FACES)


@pytest.mark.parametrize("how", ["flip", "zooms", "crops"])
def test_every_other_view_is_the_mirror_image_of_the_one_before(how):
    seen = list(make_views(FACES, how))
    for plain, mirrored in zip(seen[::2], seen[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, plain[:, :, ::-1])


@pytest.mark.parametrize("shape", [(32, 32), (40, 24), (21, 48)])
def test_the_windows_are_the_four_corners_enlarged(shape):
    height, width = shape
    image = np.random.default_rng(2).integers(0, 256, (1, height, width, 3), np.uint8)
    h, w = round(7 / 8 * height), round(7 / 8 * width)
    parts = [image[:, :h, :w], image[:, :h, -w:], image[:, -h:, :w], image[:, -h:, -w:]]
    for part, window in zip(parts, list(make_views(image, "crops"))[2::2], strict=True):
        pixels = torch.from_numpy(np.ascontiguousarray(part)).permute(0, 3, 1, 2).float()
        enlarged = F.interpolate(pixels, shape, mode="bilinear", antialias=True).permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(window, enlarged, atol=1.5)


def test_the_windows_reach_into_the_four_corners():
    """A image with one color in each corner: a window shows the two far borders no more."""
    marked = np.full((1, 32, 32, 3), 100, np.uint8)
    corners = {(0, 0): 0, (0, 31): 50, (31, 0): 150, (31, 31): 250}
    for (y, x), value in corners.items():
        marked[0, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = value
    seen = list(make_views(marked, "crops"))[2::2]
    for ((y, x), value), window in zip(corners.items(), seen, strict=True):
        assert abs(int(window[0, y, x, 0]) - value) < 8
        assert np.ptp(np.delete(window[0, :, :, 0], [y - 2, y - 1, y, (y + 1) % 32, (y + 2) % 32], axis=0)) == 0


def test_zooms_leave_the_middle_where_it_is():
    """A bright square in the middle stays there and grows; the border goes."""
    marked = np.zeros((1, 33, 33, 3), np.uint8)
    marked[0, 12:21, 12:21] = 255
    sizes = []
    for view in list(make_views(marked, "zooms"))[::2]:
        rows, columns = np.nonzero(view[0, :, :, 0] > 127)
        assert abs(rows.mean() - 16) < 0.6
        assert abs(columns.mean() - 16) < 0.6
        sizes.append(len(rows))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
