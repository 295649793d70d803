import numpy as np
import pytest
import torch

from mytorch import nn, optim

OPTIMIZERS = [
    lambda parameters, **options: optim.SGD(parameters, momentum=0.9, **options),
    lambda parameters, **options: optim.SGD(parameters, momentum=0.9, weight_decay=0.1, **options),
    lambda parameters, **options: optim.Adam(parameters, weight_decay=0.1, **options),
    optim.AdamW,
]


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_groups_with_settings_of_their_own_are_pytorchs(twins, steps, close, name):
    ours, theirs = twins()

    def build(library, parameters):
        groups = [{"params": parameters[:1], "lr": 0.05, "weight_decay": 0.2}, {"params": iter(parameters[1:])}]
        return getattr(library, name)(groups, lr=0.01)

    optimizer, expected = build(optim, ours), build(torch.optim, theirs)
    for _ in steps(ours, theirs, 20):
        optimizer.step(), expected.step()
    for mine, other in zip(ours, theirs, strict=True):
        close("parameter", mine.data, other)


@pytest.mark.parametrize("build", OPTIMIZERS)
def test_float32_stays_float32_with_a_learning_rate_of_numpys_float64(twins, steps, build):
    ours, theirs = twins(np.float32)
    arrays = [parameter.data for parameter in ours]
    optimizer = build(ours, lr=np.float64(0.1))
    for _ in steps(ours, theirs, 3):
        optimizer.step()
    assert all(parameter.data is array for parameter, array in zip(ours, arrays, strict=True))
    for state in optimizer.state:
        assert all(value.dtype == np.float32 for value in state.values() if isinstance(value, np.ndarray))


@pytest.mark.parametrize("build", OPTIMIZERS)
def test_step_does_not_modify_gradients(twins, steps, build):
    ours, theirs = twins()
    optimizer = build(ours)
    for _ in steps(ours, theirs, 1):
        before = [parameter.grad.copy() for parameter in ours]
    for _ in range(3):  # over the same arrays, as where gradients go on adding up: the state must not be one of them
        optimizer.step()
        for parameter, grad in zip(ours, before, strict=True):
            np.testing.assert_array_equal(parameter.grad, grad)


@pytest.mark.parametrize("build", OPTIMIZERS)
def test_two_optimizers_loaded_from_one_state_share_nothing(twins, steps, build):
    ours, theirs = twins()
    first, second = build(ours), build(twins()[0])
    for _ in steps(ours, theirs, 2):
        first.step()
    saved = first.state_dict()
    second.load_state_dict(saved)
    for one, other in zip(saved["state"], second.state, strict=True):
        assert not any(isinstance(one[key], np.ndarray) and np.shares_memory(one[key], other[key]) for key in one)
    second.param_groups[0]["lr"] = 7
    assert first.param_groups[0]["lr"] != 7


def test_zero_grad_clears_gradients_and_a_parameter_without_gradient_stays(twins, steps):
    ours, theirs = twins()
    optimizer = optim.AdamW(ours)
    for _ in steps(ours, theirs, 1):
        optimizer.zero_grad()
    before = [parameter.data.copy() for parameter in ours]
    optimizer.step()
    for parameter, value in zip(ours, before, strict=True):
        assert parameter.grad is None
        np.testing.assert_array_equal(parameter.data, value)


def test_network_learns_exclusive_or():
    import mytorch

    mytorch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer, loss = optim.AdamW(network.parameters(), lr=0.05), nn.CrossEntropyLoss()
    x, target = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "f"), np.array([0, 1, 1, 0])
    for _ in range(100):
        optimizer.zero_grad()
        value = loss(network(x), target)
        network.backward(loss.backward())
        optimizer.step()
    assert value < 0.05


def test_optimizer_without_parameters_is_refused():
    with pytest.raises(ValueError, match=r"SGD got no parameters: give it model.parameters\(\)"):
        optim.SGD(nn.ReLU().parameters())


def test_unknown_setting_of_a_group_is_refused(twins):
    with pytest.raises(
        ValueError, match=r"SGD has no \['learning_rate'\]: expected some of \['dampening', 'lr', 'maximize'"
    ):
        optim.SGD([{"params": twins()[0], "learning_rate": 1}])


def test_group_without_parameters_named_is_refused(twins):
    with pytest.raises(ValueError, match="params"):
        optim.SGD([{"lr": 1}])


def test_parameter_given_twice_is_refused(twins):
    ours, _ = twins()
    with pytest.raises(ValueError, match="got a parameter twice: put each into one group, once"):
        optim.SGD([{"params": ours}, {"params": ours[:1]}])


def test_single_parameter_in_place_of_a_list_is_refused(twins):
    with pytest.raises(TypeError, match="iterable"):
        optim.SGD(twins()[0][0])


def test_arrays_in_place_of_parameters_are_refused(twins):
    with pytest.raises(TypeError, match=r"SGD got a ndarray: expected Parameters: model.parameters\(\)"):
        optim.SGD([twins()[0][0].data])


def test_state_of_another_network_is_refused(twins):
    ours, _ = twins()
    with pytest.raises(ValueError, match="this state is of 3 parameters in 1 groups, the optimizer has 2 in 1"):
        optim.SGD(ours[:2]).load_state_dict(optim.SGD(ours).state_dict())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": -1.0}),
        ("SGD", {"lr": float("nan")}),
        ("SGD", {"lr": 0.1, "momentum": -3.0}),
        ("Adam", {"betas": (2.0, 0.9)}),
        ("AdamW", {"eps": -1.0}),
        ("AdamW", {"weight_decay": float("inf")}),
    ],
)
def test_settings_that_no_training_could_use_are_refused(name, options):
    layer = nn.Linear(2, 3)
    with pytest.raises(ValueError, match=r"expected (a )?number"):
        getattr(optim, name)(layer.parameters(), **options)


@pytest.mark.parametrize("given", [nn.Linear(2, 2), 3, None])
def test_what_is_no_list_of_parameters_is_named_with_the_remedy(given):
    with pytest.raises(
        TypeError, match=rf"Adam got a {type(given).__name__}: expected an iterable of Parameters: model"
    ):
        optim.Adam(given, lr=0.1)
