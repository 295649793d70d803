"""What an embedding of files is, and what tells one network's weights from another's."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from experiments.data.images import fit_image, load_images
from experiments.inference.embedder import Embedder, zoom_center
from experiments.inference.frozen_backbone import hash_weights


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6])
def test_files_are_embedded_in_chunks_each_once_and_in_order(tmp_path, count):
    def vectors(pixels: np.ndarray, flip: bool) -> np.ndarray:
        flat = pixels.reshape(len(pixels), -1).astype(np.float64) - 100
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    rng, paths = np.random.default_rng(0), [tmp_path / f"{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).save(path)
    embedder = Embedder("pixels", None, "", (6, 6), vectors)
    expected = vectors(load_images(paths, (6, 6), "crop"), False)
    for chunk in (1, 2, 4096):
        np.testing.assert_allclose(embedder.embed_files(paths, False, chunk=chunk), expected, atol=1e-6)


def test_the_same_numbers_under_other_names_or_in_another_shape_are_other_weights():
    def linear(inputs: int, outputs: int) -> nn.Linear:
        layer = nn.Linear(inputs, outputs, bias=False)
        layer.weight.data = torch.arange(6.0).reshape(outputs, inputs)
        return layer

    networks = [linear(2, 3), linear(3, 2), nn.Sequential(linear(2, 3)), nn.ModuleDict({"head": linear(2, 3)})]
    assert len({hash_weights(network) for network in networks}) == len(networks)
    assert hash_weights(linear(2, 3)) == hash_weights(networks[0])
    counted = [nn.BatchNorm1d(2), nn.BatchNorm1d(2)]
    counted[1].num_batches_tracked += 5
    assert hash_weights(counted[0]) == hash_weights(counted[1])


@pytest.mark.parametrize(("shape", "zoom", "box"), [
    ((20, 40), 2.0, (5, 15, 10, 30)), ((40, 20), 2.0, (10, 30, 5, 15)), ((30, 12), 1.5, (5, 25, 2, 10)),
])  # fmt: skip
def test_a_zoom_is_the_center_of_images_that_are_not_square(shape, zoom, box):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    top, bottom, left, right = box
    np.testing.assert_array_equal(zoom_center(image, zoom), fit_image(image[top:bottom, left:right], shape, "stretch"))
