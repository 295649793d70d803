"""Read and write files and folders: whole or not at all, one writer at a time, and nothing overwritten by mistake."""

import csv
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from experiments.errors import FacesError, expected_words
from experiments.progress import say
from mytorch.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd


def refuse_inside(path: Path, people: Path) -> None:
    """Raise FacesError where `path` is in a folder of people: its images would be taken for a person's."""
    if path.resolve().is_relative_to(people.resolve()):
        raise FacesError(f"{path} is inside {people}, where it would be taken for a person: choose another --out")


def refuse_existing(path: Path, remedy: str) -> None:
    """Raise FacesError where `path` exists and is not an empty folder, or where it cannot be made."""
    if path.exists() and not path.is_dir():
        raise FacesError(f"{path} is a file: expected a folder that does not exist yet; choose another --out")
    if path.exists() and any(path.iterdir()):
        raise FacesError(f"{path} exists already: choose another --out, or {remedy}")
    parent = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise FacesError(f"{path} cannot be made: {parent} is not a folder that you may write to: choose another --out")


def refuse_overwriting_input(out: Path, inputs: Iterable[str | os.PathLike[str]], option: str = "--out") -> None:
    """Raise FacesError where the output is one of the files that the command reads, by whatever name or link."""
    for path in map(Path, inputs):
        if path.exists() and (out.resolve() == path.resolve() or (out.exists() and out.samefile(path))):
            raise FacesError(f"{option} {out} is {path}, which this command reads: choose another {option}")


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Be the only process that writes `path` while the block runs. Wait for another that does, or raise FacesError.

    The lock is a file next to it, `.NAME.lock`, which ends with its process however that ends. What a killed writer
    left of `path` (temporary files of `atomic_write`, folders of `new_folder`) is removed first.
    """
    path = path.resolve()  # `atomic_write` follows links, and two names of one file share its lock
    lock = path.with_name(f".{path.name}.lock")
    while True:
        with _open_lock(lock) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    raise FacesError(
                        f"{path}: another command is writing it; wait until it has ended, or choose another --out"
                    ) from None
                say(f"{path}: another command is writing it; waiting")
                fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is_open_file(lock, handle.fileno()):  # its owner removed it while this process waited
                continue
            try:
                remove_temporary_files(path)
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _open_lock(lock: Path) -> IO[str]:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return lock.open("a")
    except OSError as error:
        raise FacesError(
            f"{lock}: cannot be written ({error.strerror or error}): make {lock.parent} a folder that you may write to"
        ) from error


def _is_open_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def remove_temporary_files(path: Path) -> None:
    """Remove what `atomic_write` and `new_folder` left of `path` when they were killed. Only for its one writer."""
    path = path.resolve()
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}({re.escape(path.suffix)})?")
    for sibling in path.parent.iterdir():
        if pattern.fullmatch(sibling.name):
            if sibling.is_dir() and not sibling.is_symlink():
                shutil.rmtree(sibling, ignore_errors=True)
            else:
                sibling.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder next to `path` that becomes `path` when the block succeeds, and is removed otherwise."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.mkdir()
        yield temporary
        if path.is_dir():
            path.rmdir()
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises FacesError naming it where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FacesError(
            f"{path}: cannot be read as JSON ({error}); was the run cut off, or the file edited?"
        ) from error


_NAMES = TypeAdapter(list[str], config=ConfigDict(strict=True))


def read_names(path: Path) -> list[str]:
    """Read a JSON list of distinct names, such as a run's classes.json. Raises FacesError for anything else."""
    value = read_json(path)
    try:
        names = _NAMES.validate_python(value)
    except ValidationError as error:
        raise FacesError(
            f"{path}: expected a list of names, found something else ({expected_words(error.errors()[0])}); was it "
            "edited?"
        ) from error
    if len(set(names)) < len(names):
        raise FacesError(f"{path}: {next(n for n in names if names.count(n) > 1)!r} occurs twice; was it edited?")
    return names


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = (), exact: bool = False) -> None:
    """Write rows with the same keys as a CSV file, completely or not at all.

    columns: needed where there may be no rows. A text that a spreadsheet would take for a formula gets an apostrophe,
    which `read_csv` removes; exact: it does not, for files whose reader expects every cell as it is (a submission).
    """
    names = list(columns or rows[0])
    with atomic_write(path) as temporary:
        temporary.write_text(_csv_text(rows, names, exact), encoding="utf-8", newline="")


