"""Handing a submission in to Kaggle, by Kaggle's own program and with the user's own credentials."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from experiments.errors import FacesError

PROGRAM = "from kaggle.cli import main; main()"
"""What the command `kaggle` runs, in a process of its own, as its import ends the process where nobody is logged in."""

CREDENTIALS = ("access_token", "kaggle.json", "credentials.json")
"""Files of which one lets Kaggle's program in: those that it looks for itself. Nothing here reads them."""


def upload_command(file: Path, message: str, competition: str = "COMPETITION") -> str:
    """What to type to upload a submission."""
    return shlex.join(["kaggle", *_arguments(file, message, competition)])


def require_kaggle() -> None:
    """Raise FacesError, saying what to do, where Kaggle's program is missing or nobody is logged in."""
    if find_spec("kaggle") is None:
        raise FacesError("--upload needs the kaggle package: pip install 'mytorch-faces[kaggle]'")
    if not _has_credentials(os.environ, Path.home()):
        raise FacesError(
            "--upload needs your Kaggle credentials: make a token on kaggle.com under Settings, API, and put it "
            "into the variable KAGGLE_API_TOKEN, or save the kaggle.json that it gives you as ~/.kaggle/kaggle.json"
        )


def upload(file: Path, message: str, competition: str) -> str:
    """Upload a submission, and give what Kaggle answers. Raises FacesError with its words where it refuses."""
    require_kaggle()
    command = [sys.executable, "-c", PROGRAM, *_arguments(file, message, competition)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = (done.stdout + done.stderr).strip()
    if done.returncode:
        last = answer.splitlines()[-1] if answer else f"exit status {done.returncode}"
        again = upload_command(file, message, competition)
        raise FacesError(f"{file} is written, but Kaggle did not take it: {last}\ntry again by: {again}")
    return answer


def _arguments(file: Path, message: str, competition: str) -> list[str]:
    return ["competitions", "submit", "-c", competition, "-f", str(file), "-m", message]


def _has_credentials(environment: Mapping[str, str], home: Path) -> bool:
    if environment.get("KAGGLE_API_TOKEN") or (environment.get("KAGGLE_USERNAME") and environment.get("KAGGLE_KEY")):
        return True
    folders = [home / ".kaggle", Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle"]
    if own := environment.get("KAGGLE_CONFIG_DIR"):
        folders.append(Path(own))
    return any((folder / name).is_file() for folder in folders for name in CREDENTIALS)
