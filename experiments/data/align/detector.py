"""The detectors by name: YuNet and MTCNN."""

from collections.abc import Callable, Sequence

import numpy as np

from experiments.data.align.face import Face
from experiments.data.preparation import DetectorName

Detector = Callable[[Sequence[np.ndarray]], list[list[Face]]]
"""Returns the faces of each image (H, W, 3) uint8, in the image's own pixels."""


def open_detector(name: DetectorName, device: str = "cpu") -> Detector:
    """Return a detector: "yunet", fast, on the CPU; or "mtcnn", 10 to 50 times slower, on a device.

    Raises FacesError where its weights are missing.
    """
    if name == "yunet":
        from experiments.data.align.yunet import YuNet

        return YuNet()
    from experiments.data.align.mtcnn import Mtcnn

    return Mtcnn(device)