def append_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Append rows to a file of `write_csv` and flush them to the disk: a kill can cut off the last of them."""
    with path.open("a", newline="", encoding="utf-8") as file:
        file.write(_csv_text(rows, columns, exact=False, header=False))
        file.flush()
        os.fsync(file.fileno())


def _csv_text(rows: Sequence[Mapping[str, Any]], names: Sequence[str], exact: bool, header: bool = True) -> str:
    import pandas as pd

    cells = [[row[name] if exact else neutralize(row[name]) for name in names] for row in rows]
    table = pd.DataFrame(cells, columns=names, dtype=object)  # as objects, a missing number leaves others integers
    # The csv module leaves a lone carriage return unquoted, and readers take it for the end of a line.
    quoting = csv.QUOTE_NONNUMERIC if any("\r" in str(cell) for row in cells for cell in row) else csv.QUOTE_MINIMAL
    text: str = table.to_csv(index=False, header=header, lineterminator="\n", quoting=quoting)
    return text


def read_csv(path: Path, remedy: str, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Read a CSV file that `write_csv` wrote, every cell as text, empty where there is none.

    Raises FacesError, with the remedy, where it is no table in UTF-8, a row has too many cells, or `columns` differ.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError("more cells in a row than columns")
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise FacesError(f"{path}: cannot be read as a table ({str(error).strip()}): {remedy}") from error
    if columns is not None and list(table.columns) != list(columns):
        found = ",".join(table.columns)
        raise FacesError(f"{path}: its columns are {found}, expected {','.join(columns)}: {remedy}")
    return table.fillna("").map(restore)


_FORMULA = re.compile(r"'*\s*[=+\-@|\t\r\0]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")


def neutralize(cell: Any) -> Any:
    """Put an apostrophe before a text that a spreadsheet would run as a formula; leave numbers and other texts."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def restore(cell: str) -> str:
    """Undo `neutralize`."""
    return cell[1:] if cell.startswith("'") and neutralize(cell[1:]) != cell[1:] else cell


def read_user_csv(path: Path) -> "pd.DataFrame":
    """Read a CSV file that others made: every cell as it is, by the titles in its first row; without empty lines.

    Raises FacesError where it is missing, is not text in UTF-8, or its rows differ in length.
    """
    import pandas as pd

    if not path.is_file():
        raise FacesError(f"{path}: no such file; expected a CSV file")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            # Not by pandas: it reads a row that is cut short as one with an empty cell.
            rows = [row for row in csv.reader(file, strict=True) if row]
    except UnicodeDecodeError as error:
        raise FacesError(
            f"{path}: not text in UTF-8, so not a CSV file; expected a table such as sample_submission.csv. Of a "
            "spreadsheet, save a copy as CSV UTF-8"
        ) from error
    except (OSError, csv.Error) as error:
        raise FacesError(f"{path}: cannot be read as CSV ({error}): get it again") from error
    if not rows:
        raise FacesError(f"{path}: is empty; expected a CSV file with titles in its first row")
    titles = rows[0]
    if odd := next((row for row in rows if len(row) != len(titles)), None):
        values = f"{len(odd)} value{'s' * (len(odd) != 1)}"
        raise FacesError(f"{path}: a row with {values}, {','.join(odd)}; expected {len(titles)}, {','.join(titles)}")
    return pd.DataFrame(rows[1:], columns=titles, dtype=str)


