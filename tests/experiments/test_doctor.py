"""`faces doctor`: it names what is here and what is not, and nothing absent stops it."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from experiments import doctor
from experiments.requirements import requirements

DECLARED = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def test_every_declared_extra_has_a_purpose():
    without_advice = {"all", "dev", "cuda12", "cuda13"}
    assert set(doctor.PURPOSES) == set(DECLARED["optional-dependencies"]) - without_advice


def test_here_all_that_is_needed_is_there(command):
    result = command("doctor")
    assert result.status == 0, result.out
    for line in (rf"Python +{sys.version.split()[0]}", r"numpy +2\.", r"BLAS +\w", r"threads +\d", r"GPU +\w"):
        assert re.search(line, result.out), line
    assert "everything that is needed is installed" in result.out


def test_it_names_the_extra_that_is_missing_and_still_ends_well(command, monkeypatch):
    needed = {**requirements(), "export": ("numpy", "nowhere-to-be-found")}
    monkeypatch.setattr(doctor, "requirements", lambda: needed)
    result = command("doctor")
    assert result.status == 0
    assert "lacks nowhere-to-be-found" in result.out
    assert "faces export: in the project's folder, pip install '.[export]'" in result.out


def test_a_needed_package_that_is_missing_is_status_1(command, monkeypatch):
    needed = {**requirements(), "": ("numpy", "nowhere-to-be-found")}
    monkeypatch.setattr(doctor, "requirements", lambda: needed)
    result = command("doctor")
    assert result.status == 1
    assert "missing: nowhere-to-be-found: in the project's folder, pip install ." in result.out
    assert "everything that is needed" not in result.out


@pytest.mark.parametrize("absent", ["numpy", "torch"])
def test_it_reports_where_a_library_does_not_load(absent):
    program = f"""
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {absent!r}:
            raise OSError("lib{absent}.so: cannot open shared object file")
sys.meta_path.insert(0, Broken())
sys.argv = ["faces", "doctor"]
from experiments.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert f"(lib{absent}.so: cannot open shared object file): pip install --force-reinstall {absent}" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("driver", [True, False])
def test_cupy_is_advised_where_there_is_a_driver_for_it(driver, monkeypatch, tmp_path):
    file = tmp_path / "version"
    if driver:
        file.touch()
    monkeypatch.setattr(doctor, "DRIVER", file)
    monkeypatch.setattr(doctor, "installed_version", lambda package: None if package.startswith("cupy") else "1.0")
    advised = [line for line in doctor.examine().advice if "'.[cuda13]'" in line]
    assert bool(advised) == driver


def killed(folder: Path, old: bool = True) -> list[Path]:
    """A folder with what killed commands leave: of a gallery, a pack, an alignment and safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    metrics = folder / "runs" / ".metrics.json.99ff00aa.json"
    files = [
        folder / ".team.gallery.0a1b2c3d.gallery",
        folder / ".tmpAb12Cd",
        metrics,
    ]
    pack = folder / ".packed.12345678"
    (pack / "train").mkdir(parents=True)
    (folder / "runs").mkdir(exist_ok=True)
    for path in (*files, pack / "train" / "images.npy"):
        path.write_bytes(b"x" * 1000)
    if old:
        for path in (*files, pack, pack / "train", pack / "train" / "images.npy"):
            os.utime(path, (0, 0))
    return [*files, pack]


def test_what_killed_commands_left_is_reported_and_removed_when_asked(command, monkeypatch, tmp_path):
    left = killed(tmp_path / "work")
    names = (".bashrc", ".app.settings", ".app.0a1b2c3d.log", "team.gallery", ".a.lock")
    kept = [tmp_path / "work" / name for name in names]
    for path in kept:
        path.touch()
        os.utime(path, (0, 0))
    monkeypatch.chdir(tmp_path / "work")
    reported = command("doctor")
    assert reported.status == 0
    assert all(path.name in reported.out for path in left)
    assert "faces doctor --clean ." in reported.out
    assert all(path.exists() for path in left)
    cleaned = command("doctor", "--clean", ".")
    assert (cleaned.status, "4 temporary files and folders removed" in cleaned.out) == (0, True)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_what_a_running_command_is_writing_stays(command, tmp_path):
    left = killed(tmp_path, old=False)
    os.utime(tmp_path / ".packed.12345678", (0, 0))
    cleaned = command("doctor", "--clean", tmp_path)
    assert (cleaned.status, "0 temporary files" in cleaned.out) == (0, True)
    assert all(path.exists() for path in left)


def test_the_names_are_those_that_commands_give(tmp_path):
    from experiments.files import new_folder
    from mytorch.files import atomic_write

    with atomic_write(tmp_path / "people.gallery") as file, new_folder(tmp_path / "pack") as folder:
        assert all(doctor.is_temporary(path.name) for path in (file, folder))
        assert doctor.find_leftovers(tmp_path) == []
        assert {one.path for one in doctor.find_leftovers(tmp_path, min_age=-1)} == {file, folder}


def test_a_link_to_another_folder_is_not_followed(tmp_path):
    (target,) = killed(tmp_path / "elsewhere")[:1]
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here" / ".x.0a1b2c3d").symlink_to(target)
    assert doctor.remove_leftovers(tmp_path / "here") == []
    assert target.exists()


def test_a_folder_that_is_not_there_is_refused(command, tmp_path):
    result = command("doctor", "--clean", tmp_path / "none")
    assert (result.status, "no such folder to clean" in result.err) == (2, True)
