"""Which picture an id of a sample stands for: by file name, by number, or by its place."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from experiments.errors import FacesError
from experiments.submission.format import Sample


def match(sample: Sample, files: Sequence[str], folder: str) -> tuple[list[int], str]:
    """For each id, the place of its picture among `files`, which are in natural order; and how ids were read.

    An id is a file's name (12.jpg), that name without its suffix (12), its number without leading zeros (12 for
    000012.jpg), or, where ids count from 0 through all pictures, a place among them: the first of these that finds
    most ids. Raises FacesError, naming one, where ids find no picture.
    """
    how, found = max(_readings(sample.ids, files).items(), key=lambda reading: len(reading[1]))
    missing = [name for name in sample.ids if name not in found]
    if missing:
        hint = (
            "" if sample.columns[0] != "ID" else "; if its ids are numbers of pairs, it is `faces verify` that answers"
        )
        raise FacesError(
            f"{sample.path} names {len(sample.ids)} images, {len(missing)} of which {folder} lacks, "
            f"such as {missing[0]}: give the folder and the sample of one competition{hint}"
        )
    return [found[name] for name in sample.ids], how


def _readings(ids: Sequence[str], files: Sequence[str]) -> Mapping[str, dict[str, int]]:
    """Each way to read ids, the plainest first, and the picture of every id that it finds."""
    stems = [PurePath(name).stem for name in files]
    digits = all(stem.isascii() and stem.isdigit() for stem in stems)
    counted = sorted(ids, key=lambda name: (len(name), name)) == [str(place) for place in range(len(files))]
    ways: dict[str, list[str]] = {"file name": list(files), "file name without suffix": stems}
    if digits:
        ways["number of the file"] = [str(int(stem)) for stem in stems]
    if counted:
        ways["place, counted from 0"] = [str(place) for place in range(len(files))]
    wanted = set(ids)
    return {
        how: {name: place for place, name in enumerate(names) if name in wanted}
        for how, names in ways.items()
        if len(set(names)) == len(names)
    }
