import hashlib
import json
import math
import os
import shutil
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.config.recipe import Recipe
from experiments.data.preparation import AS_THEY_ARE, Preparation
from experiments.errors import FacesError
from experiments.files import new_folder, read_json, refuse_existing, write_csv, write_json
from experiments.run import Run, RunEnvironment, RunMetrics
from experiments.training.trainer import train

FIELDS = st.sampled_from([*RunMetrics.model_fields, *RunEnvironment.model_fields, "detector", "size"])


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | st.text(max_size=5), inner, max_size=5),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON)
def test_stored_json_of_any_shape_is_read_or_refused_by_name(tmp_path, value):
    """Whatever an edited or a foreign file holds: what the run offers is of its type, or a line names the file."""
    run = Run(tmp_path)
    text = json.dumps(value)
    for file, read in (
        (run.metrics_file, run.metrics),
        (run.environment_file, run.environment),
        (run.environment_file, run.preparation),
        (run.environment_file, run.image_fingerprint),
        (tmp_path / "classes.json", run.classes),
    ):
        file.write_text(text)
        if file.name == "classes.json":
            run.environment_file.unlink()
        try:
            found = read()
        except FacesError as error:
            assert str(file) in str(error)  # noqa: PT017
            continue
        if file.name == "classes.json":
            assert all(isinstance(name, str) for name in found)
            assert len(set(found)) == len(found)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("epochtp1,\n\"0.5-n'e\r\x00ä"), max_size=60))
def test_a_history_of_any_text_is_read_or_refused_by_name(tmp_path, text):
    run = Run(tmp_path)
    run.history_file.write_bytes(f"epoch,top1\n{text}".encode())
    try:
        frame = run.history()
    except FacesError as error:
        assert "history.csv" in str(error)  # noqa: PT017
    else:
        assert "epoch" in frame
        assert len(frame) != 0


@given(st.lists(st.floats(0, 1) | st.none(), min_size=1, max_size=6))
def test_a_history_comes_back_to_the_last_digit(values):
    with TemporaryDirectory() as folder:
        run = Run(folder)
        run.write_history([{"epoch": n, "top1": value} for n, value in enumerate(values, 1)])
        frame = run.history()
    assert [None if math.isnan(value) else value for value in frame["top1"]] == values
    assert frame["epoch"].tolist() == list(range(1, len(values) + 1))


def test_a_run_offers_its_files_as_data(trained_once):
    history, metrics = trained_once.history(), trained_once.metrics()
    assert len(history) == metrics.epoch == 12
    assert metrics.top1 == history["top1"].iloc[-1]
    assert metrics.best_top1 == history["top1"].max()
    assert trained_once.environment().python.startswith("3.")


EDITS = {  # file: what is replaced in it
    "metrics.json": ('"epoch": 12', '"epoch": 13'),
    "history.csv": ("\n2,", "\n3,"),
    "environment.json": ('"seed": 0', '"seed": 1'),
    "classes.json": ("anna", "Anna"),
    "recipe.yaml": ("flip: 0.5", "flip: 0.4"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_file_of_a_run_is_refused_with_a_remedy(trained_once, tmp_path, name):
    run = Run(shutil.copytree(trained_once.folder, tmp_path / "run"))
    before, after = EDITS[name]
    text = (run.folder / name).read_text()
    assert before in text
    read = {"metrics.json": run.metrics, "history.csv": run.history, "environment.json": run.environment,
            "classes.json": run.classes, "recipe.yaml": run.recipe}[name]  # fmt: skip
    read()
    (run.folder / name).write_text(text.replace(before, after, 1))
    with pytest.raises(FacesError, match=rf"{name}: changed since .*(copy|--resume|remove)"):
        read()


@pytest.mark.parametrize("name", ["metrics.json", "environment.json"])
def test_a_file_without_its_digest_is_worth_a_note(trained_once, tmp_path, name, capsys):
    run = Run(shutil.copytree(trained_once.folder, tmp_path / "run"))
    fields = read_json(run.folder / name)
    del fields["digest"]
    write_json(run.folder / name, fields)
    (run.metrics if name == "metrics.json" else run.environment)()
    assert f"note: {run.folder / name} has no digest, so that an edited value" in capsys.readouterr().out


def test_an_epoch_that_was_not_finished_is_left_out_of_the_history(trained_once, tmp_path):
    run = Run(shutil.copytree(trained_once.folder, tmp_path / "run"))
    text = run.history_file.read_text()
    run.history_file.write_text(text + text.splitlines(keepends=True)[-1].replace("12,", "13,", 1))
    assert list(run.history()["epoch"]) == list(range(1, 13))
    run.history_file.write_text("".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(FacesError, match=r"history\.csv: changed since it was stored"):
        run.history()


def test_a_run_is_signed_after_each_epoch(people, tiny, tmp_path):
    run = train(tiny("epochs=1"), people, tmp_path / "run")
    assert len(run.history()) == run.metrics().epoch == 1
    content = run.history_file.read_bytes()
    signed = read_json(run.metrics_file)["history"]
    assert signed == {"length": len(content), "digest": hashlib.blake2b(content, digest_size=16).hexdigest()}


@pytest.mark.parametrize(
    ("names", "images", "changed"),
    [
        (["b", "a"], "abc", "people"),
        (["a", "b", "c"], "abc", "people"),
        (["a"], "abc", "people"),
        (["a", "b"], "", "images"),
    ],
)
def test_people_in_another_order_or_number_or_other_images_are_not_a_runs(tmp_path, names, images, changed):
    """Labels are places in the list: the same people in another order would get one another's weights."""
    run = Run.create(tmp_path / "run", Recipe(), ["a", "b"], tmp_path, "abc")
    run.refuse_others(["a", "b"], "abc")
    with pytest.raises(FacesError, match=f"started with other {changed} than --data has"):
        run.refuse_others(names, images)


@pytest.mark.parametrize("column", ["train_top1", "top1", "top5", "eer"])
def test_a_fraction_of_the_history_is_between_none_and_all(tmp_path, column):
    run = Run.create(tmp_path / "run", Recipe(), ["a", "b"], tmp_path)
    for good in (0, 0.25, 1, ""):
        run.write_history([{"epoch": 1, "loss": 7.5, column: good}, {"epoch": 2, "loss": 40.0, column: 0.5}])
        assert run.history()["loss"].tolist() == [7.5, 40.0]
    for bad in (1.001, 25, -0.01):
        run.write_history([{"epoch": 1, "loss": 7.5, column: 0.5}, {"epoch": 2, "loss": 40.0, column: bad}])
        with pytest.raises(FacesError, match=f"column {column} has values outside of 0 to 1; was the file edited"):
            run.history()
