"""The table of a job outlives a kill at any byte."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from experiments.data.align import Face
from experiments.data.align.records import TABLE, ImageRecord, RecordTable

NAMES = ["a/1.jpg", "odd, name/2.jpg", 'quo"te/3.jpg', "../up/4.jpg", "äöü/5.jpg", "=1+1/6.jpg", " @x/7.jpg"]


def records() -> list[ImageRecord]:
    rng = np.random.default_rng(3)
    found = [
        ImageRecord.of_face(name, name, 160, 120, 2, Face(rng.uniform(0, 99, 4), 0.98765, rng.uniform(0, 99, (5, 2))))
        for name in NAMES
    ]
    return [*found, ImageRecord("n/6.jpg", "", 10, 20, 0, "skipped", "no face found")]


def test_what_is_added_is_read_again(tmp_path):
    table = RecordTable(tmp_path)
    table.add(records()[:2])
    table.add(records()[2:])
    assert table.read() == {record.path: record for record in records()}


@given(share=st.floats(0, 1))
def test_a_table_cut_anywhere_gives_whole_records_only(tmp_path_factory, share):
    folder = tmp_path_factory.mktemp("cut")
    table = RecordTable(folder)
    table.add(records())
    whole = (folder / TABLE).read_bytes()
    cut = whole[: round(share * len(whole))]
    (folder / TABLE).write_bytes(cut)
    read = table.read()
    assert list(read.values()) == records()[: len(read)]
    assert len(read) == max(0, cut.count(b"\n") - 1)
    table.add(records())
    assert table.read() == {record.path: record for record in records()}


@given(share=st.floats(0, 1))
def test_a_line_break_in_a_name_costs_no_other_record(tmp_path_factory, share):
    folder = tmp_path_factory.mktemp("breaks")
    found = [dataclasses.replace(record, path=f"{record.path}\n{number}") for number, record in enumerate(records())]
    table = RecordTable(folder)
    table.add(found)
    whole = (folder / TABLE).read_bytes()
    (folder / TABLE).write_bytes(whole[: round(share * len(whole))])
    read = list(table.read().values())
    assert read == found[: len(read)]
    assert len(read) >= int(share * len(found)) - 2


def test_a_line_edited_into_nonsense_is_left_out(tmp_path):
    table = RecordTable(tmp_path)
    table.add(records())
    text = (tmp_path / TABLE).read_text(encoding="utf-8").replace("0.98765", "nonsense", 1)
    (tmp_path / TABLE).write_text(text, encoding="utf-8")
    assert list(table.read().values()) == records()[1:]


def test_failures_are_those_without_a_face(tmp_path):
    table = RecordTable(tmp_path)
    usual = dataclasses.replace(records()[-1], output="n/6.jpg", how="usual place")
    table.write_failures([*records()[:-1], usual])
    lines = table.failures.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("n/6.jpg,n/6.jpg,10,20,0,usual place,no face found")
