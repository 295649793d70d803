"""A network's name, here or in timm, leads to the recipe that trains it."""

import pytest

from experiments.config.load import load_recipe, recipe_of_network
from experiments.errors import FacesError


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("resnet18.a1_in1k", "resnet18"),
        ("timm:resnet50", "resnet50"),
        ("mobilenetv2_100", "mobilenet_v2"),
        ("MobileNet-V2", "mobilenet_v2"),
        ("tf_efficientnet_b0", "efficientnet_b0"),
        ("convnext_tiny.in12k_ft_in1k", "convnext_tiny"),
        ("resnet10t", "resnet10_scratch"),
        ("face_cnn", "scratch_cnn"),
        ("small_resnet", "scratch_resnet"),
        ("vit_base_patch16_224", None),
    ],
)
def test_a_networks_name_finds_its_recipe(name, recipe):
    assert recipe_of_network(name) == recipe


def test_it_is_suggested_and_a_network_without_a_recipe_by_a_setting():
    with pytest.raises(FacesError, match="did you mean the recipe 'mobilenet_v2'"):
        load_recipe("mobilenetv2_100")
    with pytest.raises(FacesError, match=r"a network of timm: faces train resnet18 --set model.backbone=timm:vit_tiny"):
        load_recipe("vit_tiny_patch16_224")
    with pytest.raises(FacesError, match="known recipes: convnext_tiny, "):
        load_recipe("qqqqqqqqqqqq")
