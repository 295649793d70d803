import csv
import json
import shutil

import numpy as np
import pytest

from experiments.data.dataset import read_images, read_split
from experiments.data.preparation import Preparation, read_preparation, write_preparation
from experiments.data.sources import find_images
from experiments.errors import FacesError
from experiments.inference.model import TrainedModel
from experiments.inference.predict import balance_logits
from experiments.metrics.classification import confidence
from experiments.run import Run
from experiments.submission import pseudo_labels
from experiments.submission.pseudo_labels import pseudo_label
from experiments.training.trainer import train


@pytest.fixture(scope="module")
def unlabeled(people, tmp_path_factory):
    """The images of all people in one flat folder, their person in the name."""
    folder = tmp_path_factory.mktemp("unlabeled")
    for path in people.glob("*/*"):
        (folder / f"{path.parent.name}-{path.name}").write_bytes(path.read_bytes())
    return folder


def table(out):
    with (out / "pseudo_labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_confident_images_are_sorted_and_the_table_holds_all(trained_once, unlabeled, tmp_path):
    out = tmp_path / "more"
    taken = pseudo_label([trained_once.folder], unlabeled, out, least=0.6)
    rows = table(out)
    assert len(rows) == len(list(unlabeled.iterdir()))
    assert {(r["person"], r["image"]) for r in rows if r["taken"] == "1"} == {
        (path.parent.name, path.name) for path in out.glob("*/*")
    }
    assert 0 < taken == sum(float(r["probability"]) >= 0.6 for r in rows)


def test_an_image_just_below_the_least_probability_is_left_out(trained_once, unlabeled, tmp_path):
    pseudo_label([trained_once.folder], unlabeled, tmp_path / "all", least=0.01)
    probabilities = sorted((float(row["probability"]) for row in table(tmp_path / "all")), reverse=True)
    least = probabilities[len(probabilities) // 2] + 6e-5  # the table has four digits
    taken = pseudo_label([trained_once.folder], unlabeled, tmp_path / "half", least=least)
    assert taken == sum(probability >= least for probability in probabilities)
    assert probabilities[taken] > 0.95 * least


def test_the_probability_is_the_networks(trained_once, people, unlabeled, tmp_path):
    trained = TrainedModel.open(trained_once.folder)
    faces, _ = read_split(people, trained.recipe)
    expected = dict(
        zip([f"{p.parent.name}-{p.name}" for p in faces.paths], confidence(trained.logits(faces.images)), strict=True)
    )
    pseudo_label([trained_once.folder], unlabeled, tmp_path / "more", least=0.3)
    found = {row["image"]: float(row["probability"]) for row in table(tmp_path / "more")}
    np.testing.assert_allclose([found[name] for name in expected], list(expected.values()), atol=6e-5)


def test_people_may_be_named_as_often_as_is_known(untrained, people, unlabeled, tmp_path):
    trained = TrainedModel.open(untrained.folder)
    logits = trained.logits(read_images(find_images(unlabeled), trained.recipe.data))
    pseudo_label([untrained.folder], unlabeled, tmp_path / "even", least=0.01, balance="even")
    expected = [trained.classes[n] for n in balance_logits(logits, np.full(4, 0.25)).argmax(1)]
    assert [row["person"] for row in table(tmp_path / "even")] == expected
    assert expected != [trained.classes[n] for n in logits.argmax(1)]


def test_a_run_trains_on_them_and_validates_as_before(trained_once, people, unlabeled, tiny, tmp_path):
    taken = pseudo_label([trained_once.folder], unlabeled, tmp_path / "more", least=0.4)
    before, validation = read_split(people, trained_once.recipe())
    recipe = tiny("epochs=1", f"data.extra_images={tmp_path / 'more'}")
    after, same = read_split(people, recipe)
    assert len(after) == len(before) + taken
    assert same.fingerprint == validation.fingerprint
    assert [after.names[k] for k in after.labels[len(before) :]] == [p.parent.name for p in after.paths[len(before) :]]
    np.testing.assert_array_equal(after.images[len(before) + 1], np.asarray(after.images)[len(before) + 1])
    np.testing.assert_array_equal(after.images[[0, len(before)]][0], before.images[0])
    train(recipe, people, tmp_path / "run")


def test_extra_images_of_strangers_are_refused(people, own_people, tiny):
    (own_people / "anna").rename(own_people / "zoe")
    with pytest.raises(FacesError, match=r"1 of its people, such as zoe, are not in"):
        read_split(people, tiny(f"data.extra_images={own_people}"))


def test_when_no_image_is_confident_enough_nothing_is_written(untrained, unlabeled, tmp_path):
    with pytest.raises(FacesError, match=r"the highest is 0\.\d\d: .* lower --min-probability"):
        pseudo_label([untrained.folder], unlabeled, tmp_path / "more", least=0.999)
    assert not (tmp_path / "more").exists()


def test_a_probability_is_asked_for(untrained, unlabeled, tmp_path):
    with pytest.raises(FacesError, match="--min-probability 80: expected a probability"):
        pseudo_label([untrained.folder], unlabeled, tmp_path / "more", least=80)


def test_a_folder_in_use_is_left_alone(trained_once, unlabeled, own_people):
    with pytest.raises(FacesError, match="exists already"):
        pseudo_label([trained_once.folder], unlabeled, own_people)


def test_runs_look_into_folders_of_their_own_and_the_first_ones_images_are_taken(
    trained_once, untrained, unlabeled, tmp_path
):
    again = tmp_path / "again"
    shutil.copytree(unlabeled, again)
    runs = [trained_once.folder, untrained.folder]
    pseudo_label(runs, unlabeled, tmp_path / "one", least=0.2)
    pseudo_label(runs, [unlabeled, again], tmp_path / "two", least=0.2)
    assert table(tmp_path / "one") == table(tmp_path / "two")
    (again / table(tmp_path / "one")[0]["image"]).unlink()
    with pytest.raises(FacesError, match=r"other images than .*, such as \S+, which one of them lacks"):
        pseudo_label(runs, [unlabeled, again], tmp_path / "three", least=0.2)


def test_sorted_images_keep_the_record_of_their_preparation(trained_once, people, unlabeled, tiny, tmp_path, sign):
    aligned = Preparation(detector="mtcnn", template="five-point", size=112, margin=0)
    test, train = shutil.copytree(unlabeled, tmp_path / "test"), shutil.copytree(people, tmp_path / "train")
    write_preparation(test, aligned)
    with pytest.raises(FacesError, match="expects images as they are"):
        pseudo_label([trained_once.folder], test, tmp_path / "no", least=0.3)
    run = Run(shutil.copytree(trained_once.folder, tmp_path / "run"))
    stored = json.loads((run.folder / "environment.json").read_text())
    stored["preparation"] = aligned.model_dump(mode="json")
    (run.folder / "environment.json").write_text(json.dumps(stored))
    sign(run.folder)
    pseudo_label([run.folder], test, tmp_path / "more", least=0.3)
    assert read_preparation(tmp_path / "more") == aligned
    write_preparation(train, aligned)
    read_split(train, tiny(f"data.extra_images={tmp_path / 'more'}"))


def test_a_probability_of_exactly_the_least_is_taken(trained_once, unlabeled, tmp_path, monkeypatch):
    monkeypatch.setattr(pseudo_labels, "confidence", lambda logits: np.full(len(logits), 0.8))
    assert pseudo_label([trained_once.folder], unlabeled, tmp_path / "more", least=0.8) == len(table(tmp_path / "more"))
