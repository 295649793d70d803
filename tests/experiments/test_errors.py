"""A path that is mistyped in one part is recognized."""

from pathlib import Path

import pytest

from experiments.errors import FacesError, suggest_path
from experiments.run import Run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with runs/first/face.png in it, to stand in."""
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "runs" / "first" / "face.png").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "there"),
    [
        ("rns/first", "runs/first"),
        ("runs/frist", "runs/first"),
        ("runs/first/fase.png", "runs/first/face.png"),
        ("rns/frist", None),
        ("elsewhere", None),
        ("runs/first", None),
        ("runs/first/face.png/more", None),
        ("../nothing/like/it", None),
    ],
)
def test_one_mistyped_part_is_recognized_and_nothing_is_made_up(here, typed, there):
    assert suggest_path(Path(typed)) == (None if there is None else Path(there))
    assert suggest_path(here / typed) == (None if there is None else here / there)


def test_a_run_and_a_picture_that_are_mistyped_are_said_with_what_is_there(here, command):
    with pytest.raises(FacesError, match=r"^runs/frist: no such folder; did you mean runs/first\?$"):
        Run.open("runs/frist")
    result = command("show", "pool", "runs/first/fase.png")
    assert result.err == "faces: runs/first/fase.png: no such file: did you mean runs/first/face.png?\n"
