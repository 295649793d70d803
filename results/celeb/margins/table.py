"""Gathers the runs of `measure` into cells.csv, and writes README.md from them: python table.py RUNS OUT."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from experiments.metrics.bootstrap import bootstrap_statistics, infer_identities, percentile_interval
from experiments.metrics.roc import RocCurve

NETWORKS = {"mobilenet_v2": "MobileNetV2 from ImageNet", "resnet18": "ResNet-18 from nothing"}
REGULARISERS = {
    "none": "none",
    "label_smoothing": "label smoothing 0.1",
    "mixup": "MixUp 0.2",
    "cutmix": "CutMix 1.0, on half of the batches",
    "perspective": "RandomPerspective 0.3",
    "drop_block": "DropBlock 0.1",
}
STEPS = ("ce", "arcface")
TEXT = """# CE, then ArcFace, and what each regulariser brings

`results/celeb/margins/measure ALIGNED COMPETITION WEIGHTS` makes everything here; `table.py` writes README.md and
cells.csv from the runs' own files. {done} of {all} cells are done; run the same command again for the others.

EER on val_pairs.txt, 3,000 pairs of 20 people who are in no training, image and mirror image. In brackets 95 %
intervals, from resampling people 1,000 times. Differences are in points, over the same draws of people in both runs, so
they are surer than their ends; where an interval holds 0 these pairs show no difference.

{tables}
{budget}.

One seed, 0. CE has a linear head; ArcFace (scale 32, margin 0.3) begins with the class means. Both have an
embedding of 512 numbers, flips, crops of at least 0.8 of the area, AdamW along one cycle, averaged weights (0.99) and
bfloat16; of each person's images a tenth validates, and its EER chooses the epoch. Regularisers are in both steps,
but for MixUp and CutMix, which a margin does not go with. Seconds are of one thread on a machine of two processors with
much other work, so they do not compare.
"""


def main(runs: Path, out: Path) -> None:
    """Write cells.csv and README.md into `out`."""
    cells = {
        (network, regulariser, step): folder
        for network in NETWORKS
        for regulariser in REGULARISERS
        for step in STEPS
        if ((folder := runs / f"{network}-{regulariser}-{step}") / "verification" / "verification.json").is_file()
    }
    rows = [{"network": n, "regulariser": r, "step": s, **_figures(folder)} for (n, r, s), folder in cells.items()]
    with (out / "cells.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    drawn = {key: _draws(folder) for key, folder in cells.items()}
    found = {(row["network"], row["regulariser"], row["step"]): row for row in rows}
    whole = sum((n, r, "arcface") in found for n in NETWORKS for r in REGULARISERS)
    begun = [network for network in NETWORKS if (network, "none", "arcface") in found]
    tables = "\n".join(_table(network, found, drawn) for network in begun)
    text = TEXT.format(tables=tables, done=whole, all=len(NETWORKS) * len(REGULARISERS), budget=_budget(rows))
    (out / "README.md").write_text(text)
    print(text)


def _figures(folder: Path) -> dict[str, Any]:
    """What one run's files say."""
    evaluated = json.loads((folder / "verification" / "verification.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    with (folder / "history.csv").open(newline="") as file:
        chosen = min(csv.DictReader(file), key=lambda row: float(row["eer"]))
    return {
        "eer": evaluated["eer"],
        "eer_low": evaluated["intervals"]["eer"][0],
        "eer_high": evaluated["intervals"]["eer"][1],
        "auc": evaluated["auc"],
        "tar_at_far_0.1": evaluated["tar_at_far"]["0.1"],
        "validation_eer": chosen["eer"],
        "validation_top1": chosen["top1"],
        "epochs": recipe["epochs"],
        "size": recipe["data"]["size"][0],
        "seconds": metrics["seconds"],
    }


def _draws(folder: Path) -> tuple[float, np.ndarray]:
    """The EER, and that of every draw of the people."""
    with (folder / "verification" / "scores.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    numbers = {name: n for n, name in enumerate(sorted({p[side] for p in pairs for side in ("first", "second")}))}
    first, second = (np.array([numbers[p[side]] for p in pairs]) for side in ("first", "second"))
    matches = np.array([p["match"] == "1" for p in pairs])
    scores = np.array([float(p["similarity"]) for p in pairs])
    people = infer_identities(first, second, matches)
    eer = json.loads((folder / "verification" / "verification.json").read_text())["eer"]
    return eer, bootstrap_statistics(scores, matches, people, {"eer": RocCurve.eer})["eer"]


def _table(network: str, found: dict[Any, dict[str, Any]], drawn: dict[Any, tuple[float, np.ndarray]]) -> str:
    """The table of one network."""
    lines = [f"## {NETWORKS[network]}", ""]
    lines += ["| regulariser | EER, CE | EER, then ArcFace | ArcFace less CE | less that without it | seconds |"]
    lines += ["| --- " * 6 + "|"]
    for regulariser, name in REGULARISERS.items():
        ce, arc = ((network, regulariser, step) for step in STEPS)
        if arc not in found:
            continue
        plain = (network, "none", "arcface")
        seconds = sum(found[key]["seconds"] for key in (ce, arc) if key in found)
        cells = [
            name,
            *(_rate(found[key]) if key in found else "not run" for key in (ce, arc)),
            _less(drawn, arc, ce),
            _less(drawn, arc, plain) if regulariser != "none" else "",
            f"{seconds:.0f}" if seconds else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _rate(row: dict[str, Any]) -> str:
    return f"{row['eer']:.1%} ({100 * row['eer_low']:.1f} to {100 * row['eer_high']:.1f})"


def _less(drawn: dict[Any, tuple[float, np.ndarray]], one: Any, other: Any) -> str:
    """How much lower or higher one EER is than the other, in points, over the same draws."""
    if one not in drawn or other not in drawn:
        return ""
    low, high = percentile_interval(drawn[one][1] - drawn[other][1])
    return f"{100 * (drawn[one][0] - drawn[other][0]):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _budget(rows: list[dict[str, Any]]) -> str:
    """Epochs and sizes, network by network."""
    parts = []
    for network, name in NETWORKS.items():
        epochs = {row["step"]: row["epochs"] for row in rows if row["network"] == network}
        size = {row["size"] for row in rows if row["network"] == network}
        if len(epochs) == len(STEPS) and len(size) == 1:
            parts.append(f"{name}: {epochs['ce']} epochs of CE and {epochs['arcface']} of ArcFace at {size.pop()} px")
    return "; ".join(parts)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
