"""Graphs in files: every layer comes back as it was, a file runs no code, and a damaged or foreign one is one error."""

import json

import numpy as np
import pytest

import mytorch
from mytorch import nn
from mytorch.nn.describe import build, describe, from_description, known_layers
from mytorch.nn.graph import METADATA
from mytorch.random import seeded
from tests.gradients.cases import CASES
from tests.mytorch.nn.test_graph import IMAGES, network, two_outputs, weighting


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_layer_is_built_again_from_json(name):
    for index in range(4):
        case = CASES[name](np.random.default_rng(index))
        again = from_description(json.loads(json.dumps(describe(case.layer))), known_layers())
        assert repr(again.to(float)) == repr(case.layer.to(float))
        again.load_state_dict(case.layer.state_dict())
        for one, other in zip(again.named_buffers(), case.layer.named_buffers(), strict=True):
            one[1][...] = other[1]
        results = []
        for layer in (case.layer, again):
            with seeded(index):
                results.append(layer.train(case.training)(case.x, *case.others))
        for ours, others in zip(*(one if isinstance(one, tuple) else (one,) for one in results), strict=True):
            np.testing.assert_array_equal(ours, others)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_graph_comes_back_with_its_values_names_and_gradients(tmp_path, dtype):
    graph = network().to(dtype)
    graph(IMAGES.astype(dtype))  # moves the running statistics
    graph.save(tmp_path / "graph.safetensors")
    mytorch.manual_seed(5)
    again = nn.Graph.load(tmp_path / "graph.safetensors")
    drawn = mytorch.random.default_generator().random()
    mytorch.manual_seed(5)
    assert mytorch.random.default_generator().random() == drawn
    assert repr(again) == repr(graph)
    assert list(again.state_dict()) == list(graph.state_dict())
    for mode in (True, False):
        y, other = (one.train(mode)(IMAGES.astype(dtype)) for one in (graph, again))
        np.testing.assert_array_equal(y, other)
        assert y.dtype == other.dtype == dtype
        np.testing.assert_array_equal(graph.backward(weighting(y)), again.backward(weighting(y)))


def test_several_inputs_shared_layers_constants_and_graphs_in_graphs_come_back(tmp_path):
    graph = nn.Graph()
    x = graph.input("x")
    shared = nn.Linear(4, 4)
    y = graph.add("b", shared, graph.add("a", shared, x))
    parts = graph.add("inner", two_outputs().to(np.float32), x, y)
    y = graph.add("sum", nn.Add(), parts[0], graph.constant("mean", np.full(4, 0.5, "f"), persistent=False))
    graph.output(y, parts[1])
    graph.save(tmp_path / "g")
    again = nn.Graph.load(tmp_path / "g")
    assert again["a"] is again._members[again.nodes[1].layer]
    assert list(again.state_dict()) == list(graph.state_dict())
    assert "mean" not in again.state_dict()
    x = np.random.default_rng(0).standard_normal((3, 4)).astype("f")
    for one, other in zip(graph(x), again(x), strict=True):
        np.testing.assert_array_equal(one, other)


class Own(nn.Linear):
    def __init__(self, width: int):
        super().__init__(width, width)
        self.width = width


def one_layer(layer):
    graph = nn.Graph()
    graph.output(graph.add("own", layer, graph.input()))
    return graph


def test_a_layer_of_your_own_is_built_only_if_it_is_given(tmp_path):
    one_layer(Own(3)).save(tmp_path / "g")
    assert isinstance(nn.Graph.load(tmp_path / "g", layers=[Own])["own"], Own)
    with pytest.raises(mytorch.CheckpointError, match=r"g: not a graph .*'Own' is no known layer: .* one of `layers`"):
        nn.Graph.load(tmp_path / "g")


def test_a_layer_that_does_not_store_its_arguments_cannot_be_saved(tmp_path):
    class Forgetful(nn.Identity):
        def __init__(self, width):
            pass

    with pytest.raises(TypeError, match=r"Forgetful does not store its argument width: set self\.width"):
        one_layer(Forgetful(3)).save(tmp_path / "g")
    assert list(tmp_path.iterdir()) == []


def test_layers_given_as_factories_are_kept():
    again = from_description(describe(nn.SqueezeExcitation(4, 2, nn.SiLU, nn.Tanh)), known_layers())
    assert (type(again.activation), type(again.scale_activation)) == (nn.SiLU, nn.Tanh)
    assert build(nn.Sequential, {"layers": [nn.ReLU(), nn.Tanh()]})[1].__class__ is nn.Tanh


def damaged(change):
    structure = one_layer(nn.Linear(2, 2)).structure()
    change(structure)
    return json.dumps(structure)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "its structure is not that of a Graph"),
        ("{}", "its structure is not that of a Graph: KeyError: 'inputs'"),
        ("[" * 100_000, "recursion"),
        (damaged(lambda s: s["nodes"][0].update(layer="gone")), "KeyError: 'gone'"),
        (damaged(lambda s: s["nodes"][0].update(inputs=[["gone", None]])), "use gone, which it does not have"),
        (damaged(lambda s: s["nodes"].append(s["nodes"][0])), "form a cycle or exist twice"),
        (
            damaged(lambda s: (s["nodes"][0].update(inputs=[["z", None]]), s["nodes"].append(
                {"name": "z", "layer": "own", "inputs": [["own", None]]}))),
            "its nodes own, z form a cycle",
        ),
        (damaged(lambda s: s.update(outputs=[])), r"graph\.output\(\) got no value"),
        (damaged(lambda s: s["layers"]["own"].update({"class": "os.system"})), "'os.system' is no known layer"),
        (damaged(lambda s: s["layers"]["own"].update({"class": ["Linear"]})), "is no known layer"),
        (damaged(lambda s: s["layers"]["own"].update(arguments=3)), "the arguments of Linear are 3"),
        (damaged(lambda s: s["layers"]["own"]["arguments"].update(in_features=-1)), "Linear with the arguments"),
        (damaged(lambda s: s["layers"]["own"]["arguments"].update(x=1)), "unexpected keyword argument 'x'"),
        (damaged(lambda s: s["layers"]["own"]["arguments"].update(in_features=3)), r"own.weight: shape \(2, 2\) where"),
        (damaged(lambda s: s["layers"].update(own={"class": "Graph", "structure": None})), "not that of a Graph"),
    ],
)  # fmt: skip
def test_a_damaged_structure_is_one_error_that_names_the_file(tmp_path, text, message):
    arrays = one_layer(nn.Linear(2, 2)).state_dict()
    mytorch.save(arrays, tmp_path / "g.safetensors", {METADATA: text})
    with pytest.raises(mytorch.CheckpointError, match=rf"(?s)g\.safetensors: not a graph that .*{message}"):
        nn.Graph.load(tmp_path / "g.safetensors")


def test_a_missing_a_foreign_and_a_truncated_file_are_one_error_each(tmp_path):
    path = tmp_path / "g.safetensors"
    with pytest.raises(mytorch.CheckpointError, match=r"g\.safetensors: no such file"):
        nn.Graph.load(path)
    mytorch.save({"weight": np.ones(2)}, path)
    with pytest.raises(mytorch.CheckpointError, match="holds weights without a structure; expected a file that Graph"):
        nn.Graph.load(path)
    network().save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(mytorch.CheckpointError, match="not a complete safetensors file"):
        nn.Graph.load(path)


def test_a_graph_without_an_output_is_not_written(tmp_path):
    with pytest.raises(RuntimeError, match="no output"):
        nn.Graph().save(tmp_path / "g")
    assert list(tmp_path.iterdir()) == []
