"""What the tests of a gallery under load share: made-up people, and processes that say what they changed."""

import hashlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from experiments.evaluation.gallery.records import NewPhoto
from experiments.evaluation.gallery.store import GalleryStore

NETWORK = "made-up network"
DIMENSION = 128


def vector(text: str) -> np.ndarray:
    """The same random embedding for the same text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    drawn = np.random.default_rng(seed).standard_normal(DIMENSION)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def photos(name: str, count: int = 2) -> list[NewPhoto]:
    """The photos of a made-up person."""
    return [NewPhoto(f"{n}.jpg", f"{name}-{n}", vector(f"{name}-{n}")) for n in range(count)]


def start(*words: object) -> subprocess.Popen[str]:
    """Start this file as a process of its own."""
    return subprocess.Popen([sys.executable, __file__, *map(str, words)], stdout=subprocess.PIPE, text=True)


def work(location: str, worker: str, seconds: float) -> None:
    """Enroll, remove and identify people of one's own, and add to a person whom all share; print what was acknowledged.

    Each line is written after the change was acknowledged, the last one holds the times of each kind of request.
    """
    draw = random.Random(worker)
    own: list[str] = []
    times: dict[str, list[float]] = {"enroll": [], "remove": [], "identify": []}
    wrong = number = 0
    end = time.monotonic() + seconds
    with GalleryStore.open(location, NETWORK) as store:
        while time.monotonic() < end:
            what = draw.choices(["enroll", "remove", "identify"], [5, 1, 6])[0] if own else "enroll"
            began = time.monotonic()
            if what == "enroll":
                name, number = f"{worker}-{number}", number + 1
                shared = f"shared-{name}"
                both = {name: photos(name), "shared": [NewPhoto(f"{shared}.jpg", shared, vector(shared))]}
                store.enroll(both, NETWORK, worker)
                own.append(name)
                print("enrolled", name, flush=True)
            elif what == "remove":
                name = own.pop(draw.randrange(len(own)))
                print("removing", name, flush=True)
                store.remove([name], worker)
                print("removed", name, flush=True)
                ((match,),) = store.search(vector(f"{name}-0")[None], 1)
                wrong += match.name == name
            else:
                name = draw.choice(own)
                ((match,),) = store.search(vector(f"{name}-0")[None], 1)
                wrong += match.name != name
            times[what].append(time.monotonic() - began)
    print("times", json.dumps({"wrong": wrong, **times}), flush=True)


def enrolled_by(lines: list[str]) -> tuple[set[str], set[str]]:
    """Return the people of acknowledged lines who must be there, and those removed, who must not.

    Of a removal that was begun and not acknowledged, either is right.
    """
    there: set[str] = set()
    gone: set[str] = set()
    for line in lines:
        word, _, name = line.strip().partition(" ")
        if word == "enrolled":
            there.add(name)
        elif word == "removing":
            there.discard(name)
        elif word == "removed":
            gone.add(name)
    return there, gone


def check(location: str | Path, there: set[str], gone: set[str], exactly: bool) -> list[str]:
    """Return what is wrong with a gallery: people lost, people back, photos or templates that do not fit."""
    wrong = []
    with GalleryStore.open(location, NETWORK) as store:
        found = store.snapshot()
        people = {person.name: person.photos for person in store.people()}
        wrong += [f"lost: {name}" for name in there - set(people)]
        wrong += [f"back: {name}" for name in gone & set(people)]
        if exactly:
            wrong += [f"ghost: {name}" for name in set(people) - there - {"shared"}]
        for row, image, digest, name in zip(found.embeddings, found.images, found.digests, found.people, strict=True):
            if not np.array_equal(row, vector(digest)):
                wrong.append(f"another embedding: {image} of {name}")
        names = list(found.names)
        wrong += [f"photos of {name}" for name in names if people.get(name) != found.people.count(name)]
        for matches, name in zip(store.search(found.templates(), 1), names, strict=True):
            if matches[0].name != name or abs(matches[0].similarity - 1) > 1e-5:
                wrong.append(f"template of {name}")
    return wrong


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], float(sys.argv[3]))
