"""Files written by one process at a time, and records that notice when they were edited."""

import csv
import json
import multiprocessing
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import FacesError
from experiments.files import (
    Record,
    locked,
    neutralize,
    read_csv,
    read_user_csv,
    refuse_overwriting_input,
    write_csv,
    write_json,
    write_text,
)


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


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    [
        "=1",
        " =1",
        "\n=1",
        "\r\n@x",
        "'=1",
        "''=1",
        "'a",
        "-1",
        "+1.5e3",
        "-inf",
        "-x",
        "\t-1",
        "|a",
        "NA",
        "",
        "\r",
        ",",
        '"',
    ]
)


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6))
def test_a_table_is_read_as_it_was_written_and_no_cell_is_a_formula(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    write_csv(path, [dict(zip("ab", row, strict=True)) for row in rows], ("a", "b"))
    assert read_csv(path, "do that", ("a", "b")).to_numpy().tolist() == rows
    with path.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    for cell in cells:
        shown = cell.lstrip()
        assert not shown.startswith(("=", "@", "|")), cell
        assert not shown.startswith(("+", "-")) or isinstance(float(shown), float), cell


@given(number=st.floats() | st.integers())
def test_numbers_stay_numbers(number):
    assert neutralize(number) is number
    assert neutralize(str(number)) == str(number)


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2,3\n", b"a,b\n1,2\n1,2,3\n", b"a,c\n1,2\n", b"a,b\n\xff,1\n", b'a,b\n"1,2\n'],
    ids=["empty", "too wide", "one too wide", "other columns", "not UTF-8", "open quote"],
)
def test_what_is_no_such_table_is_refused(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(FacesError, match=r"t\.csv: .*: do that"):
        read_csv(tmp_path / "t.csv", "do that", ("a", "b"))


def test_a_table_without_its_file_is_refused(tmp_path):
    with pytest.raises(FacesError, match=r"t\.csv: .*No such file.*: do that"):
        read_csv(tmp_path / "t.csv", "do that")


def test_a_reader_of_exact_cells_gets_them(tmp_path):
    rows = [{"image": "=1.jpg", "n": 1, "x": 0.1}, {"image": "b", "n": None, "x": 1e-7}]
    write_csv(tmp_path / "t.csv", rows, exact=True)
    assert (tmp_path / "t.csv").read_bytes() == b"image,n,x\n=1.jpg,1,0.1\nb,,1e-07\n"


def test_two_names_of_one_file_share_its_lock(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "g").write_text("x")
    (tmp_path / "link").symlink_to("store/g")
    left = tmp_path / "store" / ".g.0123abcd"
    left.write_text("x")
    with locked(tmp_path / "link"):
        assert (tmp_path / "store" / ".g.lock").exists()
        assert not left.exists()


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=6)))
def test_a_users_table_is_read_cell_by_cell(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    found = read_user_csv(path)
    assert list(found.columns) == rows[0]
    assert found.to_numpy().tolist() == rows[1:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n1\n", "a row with 1 value, 1; expected 2, a,b"),
        (b"a,b\n1,2\n1,2,3\n", "a row with 3 values, 1,2,3; expected 2"),
        (b"a,b\n1,\xff\n", "not text in UTF-8"),
        (b'a,b\n1,"2\n', "cannot be read as CSV"),
    ],
)
def test_a_users_table_that_is_none_is_named(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(FacesError, match=rf"t\.csv: {message}"):
        read_user_csv(tmp_path / "t.csv")
    with pytest.raises(FacesError, match=r"none\.csv: no such file"):
        read_user_csv(tmp_path / "none.csv")


def test_a_folder_where_no_lock_can_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(FacesError, match=r"\.run\.lock: cannot be written .*a folder that you may write to"),
        locked(tmp_path / "file" / "run", wait=False),
    ):
        pass


def test_a_lock_that_is_held_is_refused_where_nobody_waits(tmp_path):
    with (
        locked(tmp_path / "run"),
        pytest.raises(FacesError, match="run: another command is writing it"),
        locked(tmp_path / "run", wait=False),
    ):
        pass
    with locked(tmp_path / "run", wait=False):
        assert (tmp_path / ".run.lock").exists()
    assert not (tmp_path / ".run.lock").exists()
