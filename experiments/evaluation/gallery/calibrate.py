"""How often a gallery gives a stranger a name, calibrated on whole searches instead of on single comparisons.

A stranger is compared with everybody's template and the likest counts. That finds more than the FAR of a pair of
pictures promises: there are as many chances as people, a template has lost what is odd about single pictures and kept
what is like others, and some people resemble several. So strangers are asked after as they will be, of galleries drawn
by lot from people who will be in none (the false positive identification rate of Grother, Ngan and Hanaoka 2019, FRVT
part 2: identification, NIST IR 8271).
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.align.in_memory import align_files
from experiments.data.folders import find_identities
from experiments.errors import FacesError
from experiments.evaluation.scoring import EmbedOptions
from experiments.files import read_json, write_json
from experiments.inference.embedder import normalize_embeddings, open_embedder
from experiments.progress import say

SEARCHES = "searches.json"
STEPS = 400
EACH = 5
CHUNK = 1024
SIZES = tuple(round(lead * 10**power) for power in range(6) for lead in (1, 1.5, 2, 3, 5, 7))


@dataclass(frozen=True)
class SearchCalibration:
    """network: its fingerprint. flip, zooms: how its embeddings were made. source: the folder of people.

    people, asked: how many people, and pictures of theirs asked after. each: pictures a template, at most. sizes: of
    galleries; named: for each, at each of STEPS + 1 similarities from -1 to 1 as a threshold, the share of strangers
    who are given a name.
    """

    network: str
    flip: bool
    zooms: tuple[float, ...]
    source: str
    people: int
    asked: int
    each: int
    sizes: tuple[int, ...]
    named: tuple[tuple[float, ...], ...]

    def shares(self, people: int) -> np.ndarray:
        """The share of strangers named by a gallery of so many, at each similarity, (STEPS + 1,); never too low.

        Of the sizes tried, the next larger. For more people than were at hand the share of a single comparison, times
        the people, which bounds it however the comparisons depend on one another (Bonferroni).
        """
        for size, shares in zip(self.sizes, self.named, strict=True):
            if size >= people:
                return np.array(shares)
        return np.minimum(people * np.array(self.named[0]), 1)

    def threshold(self, people: int, far: float) -> float:
        """The lowest similarity tried from which a gallery of so many names no more than a share `far` of strangers."""
        good = np.flatnonzero(self.shares(people) <= far)
        return float(np.linspace(-1, 1, STEPS + 1)[good[0]]) if len(good) else float(np.nextafter(1, 2))

    def write(self, folder: Path) -> None:
        """Store it in a folder, whole or not at all."""
        write_json(folder / SEARCHES, asdict(self))


def calibrate_searches(
    embeddings: np.ndarray, labels: np.ndarray, each: int = EACH, seed: int = 0, **about: Any
) -> SearchCalibration:
    """Ask after every picture (N, D) of all people, labels (N,) from 0, but its own.

    Templates are of `each` pictures drawn by lot. With c of M templates as like as a threshold, a gallery of G of them
    drawn by lot has none of the c with probability C(M - c, G) / C(M, G), so no gallery needs to be drawn. about: the
    fields of Searches that say what was asked. Raises FacesError for fewer than three people.
    """
    people = int(labels.max(initial=-1)) + 1
    if people < 3:
        raise FacesError(f"{people} people are too few to calibrate searches by: give three or more, better hundreds")
    others = people - 1
    templates = normalize_embeddings(_sums(embeddings, labels, people, each, seed)).astype(np.float64)
    alike = np.zeros((STEPS + 1) * people, np.int64)  # how many probes have c templates so like, by similarity and c
    for start in range(0, len(labels), CHUNK):
        probes, own = embeddings[start : start + CHUNK].astype(np.float64), labels[start : start + CHUNK]
        bins = np.clip(np.floor((probes @ templates.T + 1) / 2 * STEPS), 0, STEPS).astype(np.int64)
        rows = np.arange(len(own))
        place = (rows[:, None] * (STEPS + 1) + bins).ravel()
        exact = np.bincount(place, minlength=len(own) * (STEPS + 1)).reshape(len(own), STEPS + 1)
        exact[rows, bins[rows, own]] -= 1
        above = exact[:, ::-1].cumsum(1)[:, ::-1]
        alike += np.bincount((np.arange(STEPS + 1) * people + above).ravel(), minlength=len(alike))
    sizes = (*(size for size in SIZES if size < others), others)
    counted = alike.reshape(STEPS + 1, people)
    shares = [counted @ (1 - _none_of(others, size)) / len(labels) for size in sizes]
    named = tuple(tuple(round(float(share), 9) for share in row) for row in shares)
    return SearchCalibration(people=people, asked=len(labels), each=each, sizes=sizes, named=named, **about)


def _sums(embeddings: np.ndarray, labels: np.ndarray, people: int, each: int, seed: int) -> np.ndarray:
    """The sum of up to `each` embeddings of each person, drawn by lot, (people, D)."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    firsts = np.searchsorted(labels[order], np.arange(people))
    taken = order[np.arange(len(order)) - firsts[labels[order]] < each]
    sums = np.zeros((people, embeddings.shape[1]))
    np.add.at(sums, labels[taken], embeddings[taken])
    return sums


