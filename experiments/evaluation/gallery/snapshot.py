"""A gallery in memory: the embeddings of everybody enrolled, and whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.data.folders import composed
from experiments.data.preparation import Preparation
from experiments.errors import FacesError
from experiments.evaluation.embedding import EmbedOptions
from experiments.evaluation.gallery.index import TemplateIndex
from experiments.evaluation.gallery.records import Match
from experiments.inference.embedder import normalize_embeddings


@dataclass(frozen=True, eq=False)
class Gallery:
    """embeddings: (N, D) float32 of length 1. people: (N,), whose each is. images: (N,), the files' names.

    digests: (N,), hashes of the files, which recognize an image that is given twice. network: the fingerprint of the
    network that computed the embeddings. options, preparation: how.
    """

    embeddings: np.ndarray
    people: tuple[str, ...]
    images: tuple[str, ...]
    digests: tuple[str, ...]
    network: str
    options: EmbedOptions
    preparation: Preparation | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody enrolled, sorted."""
        return tuple(sorted(set(self.people)))

    def templates(self) -> np.ndarray:
        """One embedding per person (P, D), in the order of `names`: the mean of theirs, at length 1."""
        names, numbers = np.unique(np.array(self.people, object), return_inverse=True)
        sums = np.zeros((len(names), self.embeddings.shape[1]))
        np.add.at(sums, numbers, self.embeddings)
        return normalize_embeddings(sums)

    def count(self) -> int:
        """Return how many people are enrolled."""
        return len(set(self.people))

    def search(self, probes: np.ndarray, top: int = 1, approximate: bool | None = None) -> list[list[Match]]:
        """Find the `top` people most similar to each probe (N, D), as `GalleryStore.search` does; ids are names."""
        index = TemplateIndex(self.embeddings.shape[1])
        index.fill(self.names, self.templates())
        found = index.search(probes, top, bool(approximate))
        return [[Match(name, name, score) for name, score in row] for row in found]

    def with_more(
        self, embeddings: np.ndarray, people: Sequence[str], images: Sequence[str], digests: Sequence[str]
    ) -> "Gallery":
        """Add images (M, D), of new people or of those it has."""
        return replace(
            self,
            embeddings=np.concatenate([self.embeddings, embeddings]),
            people=(*self.people, *people),
            images=(*self.images, *images),
            digests=(*self.digests, *digests),
        )

    def pick(self, rows: Sequence[int]) -> "Gallery":
        """Keep those images only."""
        chosen = list(rows)
        people, images, digests = (
            tuple(values[row] for row in chosen) for values in (self.people, self.images, self.digests)
        )
        return replace(self, embeddings=self.embeddings[chosen], people=people, images=images, digests=digests)

    def without(self, names: Sequence[str]) -> "Gallery":
        """Remove people. Raises FacesError for one who is not in it, or where the gallery would be empty."""
        removed = {composed(name) for name in names}
        for name in sorted(removed):
            if name not in self.people:
                raise FacesError(f"{name!r} is not in the gallery, so cannot be removed; in it: {listed(self.names)}")
        kept = [row for row, name in enumerate(self.people) if name not in removed]
        if not kept:
            raise FacesError("the gallery would be empty: delete the file instead")
        return self.pick(kept)


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return the first names, and how many there are."""
    return ", ".join(names[:most]) + (f", ... ({len(names)})" if len(names) > most else "")
