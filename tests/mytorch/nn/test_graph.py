"""Graphs of layers: against PyTorch, fused and not, shared weights, several outputs, and mistakes in building one."""

import gc
import re
import weakref
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

import mytorch
from models.twin import twin
from mytorch import nn

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((4, 3, 9, 8))


def block(graph, name, x, channels):
    """A residual block with a gate, named as in PyTorch: convolutions, batch norm, squeeze and excitation."""
    y = graph.add(f"{name}.conv1", nn.Conv2d(channels, channels, 3, padding=1, bias=False), x)
    y = graph.add(f"{name}.bn1", nn.BatchNorm2d(channels), y)
    y = graph.add(f"{name}.relu", nn.ReLU(), y)
    gate = graph.add(f"{name}.mean", nn.Mean((2, 3), keepdim=True), y)
    gate = graph.add(f"{name}.sigmoid", nn.Sigmoid(), graph.add(f"{name}.fc", nn.Conv2d(channels, channels, 1), gate))
    y = graph.add(f"{name}.gated", nn.Multiply(), y, gate)
    return graph.add(f"{name}.relu2", nn.ReLU(), graph.add(f"{name}.sum", nn.Add(), y, x))


def network():
    mytorch.manual_seed(3)
    graph = nn.Graph()
    y = graph.add("stem", nn.Conv2d(3, 4, 3, padding=1), graph.input("image"))
    y = graph.add("pool", nn.MaxPool2d(2), graph.add("stem_relu", nn.ReLU(), y))
    y = block(graph, "stage.1", block(graph, "stage.0", y, 4), 4)
    halves = graph.add("chunk", nn.Chunk(2, dim=1), y)
    y = graph.add("cat", nn.Concatenate(), halves[1], y, halves[0])
    y = graph.add("scaled", nn.Multiply(), y, graph.parameter("stage.gamma", np.full((8, 1, 1), 0.3, "f")))
    y = graph.add("fc", nn.Linear(8 * 4 * 4, 5), graph.add("flatten", nn.Flatten(), y))
    graph.output(y)
    return graph.to(float)


def weighting(y):
    return np.cos(np.arange(y.size, dtype=y.dtype)).reshape(y.shape)


