import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.errors import FacesError
from notebooks.lesson import faces

BEGIN = """
import os
from pathlib import Path
from notebooks.lesson import begin
begin()
first = os.getcwd()
Path("faces").mkdir()
begin()
assert os.getcwd() != first and not os.listdir()
print(first); print(os.getcwd())
"""


def test_a_lesson_begins_in_an_empty_folder_that_goes_with_it():
    done = subprocess.run([sys.executable, "-W", "error", "-c", BEGIN], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert [Path(line).exists() for line in done.stdout.splitlines()] == [False, False]


def test_a_command_does_what_it_does_in_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    faces("data synth 'my faces' --identities 2 --images 1 --size 32 --workers 1")
    assert sorted(os.listdir(tmp_path / "my faces" / "train")) == ["n000001", "n000002"]
    assert "2 people, 2 training images" in capsys.readouterr().out


def test_a_command_with_a_wrong_input_stops_the_lesson():
    with pytest.raises(FacesError, match="no recipe is called 'nonsense'"):
        faces("train nonsense --data nowhere --out run")
