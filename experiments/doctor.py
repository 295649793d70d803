"""What is installed, what computes, what is missing and how to get it; and what killed commands left behind."""

import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType

from experiments.errors import FacesError
from experiments.requirements import DISTRIBUTION, install_command, installed_version, requirements

DRIVER = Path("/proc/driver/nvidia/version")
"""This file exists where Linux has loaded NVIDIA's driver."""

TEMPORARY = re.compile(r"\.(?:(?P<name>.+)\.[0-9a-f]{8}(?P<suffix>\.\w+)?|tmp\w{6})")
"""How commands name what is not finished: `.NAME.8 hexadecimal digits`, and NAME's suffix; and how safetensors does."""

MIN_AGE = 3600.0
"""Seconds without a change after which a temporary file counts as left behind: no command pauses for an hour."""

DEPTH = 4

PURPOSES = {
    "faces": "training, evaluation, verification and the other commands on images",
    "docs": "make docs",
    "export": "faces export",
    "gallery": "faces identify --faiss",
    "kaggle": "faces submit --upload",
    "notebooks": "make notebooks",
    "postgres": "galleries in PostgreSQL",
    "photos": "faces match with SFace and YuNet",
    "serve": "faces serve",
    "tensorboard": "faces train --tensorboard",
    "tune": "faces tune",
}
"""What each extra of the installation is for. CuPy's extras are only advised where there is an NVIDIA GPU."""


