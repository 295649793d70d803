"""Attacks: the mark is right, the machine unharmed, and the rest still graded."""

import os
import sys
from pathlib import Path

import pytest
from corpus.hostile import ATTACKS, Attack

from autograder.grading import Options, grade
from autograder.rubric import Rubric
from autograder.sandbox import landlock

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's protections are Linux's")
_REST = ("Upsample1d", "Conv1d", "CNN")


def test_there_are_enough() -> None:
    assert len(ATTACKS) >= 25
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@linux
@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack(attack: Attack, tmp_path: Path, hasty: Rubric, monkeypatch: pytest.MonkeyPatch) -> None:
    # A user of this test's own, as other tests may be running at the same time.
    monkeypatch.setattr("autograder.sandbox.host.secrets.randbelow", lambda limit: os.getpid() % limit)
    canary, folder = tmp_path / "canary", tmp_path / "submission"
    canary.mkdir()
    (canary / "canary.txt").write_text("alive")
    for path in (*tmp_path.parents[:2], tmp_path):
        os.chmod(path, 0o755)
    os.chmod(canary, 0o777)
    os.chmod(canary / "canary.txt", 0o666)
    folder.mkdir()
    attack.write(folder, canary, Path(__file__).parents[2])
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*.py"))}

    report = grade(folder, hasty, Options(only=("Conv1d_stride1", *_REST)))

    tests = {test.check: test for test in report.tests}
    attacked = tests.pop("Conv1d_stride1")
    assert {name: test.earned for name, test in tests.items()} == {name: test.points for name, test in tests.items()}
    earned = {part.name for part in attacked.parts if part.passed}
    assert earned == ({"forward"} if attack.earns == "forward" else set())
    assert attacked.earned <= (4 if attack.earns == "forward" else 1)  # an edge case may be right by chance
    if attack.status:
        assert attacked.status == attack.status
    assert (canary / "canary.txt").read_text() == "alive"
    assert sorted(os.listdir(canary)) == ["canary.txt"]
    assert {path: path.read_bytes() for path in sorted(folder.rglob("*.py"))} == before
    assert not _strangers(60000 + os.getpid() % 4000)


_CONTAINED = (
    "fork bomb behind the guard",
    "forbidden: behind the finder",
    "forges the results",
    "imports the reference",
    "kills behind the guard",
    "opens a socket",
    "overwrites files",
    "overwrites itself",
    "reads the reference",
    "torch by its file",
    "writes the results file",
)


@linux
@pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock")
@pytest.mark.parametrize("name", _CONTAINED)
def test_a_container_without_namespaces_holds_too(name: str, tmp_path: Path, hasty: Rubric) -> None:
    attack = next(attack for attack in ATTACKS if attack.name == name)
    canary, folder = tmp_path / "canary", tmp_path / "submission"
    for path in (canary, folder):
        path.mkdir()
    (canary / "canary.txt").write_text("alive")
    attack.write(folder, canary, Path(__file__).parents[2])
    report = grade(folder, hasty, Options(jailed=False, only=("Conv1d_stride1", "Upsample1d")))
    assert not report.protections["jail"]
    rest, attacked = report.tests
    assert (rest.check, rest.status) == ("Upsample1d", "passed")
    assert {part.name for part in attacked.parts if part.passed} == (
        {"forward"} if attack.earns == "forward" else set()
    )
    assert [path.read_text() for path in canary.iterdir()] == ["alive"]


def _strangers(user: int) -> list[int]:
    """Processes of the user as whom this test's workers run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and entry.stat().st_uid == user:
                found.append(int(entry.name))
        except OSError:
            continue
    return found
