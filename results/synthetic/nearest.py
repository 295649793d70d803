"""The nearest neighbor on pixels and a trained run, on the same images: python nearest.py FACES RUN."""

import json
import sys
from pathlib import Path

import numpy as np

from experiments.data.dataset import read_split
from experiments.run import Run


def main(faces: str, folder: str) -> None:
    """Write nearest.json: top-1 of the nearest training image by Euclidean distance, and of the run's last epoch."""
    run = Run.open(folder)
    train, validation = read_split(faces, run.recipe())
    cnn = json.loads(run.metrics_file.read_text())["top1"]
    result = {"cnn_top1": cnn}
    for name, pixels in {"color": lambda images: images, "grey": lambda images: images.mean(-1)}.items():
        known, probes = (pixels(part.images.astype(np.float32)).reshape(len(part), -1) for part in (train, validation))
        distance = (known**2).sum(1) - 2 * probes @ known.T
        nearest = train.labels[distance.argmin(1)]
        result[f"nearest_neighbour_{name}_top1"] = float((nearest == validation.labels).mean())
    text = json.dumps(result, indent=2)
    (Path(__file__).parent / "nearest.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
