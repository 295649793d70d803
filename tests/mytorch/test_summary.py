import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import mytorch
from models.scratch.residual import small_resnet
from models.twin import twin
from mytorch import nn


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, (3, 5), stride=2, groups=1, bias=False),
        nn.Residual(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(8))),
        nn.ConvTranspose2d(8, 6, 3, stride=2, groups=2, bias=False),
        nn.SqueezeExcitation(6, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4, bias=False),
    )


def test_multiply_adds_are_those_that_pytorch_counts():
    ours = network()
    rows = {row.name: row for row in mytorch.summary(ours, (3, 17, 20)).rows}
    with FlopCounterMode(display=False) as counter:
        twin(ours).eval()(torch.zeros(1, 3, 17, 20))
    biases = rows["3.fc1"].output_shape[0] + rows["3.fc2"].output_shape[0]
    products = [name for name, row in rows.items() if row.kind in ("Conv2d", "ConvTranspose2d", "Linear")]
    assert sum(rows[name].flops for name in products) - biases == counter.get_total_flops()


def test_parameters_and_shapes_are_the_networks_and_containers_hold_their_layers():
    ours = network()
    summary = mytorch.summary(ours, (3, 17, 20))
    assert summary.parameters == sum(parameter.data.size for parameter in ours.parameters())
    rows = {row.name: row for row in summary.rows}
    assert rows["0"].output_shape == (8, 8, 8)
    assert rows["1"].output_shape == rows["1.body.1"].output_shape == (8, 8, 8)
    assert rows["2"].output_shape == (6, 17, 17)
    assert rows[""].output_shape == (4,)
    assert rows["1"].parameters == rows["1.body"].parameters == 8 * 2 * 9 + 16
    assert rows["1"].flops == rows["1.body"].flops + 8 * 8 * 8
    top = [row for row in summary.rows if row.depth == 1]
    assert summary.flops == sum(row.flops for row in top)


def test_flops_of_a_layer_by_hand():
    count = {
        nn.Conv2d(3, 4, 3): 2 * 27 * 4 * 24 + 4 * 24,
        nn.ReLU(): 3 * 8 * 5,
        nn.BatchNorm2d(3): 4 * 3 * 8 * 5,
        nn.BatchNorm2d(3, affine=False): 2 * 3 * 8 * 5,
        nn.MaxPool2d(2): 4 * 3 * 4 * 2,
        nn.Flatten(): 0,
        nn.Dropout(): 0,
    }
    for layer, expected in count.items():
        text = repr(layer)
        shape = (3, 8, 6) if isinstance(layer, nn.Conv2d) else (3, 8, 5)
        assert mytorch.summary(layer, shape).flops == expected, text


def test_network_is_not_changed():
    ours = network()
    ours[1].eval()
    before = {name: value.copy() for name, value in ours.state_dict().items()}
    modes = [module.training for _, module in ours.named_modules()]
    mytorch.summary(ours, (3, 17, 20))
    assert modes == [module.training for _, module in ours.named_modules()]
    assert not any({"forward", "_saved"} & set(vars(module)) for _, module in ours.named_modules())
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_network_is_not_changed_by_an_input_that_does_not_fit():
    ours = network()
    with pytest.raises(ValueError, match=r"Conv2d got an input of shape \(1, 4, 17, 20\)"):
        mytorch.summary(ours, (4, 17, 20))
    assert not any("forward" in vars(module) for _, module in ours.named_modules())
    assert ours.training


def test_table_has_names_shapes_and_totals():
    text = str(mytorch.summary(small_resnet(5, (4, 8, 8), 1), (3, 32, 32)))
    lines = text.splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters", "FLOPs"]
    assert lines[3].split() == ["0", "Conv2d", "4x32x32", "108", "221,184"]
    assert lines[-1].startswith("input 3x32x32: 3,729 parameters, ")


def test_float64_network_is_summed_up_too():
    assert mytorch.summary(network().to(float), (3, 17, 20)).parameters > 0


def test_a_number_for_a_shape_is_refused():
    with pytest.raises(ValueError, match="such as"):
        mytorch.summary(nn.Linear(3, 2), 3)  # type: ignore[arg-type]


def test_a_layer_that_is_used_twice_is_counted_for_each_call_and_stored_once():
    relu, linear = nn.ReLU(), nn.Linear(3, 3)
    network = nn.Sequential(linear, relu, linear, relu, nn.Linear(3, 2))
    table = mytorch.summary(network, (3,))
    assert table.parameters == 3 * 3 + 3 + 3 * 2 + 2
    assert table.flops == 2 * (2 * 9 + 3) + 2 * 3 + (2 * 6 + 2)
    assert [name for name, module in network.named_modules() if "forward" in vars(module)] == []
