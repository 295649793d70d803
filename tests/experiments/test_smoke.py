"""`faces doctor --smoke`: a recipe succeeds, a stopped one resumes, and one that fails is named."""

import json

import pytest

from experiments import smoke
from experiments.config.load import load_recipe, recipe_names
from experiments.errors import FacesError
from experiments.smoke import TABLE, run_smoke_test, shortened

SCRATCH = "scratch_cnn"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A smoke test of a recipe of each library."""
    out = tmp_path_factory.mktemp("smoke") / "out"
    return out, run_smoke_test(out, (SCRATCH, "resnet10_scratch"), side=32)


def test_both_libraries_come_to_a_submission(finished):
    out, rows = finished
    assert [row["ended"] for row in rows] == ["done", "done"]
    for row in rows:
        assert len((out / row["recipe"] / "submission.csv").read_text().splitlines()) == 1 + smoke.TEST_IMAGES
        assert row["epochs"] == 1
    assert json.loads((out / TABLE).read_text()).keys() == {SCRATCH, "resnet10_scratch"}


def test_what_is_done_is_not_done_again(finished, monkeypatch):
    out, rows = finished
    monkeypatch.setattr(smoke, "_run_recipe", None)
    assert run_smoke_test(out, (SCRATCH, "resnet10_scratch"), side=32) == rows


def test_other_settings_start_a_recipe_again(finished):
    (again,) = run_smoke_test(finished[0], (SCRATCH,), side=32, epochs=2)
    assert (again["epochs"], again["ended"]) == (2, "done")


def test_a_recipe_that_fails_is_named_at_the_end_and_the_others_run(tmp_path, monkeypatch):
    train = smoke.train

    def fails(recipe, *arguments, **options):
        if recipe.model.name == "small_resnet":
            raise FacesError("no luck")
        return train(recipe, *arguments, **options)

    monkeypatch.setattr(smoke, "train", fails)
    with pytest.raises(FacesError, match="1 of 2 recipes failed: scratch_resnet"):
        run_smoke_test(tmp_path / "out", ("scratch_resnet", SCRATCH))
    rows = json.loads((tmp_path / "out" / TABLE).read_text())
    assert {name: row["ended"] for name, row in rows.items()} == {"scratch_resnet": "no luck", SCRATCH: "done"}


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_a_short_form_of_one_epoch_a_stage(name, tmp_path):
    plain, short = load_recipe(name), shortened(name, tmp_path, 64, 1)
    assert short.epochs == len(plain.planned_stages)
    assert short.model.name == plain.model.name
    assert getattr(short.model, "weights", "none") == "none"


def test_a_folder_of_something_else_and_an_unknown_recipe_are_refused(command, own_people, tmp_path):
    done = command("doctor", "--smoke", "--out", own_people)
    assert done.status == 2
    assert "is not the folder of a smoke test: choose another --out" in done.err
    done = command("doctor", "--smoke", "--recipe", "scratch_cn", "--out", tmp_path / "out")
    assert done.status == 2
    assert "did you mean 'scratch_cnn'?" in done.err
    assert not (tmp_path / "out").exists()
