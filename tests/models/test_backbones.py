"""Every row of the table builds what it says, and weights go where they belong."""

import socket
import urllib.error

import pytest
import torch
from safetensors.torch import save_file

from models.backbones import BACKBONES, build_backbone, fetch_weights, find_backbone

SIDES = {"mobilefacenet": 112, "inception_resnet_v1": 80, "inception_resnet_v1_pooled": 80}
"""The smallest images that these take; the others see 32 pixels."""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of PyTorch's, and no network at all."""

    def refuse(*_, **__):
        raise socket.gaierror("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.mark.parametrize("name", [*BACKBONES, "timm:mobilenetv3_small_050"])
def test_backbone_gives_its_features(name):
    torch.manual_seed(0)
    backbone, side = find_backbone(name), SIDES.get(name, 32)
    network = build_backbone(name).eval()
    with torch.no_grad():
        features = network(torch.randn(2, 3, side, side))
    assert features.shape == (2, backbone.features)
    assert features.isfinite().all()
    assert not torch.equal(features[0], features[1])
    left = [key for key in network.state_dict() if backbone.classifier and key.startswith(backbone.classifier)]
    assert left == []  # no classifier is left for weights of other classes to miss


def test_statistics_of_timm_stand_in_the_table():
    timm = pytest.importorskip("timm")
    for name in ("resnet18", "resnet50", "efficientnet_b0", "seresnet50", "convnext_tiny"):
        backbone, (tag, url) = BACKBONES[name], next(iter(BACKBONES[name].weights.items()))
        settings = timm.get_pretrained_cfg(f"{name}.{tag}")
        assert (settings.mean, settings.std, settings.input_size[1:]) == (backbone.mean, backbone.std, (224, 224))
        assert settings.hf_hub_id in url
        assert backbone.classifier == (f"{settings.classifier}.",)


def test_addresses_of_torchvision_and_facenet_stand_in_the_table():
    from torchvision.models import MobileNet_V2_Weights as theirs

    assert BACKBONES["mobilenet_v2"].weights == {
        one.name.lower(): one.url for one in (theirs.DEFAULT, theirs.IMAGENET1K_V1)
    }


@pytest.mark.parametrize("name", ["inception_resnet_v1", "mobilefacenet"])
def test_face_statistics_are_minus_127_5_over_128(name):
    backbone, pixels = find_backbone(name), torch.arange(256.0)
    ours = (pixels / 255 - backbone.mean[0]) / backbone.std[0]
    torch.testing.assert_close(ours, (pixels - 127.5) / 128, rtol=0, atol=1e-6)


def test_inception_is_the_librarys_before_it_is_normalised():
    from facenet_pytorch import InceptionResnetV1

    ours, theirs = build_backbone("inception_resnet_v1").eval(), InceptionResnetV1().eval()
    theirs.load_state_dict(ours.state_dict())
    pooled = build_backbone("inception_resnet_v1_pooled").eval()
    pooled.load_state_dict(ours.state_dict(), strict=False)
    x = torch.randn(2, 3, 80, 80)
    with torch.no_grad():
        torch.testing.assert_close(torch.nn.functional.normalize(ours(x)), theirs(x))
        torch.testing.assert_close(ours.last_bn(ours.last_linear(pooled(x))), ours(x))


@pytest.mark.parametrize(("wrong", "meant"), [("resnt18", "'resnet18'"), ("mobilefacenett", "'mobilefacenet'")])
def test_unknown_name_is_answered_by_the_nearest(wrong, meant):
    with pytest.raises(ValueError, match=f"no backbone is called '{wrong}': did you mean .*{meant}"):
        find_backbone(wrong)


def test_file_with_a_classifier_fills_the_network_and_says_so(tmp_path):
    import timm

    whole = timm.create_model("resnet18", num_classes=17)
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    said = []
    network = build_backbone("resnet18", tmp_path / "whole.safetensors", said.append)
    assert "whole.safetensors: left out the classifier of 17 classes" in said[0]
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in network.state_dict().items())


def test_weights_of_another_network_are_refused_with_a_list(tmp_path):
    path = tmp_path / "face.safetensors"
    save_file(build_backbone("mobilefacenet").state_dict(), path)
    with pytest.raises(
        ValueError, match=r"face\.safetensors: .*not the weights of resnet18: 100 missing \(conv1\.weight,"
    ):
        build_backbone("resnet18", path)


def test_number_of_classes_tells_the_two_mobilenets_apart(tmp_path):
    for classes, name in ((1000, "mobilenet_v2"), (1001, "mobilenet_v2_tf")):
        path = tmp_path / f"{classes}.safetensors"
        head = {"classifier.1.weight": torch.zeros(classes, 1280), "classifier.1.bias": torch.zeros(classes)}
        save_file(build_backbone(name).state_dict() | head, path)
        assert {find_backbone(asked, path).name for asked in ("mobilenet_v2", "mobilenet_v2_tf")} == {name}
        assert build_backbone("mobilenet_v2", path)
    assert find_backbone("mobilenet_v2_tf").mean == (0.5, 0.5, 0.5)
    assert find_backbone("mobilenet_v2").mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("name", "file"), [("resnet18", "resnet18.a1_in1k.safetensors"), ("mobilenet_v2", "7ebf99e0.pth")]
)
def test_failed_download_says_what_to_fetch_and_where_to_put_it(cache, name, file):
    url = next(iter(BACKBONES[name].weights.values()))
    with pytest.raises(ValueError, match="could not be downloaded") as raised:
        build_backbone(name, "default")
    assert isinstance(raised.value.__cause__, urllib.error.URLError)
    assert f"fetch {url}" in str(raised.value)
    assert f"put it at {cache}" in str(raised.value)
    assert file in str(raised.value)
    assert "--weights FILE" in str(raised.value)
    assert not list(cache.iterdir())


def test_weights_already_fetched_need_no_network(cache):
    cache.mkdir(parents=True)
    source = build_backbone("mobilenet_v2")
    torch.save(source.state_dict(), cache / "mobilenet_v2-7ebf99e0.pth")
    assert fetch_weights(find_backbone("mobilenet_v2")).parent == cache
    again = build_backbone("mobilenet_v2", "imagenet1k_v2")
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in again.state_dict().items())


def test_weights_that_are_no_name_and_no_file_are_answered_by_the_names():
    with pytest.raises(ValueError, match="nor one of these names: none, default, vggface2, casia-webface"):
        build_backbone("inception_resnet_v1", "vggface")
    with pytest.raises(ValueError, match="mobilefacenet has no weights to download: give --weights FILE"):
        build_backbone("mobilefacenet", "default")


@pytest.mark.real
def test_real_mobilenet_fills_its_network(shared_data):
    file = shared_data.parent / "weights" / "mobilenet_v2_imagenet1001.safetensors"
    said = []
    network = build_backbone("mobilenet_v2", file, said.append)
    assert find_backbone("mobilenet_v2", file).name == "mobilenet_v2_tf"
    assert ["1001 classes" in note for note in said] == [True]
    norm = network.features[18][1]
    folded = norm.weight / (norm.running_var + norm.eps).sqrt()
    torch.testing.assert_close(folded, torch.ones_like(folded))
