"""`faces gallery`: every verb on a made-up gallery, as lines and as JSON, and what it says of wrong input."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.records import NewPhoto
from experiments.evaluation.gallery.store import GalleryStore


@pytest.fixture
def people(tmp_path):
    """A gallery of Anna with two photos, and Ben, whose photo is a year old."""
    rows = np.eye(4, dtype=np.float32)
    old = datetime.now(UTC) - timedelta(days=365)
    with GalleryStore.create(tmp_path / "g", "net", 4, EmbedOptions()) as store:
        anna = [NewPhoto("a1.jpg", "a1", rows[0], 0.9), NewPhoto("a2.jpg", "a2", rows[1])]
        store.enroll({"anna": anna, "ben": [NewPhoto("b.jpg", "b", rows[2], created=old)]}, "net", "key 3")
    return tmp_path / "g"


def test_list(command, people):
    listed = command("gallery", "list", people)
    assert listed.out.splitlines()[:3] == ["    2  anna", "    1  ben", f"{people}: 2 people with 3 images"]
    assert command("gallery", "list", people, "--name", "NN").out.splitlines()[0] == "    2  anna"
    answer = json.loads(command("gallery", "list", people, "--json").out)
    assert [(person["name"], person["photos"]) for person in answer["people"]] == [("anna", 2), ("ben", 1)]


def test_show(command, people):
    shown = command("gallery", "show", people, "anna").out
    assert "a1.jpg" in shown
    assert "quality 0.90" in shown
    assert "enroll, 2 photos, by key 3" in shown
    answer = json.loads(command("gallery", "show", people, "anna", "--json").out)
    assert [photo["image"] for photo in answer["photos"]] == ["a1.jpg", "a2.jpg"]
    assert answer["changes"][0]["actor"] == "key 3"
    by_id = command("gallery", "show", people, answer["id"])
    assert by_id.out == shown
    wrong = command("gallery", "show", people, "ana")
    assert (wrong.status, "'ana' is not in the gallery; did you mean 'anna'?" in wrong.err) == (2, True)


def test_stats(command, people):
    assert "2 people with 3 images" in command("gallery", "stats", people).out
    answer = json.loads(command("gallery", "stats", people, "--json").out)
    assert (answer["people"], answer["photos"], answer["dimension"], answer["erase_pending"]) == (2, 3, 4, False)
    assert answer["latest_changes"][-1]["action"] == "create"


def test_rename_and_merge(command, people):
    assert command("gallery", "rename", people, "anna", "Anna K.").status == 0
    taken = command("gallery", "rename", people, "ben", "Anna K.")
    assert (taken.status, "`faces gallery merge` joins the two" in taken.err) == (2, True)
    merged = command("gallery", "merge", people, "Anna K.", "ben")
    assert "Anna K. has 3 photos now" in merged.out
    itself = command("gallery", "merge", people, "Anna K.", "Anna K.")
    assert (itself.status, "cannot be merged into itself" in itself.err) == (2, True)


def test_remove_all_or_nobody(command, people):
    wrong = command("gallery", "remove", people, "anna", "nobody such")
    assert (wrong.status, "'nobody such' is not in the gallery" in wrong.err) == (2, True)
    assert "1 person with 1 image" in command("gallery", "remove", people, "anna").out
    assert "0 people with 0 images" in command("gallery", "remove", people, "ben").out


def test_purge(command, people):
    dry = command("gallery", "purge", people, "--older-than", "300d", "--dry-run")
    assert "would be removed: ben" in dry.out
    answer = json.loads(command("gallery", "purge", people, "--older-than", "300d", "--json").out)
    assert (answer["removed"], [person["name"] for person in answer["people"]]) == (True, ["ben"])
    assert "1 person with 2 images" in command("gallery", "list", people).out
    wrong = command("gallery", "purge", people, "--older-than", "soon")
    assert (wrong.status, "--older-than soon: expected a number of hours" in wrong.err) == (2, True)


def test_export_and_import(command, people, tmp_path):
    out = tmp_path / "people.jsonl"
    assert f"{out}: 2 people" in command("gallery", "export", people, "--out", out).out
    assert "2 people with 3 images" in command("gallery", "import", out, "--out", tmp_path / "new").out
    again = command("gallery", "import", out, "--out", tmp_path / "new")
    assert (again.status, "exists already: choose another --out, or --add to it" in again.err) == (2, True)
    absent = command("gallery", "import", tmp_path / "none", "--out", tmp_path / "other")
    assert (absent.status, "no such file; expected one of `faces gallery export`" in absent.err) == (2, True)


def test_a_url_that_is_not_postgresqls(command):
    wrong = command("gallery", "list", "mysql://me:secret@host/db")
    assert (wrong.status, "expected postgresql://user:password@host/database" in wrong.err) == (2, True)
    assert "secret" not in wrong.err
