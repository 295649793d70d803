"""Pictures without names: a competition's test set."""

import os
from pathlib import Path

from experiments.data.folders import IMAGES, contents, existing_folder, images_in
from experiments.data.packed import open_pack, packed_part
from experiments.errors import FacesError


def find_images(directory: str | os.PathLike[str]) -> tuple[Path, ...]:
    """List the images that lie directly in a folder, or in its `images/`, in natural order (1, 2, 10).

    Those of a pack's test set are named as if they lay below it. Raises FacesError where there are none.
    """
    if part := packed_part(directory):
        return open_pack(*part).paths
    folder = existing_folder(directory)
    images = images_in(folder)
    if not images and (folder / IMAGES).is_dir():
        images = images_in(folder / IMAGES)
    if not images:
        raise FacesError(f"{folder}: no images lie directly in it{contents(folder)}: give the folder that holds them")
    return images
