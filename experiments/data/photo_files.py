"""The photos that a command is given, as files, folders and patterns, and where their drawn copies are stored."""

from collections.abc import Sequence
from glob import glob
from pathlib import Path

from experiments.data.folders import files_under, is_image, natural_key, other_files, require_utf8
from experiments.errors import FacesError
from experiments.files import refuse_overwriting_input


def expand_photos(photos: Sequence[Path]) -> list[Path]:
    """List the photos that are meant, each once: files as they are, all images in folders, those that match patterns.

    Raises FacesError for what is missing or not a regular file, for folders without images, and for patterns that match
    nothing.
    """
    photos = [path for photo in photos for path in _expand_pattern(photo)]
    if missing := [path for path in photos if not path.is_file() and not path.is_dir()]:
        what = "not a regular file" if missing[0].exists() else "no such photo"
        raise FacesError(f"{missing[0]}: {what} ({len(missing)} of {len(photos)} cannot be used); check the path")
    paths: list[Path] = []
    for photo in photos:
        if not photo.is_dir():
            paths.append(photo)
            continue
        found = [path for path in files_under(photo) if is_image(path) and path.is_file()]
        if not found:
            raise FacesError(f"{photo}: no images in it or its folders; expected photos{other_files(photo)}")
        paths += found
    for path in paths:
        require_utf8(path)
    return list(dict.fromkeys(paths))


def _expand_pattern(photo: Path) -> list[Path]:
    """What a pattern such as *.jpg matches, which shells other than Unix ones leave as it is; else the path itself."""
    if photo.exists() or not set("*?[") & set(str(photo)):
        return [photo]
    found = sorted(map(Path, glob(str(photo), recursive=True)), key=lambda path: (str(path.parent), natural_key(path)))
    if not found:
        raise FacesError(f"{photo}: no file matches this pattern; check the path")
    return found


def annotated_paths(paths: Sequence[Path], folder: Path, given: Sequence[Path]) -> dict[Path, Path]:
    """Return where each photo is stored with its boxes: a name of its own in `folder`, with the suffix .jpg.

    Raises FacesError where that is no folder, or inside one that is searched for photos.
    """
    if folder.exists() and not folder.is_dir():
        raise FacesError(f"--annotate {folder} is a file, expected a folder: choose another")
    for searched in given:
        if searched.is_dir() and folder.resolve().is_relative_to(searched.resolve()):
            raise FacesError(
                f"--annotate {folder} is inside {searched}, where its images would be taken for photos: choose another"
            )
    targets: dict[Path, Path] = {}
    taken: set[str] = set()
    for path in paths:
        number, name = 1, path.stem
        while name.casefold() in taken:
            number, name = number + 1, f"{path.stem}-{number + 1}"
        taken.add(name.casefold())
        targets[path] = folder / f"{name}.jpg"
    for target in targets.values():
        refuse_overwriting_input(target, paths, "--annotate")
    return targets