def close(ours, theirs, tolerance=1e-12):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * max(np.abs(theirs).max(), 1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_output_and_every_gradient_are_pytorchs(training):
    graph = network().train(training)
    theirs = twin(graph)
    x = torch.tensor(IMAGES, requires_grad=True)
    y, expected = graph(IMAGES), theirs(x)
    close(y, expected)
    expected.backward(torch.from_numpy(weighting(y)))
    close(graph.backward(weighting(y)), x.grad)
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    assert gradients.keys() == {name for name, _ in graph.named_parameters()}
    for name, parameter in graph.named_parameters():
        close(parameter.grad, gradients[name])
    assert set(graph.state_dict()) == set(theirs.state_dict())


def test_names_are_those_of_the_nodes():
    graph = network()
    names = list(graph.state_dict())
    assert {"stem.weight", "stage.0.bn1.running_mean", "stage.1.fc.bias", "stage.gamma", "fc.weight"} <= set(names)
    assert len(names) == len(set(names)) == 2 + 2 * 8 + 1 + 2
    assert graph["stage.0.bn1"].num_features == 4
    assert graph.inputs == ("image",)
    assert [str(value) for value in graph.outputs] == ["fc"]


def test_fused_layers_give_what_each_layer_on_its_own_gives():
    graph, alone = network(), network()
    for layer in alone.children():
        layer.__dict__["forward"] = layer.forward  # a replaced forward is never fused
    y = graph(IMAGES)
    np.testing.assert_allclose(y, alone(IMAGES), rtol=1e-12)
    np.testing.assert_allclose(graph.backward(weighting(y)), alone.backward(weighting(y)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", [nn.BatchNorm2d, nn.Add])
def test_relu_is_fused_unless_its_input_has_another_user(monkeypatch, kind):
    calls, fused = [], kind.forward_relu
    monkeypatch.setattr(kind, "forward_relu", lambda layer, *x: calls.append("fused") or fused(layer, *x))
    graph = nn.Graph()
    x = graph.input()
    before = graph.add("sum", nn.Add(), x, x) if kind is nn.Add else graph.add("norm", nn.BatchNorm2d(3), x)
    y = graph.add("relu", nn.ReLU(), before)
    graph.output(y)
    graph(IMAGES.astype("f"))
    assert calls == ["fused"]
    graph.output(y, before)
    graph(IMAGES.astype("f"))
    graph.output(graph.add("both", nn.Add(), y, before))
    graph(IMAGES.astype("f"))
    assert calls == ["fused"]


def test_weights_used_at_two_nodes_get_the_sum_of_both_gradients():
    layer = nn.Linear(6, 6)
    graph = nn.Graph()
    x = graph.input()
    y = graph.add("first", layer, x)
    y = graph.add("second", layer, graph.add("tanh", nn.Tanh(), y))
    graph.output(graph.add("sum", nn.Add(), y, graph.add("third", layer, x)))
    assert [name for name, _ in graph.named_parameters()] == ["first.weight", "first.bias"]
    errors = mytorch.gradcheck(graph.to(float), RNG.standard_normal((3, 6)))
    assert set(errors) == {"input", "first.weight", "first.bias"}


def test_an_evaluation_between_the_passes_leaves_shared_layers_alone():
    shared = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Dropout(0.5))
    graph = nn.Graph()
    graph.output(graph.add("b", shared, graph.add("a", shared, graph.input())))
    x = RNG.standard_normal((4, 5)).astype("f")
    mytorch.manual_seed(0)
    y = graph(x)
    expected = graph.backward(weighting(y))
    mytorch.manual_seed(0)
    graph(x)
    graph.eval()(x + 1)
    np.testing.assert_array_equal(graph.train().backward(weighting(y)), expected)


def two_outputs():
    graph = nn.Graph()
    x, other = graph.input("x"), graph.input("other")
    shared = graph.add("shared", nn.Linear(4, 4), x)
    graph.output(
        graph.add("product", nn.Multiply(), graph.add("tanh", nn.Tanh(), shared), other),
        graph.add("head", nn.Linear(4, 2), shared),
    )
    return graph.to(float)


def test_several_inputs_and_outputs():
    graph = two_outputs()
    x, other = RNG.standard_normal((2, 3, 4))
    theirs = twin(graph)
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, other)]
    outputs, expected = graph(x, other), theirs(*tensors)
    for one, its in zip(outputs, expected, strict=True):
        close(one, its)
    (expected[0].square().sum() + expected[1].sum()).backward()
    for grad, tensor in zip(graph.backward(2 * outputs[0], np.ones((3, 2))), tensors, strict=True):
        close(grad, tensor.grad)
    close(graph["shared"].weight.grad, theirs.get_parameter("shared.weight").grad)


def test_an_output_without_a_gradient_gives_none():
    graph = two_outputs()
    x, other = RNG.standard_normal((2, 3, 4))
    graph(x, other)
    grad, none = graph.backward(None, np.ones((3, 2)))
    assert none is None
    np.testing.assert_allclose(grad, np.ones((3, 2)) @ graph["head"].weight.data @ graph["shared"].weight.data)
    assert not any(module.__dict__.get("_saved") for module in graph.modules())


def test_an_unused_part_of_a_chunk_gets_zeros():
    graph = nn.Graph()
    parts = graph.add("chunk", nn.Chunk(3, dim=1), graph.input())
    graph.output(graph.add("relu", nn.Tanh(), parts[1]))
    x = RNG.standard_normal((2, 7, 3))
    assert graph(x).shape == (2, 3, 3)
    grad = graph.backward(np.ones((2, 3, 3)))
    assert grad.shape == x.shape
    assert not grad[:, :3].any()
    assert not grad[:, 6:].any()
    assert grad[:, 3:6].all()


def test_a_graph_inside_a_graph():
    inner = two_outputs()
    graph = nn.Graph()
    x = graph.input()
    y = graph.add("inner", inner, x, graph.add("twice", nn.Scale(2), x))
    graph.output(graph.add("cat", nn.Concatenate(), y[0], y[1], y[1]))
    assert "inner.shared.weight" in graph.state_dict()
    mytorch.gradcheck(graph.to(float), RNG.standard_normal((3, 4)))


