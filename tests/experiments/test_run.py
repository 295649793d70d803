import json
import os

import pytest

from experiments.config.recipe import Recipe
from experiments.data.preparation import AS_THEY_ARE, Preparation
from experiments.errors import FacesError
from experiments.files import new_folder, read_json, refuse_existing, write_csv, write_json
from experiments.run import Run


def test_a_run_knows_its_recipe_people_and_pictures(tmp_path):
    Run.create(tmp_path / "run", Recipe(epochs=3), ["ä", "b"], tmp_path, "abc")
    run = Run.open(tmp_path / "run")
    assert run.recipe() == Recipe(epochs=3)
    assert run.classes() == ["ä", "b"]
    assert run.image_fingerprint() == "abc"


def test_a_run_records_how_its_images_were_prepared(tmp_path):
    aligned = Preparation(detector="mtcnn", template="five-point", size=112, margin=0.1)
    for name, preparation in (("aligned", aligned), ("raw", AS_THEY_ARE), ("old", None)):
        run = Run.create(tmp_path / name, Recipe(), ["a"], tmp_path, preparation=preparation)
        assert run.preparation() == preparation
    (tmp_path / "old" / "environment.json").write_text('{"preparation": {"size": 3}}')
    with pytest.raises(FacesError, match=r"environment\.json"):
        run.preparation()


def test_the_command_that_made_it_can_be_pasted_into_a_shell(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/faces", "train", "--data", "my faces"])
    Run.create(tmp_path / "run", Recipe(), [], tmp_path)
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["command"] == "faces train --data 'my faces'"


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(FacesError, match="exists already: choose another --out, or do that"):
        refuse_existing(tmp_path, "do that")


def test_refusing_changes_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    refuse_existing(tmp_path / "empty", "")
    refuse_existing(tmp_path / "new" / "deep", "")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_may_not_be_written_to_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FacesError, match="is not a folder that you may write to"):
        refuse_existing(tmp_path / "run", "")


@pytest.mark.parametrize("existing", [False, True])
def test_a_new_folder_appears_whole(tmp_path, existing):
    if existing:
        (tmp_path / "new").mkdir()
    with new_folder(tmp_path / "new") as folder:
        (folder / "file").touch()
        assert not (tmp_path / "new" / "file").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new" / "file").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, FacesError])
def test_a_new_folder_that_fails_was_never_there(tmp_path, error):
    def fail():
        with new_folder(tmp_path / "new") as folder:
            (folder / "file").touch()
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_never_replaces_one_that_was_filled_meanwhile(tmp_path):
    def collide():
        with new_folder(tmp_path / "new"):
            (tmp_path / "new").mkdir()
            (tmp_path / "new" / "theirs").touch()

    with pytest.raises(OSError, match="not empty"):
        collide()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["new", "new/theirs"]


def test_rows_that_may_be_none_have_their_head(tmp_path):
    write_csv(tmp_path / "rows.csv", [], columns=("a", "b"))
    assert (tmp_path / "rows.csv").read_text() == "a,b\n"


def test_json_keeps_names_of_every_script_readable(tmp_path):
    write_json(tmp_path / "names.json", ["Łukasz", "明"])
    assert "Łukasz" in (tmp_path / "names.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "names.json") == ["Łukasz", "明"]


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe\x00"])
def test_json_that_cannot_be_read_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(FacesError, match=r"x\.json: cannot be read as JSON"):
        read_json(tmp_path / "x.json")
