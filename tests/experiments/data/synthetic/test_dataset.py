"""The competition on disk: its shape, its truth, its repeatability, and that it appears whole or not at all."""

import csv
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from experiments.data.synthetic import SyntheticDataset, draw_identity, write_dataset
from experiments.data.synthetic import dataset as competition
from experiments.data.synthetic.render import draw_jpeg
from experiments.errors import FacesError

SMALL: dict[str, Any] = {"identities": 4, "images": 2, "test_images": 11, "size": 16, "seed": 3, "workers": 1}


def make(directory: Path, progress: Callable[[int, int], object] | None = None, **changes: int) -> SyntheticDataset:
    return write_dataset(directory, **{**SMALL, **changes}, progress=progress)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SyntheticDataset:
    return make(tmp_path_factory.mktemp("made") / "faces")


def test_folders_are_a_competitions(made: SyntheticDataset) -> None:
    assert sorted(p.name for p in made.directory.iterdir()) == ["answers", "sample_submission.csv", "test", "train"]
    assert sorted(p.name for p in made.train.iterdir()) == ["n000001", "n000002", "n000003", "n000004"]
    assert all(len(list(folder.glob("*.jpg"))) == 2 for folder in made.train.iterdir())
    assert sorted(p.name for p in made.test.iterdir()) == sorted(f"{k}.jpg" for k in range(1, 12))
    assert (made.identities, made.train_images, made.test_images, made.size, made.seed) == (4, 8, 11, 16, 3)


def test_every_file_is_an_image_of_the_size_asked_for(made: SyntheticDataset) -> None:
    for path in made.directory.rglob("*.jpg"):
        with Image.open(path) as image:
            image.load()
            assert (image.size, image.mode) == ((16, 16), "RGB")


def test_tables_list_the_test_set_in_string_order(made: SyntheticDataset) -> None:
    sample, answers = rows(made.sample_submission), rows(made.answers)
    assert sample[0] == answers[0] == ["image_name", "label"]
    names = [name for name, _ in sample[1:]]
    assert names[:4] == ["1.jpg", "10.jpg", "11.jpg", "2.jpg"]
    assert names == sorted(p.name for p in made.test.iterdir()) == [name for name, _ in answers[1:]]
    placeholders = {label for _, label in sample[1:]}
    assert len(placeholders) == 1
    assert placeholders < {p.name for p in made.train.iterdir()}


def test_answers_name_who_is_in_the_image(made: SyntheticDataset) -> None:
    """Each image is drawn again from the identity that the answers name."""
    drawn: Counter[str] = Counter()
    for name, label in rows(made.answers)[1:]:
        number = int(label[1:]) - 1
        person = draw_identity(SMALL["seed"], number)
        candidates = [draw_jpeg(person, SMALL["seed"], competition.FIRST_TEST_IMAGE + k, 16) for k in range(3)]
        assert (made.test / name).read_bytes() in candidates
        drawn[label] += 1
    assert max(drawn.values()) - min(drawn.values()) <= 1, "as many of each as can be"


def test_no_image_is_there_twice(made: SyntheticDataset) -> None:
    images = [path.read_bytes() for path in made.directory.rglob("*.jpg")]
    assert len(set(images)) == len(images)


def test_test_numbers_tell_nothing(tmp_path: Path) -> None:
    made = make(tmp_path / "faces", identities=2, images=1, test_images=40)
    answers = {int(name.removesuffix(".jpg")): label for name, label in rows(made.answers)[1:]}
    labels = [answers[k] for k in range(1, 41)]
    changes = sum(a != b for a, b in pairwise(labels))
    assert 8 < changes < 32, "neither sorted nor alternating"


def test_workers_do_not_change_a_byte(made: SyntheticDataset, tmp_path: Path) -> None:
    twice = make(tmp_path / "faces", workers=2)
    assert contents(twice.directory) == contents(made.directory)


def test_fewer_people_are_a_prefix_of_more(made: SyntheticDataset, tmp_path: Path) -> None:
    more = make(tmp_path / "faces", identities=6, images=3)
    before, after = contents(made.train), contents(more.train)
    assert before == {name: after[name] for name in before}
    assert len(after) == 18


def test_another_seed_changes_every_image(made: SyntheticDataset, tmp_path: Path) -> None:
    other = make(tmp_path / "faces", seed=4)
    before, after = contents(made.train), contents(other.train)
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before)


def test_progress_runs_to_the_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    make(tmp_path / "faces", progress=lambda *at: seen.append(at))
    done = [count for count, _ in seen]
    assert {total for _, total in seen} == {19}
    assert done == sorted(done)
    assert done[-1] == 19


def test_a_competition_without_a_test_set(tmp_path: Path) -> None:
    made = make(tmp_path / "faces", test_images=0)
    assert list(made.test.iterdir()) == []
    assert rows(made.sample_submission) == rows(made.answers) == [["image_name", "label"]]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    make(tmp_path / "faces")
    assert [p.name for p in tmp_path.iterdir()] == ["faces"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"identities": 1}, r"identities = 1: expected 2"),
        ({"identities": -3}, r"identities = -3"),
        ({"images": 0}, r"images = 0: expected 1"),
        ({"test_images": -1}, r"test images = -1: expected 0"),
        ({"size": 15}, r"size = 15: expected 16 to 512"),
        ({"size": 513}, r"size = 513: expected 16 to 512"),
        ({"seed": -1}, r"seed = -1: expected 0"),
        ({"workers": 0}, r"workers = 0: expected 1"),
    ],
)
def test_numbers_out_of_range_are_named(change: dict[str, int], says: str, tmp_path: Path) -> None:
    with pytest.raises(FacesError, match=says):
        make(tmp_path / "faces", **change)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "mine.txt").write_text("keep")
    with pytest.raises(FacesError, match=r"faces: expected a new or an empty folder"):
        make(tmp_path / "faces")
    assert contents(tmp_path) == {"faces/mine.txt": b"keep"}


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "faces").write_text("keep")
    with pytest.raises(FacesError, match=r"faces: expected a folder"):
        make(tmp_path / "faces")
    assert contents(tmp_path) == {"faces": b"keep"}


@pytest.mark.parametrize("missing", ["nowhere/faces", "file/faces"])
def test_a_parent_that_cannot_hold_it_is_named(missing: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FacesError, match=missing.split("/")[0]):
        make(tmp_path / missing)
    assert contents(tmp_path) == {"file": b""}


def _interrupt(done: int, total: int) -> None:
    raise KeyboardInterrupt


def _fail(done: int, total: int) -> None:
    raise RuntimeError("no more")


@pytest.mark.parametrize(("stop", "error"), [(_interrupt, KeyboardInterrupt), (_fail, RuntimeError)])
@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_half_written_is_left(
    stop: Callable[[int, int], None], error: type[BaseException], workers: int, tmp_path: Path
) -> None:
    with pytest.raises(error):
        make(tmp_path / "faces", progress=stop, workers=workers)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_reported_and_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(competition, "_write_table", full)
    with pytest.raises(FacesError, match=r"faces: .*No space left on device"):
        make(tmp_path / "faces")
    assert list(tmp_path.iterdir()) == []