def test_results_are_freed_after_their_last_use():
    class Watched(nn.Identity):
        seen: ClassVar[list] = []

        def forward(self, x):
            y = x + 1.0
            self.seen.append(weakref.ref(y))
            return y

    class Counting(nn.Identity):
        def forward(self, x):
            gc.collect()
            self.alive = sum(one() is not None for one in Watched.seen)
            return x * 1.0

    graph = nn.Graph()
    y = graph.add("a", Watched(), graph.input())
    y = graph.add("c", Watched(), graph.add("b", Watched(), y))
    y = graph.add("d", nn.Add(), y, graph.add("count", Counting(), y))
    graph.output(y)
    graph(np.ones((2, 2)))
    assert graph["count"].alive == 1


def test_training_mode_dtype_and_zero_grad_reach_every_layer():
    graph = network().to(np.float32).eval()
    assert not any(layer.training for layer in graph.modules())
    y = graph(IMAGES.astype("f"))
    assert y.dtype == graph.backward(weighting(y)).dtype == np.float32
    assert graph["stage.gamma"].grad.dtype == np.float32
    graph.zero_grad()
    assert all(parameter.grad is None for parameter in graph.parameters())


def test_weights_travel_through_a_checkpoint(tmp_path):
    graph, other = network(), network()
    for parameter in other.parameters():
        parameter.data += 1
    mytorch.save(graph.state_dict(), tmp_path / "w.safetensors")
    other.load_state_dict(mytorch.load(tmp_path / "w.safetensors")[0])
    np.testing.assert_array_equal(graph(IMAGES), other(IMAGES))


def test_a_layer_can_be_replaced():
    graph = network()
    graph["fc"] = nn.Linear(128, 2, dtype=float)
    assert graph(IMAGES).shape == (4, 2)
    with pytest.raises(KeyError, match="'head' is no layer of this Graph"):
        graph["head"] = nn.Linear(1, 1)
    with pytest.raises(TypeError, match="only a layer can be replaced, and by a layer"):
        graph["stage.gamma"] = nn.ReLU()


def test_summary_and_repr_list_every_node_with_its_full_name():
    graph = network()
    summary = mytorch.summary(graph, (3, 9, 8))
    rows = {row.name: row for row in summary.rows}
    assert rows["stage.0.bn1"].output_shape == (4, 4, 4)
    assert rows["chunk"].output_shape == (2, 4, 4)
    assert rows["stage.gamma"].parameters == 8
    assert summary.parameters == sum(parameter.data.size for parameter in graph.parameters())
    assert "\n  stage.0.bn1 " in str(summary)
    lines = repr(graph).splitlines()
    assert [line.split()[0] for line in lines[2:-2]] == ["image", "stage.gamma", *(node.name for node in graph.nodes)]
    assert lines[-2] == "  output: fc"
    assert next(line for line in lines if line.startswith("  cat ")).endswith("chunk[1], stage.1.relu2, chunk[0]")


def test_summary_of_several_inputs():
    summary = mytorch.summary(two_outputs(), ((4,), (4,)))
    assert summary.rows[0].output_shape == (4,)
    assert "inputs 4 and 4" in str(summary)


def built(*steps):
    graph = nn.Graph()
    graph.input("x")
    for step in steps:
        step(graph)
    return graph


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        ([lambda g: g.add("x", nn.ReLU(), "x")], ValueError, "'x' is in this Graph already"),
        ([lambda g: g.input("x")], ValueError, "'x' is in this Graph already"),
        ([lambda g: g.add("a", nn.ReLU(), "x"), lambda g: g.parameter("a", np.ones(1))], ValueError, "'a' is in this"),
        ([lambda g: g.add("a", nn.ReLU(), "b")], ValueError, "'b' as an input of 'a' is unknown: add it first; .* x"),
        ([lambda g: g.add("a", nn.ReLU(), "a")], ValueError, "'a' as an input of 'a' is unknown"),
        ([lambda g: g.add("a", nn.ReLU())], ValueError, "'a'.* got no input"),
        ([lambda g: g.add("a", nn.ReLU, "x")], TypeError, "'a'.*expected a Module"),
        ([lambda g: g.add("a", nn.ReLU(), IMAGES)], TypeError, "as an input of 'a': expected a value"),
        ([lambda g: g.add("", nn.ReLU(), "x")], TypeError, "name='': expected a name"),
        (
            [lambda g: g.add("a", nn.ReLU(), nn.Graph().input("x"))],
            ValueError,
            "'x' as an input of 'a' is a value of",
        ),
        ([lambda g: g.output("y")], ValueError, "'y' as an output is unknown"),
        ([lambda g: g.output()], ValueError, "got no value"),
        ([lambda g: g.parameter("p", np.ones(1)), lambda g: g.output("p")], ValueError, "p do not depend on any input"),
        (
            [lambda g: g.add("a", nn.ReLU(), "x"), lambda g: g.add("dead", nn.ReLU(), "a"), lambda g: g.output("a")],
            ValueError,
            "no output depends on dead: remove",
        ),
        (
            [lambda g: g.input("z"), lambda g: g.add("a", nn.ReLU(), "x"), lambda g: g.output("a")],
            ValueError,
            "no output depends on the inputs z",
        ),
        (
            [
                lambda g: g.add("a", nn.Linear(1, 1), g.add("s", nn.Add(), "x", g.parameter("a.weight", np.ones(1)))),
                lambda g: g.output("a"),
            ],
            ValueError,
            "the weights a.weight exist twice",
        ),
    ],
)
def test_a_mistake_in_building_is_one_clear_error(steps, error, message):
    with pytest.raises(error, match=message):
        built(*steps)


