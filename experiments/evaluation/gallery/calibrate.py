"""How often a gallery gives a stranger a name, calibrated on whole searches instead of on single comparisons.

A stranger is compared with everybody's template, and the most similar one counts. That errs more often than the FAR of
a pair of images promises: there are as many chances as people, a template averages away what is odd about single images
and keeps what is like others, and some people resemble several. So strangers are searched for in random galleries of
other people (the false positive identification rate of Grother, Ngan and Hanaoka 2019, FRVT part 2: identification,
NIST IR 8271).
"""

from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator

from experiments.data.folders import find_identities
from experiments.data.preparation import Preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import (
    EmbedOptions,
    align_images,
    files_preparation,
    input_preparation,
    require_distinct,
)
from experiments.evaluation.thresholds import STEPS, Rate
from experiments.files import Record
from experiments.inference.embedder import Embedder, normalize_embeddings
from experiments.inference.networks import open_embedder
from experiments.progress import say

SEARCHES = "searches.json"
IMAGES_PER_TEMPLATE = 5
MIN_PEOPLE = 3
PROBES_PER_CHUNK = 1024
GALLERY_SIZES = sorted({round(lead * 10**power) for power in range(6) for lead in (1, 1.5, 2, 3, 5, 7)})


class SearchCalibration(Record):
    """The rates at which strangers are named, by gallery size and threshold.

    network: its fingerprint. flip, zooms, preparation: how its embeddings and images were made. source: the folder of
    people. people, probes: how many people, and images of theirs searched for. images_per_template: at most. sizes: of
    the galleries; named: for each, at each of STEPS + 1 similarities from -1 to 1 as a threshold, the fraction of
    strangers who are given a name.
    """

    network: str
    flip: bool
    zooms: tuple[float, ...]
    preparation: Preparation | None = None
    source: str
    people: Annotated[int, Field(ge=MIN_PEOPLE)]
    probes: Annotated[int, Field(ge=1)]
    images_per_template: Annotated[int, Field(ge=1)]
    sizes: Annotated[tuple[int, ...], Field(min_length=1)]
    named: tuple[Annotated[tuple[Rate, ...], Field(min_length=STEPS + 1, max_length=STEPS + 1)], ...]

    @model_validator(mode="after")
    def _one_row_per_size(self) -> Self:
        if len(self.sizes) != len(self.named) or list(self.sizes) != sorted(set(self.sizes)):
            raise ValueError("expected rising sizes with a row of rates for each")
        return self

    def rates(self, people: int) -> np.ndarray:
        """Return the fraction of strangers named by a gallery of so many people, at each similarity, (STEPS + 1,).

        Never too low: that of the next larger size tried. For more people than there were, the rate of a single
        comparison times the people, an upper bound however the comparisons depend on one another (Bonferroni).
        """
        for size, rates in zip(self.sizes, self.named, strict=True):
            if size >= people:
                return np.array(rates)
        return np.minimum(people * np.array(self.named[0]), 1)

    def min_far(self, people: int) -> float:
        """Return the smallest rate that these people can measure for a gallery of `people`: one stranger who is named.

        A person's images err together, so people count and not images; beyond the sizes tried, pairs of people do.
        """
        if people <= self.sizes[-1]:
            return 1 / self.people
        return max(1 / self.people, people / (self.people * (self.people - 1)))

    def threshold(self, people: int, far: float) -> float:
        """Return the lowest similarity tried from which a gallery of so many names at most `far` of the strangers."""
        good = np.flatnonzero(self.rates(people) <= far)
        return float(np.linspace(-1, 1, STEPS + 1)[good[0]]) if len(good) else float(np.nextafter(1, 2))


def calibrate_gallery(
    run: Path, people: Path, options: EmbedOptions, images_per_template: int = IMAGES_PER_TEMPLATE
) -> SearchCalibration:
    """Calibrate a network's searches on a folder of people, and store the result with the network.

    Photos without a face are left out. Raises FacesError where too few people are left, where all images are the same,
    and for images prepared otherwise than those of the network.
    """
    embedder = open_embedder(run)
    assert embedder.folder is not None
    embeddings, labels, preparation = _embed_people(embedder, people, options)
    require_distinct(embeddings, people)
    found = calibrate_searches(
        embeddings,
        labels,
        images_per_template,
        source=people.name,
        network=embedder.fingerprint,
        flip=options.flip,
        zooms=options.zooms,
        preparation=preparation,
    )
    found.write(embedder.folder / SEARCHES)
    say(f"{found.probes:,} images of {found.people:,} people were searched for, as strangers. A stranger is named")
    for size in (10, 100, 1000):
        fars = [far for far in (0.1, 0.01, 0.001) if far >= found.min_far(size)]
        points = ", ".join(f"in {far:.1%} of searches from {found.threshold(size, far):.3f}" for far in fars)
        needed = f"how often cannot be said from {found.people:,} people"
        say(f"  by a gallery of {size:,}: {points or needed}")
    say(f"thresholds for `faces identify`: {embedder.folder / SEARCHES}")
    return found