class Stored(BaseModel):
    """Fields of a JSON file of `write_signed` that are read back; others are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


StoredT = TypeVar("StoredT", bound=Stored)


def file_inside(folder: Path, name: str) -> Path | None:
    """Return a regular file of a folder, or None where there is none.

    Raises FacesError for a link that leaves the folder, which could bring any file into a report, and for what is no
    file, such as a pipe.
    """
    path = folder / name
    if not path.exists() and not path.is_symlink():
        return None
    if not path.resolve().is_relative_to(folder.resolve()):
        raise FacesError(f"{path} is a link to {path.resolve()}, outside of {folder}: put the file itself there")
    if not path.is_file():
        raise FacesError(f"{path} is not a regular file: remove it, and run the command that writes it again")
    return path


def read_stored(model: type[StoredT], folder: Path, name: str, remedy: str) -> StoredT | None:
    """Read a JSON file of a folder, or return None where there is none.

    Raises FacesError, with the remedy, where it cannot be read, a field is missing or has an impossible value, or it
    was edited. A file without a digest, as older versions wrote it, is read with a note.
    """
    path = file_inside(folder, name)
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
        found = model.model_validate_json(text)
        _require_digest(json.loads(text), path, remedy)
        return found
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        what = "missing" if first["type"] == "missing" else f"{first['input']!r}: {expected_words(first)}"
        where = f"{field} is {what}" if field else expected_words(first)
        raise FacesError(f"{path}: {where}; was the file cut off, or edited? {remedy}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise FacesError(f"{path}: cannot be read as JSON ({error}); {remedy}") from error


def write_signed(path: Path, fields: Mapping[str, Any]) -> None:
    """Write an object as JSON with a digest of all its fields, by which a reader notices that it was edited."""
    plain = json.loads(json.dumps(fields))
    write_json(path, {**plain, "digest": _digest(plain)})


def read_signed(path: Path, remedy: str) -> dict[str, Any]:
    """Read a file of `write_signed`. Raises FacesError, with the remedy, where it is damaged or was edited."""
    fields = read_json(path)
    if not isinstance(fields, dict):
        raise FacesError(f"{path}: holds a {type(fields).__name__}, expected an object: {remedy}")
    _require_digest(fields, path, remedy)
    return fields


def _require_digest(fields: dict[str, Any], path: Path, remedy: str) -> None:
    """Take the digest out of the fields. Raises FacesError where it is not theirs; a missing one is worth a note."""
    digest = fields.pop("digest", None)
    if digest is None:
        say(f"note: {path} has no digest, so that an edited value would not be noticed; {remedy}")
    elif digest != _digest(fields):
        raise FacesError(f"{path}: changed since it was stored, its digest is another; was it edited? {remedy}")


class _SignedFiles(Stored):
    files: dict[str, str] = Field(default_factory=dict)


def require_unchanged(folder: Path, name: str, signer: str = "environment.json") -> None:
    """Raise FacesError where a file of a run's folder is not as `signer` has it, which holds the digests of some."""
    signed = read_stored(_SignedFiles, folder, signer, "get it from a copy, or remove it")
    path = folder / name
    if signed is not None and path.is_file() and signed.files.get(name) not in (None, file_digest(path)):
        raise FacesError(
            f"{path}: changed since the run began, so that it may not fit the weights: get it from a copy, or train "
            "again in another --out"
        )


def file_digest(path: Path) -> str:
    """Return a digest of a file's content."""
    return content_digest(path.read_bytes())


def content_digest(content: bytes) -> str:
    """Return a digest of bytes, as `file_digest` does of a file's."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class Record(BaseModel):
    """Something stored as JSON together with a digest of all its fields, so that an edited or cut file is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def write(self, path: Path) -> None:
        """Store it, whole or not at all."""
        write_signed(path, json.loads(self.model_dump_json()))

    @classmethod
    def read(cls, path: Path, remedy: str) -> Self:
        """Read what `write` stored. Raises FacesError, with the remedy, where it is damaged, edited or another kind."""
        try:
            text = path.read_text(encoding="utf-8")
            stored = json.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            raise FacesError(f"{path}: cannot be read as JSON ({error}): {remedy}") from error
        if not isinstance(stored, dict):
            raise FacesError(f"{path}: holds a {type(stored).__name__}, expected an object: {remedy}")
        digest = stored.pop("digest", None)
        try:
            record = cls.model_validate_json(json.dumps(stored))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise FacesError(
                f"{path}: not as the commands store it ({where}: {expected_words(first)}): {remedy}"
            ) from error
        if digest != _digest(stored):
            raise FacesError(f"{path}: changed since it was stored, its digest is another: {remedy}")
        return record


def _digest(fields: Mapping[str, Any]) -> str:
    return content_digest(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())
