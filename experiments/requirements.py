"""What the project needs, read from the metadata that pip installed, and which extra brings a missing module."""

import re
from importlib.metadata import PackageNotFoundError, requires, version

DISTRIBUTION = "mytorch-faces"

DISTRIBUTION_OF = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "multipart": "python-multipart",
    "facenet_pytorch": "facenet-pytorch",
    "faiss": "faiss-cpu",
    "prometheus_client": "prometheus-client",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""The distribution that brings a module, where the two have different names."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*[A-Za-z0-9]")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")
_OURS = re.compile(rf"{DISTRIBUTION}\[([\w,\s.-]+)\]")


def requirements() -> dict[str, tuple[str, ...]] | None:
    """Return the distributions that the base install ("") and each extra need, by pip's names for them.

    An extra that names other extras contains their distributions. Returns None where the project runs from its folder
    and is not installed.
    """
    try:
        declared = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return None
    needed: dict[str, list[str]] = {"": []}
    included: dict[str, list[str]] = {}
    for line in declared:
        extra = found[1] if (found := _EXTRA.search(line)) else ""
        if others := _OURS.match(line):
            included.setdefault(extra, []).extend(name.strip() for name in others[1].split(","))
        elif name := _NAME.match(line):
            needed.setdefault(extra, []).append(name[0].lower())

    def complete(extra: str) -> list[str]:
        return [*needed.get(extra, []), *(name for other in included.get(extra, []) for name in complete(other))]

    return {extra: tuple(dict.fromkeys(complete(extra))) for extra in (*needed, *included)}


def installed_version(distribution: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def install_command(extra: str) -> str:
    """Return the command that adds an extra, to be typed in the project's folder."""
    return f"pip install '.[{extra}]'"


def remedy(error: ModuleNotFoundError) -> str | None:
    """Return one line that says how to get the module that an import did not find.

    Returns None where no extra brings it: then the error is a fault of ours and should be seen whole.
    """
    module = (error.name or "").partition(".")[0]
    name = DISTRIBUTION_OF.get(module, module)
    if name == "cupy":
        return f"cupy is not installed: in the project's folder, {install_command('cuda13')} (or cuda12)"
    for extra, names in (requirements() or {}).items():
        if name in names:
            what = install_command(extra) if extra else "pip install ."
            return f"{module} is not installed: in the project's folder, {what}"
    return None
