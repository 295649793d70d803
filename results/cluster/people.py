"""Copy the images of some people, drawn at random: `python results/cluster/people.py SOURCE TARGET COUNT SEED`."""

import shutil
import sys
from pathlib import Path

import numpy as np


def main(source: Path, target: Path, count: int, seed: int) -> None:
    """Copy `count` of the folders in `source` to `target`."""
    names = sorted(folder.name for folder in source.iterdir() if folder.is_dir())
    for name in np.random.default_rng(seed).choice(names, count, replace=False):
        shutil.copytree(source / name, target / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
