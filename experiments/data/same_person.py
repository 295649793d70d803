"""A picture combined with another of the same person: one more picture of that person, that nobody took.

For aligned pictures, in which eyes lie upon eyes and a mouth upon a mouth. Sources: parts exchanged within a class,
Zhang et al., WACV 2021, Intra-class Part Swapping; pictures averaged within a person, Burton et al. 2005, Cognitive
Psychology 51, pp. 256-284.
"""

import numpy as np

from experiments.data.dataset import Faces
from experiments.data.mixing import rectangle
from experiments.errors import FacesError


class SamePerson:
    """Combines a share of the pictures, each as (seed, epoch, picture) decide.

    Half of them are averaged with the other picture, with weights drawn evenly; the other half get a rectangle of it,
    whose share of the area is drawn evenly. A person's only picture stays as it is, as does one whose partner cannot
    be read.
    """

    def __init__(self, faces: Faces, share: float, seed: int):
        self.faces, self.share, self.seed = faces, share, seed
        self.by_person = np.argsort(faces.labels, kind="stable")
        self.counts = np.bincount(faces.labels, minlength=len(faces.names))
        self.firsts = np.cumsum(self.counts) - self.counts

    def __call__(self, images: np.ndarray, indices: np.ndarray, epoch: int) -> np.ndarray:
        """Pictures (n, H, W, 3) uint8 of those numbers (n,), some of them combined."""
        if not self.share:
            return images
        combined = np.array(images)
        for place, index in enumerate(indices):
            rng = np.random.default_rng((self.seed, epoch, int(index), 2))
            if rng.random() < self.share:
                partner = self._partner(int(index), rng)
                if partner is not None:
                    combined[place] = _together(combined[place], partner, rng)
        return combined

    def _partner(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        """Another picture of the same person, if there is one that can be read."""
        label = self.faces.labels[index]
        own = self.by_person[self.firsts[label] :][: self.counts[label]]
        others = own[own != index]
        if not len(others):
            return None
        try:
            return np.asarray(self.faces.images[int(rng.choice(others))])
        except FacesError:
            return None  # it is named and counted in its own turn


def _together(picture: np.ndarray, partner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    share = rng.random()
    if rng.random() < 0.5:
        return np.asarray((picture * share + partner * (1 - share)).round(), np.uint8)
    rows, columns = rectangle(rng, picture.shape[:2], 1 - share)
    picture = picture.copy()
    picture[rows, columns] = partner[rows, columns]
    return picture
