import pytest
import torch
from torch import nn

from models.backbones import build_backbone
from models.surgery import pool_to_grid


@pytest.mark.parametrize(("size", "last"), [(64, 2), (96, 3), (160, 5)])
def test_features_are_means_of_the_places_of_the_last_map(size, last):
    plain = build_backbone("resnet18", "none").eval()
    grid = build_backbone("resnet18", "none").eval()
    grid.load_state_dict(plain.state_dict())
    pool_to_grid(grid, 2)
    x = torch.randn(2, 3, size, size, generator=torch.manual_seed(0))
    with torch.no_grad():
        maps, features = plain.forward_features(x), grid(x).unflatten(1, (512, 2, 2))
    assert maps.shape[-1] == last
    half = -(-last // 2)  # cells of an odd map share its middle line
    for row, rows in enumerate((slice(half), slice(last - half, None))):
        for column, columns in enumerate((slice(half), slice(last - half, None))):
            torch.testing.assert_close(features[..., row, column], maps[..., rows, columns].mean((2, 3)))


def test_a_plain_average_does_not_know_the_place_and_a_grid_does():
    plain, grid = build_backbone("resnet18", "none"), build_backbone("resnet18", "none")
    pool_to_grid(grid, 3)
    maps = torch.zeros(1, 512, 3, 3)
    maps[..., 0, 0] = 1
    moved = maps.roll(2, 3)
    assert torch.equal(plain.global_pool(maps), plain.global_pool(moved))
    assert not torch.equal(grid.global_pool(maps), grid.global_pool(moved))


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "seresnet50", "mobilenet_v2", "mobilenet_v2_tf"])
def test_the_weights_keep_their_names(name):
    plain, grid = build_backbone(name, "none"), build_backbone(name, "none")
    pool_to_grid(grid, 2)
    assert plain.state_dict().keys() == grid.state_dict().keys()


@pytest.mark.parametrize("name", ["mobilefacenet", "convnext_tiny"])
def test_a_network_that_pools_otherwise_is_refused(name):
    with pytest.raises(ValueError, match=r"model\.grid=4.*leave it out"):
        pool_to_grid(build_backbone(name, "none"), 4)


def test_one_cell_is_no_grid():
    with pytest.raises(ValueError, match="2 cells per side or more"):
        pool_to_grid(nn.Sequential(), 1)
