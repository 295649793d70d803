"""What is read back from a run's folder: regular files inside it, of the right shape, and possible values."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.errors import FacesError
from experiments.evaluation.evaluate import evaluate
from experiments.files import file_inside, read_stored, write_signed
from experiments.report.facts import read_run
from experiments.run import EvaluationMetrics, Run, RunEnvironment, RunMetrics, VerificationMetrics, read_table

METRICS = {"epoch": 3, "top1": 0.5, "top5": 0.75, "loss": 1.25, "seconds": 4.0}
EVALUATION = {"top1": 0.5, "top5": 0.7, "loss": 1.0, "images": 10, "identities": 5, "top1_interval": [0.2, 0.8]}
VERIFICATION = {
    "eer": 0.1, "auc": 0.9, "threshold": 0.3, "tar_at_far": {"0.1": 0.8}, "genuine": 5, "impostor": 9,
    "pairs_file": "p",
    "intervals": {"eer": [0.05, 0.2]},
}  # fmt: skip
KINDS = [
    (RunMetrics, METRICS),
    (EvaluationMetrics, EVALUATION),
    (VerificationMetrics, VERIFICATION),
    (RunEnvironment, {}),
]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "run"
    (made / "evaluation").mkdir(parents=True)
    return made


@pytest.mark.parametrize(("model", "fields"), KINDS)
def test_what_commands_write_is_read(model, fields, folder):
    (folder / "a.json").write_text(json.dumps({**fields, "something new": [1]}))
    found = read_stored(model, folder, "a.json", "remedy")
    assert all(getattr(found, name) is not None for name in fields)
    assert read_stored(model, folder, "b.json", "remedy") is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(KINDS), st.data())
def test_anything_else_is_a_line_that_names_the_file_and_the_remedy(folder, kind, data):
    """Each stored file with one field replaced, or the whole replaced, by any JSON value."""
    model, fields = kind
    value = data.draw(ANYTHING)
    key = data.draw(st.sampled_from([*fields, None]))
    (folder / "a.json").write_text(json.dumps(value if key is None else {**fields, key: value}))
    message, stored = "", {}
    try:
        stored = read_stored(model, folder, "a.json", "do this").model_dump(exclude_none=True)
    except FacesError as error:
        message = str(error)
    if message:
        assert message.startswith(f"{folder}/a.json: ")
        assert message.endswith("do this")
    assert all(0 <= stored[name] <= 1 for name in ("top1", "top5", "eer", "auc") if name in stored)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "\xff", '{"top1": NaN, "epoch": 1}', "[" * 5000])
def test_damaged_json_is_refused(text, folder):
    (folder / "metrics.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FacesError, match=r"metrics\.json: "):
        Run(folder).metrics()


def test_an_impossible_accuracy_is_named(folder):
    (folder / "metrics.json").write_text(json.dumps({**METRICS, "top1": 2.0}))
    with pytest.raises(FacesError, match=r"metrics\.json: top1 is 2\.0: .*less than or equal to 1; was the file"):
        Run(folder).metrics()


def link_file(folder: Path, secret: Path) -> None:
    (folder / "evaluation" / "a.png").symlink_to(secret)


def link_folder(folder: Path, secret: Path) -> None:
    (folder / "evaluation").rmdir()
    (folder / "evaluation").symlink_to(secret.parent)


def pipe(folder: Path, secret: Path) -> None:
    os.mkfifo(folder / "evaluation" / "a.png")


def folder_of_that_name(folder: Path, secret: Path) -> None:
    (folder / "evaluation" / "a.png").mkdir()


def broken_link(folder: Path, secret: Path) -> None:
    (folder / "evaluation" / "a.png").symlink_to(folder / "nowhere")


@pytest.mark.parametrize("make", [link_file, link_folder, pipe, folder_of_that_name, broken_link])
def test_only_regular_files_inside_the_folder_are_opened(make, folder, tmp_path):
    secret = tmp_path / "secrets" / "a.png"
    secret.parent.mkdir()
    secret.write_text("secret")
    make(folder, secret)
    with pytest.raises(FacesError, match=r"a\.png is (a link to .*, outside of|not a regular file)"):
        file_inside(folder, "evaluation/a.png")


def test_a_link_inside_the_folder_and_a_linked_folder_itself_are_fine(folder, tmp_path):
    (folder / "a.png").write_text("image")
    (folder / "evaluation" / "a.png").symlink_to("../a.png")
    (tmp_path / "link").symlink_to(folder)
    assert file_inside(tmp_path / "link", "evaluation/a.png") is not None
    assert file_inside(folder, "evaluation/none.png") is None


def test_names_in_tables_stay_as_they_are_written(folder):
    names = ["007", "NA", "nan", "1e3", "true", "None", "a,b", 'c"d', " e"]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    (folder / "a.csv").write_text("identity,images,more\n" + "".join(f"{name},2,x\n" for name in quoted))
    frame = read_table(folder, "a.csv", {"identity": str, "images": int}, "remedy")
    assert frame["identity"].tolist() == names
    assert frame["images"].tolist() == [2] * len(names)


@pytest.mark.parametrize("text", ["", "other\n1\n", "identity,images\na,many\n", "identity,images\na,1.5\n", "\x00"])
def test_another_table_is_refused(text, folder):
    (folder / "a.csv").write_text(text)
    with pytest.raises(FacesError, match=r"a\.csv: not a table with identity, images .*; do this"):
        read_table(folder, "a.csv", {"identity": str, "images": int}, "do this")


@pytest.mark.parametrize(("model", "fields"), KINDS[:3])
def test_an_edited_value_is_refused(model, fields, folder):
    write_signed(folder / "a.json", {**fields, "more": [1.5, None, "é"]})
    assert read_stored(model, folder, "a.json", "do this") == model.model_validate_json(json.dumps(fields))
    stored = json.loads((folder / "a.json").read_text())
    for name in (*fields, "more"):
        changed = {**stored, name: stored[name] / 2 if isinstance(stored[name], float) else None}
        (folder / "a.json").write_text(json.dumps(changed))
        with pytest.raises(FacesError, match=r"a\.json: .*; was (the file cut off, or|it) edited\? do this"):
            read_stored(model, folder, "a.json", "do this")


def test_a_table_that_was_edited_is_refused(folder):
    (folder / "a.csv").write_text("identity,images\na,1\n")
    digest = hashlib.blake2b((folder / "a.csv").read_bytes(), digest_size=16).hexdigest()
    columns = {"identity": str, "images": int}
    assert len(read_table(folder, "a.csv", columns, "do this", {"a.csv": digest})) == 1
    (folder / "a.csv").write_text("identity,images\na,2\n")
    with pytest.raises(FacesError, match=r"a\.csv: changed since it was stored.*do this"):
        read_table(folder, "a.csv", columns, "do this", {"a.csv": digest})


@pytest.mark.parametrize("name", ["evaluation/identities.csv", "evaluation/confused.csv", "evaluation/evaluation.json"])
def test_an_evaluation_that_was_edited_is_not_reported(untrained, people, tmp_path, name):
    run = shutil.copytree(untrained.folder, tmp_path / "run")
    evaluate(run, people)
    read_run(run)
    text = (run / name).read_text()
    digit = next(number for number in "56789123" if f"{number}" in text)
    (run / name).write_text(text.replace(digit, "4", 1))
    with pytest.raises(FacesError, match=f"{name}: .*evaluate again: faces evaluate"):
        read_run(run)
