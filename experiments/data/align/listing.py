"""What `faces align` has to do: every picture below a folder, the name each is stored under, the tables beside them."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from experiments.data.align.settings import Format
from experiments.data.check import files_under
from experiments.data.folders import is_image
from experiments.errors import FacesError
from mytorch.files import replacing

_TABLES = frozenset({".csv", ".txt", ".json"})
_JPEG = frozenset({".jpg", ".jpeg"})


def list_pictures(source: Path, form: Format) -> dict[str, str]:
    """Every picture below `source`, in natural order, and the name it is stored under, both relative.

    Raises FacesError where there is none, or where two would be stored under one name.
    """
    outputs: dict[str, str] = {}
    taken: dict[str, str] = {}
    for path in _relative(source):
        if not is_image(Path(path)):
            continue
        output = _stored_as(path, form)
        if output in taken:
            raise FacesError(
                f"{source}: {taken[output]} and {path} would both be stored as {output}: rename or remove one"
            )
        outputs[path], taken[output] = output, path
    if not outputs:
        raise FacesError(f"{source}: no images in it or in its folders; expected those of a data set")
    return outputs


def copy_tables(source: Path, target: Path, reserved: Iterable[str]) -> None:
    """Copy the tables of a data set (the sample, lists of pairs), all but names that the job itself uses."""
    for path in _relative(source):
        if Path(path).suffix.lower() in _TABLES and path not in reserved:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            with replacing(target / path) as temporary:
                shutil.copyfile(source / path, temporary)


def _relative(source: Path) -> Iterator[str]:
    for path in files_under(source):
        name = path.relative_to(source).as_posix()
        try:
            name.encode()
        except UnicodeEncodeError:
            raise FacesError(f"{source}: the name {name!r} is not UTF-8, so no table can hold it: rename it") from None
        yield name


def _stored_as(path: str, form: Format) -> str:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".png" if form == "png" else suffix in _JPEG if form == "jpeg" else suffix in {".png", *_JPEG}:
        return path
    return str(PurePosixPath(path).with_suffix(".jpg" if form == "jpeg" else ".png"))