def _embed_people(
    embedder: Embedder, people: Path, options: EmbedOptions
) -> tuple[np.ndarray, np.ndarray, Preparation]:
    """Embeddings (N, D) of a folder of people, their labels (N,) from 0, and how the images are prepared."""
    found = find_identities(people)
    if not options.align:
        preparation = files_preparation(found.paths, embedder.preparation, f"the network {embedder.title}")
        return embedder.embed_files(found.paths, options.flip, options.zooms), found.labels, preparation
    preparation = input_preparation(embedder, found.paths, options)
    faces = align_images(embedder, found.paths, preparation)
    good = np.array([one.face is not None for one in faces])
    if not good.all():
        say(f"{(~good).sum()} of {len(good)} images: no face found, left out")
    if not good.any():
        raise FacesError(f"{people}: no face was found in {len(faces)} images; --no-align, if they are aligned")
    labels = np.unique(found.labels[good], return_inverse=True)[1]
    images = np.stack([one.image for one, use in zip(faces, good, strict=True) if use])
    return embedder.embed(images, options.flip, options.zooms), labels, preparation


def calibrate_searches(
    embeddings: np.ndarray,
    labels: np.ndarray,
    images_per_template: int = IMAGES_PER_TEMPLATE,
    seed: int = 0,
    **about: Any,
) -> SearchCalibration:
    """Search for every image (N, D) of all people, labels (N,) from 0, among the templates of all other people.

    Templates are of `images_per_template` random images. With c of M templates at least as similar as a threshold, a
    random gallery of G of them holds none of the c with probability C(M - c, G) / C(M, G), so no gallery needs to be
    drawn. about: the other fields of SearchCalibration. Raises FacesError for fewer than three people.
    """
    people = int(labels.max(initial=-1)) + 1
    if people < MIN_PEOPLE:
        raise FacesError(
            f"{people} people are too few to calibrate searches: give at least {MIN_PEOPLE}, better hundreds"
        )
    others = people - 1
    sums = _template_sums(embeddings, labels, people, images_per_template, seed)
    templates = normalize_embeddings(sums).astype(np.float64)
    # How many probes have c templates at least as similar, by similarity and c.
    similar = np.zeros((STEPS + 1) * people, np.int64)
    for start in range(0, len(labels), PROBES_PER_CHUNK):
        chunk = slice(start, start + PROBES_PER_CHUNK)
        probes, own = embeddings[chunk].astype(np.float64), labels[chunk]
        bins = np.clip(np.floor((probes @ templates.T + 1) / 2 * STEPS), 0, STEPS).astype(np.int64)
        rows = np.arange(len(own))
        place = (rows[:, None] * (STEPS + 1) + bins).ravel()
        exact = np.bincount(place, minlength=len(own) * (STEPS + 1)).reshape(len(own), STEPS + 1)
        exact[rows, bins[rows, own]] -= 1
        above = exact[:, ::-1].cumsum(1)[:, ::-1]
        similar += np.bincount((np.arange(STEPS + 1) * people + above).ravel(), minlength=len(similar))
    sizes = (*(size for size in GALLERY_SIZES if size < others), others)
    counted = similar.reshape(STEPS + 1, people)
    rates = [counted @ (1 - _none_of(others, size)) / len(labels) for size in sizes]
    named = tuple(tuple(min(max(round(float(rate), 9), 0.0), 1.0) for rate in row) for row in rates)
    return SearchCalibration(
        people=people,
        probes=len(labels),
        images_per_template=images_per_template,
        sizes=sizes,
        named=named,
        **about,
    )


def _template_sums(embeddings: np.ndarray, labels: np.ndarray, people: int, most: int, seed: int) -> np.ndarray:
    """The sum of up to `most` random embeddings of each person, (people, D)."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    firsts = np.searchsorted(labels[order], np.arange(people))
    taken = order[np.arange(len(order)) - firsts[labels[order]] < most]
    sums = np.zeros((people, embeddings.shape[1]))
    np.add.at(sums, labels[taken], embeddings[taken])
    return sums


def _none_of(others: int, size: int) -> np.ndarray:
    """Probability that `size` of `others`, drawn without replacement, hold none of c = 0, 1, ... others marked ones."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, others + 1)))])
    marked = np.arange(others + 1)
    left = others - marked
    possible = left >= size
    chances = logs[left] - logs[np.maximum(left - size, 0)] - logs[others] + logs[others - size]
    return np.where(possible, np.exp(np.minimum(chances, 0)), 0.0)


def read_search_calibration(folder: Path, network: str) -> SearchCalibration | None:
    """Read the calibration in a folder, or none. Raises FacesError for another network's and for a damaged one."""
    path = folder / SEARCHES
    if not path.is_file():
        return None
    found = SearchCalibration.read(path, f"`faces gallery calibrate` {folder} again, or remove the file")
    if found.network != network:
        raise FacesError(
            f"{path}: calibrated for other weights than {folder} has now: `faces gallery calibrate` it again"
        )
    return found