def test_a_graph_without_an_output_says_so():
    with pytest.raises(RuntimeError, match=r"no output: call graph\.output"):
        built()(IMAGES)


def test_another_number_of_inputs_or_gradients_is_refused():
    graph = network()
    with pytest.raises(TypeError, match=r"got 2 inputs: expected 1, \['image'\]"):
        graph(IMAGES, IMAGES)
    y = graph(IMAGES)
    with pytest.raises(TypeError, match="got 2 gradients: expected 1"):
        graph.backward(y, y)


def test_a_part_that_does_not_exist_is_refused():
    graph = nn.Graph()
    parts = graph.add("chunk", nn.Chunk(2), graph.input())
    graph.output(graph.add("relu", nn.ReLU(), parts[2]))
    with pytest.raises(ValueError, match=r"uses chunk\[2\], but the node chunk has 2 outputs"):
        graph(IMAGES)
    with pytest.raises(TypeError, match="chunk cannot be unpacked"):
        list(parts)


def test_an_error_in_a_layer_names_its_node():
    graph = network()
    with pytest.raises(ValueError, match=r"Conv2d got an input of shape \(4, 2, 9, 8\)") as caught:
        graph(IMAGES[:, :2])
    assert caught.value.__notes__ == ["in the Graph's nodes stem, stem_relu, pool"]


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (nn.Add(), [(2, 3), (2, 4)], r"Add got inputs of shapes \(2, 3\) and \(2, 4\), which do not broadcast"),
        (nn.Add(), [(2, 3)], "Add got 1 inputs: expected at least 2"),
        (nn.Concatenate(1), [(2, 3), (3, 3)], "expected as many axes, and equal lengths"),
        (nn.Concatenate(2), [(2, 3), (2, 3)], "expected as many axes"),
        (nn.Mean(3), [(2, 3)], "expected axes from -2 to 1"),
        (nn.Permute((0, 1)), [(2, 3, 4)], "expected 2 axes"),
        (nn.Reshape((0, 4)), [(2, 3)], r"Reshape\(\(0, 4\)\) got an input of shape \(2, 3\), which has another size"),
        (nn.Reshape((2, 3, 0)), [(2, 3)], "0 keeps an axis that it lacks"),
        (nn.Split((1, 1), 1), [(2, 3)], "got 3 elements along that axis: expected 2"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(layer, shapes, message):
    with pytest.raises((TypeError, ValueError), match=message):
        layer(*(np.ones(shape) for shape in shapes))


def test_two_dtypes_are_refused():
    with pytest.raises(TypeError, match="inputs of float64 and float32: expected one dtype"):
        nn.Multiply()(np.ones(2), np.ones(2, "f"))


def test_the_example_of_the_page_runs(tmp_path, monkeypatch):
    page = Path(__file__).parents[3] / "docs" / "pages" / "layers" / "containers.md"
    code, *_ = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(code, names)
    np.testing.assert_array_equal(names["again"](np.ones((1, 3, 8, 8), "f")), names["out"])
    assert names["grad"].shape == (1, 3, 8, 8)
