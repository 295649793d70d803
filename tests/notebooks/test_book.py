import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from experiments.errors import FacesError
from notebooks.book import faults, lessons, read, shows, tidy, write


def stream(text: str, name: str = "stdout"):
    return new_output("stream", name=name, text=text)


def book(*outputs, source: str = "print(1)"):
    cell = new_code_cell(source, execution_count=1, outputs=[*outputs])
    return new_notebook(cells=[new_markdown_cell("# 1. One"), cell])


def test_a_notebook_in_order_has_no_faults():
    fine = "epoch 1/2  loss 0.31  106 images/s\nhttps://a.org/b/c  1/3/2  runs/first/curves.png  a / b"
    assert faults(book(stream(fine))) == []


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (stream("written to /home/anna/runs/first"), "shows an absolute path: /home/anna/runs/first"),
        (stream("'C:\\Users\\anna'"), "shows an absolute path: C:\\Users"),
        (stream("x.py:3: UserWarning: old"), "shows a warning: UserWarning"),
        (stream("<Learner object at 0x7fc2dbf4da90>"), "shows an address in memory: 0x7fc2dbf4da90"),
        (stream("note", "stderr"), "wrote to standard error: note"),
        (new_output("error", ename="ValueError", evalue="no", traceback=[]), "raised ValueError: no"),
        (new_output("execute_result", data={"text/plain": "PosixPath('/tmp/x')"}, execution_count=1), "/tmp/x"),
    ],
)
def test_a_planted_fault_is_found(output, message):
    (found,) = faults(book(output))
    assert "code cell 1" in found
    assert message in found


def test_cells_that_did_not_run_in_order_are_found():
    cells = [new_code_cell("x = 1", execution_count=2), new_code_cell("y = 2", execution_count=None)]
    assert faults(new_notebook(cells=cells)) == [
        "its code cells ran as [2, None]: expected each once, from top to bottom"
    ]


def test_a_cell_that_shows_nothing_though_it_should_is_found():
    assert faults(book()) == ["code cell 1 is meant to show something, and does not"]
    assert faults(book(source="x = 1")) == []


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("import numpy\nx = 1", False),
        ("def f():\n    '''Doc.'''\n    return 1", False),
        ("begin()", False),
        ("x = 1\nx", True),
        ("for x in 1, 2:\n    print(x)", True),
        ("%%bash\nfaces --help", True),
        ("show_row([face])", True),
        ("%matplotlib inline\nx = 1", False),
    ],
)
def test_what_a_cell_is_meant_to_do(source, meant):
    assert shows(source) is meant


def test_tidying_leaves_the_contents_alone_and_nothing_to_tidy():
    untidy = book(new_output("display_data", data={"text/plain": "1"}, metadata={"needs_background": "light"}))
    untidy.metadata = nbformat.from_dict({"language_info": {"name": "python", "version": "3.11.7"}, "signed": True})
    untidy.cells[1].metadata = nbformat.from_dict({"execution": {"iopub.execute_input": "2024-01-01"}})
    tidied = tidy(untidy)
    assert "2024" not in str(tidied)
    assert "3.11" not in str(tidied)
    assert [cell.id for cell in tidied.cells] == ["cell-01", "cell-02"]
    assert tidied.cells[1].outputs[0].data == {"text/plain": "1"}
    assert tidy(nbformat.from_dict(tidied)) == tidied
    nbformat.validate(tidied)


def test_a_busy_machines_remark_is_no_output_and_any_other_stays():
    late = "IOStream.flush timed out\n"
    tidied = tidy(book(stream(late + late, "stderr"), stream("1"), stream(f"{late}note", "stderr")))
    assert [output.text for output in tidied.cells[1].outputs] == ["1", f"{late}note"]


def test_a_notebook_is_read_as_it_was_written(tmp_path):
    made = tidy(book(stream("1")))
    write(made, tmp_path / "a.ipynb")
    assert read(tmp_path / "a.ipynb") == made
    assert [path.name for path in tmp_path.iterdir()] == ["a.ipynb"]


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5}', "\x00"])
def test_a_file_that_is_no_notebook_is_named(tmp_path, text):
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    with pytest.raises(FacesError, match=r"a\.ipynb: not a notebook"):
        read(path)


def test_a_package_without_its_notebooks_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("notebooks.book.FOLDER", tmp_path)
    with pytest.raises(FacesError, match="come with the repository"):
        lessons()