def _none_of(others: int, size: int) -> np.ndarray:
    """Probability that `size` of `others`, drawn without replacement, have none of c = 0, 1, ... others marked ones."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, others + 1)))])
    marked = np.arange(others + 1)
    left = others - marked
    possible = left >= size
    chances = logs[left] - logs[np.maximum(left - size, 0)] - logs[others] + logs[others - size]
    return np.where(possible, np.exp(np.minimum(chances, 0)), 0.0)


def calibrate_gallery(run: Path, people: Path, view: EmbedOptions, each: int = EACH) -> SearchCalibration:
    """Calibrate a network's searches on a folder of people, and store that beside it.

    Photographs without a face are left out. Raises FacesError where too few people are left.
    """
    embedder, found = open_embedder(run), find_identities(people)
    assert embedder.folder is not None
    labels = found.labels
    if view.align:
        faces = align_files(found.paths, embedder.size)
        good = np.array([one.face is not None for one in faces])
        if not good.all():
            say(f"{(~good).sum()} of {len(good)} pictures: no face found, left out")
        labels = np.unique(labels[good], return_inverse=True)[1]
        if not len(labels):
            raise FacesError(f"{people}: no face was found in {len(faces)} pictures; --no-align, if they are aligned")
        images = np.stack([one.image for one, use in zip(faces, good, strict=True) if use])
        embeddings = embedder.embed(images, view.flip, view.zooms)
    else:
        embeddings = embedder.embed_files(found.paths, view.flip, view.zooms)
    about: dict[str, Any] = {"network": embedder.fingerprint, "flip": view.flip, "zooms": view.zooms}
    searches = calibrate_searches(embeddings, labels, each, source=people.name, **about)
    searches.write(embedder.folder)
    say(f"{searches.asked:,} pictures of {searches.people:,} people asked after, as strangers; a stranger is named")
    for size in (10, 100, 1000):
        points = ", ".join(f"in {far:.1%} from {searches.threshold(size, far):.3f}" for far in (0.1, 0.01, 0.001))
        say(f"  by a gallery of {size:,}: {points}")
    say(f"thresholds for `faces identify`: {embedder.folder / SEARCHES}")
    return searches


def read_search_calibration(folder: Path, network: str) -> SearchCalibration | None:
    """The calibration in a folder, or none. Raises FacesError for another network's and for a damaged one."""
    path = folder / SEARCHES
    if not path.is_file():
        return None
    try:
        stored = read_json(path)
        zooms, sizes = tuple(stored.pop("zooms")), tuple(stored.pop("sizes"))
        named = tuple(tuple(map(float, row)) for row in stored.pop("named"))
        searches = SearchCalibration(zooms=zooms, sizes=sizes, named=named, **stored)
        if len(searches.sizes) != len(named) or {len(row) for row in named} != {STEPS + 1}:
            raise ValueError("its table has not a row a size")
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise FacesError(f"{path}: not as `faces gallery calibrate` stores it ({error}): calibrate anew") from error
    if searches.network != network:
        raise FacesError(
            f"{path}: calibrated for other weights than {folder} has now: `faces gallery calibrate` it again"
        )
    return searches
