"""API keys. The file holds a hash of each key, so a copy of it opens nothing.

A key is 256 random bits, which nobody can guess or search, so one fast hash protects it as well as a slow one would.
"""

import hashlib
import hmac
import json
import re
import secrets
import stat
from datetime import UTC, datetime
from pathlib import Path

from experiments.errors import FacesError
from experiments.files import locked
from mytorch.files import atomic_write

PREFIX = "faces_"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
REMEDY = "`faces serve --api-key-file FILE --new-key NAME` makes one"


def hash_key(key: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def add_key(path: Path, name: str) -> str:
    """Add a new key to a file, which is made where it is missing, readable by its owner only. Returns the key.

    Raises FacesError for a name that is taken, or is not of letters, digits, dots, dashes and underscores.
    """
    if not NAME.fullmatch(name):
        raise FacesError(f"--new-key {name!r}: expected up to 40 letters, digits, dots, dashes and underscores")
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    with locked(path):
        entries = _read(path) if path.exists() else []
        if any(entry["name"] == name for entry in entries):
            raise FacesError(f"{path}: has a key called {name} already: choose another name, or remove that entry")
        key = PREFIX + secrets.token_urlsafe(32)
        made = datetime.now(UTC).isoformat(timespec="seconds")
        entries.append({"name": name, "sha256": hash_key(key), "made": made})
        with atomic_write(path, private=True) as temporary:
            Path(temporary).write_text(json.dumps({"keys": entries}, indent=2) + "\n", encoding="utf-8")
    return key


class ApiKeys:
    """The keys of a file, by their hashes."""

    def __init__(self, path: Path) -> None:
        """Read a file of keys. Raises FacesError where it is missing, damaged, empty, or readable by others."""
        if not path.is_file():
            raise FacesError(f"{path}: no such file of API keys: {REMEDY}")
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise FacesError(f"{path}: other users can read it: chmod 600 {path}")
        self._entries = [(entry["name"], entry["sha256"]) for entry in _read(path)]
        if not self._entries:
            raise FacesError(f"{path}: holds no key: {REMEDY}")

    def owner(self, key: str) -> str | None:
        """Return the name of a key, or None for one that is not in the file, in the same time for every wrong key."""
        hashed, owner = hash_key(key), None
        for name, known in self._entries:
            if hmac.compare_digest(hashed, known):
                owner = name
        return owner


def _read(path: Path) -> list[dict[str, str]]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return [{field: str(entry[field]) for field in ("name", "sha256", "made")} for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise FacesError(f"{path}: not a file of API keys, or damaged: remove it, and make new keys") from error
