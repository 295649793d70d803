import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import save_file

from experiments.data.dataset import read_split
from experiments.errors import FacesError
from experiments.inference.frozen_backbone import open_frozen_backbone, save_frozen_network
from experiments.inference.model import TrainedModel
from experiments.inference.networks import open_embedder
from experiments.tools import export as module
from experiments.tools.export import export
from models.backbones import build_backbone

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")


@pytest.fixture(scope="module")
def exported(trained_once, tmp_path_factory):
    """The run as ONNX, what was found, and a session to run it."""
    file = tmp_path_factory.mktemp("export") / "model.onnx"
    found = export(trained_once.folder, file)
    return found, file, onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def test_the_file_names_faces_as_the_run_does_from_plain_pictures_of_any_number(exported, trained_once, people):
    _, _, session = exported
    trained = TrainedModel.open(trained_once.folder)
    faces, _ = read_split(people, trained.recipe)
    for count in (1, 7, 20):
        (logits,) = session.run(["logits"], {"images": faces.images[:count]})
        np.testing.assert_allclose(logits, trained.logits(faces.images[:count]), atol=1e-4)


def test_the_file_alone_says_what_it_takes_and_whom_it_knows(exported):
    found, file, session = exported
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["people"]) == ["anna", "ben", "chloe", "dan"]
    assert json.loads(about["size"]) == [16, 16]
    assert session.get_inputs()[0].shape[1:] == [16, 16, 3]
    assert session.get_inputs()[0].type == "tensor(uint8)"
    assert found.difference < 1e-5
    assert found.onnx_ms > 0
    assert [path.name for path in file.parent.iterdir()] == ["model.onnx"]


def test_another_result_than_the_runs_is_refused_and_nothing_written(trained_once, tmp_path, monkeypatch):
    statistics = module.Pixels.__init__
    monkeypatch.setattr(module.Pixels, "__init__", lambda self, net, mean, std: statistics(self, net, mean, 0.5))
    with pytest.raises(FacesError, match=r"is not written: ONNX differs from .*run by .* expected at most 1e-04"):
        export(trained_once.folder, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_the_embedding_of_a_network_of_mytorch_is_exported(trained_once, tmp_path):
    assert export(trained_once.folder, tmp_path / "model.onnx", "embedding").difference < 1e-4
    assert open_embedder(tmp_path / "model.onnx").size == (16, 16)


def test_missing_packages_are_named_with_what_to_install(trained_once, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(FacesError, match=r"onnx and onnxscript and onnxruntime: .*, pip install '.\[export\]'"):
        export(trained_once.folder, tmp_path / "model.onnx")


@pytest.mark.parametrize(("name", "expected"), [("model", "ends in .onnx"), ("no/model.onnx", "there is no folder")])
def test_a_place_that_will_not_do(trained_once, tmp_path, name, expected):
    with pytest.raises(FacesError, match=expected):
        export(trained_once.folder, tmp_path / name)


@pytest.mark.parametrize("what", ["classifier", "embedding"])
def test_a_network_of_pytorch_gives_its_logits_or_its_embedding(transfer_once, people, tmp_path, what):
    export(transfer_once.folder, tmp_path / "model.onnx", what)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    trained = TrainedModel.open(transfer_once.folder, "cpu")
    faces, _ = read_split(people, trained.recipe)
    (found,) = session.run(None, {"images": faces.images[:5]})
    expected = trained.logits(faces.images[:5]) if what == "classifier" else trained.embed(faces.images[:5], flip=False)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    if what == "embedding":
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("target", "asked", "named"), [
    ("classifier", None, True), ("classifier", False, False), ("embedding", None, False), ("embedding", True, True),
])  # fmt: skip
def test_an_embedding_names_no_one_unless_asked(transfer_once, tmp_path, target, asked, named):
    export(transfer_once.folder, tmp_path / "model.onnx", target, asked)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert ("people" in session.get_modelmeta().custom_metadata_map) == named
    content = (tmp_path / "model.onnx").read_bytes()
    assert all((name.encode() in content) == named for name in transfer_once.classes())


def test_a_difference_that_is_not_a_number_is_refused(trained_once, tmp_path, monkeypatch):
    compare = module._compare
    monkeypatch.setattr(module, "_compare", lambda *given: replace(compare(*given), difference=float("nan")))
    with pytest.raises(FacesError, match=r"is not written: ONNX differs .* by nan"):
        export(trained_once.folder, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_nan_in_one_output_is_a_difference(trained_once, tmp_path):
    """The comparison itself: a NaN anywhere makes the difference NaN, not that of the others."""
    file = tmp_path / "model.onnx"
    export(trained_once.folder, file)
    trained = TrainedModel.open(trained_once.folder)
    images = np.zeros((3, *trained.size, 3), np.uint8)
    truth = trained.logits(images)
    truth[1, 2] = np.nan
    recipe = trained.recipe.data
    module_ = module.Pixels(module.twin(trained.network), recipe.mean, recipe.std).eval()
    assert np.isnan(module._compare(file, module_, images, truth).difference)


@pytest.fixture
def frozen(transfer_once, tmp_path):
    """A folder with a frozen network, as `faces verify --backbone` makes it, of a small backbone."""
    network = build_backbone("test_resnet", "none")
    weights = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), weights)
    folder = tmp_path / "frozen"
    folder.mkdir()
    embedder = open_frozen_backbone("test_resnet", weights, folder)
    save_frozen_network(embedder)
    return folder


def test_a_frozen_network_is_exported_with_its_own_embeddings(frozen, tmp_path):
    export(frozen, tmp_path / "model.onnx", "embedding")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    embedder = open_embedder(frozen)
    images = np.random.default_rng(1).integers(0, 256, (4, *embedder.size, 3), np.uint8)
    (found,) = session.run(["embedding"], {"images": images})
    np.testing.assert_allclose(found, embedder.vectors(images, False), atol=1e-4)


def test_a_frozen_network_has_no_classes(frozen, tmp_path):
    with pytest.raises(FacesError, match="gives embeddings and no classes: export --what embedding"):
        export(frozen, tmp_path / "model.onnx")
