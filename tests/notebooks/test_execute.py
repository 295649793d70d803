import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from experiments.errors import FacesError
from notebooks.book import FOLDER, read, tidy, write
from notebooks.execute import chosen, execute, main

DRAWN = """
from matplotlib import pyplot as plt
from notebooks.drawing import show_row
from notebooks.lesson import begin
import os, numpy as np
begin()
print(os.listdir())
show_row([np.eye(4)])
"""


@pytest.fixture
def lesson(tmp_path):
    """lesson(source, ...): a notebook of these code cells, as a file."""

    def made(*sources: str, name: str = "1-one.ipynb"):
        cells = [new_markdown_cell("# 1. One"), *map(new_code_cell, sources)]
        write(tidy(new_notebook(cells=cells)), tmp_path / name)
        return tmp_path / name

    return made


def test_outputs_are_kept_and_running_again_changes_no_byte(lesson, tmp_path):
    path = lesson("x = 2", DRAWN, "%%bash\nfaces --help | grep -c train", "1 / x")
    first = execute(path)
    _, assigned, drawn, typed, value = first.cells
    assert assigned.outputs == []
    assert drawn.outputs[0].text == "[]\n"
    assert "image/png" in drawn.outputs[1].data
    assert int(typed.outputs[0].text) > 0
    assert value.outputs[0].data == {"text/plain": "0.5"}
    write(first, path)
    once = path.read_bytes()
    write(execute(path), path)
    assert path.read_bytes() == once


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("%%bash\nfaces train nonsense --data nowhere", "CalledProcessError"),
        ("import warnings; warnings.warn('old')", "wrote to standard error"),
        ("import os; print(os.getcwd())", "shows an absolute path"),
    ],
)
def test_a_lesson_with_a_fault_fails_and_stays_as_it_was(lesson, monkeypatch, capsys, source, message):
    path = lesson(source)
    before = path.read_bytes()
    monkeypatch.setattr("notebooks.book.FOLDER", path.parent)
    assert main([]) == 1
    assert message in capsys.readouterr().out
    assert path.read_bytes() == before


def test_a_lesson_is_chosen_by_how_its_name_begins():
    (one,) = chosen(["1"])
    assert one.parent == FOLDER
    assert read(one).cells[0].source.startswith("# 1.")
    assert chosen([])[0] == one
    with pytest.raises(FacesError, match="no lesson is called '9'; there are: 1-convolution"):
        chosen(["9"])


def test_a_wrong_name_ends_with_status_2(capsys):
    assert main(["nonsense"]) == 2
    assert "no lesson is called 'nonsense'" in capsys.readouterr().out
