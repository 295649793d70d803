"""`faces doctor`: it names what is here and what is not, and nothing absent stops it."""

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
