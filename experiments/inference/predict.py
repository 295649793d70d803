"""What trained networks say of pictures: one network or several, each picture seen one way or several."""

from collections.abc import Iterable

import numpy as np

from experiments.inference.model import Trained
from experiments.inference.views import Views, views
from experiments.progress import track
from mytorch.ops.softmax import log_softmax

CHUNK = 512
"""Pictures read and predicted together."""


def average(logits: Iterable[np.ndarray]) -> np.ndarray:
    """Logarithm of the mean of the probabilities that several logits (n, classes) stand for.

    Probabilities, not their logarithms: so a network that is sure and wrong has one voice and no veto.
    """
    total, count = None, 0
    for one in logits:
        log = log_softmax(one)
        total = log if total is None else np.logaddexp(total, log, out=total)
        count += 1
    if total is None:
        raise ValueError("nothing to average: expected the logits of one network or more")
    total -= np.log(count, dtype=total.dtype)
    return total


def predict(trained: Trained, images: np.ndarray, how: Views = "none") -> np.ndarray:
    """Logits (N, classes) of pictures (N, H, W, 3) uint8 at the network's size, or anything indexed like such an array.

    Of several views, the logarithm of their mean probabilities, which serves as logits.
    """
    scores = np.empty((len(images), len(trained.classes)), np.float32)
    with track("predicting", len(images), "images") as advance:
        for start in range(0, len(images), CHUNK):
            chunk = np.asarray(images[start : start + CHUNK])
            logits = (trained.logits(view) for view in views(chunk, how))
            scores[start : start + CHUNK] = next(logits) if how == "none" else average(logits)
            advance(start + len(chunk), len(images))
    return scores
