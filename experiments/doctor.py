"""What is installed here, what computes, what is missing, and how to get it. Nothing absent stops it."""

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType

from experiments.requirements import DISTRIBUTION, install_command, installed_version, requirements

DRIVER = Path("/proc/driver/nvidia/version")
"""There where Linux has loaded NVIDIA's driver."""

PURPOSES = {
    "faces": "training, evaluation, verification and the other commands on images",
    "docs": "make docs",
    "export": "faces export",
    "gallery": "faces identify --faiss",
    "kaggle": "faces submit --upload",
    "notebooks": "make notebooks",
    "tensorboard": "faces train --tensorboard",
    "tune": "faces tune",
}
"""What each extra of the installation is for. CuPy's extras, for a machine with an NVIDIA GPU alone, are apart."""


@dataclass
class Report:
    """facts: by section, then by name. missing: what nothing works without. advice: what more there could be."""

    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report to print, a fact a line, and at its end what to do."""
        width = max(len(name) for section in self.facts.values() for name in section)
        said = []
        for title, section in self.facts.items():
            said += [title, *(f"  {name:<{width}}  {value}" for name, value in section.items()), ""]
        said += [f"missing: {line}" for line in self.missing]
        said += [f"possible: {line}" for line in self.advice]
        return [*said, *([] if self.missing else ["everything that is needed is installed"])]


def examine() -> Report:
    """Look at the machine and the installation. Nothing is downloaded, changed or trained."""
    report = Report()
    report.facts["faces"] = {
        "mytorch-faces": installed_version(DISTRIBUTION) or "run from its folder, not installed",
        "Python": f"{platform.python_version()}, {sys.executable}",
        "system": f"{platform.system()} on {platform.machine()}",
    }
    _packages(report, requirements())
    _mytorch(report)
    _torch(report)
    return report


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
    """The module; None, and a line in the report, where it or the package that it needs is absent or broken."""
    try:
        return import_module(name)
    except Exception as error:  # a broken build may raise anything: a library it cannot find, an attribute that is gone
        said = (str(error).splitlines() or [type(error).__name__])[0]
        report.facts[name] = {"error": said}
        report.missing.append(f"{name} does not load ({said}): pip install --force-reinstall {package}")
        return None