@dataclass
class Report:
    """facts: by section, then by name. missing: what every command needs. advice: what only some commands need."""

    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the report to print: one fact per line, and at the end what to do."""
        width = max(len(name) for section in self.facts.values() for name in section)
        said = []
        for title, section in self.facts.items():
            said += [title, *(f"  {name:<{width}}  {value}" for name, value in section.items()), ""]
        said += [f"missing: {line}" for line in self.missing]
        said += [f"optional: {line}" for line in self.advice]
        return [*said, *([] if self.missing else ["everything that is needed is installed"])]


def examine() -> Report:
    """Look at the machine, the installation and the current folder. Downloads, changes and trains nothing."""
    report = Report()
    report.facts["faces"] = {
        "mytorch-faces": installed_version(DISTRIBUTION) or "run from its folder, not installed",
        "Python": f"{platform.python_version()}, {sys.executable}",
        "system": f"{platform.system()} on {platform.machine()}",
    }
    _packages(report, requirements())
    _mytorch(report)
    _torch(report)
    _leftovers(report, Path())
    return report


@dataclass(frozen=True)
class Leftover:
    """A temporary file or folder that a killed command left behind. size: in bytes, with all that is in it."""

    path: Path
    size: int


def is_temporary(name: str) -> bool:
    """Return whether a command, or safetensors for it, gives such a name to what is not finished."""
    found = TEMPORARY.fullmatch(name)
    return found is not None and found["suffix"] in (None, Path(found["name"] or "").suffix)


def find_leftovers(folder: Path, min_age: float = MIN_AGE, depth: int = DEPTH) -> list[Leftover]:
    """Return the temporary files and folders below a folder in which nothing has changed for `min_age` seconds.

    depth: how many levels of folders to look into. Links are not followed.
    """
    found: list[Leftover] = []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # a folder that may not be read
        return []
    for entry in entries:
        if is_temporary(entry.name) and not entry.is_symlink():
            newest, size = _newest_and_size(Path(entry.path))
            if time.time() - newest >= min_age:
                found.append(Leftover(Path(entry.path), size))
        elif entry.is_dir(follow_symlinks=False) and depth > 1 and not entry.name.startswith("."):
            found += find_leftovers(Path(entry.path), min_age, depth - 1)
    return found


def remove_leftovers(folder: Path, min_age: float = MIN_AGE) -> list[Leftover]:
    """Remove what `find_leftovers` finds, and return it. Raises FacesError where the folder does not exist."""
    if not folder.is_dir():
        raise FacesError(f"{folder}: no such folder to clean: check the path")
    found = find_leftovers(folder, min_age)
    for one in found:
        if one.path.is_dir():
            shutil.rmtree(one.path, ignore_errors=True)
        else:
            one.path.unlink(missing_ok=True)
    return found


def _newest_and_size(path: Path) -> tuple[float, int]:
    """The time of the last change in a file or folder, and the bytes in it."""
    files = [path, *(path.rglob("*") if path.is_dir() else ())]
    states = [file.lstat() for file in files if file.exists() or file.is_symlink()]
    return max((state.st_mtime for state in states), default=time.time()), sum(state.st_size for state in states)


def _leftovers(report: Report, folder: Path) -> None:
    if found := find_leftovers(folder):
        size = sum(one.size for one in found) / 1e6
        report.facts["left behind by killed commands"] = {str(one.path): f"{one.size / 1e6:,.1f} MB" for one in found}
        report.advice.append(f"remove the {len(found)} left behind ({size:,.1f} MB): faces doctor --clean .")


def _packages(report: Report, needed: Mapping[str, Sequence[str]] | None) -> None:
    """Add the versions of what the installation declares, as `experiments.requirements.requirements` reads it."""
    if needed is None:
        report.missing.append("the installation's own metadata: in the project's folder, pip install .")
        return
    found = {name: installed_version(name) for name in needed[""]}
    report.facts["packages"] = {name: have or "missing" for name, have in found.items()}
    if absent := [name for name, have in found.items() if have is None]:
        report.missing.append(f"{', '.join(absent)}: in the project's folder, pip install .")
    section = report.facts["extras"] = {}
    for name, purpose in PURPOSES.items():
        versions = {package: installed_version(package) for package in needed.get(name, ())}
        lacking = [package for package, have in versions.items() if have is None]
        having = ", ".join(f"{package} {have}" for package, have in versions.items() if have is not None)
        section[name] = f"lacks {', '.join(lacking)}" if lacking else having
        if lacking:
            report.advice.append(f"{purpose}: in the project's folder, {install_command(name)}")


def _mytorch(report: Report) -> None:
    config = _imported(report, "mytorch.config", "numpy")
    if config is None:
        return
    facts, hints = config.config()
    report.facts["mytorch"] = {name: fact for name, fact in facts.items() if name not in ("Python", "NumPy")}
    report.advice += hints
    if DRIVER.exists() and not any(map(installed_version, ("cupy-cuda12x", "cupy-cuda13x", "cupy"))):
        report.advice.append(
            "mytorch on this NVIDIA GPU: in the project's folder, pip install '.[cuda13]', or '.[cuda12]'"
        )


def _torch(report: Report) -> None:
    if installed_version("torch") is None:
        report.facts["PyTorch"] = {"version": "not installed"}
        return
    torch = _imported(report, "torch", "torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        gpu = f"{', '.join(torch.cuda.get_device_name(i) for i in range(count))}; CUDA {torch.version.cuda}"
    elif torch.backends.mps.is_available():
        gpu = "Apple's, by Metal"
    else:
        gpu = f"none in use; built for {f'CUDA {torch.version.cuda}' if torch.version.cuda else 'the processor alone'}"
        if DRIVER.exists():
            report.advice.append("PyTorch on this NVIDIA GPU: a build for its driver, see pytorch.org/get-started")
    report.facts["PyTorch"] = {
        "threads": str(torch.get_num_threads()),
        "BLAS": "MKL" if torch.backends.mkl.is_available() else "another than MKL",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "GPU": gpu,
    }


def _imported(report: Report, name: str, package: str) -> ModuleType | None:
    """Return the module; None, and a line in the report, where it or the package that it needs is absent or broken."""
    try:
        return import_module(name)
    except Exception as error:  # a broken build may raise anything: a library it cannot find, an attribute that is gone
        said = (str(error).splitlines() or [type(error).__name__])[0]
        report.facts[name] = {"error": said}
        report.missing.append(f"{name} does not load ({said}): pip install --force-reinstall {package}")
        return None
