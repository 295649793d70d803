import copy

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

import mytorch
from models.twin import twin
from mytorch import nn
from mytorch.optim import EMA


def network():
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).to(float)


def move(ours, theirs, seed):
    """Other weights and statistics, the same for both."""
    rng = np.random.default_rng(seed)
    tensors = theirs.state_dict()
    for name, value in ours.state_dict().items():
        value[...] = rng.integers(1, 9) if value.dtype.kind == "i" else rng.random(value.shape)
        tensors[name].copy_(torch.tensor(value))


@pytest.mark.parametrize("use_buffers", [True, False])
def test_average_is_pytorchs_buffers_included(use_buffers):
    ours = network()
    theirs = twin(ours)
    average = EMA(ours, 0.9, use_buffers)
    expected = AveragedModel(theirs, avg_fn=get_ema_avg_fn(0.9), use_buffers=use_buffers)
    for step in range(6):
        move(ours, theirs, step)
        average.update()
        expected.update_parameters(theirs)
    assert average.n_averaged == expected.n_averaged.item()
    for name, value in expected.module.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_allclose(average.averages[name], value, rtol=1e-12, err_msg=name)


def test_counts_of_batches_are_copied_and_not_averaged():
    ours = network()
    average = EMA(ours)
    for count in (3, 8):
        ours[1].num_batches_tracked[...] = count
        average.update()
    assert average.averages["1.num_batches_tracked"] == 8


def test_averages_are_used_in_the_block_and_own_weights_restored_after_an_error():
    ours = network()
    average = EMA(ours, 0.5)
    average.update()
    for value in ours.state_dict().values():
        value += 1
    own = copy.deepcopy(ours.state_dict())

    def evaluate():
        with average.average_parameters() as lent:
            for name, value in lent.state_dict().items():
                np.testing.assert_array_equal(value, average.averages[name])
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        evaluate()
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(value, own[name])


def test_resumed_average_continues_through_a_file(tmp_path):
    ours = network()
    average = EMA(ours, 0.9)
    average.update()
    mytorch.save(average.state_dict(), tmp_path / "average.safetensors")
    resumed = EMA(network(), 0.9)
    resumed.load_state_dict(mytorch.load(tmp_path / "average.safetensors")[0])
    resumed.network = ours
    for value in ours.state_dict().values():
        value += 2
    for one in (average, resumed):
        one.update()
    assert resumed.n_averaged == 2
    for name, value in average.averages.items():
        np.testing.assert_array_equal(resumed.averages[name], value)


def test_average_of_another_network_is_refused_and_nothing_changed():
    average = EMA(network())
    before = copy.deepcopy(average.averages)
    other = EMA(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 5)))
    with pytest.raises(ValueError, match=r"another network, differing in \['2.bias', '2.weight'\]"):
        average.load_state_dict(other.state_dict())
    for name, value in average.averages.items():
        np.testing.assert_array_equal(value, before[name])


def test_decay_outside_of_zero_to_one_is_refused():
    with pytest.raises(ValueError, match=r"decay=1\.5"):
        EMA(network(), 1.5)
