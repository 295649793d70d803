"""What a report says of a network's settings."""

from experiments.config.load import load_recipe
from experiments.report.settings import describe_data, describe_network, describe_training


def test_what_is_unusual_about_a_network_is_told():
    plain = describe_network(load_recipe("resnet18_scratch_aligned", ["model.dense=false"]))
    told = describe_network(load_recipe("resnet18_scratch_aligned", ["model.grid=3", "model.drop_block=0.1"]))
    assert {"last feature maps", "features", "DropBlock"} & plain.keys() == set()
    assert told["features"] == "of 3 by 3 positions in the image"
    assert told["last feature maps"] == "at twice the usual resolution"
    assert told["DropBlock"] == "0.1"


def test_extra_images_that_a_run_learned_from_are_told():
    found = describe_data(load_recipe("resnet18_scratch_aligned", ["data.extra_images=more"]))
    assert found["additional images"] == "those of more, for training only"
    assert "additional images" not in describe_data(load_recipe("resnet18_scratch_aligned"))


def test_how_rare_people_count_is_told():
    told = describe_training(load_recipe("scratch_cnn", ["loss={class_weights: effective, beta: 0.99}"]))
    assert told["class weights"] == "effective numbers, beta 0.99"
    told = describe_training(load_recipe("scratch_cnn", ["sampling=balanced"]))
    assert told["sampling"] == "equally many images of each person"
    assert {"class weights", "sampling"} & describe_training(load_recipe("scratch_cnn")).keys() == set()
