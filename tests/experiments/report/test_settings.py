"""What a report says of a network's settings."""

from experiments.config.load import load_recipe
from experiments.report.settings import data_handling, network


def test_what_is_unusual_about_a_network_is_told():
    plain = network(load_recipe("resnet18_scratch_aligned", ["model.dense=false"]))
    told = network(load_recipe("resnet18_scratch_aligned", ["model.grid=3", "model.drop_block=0.1"]))
    assert {"last maps", "features", "DropBlock"} & plain.keys() == set()
    assert told["features"] == "of 3 by 3 places in the picture"
    assert told["last maps"] == "twice as large as the network is used to"
    assert told["DropBlock"] == "0.1"


def test_further_pictures_that_a_run_learned_from_are_told():
    further = data_handling(load_recipe("resnet18_scratch_aligned", ["data.further=more"]))
    assert further["further pictures"] == "those of more, which only train"
    assert "further pictures" not in data_handling(load_recipe("resnet18_scratch_aligned"))
