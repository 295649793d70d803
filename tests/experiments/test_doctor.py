"""`faces doctor`: it names what is here and what is not, and nothing absent stops it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import doctor

SETUP = Path(__file__).parents[2] / "setup.py"


def declared(keyword: str):
    """What setup.py gives `setup` under that name."""
    calls = [node for node in ast.walk(ast.parse(SETUP.read_text())) if isinstance(node, ast.Call)]
    (value,) = (k.value for call in calls for k in call.keywords if k.arg == keyword)
    return ast.literal_eval(value)


def names(requirements):
    return {re.match(r"[\w.-]+", one).group() for one in requirements}


def test_it_looks_for_what_setup_declares():
    assert set(doctor.NEEDED) == names(declared("install_requires"))
    extras = {name: names(packages) for name, packages in declared("extras_require").items()}
    assert {name: set(extra.packages) for name, extra in doctor.EXTRAS.items()} == {
        name: packages for name, packages in extras.items() if name not in ("dev", "cuda12", "cuda13")
    }


def test_here_all_that_is_needed_is_there(command):
    result = command("doctor")
    assert result.status == 0, result.out
    for line in (rf"Python +{sys.version.split()[0]}", r"numpy +2\.", r"BLAS +\w", r"threads +\d", r"GPU +\w"):
        assert re.search(line, result.out), line
    assert "everything that faces needs is here" in result.out


def test_it_names_the_extra_that_is_missing_and_still_ends_well(command, monkeypatch):
    monkeypatch.setitem(doctor.EXTRAS, "export", doctor.Extra("faces export", ("numpy", "nowhere-to-be-found")))
    result = command("doctor")
    assert result.status == 0
    assert "lacks nowhere-to-be-found" in result.out
    assert "faces export: pip install 'mytorch-faces[export]'" in result.out


def test_a_needed_package_that_is_missing_is_status_1(command, monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", (*doctor.NEEDED, "nowhere-to-be-found"))
    result = command("doctor")
    assert result.status == 1
    assert "missing: nowhere-to-be-found: pip install" in result.out
    assert "everything that faces needs" not in result.out


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
    monkeypatch.setattr(doctor, "installed", lambda package: None if package.startswith("cupy") else "1.0")
    advised = [line for line in doctor.examine().advice if "mytorch-faces[cuda13]" in line]
    assert bool(advised) == driver


def test_the_advice_is_what_a_shell_takes():
    report = doctor.Report()
    doctor._packages(report, (), {"tune": doctor.Extra("faces tune", ("nowhere-to-be-found",))})
    (line,) = report.advice
    assert line.endswith("pip install 'mytorch-faces[tune]'")
