"""Ways to group embeddings, against the truth: `python results/cluster/compare.py OUT.json NAME=FILE.npz ...`.

Linkages of SciPy at thresholds that were calibrated on LFW's pairs, and HDBSCAN of scikit-learn, which needs no
threshold. Each file was made by `faces embed`; the folder of an image is the person.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import HDBSCAN

from experiments.evaluation.face_table import read_face_table
from experiments.evaluation.thresholds import SHIPPED, ThresholdCalibration
from experiments.metrics.clustering import condensed_distances, pairwise_scores


def main(out: Path, tables: dict[str, Path]) -> None:
    """Print a table, and write it as JSON."""
    calibration = ThresholdCalibration.read(SHIPPED / "sface.json", "restore it")
    thresholds = {one.name: one.value for one in calibration.thresholds}
    rows = []
    for name, path in tables.items():
        table = read_face_table(path)
        people = [image.parent.name for image in table.paths]
        distances = condensed_distances(table.embeddings)
        found = {}
        for how in ("average", "complete", "single"):
            tree = linkage(distances, how)
            for point in ("eer", "far 0.01", "far 0.001"):
                found[f"{how} linkage, {point}"] = fcluster(tree, 1 - thresholds[point], "distance")
        for least in (2, 5):
            labels = HDBSCAN(min_cluster_size=least, copy=True).fit_predict(table.embeddings)
            alone = labels < 0  # noise: everybody a group of their own
            labels[alone] = labels.max() + 1 + np.arange(alone.sum())
            found[f"HDBSCAN, at least {least}"] = labels
        for how, labels in found.items():
            rows.append({"images": name, "faces": len(table), "how": how, **asdict(pairwise_scores(labels, people))})
    out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(
            f"{row['images']:8} {row['how']:28} F1 {row['f1']:.3f}  precision {row['precision']:.3f}  recall "
            f"{row['recall']:.3f}  {row['groups']} clusters of {row['people']} people"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), {name: Path(path) for name, path in (one.split("=", 1) for one in sys.argv[2:])})
