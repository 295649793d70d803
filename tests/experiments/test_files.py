"""Files written by one process at a time, and records that notice when they were edited."""

import json
import multiprocessing
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import FacesError
from experiments.files import Record, locked, refuse_overwriting_input, write_json, write_text


class Point(Record):
    name: str
    values: tuple[float, ...]
    count: int = 0


def add_line(path: Path, line: str) -> None:
    """Read, wait, write: without a lock the slower writer loses the other's line."""
    with locked(path):
        text = path.read_text() if path.exists() else ""
        time.sleep(0.02)
        write_text(path, f"{text}{line}\n")


def test_no_line_of_eight_writers_is_lost(tmp_path):
    path = tmp_path / "g"
    workers = [multiprocessing.get_context("spawn").Process(target=add_line, args=(path, str(n))) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 8
    assert sorted(path.read_text().split()) == [str(n) for n in range(8)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["g"]


@pytest.mark.parametrize("name", ["g", "people.gallery"])
def test_a_writer_removes_what_a_killed_one_left_and_nothing_else(tmp_path, name):
    path = tmp_path / name
    left = tmp_path / f".{name}.0123abcd{path.suffix}"
    others = [
        tmp_path / other for other in (f".{name}.0123abcg{path.suffix}", f"{name}.0123abcd", f".x{name}.0123abcd")
    ]
    for file in (left, *others, path.with_name(f".{name}.lock")):
        file.write_text("x")
    with locked(path):
        assert not left.exists()
    assert all(other.exists() for other in others)
    assert not path.with_name(f".{name}.lock").exists()


@given(st.text(), st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.integers())
def test_a_record_is_read_as_it_was_written(tmp_path_factory, name, values, count):
    path = tmp_path_factory.mktemp("record") / "r.json"
    point = Point(name=name, values=tuple(values), count=count)
    point.write(path)
    assert Point.read(path, "do that") == point


KEYS = st.sampled_from(["name", "values", "count", "digest"]) | st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@given(JSON)
def test_any_other_json_is_refused_with_the_remedy(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("record") / "r.json"
    path.write_text(json.dumps(value))
    with pytest.raises(FacesError, match=r"r\.json: .*: do that"):
        Point.read(path, "do that")


@pytest.mark.parametrize("change", [{"name": "b"}, {"values": [1.0, 2.5]}, {"count": 1}, {"digest": "00"}, {"more": 1}])
def test_an_edited_field_is_noticed(tmp_path, change):
    path = tmp_path / "r.json"
    Point(name="a", values=(1.0, 2.0)).write(path)
    write_json(path, json.loads(path.read_text()) | change)
    with pytest.raises(FacesError, match=r"r\.json: .*do that"):
        Point.read(path, "do that")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN"])
def test_what_is_no_json_is_refused(tmp_path, content):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(FacesError, match="do that"):
        Point.read(tmp_path / "r.json", "do that")


def test_an_output_that_is_an_input_is_refused_by_every_name(tmp_path):
    source = tmp_path / "a.csv"
    source.write_text("x")
    (tmp_path / "link.csv").symlink_to(source)
    (tmp_path / "hard.csv").hardlink_to(source)
    (tmp_path / "folder").mkdir()
    for out in (source, tmp_path / "link.csv", tmp_path / "hard.csv", tmp_path / "folder" / ".." / "a.csv"):
        with pytest.raises(FacesError, match="which this command reads: choose another --out"):
            refuse_overwriting_input(out, [tmp_path / "none", source])
    refuse_overwriting_input(tmp_path / "b.csv", [source])
