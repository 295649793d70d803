"""A benchmark in a dozen numbers. Ratios are mytorch's time over PyTorch's: below 1, ours is faster."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.bench.convolutions import TOGETHER
from experiments.bench.timing import geometric_mean

Row = Mapping[str, Any]
BOTH = {"": "ratio", "_channels_last": "ratio_channels_last"}
"""Over torch's default layout, and over its channels_last: what a name in the summary ends in."""


def summarise(sections: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures that the project is held to; None for what was not measured.

    Convolutions count with all their gradients. Of the memory of the networks' steps the worst counts.
    """
    together = [row for row in sections["convolutions"] if row["part"] == TOGETHER]
    steps = {row["name"]: row for row in sections["steps"]}
    result: dict[str, float | None] = {}
    for suffix, key in BOTH.items():
        result[f"conv_geomean_ratio{suffix}"] = _mean(together, key)
        result[f"conv_worst_ratio{suffix}"] = max(row[key] for row in together)
        result[f"conv_float64_geomean_ratio{suffix}"] = _mean(sections["convolutions_float64"], key)
        result[f"layers_geomean_ratio{suffix}"] = _mean(sections["layers"], key)
        for name, row in steps.items():
            result[f"train_step_ratio_{name}{suffix}"] = row[key]
        result[f"train_step_memory_ratio{suffix}"] = max((row[key] for row in sections["memory"]), default=None)
    rivals = sections["handwritten"]
    for way in rivals[0]["slower"] if rivals else ():
        result[f"versus_{way}_geomean_ratio"] = geometric_mean([row["slower"][way] for row in rivals])
    slower = [ratio for row in rivals for ratio in row["slower"].values()]
    result["versus_handwritten_geomean_ratio"] = geometric_mean(slower) if slower else None
    result["batch_growth_power"] = sections["growth"]["power"]["mytorch"]
    result["resident_growth_mib"] = sections["resident"]["grown_mib"] if sections["resident"] else None
    return result


def _mean(rows: Sequence[Row], key: str) -> float | None:
    return geometric_mean([row[key] for row in rows]) if rows else None
