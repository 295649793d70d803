"""Copies those people of a folder who are not in a gallery, by their faces: python others.py NET GALLERY PEOPLE OUT."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from experiments.data.folders import folders_in, images_in
from experiments.evaluation.gallery.store import read_gallery
from experiments.inference.embedder import normalize_embeddings
from experiments.inference.networks import open_embedder

SAME = 0.5
"""Templates so alike are taken for one person's: far above look-alikes, so that these stay among the strangers."""
IMAGES_PER_PERSON = 3


def main(net: Path, gallery: Path, people: Path, out: Path) -> None:
    """Copy one folder per person to `out`, and how many were left out to OUT.json."""
    embedder = open_embedder(net)
    templates = read_gallery(gallery, embedder.fingerprint).templates()
    folders = [(folder, images_in(folder)[:IMAGES_PER_PERSON]) for folder in folders_in(people)]
    vectors = embedder.embed_files([path for _, paths in folders for path in paths], flip=False)
    ends = np.cumsum([len(paths) for _, paths in folders])[:-1]
    means = normalize_embeddings(np.stack([part.sum(0) for part in np.split(vectors, ends)]))
    strangers = (means @ templates.T).max(1) < SAME
    out.mkdir(parents=True)
    for (folder, _), stranger in zip(folders, strangers, strict=True):
        if stranger:
            shutil.copytree(folder, out / folder.name)
    found = {"people": len(folders), "left_out": int((~strangers).sum())}
    out.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    print(f"{found['left_out']} of {found['people']} people are in the gallery, too, and left out")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
